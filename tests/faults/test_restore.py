"""恢复旧备份 A restored older copy, seed by seed: nothing lost, nothing unexpected, nothing done twice."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.judge import Counts
from tests.gateway_world import emptied, migrated
from tests.recovery_scenario import restore_scenario

SEEDS = {"sqlite": range(1, 25), "postgres": range(101, 107)}


@pytest.fixture(params=list(SEEDS))
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Its name, and a migrated database that each run finds empty."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'xianjie.sqlite'}"
        migrated(url)
    else:
        factory: Callable[..., str] = request.getfixturevalue("postgres_url_factory")
        url = factory(prepared_by=migrated)
    yield request.param, url


def test_partners_give_back_what_was_lost_and_nothing_is_done_twice(
    engine: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    name, url = engine
    total = Counts()
    for seed in SEEDS[name]:
        found = restore_scenario(emptied(url), seed)
        assert found.is_clean, f"seed {seed}: {found.complaints}"
        total += found
    with capsys.disabled():
        print(
            f"\nrestore of an older copy ({name}, {len(SEEDS[name])} seeds): lost {total.lost}, "
            f"unexpected {total.unexpected}, duplicated {total.duplicated}, recovered {total.recovered}"
        )
    assert total.recovered > len(SEEDS[name])

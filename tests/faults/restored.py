"""旧备份 The scenario of `make faults` in which an older copy of the database is restored and partners give back."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.faults.judge import Counts
from tests.faults.scenario import Row, Settings
from tests.gateway_world import emptied, migrated
from tests.recovery_scenario import restore_scenario

RUNS = 40


def scenario(settings: Settings) -> Iterator[Row]:
    """So many seeds, each a day that is lost and given back."""
    total = Counts()
    with TemporaryDirectory(prefix="xianjie-restored-") as folder:
        url = f"sqlite:///{Path(folder) / 'xianjie.sqlite'}"
        migrated(url)
        for seed in range(settings.seed, settings.seed + RUNS):
            total += restore_scenario(emptied(url), seed)
            settings.tell(f"restored copy, seed {seed}")
    yield Row(name="an older copy restored, given back", runs=RUNS, counts=total)

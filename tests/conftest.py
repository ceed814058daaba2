"""Fixtures every test may ask for: a database of each engine.

`database_url` runs a test twice, on SQLite and on PostgreSQL. Where no PostgreSQL can be had these tests fail; they are
never skipped, because a green run must mean that both engines were tried.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.postgres import RunningPostgres, running_postgres

ENGINES = ["sqlite", "postgres"]
TOGETHER = {"e2e": "whole_machine", "faults": "whole_machine", "browser": "browser"}
"""Folder → group: tests that start whole fleets of processes run one at a time, whatever else runs beside them; those
that drive a browser share one served province."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where tests run on several workers, those that belong together stay on one of them. First: what hands tests out
    reads the mark in the same hook."""
    here = Path(__file__).parent
    for item in items:
        group = TOGETHER.get(item.path.relative_to(here).parts[0])
        if group is not None:
            item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[RunningPostgres]:
    """One private server for the whole run; a test that stops or crashes it must start its own instead."""
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_url_factory(postgres_server: RunningPostgres) -> Callable[..., str]:
    """`new_database(prepared_by=…)` of the run's server: each call is the URL of a new database."""
    return postgres_server.new_database


@pytest.fixture
def postgres_url(postgres_server: RunningPostgres) -> Iterator[str]:
    """An empty PostgreSQL database, dropped after the test."""
    url = postgres_server.new_database()
    yield url
    postgres_server.drop(url)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """An empty SQLite database in a file of its own."""
    return f"sqlite:///{tmp_path / 'xianjie.sqlite'}"


@pytest.fixture(params=ENGINES)
def database_url(request: pytest.FixtureRequest) -> str:
    """An empty database: the test runs once per engine."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url

"""What every test may ask for, and where tests run.

`database_url` runs a test twice, on SQLite and on PostgreSQL, with every table and no row. Where no PostgreSQL can be
had these tests fail; they are never skipped, because a green run must mean that both engines were tried.

On several workers the tests of a file stay together, because they share what the file made once. Those of whole fleets
of processes stay together by folder, as do those of browsers, and begin first, because they take longest. Temporary
files are in memory where there is room: what a killed process has written stays there, too, and nobody waits for a
disk.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests import quick_sites
from tests.gateway_world import emptied, migrated
from tests.postgres import RunningPostgres, running_postgres

ENGINES = ["sqlite", "postgres"]
FIRST = {"e2e": "whole_machine", "faults": "whole_machine", "browser": "browser", "bulk": "bulk"}
"""Folder → group, in the order in which they begin. Tests that start whole fleets of processes run one at a time,
whatever else runs beside them; those that drive a browser share one served province."""
MEMORY = Path("/dev/shm")
ROOM = 2 * 1024**3
"""Several times what a whole run needs there at once."""


def folder_of(nodeid: str) -> str:
    """Of a test, below `tests/`."""
    return nodeid.split("/")[1]


class ByFile(LoadScopeScheduling):
    """A worker gets a file, or a whole group, at a time, in the order of collection."""

    def _split_scope(self, nodeid: str) -> str:
        return FIRST.get(folder_of(nodeid)) or nodeid.partition("::")[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile:
    """Whatever `--dist` says."""
    config.option.loadscopereorder = False
    return ByFile(config, log)


def pytest_configure() -> None:
    """Whoever says himself where temporary files go is heard; workers are told."""
    if "TMPDIR" not in os.environ and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM:
        tempfile.tempdir = os.environ["TMPDIR"] = str(MEMORY)
    quick_sites.install()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On workers the groups come first."""
    if hasattr(config, "workerinput"):
        order = list(FIRST)
        items.sort(key=lambda item: order.index(one) if (one := folder_of(item.nodeid)) in FIRST else len(order))


@pytest.fixture(scope="module", autouse=True)
def a_group_has_one_worker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Or the run is red: fleets of processes that meet take each other's time, and show nothing of it."""
    group, worker = FIRST.get(folder_of(request.node.nodeid)), os.environ.get("PYTEST_XDIST_WORKER")
    if group is None or worker is None:
        return
    first = tmp_path_factory.getbasetemp().parent / f"{group}.worker"
    with suppress(FileExistsError), first.open("x") as file:
        file.write(worker)
    assert first.read_text() == worker


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[RunningPostgres]:
    """One private server for the whole run; a test that stops or crashes it must start its own instead."""
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_url_factory(postgres_server: RunningPostgres) -> Callable[..., str]:
    """`new_database(prepared_by=…)` of the run's server: each call is the URL of a new database."""
    return postgres_server.new_database


@pytest.fixture(scope="session")
def one_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One migrated file."""
    path = tmp_path_factory.mktemp("sqlite") / "migrated.sqlite"
    migrated(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_url(one_sqlite: Path, tmp_path: Path) -> str:
    """A copy of it."""
    copy = shutil.copy(one_sqlite, tmp_path / "xianjie.sqlite")
    return f"sqlite:///{copy}"


@pytest.fixture(scope="session")
def one_postgres(postgres_url_factory: Callable[..., str]) -> str:
    """One migrated database for all tests; each finds it without a row."""
    url: str = postgres_url_factory(prepared_by=migrated)
    return url


@pytest.fixture
def postgres_url(one_postgres: str) -> str:
    """It, emptied."""
    return emptied(one_postgres)


@pytest.fixture(params=ENGINES)
def database_url(request: pytest.FixtureRequest) -> str:
    """A migrated database without a row: the test runs once per engine."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url

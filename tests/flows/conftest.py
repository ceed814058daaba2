"""A whole gateway on each engine."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.gateway_world import World, emptied, migrated


@pytest.fixture(scope="package")
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


@pytest.fixture(scope="package")
def one_postgres(postgres_url_factory: Callable[..., str]) -> str:
    """One migrated database for all tests of this folder; each finds it empty."""
    url: str = postgres_url_factory(prepared_by=migrated)
    return url


@pytest.fixture
def postgres_url(one_postgres: str) -> str:
    """It, without a row."""
    return emptied(one_postgres)


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """Empty but for its court, its offices and its agreement."""
    made = World(database_url)
    yield made
    made.close()


@pytest.fixture
def sqlite_world(sqlite_url: str) -> Iterator[World]:
    """The same on SQLite alone, for what no database engine has a say in."""
    made = World(sqlite_url)
    yield made
    made.close()

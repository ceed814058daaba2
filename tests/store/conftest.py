"""A migrated database on each engine, and a second process's view of it."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.store.engine import Store
from gateway.store.migrate import migrate
from tests.gateway_world import emptied, migrated


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
def store(database_url: str) -> Iterator[Store]:
    """Every table, no row."""
    made = Store(database_url)
    migrate(made)
    yield made
    made.close()


@pytest.fixture
def other(database_url: str, store: Store) -> Iterator[Store]:
    """Another process over the same database."""
    made = Store(database_url)
    yield made
    made.close()

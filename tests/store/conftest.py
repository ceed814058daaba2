"""A migrated database on each engine, and a second process's view of it."""

from collections.abc import Callable, Iterator

import pytest

from gateway.store.engine import Store
from gateway.store.migrate import migrate
from tests.gateway_world import emptied, migrated


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

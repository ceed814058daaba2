"""A migrated database on each engine, and a second process's view of it."""

from collections.abc import Iterator

import pytest

from gateway.store.engine import Store
from gateway.store.migrate import is_current, migrate


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """Every table, no row."""
    made = Store(database_url)
    if not is_current(made):
        migrate(made)
    yield made
    made.close()


@pytest.fixture
def other(database_url: str, store: Store) -> Iterator[Store]:
    """Another process over the same database."""
    made = Store(database_url)
    yield made
    made.close()

"""A whole gateway on each engine."""

from collections.abc import Callable, Iterator

import pytest

from tests.gateway_world import World, emptied, migrated


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

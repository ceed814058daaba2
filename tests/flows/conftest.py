"""A whole gateway on each engine."""

from collections.abc import Iterator

import pytest

from tests.gateway_world import World


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

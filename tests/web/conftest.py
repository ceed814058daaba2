"""A whole gateway behind its web application, on SQLite: what HTTP does is the same on either engine."""

from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

from gateway.web.site import create_site
from tests.gateway_world import World


@pytest.fixture
def world(sqlite_url: str) -> Iterator[World]:
    """Empty but for its court, its offices and its agreement."""
    made = World(sqlite_url)
    yield made
    made.close()


@pytest.fixture
def site(world: World) -> Flask:
    """The application over that gateway."""
    return create_site(world.context, lambda: world.now, public_url=None)


@pytest.fixture
def client(site: Flask) -> FlaskClient:
    """Asks from this machine, without a proxy."""
    return site.test_client()

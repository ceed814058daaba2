"""`/v1/statements`: an agency's own, by one-use token; pieces in order; no personal data in what comes back."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from gateway.envelope import token
from gateway.envelope.message import new_id
from gateway.flows.statement_intake import MOST_PIECE
from gateway.flows.statement_read import read_waiting
from gateway.web.site import create_site
from tests.flows.statement_world import a_line, manifest, ndjson, submit
from tests.gateway_world import CIVIL_AFFAIRS, GATEWAY, WOMENS_FEDERATION, Partner, World


@pytest.fixture
def world(sqlite_url: str) -> Iterator[World]:
    made = World(sqlite_url)
    yield made
    made.close()


@pytest.fixture
def site(world: World) -> Flask:
    return create_site(world.context, lambda: world.now, public_url=None)


def ask(
    world: World, site: Flask, method: str, path: str, partner: Partner | None = None, **request: Any
) -> TestResponse:
    asking = partner or world.offices[CIVIL_AFFAIRS].partner
    url = f"http://localhost{path}".partition("?")[0]
    proof = token.issue(asking.key, audience=GATEWAY, method=method, url=url, now=world.now, jti=new_id(world.now))
    return site.test_client().open(path, method=method, headers={"Authorization": f"Bearer {proof}"}, **request)


def code(response: TestResponse) -> tuple[int, str]:
    return response.status_code, response.get_json()["code"]


BODY = ndjson([a_line(), a_line(status="GONE")])
LINES = "/v1/statements/s-1/lines"


def test_a_file_in_two_pieces_and_what_became_of_it(world: World, site: Flask) -> None:
    submit(world, manifest(BODY, 2))
    first = ask(world, site, "PUT", LINES, data=BODY[:50]).get_json()
    assert first == {"statement_id": "s-1", "state": "awaiting_lines", "received": 50, "size": len(BODY)}
    assert ask(world, site, "POST", f"{LINES}?at=50", data=BODY[50:]).get_json()["state"] == "received"
    read_waiting(world.context, now=world.now)
    answer = ask(world, site, "GET", "/v1/statements/s-1")
    told = answer.get_json()
    assert (told["state"], told["read"], told["bad"]) == ("read", 2, 2)
    assert told["bad_lines"][1] == {"line": 2, "code": "unknown_code", "pointer": "/status"}
    assert "529999" not in answer.get_data(as_text=True)


def test_a_piece_that_begins_elsewhere_is_refused(world: World, site: Flask) -> None:
    submit(world, manifest(BODY, 2))
    assert code(ask(world, site, "PUT", f"{LINES}?at=9", data=BODY[9:])) == (409, "statement_misplaced")


def test_another_file_is_refused(world: World, site: Flask) -> None:
    submit(world, manifest(BODY, 2))
    assert code(ask(world, site, "PUT", LINES, data=BODY[::-1])) == (422, "statement_differs")


def test_a_piece_above_the_limit_is_refused(world: World, site: Flask) -> None:
    submit(world, manifest(BODY, 2))
    assert code(ask(world, site, "PUT", LINES, data=b"x" * (MOST_PIECE + 2))) == (413, "too_large")


@pytest.mark.parametrize("path", ["/v1/statements/s-9", "/v1/statements/s-1"])
def test_what_is_not_ones_own_is_not_there(world: World, site: Flask, path: str) -> None:
    submit(world, manifest(BODY, 2))
    stranger = world.offices[WOMENS_FEDERATION].partner
    assert code(ask(world, site, "GET", path, stranger)) == (404, "statement_unknown")


def test_a_court_has_no_statements(world: World, site: Flask) -> None:
    assert code(ask(world, site, "GET", "/v1/statements/s-1", world.court)) == (403, "forbidden")


@pytest.mark.parametrize("at", ["-1", "x", "9" * 17])
def test_an_offset_that_is_none_is_told(world: World, site: Flask, at: str) -> None:
    assert code(ask(world, site, "PUT", f"{LINES}?at={at}", data=b"")) == (400, "invalid_query")

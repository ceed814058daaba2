"""Every address of the site is proven or meant to be public, and is described or meant not to be.

A route that is added shows up here: as unproven until it asks for a token or a session, and as undescribed until it
stands in `openapi.json`, or until somebody writes down in these tables why not. Pages are for people who signed in:
which right each asks for, and that it asks, is `tests/web/test_access_matrix.py`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import pytest
from flask import Flask

from gateway.web.api.openapi import describe
from gateway.web.site import create_site
from tests.gateway_world import World
from tests.log_world import LogWorld

PUBLIC = {
    "/v1/keys": "public keys are for everybody who has a receipt in hand",
    "/v1/participants": "whose key is whose is for everybody who checks evidence",
    "/v1/openapi.json": "a partner reads it before it has a key",
    "/docs": "the same for people",
    "/docs/errors": "where the `type` of every problem leads",
    "/v1/log/checkpoint": "whoever holds a receipt may see that the log it names goes on",
    "/v1/log/tile/<level>/<path:number>": "hashes only, for witnesses and caches",
    "/v1/log/proof/inclusion": "hashes only, for whoever holds an entry",
    "/v1/log/proof/consistency": "hashes only, for whoever holds an older root",
    "/healthz": "says ok and nothing else",
    "/readyz": "says ready or not and nothing else",
    "/static/<name>": "style sheets and the vendored script",
}
DOORS = {
    "/sign-in": "who is not signed in yet",
    "/sign-in/provider": "leads to the identity provider, where there is one",
    "/sign-in/provider/back": "believes only what that provider signed for this very browser",
    "/language/<chosen>": "keeps in a cookie which language is read",
}
"""Pages before anybody is signed in."""
PAGES = ("/console", "/agency", "/court", "/account", "/sign-in", "/sign-out", "/language")
FROM_THIS_MACHINE = {
    "/": "how busy every office is: for operations on this machine",
    "/metrics": "the same for their scraper",
}
PROVEN_BY_SIGNATURE = {
    "/v1/messages": "a message is signed by its sender",
    "/v1/messages/batch": "each line is signed by its sender",
    "/v1/log/cosignature": "each line is signed by its witness",
}
ADDRESSES = {
    "/v1/log/tile/<level>/<path:number>": "/v1/log/tile/0/000.p/1",
    "/v1/log/proof/inclusion": "/v1/log/proof/inclusion?index=0",
    "/v1/log/proof/consistency": "/v1/log/proof/consistency?from=1",
    "/static/<name>": "/static/pages.css",
    "/language/<chosen>": "/language/en",
}
"""Of rules that answer only when something is named."""
UNDESCRIBED = {"/docs", "/docs/errors", "/healthz", "/readyz", "/", "/metrics", "/static/<name>"}
"""For people and for operations: no part of what partners program against. So are all pages."""

OVERLAPPING = {
    ("/console/delivery/<office_id>/pause", "/console/delivery/messages/<message_id>"): "our message ids are UUIDs",
    ("/console/findings/<name>", "/console/findings/compare"): "no finding has this name: it is no base64 of a key",
    ("/court/referrals/<referral_id>/<path>", "/court/referrals/<referral_id>/amend"): "a path is one of our words",
    ("/court/referrals/<referral_id>/<path>", "/court/referrals/<referral_id>/anew"): "a path is one of our words",
    ("/court/referrals/<referral_id>/<path>", "/court/referrals/<referral_id>/evidence"): "a path is one of our words",
    ("/court/referrals/<referral_id>/<path>", "/court/referrals/<referral_id>/person"): "a path is one of our words",
    ("/court/referrals/<referral_id>/<path>", "/court/referrals/<referral_id>/withdraw"): "a path is one of our words",
}
"""Pairs of addresses that one path may fit, and why no id that somebody chose is ever hidden by the other."""


@dataclass(frozen=True, kw_only=True)
class Route:
    """One method of one address."""

    method: str
    rule: str

    @property
    def path(self) -> str:
        """An address the rule takes."""
        return re.sub(r"<[^>]+>", "r-1", ADDRESSES.get(self.rule, self.rule))

    @property
    def is_page(self) -> bool:
        """Whether it is a person's."""
        return any(self.rule == one or self.rule.startswith(f"{one}/") for one in PAGES)


@pytest.fixture
def world(sqlite_url: str) -> Iterator[World]:
    made = World(sqlite_url)
    LogWorld(made).sign()
    yield made
    made.close()


@pytest.fixture
def site(world: World) -> Flask:
    return create_site(world.context, lambda: world.now, public_url=None)


def as_rule(path: str) -> str:
    """How Flask writes a described path."""
    found = path.replace("{", "<").replace("}", ">")
    return {"/v1/log/tile/<level>/<number>": "/v1/log/tile/<level>/<path:number>"}.get(found, found)


def routes(site: Flask) -> list[Route]:
    """Every route but the answers Flask adds by itself."""
    return [
        Route(method=method, rule=rule.rule)
        for rule in site.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    ]


def test_every_route_is_public_on_purpose_or_answers_401_without_proof(site: Flask) -> None:
    client = site.test_client()
    named = {**PUBLIC, **DOORS, **FROM_THIS_MACHINE, **PROVEN_BY_SIGNATURE}

    def refuses(route: Route) -> bool:
        answer = client.open(route.path, method=route.method)
        led_to_the_door = answer.status_code == 303 and answer.headers["Location"].startswith("/sign-in?next=")
        return led_to_the_door if route.is_page and route.method == "GET" else answer.status_code == 401

    assert [route for route in routes(site) if route.rule not in named and not refuses(route)] == []


def test_asking_for_the_head_alone_needs_the_same_proof(site: Flask) -> None:
    client = site.test_client()
    named = {**PUBLIC, **DOORS, **FROM_THIS_MACHINE}
    reads = [route for route in routes(site) if route.method == "GET" and route.rule not in named]
    assert reads
    assert [client.head(route.path).status_code for route in reads] == [401] * len(reads)


def test_every_public_route_answers_everybody(site: Flask) -> None:
    client = site.test_client()
    elsewhere = {"REMOTE_ADDR": "192.0.2.7"}
    addresses = [ADDRESSES.get(rule, rule) for rule in PUBLIC]
    assert [path for path in addresses if client.get(path, environ_overrides=elsewhere).status_code != 200] == []


def test_every_door_is_open_and_lets_nobody_in(site: Flask) -> None:
    client = site.test_client()
    assert {rule: client.get(ADDRESSES.get(rule, rule)).status_code for rule in DOORS} == {
        "/sign-in": 200,
        "/sign-in/provider": 404,  # none is configured
        "/sign-in/provider/back": 404,
        "/language/<chosen>": 303,
    }
    assert client.post("/sign-in").status_code == 403
    assert client.get("/account").status_code == 303


def test_what_is_for_this_machine_answers_nobody_else(site: Flask) -> None:
    client = site.test_client()
    elsewhere = {"REMOTE_ADDR": "192.0.2.7"}
    answers = [client.get(path, environ_overrides=elsewhere).status_code for path in FROM_THIS_MACHINE]
    assert answers == [403] * len(FROM_THIS_MACHINE)


@pytest.mark.parametrize("path", PROVEN_BY_SIGNATURE)
def test_what_is_proven_by_signature_takes_nothing_unsigned(world: World, site: Flask, path: str) -> None:
    kind = "application/x-ndjson" if path.endswith("batch") else "application/jose"
    response = site.test_client().post(path, data=b"eyJhIjoxfQ.e30.AA", content_type=kind)
    text = response.get_data(as_text=True)
    assert any(f'"code": "{code}"' in text for code in ("not_jose", "not_trusted", "checkpoint_invalid"))
    assert "referral_id" not in text


def overlap(one: str, other: str) -> bool:
    """Whether some path fits both."""
    parts = [(a, b) for a, b in zip(one.split("/"), other.split("/"), strict=False)]
    return one.count("/") == other.count("/") and all(a == b or "<" in (a[:1], b[:1]) for a, b in parts)


def test_no_page_hides_behind_an_id_that_somebody_else_chose(site: Flask) -> None:
    found = {
        tuple(sorted((one.rule, other.rule)))
        for one, other in combinations(routes(site), 2)
        if one.method == other.method and overlap(one.rule, other.rule)
    }
    assert found == set(OVERLAPPING)


def test_every_name_in_these_tables_is_a_route(site: Flask) -> None:
    rules = {route.rule for route in routes(site)}
    assert sorted({*PUBLIC, *DOORS, *FROM_THIS_MACHINE, *PROVEN_BY_SIGNATURE, *UNDESCRIBED} - rules) == []


def test_every_route_is_described_or_named_here_and_nothing_else_is_described(site: Flask) -> None:
    described = {
        Route(method=method.upper(), rule=as_rule(path))
        for path, operations in describe()["paths"].items()
        for method in operations
    }
    assert described == {route for route in routes(site) if route.rule not in UNDESCRIBED and not route.is_page}


def test_the_description_asks_for_the_proof_the_route_asks_for(site: Flask) -> None:
    tokens = {
        as_rule(path)
        for path, operations in describe()["paths"].items()
        for operation in operations.values()
        if operation["security"]
    }
    asked = {route.rule for route in routes(site) if not route.is_page}
    assert tokens == asked - {*PUBLIC, *FROM_THIS_MACHINE, *PROVEN_BY_SIGNATURE}

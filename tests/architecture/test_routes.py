"""Every address of the site is proven or meant to be public, and is described or meant not to be.

A route that is added shows up here: as unproven until it asks for a token, and as undescribed until it stands in
`openapi.json`, or until somebody writes down in these tables why not.
"""

from collections.abc import Iterator
from dataclasses import dataclass

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
}
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
}
"""Of rules that answer only when something is named."""
UNDESCRIBED = {"/docs", "/docs/errors", "/healthz", "/readyz", "/", "/metrics"}
"""For people and for operations: no part of what partners program against."""


@dataclass(frozen=True, kw_only=True)
class Route:
    """One method of one address."""

    method: str
    rule: str

    @property
    def path(self) -> str:
        """An address the rule takes."""
        return ADDRESSES.get(self.rule, self.rule).replace("<referral_id>", "r-1").replace("<statement_id>", "s-1")


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
    named = {**PUBLIC, **FROM_THIS_MACHINE, **PROVEN_BY_SIGNATURE}
    open_ = [
        route
        for route in routes(site)
        if route.rule not in named and client.open(route.path, method=route.method).status_code != 401
    ]
    assert open_ == []


def test_asking_for_the_head_alone_needs_the_same_proof(site: Flask) -> None:
    client = site.test_client()
    named = {**PUBLIC, **FROM_THIS_MACHINE}
    reads = [route for route in routes(site) if route.method == "GET" and route.rule not in named]
    assert reads
    assert [client.head(route.path).status_code for route in reads] == [401] * len(reads)


def test_every_public_route_answers_everybody(site: Flask) -> None:
    client = site.test_client()
    elsewhere = {"REMOTE_ADDR": "192.0.2.7"}
    addresses = [ADDRESSES.get(rule, rule) for rule in PUBLIC]
    assert [path for path in addresses if client.get(path, environ_overrides=elsewhere).status_code != 200] == []


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


def test_every_name_in_these_tables_is_a_route(site: Flask) -> None:
    rules = {route.rule for route in routes(site)}
    assert sorted({*PUBLIC, *FROM_THIS_MACHINE, *PROVEN_BY_SIGNATURE, *UNDESCRIBED} - rules) == []


def test_every_route_is_described_or_named_here_and_nothing_else_is_described(site: Flask) -> None:
    described = {
        Route(method=method.upper(), rule=as_rule(path))
        for path, operations in describe()["paths"].items()
        for method in operations
    }
    assert described == {route for route in routes(site) if route.rule not in UNDESCRIBED}


def test_the_description_asks_for_the_proof_the_route_asks_for(site: Flask) -> None:
    tokens = {
        as_rule(path)
        for path, operations in describe()["paths"].items()
        for operation in operations.values()
        if operation["security"]
    }
    assert tokens == {route.rule for route in routes(site)} - {*PUBLIC, *FROM_THIS_MACHINE, *PROVEN_BY_SIGNATURE}

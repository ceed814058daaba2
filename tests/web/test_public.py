"""What everybody may read: our public keys, the description of the interface, the meaning of every error."""

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from flask.testing import FlaskClient

from gateway.domain.field_codes import load_field_codes
from gateway.envelope.algorithms import Algorithm
from gateway.envelope.keyring import Keyring, PublicKey, SigningKey
from gateway.errors import every_error
from gateway.evidence.receipt import read
from gateway.store import directory
from tests.gateway_world import COURT, GATEWAY, World
from tests.web.callers import a_referral, post

PAGES = ["/docs", "/docs/errors"]


def keys_of(client: FlaskClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get("/v1/keys").get_json()["keys"]
    return found


def test_our_keys_are_enough_to_prove_our_receipts(world: World, client: FlaskClient) -> None:
    (shown,) = keys_of(client)
    assert (shown["kid"], shown["party"], shown["use"]) == (world.context.key.kid, GATEWAY, "sig")
    key = PublicKey(
        kid=shown["kid"],
        party_id=shown["party"],
        alg=Algorithm(shown["alg"]),
        jwk={name: shown[name] for name in ("kty", "crv", "x")},
        not_before=world.now - timedelta(days=1),
        not_after=world.now + timedelta(days=1),
    )
    receipt = post(client, a_referral(world)).data
    read(receipt, Keyring([key], {GATEWAY: "gateway"}), recipient=COURT, issuer=GATEWAY, now=world.now)


def test_no_private_part_and_no_other_party_s_key_is_shown(client: FlaskClient) -> None:
    members = {name for key in keys_of(client) for name in key}
    assert members == {"kty", "crv", "x", "kid", "alg", "use", "party"}
    assert {key["party"] for key in keys_of(client)} == {GATEWAY}


def test_a_new_key_is_shown_from_its_day_and_a_revoked_one_no_more(world: World, client: FlaskClient) -> None:
    old, new = world.context.key, SigningKey.generate(Algorithm.ED25519, GATEWAY)
    public = new.public_key(not_before=world.now + timedelta(days=1))
    world.store.write(lambda connection: directory.add_key(connection, public, now=world.now))
    world.context.directory.forget()
    assert [key["kid"] for key in keys_of(client)] == [old.kid]
    world.wait(timedelta(days=1))
    assert {key["kid"] for key in keys_of(client)} == {old.kid, new.kid}
    world.store.write(
        lambda connection: directory.end_key(
            connection, old.kid, at=world.now, now=world.now, revoked_because="compromised"
        )
    )
    world.context.directory.forget()
    assert [key["kid"] for key in keys_of(client)] == [new.kid]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_html_that_nobody_keeps_or_frames(client: FlaskClient, path: str) -> None:
    response = client.get(path)
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert response.headers["Cache-Control"] == "no-store"
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy


@pytest.mark.parametrize("path", PAGES)
def test_every_link_of_a_page_leads_somewhere(client: FlaskClient, path: str) -> None:
    page = client.get(path).get_data(as_text=True)
    anchors = set(re.findall(r'id="([^"]+)"', page))
    for link in map(unescape, re.findall(r'href="([^"]+)"', page)):
        if link.startswith("#"):
            assert link[1:] in anchors
        else:
            assert client.get(link).status_code == 200, link


def test_the_errors_page_explains_every_code_in_both_languages(client: FlaskClient) -> None:
    page = unescape(client.get("/docs/errors").get_data(as_text=True))
    ours = [error for error in every_error() if error.__module__.startswith("gateway.errors.")]
    missing = [
        error.code
        for error in ours
        if f'id="{error.code}"' not in page or error.title[0] not in page or error.next_step[1] not in page
    ]
    assert missing == []


def test_the_errors_page_explains_every_field_code(client: FlaskClient) -> None:
    page = unescape(client.get("/docs/errors").get_data(as_text=True))
    missing = [code.code for code in load_field_codes().values() if code.code not in page or code.fix_zh not in page]
    assert missing == []


def test_no_anchor_stands_twice(client: FlaskClient) -> None:
    for path in PAGES:
        anchors = re.findall(r'id="([^"]+)"', client.get(path).get_data(as_text=True))
        assert sorted(set(anchors)) == sorted(anchors)


def test_the_api_page_names_every_path_and_shape(client: FlaskClient) -> None:
    page = client.get("/docs").get_data(as_text=True)
    described = client.get("/v1/openapi.json").get_json()
    missing = [path for path in described["paths"] if path not in page]
    missing += [name for name in described["components"]["schemas"] if f'id="{name}"' not in page]
    assert missing == []


@pytest.mark.parametrize("path", [*PAGES, "/v1/keys", "/v1/openapi.json"])
def test_head_is_answered_without_a_body(client: FlaskClient, path: str) -> None:
    response = client.head(path)
    assert (response.status_code, response.data) == (200, b"")

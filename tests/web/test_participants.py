"""The signed registry: who exchanges here, with which keys; provable by our public keys alone."""

import json
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from joserfc import jws
from joserfc.jwk import OKPKey

from gateway.domain.agreement import Channel
from gateway.envelope.algorithms import Algorithm, thumbprint
from gateway.envelope.encryption import EncryptionKey
from gateway.envelope.keyring import SigningKey
from gateway.envelope.signing import MESSAGE_TYP, PARTICIPANTS_TYP, verify
from gateway.errors import TrustError
from gateway.flows.participants import version_of
from gateway.store import directory
from tests.gateway_world import CIVIL_AFFAIRS, COURT, GATEWAY, NEIGHBOUR, Partner, World
from tests.web.callers import get

PATH = "/v1/participants"


def told(client: FlaskClient) -> dict[str, Any]:
    """What it says, proven with an ordinary library and the keys of `/v1/keys`."""
    (own,) = [key for key in client.get("/v1/keys").get_json()["keys"] if key["use"] == "sig"]
    key = OKPKey.import_key({name: own[name] for name in ("kty", "crv", "x")})
    found = jws.deserialize_compact(client.get(PATH).data, key, algorithms=["Ed25519"])
    assert found.protected == {"alg": "Ed25519", "kid": own["kid"], "typ": PARTICIPANTS_TYP}
    said: dict[str, Any] = json.loads(found.payload)
    return said


def party(said: dict[str, Any], party_id: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in said["parties"] if one["id"] == party_id)
    return found


def test_the_registry_names_parties_keys_and_offices(world: World, client: FlaskClient) -> None:
    said = told(client)
    assert (said["gateway"], said["at"]) == (GATEWAY, "2026-03-03T01:00:00.000Z")
    assert {one["id"] for one in said["parties"]} == set(world.partners)
    court = party(said, COURT)
    assert (court["kind"], court["region"], court["active"]) == ("court", "520100", True)
    (key,) = court["keys"]
    assert (key["kid"], key["use"], key["alg"], key["jwk"]) == (
        world.court.key.kid,
        "sig",
        "Ed25519",
        world.court.key.public_jwk(),
    )
    assert {
        "id": CIVIL_AFFAIRS,
        "party": "cn/agency/civil_affairs.520102",
        "agency": "civil_affairs",
        "region": "520102",
        "channel": "push",
    } in said["offices"]


def test_nothing_is_told_that_nobody_needs(client: FlaskClient) -> None:
    said = told(client)
    assert {name for office in said["offices"] for name in office} == {"id", "party", "agency", "region", "channel"}
    assert {name for one in said["parties"] for name in one} == {"id", "kind", "region", "active", "keys"}
    text = json.dumps(said)
    for secret in ("https://", "invalid", "测试单位", '"d"'):
        assert secret not in text


def test_every_fingerprint_is_its_keys_own(client: FlaskClient) -> None:
    keys = [key for one in told(client)["parties"] for key in one["keys"]]
    assert keys
    assert [key["kid"] for key in keys] == [thumbprint(key["jwk"]) for key in keys]


def test_the_version_is_the_digest_of_what_is_said(client: FlaskClient) -> None:
    said = told(client)
    assert said["version"] == version_of(said)
    assert client.get(PATH).headers["ETag"] == f'"{said["version"]}"'
    assert version_of({**said, "at": "another moment"}) == said["version"]


def test_the_same_bytes_are_given_until_the_directory_changes(world: World, client: FlaskClient) -> None:
    first = client.get(PATH).data
    world.wait(timedelta(days=1))
    assert client.get(PATH).data == first
    world.store.write(lambda c: directory.set_party_active(c, NEIGHBOUR, active=False, now=world.now))
    world.context.directory.forget()
    assert party(told(client), NEIGHBOUR)["active"] is False
    assert client.get(PATH).data != first


def test_who_has_it_already_is_told_so(world: World, client: FlaskClient) -> None:
    etag = client.get(PATH).headers["ETag"]
    answer = client.get(PATH, headers={"If-None-Match": etag})
    assert (answer.status_code, answer.data) == (304, b"")
    world.add_office("civil_affairs", Channel.MAILBOX, region="520103")
    assert client.get(PATH, headers={"If-None-Match": etag}).status_code == 200


def test_a_rotation_shows_both_keys_with_their_validity(world: World, client: FlaskClient) -> None:
    new, end = SigningKey.generate(Algorithm.ES256, COURT), world.now + timedelta(days=14)

    def rotate(connection: Any) -> None:
        directory.add_key(connection, new.public_key(not_before=world.now), now=world.now)
        directory.end_key(connection, world.court.key.kid, at=end, now=world.now)

    world.store.write(rotate)
    world.context.directory.forget()
    old_shown, new_shown = party(told(client), COURT)["keys"]
    assert (old_shown["kid"], old_shown["not_after"]) == (world.court.key.kid, "2026-03-17T01:00:00.000Z")
    assert (new_shown["kid"], new_shown["alg"], "not_after" in new_shown) == (new.kid, "ES256", False)


def test_a_revoked_key_stays_with_the_moment_it_was_revoked(world: World, client: FlaskClient) -> None:
    kid = world.court.key.kid
    world.store.write(
        lambda c: directory.end_key(c, kid, at=world.now, now=world.now, revoked_because="someone's secret")
    )
    world.context.directory.forget()
    (key,) = party(told(client), COURT)["keys"]
    assert key["revoked_at"] == "2026-03-03T01:00:00.000Z"
    assert "secret" not in json.dumps(told(client))


def test_a_key_for_encryption_is_shown_as_one(world: World, client: FlaskClient) -> None:
    key = EncryptionKey.generate(COURT).public_key(not_before=world.now)
    world.store.write(lambda c: directory.add_key(c, key, now=world.now))
    world.context.directory.forget()
    shown = party(told(client), COURT)["keys"][-1]
    assert (shown["kid"], shown["use"], shown["alg"]) == (key.kid, "enc", "ECDH-ES")


@pytest.mark.parametrize("typ", [MESSAGE_TYP, "xianjie-receipt+jws"])
def test_the_registry_cannot_pass_for_a_message(world: World, client: FlaskClient, typ: str) -> None:
    with pytest.raises(TrustError, match="wrong_typ"):
        verify(client.get(PATH).data, world.keyring, recipient=GATEWAY, now=world.now, typ=typ)


def test_a_party_reads_with_a_key_from_the_moment_another_process_registered_it(
    world: World, client: FlaskClient
) -> None:
    assert get(client, world, world.court, "/v1/balance").status_code == 200
    new = Partner(party_id=COURT, key=SigningKey.generate(Algorithm.ED25519, COURT))
    public = new.key.public_key(not_before=world.now)
    twin = world.twin()
    twin.store.write(lambda c: directory.add_key(c, public, now=world.now))
    twin.store.close()
    assert get(client, world, new, "/v1/balance").status_code == 200

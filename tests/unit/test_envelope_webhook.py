"""Standard Webhooks headers: they bind id, moment and body to the gateway's key."""

import base64
from datetime import timedelta
from typing import Any

import pytest

from gateway.envelope.keyring import Algorithm, SigningKey
from gateway.envelope.webhook import headers, verify_headers
from gateway.errors import ConfigError, TrustError
from tests.envelope_world import AGENCY, COURT, GATEWAY, NOW, a_keyring, key_of, registered

BODY = b"eyJhbGciOiJFZDI1NTE5In0.e30.c2ln"
ID = "0195f6a2-7c00-7000-8000-000000000001"
GATEWAY_KEY = key_of(GATEWAY)
KEYRING = a_keyring([registered(GATEWAY_KEY)])


def pushed(key: SigningKey = GATEWAY_KEY, **changes: Any) -> dict[str, str]:
    return headers(key, **{"message_id": ID, "timestamp": NOW, "body": BODY, **changes})


def checked(received: dict[str, str], body: bytes = BODY, **changes: Any) -> str:
    asked = {"keyring": KEYRING, "party_id": GATEWAY, "now": NOW, **changes}
    return verify_headers(received, body, asked.pop("keyring"), **asked)


def refusal(received: dict[str, str], body: bytes = BODY, **changes: Any) -> str:
    with pytest.raises(TrustError) as caught:
        checked(received, body, **changes)
    return caught.value.note


def test_a_push_proves_its_id() -> None:
    assert ID == checked(pushed())


def test_the_signature_is_v1a_over_id_timestamp_and_body() -> None:
    found = pushed()
    seconds = str(int(NOW.timestamp()))
    version, _, text = found["webhook-signature"].partition(",")
    assert ["webhook-id", "webhook-timestamp", "webhook-signature"] == list(found)
    assert (ID, seconds, "v1a") == (found["webhook-id"], found["webhook-timestamp"], version)
    message = f"{ID}.{seconds}.".encode() + BODY
    assert KEYRING.signature_is_of(GATEWAY_KEY.kid, base64.b64decode(text), message)


def test_header_names_are_read_in_any_case() -> None:
    assert ID == checked({name.title(): value for name, value in pushed().items()})


def test_one_good_signature_among_others_is_enough() -> None:
    found = pushed()
    others = f"v1,{base64.b64encode(bytes(32)).decode()} v1a,!!! v1a,{base64.b64encode(bytes(64)).decode()}"
    assert ID == checked({**found, "webhook-signature": f"{others} {found['webhook-signature']}"})


def test_either_of_two_keys_in_rotation_is_enough() -> None:
    new = SigningKey.generate(Algorithm.ED25519, GATEWAY)
    both = a_keyring([registered(GATEWAY_KEY), registered(new)])
    assert [ID, ID] == [checked(pushed(key), keyring=both) for key in (GATEWAY_KEY, new)]


@pytest.mark.parametrize(
    "changes",
    [
        {"webhook-id": "another"},
        {"webhook-timestamp": str(int(NOW.timestamp()) + 1)},
        {"webhook-signature": ""},
        {"webhook-signature": "v1a,"},
        {"webhook-signature": "v1a"},
        {"webhook-signature": "v1a,签名"},
    ],
)
def test_an_altered_header_is_refused(changes: dict[str, str]) -> None:
    assert "bad_signature" == refusal({**pushed(), **changes})


def test_the_symmetric_version_is_not_accepted() -> None:
    found = pushed()
    assert "bad_signature" == refusal({**found, "webhook-signature": found["webhook-signature"].replace("v1a", "v1")})


def test_an_altered_body_is_refused() -> None:
    assert "bad_signature" == refusal(pushed(), BODY + b" ")


@pytest.mark.parametrize(
    "changes",
    [
        {"webhook-id": ""},
        {"webhook-id": "a.b"},
        {"webhook-id": "a" * 65},
        {"webhook-timestamp": ""},
        {"webhook-timestamp": "-1"},
        {"webhook-timestamp": "1.5"},
        {"webhook-timestamp": "１７４１"},
        {"webhook-timestamp": "9" * 400},
    ],
)
def test_headers_of_another_form_are_refused(changes: dict[str, str]) -> None:
    assert "webhook_headers" == refusal({**pushed(), **changes})


def test_missing_headers_are_refused() -> None:
    assert "webhook_headers" == refusal({})


@pytest.mark.parametrize("off", [timedelta(seconds=301), -timedelta(seconds=301)])
def test_a_push_more_than_five_minutes_off_is_refused(off: timedelta) -> None:
    assert "webhook_timestamp" == refusal(pushed(), now=NOW + off)


def test_only_the_named_party_s_usable_keys_count() -> None:
    assert "bad_signature" == refusal(pushed(), party_id=COURT)
    assert "bad_signature" == refusal(pushed(key_of(AGENCY)))
    assert "bad_signature" == refusal(pushed(), keyring=a_keyring([registered(GATEWAY_KEY, revoked_at=NOW)]))
    assert "party_suspended" == refusal(pushed(), keyring=a_keyring([registered(GATEWAY_KEY)], active={}))


@pytest.mark.parametrize("alg", [Algorithm.ES256, Algorithm.SM2])
def test_a_key_that_is_not_ed25519_cannot_sign_a_push(alg: Algorithm) -> None:
    with pytest.raises(ConfigError):
        pushed(key_of(GATEWAY, alg))


@pytest.mark.parametrize("message_id", ["", "a.b", "a b", "a" * 65, "编号"])
def test_an_id_that_would_blur_what_is_signed_is_a_programming_mistake(message_id: str) -> None:
    with pytest.raises(ValueError):
        pushed(message_id=message_id)

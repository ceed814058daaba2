"""The one-use read token: good for one request of one party for two minutes."""

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import OKPKey

from gateway.envelope.keyring import Algorithm
from gateway.envelope.signing import MESSAGE_TYP
from gateway.envelope.token import TOKEN_TYP, Token, issue, target, verify_token
from gateway.errors import TrustError
from tests.envelope_world import (
    AGENCY,
    COURT,
    GATEWAY,
    NOW,
    a_keyring,
    forge,
    honest_header,
    key_of,
    received,
    registered,
    signed,
)

URL = "https://gateway.example/v1/inbox"
SECONDS = int(NOW.timestamp())
CLAIMS: dict[str, Any] = {
    "iss": COURT,
    "sub": COURT,
    "aud": GATEWAY,
    "iat": SECONDS,
    "exp": SECONDS + 120,
    "jti": "jti-1",
    "htm": "GET",
    "htu": URL,
}
KEYRING = a_keyring()


def an_issued(**changes: Any) -> str:
    return issue(key_of(), **{"audience": GATEWAY, "method": "GET", "url": URL, "now": NOW, "jti": "jti-1", **changes})


def checked(raw: bytes | str, **changes: Any) -> Token:
    asked = {"audience": GATEWAY, "method": "GET", "url": URL, "now": NOW, **changes}
    return verify_token(raw, asked.pop("keyring", KEYRING), **asked)


def refusal(raw: bytes | str, **changes: Any) -> str:
    with pytest.raises(TrustError) as caught:
        checked(raw, **changes)
    return caught.value.note


def with_claims(**changes: Any) -> bytes:
    claims = {name: value for name, value in {**CLAIMS, **changes}.items() if value is not None}
    return forge(honest_header(key_of(), typ=TOKEN_TYP), json.dumps(claims).encode(), key_of())


def test_a_token_proves_its_party() -> None:
    expected = Token(party_id=COURT, jti="jti-1", expires_at=NOW + timedelta(seconds=120))
    assert expected == checked(an_issued())


@pytest.mark.parametrize("alg", list(Algorithm))
def test_a_token_is_issued_with_every_algorithm(alg: Algorithm) -> None:
    key = key_of(COURT, alg)
    raw = issue(key, audience=GATEWAY, method="get", url=URL, now=NOW, jti="j")
    assert "j" == checked(raw, keyring=a_keyring([registered(key)])).jti


def test_an_ordinary_library_reads_the_claims() -> None:
    found = jwt.decode(an_issued(), OKPKey.import_key({**key_of().public_jwk()}), algorithms=["Ed25519"])
    assert (CLAIMS, TOKEN_TYP) == (found.claims, found.header["typ"])


@pytest.mark.parametrize(
    ("issued_for", "asked"),
    [
        (URL + "?after=7&limit=10", URL + "?after=9"),
        (URL + "#here", URL),
        ("HTTPS://Gateway.Example:443/v1/inbox", URL),
        ("http://gateway.example:80", "http://gateway.example/"),
    ],
)
def test_spellings_of_one_target_are_the_same(issued_for: str, asked: str) -> None:
    assert COURT == checked(an_issued(url=issued_for), url=asked).party_id


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "POST"},
        {"url": "https://gateway.example/v1/balance"},
        {"url": "https://gateway.example/v1/inbox/"},
        {"url": "https://gateway.example/v1/INBOX"},
        {"url": "http://gateway.example/v1/inbox"},
        {"url": "https://gateway.example:8443/v1/inbox"},
        {"url": "https://other.example/v1/inbox"},
    ],
)
def test_a_token_is_not_good_for_another_request(changes: dict[str, str]) -> None:
    assert "other_request" == refusal(an_issued(), **changes)


def test_a_token_for_another_audience_is_refused() -> None:
    assert "wrong_audience" == refusal(an_issued(audience=AGENCY))


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"now": NOW + timedelta(seconds=120)}, "token_expired"),
        ({"now": NOW + timedelta(days=1)}, "token_expired"),
        ({"now": NOW - timedelta(seconds=61)}, "token_from_future"),
    ],
)
def test_a_token_is_good_only_in_its_two_minutes(changes: dict[str, Any], note: str) -> None:
    assert note == refusal(an_issued(), **changes)


def test_clocks_may_differ_a_little() -> None:
    assert COURT == checked(an_issued(), now=NOW + timedelta(seconds=119)).party_id
    assert COURT == checked(an_issued(), now=NOW - timedelta(seconds=60)).party_id


@pytest.mark.parametrize("exp", [SECONDS, SECONDS - 1, SECONDS + 121, 2**53 - 1])
def test_a_token_of_another_lifetime_is_refused(exp: int) -> None:
    assert "token_lifetime" == refusal(with_claims(exp=exp))


def test_a_far_off_date_is_refused_without_overflow() -> None:
    assert "token_from_future" == refusal(with_claims(iat=2**53 - 101, exp=2**53 - 1))


@pytest.mark.parametrize("changes", [{"iss": AGENCY}, {"sub": AGENCY}, {"iss": AGENCY, "sub": AGENCY}])
def test_a_token_in_another_party_s_name_is_refused(changes: dict[str, str]) -> None:
    assert "source_mismatch" == refusal(with_claims(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        *({name: None} for name in CLAIMS),
        {"nbf": SECONDS},
        {"aud": [GATEWAY]},
        {"iat": str(SECONDS)},
        {"iat": True},
        {"exp": SECONDS + 0.5},
        {"jti": ""},
        {"jti": "a" * 65},
        {"htu": "/v1/inbox"},
        {"htu": "ftp://gateway.example/v1/inbox"},
        {"htu": "https://user@gateway.example/v1/inbox"},
        {"htu": "https://gateway.example:99999/v1/inbox"},
        {"htu": "https://[gateway.example/v1/inbox"},
    ],
)
def test_claims_of_another_shape_are_refused(changes: dict[str, Any]) -> None:
    assert "malformed_token" == refusal(with_claims(**changes))


@pytest.mark.parametrize("raw", ["", "abc", "a.b.c", "令牌", b"\xff" * 20, "." * 9000, an_issued() + "="])
def test_what_is_no_token_is_refused_as_a_trust_failure(raw: bytes | str) -> None:
    assert "malformed_token" == refusal(raw)


def test_a_message_is_not_a_token_and_a_token_is_not_a_message() -> None:
    assert "wrong_typ" == refusal(signed())
    with pytest.raises(TrustError) as caught:
        received(an_issued().encode())
    assert "wrong_typ" == caught.value.note
    claims_as_message = forge(honest_header(key_of(), typ=MESSAGE_TYP), json.dumps(CLAIMS).encode(), key_of())
    assert "wrong_typ" == refusal(claims_as_message)


@pytest.mark.parametrize(
    ("keyring", "note"),
    [
        (a_keyring([]), "unknown_kid"),
        (a_keyring([registered(key_of(), revoked_at=NOW)]), "key_revoked"),
        (a_keyring([registered(key_of(), not_after=NOW)]), "key_expired"),
        (a_keyring(active={}), "party_suspended"),
    ],
)
def test_a_token_of_a_key_out_of_use_is_refused(keyring: Any, note: str) -> None:
    assert note == refusal(an_issued(), keyring=keyring)


def test_a_target_keeps_an_ipv6_host_in_brackets() -> None:
    assert "http://[::1]:8080/v1/inbox" == target("http://[::1]:8080/v1/inbox?wait=30")


HONEST = an_issued().encode()


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(HONEST) - 1), st.integers(0, 255))
def test_no_mutated_byte_of_a_token_is_accepted(at: int, byte: int) -> None:
    mutated = HONEST[:at] + bytes([byte]) + HONEST[at + 1 :]
    if mutated != HONEST:
        with pytest.raises(TrustError):
            checked(mutated)

"""Reading as a party: one token, one request, once."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from gateway.envelope.token import issue
from gateway.errors import TrustError
from gateway.web.auth import read_caller
from tests.envelope_world import AGENCY, COURT, GATEWAY, NOW, a_keyring, key_of, registered

URL = "https://gateway.example/v1/inbox"
KEYRING = a_keyring([registered(key_of(COURT)), registered(key_of(AGENCY))])


class UsedTokens:
    """What a store does: keeps each token until it expires."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], datetime] = {}

    def __call__(self, jti: str, issuer: str, expires_at: datetime) -> bool:
        if (issuer, jti) in self.kept:
            return False
        self.kept[issuer, jti] = expires_at
        return True


def a_header(party: str = COURT, jti: str = "jti-1", **changes: Any) -> str:
    honest = {"audience": GATEWAY, "method": "GET", "url": URL, "now": NOW, "jti": jti}
    return "Bearer " + issue(key_of(party), **{**honest, **changes})


def caller(header: str | None, used: UsedTokens, **changes: Any) -> str:
    asked = {"method": "GET", "url": URL, "keyring": KEYRING, "audience": GATEWAY, "now": NOW, **changes}
    return read_caller(header, used=used, **asked)


def refusal(header: str | None, used: UsedTokens, **changes: Any) -> str:
    with pytest.raises(TrustError) as caught:
        caller(header, used, **changes)
    return caught.value.note


@pytest.fixture
def used() -> UsedTokens:
    return UsedTokens()


def test_a_token_names_its_party_and_is_kept_until_it_expires(used: UsedTokens) -> None:
    assert COURT == caller(a_header(), used)
    assert {(COURT, "jti-1"): NOW + timedelta(seconds=120)} == used.kept


def test_a_query_does_not_belong_to_the_token(used: UsedTokens) -> None:
    assert COURT == caller(a_header(), used, url=URL + "?after=7&wait=30")


def test_a_token_is_good_once(used: UsedTokens) -> None:
    header = a_header()
    caller(header, used)
    assert "token_used_before" == refusal(header, used)
    assert "token_used_before" == refusal(header, used, now=NOW + timedelta(seconds=119))


def test_two_parties_may_choose_the_same_token_id(used: UsedTokens) -> None:
    assert [COURT, AGENCY] == [caller(a_header(party), used) for party in (COURT, AGENCY)]


@pytest.mark.parametrize("spelling", ["bearer", "BEARER", "Bearer "])
def test_the_scheme_s_case_and_spaces_do_not_matter(used: UsedTokens, spelling: str) -> None:
    assert COURT == caller(a_header().replace("Bearer", spelling), used)


@pytest.mark.parametrize(
    "header", [None, "", " ", "Bearer", "Bearer ", "Basic dTpw", "DPoP x.y.z", a_header().removeprefix("Bearer ")]
)
def test_a_request_without_a_token_is_not_trusted(used: UsedTokens, header: str | None) -> None:
    assert "no_token" == refusal(header, used)


@pytest.mark.parametrize("header", ["Bearer x", "Bearer a.b.c", "Bearer 令牌", a_header() + " x", a_header() + "="])
def test_what_is_no_token_is_not_trusted(used: UsedTokens, header: str) -> None:
    assert "malformed_token" == refusal(header, used)


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "POST"},
        {"url": "https://gateway.example/v1/balance"},
        {"audience": AGENCY},
        {"now": NOW + timedelta(seconds=121)},
        {"keyring": a_keyring([])},
    ],
)
def test_a_token_that_proves_nothing_is_not_kept_and_stays_unused(used: UsedTokens, changes: dict[str, Any]) -> None:
    header = a_header()
    refusal(header, used, **changes)
    assert {} == used.kept
    assert COURT == caller(header, used)


def test_a_refusal_holds_no_part_of_the_token(used: UsedTokens) -> None:
    header = a_header(jti="secret-jti")
    caller(header, used)
    with pytest.raises(TrustError) as caught:
        caller(header, used)
    assert {"party_id": COURT} == caught.value.ids
    assert "secret" not in str(caught.value)

"""统一身份认证 Signing in by an identity provider: who is linked comes in, nobody else, whatever the token says."""

import base64
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from gateway.domain.access import Role
from gateway.errors import ConfigError
from gateway.flows import accounts
from gateway.store import tables as t
from gateway.transport.provider import Provider, ProviderSettings
from gateway.web.site import create_site
from tests.gateway_world import World
from tests.web.people import PASSWORD, an_account, somebody
from tests.web.simulated_provider import (
    CLIENT,
    HMACED,
    SECRET,
    SimulatedProvider,
    an_edwards_key,
    another_key,
    serving,
)

HERE = "http://localhost"


@pytest.fixture
def provider(world: World) -> Iterator[SimulatedProvider]:
    """As honest as it is left."""
    with serving(SimulatedProvider(now=lambda: int(world.now.timestamp()))) as made:
        yield made


@pytest.fixture
def site(world: World, provider: SimulatedProvider) -> Flask:
    """A gateway that lets people in by it, and one that is linked."""
    settings = ProviderSettings(issuer=provider.url, client_id=CLIENT, secret=SECRET, name="政务统一身份认证")
    made = create_site(world.context, lambda: world.now, public_url=HERE, provider=Provider(settings))
    link(world, f"{provider.url}|u-1")
    return made


def link(world: World, subject: str, name: str = "linked", role: Role = Role.RECONCILER) -> None:
    account = an_account(role, name=name)
    accounts.create(world.context, account, password=None, subject=subject, who="t", why="t", now=world.now)


def set_out(client: FlaskClient, query: str = "") -> str:
    """Where the provider is asked."""
    answer = client.get(f"/sign-in/provider{query}")
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"]


def sign_in(site: Flask, provider: SimulatedProvider, query: str = "") -> tuple[FlaskClient, TestResponse]:
    client = site.test_client()
    return client, client.get(provider.answer(set_out(client, query)))


def is_in(client: FlaskClient) -> bool:
    return client.get("/account").status_code == 200


def test_who_is_linked_comes_in_and_goes_on_to_where_he_was(site: Flask, world: World, provider: Any) -> None:
    client, answer = sign_in(site, provider, "?next=/console/approvals")
    assert answer.status_code == 200
    assert 'content="0;url=/console/approvals"' in answer.text
    assert is_in(client)
    assert "SameSite=Strict" in next(one for one in answer.headers.getlist("Set-Cookie") if "xianjie_session" in one)
    (row,) = world.rows(t.sign_ins)
    assert (row["via"], row["account"], row["confirmed_until"]) == ("oidc", "linked", None)


def test_the_door_shows_the_provider_only_where_there_is_one(world: World, site: Flask) -> None:
    assert "政务统一身份认证" in site.test_client().get("/sign-in").text
    plain = create_site(world.context, lambda: world.now, public_url=None)
    assert "/sign-in/provider" not in plain.test_client().get("/sign-in").text
    assert plain.test_client().get("/sign-in/provider").status_code == 404
    assert plain.test_client().get("/sign-in/provider/back?code=x&state=y").status_code == 404


def test_what_is_asked_carries_pkce_state_and_nonce(site: Flask, provider: Any) -> None:
    client = site.test_client()
    asked = {key: values[0] for key, values in parse_qs(urlsplit(set_out(client)).query).items()}
    assert (asked["response_type"], asked["scope"], asked["client_id"]) == ("code", "openid", CLIENT)
    assert (asked["code_challenge_method"], asked["redirect_uri"]) == ("S256", f"{HERE}/sign-in/provider/back")
    assert min(len(asked[name]) for name in ("state", "nonce", "code_challenge")) >= 32
    cookie = client.get_cookie("xianjie_way")
    assert cookie is not None
    assert asked["nonce"] not in cookie.value
    again = {key: values[0] for key, values in parse_qs(urlsplit(set_out(client)).query).items()}
    assert {asked["state"], asked["nonce"]}.isdisjoint({again["state"], again["nonce"]})


@pytest.mark.parametrize(
    "wrong",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"aud": "another client"},
        {"aud": None},
        {"aud": [CLIENT, "another client"]},
        {"azp": "another client"},
        {"iss": "https://example.org"},
        {"iss": None},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"sub": ["u-1"]},
        {"exp": None},
        {"exp": 1},
        {"exp": "soon"},
        {"sub": "u-2"},
        {"auth_time": "now"},
        {"nbf": 4_000_000_000},
    ],
    ids=str,
)
def test_no_other_token_lets_anybody_in(site: Flask, provider: Any, wrong: dict[str, Any]) -> None:
    provider.claims = wrong
    client, answer = sign_in(site, provider)
    assert (answer.status_code, "sign_in_refused" in answer.text) == (401, True)
    assert not is_in(client)


def unsigned(text: str) -> str:
    """The same claims under `none`."""
    head = base64.urlsafe_b64encode(json.dumps({"alg": "none"}).encode()).rstrip(b"=").decode()
    return f"{head}.{text.split('.')[1]}."


def changed(text: str) -> str:
    head, _, signature = text.split(".")
    claims = json.dumps({"sub": "u-1"}).encode()
    return f"{head}.{base64.urlsafe_b64encode(claims).rstrip(b'=').decode()}.{signature}"


@pytest.mark.parametrize("spoil", [unsigned, changed, lambda text: text[:-4], lambda _: "", lambda _: "a.b.c"])
def test_a_token_that_is_not_signed_as_it_stands_is_refused(site: Flask, provider: Any, spoil: Any) -> None:
    provider.spoil = spoil
    assert sign_in(site, provider)[1].status_code == 401


def test_a_shared_secret_signs_nothing(site: Flask, provider: Any) -> None:
    public, provider.published = provider.key, [provider.key, HMACED]
    provider.key, provider.alg = HMACED, "HS256"
    assert sign_in(site, provider)[1].status_code == 401
    provider.header = {"kid": public.kid}
    assert sign_in(site, provider)[1].status_code == 401


def test_somebody_elses_key_signs_nothing(site: Flask, provider: Any) -> None:
    provider.published, provider.key = [provider.key], another_key()
    assert sign_in(site, provider)[1].status_code == 401


def test_new_keys_of_the_provider_are_fetched_once_in_a_while(site: Flask, provider: Any) -> None:
    assert sign_in(site, provider)[1].status_code == 200
    provider.key, provider.alg = an_edwards_key(), "Ed25519"
    assert sign_in(site, provider)[1].status_code == 401  # fetched a moment ago
    assert provider.asked.count("/keys") == 1


def test_an_edwards_key_is_as_good(site: Flask, provider: Any) -> None:
    provider.key, provider.alg = an_edwards_key(), "Ed25519"
    assert sign_in(site, provider)[1].status_code == 200


def test_nobody_gets_an_account_by_being_known_there(site: Flask, world: World, provider: Any) -> None:
    provider.subject = "u-9"
    assert sign_in(site, provider)[1].status_code == 401
    assert len(world.rows(t.accounts)) == 1


def test_who_is_disabled_is_out(site: Flask, world: World, provider: Any) -> None:
    accounts.set_active(world.context, "linked", active=False, session=None, who="t", why="t", now=world.now)
    assert sign_in(site, provider)[1].status_code == 401


def test_a_state_is_good_once_and_in_its_own_browser(site: Flask, provider: Any) -> None:
    client = site.test_client()
    back = provider.answer(set_out(client))
    cookie = client.get_cookie("xianjie_way")
    assert cookie is not None
    other = site.test_client()
    assert other.get(back).status_code == 401  # no cookie: somebody was sent another one's address
    set_out(other)
    assert other.get(back).status_code == 401  # the cookie of another try
    assert client.get(back).status_code == 200
    thief = site.test_client()
    thief.set_cookie("xianjie_way", cookie.value)
    assert thief.get(back).status_code == 401
    again = provider.answer(f"{provider.url}/authorize?redirect_uri={HERE}/sign-in/provider/back&state=x&nonce=y")
    assert thief.get(again).status_code == 401


def test_a_try_is_over_after_ten_minutes(site: Flask, world: World, provider: Any) -> None:
    client = site.test_client()
    back = provider.answer(set_out(client))
    world.wait(timedelta(minutes=11))
    assert client.get(back).status_code == 401


@pytest.mark.parametrize("query", ["", "?code=x", "?state=y", "?error=access_denied&state=y", "?code=&state=%00"])
def test_coming_back_with_less_is_refused_without_asking_the_provider(site: Flask, provider: Any, query: str) -> None:
    client = site.test_client()
    set_out(client)
    asked = len(provider.asked)
    assert client.get(f"/sign-in/provider/back{query}").status_code == 401
    assert len(provider.asked) == asked


def test_an_answer_that_names_another_provider_is_refused(site: Flask, provider: Any) -> None:
    client = site.test_client()
    assert client.get(provider.answer(set_out(client)) + "&iss=https://example.org").status_code == 401
    assert client.get(provider.answer(set_out(client)) + f"&iss={provider.url}").status_code == 200


@pytest.mark.parametrize("address", ["//example.org", "https://example.org", "/court", "/\\example.org"])
def test_nobody_is_led_elsewhere(site: Flask, provider: Any, address: str) -> None:
    _, answer = sign_in(site, provider, f"?next={address}")
    assert 'content="0;url=/console"' in answer.text


@pytest.mark.parametrize(
    "wrong",
    [{"issuer": "https://example.org"}, {"token_endpoint": "http://example.org/token"}, {"jwks_uri": 7}],
    ids=str,
)
def test_a_discovery_that_leads_elsewhere_is_not_followed(site: Flask, provider: Any, wrong: dict[str, Any]) -> None:
    provider.discovery = wrong
    client = site.test_client()
    answer = client.get("/sign-in/provider")
    if answer.status_code == 303:
        answer = client.get(provider.answer(answer.headers["Location"]))
    assert (answer.status_code, "partner_unreachable" in answer.text) == (503, True)


def test_a_provider_that_is_down_is_said_and_passwords_still_work(site: Flask, world: World, provider: Any) -> None:
    provider.down = True
    assert site.test_client().get("/sign-in/provider").status_code == 503
    assert somebody(world, site, Role.AUDITOR).get("/account").status_code == 200


# --- dangerous acts ---


def dangerous(client: FlaskClient) -> TestResponse:
    token = re.search(r'name="csrf" value="([^"]+)"', client.get("/account").text)
    assert token is not None
    return client.post("/console/approvals/x", data={"csrf": token[1], "why": "x"})


def test_a_dangerous_act_needs_a_fresh_proof_at_the_provider(site: Flask, world: World, provider: Any) -> None:
    client, _ = sign_in(site, provider)
    assert "not_confirmed" in dangerous(client).text
    location = set_out(client, "?again=1&next=/console/approvals")
    assert ("prompt=login" in location, "max_age=0" in location) == (True, True)
    assert client.get(provider.answer(location)).status_code == 200
    assert dangerous(client).status_code == 404
    world.wait(timedelta(minutes=6))
    assert dangerous(client).status_code == 403


def test_an_old_proof_confirms_nothing(site: Flask, world: World, provider: Any) -> None:
    old = int((world.now - timedelta(minutes=10)).timestamp())
    provider.claims = {"auth_time": old}
    assert sign_in(site, provider, "?again=1")[1].status_code == 401
    client, answer = sign_in(site, provider)
    assert (answer.status_code, dangerous(client).status_code) == (200, 403)
    provider.claims = {"auth_time": None}
    assert sign_in(site, provider, "?again=1")[1].status_code == 401
    ahead = int((world.now + timedelta(days=1)).timestamp())
    provider.claims = {"auth_time": ahead}
    client, _ = sign_in(site, provider)
    world.wait(timedelta(minutes=6))
    assert dangerous(client).status_code == 403


def test_who_signs_in_by_the_provider_has_no_password_to_guess(site: Flask, world: World, provider: Any) -> None:
    client, _ = sign_in(site, provider)
    assert "/account/password" not in client.get("/account").text
    door = site.test_client()
    token = door.get("/sign-in").text.split('name="csrf" value="')[1].split('"')[0]
    form = {"csrf": token, "name": "linked", "password": ""}
    assert [door.post("/sign-in", data=form | {"password": word}).status_code for word in ("", PASSWORD)] == [401, 401]


# --- linking ---


def test_one_subject_is_one_account(world: World, site: Flask, provider: Any) -> None:
    with pytest.raises(ConfigError):
        link(world, f"{provider.url}|u-1", name="second")
    with pytest.raises(ConfigError):
        link(world, "no issuer", name="second")


def test_an_administrator_asks_for_a_link_and_another_grants_it(world: World, site: Flask, provider: Any) -> None:
    first = somebody(world, site, Role.ADMINISTRATOR)
    second = somebody(world, site, Role.KEY_OFFICER)
    somebody(world, site, Role.AUDITOR)
    form = {"shown_as": "样例人员", "role": "auditor", "link": "1", "sub": "u-3", "why": "统一认证"}
    assert first.post("/console/accounts/one/auditor/change", form).status_code == 200
    page = second.get("/console/approvals").text
    assert f"{provider.url}|u-3" in page
    place = re.search(r'action="(/console/approvals/[^"]+)"', page)
    assert place is not None
    second.post(place[1], {"verdict": "grant", "why": "x"})
    done = re.search(r'action="(/console/accounts/requests/[^"]+)"', first.get("/console/accounts").text)
    assert done is not None
    assert first.post(done[1]).status_code == 200
    provider.subject = "u-3"
    assert sign_in(site, provider)[1].status_code == 200


@pytest.mark.parametrize("issuer", ["", "http://example.org", "https://", "example.org", "https://example.org/?a=b"])
def test_an_issuer_is_an_https_address(issuer: str) -> None:
    with pytest.raises(ConfigError):
        ProviderSettings(issuer=issuer, client_id="x")

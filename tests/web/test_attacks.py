"""攻击 The doors as somebody sees them who wants in: other sites' forms, other people's cookies, guesses, floods."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from gateway.domain.access import Role
from gateway.errors import SignInsBusy
from gateway.flows import accounts, passwords
from gateway.store import accounts as stored
from gateway.store import directory
from gateway.store import tables as t
from gateway.web.pages.routes import own_address
from gateway.web.site import create_site
from tests.gateway_world import COURT, World
from tests.web.people import PASSWORD, Somebody, an_account, signed_in, somebody

SECURE = "https://gateway.example.test"
SESSION = "xianjie_session"


def door(client: FlaskClient) -> str:
    """The token of the sign-in form."""
    return client.get("/sign-in").text.split('name="csrf" value="')[1].split('"')[0]


def try_in(client: FlaskClient, name: str, password: str, **more: Any) -> int:
    form = {"csrf": door(client), "name": name, "password": password, **more}
    return client.post("/sign-in", data=form).status_code


def secure_site(world: World) -> Flask:
    return create_site(world.context, lambda: world.now, public_url=SECURE)


def cookies_of(person: Somebody) -> str:
    found = person.client.get_cookie(SESSION)
    assert found is not None
    return str(found.value)


def thief_with(site: Flask, token: str) -> FlaskClient:
    client = site.test_client()
    client.set_cookie(SESSION, token)
    return client


# --- cookies ---


def test_no_script_and_no_other_site_gets_the_sessions_cookie(world: World) -> None:
    site = secure_site(world)
    somebody_ = an_account(Role.AUDITOR)
    accounts.create(world.context, somebody_, password=PASSWORD, who="t", why="t", now=world.now, final=True)
    client = site.test_client()
    page = client.get("/sign-in", base_url=SECURE)
    token = page.text.split('name="csrf" value="')[1].split('"')[0]
    form = {"csrf": token, "name": "auditor", "password": PASSWORD}
    answer = client.post("/sign-in", data=form, base_url=SECURE, headers={"Origin": SECURE})
    assert answer.status_code == 303
    set_ = [one for one in answer.headers.getlist("Set-Cookie") if "session" in one]
    assert len(set_) == 1
    assert set_[0].startswith("__Host-xianjie_session=")
    assert all(part in set_[0] for part in ("Secure", "HttpOnly", "SameSite=Strict", "Path=/"))
    assert "Domain" not in set_[0]
    assert "Expires" not in set_[0]  # it ends with the browser
    assert client.get("/account", base_url=SECURE).status_code == 200


def test_a_cookie_a_neighbouring_site_could_set_is_not_read(world: World) -> None:
    site = secure_site(world)
    plain = create_site(world.context, lambda: world.now, public_url=None)
    person = somebody(world, plain, Role.AUDITOR)
    assert thief_with(site, cookies_of(person)).get("/account", base_url=SECURE).status_code == 303


def test_a_token_somebody_planted_before_signing_in_is_worth_nothing_after(world: World, site: Flask) -> None:
    person = somebody(world, site, Role.AUDITOR)
    planted = site.test_client()
    planted.set_cookie(SESSION, "chosen-by-somebody-else")
    assert try_in(planted, "auditor", PASSWORD) == 303
    assert thief_with(site, "chosen-by-somebody-else").get("/account").status_code == 303
    assert person.get("/account").status_code == 200


def test_signing_in_again_ends_the_session_the_browser_had(world: World, site: Flask) -> None:
    person = somebody(world, site, Role.AUDITOR)
    before = cookies_of(person)
    assert try_in(person.client, "auditor", PASSWORD) == 303
    assert thief_with(site, before).get("/account").status_code == 303


def test_a_new_password_makes_a_copied_cookie_worthless_and_keeps_its_owner_in(world: World, site: Flask) -> None:
    person = somebody(world, site, Role.AUDITOR)
    copied = cookies_of(person)
    new = "another long password"
    assert person.post("/account/password", {"old": PASSWORD, "new": new, "again": new}).status_code == 200
    assert person.get("/account").status_code == 200
    assert thief_with(site, copied).get("/account").status_code == 303


def test_setting_up_codes_makes_a_copied_cookie_worthless_too(world: World, site: Flask) -> None:
    person = somebody(world, site, Role.AUDITOR)
    copied, elsewhere = cookies_of(person), signed_in(site, person.account)
    assert set_up(world, person).status_code == 200
    assert thief_with(site, copied).get("/account").status_code == 303
    assert elsewhere.get("/account").status_code == 303  # it never gave a code


def set_up(world: World, person: Somebody, **more: str) -> Any:
    secret = person.get("/account").text.split('class="key">')[1].split("<")[0]
    form = {"secret": secret, "code": passwords.code_at(secret, world.now)}
    return person.post("/account/codes", {**form, **more})


# --- forms of other sites ---


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://example.org"},
        {"Origin": "null"},
        {"Origin": "http://localhost.example.org"},
        {"Origin": ""},
        {"Origin": "http://["},
        {"Origin": "http://℀"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_no_other_sites_form_is_taken_even_with_the_token(world: World, site: Flask, headers: dict[str, str]) -> None:
    person = somebody(world, site, Role.AUDITOR)
    assert person.post("/sign-out", headers=headers).status_code == 403
    client = site.test_client()
    form = {"csrf": door(client), "name": "auditor", "password": PASSWORD}
    assert client.post("/sign-in", data=form, headers=headers).status_code == 403


def test_nobody_is_signed_in_as_somebody_else_by_another_sites_form(world: World, site: Flask) -> None:
    somebody(world, site, Role.AUDITOR)
    victim = site.test_client()
    own = door(site.test_client())  # the token of the other one's browser
    form = {"csrf": own, "name": "auditor", "password": PASSWORD}
    assert victim.post("/sign-in", data=form).status_code == 403
    victim.get("/sign-in")
    assert victim.post("/sign-in", data=form).status_code == 403


def test_one_sessions_token_is_no_good_in_another(world: World, site: Flask) -> None:
    person, other = somebody(world, site, Role.AUDITOR), somebody(world, site, Role.RECONCILER)
    assert person.post("/sign-out", {"csrf": other.token}).status_code == 403


def test_a_name_somebody_made_lead_here_is_not_ours(world: World) -> None:
    site = secure_site(world)
    client = site.test_client()
    evil = "https://rebound.example.org"
    page = client.get("/sign-in", base_url=evil)
    token = page.text.split('name="csrf" value="')[1].split('"')[0]
    form = {"csrf": token, "name": "auditor", "password": PASSWORD}
    assert client.post("/sign-in", data=form, base_url=evil, headers={"Origin": evil}).status_code == 403


# --- where one is led ---

ELSEWHERE = [
    "//example.org",
    "https://example.org/",
    "/\\example.org",
    "\\\\example.org",
    "/\t/example.org",
    "/\n/example.org",
    " //example.org",
    "javascript:alert(1)",
    "///example.org",
    "/%5cexample.org\\",
    "//[",
    "//℀",
    "http://[",
    "",
]


@pytest.mark.parametrize("address", ELSEWHERE)
def test_no_address_leads_to_another_site(world: World, site: Flask, address: str) -> None:
    assert not own_address(address)
    somebody(world, site, Role.AUDITOR)
    client = site.test_client()
    form = {"csrf": door(client), "name": "auditor", "password": PASSWORD, "next": address}
    assert client.post("/sign-in", data=form).headers["Location"] == "/console"
    answer = client.get("/language/en", query_string={"next": address})
    assert answer.headers["Location"] == "/sign-in"


def test_ones_own_pages_are_led_to(world: World, site: Flask) -> None:
    assert site.test_client().get("/language/en?next=/console%3Fa%3D1").headers["Location"] == "/console?a=1"
    assert site.test_client().get("/language/xx?next=/console").status_code == 404


def test_a_host_header_changes_no_redirect(world: World, site: Flask) -> None:
    answer = site.test_client().get("/account", headers={"Host": "example.org"})
    assert answer.headers["Location"].startswith("/sign-in?")


@pytest.mark.parametrize("name", ["..%2fsite.py", "%2e%2e/site.py", "..\\site.py", "%00", "vendored.sha256/../../x"])
def test_no_file_but_the_static_ones_is_served(world: World, site: Flask, name: str) -> None:
    assert site.test_client().get(f"/static/{name}").status_code in (308, 400, 404)


# --- guesses ---


def test_nobody_locks_somebody_out_of_the_browser_he_works_with(world: World, site: Flask) -> None:
    person = somebody(world, site, Role.AUDITOR)
    stranger = site.test_client()
    for _ in range(6):
        assert try_in(stranger, "auditor", "not this one") == 401
    assert try_in(stranger, "auditor", PASSWORD) == 401  # locked, for everybody who never was in
    assert try_in(person.client, "auditor", PASSWORD) == 303
    assert try_in(stranger, "auditor", PASSWORD) == 401  # and still is


def test_a_browser_that_is_known_has_five_guesses_as_well(world: World, site: Flask) -> None:
    person = somebody(world, site, Role.AUDITOR)
    for _ in range(5):
        assert try_in(person.client, "auditor", "not this one") == 401
    assert try_in(person.client, "auditor", PASSWORD) == 401
    assert try_in(site.test_client(), "auditor", PASSWORD) == 303  # its account is not
    world.wait(timedelta(minutes=16))
    assert try_in(person.client, "auditor", PASSWORD) == 303


def test_a_browser_is_known_for_one_account_alone(world: World, site: Flask) -> None:
    person = somebody(world, site, Role.AUDITOR)
    somebody(world, site, Role.RECONCILER)
    for _ in range(5):
        try_in(person.client, "reconciler", "not this one")
    assert try_in(site.test_client(), "reconciler", PASSWORD) == 401


def test_a_stolen_session_guesses_no_password(world: World, site: Flask) -> None:
    person = somebody(world, site, Role.AUDITOR)
    for _ in range(4):
        assert person.post("/console/approvals/x", {"password_again": "guess", "why": "x"}).status_code == 403
    answer = person.post("/account/password", {"old": "guess", "new": PASSWORD, "again": PASSWORD}, follow=False)
    assert answer.status_code == 400
    assert person.get("/account").status_code == 303  # the fifth ended it
    assert "session_ended_by_failures" in [row["what"] for row in world.rows(t.decisions)]
    signed_in(site, person.account)  # nobody was locked


def test_codes_that_are_set_up_are_replaced_by_who_has_them(world: World, site: Flask) -> None:
    person = somebody(world, site, Role.AUDITOR)
    first = person.get("/account").text.split('class="key">')[1].split("<")[0]
    form = {"secret": first, "code": passwords.code_at(first, world.now)}
    assert person.post("/account/codes", form).status_code == 200
    world.wait(timedelta(minutes=2))
    assert set_up(world, person).status_code == 400
    assert set_up(world, person, present="000000").status_code == 400
    assert set_up(world, person, present=passwords.code_at(first, world.now)).status_code == 200


@pytest.mark.parametrize("secret", ["", "A", "AAAAAAAA", "not base32 at all!", "A" * 31, "=" * 32, "\0" * 32])
def test_only_a_secret_of_our_form_is_kept(world: World, site: Flask, secret: str) -> None:
    person = somebody(world, site, Role.AUDITOR)
    answer = person.post("/account/codes", {"secret": secret, "code": "000000"})
    assert answer.status_code == 400
    assert world.rows(t.accounts)[0]["totp"] is None


@pytest.mark.parametrize("name", ["", "\0", "x" * 5000, "甲", "auditor\0", "AUDITOR", "' or 1=1 --"])
def test_a_name_nobody_can_have_is_refused_as_any_other(world: World, site: Flask, name: str) -> None:
    somebody(world, site, Role.AUDITOR)
    assert try_in(site.test_client(), name, PASSWORD) == 401


@pytest.mark.parametrize("path", ["/console/approvals?x=%00", "/account?said=%00"])
def test_a_character_no_database_takes_is_a_bad_request(world: World, site: Flask, path: str) -> None:
    assert somebody(world, site, Role.AUDITOR).get(path).status_code == 400


def test_a_weak_password_is_refused_with_what_a_good_one_is(world: World, site: Flask) -> None:
    person = somebody(world, site, Role.AUDITOR)
    for new in ("short", "aaaaaaaaaaaaaaaa", "x" * 201):
        assert person.post("/account/password", {"old": PASSWORD, "new": new, "again": new}).status_code == 400
    assert person.get("/account").status_code == 200


# --- floods ---


def test_a_flood_of_sign_ins_leaves_threads_to_the_api(world: World, site: Flask) -> None:
    taken = [passwords._seats.acquire(blocking=False) for _ in range(passwords.SEATS)]
    try:
        assert all(taken)
        client = site.test_client()
        form = {"csrf": door(client), "name": "auditor", "password": PASSWORD}
        answer = client.post("/sign-in", data=form)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "3")
        with pytest.raises(SignInsBusy):
            passwords.is_password(PASSWORD, None)
    finally:
        for _ in taken:
            passwords._seats.release()
    assert try_in(site.test_client(), "auditor", PASSWORD) == 401


def test_no_more_passwords_are_hashed_at_once_than_there_are_seats() -> None:
    results: list[bool] = []

    def check() -> None:
        try:
            results.append(passwords.is_password("x", None) is False)
        except SignInsBusy:
            results.append(False)

    threads = [threading.Thread(target=check) for _ in range(passwords.SEATS * 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(results) == len(threads)
    assert passwords.SEATS <= results.count(True)
    assert passwords.is_password("x", None) is False


# --- who may not work ---


def test_a_clerk_of_a_suspended_party_sees_nothing_and_can_still_leave(world: World, site: Flask) -> None:
    clerk = somebody(world, site, Role.COURT_CLERK)
    now = world.now
    world.store.write(lambda c: directory.set_party_active(c, COURT, active=False, now=now))
    world.context.directory.forget()
    answer = clerk.get("/court")
    assert (answer.status_code, "party_suspended" in answer.text) == (403, True)
    assert clerk.get("/account").status_code == 200
    assert clerk.post("/sign-out", follow=False).status_code == 303


def test_who_must_change_his_password_may_leave_instead(world: World, site: Flask) -> None:
    account = an_account(Role.AUDITOR)
    given = accounts.create(world.context, account, password=None, who="t", why="t", now=world.now)
    person = signed_in(site, account, given)
    assert person.post("/sign-out", follow=False).headers["Location"] == "/sign-in?said=signed_out"
    assert person.get("/account").status_code == 303


def test_what_is_over_is_forgotten(world: World, site: Flask) -> None:
    somebody(world, site, Role.AUDITOR)
    world.wait(timedelta(hours=11))
    assert world.store.write(lambda c: stored.forget(c, now=world.now)) == 1
    world.wait(timedelta(days=91))
    assert world.store.write(lambda c: stored.forget(c, now=world.now)) == 1
    assert (world.rows(t.sign_ins), world.rows(t.known_browsers)) == ([], [])


def test_no_page_is_framed_kept_or_named_elsewhere(world: World, site: Flask) -> None:
    for path in ("/sign-in", "/account"):
        headers = somebody(world, site, Role.AUDITOR).get(path).headers if path == "/account" else None
        found = headers or site.test_client().get(path).headers
        assert "frame-ancestors 'none'" in found["Content-Security-Policy"]
        assert "form-action 'self'" in found["Content-Security-Policy"]
        assert found["Cache-Control"] == "no-store"
        assert found["Referrer-Policy"] == "same-origin"
        assert found["X-Content-Type-Options"] == "nosniff"

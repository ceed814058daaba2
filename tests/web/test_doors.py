"""登录 Signing in: right ones come in, wrong ones learn nothing, forms of other sites are refused."""

from datetime import timedelta

import pytest
from flask import Flask

from gateway.domain.access import Role
from gateway.flows import accounts, passwords
from gateway.store import tables as t
from tests.gateway_world import World
from tests.web.people import PASSWORD, an_account, signed_in, somebody


def test_who_is_not_signed_in_is_led_to_the_door_and_back(world: World, site: Flask) -> None:
    answer = site.test_client().get("/account?x=1")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in?next=%2Faccount%3Fx%3D1")


def test_a_form_without_its_token_or_from_another_site_is_refused(world: World, site: Flask) -> None:
    person = somebody(world, site, Role.RECONCILER)
    assert person.client.post("/sign-out", data={}).status_code == 403
    foreign = person.post("/sign-out", headers={"Origin": "https://example.org"})
    assert foreign.status_code == 403
    assert person.get("/account").status_code == 200


def test_signing_out_ends_the_session_for_whoever_kept_the_cookie(world: World, site: Flask) -> None:
    person = somebody(world, site, Role.RECONCILER)
    cookie = person.client.get_cookie("xianjie_session")
    person.post("/sign-out")
    thief = site.test_client()
    thief.set_cookie("xianjie_session", cookie.value)
    assert thief.get("/account").status_code == 303


def test_wrong_password_wrong_name_and_locked_get_one_answer(world: World, site: Flask) -> None:
    somebody(world, site, Role.RECONCILER)

    def answer(name: str, password: str) -> tuple[int, str]:
        client = site.test_client()
        token = client.get("/sign-in").text.split('name="csrf" value="')[1].split('"')[0]
        told = client.post("/sign-in", data={"csrf": token, "name": name, "password": password})
        return told.status_code, told.text.split('role="alert">')[1].split("</div>")[0]

    wrong = answer("reconciler", "not this one")
    assert wrong[0] == 401
    assert answer("nobody", PASSWORD) == wrong
    for _ in range(4):
        answer("reconciler", "not this one")
    assert answer("reconciler", PASSWORD) == wrong  # locked
    world.wait(timedelta(minutes=16))
    signed_in(site, an_account(Role.RECONCILER))
    assert [row["what"] for row in world.rows(t.decisions)].count("account_locked") == 1


def test_a_session_ends_when_nothing_is_asked_for_half_an_hour(world: World, site: Flask) -> None:
    person = somebody(world, site, Role.AUDITOR)
    world.wait(timedelta(minutes=29))
    assert person.get("/account").status_code == 200
    world.wait(timedelta(minutes=29))
    assert person.get("/account").status_code == 200
    world.wait(timedelta(minutes=31))
    assert person.get("/account").status_code == 303


def test_a_code_is_asked_for_once_set_up_and_is_good_once(world: World, site: Flask) -> None:
    person = somebody(world, site, Role.AUDITOR)
    secret = person.get("/account").text.split('class="key">')[1].split("<")[0]
    code = passwords.code_at(secret, world.now)
    assert person.post("/account/codes", {"secret": secret, "code": "000000"}).status_code == 400
    assert person.post("/account/codes", {"secret": secret, "code": code}).status_code == 200
    client = site.test_client()
    token = client.get("/sign-in").text.split('name="csrf" value="')[1].split('"')[0]
    form = {"csrf": token, "name": "auditor", "password": PASSWORD}
    assert client.post("/sign-in", data=form).status_code == 401
    assert client.post("/sign-in", data={**form, "code": code}).status_code == 401  # used when it was set up
    world.wait(timedelta(seconds=60))
    fresh = passwords.code_at(secret, world.now)
    assert client.post("/sign-in", data={**form, "code": fresh}).status_code == 303
    (row,) = world.rows(t.accounts)
    assert secret not in str(row)


def test_a_password_somebody_else_gave_is_changed_before_anything_else(world: World, site: Flask) -> None:
    account = an_account(Role.KEY_OFFICER)
    given = accounts.create(world.context, account, password=None, who="test", why="test", now=world.now)
    person = signed_in(site, account, given)
    assert person.get("/console/approvals").headers["Location"] == "/account"
    form = {"old": given, "new": PASSWORD, "again": PASSWORD}
    assert person.post("/account/password", {**form, "again": "another one here"}).status_code == 400
    assert person.post("/account/password", form).status_code == 200
    assert person.get("/console/approvals").status_code == 200


@pytest.mark.parametrize("address", ["//example.org", "https://example.org/", "/\\example.org", "/court"])
def test_signing_in_leads_nowhere_else(world: World, site: Flask, address: str) -> None:
    somebody(world, site, Role.RECONCILER)
    client = site.test_client()
    token = client.get("/sign-in").text.split('name="csrf" value="')[1].split('"')[0]
    form = {"csrf": token, "name": "reconciler", "password": PASSWORD, "next": address}
    assert client.post("/sign-in", data=form).headers["Location"] == "/console"


def test_an_act_that_is_dangerous_asks_for_the_password_again_and_keeps_what_was_typed(
    world: World, site: Flask
) -> None:
    person = somebody(world, site, Role.RECONCILER)
    form = {"why": 'typed "before"', "verdict": "grant"}
    refused = person.post("/console/approvals/x", {**form, "password_again": "not this one"})
    assert (refused.status_code, "not_confirmed" in refused.text) == (403, True)
    assert 'name="why" value="typed &#34;before&#34;"' in refused.text
    assert 'name="verdict" value="grant"' in refused.text
    assert "not this one" not in refused.text
    assert person.post("/console/approvals/x", form).status_code == 404


def test_pages_are_kept_from_other_sites_and_from_caches(world: World, site: Flask) -> None:
    headers = somebody(world, site, Role.AUDITOR).get("/account").headers
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "no-store"


def test_what_a_page_says_is_for_a_browser_and_what_a_program_gets_is_for_a_program(world: World, site: Flask) -> None:
    person = somebody(world, site, Role.AUDITOR)
    shown = person.get("/console/nowhere")
    assert (shown.status_code, "从首页重新进入" in shown.text, "/docs" in shown.text) == (404, True, False)
    person.client.set_cookie("xianjie_language", "en")
    assert "begin at the first page" in person.get("/console/nowhere").text
    assert site.test_client().get("/v1/nowhere").get_json()["detail"] == "见 /docs。"

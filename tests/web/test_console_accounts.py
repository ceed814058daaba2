"""账号页 Accounts: made, changed and reset by two people; disabled by one; never by oneself."""

import re
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import Connection
from werkzeug.test import TestResponse

from gateway.domain.access import Role
from gateway.flows import accounts
from gateway.store import accounts as stored
from gateway.store import tables as t
from tests.gateway_world import CIVIL_AFFAIRS, COURT, World
from tests.web.people import PASSWORD, Somebody, an_account, signed_in, somebody

ROOT = "/console/accounts"
CLERK = {"name": "clerk-one", "shown_as": "样例经办", "role": "court_clerk", "party_id": COURT, "why": "新入职"}
HOSTILE = "<script>alert(1)</script>"


def administrator(world: World, site: Flask) -> Somebody:
    return somebody(world, site, Role.ADMINISTRATOR)


def decided(world: World) -> list[str]:
    return [row["what"] for row in world.rows(t.decisions)]


def grant(person: Somebody, verdict: str = "grant") -> TestResponse:
    """What waits first for this person."""
    found = re.search(r'action="(/console/approvals/[^"]+)"', person.get("/console/approvals").text)
    assert found is not None
    return person.post(found[1], {"verdict": verdict, "why": "已核对身份"})


def carry_out(person: Somebody) -> TestResponse:
    """What was granted to this person."""
    found = re.search(rf'action="({ROOT}/requests/[^"]+)"', person.get(ROOT).text)
    assert found is not None, "nothing was granted"
    return person.post(found[1])


def first_password(answer: TestResponse) -> str:
    found = re.search(r'class="key">([^<]+)<', answer.text)
    assert found is not None, answer.text
    return found[1]


def test_a_new_account_takes_two_people_and_its_password_is_shown_once(world: World, site: Flask) -> None:
    first, second = administrator(world, site), somebody(world, site, Role.KEY_OFFICER)
    assert first.post(f"{ROOT}/new", CLERK).status_code == 200
    assert "已提交申请" in first.get(f"{ROOT}?said=account_asked").text
    seen = second.get("/console/approvals").text
    assert ("新建账号" in seen, "法院经办人" in seen, COURT in seen) == (True, True, True)
    assert grant(second).status_code == 200
    answer = carry_out(first)
    given = first_password(answer)
    assert answer.headers["Cache-Control"] == "no-store"
    assert given not in first.get(ROOT).text
    assert given not in str(world.rows(t.decisions)) + str(world.rows(t.approvals)) + str(world.rows(t.accounts))
    new = signed_in(site, an_account(Role.COURT_CLERK, name="clerk-one"), given)
    assert new.get("/console/approvals").headers["Location"] == "/account"
    wanted = ["create_account_asked", "create_account_granted", "create_account_used", "account_created"]
    assert [what for what in decided(world) if "create" in what] == ["account_created", "account_created", *wanted]


def test_what_was_granted_is_done_once(world: World, site: Flask) -> None:
    first, second = administrator(world, site), somebody(world, site, Role.KEY_OFFICER)
    first.post(f"{ROOT}/new", CLERK)
    grant(second)
    place = re.search(rf'action="({ROOT}/requests/[^"]+)"', first.get(ROOT).text)
    assert place is not None
    assert first.post(place[1]).status_code == 200
    again = first.post(place[1])
    assert (again.status_code, 'class="key"' in again.text) == (409, False)


def test_a_lone_administrator_gets_no_further_than_asking(world: World, site: Flask) -> None:
    alone = administrator(world, site)
    page = alone.get(ROOT).text
    assert "xianjie account add" in page
    alone.post(f"{ROOT}/new", {**CLERK, "role": "reconciler", "party_id": ""})
    (asked,) = world.rows(t.approvals)
    assert alone.get("/console/approvals").text.count("<form") == 1  # signing out
    own = alone.post(f"/console/approvals/{asked['approval_id']}", {"verdict": "grant", "why": "x"})
    assert (own.status_code, "own_request" in own.text) == (403, True)
    assert alone.post(f"{ROOT}/requests/{asked['approval_id']}").status_code == 409
    assert [row["name"] for row in world.rows(t.accounts)] == ["administrator"]


def test_another_administrator_grants_but_carries_nothing_out(world: World, site: Flask) -> None:
    first, second = administrator(world, site), somebody(world, site, Role.ADMINISTRATOR, name="second")
    first.post(f"{ROOT}/new", CLERK)
    grant(second)
    (asked,) = world.rows(t.approvals)
    assert second.post(f"{ROOT}/requests/{asked['approval_id']}").status_code == 404


def test_nobody_grants_what_is_about_himself(world: World, site: Flask) -> None:
    first, second = administrator(world, site), somebody(world, site, Role.KEY_OFFICER)
    form = {"shown_as": "样例人员", "role": "administrator", "why": "调岗"}
    assert first.post(f"{ROOT}/one/key-officer/change", form).status_code == 200
    (asked,) = world.rows(t.approvals)
    assert "样例人员" not in second.get("/console/approvals").text.split("<main")[1]
    refused = second.post(f"/console/approvals/{asked['approval_id']}", {"verdict": "grant", "why": "x"})
    assert (refused.status_code, "own_account" in refused.text) == (403, True)


@pytest.mark.parametrize("act", ["change", "reset", "disable", "end-sessions"])
def test_nobody_does_anything_to_his_own_account(world: World, site: Flask, act: str) -> None:
    person = administrator(world, site)
    form = {"shown_as": "样例人员", "role": "reconciler", "why": "x"}
    assert person.post(f"{ROOT}/one/administrator/{act}", form).status_code == 403
    assert f'{act}"' not in person.get(f"{ROOT}/one/administrator").text
    assert world.rows(t.accounts)[0]["role"] == "administrator"


def test_a_change_is_what_was_granted_and_ends_the_sessions(world: World, site: Flask) -> None:
    first, second = administrator(world, site), somebody(world, site, Role.KEY_OFFICER)
    auditor = somebody(world, site, Role.AUDITOR)
    form = {"shown_as": "样例人员", "role": "reconciler", "region": "5201", "why": "调岗"}
    first.post(f"{ROOT}/one/auditor/change", form)
    assert "审计员" in second.get("/console/approvals").text  # what it was
    grant(second)
    assert carry_out(first).status_code == 200
    assert auditor.get("/account").status_code == 303
    (row,) = [row for row in world.rows(t.accounts) if row["name"] == "auditor"]
    assert (row["role"], row["region"]) == ("reconciler", "5201")


@pytest.mark.parametrize("asked", ["change", "reset"])
def test_what_was_granted_lapses_when_the_account_is_another_meanwhile(world: World, site: Flask, asked: str) -> None:
    first, second = administrator(world, site), somebody(world, site, Role.KEY_OFFICER)
    somebody(world, site, Role.AUDITOR)
    first.post(f"{ROOT}/one/auditor/{asked}", {"shown_as": "样例", "role": "reconciler", "why": "x"})
    grant(second)
    other = an_account(Role.AUDITOR, region="5203")
    accounts.change(world.context, other, session=None, who="test", why="test", now=world.now)
    assert carry_out(first).status_code == 409
    (row,) = world.rows(t.approvals)
    assert row["state"] == "granted"  # nothing was used up


def test_a_new_password_takes_two_people_and_ends_the_sessions(world: World, site: Flask) -> None:
    first, second = administrator(world, site), somebody(world, site, Role.KEY_OFFICER)
    auditor = somebody(world, site, Role.AUDITOR)
    first.post(f"{ROOT}/one/auditor/reset", {"codes": "1", "why": "忘记密码"})
    assert auditor.get("/account").status_code == 200
    grant(second)
    given = first_password(carry_out(first))
    assert auditor.get("/account").status_code == 303
    assert signed_in(site, auditor.account, given).get("/console/approvals").headers["Location"] == "/account"


def test_what_was_refused_is_not_done(world: World, site: Flask) -> None:
    first, second = administrator(world, site), somebody(world, site, Role.KEY_OFFICER)
    first.post(f"{ROOT}/new", CLERK)
    grant(second, "refuse")
    assert "requests/" not in first.get(ROOT).text
    (asked,) = world.rows(t.approvals)
    assert first.post(f"{ROOT}/requests/{asked['approval_id']}").status_code == 409


def test_what_was_granted_lapses(world: World, site: Flask) -> None:
    first, second = administrator(world, site), somebody(world, site, Role.KEY_OFFICER)
    first.post(f"{ROOT}/new", CLERK)
    grant(second)
    world.wait(timedelta(hours=73))
    first = signed_in(site, first.account)
    (asked,) = world.rows(t.approvals)
    assert first.post(f"{ROOT}/requests/{asked['approval_id']}").status_code == 409


def test_disabling_is_at_once_and_letting_in_again_too(world: World, site: Flask) -> None:
    first, auditor = administrator(world, site), somebody(world, site, Role.AUDITOR)
    assert first.post(f"{ROOT}/one/auditor/disable", {"why": "离岗"}).status_code == 200
    assert auditor.get("/account").status_code == 303
    assert "停用" in first.get(ROOT).text
    assert first.post(f"{ROOT}/one/auditor/enable", {"why": "返岗"}).status_code == 200
    signed_in(site, auditor.account)
    assert {"account_disabled", "account_enabled"} <= set(decided(world))


def test_ending_sessions_says_how_many(world: World, site: Flask) -> None:
    first, auditor = administrator(world, site), somebody(world, site, Role.AUDITOR)
    signed_in(site, auditor.account)
    answer = first.post(f"{ROOT}/one/auditor/end-sessions", {"why": "疑似盗用"})
    assert "已结束2个会话" in answer.text
    assert auditor.get("/account").status_code == 303


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "A B"},
        {"name": "x" * 70},
        {"role": "emperor"},
        {"party_id": ""},
        {"party_id": "cn/court/nowhere"},
        {"role": "agency_clerk"},
        {"role": "reconciler"},
        {"region": "52"},
        {"shown_as": ""},
        {"why": ""},
        {"name": "administrator"},
    ],
)
def test_what_cannot_be_is_said_and_what_was_typed_is_kept(world: World, site: Flask, wrong: dict[str, str]) -> None:
    person = administrator(world, site)
    answer = person.post(f"{ROOT}/new", {**CLERK, "shown_as": "样例经办甲", **wrong})
    assert (answer.status_code, 'role="alert"' in answer.text) == (400, True)
    assert "shown_as" in wrong or "样例经办甲" in answer.text
    assert world.rows(t.approvals) == []


def test_an_agencys_clerk_may_be_of_some_of_its_offices(world: World, site: Flask) -> None:
    first = administrator(world, site)
    form = {**CLERK, "role": "agency_clerk", "party_id": "cn/agency/civil_affairs.520102", "office_ids": "nowhere"}
    assert first.post(f"{ROOT}/new", form).status_code == 400
    assert first.post(f"{ROOT}/new", {**form, "office_ids": CIVIL_AFFAIRS}).status_code == 200


def test_names_are_shown_as_text(world: World, site: Flask) -> None:
    first, second = administrator(world, site), somebody(world, site, Role.KEY_OFFICER)
    form = {**CLERK, "shown_as": HOSTILE, "why": "\"'><img src=x onerror=alert(1)>"}
    first.post(f"{ROOT}/new", form)
    assert "<img" not in second.get("/console/approvals").text + first.get(ROOT).text
    grant(second)
    carry_out(first)
    for page in (ROOT, f"{ROOT}/one/clerk-one", f"{ROOT}?begins={HOSTILE}&role={HOSTILE}&party_id={HOSTILE}"):
        assert HOSTILE not in first.get(page).text
    assert "&lt;script&gt;" in first.get(ROOT).text
    bad = first.post(f"{ROOT}/new", {**CLERK, "name": HOSTILE, "why": HOSTILE})
    assert (bad.status_code, HOSTILE in bad.text) == (400, False)


def test_the_list_is_paged_and_searched_by_the_beginning_of_a_name(world: World, site: Flask) -> None:
    first = administrator(world, site)

    def write(connection: Connection) -> None:
        for number in range(120):
            row = an_account(Role.AUDITOR, name=f"many-{number:03}")
            stored.add(connection, row, password=None, must_change=False, who="test", now=world.now)

    world.store.write(write)
    page, seen = f"{ROOT}?begins=many-", 0
    for _ in range(3):
        text = first.get(page).text
        seen += text.count("<td><a href=")
        older = re.search(r'href="([^"]+)" rel="next"', text)
        page = older[1].replace("&amp;", "&") if older else ""
    assert (seen, page) == (120, "")
    assert first.get(f"{ROOT}?begins=many_").text.count("<td><a href=") == 0
    assert first.get(f"{ROOT}?role=key_officer").text.count("<td><a href=") == 0
    assert first.get(f"{ROOT}?begins=%25").text.count("<td><a href=") == 0


def test_the_pages_speak_english(world: World, site: Flask) -> None:
    first = administrator(world, site)
    somebody(world, site, Role.AUDITOR)
    first.client.set_cookie("xianjie_language", "en")
    assert "All accounts" in first.get(ROOT).text
    assert "Ask for a new account" in first.get(f"{ROOT}/new").text
    assert "Ask for a change" in first.get(f"{ROOT}/one/auditor").text


@pytest.mark.parametrize("name", ["nobody", "A%20B", "%00", "..", "x" * 100])
def test_no_such_account_is_not_found(world: World, site: Flask, name: str) -> None:
    person = administrator(world, site)
    assert person.get(f"{ROOT}/one/{name}").status_code in (400, 404)
    for act in ("disable", "enable", "end-sessions", "reset", "change"):
        form = {"why": "x", "role": "auditor", "shown_as": "x"}
        assert person.post(f"{ROOT}/one/{name}/{act}", form).status_code in (400, 404), act


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMINISTRATOR])
def test_nobody_else_sees_or_changes_accounts(world: World, site: Flask, role: Role) -> None:
    more = {"party_id": "cn/agency/civil_affairs.520102"} if role is Role.AGENCY_CLERK else {}
    person = somebody(world, site, role, **more)
    assert person.get(ROOT).status_code == 403
    assert person.post(f"{ROOT}/new", CLERK).status_code == 403


def test_every_act_asks_for_the_password_again(world: World, site: Flask) -> None:
    person = administrator(world, site)
    somebody(world, site, Role.AUDITOR)
    for path in ("new", "one/auditor/change", "one/auditor/reset", "one/auditor/disable", "one/auditor/end-sessions"):
        refused = person.post(f"{ROOT}/{path}", {"password_again": "", "why": "x"})
        assert (refused.status_code, "not_confirmed" in refused.text) == (403, True), path
    assert PASSWORD not in person.get(ROOT).text

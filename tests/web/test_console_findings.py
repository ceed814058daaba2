"""对账日志 The list is asked by address and counted by kind; a finding is told in words and acted on; what is another's
is not there."""

import csv
from datetime import date, timedelta
from io import StringIO
from typing import Any

import pytest
from flask import Flask

from gateway.domain.access import Role
from gateway.flows.reconcile import reconcile_all
from gateway.store import finding_log
from gateway.store import tables as t
from gateway.store.finding_log import Asked, Order
from gateway.web.console.finding_filter import key_of_name, name_of_key
from tests.builders import an_id_number
from tests.gateway_world import CIVIL_AFFAIRS, COURT, DISABLED_PERSONS, NEIGHBOUR, World, a_referral_body
from tests.web.finding_rows import a_finding, a_pair, late, on_file
from tests.web.people import Somebody, signed_in, somebody

HOSTILE = ("<script>alert(1)</script>", "\"'><img src=x onerror=alert(1)>")


@pytest.fixture
def desk(world: World, site: Flask) -> Somebody:
    """Who decides findings, of two courts' referrals."""
    world.refer()
    world.refer(
        world.neighbour,
        referral_id="r-2",
        original_case_group="（2025）黔0302民初2号",
        case_number="（2026）黔03司救执2号",
    )
    return somebody(world, site, Role.RECONCILER)


def row_of(world: World, name: str) -> dict[str, Any]:
    (row,) = [row for row in world.rows(t.findings) if row["key"] == key_of_name(name)]
    return row


def whats(world: World) -> list[str]:
    return [row["what"] for row in world.rows(t.decisions)]


# --- the list ---


def test_an_empty_log_says_so_in_both_languages(world: World, site: Flask) -> None:
    person = somebody(world, site, Role.RECONCILER)
    assert "没有未办的疑点" in person.get("/console/findings").text
    person.client.set_cookie("xianjie_language", "en")
    assert "No finding is open" in person.get("/console/findings").text


def test_findings_are_listed_in_words_and_counted_by_code(desk: Somebody, world: World) -> None:
    on_file(world, a_finding(), a_finding("DUP_PAYMENT", subject="x"), a_finding(subject="y"))
    page = desk.get("/console/findings").text
    assert "逾期未决定 2" in page
    assert "重复支付 1" in page
    assert "最低生活保障" in page
    assert "1,234.56" in page


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("family=duplicate", ["r-2"]),
        ("family=missed", ["r-1"]),
        ("code=MISS_NO_DECISION", ["r-1"]),
        ("family=duplicate&code=MISS_NO_DECISION", []),
        (f"court={COURT}", ["r-1"]),
        (f"court={NEIGHBOUR}", ["r-2"]),
        (f"office={CIVIL_AFFAIRS}", ["r-1"]),
        (f"must_act={COURT}", ["r-2"]),
        ("assigned=reconciler", []),
        ("state=closed", []),
        ("due=overdue", ["r-1"]),
        ("due=week", ["r-1"]),
        ("referral=r-2", ["r-2"]),
        ("group=WOMAN", []),
        ("sort=stake", ["r-2", "r-1"]),
        ("sort=due", ["r-1", "r-2"]),
        ("sort=minors", ["r-1", "r-2"]),
    ],
)
def test_the_address_says_what_is_listed(desk: Somebody, world: World, asked: str, found: list[str]) -> None:
    on_file(world, a_finding(due_at=late(world)), a_pair(referral_id="r-2", stake_fen=999_999_999))
    text = desk.get(f"/console/findings?{asked}").text.partition("<tbody>")[2]
    places = {one: text.find(f"/console/referrals/{one}") for one in ("r-1", "r-2")}
    assert sorted((one for one in places if places[one] >= 0), key=lambda one: places[one]) == found


@pytest.mark.parametrize(
    "asked", ["family=x", "code=X", "state=x", "group=x", "due=x", "sort=x", "after=x", "after=1~2"]
)
def test_what_cannot_be_asked_is_told_and_nothing_breaks(desk: Somebody, asked: str) -> None:
    answer = desk.get(f"/console/findings?{asked}")
    assert (answer.status_code, "invalid_query" in answer.text) == (400, True)


def test_a_search_about_somebody_is_on_file_and_a_way_through_the_list_is_not(desk: Somebody, world: World) -> None:
    desk.get("/console/findings?family=duplicate&sort=due")
    assert "searched" not in whats(world)
    desk.get(f"/console/findings?office={CIVIL_AFFAIRS}")
    (row,) = [row for row in world.rows(t.decisions) if row["what"] == "searched"]
    assert (row["who"], row["subject"], row["why"]) == ("account:reconciler", "findings", f"office={CIVIL_AFFAIRS}")


@pytest.mark.parametrize("field", ["findings?referral", "findings?court", "matches?referral", "referrals?office"])
@pytest.mark.parametrize("personal", ["测试甲", an_id_number(), "13900000000"])
def test_what_is_typed_into_the_wrong_field_of_a_search_goes_into_no_log(
    desk: Somebody, world: World, field: str, personal: str
) -> None:
    assert desk.get(f"/console/{field}={personal}").status_code == 200
    (row,) = [row for row in world.rows(t.decisions) if row["what"] == "searched"]
    assert row["why"] == field.partition("?")[2]


@pytest.mark.parametrize("order", list(Order))
def test_pages_go_on_where_the_last_one_ended_and_lose_nothing(world: World, order: Order) -> None:
    world.refer()
    world.refer(referral_id="r-3", original_case_group="x", case_number="（2026）黔01司救执3号")
    made = [
        a_finding(
            "MISS_NO_DECISION" if at % 2 else "MM_AMOUNT",
            f"r-{1 if at % 3 else 3}",
            subject=str(at),
            stake_fen=at % 7,
            due_at=None if at % 5 == 0 else late(world, at % 4),
        )
        for at in range(23)
    ]
    on_file(world, *made)
    for asked in (
        Asked(order=order),
        Asked(order=order, codes=("MM_AMOUNT", "MISS_NO_DECISION")),
        Asked(order=order, courts=(COURT,)),
    ):
        seen, after = [], None
        with world.store.reading() as connection:
            whole = finding_log.search(connection, asked, length=100)
            while True:
                page = finding_log.search(connection, asked, after=after, length=4)
                seen += [one.key for one in page.findings]
                after = page.next
                if after is None:
                    break
        assert [one.key for one in whole.findings] == seen
        assert sorted(seen) == sorted(one.key for one in made)


def test_minors_come_first_where_that_is_asked(world: World, site: Flask) -> None:
    world.refer()
    more = {
        "referral_id": "r-9",
        "case_number": "（2026）黔01司救执9号",
        "original_case_group": "（2025）黔0102民初9号",
    }
    world.refer(person=_a_child(), guardian_consent_ref="测试同意书1号", **more)
    on_file(world, a_finding(), a_finding(referral_id="r-9"))
    text = somebody(world, site, Role.AUDITOR).get("/console/findings?sort=minors").text
    assert text.index("/console/referrals/r-9") < text.index("/console/referrals/r-1")
    assert "未成年人" in text


def _a_child() -> dict[str, Any]:
    """Six years old, with a guardian."""
    person: dict[str, Any] = a_referral_body()["person"]
    number = an_id_number(date(2020, 1, 1))
    guardian = {"name": "测试母", "relation": "mother"}
    return person | {"birth_date": "2020-01-01", "id_number": number, "name": "测试童", "guardian": guardian}


# --- whose ---


@pytest.mark.parametrize("role", [Role.ADMINISTRATOR, Role.KEY_OFFICER, Role.COURT_CLERK])
def test_another_role_is_refused(world: World, site: Flask, role: Role) -> None:
    assert somebody(world, site, role).get("/console/findings").status_code == 403


def test_who_sees_one_region_sees_nothing_of_another_court(world: World, site: Flask, desk: Somebody) -> None:
    mine, theirs, nobodys = on_file(world, a_finding(), a_pair(referral_id="r-2"), a_finding(referral_id=None))
    person = somebody(world, site, Role.RECONCILER, name="region", region="5201")
    page = person.get("/console/findings").text
    assert ("/console/referrals/r-1" in page, "/console/referrals/r-2" in page) == (True, False)
    assert "逾期未决定 1" in page
    assert [person.get(f"/console/findings/{one}").status_code for one in (mine, theirs, nobodys)] == [200, 404, 404]
    for act in ("assign", "decide", "close", "reopen"):
        assert person.post(f"/console/findings/{theirs}/{act}", {"why": "x"}).status_code == 404
    assert "/console/referrals/" not in person.get(f"/console/findings?court={NEIGHBOUR}").text.partition("<tbody>")[2]


@pytest.mark.parametrize("name", ["x", "AAAA", "====", "Zm9v", "a" * 900, "%2e%2e"])
def test_a_name_that_names_nothing_is_not_there(desk: Somebody, name: str) -> None:
    assert desk.get(f"/console/findings/{name}").status_code == 404


@pytest.mark.parametrize("key", ["A|b|c:1|cn/court/520100", "A|-|-|x y|z", "疑|点"])
def test_a_key_has_one_name_that_an_address_can_hold(key: str) -> None:
    assert key_of_name(name_of_key(key)) == key
    assert name_of_key(key).replace("-", "").replace("_", "").isalnum()


# --- one finding ---


def test_a_finding_shows_both_sides_its_rule_and_that_it_was_looked_at(desk: Somebody, world: World) -> None:
    (name,) = on_file(world, a_pair())
    text = desk.get(f"/console/findings/{name}").text
    assert "两方对照" in text
    assert "（2026）黔01司救执1号" in text
    assert "（2026）黔03司救执2号" in text
    assert "救助中" in text  # the other need's state, in words
    (row,) = [row for row in world.rows(t.decisions) if row["what"] == "finding_viewed"]
    assert row["subject"] == key_of_name(name)
    assert "查看记录 · 1" in text


def test_a_finding_is_told_in_english_too(desk: Somebody, world: World) -> None:
    (name,) = on_file(world, a_finding(evidence={"programme": "MLG", "waits_for": "decision"}))
    desk.client.set_cookie("xianjie_language", "en")
    text = desk.get(f"/console/findings/{name}").text
    assert "no decision in time" in text
    assert "At stake" in text
    assert "救助需求" not in text.partition("<main")[2].replace("中文", "")


def test_a_finding_goes_from_hand_to_hand_until_it_is_closed_and_opened_again(desk: Somebody, world: World) -> None:
    (name,) = on_file(world, a_finding())
    base = f"/console/findings/{name}"
    assert (
        desk.post(f"{base}/assign", {"to": "reconciler", "until": "2026-03-20", "why": "本人办理"}).status_code == 200
    )
    assert (row_of(world, name)["state"], row_of(world, name)["assigned_to"]) == ("assigned", "reconciler")
    assert "/console/referrals/r-1" in desk.get("/console/findings?assigned=reconciler").text
    form = {"decision": "RECOVERED", "recovered": "1,000.50", "why": "已追回"}
    assert desk.post(f"{base}/decide", form).status_code == 200
    row = row_of(world, name)
    assert (row["state"], row["decided_as"], row["recovered_fen"]) == ("decided", "RECOVERED", 100_050)
    assert desk.post(f"{base}/close", {"why": "了结"}).status_code == 200
    assert row_of(world, name)["state"] == "closed"
    text = desk.post(f"{base}/reopen", {"why": "再看"}).text
    assert row_of(world, name)["state"] == "open"
    assert ["疑点指派" in text, "疑点已追回" in text, "疑点结案" in text, "人工重新打开" in text] == [True] * 4


@pytest.mark.parametrize(
    ("act", "form", "status"),
    [
        ("assign", {"to": "nobody-here", "why": "x"}, 400),
        ("assign", {"to": "", "why": "x"}, 400),
        ("assign", {"to": "reconciler", "until": "31.2.2026", "why": "x"}, 400),
        ("assign", {"to": "reconciler", "why": ""}, 400),
        ("decide", {"decision": "", "why": "x"}, 400),
        ("decide", {"decision": "GUILTY", "why": "x"}, 400),
        ("decide", {"decision": "RECOVERED", "why": "x"}, 400),
        ("decide", {"decision": "CONFIRMED", "recovered": "5", "why": "x"}, 400),
        ("decide", {"decision": "RECOVERED", "recovered": "much", "why": "x"}, 400),
        ("decide", {"decision": "CONFIRMED", "why": " "}, 400),
        ("close", {"why": "x"}, 409),
        ("reopen", {"why": "x"}, 409),
    ],
)
def test_a_form_that_is_not_right_changes_nothing_and_is_shown_again(
    desk: Somebody, world: World, act: str, form: dict[str, str], status: int
) -> None:
    (name,) = on_file(world, a_finding())
    answer = desk.post(f"/console/findings/{name}/{act}", form)
    assert (answer.status_code, 'role="alert"' in answer.text) == (status, True)
    assert row_of(world, name)["state"] == "open"


def test_an_auditor_sees_all_and_no_form(world: World, site: Flask, desk: Somebody) -> None:
    (name,) = on_file(world, a_finding())
    person = somebody(world, site, Role.AUDITOR)
    text = person.get(f"/console/findings/{name}").text
    assert "/decide" not in text
    assert 'type="checkbox"' not in person.get("/console/findings").text
    for act in ("assign", "decide", "close", "reopen"):
        assert person.post(f"/console/findings/{name}/{act}", {"why": "x"}).status_code == 403
    assert person.post("/console/findings/bulk", {}).status_code == 403


@pytest.mark.parametrize("hostile", HOSTILE)
def test_what_somebody_typed_comes_out_as_text(desk: Somebody, world: World, hostile: str) -> None:
    (name,) = on_file(world, a_finding(evidence={"programme": hostile, "reason": hostile}))
    desk.post(f"/console/findings/{name}/decide", {"decision": "EXPLAINED", "why": hostile})
    refused = desk.post(f"/console/findings/{name}/assign", {"to": hostile, "why": hostile})
    for text in (
        desk.get(f"/console/findings/{name}").text,
        refused.text,
        desk.get("/console/findings?state=all").text,
    ):
        assert hostile not in text
    asked = desk.get("/console/findings", query_string={"assigned": hostile, "referral": hostile})
    assert hostile not in asked.text


# --- export ---


def test_an_export_takes_a_reason_is_on_file_and_holds_no_formula(desk: Somebody, world: World) -> None:
    on_file(world, a_finding(must_act="=1+1"), a_finding(subject="z"))
    assert desk.post("/console/findings/export", {"why": " "}).status_code >= 400
    answer = desk.post("/console/findings/export", {"family": "missed", "why": "季度核对"})
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(StringIO(answer.data.decode("utf-8-sig"))))
    assert [row["代码 Code"] for row in rows] == ["MISS_NO_DECISION"] * 2
    assert rows[0]["须处理方 Must act"] == "'=1+1"
    (row,) = [row for row in world.rows(t.decisions) if row["what"] == "findings_exported"]
    assert "2 rows" in row["why"]


def test_who_may_not_export_is_refused(world: World, site: Flask) -> None:
    assert somebody(world, site, Role.ADMINISTRATOR).post("/console/findings/export", {"why": "x"}).status_code == 403


# --- two days ---


def test_two_days_are_compared_and_add_up(desk: Somebody, world: World) -> None:
    start = world.now
    kept, ended = on_file(world, a_finding(), a_finding(subject="b"))
    world.wait(timedelta(days=3))
    on_file(world, a_finding("DUP_PAYMENT", subject="c"))
    desk = signed_in(desk.site, desk.account)
    desk.post(f"/console/findings/{ended}/decide", {"decision": "EXPLAINED", "why": "x"})
    desk.post(f"/console/findings/{ended}/close", {"why": "x"})
    asked = f"from={start:%Y-%m-%d}&to={world.now:%Y-%m-%d}"
    text = desk.get(f"/console/findings/compare?{asked}").text
    total = text.partition("<tfoot>")[2].partition("</tfoot>")[0]
    assert [cell.partition("<")[0] for cell in total.split('class="number">')[1:]] == [
        "2",
        "1",
        "1",
        "0",
        "2",
        "1",
        "0",
    ]
    listed = desk.get(f"/console/findings/compare?{asked}&code=MISS_NO_DECISION&part=closed").text
    assert (f"/console/findings/{ended}" in listed, f"/console/findings/{kept}" in listed) == (True, False)
    desk.client.set_cookie("xianjie_language", "en")
    assert "Open then + opened − closed = open later" in desk.get(f"/console/findings/compare?{asked}").text


@pytest.mark.parametrize(
    "asked", ["from=x", "to=2999-01-01", "from=2026-03-02&to=2026-03-01", "part=x&code=MM_AMOUNT", "part=then&code=X"]
)
def test_days_that_cannot_be_compared_are_told(desk: Somebody, asked: str) -> None:
    assert desk.get(f"/console/findings/compare?{asked}").status_code == 400


def test_a_region_is_compared_alone(world: World, site: Flask, desk: Somebody) -> None:
    on_file(world, a_finding(), a_pair(referral_id="r-2"))
    person = somebody(world, site, Role.RECONCILER, name="region", region="5203")
    text = person.get("/console/findings/compare").text
    assert ("逾期未决定" in text, "同需求已在办" in text) == (False, True)


def test_a_run_says_whose_matter_a_finding_is(world: World) -> None:
    world.refer()
    world.wait(timedelta(minutes=1))
    world.refer(world.neighbour, referral_id="r-2", original_case_group="x", case_number="（2026）黔03司救执2号")
    reconcile_all(world.context, now=world.now)
    (row,) = world.rows(t.findings)
    assert (row["of_court"], row["of_minor"]) == (NEIGHBOUR, False)


def test_what_belongs_to_no_referral_is_of_the_court_its_evidence_names_or_of_none(world: World) -> None:
    world.refer()
    on_file(
        world,
        a_finding("MISS_DISPOSITION", None, subject="1", evidence={"referral": "r-1"}),
        a_finding("MISS_INQUIRY_UNANSWERED", None, subject="2", evidence={"court": NEIGHBOUR}),
        a_finding("SEQ_GAP", None, subject="3", must_act=COURT),
        a_finding("SEQ_GAP", None, subject="4", must_act=DISABLED_PERSONS),
    )
    assert [row["of_court"] for row in world.rows(t.findings)] == [COURT, NEIGHBOUR, COURT, None]

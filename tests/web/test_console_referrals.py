"""移送检索与一案全程 The list, the search in it, and the page of one referral with what may be done from it."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask

from gateway.domain.access import Role
from gateway.evidence.verifier.conclusions import Standing
from gateway.evidence.verifier.verify import verify_bundle
from gateway.flows.reconcile import reconcile_due
from gateway.store import tables as t
from gateway.web.site import create_site
from tests.builders import an_id_number
from tests.gateway_world import CIVIL_AFFAIRS, COURT, NEIGHBOUR, World, a_referral_body
from tests.log_world import LogWorld
from tests.web.people import Somebody, somebody

MINUTE = timedelta(minutes=1)
HOSTILE = ("<script>alert(1)</script>", "\"'><img src=x onerror=alert(1)>")
LIST, ONE = "/console/referrals", "/console/referrals/r-1"
APPROVED: dict[str, Any] = {"xj_amount": "650.00", "abaf0028": "202603", "abaf0029": "202702"}


@pytest.fixture
def logged(world: World) -> LogWorld:
    """Signs checkpoints, so that evidence can be had."""
    made = LogWorld(world)
    world.context = made.context
    return made


@pytest.fixture
def site(logged: LogWorld, world: World) -> Iterator[Flask]:
    yield create_site(world.context, lambda: world.now, public_url=None)


def a_child(**changes: Any) -> dict[str, Any]:
    born = date(2015, 6, 1)
    own = {"name": "测试童", "id_number": an_id_number(born), "birth_date": born.isoformat()}
    guardian = {"guardian": {"name": "测试监护", "relation": "50"}}
    return {**a_referral_body()["person"], **own, **guardian, **changes}


def another(world: World, number: int, **changes: Any) -> None:
    """Somebody else's case of the same court."""
    own = {
        "referral_id": f"o-{number}",
        "case_number": f"（2026）黔01司救执{100 + number}号",
        "original_case_group": f"（2025）黔0102民初{100 + number}号",
        "person": a_stranger(number),
    }
    world.refer(**{**own, **changes})


def a_stranger(number: int = 0) -> dict[str, Any]:
    born = date(1970, 1, 1 + number)
    own = {"id_number": an_id_number(born), "birth_date": born.isoformat()}
    return {**a_referral_body()["person"], **own}


def look(world: World) -> None:
    world.wait(MINUTE)
    reconcile_due(world.context, now=world.now)


def found(person: Somebody, query: str) -> list[str]:
    """Ids of the referrals a search lists, in order."""
    answer = person.get(f"{LIST}?{query}")
    assert answer.status_code == 200, answer.text
    return [part.split('"')[0] for part in answer.text.split(f'href="{LIST}/')[1:]]


def whats(world: World) -> list[str]:
    return [row["what"] for row in world.rows(t.decisions)]


# --- the list ---


def test_the_list_has_the_newest_first_and_nothing_of_the_person(world: World, site: Flask) -> None:
    world.refer()
    world.wait(MINUTE)
    another(world, 1)
    person = somebody(world, site, Role.RECONCILER)
    assert found(person, "") == ["o-1", "r-1"]
    text = person.get(LIST).text
    assert "（2026）黔01司救执1号" in text
    assert "最低生活保障" in text
    assert "测试甲" not in text
    assert an_id_number()[-4:] not in text


def test_an_empty_list_says_so_in_both_languages(world: World, site: Flask) -> None:
    person = somebody(world, site, Role.AUDITOR)
    assert "尚无移送" in person.get(LIST).text
    assert "没有符合条件的移送" in person.get(f"{LIST}?state=held").text
    person.client.set_cookie("xianjie_language", "en")
    assert "No referral yet." in person.get(LIST).text


@pytest.mark.parametrize(
    "role", [Role.ADMINISTRATOR, Role.KEY_OFFICER, Role.COURT_CLERK, Role.AGENCY_CLERK], ids=lambda role: role.value
)
def test_who_may_see_no_cases_sees_none(world: World, site: Flask, role: Role) -> None:
    world.refer()
    party = {"party_id": "cn/agency/civil_affairs.520102"} if role is Role.AGENCY_CLERK else {}
    person = somebody(world, site, role, **party)
    assert (person.get(LIST).status_code, person.get(ONE).status_code) == (403, 403)
    assert person.post(f"{ONE}/reveal", {"why": "x"}).status_code == 403
    assert person.post(f"{ONE}/release", {"why": "x"}).status_code == 403


@pytest.mark.parametrize(
    "query",
    [
        f"case_number={quote('（2026）黔01司救执1号')}",
        f"case_number={quote('(2026) 黔01司救执1号')}",
        f"case_number={quote('(2026)黔01司救执0001号')}",
        f"original_case={quote('（2025）黔0102民初1号')}",
        f"original_case={quote('(2025)黔0102民初字第001号')}",
        f"court={COURT}&state=handed_off",
        f"office={CIVIL_AFFAIRS}",
        f"office={CIVIL_AFFAIRS}&state=handed_off&group=MINOR&case_type=enforcement",
        "state=open",
        "from=2026-03-03&to=2026-03-03&state=open",
        "group=MINOR",
    ],
)
def test_a_referral_is_found_by_what_is_on_file(world: World, site: Flask, query: str) -> None:
    world.hand_over(person=a_child(), guardian_consent_ref="测试同意")
    another(world, 1, case_number="（2026）黔01司救民9号", needs=[], assessment="NO_NEED")
    look(world)
    assert found(somebody(world, site, Role.RECONCILER), query) == ["r-1"]


@pytest.mark.parametrize(
    "query",
    [
        f"case_number={quote('（2026）黔01司救执2号')}",
        f"case_number={quote('司救执1')}",
        f"original_case={quote('（2025）黔0102民初2号')}",
        f"court={NEIGHBOUR}",
        "office=womens_federation-520102",
        "office=nobody",
        "state=assisted",
        "state=overdue",
        "group=MINOR",
        "case_type=civil",
        "from=2026-03-04",
        "to=2026-03-02",
        f"case_number={quote('（2026）黔01司救执1号')}&state=held",
    ],
)
def test_and_not_by_what_is_not(world: World, site: Flask, query: str) -> None:
    world.hand_over()
    look(world)
    assert found(somebody(world, site, Role.RECONCILER), query) == []


def test_overdue_ones_stand_in_the_order_they_became_so(world: World, site: Flask) -> None:
    world.hand_over()
    world.wait(timedelta(days=2))
    another(world, 1)
    world.dispatch()
    look(world)
    person = somebody(world, site, Role.RECONCILER)
    assert found(person, "state=overdue") == []
    world.wait(timedelta(days=20))
    look(world)
    person = somebody(world, site, Role.RECONCILER, name="second")
    assert found(person, "state=overdue") == ["r-1", "o-1"]
    assert found(person, f"state=overdue&must_act={CIVIL_AFFAIRS}") == ["r-1"]
    assert found(person, "state=overdue&must_act=operator") == ["o-1"]
    assert "超期" in person.get(f"{LIST}?state=overdue").text


@pytest.mark.parametrize(
    "query",
    [
        "state=nothing",
        "group=CAT",
        "case_type=x",
        "from=yesterday",
        "from=2026-13-01",
        "to=99",
        "after=x",
        "after=1-1-1",
        "after=99999999999999999999-1",
        "after=1-99999999999999999999",
        "from=2026-03-05&to=2026-03-04",
    ],
)
def test_what_cannot_be_read_is_told_by_its_field(world: World, site: Flask, query: str) -> None:
    answer = somebody(world, site, Role.RECONCILER).get(f"{LIST}?{query}")
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text


@pytest.mark.parametrize("text", HOSTILE)
def test_what_was_typed_comes_back_as_text(world: World, site: Flask, text: str) -> None:
    person = somebody(world, site, Role.RECONCILER)
    for name in ("case_number", "original_case", "must_act", "office"):
        answer = person.get(f"{LIST}?{name}={quote(text)}")
        assert text not in answer.text
    assert person.get(f"{LIST}/{quote(text, safe='')}").status_code == 404


def test_a_search_is_on_file_by_its_codes_before_it_is_shown(world: World, site: Flask) -> None:
    person = somebody(world, site, Role.RECONCILER)
    person.get(LIST)
    assert "searched" not in whats(world)
    person.get(f"{LIST}?state=held&case_number={quote('（2026）黔01司救执1号')}")
    (row,) = [row for row in world.rows(t.decisions) if row["what"] == "searched"]
    assert (row["who"], row["subject"], row["why"]) == ("account:reconciler", "referrals", "case_number state=held")


def test_an_account_of_a_region_sees_its_courts_alone(world: World, site: Flask) -> None:
    world.refer()
    world.refer(world.neighbour, referral_id="n-1", case_number="（2026）黔03司救民7号", person=a_stranger())
    here = somebody(world, site, Role.RECONCILER, region="5203")
    assert found(here, "") == ["n-1"]
    assert found(here, "state=open") == ["n-1"]
    assert found(here, f"court={COURT}") == []
    assert found(here, f"case_number={quote('（2026）黔01司救执1号')}") == []
    hidden, missing = here.get(ONE), here.get(f"{LIST}/nowhere")
    assert (hidden.status_code, missing.status_code) == (404, 404)
    for act in ("reveal", "reveal/ask", "evidence", "household", "release", "uphold"):
        assert here.post(f"{ONE}/{act}", {"why": "x"}).status_code == 404
    assert "referral_viewed" not in whats(world)
    nowhere = somebody(world, site, Role.RECONCILER, name="nowhere", region="11")
    assert found(nowhere, "") == []


def test_a_long_list_goes_on_from_page_to_page_and_ends(world: World, site: Flask) -> None:
    world.refer()
    copies = copied(world, 120)
    person = somebody(world, site, Role.RECONCILER)
    for query in ("", "state=open", f"court={COURT}", "case_type=enforcement", "state=open&case_type=enforcement"):
        seen: list[str] = []
        path = f"{LIST}?{query}"
        for _ in range(5):
            text = person.get(path).text
            seen += [part.split('"')[0] for part in text.split(f'href="{LIST}/')[1:]]
            if 'rel="next"' not in text:
                break
            path = text.split('rel="next"')[0].rpartition('href="')[2].split('"')[0].replace("&amp;", "&")
        assert seen == [*reversed(copies), "r-1"], query


def copied(world: World, count: int) -> list[str]:
    """So many more referrals like the first with three needs each, three of them in each millisecond."""
    (referral,), (need,) = world.rows(t.referrals), world.rows(t.needs)
    del referral["row"], need["row"]
    names = [f"c-{number:03}" for number in range(count)]
    for number, name in enumerate(names):
        at = {"referral_id": name, "accepted_at": referral["accepted_at"] + 1 + number // 3}
        world.change(t.referrals.insert().values({**referral, **at}))
        world.change(t.needs.insert().values([{**need, **at, "need_id": f"{name}:{k}"} for k in range(3)]))
    return names


# --- one referral ---


def test_the_page_tells_the_whole_story_and_the_look_is_on_file(world: World, site: Flask) -> None:
    handoff = world.hand_over()
    world.answer(handoff, "10")
    world.answer(handoff, "30", **APPROVED)
    look(world)
    text = somebody(world, site, Role.RECONCILER).get(ONE).text
    line = text.split('<ol class="line">')[1]
    for word in (
        "受理移送",
        "收到报文",
        "分派依据",
        "户籍所在地",
        "发出报文",
        "HTTP 200",
        "已证实",
        "予以救助",
        "650.00",
        "查看",
    ):
        assert word in line, word
    assert line.index("受理移送") < line.index("已转办") < line.index("650.00")
    assert "20,000.00" in text
    assert "测**" in text
    assert "测试甲" not in text
    assert an_id_number() not in text
    assert [row["subject"] for row in world.rows(t.decisions) if row["what"] == "referral_viewed"] == ["r-1"]


def test_looks_of_one_day_are_one_event(world: World, site: Flask) -> None:
    world.refer()
    person = somebody(world, site, Role.RECONCILER)
    for _ in range(3):
        text = person.get(ONE).text
    assert text.count("<strong>查看</strong>") == 1
    assert "3次" in text


def test_the_page_reads_in_english_too(world: World, site: Flask) -> None:
    world.hand_over()
    person = somebody(world, site, Role.AUDITOR)
    person.client.set_cookie("xianjie_language", "en")
    text = person.get(ONE).text
    assert "The whole story" in text
    assert "household registration" in text
    assert "Release" not in text  # an auditor decides nothing


def test_the_person_is_shown_once_for_a_reason_that_is_on_file(world: World, site: Flask) -> None:
    world.refer()
    person = somebody(world, site, Role.RECONCILER)
    refused = person.post(f"{ONE}/reveal", {"why": "  "})
    assert (refused.status_code, "/why" in refused.text) == (400, True)
    assert "测试甲" not in refused.text
    shown = person.post(f"{ONE}/reveal", {"why": "核对来电人身份"})
    assert shown.status_code == 200
    assert "测试甲" in shown.text
    assert an_id_number() in shown.text
    assert "13900000000" in shown.text
    (row,) = [row for row in world.rows(t.decisions) if row["what"] == "person_viewed"]
    assert (row["who"], row["subject"], row["why"]) == ("account:reconciler", "r-1", "核对来电人身份")
    assert "测试甲" not in person.get(ONE).text
    assert shown.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("text", HOSTILE)
def test_names_and_reasons_are_text_and_nothing_else(world: World, site: Flask, text: str) -> None:
    world.refer(person={**a_referral_body()["person"], "name": text})
    person = somebody(world, site, Role.RECONCILER)
    shown = person.post(f"{ONE}/reveal", {"why": text})
    assert shown.status_code == 200
    assert text not in shown.text
    assert text not in person.get(ONE).text  # the reason stands on the time line
    assert "&lt;" in person.get(ONE).text


def test_a_minors_data_takes_two_people_and_is_shown_once(world: World, site: Flask) -> None:
    world.refer(person=a_child(), guardian_consent_ref="测试同意")
    one, two = somebody(world, site, Role.RECONCILER), somebody(world, site, Role.RECONCILER, name="second")
    page = one.get(ONE).text
    assert "未成年人信息封存" in page
    assert an_id_number(date(2015, 6, 1))[-4:] not in page
    assert one.post(f"{ONE}/reveal", {"why": "x"}).status_code == 409
    assert one.post(f"{ONE}/reveal/ask", {"why": ""}).status_code == 400
    assert "等待审批" in one.post(f"{ONE}/reveal/ask", {"why": "核对监护人"}).text
    (asked,) = world.rows(t.approvals)
    address = f"/console/approvals/{asked['approval_id']}"
    assert one.post(address, {"verdict": "grant", "why": "own"}).status_code == 403
    assert two.post(address, {"verdict": "grant", "why": "同意"}).status_code == 200
    assert two.post(f"{ONE}/reveal", {"why": "x"}).status_code == 409  # it was granted to somebody else
    shown = one.post(f"{ONE}/reveal", {"why": "核对监护人"})
    assert (shown.status_code, "测试童" in shown.text, "测试监护" in shown.text) == (200, True, True)
    assert one.post(f"{ONE}/reveal", {"why": "again"}).status_code == 409
    assert {"reveal_sealed_asked", "reveal_sealed_granted", "reveal_sealed_used", "person_viewed"} <= set(whats(world))


def test_who_does_not_see_a_case_grants_no_look_at_it(world: World, site: Flask) -> None:
    world.refer(person=a_child(), guardian_consent_ref="测试同意")
    one = somebody(world, site, Role.RECONCILER)
    far = somebody(world, site, Role.RECONCILER, name="far", region="5206")
    near = somebody(world, site, Role.RECONCILER, name="near", region="5201")
    one.post(f"{ONE}/reveal/ask", {"why": "核对监护人"})
    (asked,) = world.rows(t.approvals)
    address = f"/console/approvals/{asked['approval_id']}"
    assert "核对监护人" not in far.get("/console/approvals").text
    assert far.post(address, {"verdict": "grant", "why": "同意"}).status_code == 404
    assert world.rows(t.approvals)[0]["state"] == "asked"
    assert "核对监护人" in near.get("/console/approvals").text
    assert near.post(address, {"verdict": "grant", "why": "同意"}).status_code == 200


def test_the_evidence_comes_sealed_and_the_export_is_on_file(world: World, site: Flask, logged: LogWorld) -> None:
    world.answer(world.hand_over(), "10")
    person = somebody(world, site, Role.AUDITOR)
    assert person.post(f"{ONE}/evidence", {"why": "审计抽查"}).status_code == 400  # no checkpoint is signed yet
    logged.sign()
    answer = person.post(f"{ONE}/evidence", {"why": "审计抽查"})
    assert (answer.status_code, answer.mimetype) == (200, "application/zip")
    assert "evidence-r-1.zip" in answer.headers["Content-Disposition"]
    assert verify_bundle(answer.get_data()).of(Standing.REFUTED) == ()
    assert [row["why"] for row in world.rows(t.decisions) if row["what"] == "evidence_exported"] == ["审计抽查"]


def test_a_minors_evidence_takes_the_same_grant(world: World, site: Flask, logged: LogWorld) -> None:
    world.refer(person=a_child(), guardian_consent_ref="测试同意")
    logged.sign()
    one, two = somebody(world, site, Role.AUDITOR), somebody(world, site, Role.RECONCILER)
    assert one.post(f"{ONE}/evidence", {"why": "x"}).status_code == 409
    assert "evidence_exported" not in whats(world)
    one.post(f"{ONE}/reveal/ask", {"why": "审计"})
    (asked,) = world.rows(t.approvals)
    two.post(f"/console/approvals/{asked['approval_id']}", {"verdict": "grant", "why": "同意"})
    assert one.post(f"{ONE}/evidence", {"why": "审计"}).mimetype == "application/zip"
    assert one.post(f"{ONE}/evidence", {"why": "审计"}).status_code == 409


def test_a_row_that_was_changed_opens_no_minors_case_to_one_person(world: World, site: Flask, logged: LogWorld) -> None:
    world.refer(person=a_child(), guardian_consent_ref="测试同意")
    logged.sign()
    world.store.write(lambda connection: connection.execute(t.referrals.update().values(is_minor=False)))
    one = somebody(world, site, Role.RECONCILER)
    assert one.post(f"{ONE}/reveal", {"why": "x"}).status_code == 409
    assert one.post(f"{ONE}/evidence", {"why": "x"}).status_code == 409
    assert an_id_number(date(2015, 6, 1))[-4:] not in one.get(ONE).text


def a_held_one(world: World) -> None:
    """A second aid for one original case waits for a person."""
    world.refer()
    world.refer(referral_id="r-2", case_number="（2026）黔01司救执2号")
    assert world.states("r-2") == ["held"]


def test_a_hold_is_released_with_a_reason(world: World, site: Flask) -> None:
    a_held_one(world)
    person = somebody(world, site, Role.RECONCILER)
    page = person.get(f"{LIST}/r-2").text
    assert "人工核查" in page
    assert "一人一案只救助一次" in page
    assert person.post(f"{LIST}/r-2/release", {"why": ""}).status_code == 400
    answer = person.post(f"{LIST}/r-2/release", {"why": "并非同一案件"})
    assert "已放行 1 项需求" in answer.text
    assert world.states("r-2") == ["accepted"]
    assert "并非同一案件" in person.get(f"{LIST}/r-2").text
    again = person.post(f"{LIST}/r-2/release", {"why": "x"})
    assert (again.status_code, "illegal_move" in again.text) == (409, True)


def test_a_hold_is_upheld_with_the_password(world: World, site: Flask) -> None:
    a_held_one(world)
    person = somebody(world, site, Role.RECONCILER)
    assert person.post(f"{LIST}/r-2/uphold", {"why": "重复", "password_again": "wrong"}).status_code == 403
    assert world.states("r-2") == ["held"]
    assert "已终止 1 项需求" in person.post(f"{LIST}/r-2/uphold", {"why": "重复"}).text
    assert world.states("r-2") == ["entered_in_error"]
    auditor = somebody(world, site, Role.AUDITOR)
    assert auditor.post(f"{LIST}/r-2/uphold", {"why": "x"}).status_code == 403


def test_the_households_chain_is_seen_for_a_reason_and_within_the_region(world: World, site: Flask) -> None:
    world.refer()
    world.refer(world.neighbour, referral_id="n-1", case_number="（2026）黔03司救民7号")
    everything = somebody(world, site, Role.RECONCILER)
    assert everything.post(f"{ONE}/household", {"why": ""}).status_code == 400
    text = everything.post(f"{ONE}/household", {"why": "走访前了解"}).text
    assert f"{LIST}/n-1" in text
    assert f"{LIST}/r-1" in text
    assert [row["why"] for row in world.rows(t.decisions) if row["what"] == "chain_viewed"] == ["走访前了解"]
    here = somebody(world, site, Role.RECONCILER, name="here", region="5201")
    text = here.post(f"{ONE}/household", {"why": "走访前了解"}).text
    assert f"{LIST}/r-1" in text
    assert "n-1" not in text


def test_an_erased_referral_says_so_and_shows_nobody(world: World, site: Flask) -> None:
    world.refer()
    world.change(t.case_keys.update().values(wrapped=None, erased_at=1))
    person = somebody(world, site, Role.RECONCILER)
    page = person.get(ONE)
    assert (page.status_code, "case_erased" in page.text) == (200, True)
    answer = person.post(f"{ONE}/reveal", {"why": "x"})
    assert (answer.status_code, "case_erased" in answer.text) == (410, True)
    assert "person_viewed" not in whats(world)

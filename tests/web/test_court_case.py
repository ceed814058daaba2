"""一案 One case of a court's: its fate, its person after a reason, its evidence, and what the court says afterwards."""

import re
from datetime import timedelta
from io import BytesIO
from zipfile import ZipFile

import pytest
from flask import Flask

from gateway.evidence.verifier.conclusions import Standing
from gateway.evidence.verifier.verify import verify_bundle
from gateway.flows.reconcile import reconcile_all
from gateway.store import tables as t
from tests.builders import an_id_number
from tests.gateway_world import NEIGHBOUR, World
from tests.log_world import LogWorld
from tests.web.court_desk import HOSTILE, clerk_of, end_our_key, form_name, holding
from tests.web.people import Somebody, signed_in

CASE = "/court/referrals/r-1"


@pytest.fixture
def site(world: World) -> Flask:
    return holding(world)


@pytest.fixture
def clerk(world: World, site: Flask) -> Somebody:
    return clerk_of(world, site)


def bare(page: str) -> str:
    """Without what differs from page to page."""
    return re.sub(r'nonce="[^"]*"', "", page)


def act(person: Somebody, name: str, **fields: object) -> object:
    """One form, filled in and pressed."""
    form = fields.pop("form", None) or form_name(person.get(f"{CASE}/{name}").text)
    return person.post(f"{CASE}/{name}", {**fields, "form": form})


def test_the_whole_fate_stands_on_one_page(world: World, clerk: Somebody) -> None:
    world.answer(world.hand_over(), "10")
    page = clerk.get(CASE).text
    assert "（2026）黔01司救执1号" in page and "最低生活保障" in page and "部门已受理" in page
    assert '<ol class="line">' in page and "签名方 cn/agency/civil_affairs.520102" in page
    clerk.client.set_cookie("xianjie_language", "en")
    english = clerk.get(CASE).text
    assert "Handoffs and their evidence" in english and "accepted by the agency" in english


def test_the_person_is_masked_until_somebody_says_why_and_that_is_on_file(world: World, clerk: Somebody) -> None:
    world.refer()
    masked = clerk.get(CASE).text
    assert "测**" in masked and "测试甲" not in masked and an_id_number() not in masked and "13900000000" not in masked
    refused = clerk.post(f"{CASE}/person", {"why": " "})
    assert refused.status_code == 422 and "测试甲" not in refused.text
    shown = clerk.post(f"{CASE}/person", {"why": "核对案卷"})
    assert shown.status_code == 200 and "测试甲" in shown.text and an_id_number() in shown.text
    (said,) = [row for row in world.rows(t.decisions) if row["what"] == "person_viewed"]
    assert (said["who"], said["subject"], said["why"]) == (clerk.account.who, "r-1", "核对案卷")
    assert "测试甲" not in clerk.get(CASE).text


def test_of_an_erased_case_the_page_stands_without_the_person(world: World, clerk: Somebody) -> None:
    world.refer(needs=[], assessment="NO_NEED")
    with world.store.engine.begin() as connection:
        connection.execute(t.case_keys.delete())
    page = clerk.get(CASE)
    assert page.status_code == 200 and "已清除，或已无法核验" in page.text
    assert clerk.post(f"{CASE}/person", {"why": "x"}).status_code == 200


@pytest.mark.parametrize("path", ["", "/payment", "/visit", "/plan", "/use-report", "/withdraw"])
def test_a_neighbours_clerk_gets_what_one_gets_of_no_referral(
    world: World, clerk: Somebody, site: Flask, path: str
) -> None:
    world.refer()
    other = clerk_of(world, site, NEIGHBOUR)
    foreign, none = other.get(f"{CASE}{path}"), other.get(f"/court/referrals/no-such{path}")
    assert foreign.status_code == none.status_code == 404
    assert bare(foreign.text).replace("r-1", "X") == bare(none.text).replace("no-such", "X")
    assert clerk.get(f"{CASE}{path}").status_code == 200
    assert clerk.get(f"{CASE}/no-such-form").status_code == 404


@pytest.mark.parametrize(
    "path", ["person", "evidence", "anew", "amend", "payment", "visit", "plan", "use-report", "withdraw"]
)
def test_a_neighbours_clerk_can_do_nothing_to_it(world: World, site: Flask, path: str) -> None:
    world.refer()
    other = clerk_of(world, site, NEIGHBOUR)
    before = len(world.rows(t.decisions)), len(world.rows(t.inbox))
    answer = other.post(f"{CASE}/{path}", {"why": "x", "form": "f", "reason": "x"})
    assert answer.status_code == 404
    assert (len(world.rows(t.decisions)), len(world.rows(t.inbox))) == before


def test_a_withdrawal_is_confirmed_and_done_once(world: World, clerk: Somebody) -> None:
    world.refer()
    form = form_name(clerk.get(f"{CASE}/withdraw").text)
    unconfirmed = clerk.post(f"{CASE}/withdraw", {"form": form, "reason": "填错", "password_again": "wrong"})
    assert (unconfirmed.status_code, world.states()) == (403, ["accepted"])
    blank = act(clerk, "withdraw", form=form, reason=" ")
    assert blank.status_code == 422 and 'name="reason" aria-describedby' in blank.text
    assert "移送已撤回" in act(clerk, "withdraw", form=form, reason="填错").text
    assert world.states() == ["withdrawn"]
    assert "未重复报送" in act(clerk, "withdraw", form=form, reason="填错").text
    again = act(clerk, "withdraw", reason="再撤")
    assert again.status_code == 409
    assert 'href="/court/referrals/r-1/withdraw"' not in clerk.get(CASE).text


def test_a_payment_is_recorded_once_with_its_problems_at_its_fields(world: World, clerk: Somebody) -> None:
    world.refer()
    bad = act(clerk, "payment", amount_fen="很多", paid_on="2026-03-33", payee="")
    assert bad.status_code == 422 and bad.text.count('aria-invalid="true"') == 3 and 'value="很多"' in bad.text
    future = act(clerk, "payment", amount_fen="2万", paid_on="2026-03-20", payee="BENEFICIARY")
    assert future.status_code == 422
    future = act(clerk, "payment", amount_fen="20,000", paid_on="2026-03-20", payee="BENEFICIARY")
    assert future.status_code == 422 and "日期晚于今天" in future.text
    form = form_name(clerk.get(f"{CASE}/payment").text)
    good = {"amount_fen": "20,000", "paid_on": "2026年3月3日", "payee": "BENEFICIARY", "account": "6200000000000000"}
    assert "发放已登记" in act(clerk, "payment", form=form, **good).text
    act(clerk, "payment", form=form, **good)
    (row,) = world.rows(t.court_payments)
    assert (row["amount_fen"], row["paid_on"], row["payee"]) == (2_000_000, "2026-03-03", "BENEFICIARY")
    page = clerk.get(CASE).text
    assert "20,000.00" in page and "6200000000000000" not in page
    changed = act(clerk, "payment", form=form, **{**good, "amount_fen": "1"})
    assert changed.status_code == 422 and len(world.rows(t.court_payments)) == 1


def test_plan_report_and_visit_are_recorded(world: World, clerk: Somebody) -> None:
    world.refer()
    plan = {
        "mode": "INSTALMENTS",
        "purposes": ["LIVING", "MEDICAL"],
        "instalments": "2026-03-03 5000\n2026年4月1日 1.5万",
    }
    assert act(clerk, "plan", **plan).status_code == 422
    plan["instalments"] = "2026-03-03 5000\n2026年4月1日 15000"
    assert "发放计划已登记" in act(clerk, "plan", **plan).text
    report = {"from_day": "2026-03-01", "to_day": "2026-03-03", "spent.LIVING": "3000", "spent.MEDICAL": "2,000.50"}
    assert "使用报告已登记" in act(clerk, "use-report", **report).text
    visit = {
        "visited_on": "2026-03-03",
        "mode": "ON_SITE",
        "situation": "STILL_POOR",
        "circumstances": ["MISUSE_SEEN"],
        "visitors": "测试法官、测试书记员",
        "next_visit_on": "2026-06-01",
    }
    assert "回访已登记" in act(clerk, "visit", **visit).text
    page = clerk.get(CASE).text
    for said in ("分期发放", "15,000.00", "2,000.50", "仍有困难", "发现使用不当", "2026-06-01"):
        assert said in page
    assert {row["type"] for row in world.rows(t.inbox)} >= {"disbursement.planned", "fund_use.reported"}


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_words_in_a_form_are_shown_as_words(world: World, clerk: Somebody, hostile: str) -> None:
    world.refer(person={"name": hostile, "id_type": "000", "household_registration_region": "520102"})
    bad = act(clerk, "visit", visited_on=hostile, mode=hostile, situation="STABLE", note=hostile, visitors=hostile)
    assert bad.status_code == 422
    for page in (bad.text, clerk.get(CASE).text, clerk.post(f"{CASE}/person", {"why": hostile}).text):
        assert "<script>alert" not in page and "<img src=x" not in page


def test_a_finding_is_told_by_kind_and_rule_and_never_by_anothers_case(world: World, clerk: Somebody) -> None:
    world.refer()
    world.refer(world.neighbour, referral_id="n-7", case_number="（2026）黔03司救执7号")
    reconcile_all(world.context, now=world.now)
    page = clerk.get(CASE).text
    assert "同需求已在办" in page and "n-7" not in page and "黔03" not in page


def test_what_is_late_says_so(world: World, clerk: Somebody) -> None:
    world.hand_over()
    world.wait(timedelta(days=60))
    clerk = signed_in(clerk.site, clerk.account)
    assert "超期" in clerk.get(CASE).text


def test_the_evidence_is_taken_out_after_a_reason_and_proves_itself(world: World) -> None:
    logged = LogWorld(world)
    site = holding(world, logged.context)
    clerk = clerk_of(world, site)
    world.answer(world.hand_over(), "RECEIVED")
    logged.sign()
    assert clerk.post(f"{CASE}/evidence", {"why": ""}).status_code == 422
    answer = clerk.post(f"{CASE}/evidence", {"why": "案件评查"})
    assert (answer.status_code, answer.mimetype) == (200, "application/zip")
    assert ZipFile(BytesIO(answer.get_data())).testzip() is None
    assert verify_bundle(answer.get_data()).of(Standing.REFUTED) == ()
    (said,) = [row for row in world.rows(t.decisions) if row["what"] == "evidence_exported"]
    assert (said["who"], said["why"]) == (clerk.account.who, "案件评查")


def test_without_a_signed_tree_the_evidence_waits(world: World, clerk: Somebody) -> None:
    world.refer()
    assert clerk.post(f"{CASE}/evidence", {"why": "案件评查"}).status_code == 503


def test_a_receipt_of_anothers_message_is_not_shown(world: World, clerk: Somebody, site: Flask) -> None:
    world.refer()
    world.refer(world.neighbour, referral_id="n-1", case_number="（2026）黔03司救执1号")
    foreign = next(row["message_id"] for row in world.rows(t.inbox) if row["source"] == NEIGHBOUR)
    assert "网关已接收报文" not in clerk.get(CASE, query_string={"message": foreign}).text
    own = next(row["message_id"] for row in world.rows(t.inbox) if row["source"] != NEIGHBOUR)
    assert "网关已接收报文" in clerk.get(CASE, query_string={"message": own}).text
    world.wait(timedelta(minutes=1))
    end_our_key(world)
    assert "网关已接收报文" in clerk.get(CASE, query_string={"message": own}).text

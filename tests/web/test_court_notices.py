"""告知与交换 Matches the court is heard about, its inquiries, its clues: its own side alone, answered once."""

import json
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from gateway.domain.adjudication import Resolution
from gateway.domain.agreement import Channel
from gateway.flows.adjudicate import adjudicate
from gateway.flows.match_resolve import resolve
from gateway.flows.reconcile import reconcile_all
from gateway.store import tables as t
from tests.builders import an_id_number
from tests.gateway_world import NEIGHBOUR, WOMENS_FEDERATION, World
from tests.web.court_desk import HOSTILE, clerk_of, end_our_key, form_name, holding
from tests.web.people import Somebody

LIST = "/court/notices"
PERSON = {
    "name": "线索甲",
    "id_type": "111",
    "id_number": an_id_number(),
    "household_registration_region": "520102",
}


@pytest.fixture
def site(world: World) -> Flask:
    return holding(world)


@pytest.fixture
def clerk(world: World, site: Flask) -> Somebody:
    return clerk_of(world, site)


@pytest.fixture
def match(world: World) -> str:
    """One person, one programme, asked for by two courts, and both told."""
    world.refer()
    world.wait(timedelta(minutes=1))
    world.refer(
        world.neighbour,
        referral_id="r-2",
        case_number="（2026）黔03司救执2号",
        original_case_group="（2025）黔0302民初2号",
    )
    reconcile_all(world.context, now=world.now)
    adjudicate(world.context, now=world.now)
    (row,) = world.rows(t.matches)
    return f"{LIST}/matches/{row['match_id']}"


def tell(world: World, **changes: Any) -> None:
    body = {"clue_id": "k-1", "person": PERSON, "circumstances": ["DOMESTIC_VIOLENCE"], "legal_basis": "STATUTORY_DUTY"}
    partner = world.offices[WOMENS_FEDERATION].partner
    world.accept(partner.sign("clue.submitted", body | changes, now=world.now))


def dispose(person: Somebody, address: str, **fields: str) -> Any:
    page = person.get(address).text
    side = page.split('name="side" value="')[1][0]
    honest = {"side": side, "disposition": "LAWFUL_BOTH", "reason": "两项可以并存"}
    return person.post(address, {"form": form_name(page), **honest, **fields})


def test_nothing_yet_is_said_in_both_languages(clerk: Somebody) -> None:
    assert "没有匹配告知" in clerk.get(LIST).text
    clerk.client.set_cookie("xianjie_language", "en")
    assert "No match." in clerk.get(LIST).text


def test_each_side_sees_and_answers_its_own_alone(world: World, clerk: Somebody, site: Flask, match: str) -> None:
    other = clerk_of(world, site, NEIGHBOUR)
    mine, theirs = clerk.get(match).text, other.get(match).text
    assert "r-1" in mine and "r-2" not in mine and "r-2" in theirs and "r-1" not in theirs
    listed = clerk.get(LIST).text
    assert match in listed and "r-2" not in listed and "520300" not in listed
    answer = dispose(clerk, match)
    assert answer.status_code == 200 and "处置意见已报送" in answer.text
    (said,) = world.rows(t.dispositions)
    assert (said["code"], said["party"]) == ("LAWFUL_BOTH", world.court.party_id)
    assert "两项救助可以并存" in clerk.get(match).text
    assert "本院意见：" not in other.get(match).text
    assert match in clerk.get("/court/referrals/r-1").text


def test_pressed_twice_a_disposition_is_said_once(world: World, clerk: Somebody, match: str) -> None:
    form = form_name(clerk.get(match).text)
    for _ in range(2):
        dispose(clerk, match, form=form)
    assert len(world.rows(t.dispositions)) == 1


def test_a_long_reason_in_many_lines_is_taken_whole_or_refused(world: World, clerk: Somebody, match: str) -> None:
    reason = "\r\n".join(["甲" * 4] * 199) + "末尾"  # a browser sends two characters for the end of a line
    assert "末尾" in dispose(clerk, match, reason=reason, disposition="").text
    too_long = dispose(clerk, match, reason="乙" * 1001)
    assert (too_long.status_code, world.rows(t.dispositions)) == (422, [])
    assert dispose(clerk, match, reason=reason).status_code == 200
    assert len(world.rows(t.dispositions)) == 1


def test_a_disposition_that_does_not_fit_is_refused_with_what_was_typed(
    world: World, clerk: Somebody, match: str
) -> None:
    assert dispose(clerk, match, password_again="wrong").status_code == 403
    for wrong in (
        {"disposition": "STOP_MINE"},
        {"stops_by": "STOP"},
        {"disposition": HOSTILE[0]},
        {"reason": ""},
        {"disposition": ""},
    ):
        answer = dispose(clerk, match, **{"reason": HOSTILE[1], **wrong})
        assert answer.status_code == 422
        assert "<img src=x" not in answer.text and "<script>alert" not in answer.text
    assert dispose(clerk, match, side="Z").status_code == 404
    assert world.rows(t.dispositions) == []


def test_nobodys_match_and_anothers_are_alike(world: World, clerk: Somebody, site: Flask, match: str) -> None:
    world.add_court("cn/court/520200", "520200")
    third = clerk_of(world, site, "cn/court/520200")
    assert third.get(match).status_code == third.get(f"{LIST}/matches/none").status_code == 404
    assert third.post(match, {"form": "f", "side": "A"}).status_code == 404
    assert "没有匹配告知" in third.get(LIST).text


def resolved(world: World) -> None:
    """A person decided it, and both were told."""
    (row,) = world.rows(t.matches)
    resolve(world.context, row["match_id"], Resolution.LAWFUL, who="tester", why="经查可以并存", now=world.now)


def appeal(person: Somebody, address: str, **fields: str) -> Any:
    page = person.get(address).text
    form = fields.pop("form", None) or form_name(page)
    side = page.split('name="side" value="')[1][0] if 'name="side" value="' in page else "B"
    return person.post(f"{address}/appeal", {"form": form, "side": side, "reason": "结论所据事实有误", **fields})


def test_a_resolved_match_is_appealed_with_its_reason_and_both_are_heard_again(
    world: World, clerk: Somebody, site: Flask, match: str
) -> None:
    assert "/appeal" not in clerk.get(match).text
    resolved(world)
    form = form_name(clerk.get(match).text)
    for said in ("申诉已报送", "未重复报送"):
        answer = appeal(clerk, match, form=form, evidence="（2026）黔01证1号\r\n\r\n 附卷2 ")
        assert answer.status_code == 200 and said in answer.text
    (row,) = world.rows(t.dispositions)
    assert (row["code"], row["party"]) == ("APPEAL", world.court.party_id)
    assert json.loads(row["evidence"]) == ["（2026）黔01证1号", "附卷2"]
    page = clerk.get(match).text
    assert "本院意见：申诉" in page and "/appeal" not in page and "结论所据事实有误" not in page
    assert "申诉" not in clerk_of(world, site, NEIGHBOUR).get(match).text.replace("已申诉", "")
    adjudicate(world.context, now=world.now)
    (kept,) = world.rows(t.matches)
    assert (kept["state"], kept["round"]) == ("notified", 2)
    assert dispose(clerk, match).status_code == 200


def test_an_appeal_that_does_not_fit_is_refused_with_what_was_typed(
    world: World, clerk: Somebody, site: Flask, match: str
) -> None:
    early = appeal(clerk, match)
    assert early.status_code == 409 and "illegal_move" in early.text
    resolved(world)
    refused = appeal(clerk, match, reason="", evidence=HOSTILE[0])
    assert refused.status_code == 422 and 'id="reason-wrong"' in refused.text
    assert "&lt;script&gt;alert" in refused.text and HOSTILE[0] not in refused.text
    assert 'id="reason-wrong"' in appeal(clerk, match, reason="长" * 1001).text
    assert appeal(clerk, match, side="A").status_code == 404
    world.add_court("cn/court/520200", "520200")
    third = clerk_of(world, site, "cn/court/520200")
    assert third.post(f"{match}/appeal", {"form": "f", "side": "A", "reason": "x"}).status_code == 404
    assert world.rows(t.dispositions) == []
    clerk.client.set_cookie("xianjie_language", "en")
    assert "Send the appeal" in clerk.get(match).text


def test_an_inquiry_is_listed_with_what_was_answered(world: World, clerk: Somebody, site: Flask) -> None:
    world.add_office("civil_affairs", Channel.MAILBOX, "520103")
    body = {
        "inquiry_id": "i-1",
        "agreement_document": "黔高法〔2022〕98号",
        "case_number": "（2026）黔01司救执1号",
        "person": {**PERSON, "household_registration_region": "520103"},
        "programmes": ["MLG"],
        "legal_basis": "STATUTORY_DUTY",
        "notice_given_at": "2026-02-28",
    }
    world.accept(world.court.sign("inquiry.asked", body, now=world.now))
    page = clerk.get(LIST).text
    assert "i-1" in page and "未答复" in page and "线索甲" not in page
    assert "i-1" not in clerk_of(world, site, NEIGHBOUR).get(LIST).text


def test_a_clue_is_listed_opened_after_a_reason_and_answered_once(world: World, clerk: Somebody, site: Flask) -> None:
    tell(world, note=HOSTILE[0])
    address = f"{LIST}/clues/k-1"
    assert address in clerk.get(LIST).text
    masked = clerk.get(address).text
    assert "线索甲" not in masked and "家庭暴力" in masked
    assert clerk.post(f"{address}/person", {"why": ""}).status_code == 422
    shown = clerk.post(f"{address}/person", {"why": "联系当事人"}).text
    assert "线索甲" in shown and "<script>alert" not in shown
    world.wait(timedelta(minutes=1))
    end_our_key(world)  # what was signed before stays proven
    assert "线索甲" in clerk.post(f"{address}/person", {"why": "联系当事人"}).text
    said = next(row for row in world.rows(t.decisions) if row["what"] == "clue_viewed")
    assert (said["subject"], said["why"]) == ("k-1", "联系当事人")
    bad = clerk.post(address, {"form": "f1", "code": "FILED"})
    assert bad.status_code == 422 and "缺少必填字段" in bad.text
    assert clerk.post(address, {"form": "f1", "code": "ASSISTED", "amount_yuan": "很多"}).status_code == 422
    good = {"form": "f1", "code": "FILED", "case_number": "（2026）黔01司救刑2号"}
    for _ in range(2):
        assert "（2026）黔01司救刑2号" in clerk.post(address, good).text
    assert len(world.rows(t.clue_answers)) == 1
    other = clerk_of(world, site, NEIGHBOUR)
    for answer in (other.get(address), other.post(address, good), other.post(f"{address}/person", {"why": "x"})):
        assert answer.status_code == 404


def test_many_clues_are_read_page_by_page(world: World, clerk: Somebody) -> None:
    for number in range(23):
        tell(world, clue_id=f"k-{number}")
    first = clerk.get(LIST).text
    assert ">k-22<" in first and ">k-2<" not in first and 'rel="next"' in first
    after = first.split('href="/court/notices?clues=')[1].split('"')[0].split("#")[0]
    second = clerk.get(f"{LIST}?clues={after}").text
    assert ">k-2<" in second and ">k-22<" not in second
    assert clerk.get(f"{LIST}?clues=x&matches=-1&inquiries=1.1").status_code == 200

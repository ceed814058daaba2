"""平衡与救助链 A court sees its own and nothing of another's; the books balance; a household's chain is logged."""

from datetime import date, timedelta
from typing import Any

import pytest

from gateway.domain.lifecycle import NeedState
from gateway.domain.reconciliation.balance import total
from gateway.domain.reconciliation.chain import ChainKind
from gateway.errors import ConfigError, ReferralUnknown
from gateway.flows.account import as_json, balance, chain, fate, period
from gateway.store import tables as t
from tests.builders import an_id_number
from tests.gateway_world import AGREEMENT, COURT, NEIGHBOUR, World, a_referral_body

PERSON = a_referral_body()["person"]
PAID: dict[str, Any] = {"xj_amount": "650.00", "abaf0028": "202603", "abaf0029": "202603", "xj_payee": "1"}
DENIED: dict[str, Any] = {"xj_reason": "701", "xj_reason_text": "家庭人均收入超过标准"}


def another(serial: int) -> dict[str, Any]:
    return PERSON | {"id_number": an_id_number(serial=serial)}


# --- fate ---


def test_a_fate_tells_how_far_the_evidence_of_each_handoff_reaches(world: World) -> None:
    handoff = world.hand_over()
    world.answer(handoff, "10")
    (told,) = as_json(fate(world.context, "r-1", court=COURT, now=world.now))["handoffs"]
    assert told["message_id"] == handoff.envelope.id
    assert [(step["rung"], step["verdict"]) for step in told["ladder"]] == [
        ("relay", "accepted"),
        ("disposition", "accepted"),
    ]


def test_a_court_learns_where_each_need_stands(world: World) -> None:
    world.hand_over(needs=[{"programme": "MLG"}, {"programme": "PSY"}])
    found = fate(world.context, "r-1", court=COURT, now=world.now)
    assert [(need.need_id, need.state, need.agency) for need in found.needs] == [
        ("r-1:1", NeedState.HANDED_OFF, "civil_affairs"),
        ("r-1:2", NeedState.ROUTED, "womens_federation"),
    ]
    assert (found.withdrawn, found.holds) == (False, ())
    assert found.needs[0].deadline is not None
    assert found.needs[0].overdue is False


def test_a_limit_that_ran_out_shows_as_overdue(world: World) -> None:
    world.hand_over()
    world.wait(timedelta(days=90))
    assert fate(world.context, "r-1", court=COURT, now=world.now).needs[0].overdue is True


def test_a_strangers_referral_and_none_get_one_answer(world: World) -> None:
    world.refer()
    for referral_id in ("r-1", "r-none"):
        with pytest.raises(ReferralUnknown) as caught:
            fate(world.context, referral_id, court=NEIGHBOUR, now=world.now)
        assert (caught.value.note, caught.value.ids) == ("", {"referral_id": referral_id})


def test_a_fate_tells_of_holds_and_of_needs_without_an_office(world: World) -> None:
    world.refer(unenforced_balance_fen=1)
    world.refer(referral_id="r-2", person=another(1) | {"household_registration_region": "520302"})
    world.dispatch()
    assert fate(world.context, "r-1", court=COURT, now=world.now).holds == ("A02",)
    assert fate(world.context, "r-2", court=COURT, now=world.now).needs[0].unroutable == "no_office"


def test_a_fate_names_nobody_and_reads_as_json(world: World) -> None:
    world.hand_over()
    shown = as_json(fate(world.context, "r-1", court=COURT, now=world.now))
    named = {
        "referral_id",
        "case_number",
        "accepted_at",
        "withdrawn",
        "versions",
        "holds",
        "needs",
        "handoffs",
        "inquiry",
    }
    assert set(shown) == named
    assert not [secret for secret in (PERSON["name"], PERSON["id_number"]) if secret in str(shown)]


# --- balance ---


def test_every_need_accepted_is_accounted_for(world: World) -> None:
    handoff = world.hand_over()
    world.answer(handoff, "40", **PAID)
    handoff = world.hand_over(referral_id="r-2", person=another(1))
    world.answer(handoff, "31", xj_need="r-2:1", **DENIED)
    world.refer(referral_id="r-3", person=another(2))
    body = {"referral_id": "r-3", "reason": "报送有误"}
    world.accept(world.court.sign("referral.withdrawn", body, now=world.now))
    world.refer(referral_id="r-4", person=another(3), unenforced_balance_fen=1)
    world.refer(referral_id="r-5", person=another(4), needs=[{"programme": "MLG"}, {"programme": "ASD"}])
    (line,) = balance(world.context, as_of=world.now, now=world.now)
    assert (line.court, line.period, line.referrals, line.accepted) == (COURT, "2026-03", 5, 6)
    assert (line.assisted, line.not_assisted, line.withdrawn, line.held, line.open_in_time) == (1, 1, 1, 1, 2)
    assert line.difference == 0


def test_a_need_that_vanished_is_a_difference_and_not_hidden(world: World) -> None:
    world.refer(needs=[{"programme": "MLG"}, {"programme": "ASD"}])
    world.change(t.needs.delete().where(t.needs.c.need_id == "r-1:2"))
    (line,) = balance(world.context, as_of=world.now, now=world.now)
    assert (line.accepted, line.accounted, line.difference) == (2, 1, 1)


def test_a_court_sees_its_own_line_and_the_total_all(world: World) -> None:
    world.refer()
    world.refer(world.neighbour, referral_id="r-2", case_number="（2026）黔03司救民7号", person=another(1))
    (mine,) = balance(world.context, as_of=world.now, now=world.now, court=NEIGHBOUR)
    assert (mine.court, mine.accepted) == (NEIGHBOUR, 1)
    assert total(balance(world.context, as_of=world.now, now=world.now)).accepted == 2


def test_a_period_is_of_china_days_and_open_where_no_day_is_given(world: World) -> None:
    world.refer()
    third = date(2026, 3, 3)

    def accepted(days: Any) -> int:
        return total(balance(world.context, as_of=world.now, now=world.now, accepted=days)).accepted

    assert [accepted(days) for days in (period(third, third), period(None, third), period(third, None))] == [1, 1, 1]
    assert accepted(period(None, date(2026, 3, 2))) == 0
    assert accepted(period(date(2026, 3, 4), None)) == 0
    assert period(None, None) is None


# --- the household's chain ---


def test_a_chain_joins_the_courts_and_the_agencies_of_one_person(world: World) -> None:
    handoff = world.hand_over()
    world.answer(handoff, "40", **PAID)
    world.refer(
        world.neighbour,
        referral_id="r-2",
        case_number="（2026）黔03司救民7号",
        original_case_group="（2024）黔0302民初9号",
    )
    found = chain(world.context, "r-2", who="督导员", why="核对重复救助", now=world.now)
    assert set(found.referral_ids) == {"r-1", "r-2"}
    assert found.agencies == ("civil_affairs",)
    assert ChainKind.ASSISTANCE in {event.kind for event in found.events}


def test_every_view_of_a_chain_is_logged_with_who_and_why(world: World) -> None:
    world.refer()
    chain(world.context, "r-1", who="督导员", why="核对重复救助", now=world.now)
    (_, viewed) = world.rows(t.decisions)
    assert (viewed["who"], viewed["what"], viewed["subject"], viewed["why"]) == (
        "督导员",
        "chain_viewed",
        "r-1",
        "核对重复救助",
    )


@pytest.mark.parametrize(("who", "why"), [("", "why"), ("who", " "), ("w" * 101, "why"), ("who", "y" * 501)])
def test_nobody_views_a_chain_without_saying_who_and_why(world: World, who: str, why: str) -> None:
    world.refer()
    with pytest.raises(ConfigError):
        chain(world.context, "r-1", who=who, why=why, now=world.now)


def test_a_chain_of_nothing_is_unknown_and_not_logged(world: World) -> None:
    with pytest.raises(ReferralUnknown):
        chain(world.context, "r-none", who="督导员", why="核对", now=world.now)
    assert world.rows(t.decisions) == []


def test_a_chain_reaches_nobody_who_was_not_to_be_matched(database_url: str) -> None:
    world = World(
        database_url, agreement=AGREEMENT.replace("matching_authorised = true", "matching_authorised = false")
    )
    world.refer()
    world.refer(world.neighbour, referral_id="r-2", case_number="（2026）黔03司救民7号")
    found = chain(world.context, "r-1", who="督导员", why="核对", now=world.now)
    assert found.referral_ids == ("r-1",)
    world.close()

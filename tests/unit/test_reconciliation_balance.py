"""The books balance (Law 7). Each docstring is the ledger under test."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.domain.calendar import load_calendar
from gateway.domain.lifecycle import NeedState
from gateway.domain.reconciliation.balance import COLUMNS, BalanceLine, overdue_needs, tally, total
from gateway.domain.reconciliation.values import Dossier, NeedRow, ReplyRow, Rulebook
from tests.builders import COURT, OFFICE, a_dossier, a_need, a_reply, a_rulebook, at

RULES = a_rulebook()
IN_TIME = "2026-03-04"
LATE = "2026-03-20"


def books(*needs: NeedRow, accepted: int | None = None, replies: tuple[ReplyRow, ...] = ()) -> Dossier:
    """A referral whose intake counted as many needs as there are rows, unless said otherwise."""
    count = len(needs) if accepted is None else accepted
    return a_dossier(referral={"needs_accepted": count}, needs=needs, replies=replies)


def line_of(dossier: Dossier, as_of: str = IN_TIME, rules: Rulebook = RULES) -> BalanceLine:
    (line,) = tally([(dossier, rules)], at(as_of))
    return line


def filled(line: BalanceLine) -> dict[str, int]:
    return {column: getattr(line, column) for column in COLUMNS if getattr(line, column)}


def without_2026() -> Rulebook:
    calendar = load_calendar()
    return a_rulebook(calendar=replace(calendar, published_years=calendar.published_years - {2026}))


DENIED = a_reply("DENIED", reason="INCOME_OVER", has_text=True)


@pytest.mark.parametrize(
    ("changes", "replies", "column"),
    [
        ({"state": NeedState.ASSISTED}, (), "assisted"),
        ({"state": NeedState.PARTIALLY_ASSISTED}, (), "assisted"),
        ({"state": NeedState.FOLLOWED_UP}, (), "assisted"),
        ({"state": NeedState.CLOSED, "paid_at": at("2026-03-09")}, (), "assisted"),
        ({"state": NeedState.NOT_ASSISTED}, (DENIED,), "not_assisted"),
        ({"state": NeedState.NOT_ASSISTED}, (a_reply("PERSON_DECLINED"),), "not_assisted"),
        ({"state": NeedState.CLOSED}, (a_reply("NOT_IN_SCOPE"),), "not_assisted"),
        ({"state": NeedState.NOT_ASSISTED}, (a_reply("DENIED"),), "unexplained"),
        ({"state": NeedState.CLOSED}, (), "unexplained"),
        ({"state": NeedState.WITHDRAWN}, (), "withdrawn"),
        ({"state": NeedState.CANCELLED}, (), "withdrawn"),
        ({"state": NeedState.ENTERED_IN_ERROR}, (), "withdrawn"),
        ({"state": NeedState.HELD}, (), "held"),
        ({}, (), "open_in_time"),
        ({"state": NeedState.CANCEL_REQUESTED}, (), "open_in_time"),
    ],
)
def test_every_need_stands_in_one_column(changes: dict[str, Any], replies: tuple[ReplyRow, ...], column: str) -> None:
    """one need accepted; where it stands now."""
    line = line_of(books(a_need(**changes), replies=replies))
    assert {column: 1} == filled(line)
    assert line.balances


@pytest.mark.parametrize("state", [state for state in NeedState if state is not NeedState.REROUTED])
@pytest.mark.parametrize("as_of", [IN_TIME, LATE])
def test_no_state_falls_out_of_the_books(state: NeedState, as_of: str) -> None:
    """one need in every state there is, in time and late."""
    assert line_of(books(a_need(state=state)), as_of).balances


def test_an_open_need_past_its_limit_is_overdue_and_not_in_time() -> None:
    """2026-03-03 issued; 2026-03-20 not signed for."""
    assert {"overdue": 1} == filled(line_of(books(a_need()), LATE))


def test_a_need_without_office_becomes_overdue_as_any_other() -> None:
    """2026-03-03 accepted, no office."""
    need = a_need(state=NeedState.ACCEPTED, unroutable="no_office", issued_at=None)
    assert {"open_in_time": 1} == filled(line_of(books(need), "2026-03-04"))
    assert {"overdue": 1} == filled(line_of(books(need), LATE))


def test_a_held_need_is_never_overdue() -> None:
    """2026-03-03 held; half a year later still held."""
    assert {"held": 1} == filled(line_of(books(a_need(state=NeedState.HELD)), "2026-09-03"))


def test_a_year_without_holiday_notice_has_a_column_of_its_own() -> None:
    """2026-03-03 issued; the notice for 2026 is not loaded."""
    line = line_of(books(a_need()), "2026-03-10", without_2026())
    assert {"clock_unknown": 1} == filled(line)
    assert line.balances


def test_a_need_that_got_lost_is_shown_as_a_difference() -> None:
    """intake counted 3; 2 rows are there."""
    line = line_of(books(a_need(), a_need(need_id="n-2"), accepted=3))
    assert (3, 2, 1, False) == (line.accepted, line.accounted, line.difference, line.balances)


def test_a_need_nobody_accepted_is_shown_as_a_difference() -> None:
    """intake counted 1; 2 rows are there."""
    line = line_of(books(a_need(), a_need(need_id="n-2"), accepted=1))
    assert (-1, False) == (line.difference, line.balances)


def test_a_rerouted_need_lives_on_in_the_one_it_opened() -> None:
    """n-1 rerouted; n-2 opened in its place."""
    line = line_of(books(a_need(state=NeedState.REROUTED), a_need(need_id="n-2"), accepted=1))
    assert {"open_in_time": 1} == filled(line)
    assert line.balances


def test_a_rerouted_need_that_opened_nothing_is_a_difference() -> None:
    """n-1 rerouted; nothing followed."""
    assert 1 == line_of(books(a_need(state=NeedState.REROUTED), accepted=1)).difference


def test_a_referral_without_needs_is_counted_and_balances() -> None:
    """an assessed case with nothing to refer."""
    line = line_of(books())
    assert (1, 0, True) == (line.referrals, line.accepted, line.balances)


def test_courts_and_china_months_are_kept_apart() -> None:
    """
    Guiyang  31 March 23:30 China time
    Guiyang  1 April 00:30 China time
    Zunyi    3 March
    """
    moments = [(COURT, "2026-03-31 23:30"), (COURT, "2026-04-01 00:30"), ("cn/court/520300", "2026-03-03 09:00")]
    dossiers = [
        a_dossier(
            referral={"referral_id": f"r-{n}", "court": court, "accepted_at": at(when), "needs_accepted": 1},
            needs=(a_need(need_id=f"n-{n}", state=NeedState.HELD),),
        )
        for n, (court, when) in enumerate(moments)
    ]
    lines = tally([(dossier, RULES) for dossier in dossiers], at("2026-04-02"))
    expected = [(COURT, "2026-03", 1), (COURT, "2026-04", 1), ("cn/court/520300", "2026-03", 1)]
    assert expected == [(line.court, line.period, line.held) for line in lines]
    assert (3, 3, True) == (total(lines).accepted, total(lines).held, total(lines).balances)


def test_differences_of_two_courts_do_not_cancel_line_by_line() -> None:
    """one court lost a need, another has one too many: the total is even, the lines are not."""
    lost, extra = books(accepted=1), books(a_need(state=NeedState.HELD), accepted=0)
    extra = replace(extra, referral=replace(extra.referral, court="cn/court/520300"))
    lines = tally([(lost, RULES), (extra, RULES)], at(IN_TIME))
    assert [1, -1] == [line.difference for line in lines]
    assert total(lines).balances


def test_no_dossier_no_line() -> None:
    assert () == tally([], at(IN_TIME))
    assert total([]).balances


def test_an_overdue_need_names_its_limit_and_who_must_act() -> None:
    """2026-03-03 Tue issued and relayed; 2026-03-05 last day for the delivery receipt."""
    (late,) = overdue_needs(books(a_need()), RULES, at(LATE))
    assert ("n-1", "L02", "delivery", OFFICE) == (late.need_id, late.limit_id, late.waits_for, late.must_act)
    assert (at("2026-03-06 00:00"), True) == (late.due_at, late.past)


def test_a_need_whose_clock_cannot_be_told_is_listed_as_such() -> None:
    """2026-03-03 issued; the notice for 2026 is not loaded."""
    (unclear,) = overdue_needs(books(a_need()), without_2026(), at("2026-03-10"))
    assert (None, None, 2026) == (unclear.past, unclear.due_at, unclear.unpublished_year)


@pytest.mark.parametrize("state", [NeedState.HELD, NeedState.ASSISTED, NeedState.WITHDRAWN, NeedState.CLOSED])
def test_needs_that_wait_for_no_agency_are_not_overdue(state: NeedState) -> None:
    """one need, long ago."""
    assert () == overdue_needs(books(a_need(state=state)), RULES, at("2026-09-01"))


def test_the_overdue_column_is_the_list_of_overdue_needs() -> None:
    """three needs: late, in time, held."""
    needs = (
        a_need(),
        a_need(need_id="n-2", issued_at=at("2026-03-19 10:00"), relayed_at=at("2026-03-19 10:01")),
        a_need(need_id="n-3", state=NeedState.HELD),
    )
    line = line_of(books(*needs), LATE)
    assert {"overdue": 1, "open_in_time": 1, "held": 1} == filled(line)
    assert ["n-1"] == [late.need_id for late in overdue_needs(books(*needs), RULES, at(LATE))]

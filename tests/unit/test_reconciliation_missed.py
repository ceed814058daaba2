"""Who was not helped in time. Each docstring is the ledger under test; beside each doubt its honest neighbour."""

import json
from dataclasses import replace
from typing import Any

import pytest

from gateway.domain.calendar import load_calendar
from gateway.domain.lifecycle import NeedState
from gateway.domain.reconciliation.checks import run
from gateway.domain.reconciliation.values import Dossier, Finding, Rulebook
from gateway.domain.referral import Decision, ReferralAssessment
from tests.builders import COURT, OFFICE, a_dossier, a_need, a_reply, a_rulebook, at

RULES = a_rulebook()


def codes(dossier: Dossier, as_of: str, rules: Rulebook = RULES) -> list[str]:
    return [finding.code for finding in run(dossier, rules, at(as_of))]


def only(dossier: Dossier, as_of: str, rules: Rulebook = RULES) -> Finding:
    found = run(dossier, rules, at(as_of))
    assert 1 == len(found), [finding.code for finding in found]
    return found[0]


def taken_up(**changes: Any) -> Any:
    """A need the office took up on Thursday 5 March."""
    honest: dict[str, Any] = {
        "state": NeedState.ACCEPTED_BY_AGENCY,
        "received_at": at("2026-03-03 11:00"),
        "disposition_at": at("2026-03-05 10:00"),
    }
    return a_need(**(honest | changes))


def approved(**changes: Any) -> Any:
    """A need granted on Tuesday 10 March."""
    honest: dict[str, Any] = {
        "state": NeedState.IN_PROGRESS,
        "decided_at": at("2026-03-10 10:00"),
        "approved_fen": 60_000,
    }
    return taken_up(**(honest | changes))


def without_2026() -> Rulebook:
    calendar = load_calendar()
    return a_rulebook(calendar=replace(calendar, published_years=calendar.published_years - {2026}))


# --- assessment (R01) ---


def test_a_case_without_assessment_is_in_doubt_after_five_working_days() -> None:
    """
    2026-03-02 Mon  case concluded, nothing said about social assistance
    2026-03-09 Mon  last day
    2026-03-10 Tue  looked at
    """
    found = only(a_dossier(referral={"assessment": None}, needs=(), handoffs=()), "2026-03-10 00:01")
    assert ("MISS_NO_ASSESSMENT", "R01", COURT) == (found.code, found.rule_id, found.must_act)
    assert at("2026-03-10 00:00") == found.due_at
    assert "MISS_NO_ASSESSMENT|r-1|-|" == found.key


def test_the_last_day_for_the_assessment_is_still_in_time() -> None:
    """
    2026-03-02 Mon  concluded
    2026-03-09 Mon  looked at, 23:59
    """
    assert [] == codes(a_dossier(referral={"assessment": None}, needs=(), handoffs=()), "2026-03-09 23:59")


def test_a_case_without_aid_needs_an_assessment_as_well() -> None:
    """
    2026-03-02  concluded: no aid
    2026-03-20  no assessment
    """
    refused = {"decision": Decision.NOT_ASSIST, "assessment": None, "decided_amount_fen": 0}
    dossier = a_dossier(referral=refused, needs=(), handoffs=(), court_payments=())
    assert ["MISS_NO_ASSESSMENT"] == codes(dossier, "2026-03-20")


@pytest.mark.parametrize("said", list(ReferralAssessment))
def test_any_assessment_will_do(said: ReferralAssessment) -> None:
    """2026-03-02  concluded and assessed: even "no need" is an assessment."""
    assert [] == codes(a_dossier(referral={"assessment": said}, needs=(), handoffs=()), "2026-06-01")


def test_a_withdrawn_referral_is_not_asked_for_its_assessment() -> None:
    """2026-03-03  withdrawn by the court."""
    withdrawn = a_dossier(referral={"assessment": None, "withdrawn": True}, needs=(), handoffs=())
    assert [] == codes(withdrawn, "2026-06-01")


def test_a_minors_case_is_due_after_three_working_days() -> None:
    """
    2026-03-02 Mon  a child's case concluded
    2026-03-05 Thu  last day
    """
    child = a_dossier(referral={"assessment": None, "is_minor": True}, needs=(), handoffs=())
    assert [] == codes(child, "2026-03-05 23:00")
    assert ["MISS_NO_ASSESSMENT"] == codes(child, "2026-03-06 00:01")


# --- no office (R02) ---


def test_a_need_without_office_is_in_doubt_at_once_with_the_reason() -> None:
    """2026-03-03 09:00  accepted; 09:01 routing finds no office for the programme."""
    need = a_need(state=NeedState.ACCEPTED, unroutable="no_office", issued_at=None, office_id=None, handoff_id=None)
    found = only(a_dossier(needs=(need,), handoffs=()), "2026-03-03 09:05")
    assert ("MISS_UNROUTABLE", "operator") == (found.code, found.must_act)
    assert "no_office" == found.evidence["reason"]


def test_a_need_that_stays_without_office_is_one_doubt_and_not_also_a_late_handoff() -> None:
    """2026-03-03  accepted, no office; 2026-04-03 still none."""
    need = a_need(state=NeedState.ACCEPTED, unroutable="no_office", issued_at=None, handoff_id=None)
    assert ["MISS_UNROUTABLE"] == codes(a_dossier(needs=(need,), handoffs=()), "2026-04-03")


def test_a_withdrawn_need_without_office_is_nobodys_business() -> None:
    """2026-03-03  no office; 2026-03-04 withdrawn."""
    need = a_need(state=NeedState.WITHDRAWN, unroutable="no_office", issued_at=None)
    assert [] == codes(a_dossier(needs=(need,)), "2026-04-03")


# --- receipts ---


def test_a_handoff_the_partners_machine_never_took_is_the_operators() -> None:
    """
    2026-03-03 Tue 10:00  issued
    2026-03-04 Wed        last day for the relay receipt
    2026-03-05 Thu        none
    """
    found = only(a_dossier(needs=(a_need(relayed_at=None, state=NeedState.ROUTED),)), "2026-03-05 00:01")
    assert ("MISS_NO_RECEIPT", "operator", "relay") == (found.code, found.must_act, found.evidence["waits_for"])
    assert "L01" == found.evidence["limit"]


def test_a_handoff_nobody_signed_for_is_the_offices() -> None:
    """
    2026-03-03 Tue  issued and relayed
    2026-03-05 Thu  last day for the delivery receipt
    """
    assert [] == codes(a_dossier(), "2026-03-05 23:59")
    found = only(a_dossier(), "2026-03-06 00:01")
    assert ("MISS_NO_RECEIPT", OFFICE, "delivery") == (found.code, found.must_act, found.evidence["waits_for"])


def test_a_delivery_receipt_makes_up_for_a_missing_relay_receipt() -> None:
    """2026-03-03  issued; no relay receipt, but the office signed for it the same day."""
    need = a_need(state=NeedState.RECEIVED, relayed_at=None, received_at=at("2026-03-03 15:00"))
    assert [] == codes(a_dossier(needs=(need,)), "2026-03-09")


def test_a_need_that_was_never_issued_is_late_as_a_handoff_is() -> None:
    """2026-03-03  accepted, an office exists, nothing leaves."""
    need = a_need(state=NeedState.ACCEPTED, issued_at=None, relayed_at=None, handoff_id=None)
    found = only(a_dossier(needs=(need,), handoffs=()), "2026-03-09")
    assert ("MISS_NO_RECEIPT", "operator", "handoff") == (found.code, found.must_act, found.evidence["waits_for"])


def test_a_need_released_from_a_hold_has_its_time_from_the_release() -> None:
    """2026-03-03  accepted and held; 2026-03-20 Fri released."""
    need = a_need(
        state=NeedState.ACCEPTED, issued_at=None, relayed_at=None, handoff_id=None, state_at=at("2026-03-20 10:00")
    )
    assert [] == codes(a_dossier(needs=(need,), handoffs=()), "2026-03-20 18:00")


def test_a_held_need_waits_for_a_person_and_not_for_an_agency() -> None:
    """2026-03-03  held; three months later still held: counted apart, see the balance."""
    need = a_need(state=NeedState.HELD, issued_at=None, relayed_at=None)
    assert [] == codes(a_dossier(needs=(need,)), "2026-06-03")


# --- decisions ---


def test_an_office_that_signed_and_never_answers_is_in_doubt_after_five_working_days() -> None:
    """
    2026-03-03 Tue  issued, signed for
    2026-03-10 Tue  last day for a first answer
    """
    need = a_need(state=NeedState.RECEIVED, received_at=at("2026-03-03 11:00"))
    assert [] == codes(a_dossier(needs=(need,)), "2026-03-10 23:00")
    found = only(a_dossier(needs=(need,)), "2026-03-11 00:01")
    assert ("MISS_NO_DECISION", OFFICE, "disposition") == (found.code, found.must_act, found.evidence["waits_for"])


def test_a_decision_is_due_by_the_programmes_own_limit() -> None:
    """
    2026-03-05 Thu  taken up: minimum living guarantee, 30 working days
    2026-04-17 Fri  last day (4 to 6 April is a holiday)
    """
    found = only(a_dossier(needs=(taken_up(),), replies=(a_reply(),)), "2026-04-20")
    assert ("MISS_NO_DECISION", "L04") == (found.code, found.evidence["limit"])
    assert [] == codes(a_dossier(needs=(taken_up(),), replies=(a_reply(),)), "2026-04-17 12:00")


def test_urgent_aid_is_due_within_hours() -> None:
    """
    2026-03-05 10:00  taken up: urgent temporary assistance, 48 hours to the money
    2026-03-07 10:00  last moment, a Saturday
    """
    need = taken_up(programme="TMP_U")
    assert [] == codes(a_dossier(needs=(need,)), "2026-03-07 10:00")
    assert ["MISS_NO_DECISION"] == codes(a_dossier(needs=(need,)), "2026-03-07 10:01")


def test_an_office_that_returned_the_papers_waits_for_the_court() -> None:
    """2026-03-05  returned for material; nothing comes back."""
    need = taken_up(state=NeedState.INFORMATION_REQUESTED)
    found = only(a_dossier(needs=(need,), replies=(a_reply("RETURNED"),)), "2026-05-20")
    assert ("MISS_RETURNED_NOT_RESUBMITTED", COURT) == (found.code, found.must_act)


@pytest.mark.parametrize(
    ("amended_at", "expected"),
    [
        ("2026-03-04 10:00", ("MISS_RETURNED_NOT_RESUBMITTED", COURT)),
        ("2026-03-10 10:00", ("MISS_NO_DECISION", OFFICE)),
    ],
)
def test_a_court_that_amended_since_has_given_the_office_its_papers(amended_at: str, expected: tuple[str, str]) -> None:
    """2026-03-05  returned for material; the court amends its referral before, or after."""
    need = taken_up(state=NeedState.INFORMATION_REQUESTED, state_at=at("2026-03-05 10:00"))
    dossier = a_dossier(needs=(need,), replies=(a_reply("RETURNED"),), referral={"amended_at": at(amended_at)})
    found = only(dossier, "2026-05-20")
    assert (found.code, found.must_act) == expected


def test_a_forwarded_need_keeps_its_clock() -> None:
    """2026-03-05  forwarded to another organ, which never answers (R08)."""
    need = taken_up(state=NeedState.UNDER_REVIEW)
    dossier = a_dossier(needs=(need,), replies=(a_reply("FORWARDED", forwarded_to="某局"),))
    found = only(dossier, "2026-05-20")
    assert ("MISS_FORWARDED_LOST", "R08", "L04") == (found.code, found.rule_id, found.evidence["limit"])


def test_a_forwarded_need_without_a_limit_of_its_own_is_due_as_any_first_answer() -> None:
    """2026-03-05 Thu  medical assistance forwarded; five working days end on 12 March."""
    need = taken_up(programme="MED", state=NeedState.UNDER_REVIEW)
    dossier = a_dossier(needs=(need,), replies=(a_reply("FORWARDED"),))
    assert [] == codes(dossier, "2026-03-12 20:00")
    assert ["MISS_FORWARDED_LOST"] == codes(dossier, "2026-03-13 00:01")


def test_a_denial_taken_back_counts_as_no_decision() -> None:
    """
    2026-03-10  denied with reasons
    2026-03-12  taken up again
    2026-05-20  nothing more
    """
    need = taken_up(state=NeedState.UNDER_REVIEW, decided_at=at("2026-03-10 10:00"))
    replies = (
        a_reply("DENIED", "2026-03-10 10:00", reason="INCOME_OVER", has_text=True),
        a_reply("IN_VERIFICATION", "2026-03-12 10:00"),
    )
    assert ["MISS_NO_DECISION"] == codes(a_dossier(needs=(need,), replies=replies), "2026-05-20")


# --- money ---


def test_a_grant_that_is_never_paid_is_in_doubt_with_its_amount() -> None:
    """
    2026-03-10 Tue  granted, 600 yuan
    2026-04-08 Wed  last of 20 working days
    """
    dossier = a_dossier(needs=(approved(),), replies=(a_reply("APPROVED", "2026-03-10 10:00", amount_fen=60_000),))
    assert [] == codes(dossier, "2026-04-08 12:00")
    found = only(dossier, "2026-04-09 00:01")
    assert ("MISS_APPROVED_UNPAID", 60_000, OFFICE) == (found.code, found.stake_fen, found.must_act)


def test_a_status_is_the_help_itself_and_never_unpaid() -> None:
    """2026-03-10  recognised as a family on the low-income margin: nothing is paid for that."""
    assert [] == codes(a_dossier(needs=(approved(programme="LIM", approved_fen=None),)), "2026-06-01")


def test_money_the_bank_sent_back_is_in_doubt_until_it_goes_again() -> None:
    """
    2026-03-12  paid
    2026-03-16  returned by the bank
    2026-05-06  not paid again
    """
    need = approved(state=NeedState.ASSISTED, paid_fen=60_000)
    replies = (
        a_reply("PAID", "2026-03-12 10:00", amount_fen=60_000),
        a_reply("PAYMENT_RETURNED", "2026-03-16 10:00"),
    )
    found = only(a_dossier(needs=(need,), replies=replies), "2026-05-06")
    assert ("PAYMENT_RETURNED_OPEN", 60_000) == (found.code, found.stake_fen)


def test_money_that_went_again_is_in_order() -> None:
    """2026-03-12 paid; 2026-03-16 returned; 2026-03-18 paid again."""
    need = approved(state=NeedState.ASSISTED, paid_at=at("2026-03-18 10:00"))
    replies = (
        a_reply("PAID", "2026-03-12 10:00", amount_fen=60_000),
        a_reply("PAYMENT_RETURNED", "2026-03-16 10:00"),
        a_reply("PAID", "2026-03-18 10:00", amount_fen=60_000),
    )
    assert [] == codes(a_dossier(needs=(need,), replies=replies), "2026-05-06")


# --- passed around, denied ---


@pytest.mark.parametrize("answer", ["NOT_IN_SCOPE", "NOT_IN_REGION", "MOVED"])
def test_a_need_an_office_sent_away_and_nobody_has_is_in_doubt(answer: str) -> None:
    """2026-03-05  not ours; nobody hands it on."""
    need = taken_up(state=NeedState.DECLINED)
    found = only(a_dossier(needs=(need,), replies=(a_reply(answer, suggested_region="520103"),)), "2026-03-05 11:00")
    assert ("MISS_BOUNCED", "operator", answer) == (found.code, found.must_act, found.evidence["answer"])
    assert "520103" == found.evidence["suggested_region"]
    assert at("2026-03-07 00:00") == found.due_at


@pytest.mark.parametrize("state", [NeedState.REROUTED, NeedState.UNDER_REVIEW])
def test_a_need_handed_on_or_taken_back_is_not_passed_around(state: NeedState) -> None:
    """2026-03-05  not ours; 2026-03-06 rerouted, or the office looks at it after all."""
    need = taken_up(state=state)
    assert [] == codes(a_dossier(needs=(need,), replies=(a_reply("NOT_IN_SCOPE"),)), "2026-03-09")


def test_a_denial_refused_for_want_of_reasons_is_remembered() -> None:
    """2026-03-05  denied, no reason, refused at the adapter (R09)."""
    need = a_need(state=NeedState.RECEIVED, received_at=at("2026-03-03 11:00"))
    bare = a_reply("DENIED", applied=False, problem="denied_without_reason")
    found = only(a_dossier(needs=(need,), replies=(bare,)), "2026-03-06")
    assert ("MISS_DENIED_NO_REASON", "R09", OFFICE) == (found.code, found.rule_id, found.must_act)


def test_a_proper_decision_afterwards_ends_the_doubt() -> None:
    """2026-03-05 denied without reasons; 2026-03-09 denied again, with reasons."""
    need = taken_up(state=NeedState.NOT_ASSISTED, decided_at=at("2026-03-09 10:00"))
    replies = (
        a_reply("DENIED", applied=False, problem="denied_without_reason"),
        a_reply("DENIED", "2026-03-09 10:00", reason="INCOME_OVER", has_text=True),
    )
    assert [] == codes(a_dossier(needs=(need,), replies=replies), "2026-04-01")


@pytest.mark.parametrize("missing", [{"reason": None}, {"has_text": False}])
def test_a_denial_that_got_through_without_reason_or_text_is_in_doubt(missing: dict[str, Any]) -> None:
    """2026-03-05  denied; a reason code without text, or text without a code."""
    need = taken_up(state=NeedState.NOT_ASSISTED)
    told: dict[str, Any] = {"reason": "OTHER", "has_text": True} | missing
    bare = a_reply("DENIED", **told)
    assert ["MISS_DENIED_NO_REASON"] == codes(a_dossier(needs=(need,), replies=(bare,)), "2026-04-01")


# --- calendars, re-runs ---


def test_a_year_without_holiday_notice_is_said_and_never_guessed() -> None:
    """2026-03-03  issued; the notice for 2026 is not loaded; looked at on 9 March."""
    found = only(a_dossier(), "2026-03-09", without_2026())
    assert ("MISS_CLOCK_UNKNOWN", "operator", 2026) == (
        found.code,
        found.must_act,
        found.evidence["calendar_unpublished"],
    )
    assert found.due_at is None


def test_a_limit_that_no_calendar_could_have_used_up_is_in_time_without_one() -> None:
    """2026-03-03  issued; the next morning not even a year without holidays had used up one working day."""
    assert [] == codes(a_dossier(), "2026-03-04 09:00", without_2026())


def test_an_agreement_that_sets_no_limits_makes_nobody_late() -> None:
    """2026-03-03  issued; a profile without limits."""
    assert [] == codes(a_dossier(), "2026-12-01", a_rulebook(limits=()))


def test_the_case_in_good_order_raises_nothing() -> None:
    """2026-03-02 concluded and paid; 03-03 handed to civil affairs; everything in time."""
    assert [] == codes(a_dossier(), "2026-03-04")


def test_a_second_run_finds_the_same_thing_under_the_same_key() -> None:
    """2026-03-03  issued, never answered; looked at twice, weeks apart."""
    first, second = run(a_dossier(), RULES, at("2026-03-20")), run(a_dossier(), RULES, at("2026-04-20"))
    assert first
    assert first == second
    assert [finding.key for finding in first] == [finding.key for finding in second]


def test_evidence_can_be_written_down_and_keys_fit_their_column() -> None:
    """2026-03-05  not ours, denied without reasons, unanswered: everything at once."""
    need = taken_up(state=NeedState.DECLINED)
    replies = (a_reply("NOT_IN_SCOPE"), a_reply("DENIED", applied=False, problem="denied_without_reason"))
    found = run(a_dossier(needs=(need, a_need(need_id="n-2")), replies=replies), RULES, at("2026-06-01"))
    assert found
    assert all(json.dumps(dict(finding.evidence)) and len(finding.key) <= 400 for finding in found)

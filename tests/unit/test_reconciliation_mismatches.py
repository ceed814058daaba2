"""Where two sides tell different things. Each docstring is the ledger under test, its honest neighbour beside it."""

import re
from datetime import date
from inspect import getsource
from typing import Any

import pytest

from gateway.domain.lifecycle import NeedState
from gateway.domain.reconciliation import checks, duplicates, mismatches, missed
from gateway.domain.reconciliation.checks import CHECKS, run
from gateway.domain.reconciliation.values import Dossier, Finding, NeedRow, ReplyRow
from gateway.domain.referral import Decision
from gateway.domain.rules import read_table
from tests.builders import COURT, DECIDED_FEN, OFFICE, a_court_payment, a_dossier, a_need, a_reply, a_rulebook, at

RULES = a_rulebook()
AS_OF = at("2026-03-12")


def found_in(dossier: Dossier) -> list[Finding]:
    return list(run(dossier, RULES, AS_OF))


def codes(dossier: Dossier) -> list[str]:
    return [finding.code for finding in found_in(dossier)]


def paid_need(programme: str = "TMP_E", approved_fen: int | None = 60_000, **changes: Any) -> NeedRow:
    honest: dict[str, Any] = {
        "programme": programme,
        "state": NeedState.ASSISTED,
        "received_at": at("2026-03-03 11:00"),
        "disposition_at": at("2026-03-05 10:00"),
        "decided_at": at("2026-03-05 10:00"),
        "paid_at": at("2026-03-06 10:00"),
        "approved_fen": approved_fen,
    }
    return a_need(**(honest | changes))


def paid(when: str = "2026-03-06 10:00", amount: int = 60_000, **changes: Any) -> ReplyRow:
    return a_reply("PAID", when, amount_fen=amount, **changes)


def ledger(*replies: ReplyRow, need: NeedRow | None = None) -> Dossier:
    return a_dossier(needs=(need or paid_need(),), replies=replies)


# --- amounts (A05) ---


def test_a_court_that_pays_more_than_it_decided_is_in_doubt() -> None:
    """decided 20,000; paid 25,000."""
    (found,) = found_in(a_dossier(court_payments=(a_court_payment(amount_fen=2_500_000),), needs=()))
    assert ("MM_AMOUNT", "A05", 500_000, COURT) == (found.code, found.rule_id, found.stake_fen, found.must_act)


def test_a_court_that_pays_too_little_is_in_doubt_once_its_time_is_over() -> None:
    """decided 20,000 on 2 March; paid 12,000; 20 working days end on 30 March."""
    dossier = a_dossier(court_payments=(a_court_payment(amount_fen=1_200_000),), needs=())
    assert () == run(dossier, RULES, at("2026-03-30 12:00"))
    (found,) = run(dossier, RULES, at("2026-03-31 00:01"))
    assert ("MM_AMOUNT", 800_000) == (found.code, found.stake_fen)


def test_a_court_that_pays_without_a_decision_to_assist_is_in_doubt() -> None:
    """no aid decided; paid 20,000."""
    dossier = a_dossier(referral={"decision": Decision.NOT_ASSIST, "decided_amount_fen": 0}, needs=())
    (found,) = found_in(dossier)
    assert ("MM_AMOUNT", DECIDED_FEN) == (found.code, found.stake_fen)


def test_an_advance_before_a_terminated_case_is_in_order() -> None:
    """advance 5,000 paid; the case is terminated."""
    referral = {"decision": Decision.TERMINATED, "decided_amount_fen": 0, "advance_fen": 500_000}
    assert [] == codes(a_dossier(referral=referral, court_payments=(a_court_payment(amount_fen=500_000),), needs=()))


def test_a_court_that_reported_no_payment_is_not_accused() -> None:
    """decided 20,000; nothing reported."""
    assert [] == codes(a_dossier(court_payments=(), needs=()))


def test_an_agency_that_pays_another_amount_than_it_approved_is_in_doubt() -> None:
    """approved 600; paid 900."""
    (found,) = found_in(ledger(paid(amount=90_000)))
    assert ("MM_AMOUNT", 30_000, OFFICE) == (found.code, found.stake_fen, found.must_act)


def test_an_agency_that_pays_what_it_approved_is_in_order() -> None:
    """approved 600; paid 600."""
    assert [] == codes(ledger(paid()))


def test_a_first_instalment_is_in_order_until_the_time_for_paying_is_over() -> None:
    """approved 600 on 5 March; paid 200; 20 working days end on 2 April."""
    dossier = ledger(paid(amount=20_000))
    assert [] == codes(dossier)
    assert ["MM_AMOUNT"] == [finding.code for finding in run(dossier, RULES, at("2026-04-08"))]


def test_a_quarter_of_a_monthly_benefit_in_one_sum_is_in_order() -> None:
    """guarantee 600 a month; paid 1,800."""
    assert [] == codes(ledger(paid(amount=180_000), need=paid_need("MLG")))


def test_a_sum_that_is_no_number_of_months_is_in_doubt() -> None:
    """guarantee 600 a month; paid 1,900."""
    (found,) = found_in(ledger(paid(amount=190_000), need=paid_need("MLG")))
    assert ("MM_AMOUNT", 10_000) == (found.code, found.stake_fen)


def test_a_benefit_that_was_raised_is_judged_by_the_rate_of_its_day() -> None:
    """approved 600; paid 600; raised to 650; paid 650."""
    replies = (
        a_reply("APPROVED", "2026-03-05 10:00", amount_fen=60_000),
        paid(),
        a_reply("APPROVED", "2026-03-09 10:00", amount_fen=65_000),
        paid("2026-03-10 10:00", 65_000),
    )
    assert [] == codes(ledger(*replies, need=paid_need("MLG", 65_000)))


# --- persons, states, codes ---


def test_a_reply_about_another_person_is_in_doubt_with_the_money_that_went() -> None:
    """paid 600, and the number echoed is not the beneficiary's."""
    (found,) = found_in(ledger(paid(person_matches=False)))
    assert ("MM_PERSON", 60_000, "h-1") == (found.code, found.stake_fen, found.subject)


@pytest.mark.parametrize("echo", [True, None])
def test_a_reply_about_the_right_person_or_without_echo_is_in_order(echo: bool | None) -> None:
    """paid 600; the number echoed is the beneficiary's, or none is."""
    assert [] == codes(ledger(paid(person_matches=echo)))


def test_an_answer_that_cannot_follow_from_our_state_is_in_doubt() -> None:
    """withdrawn here on 4 March; the agency says paid on 6 March."""
    need = a_need(state=NeedState.WITHDRAWN)
    (found,) = found_in(ledger(paid(applied=False, problem="illegal_move"), need=need))
    assert ("MM_STATUS", "withdrawn", "PAID") == (found.code, found.evidence["ours"], found.evidence["theirs"])


def test_a_later_answer_that_fits_ends_the_doubt() -> None:
    """an answer that did not fit, then one that did."""
    replies = (a_reply("CLOSED", "2026-03-05 11:00", applied=False, problem="illegal_move"), paid())
    assert [] == codes(ledger(*replies))


def test_a_late_answer_that_was_overtaken_is_no_doubt() -> None:
    """paid on 6 March; "accepted" of 4 March arrives after it."""
    assert [] == codes(ledger(paid(), a_reply("ACCEPTED", "2026-03-04 10:00", applied=False, problem="superseded")))


def test_an_unknown_code_is_the_operators_to_map() -> None:
    """the agency answers 77, which no table has."""
    unknown = a_reply(None, "2026-03-04 10:00", raw_code="77", applied=False, problem="unknown_code")
    (found,) = found_in(a_dossier(needs=(), replies=(unknown,)))
    assert ("MM_UNKNOWN_CODE", "operator", "77") == (found.code, found.must_act, found.evidence["raw_code"])


@pytest.mark.parametrize("raw", ["529999198601010028", "13900000000", "张三", "see note"])
def test_an_unknown_code_that_may_name_somebody_is_not_repeated(raw: str) -> None:
    """the agency writes something else where its code belongs."""
    unknown = a_reply(None, "2026-03-04 10:00", raw_code=raw, applied=False, problem="unknown_code")
    (found,) = found_in(a_dossier(needs=(), replies=(unknown,)))
    assert "raw_code" not in found.evidence
    assert raw not in found.key


def test_an_unknown_code_followed_by_one_we_know_is_settled() -> None:
    """77 on 4 March; paid on 6 March."""
    unknown = a_reply(None, "2026-03-04 10:00", raw_code="77", applied=False, problem="unknown_code")
    assert [] == codes(ledger(unknown, paid()))


def test_an_answer_about_a_need_that_was_not_sent_is_unexpected() -> None:
    """handoff h-1 asked for n-1; the office answers about n-7."""
    stray = a_reply("PAID", "2026-03-06 10:00", need_id="n-7", applied=False, problem="unknown_need")
    (found,) = found_in(a_dossier(needs=(), replies=(stray,)))
    assert ("UNEXPECTED_REPLY", OFFICE, None) == (found.code, found.must_act, found.need_id)


# --- caps (A01, A02) ---


@pytest.mark.parametrize(
    ("referral", "rules"),
    [
        ({"cap_fen": 1_900_000}, ["A01"]),
        ({"unenforced_balance_fen": 1_500_000}, ["A02"]),
        ({"cap_fen": 1_900_000, "unenforced_balance_fen": 1_500_000, "cap_exceeded_reason": True}, ["A02"]),
        ({"cap_fen": 3_000_000, "joint_id": "j-1", "joint_decided_fen": 4_000_000}, ["A01"]),
        ({"cap_fen": 2_000_000, "unenforced_balance_fen": 2_000_000}, []),
        ({"cap_fen": 1_900_000, "cap_exceeded_reason": True}, []),
        ({"cap_fen": None}, []),
        ({"cap_fen": 1, "withdrawn": True}, []),
    ],
)
def test_what_is_above_a_bound_is_in_doubt(referral: dict[str, Any], rules: list[str]) -> None:
    """decided 20,000; the cap, the balance or the joint decision as given."""
    found = [finding for finding in found_in(a_dossier(referral=referral, needs=())) if finding.code == "OVER_CAP"]
    assert rules == [finding.rule_id for finding in found]


def test_the_stake_is_what_lies_above_the_bound() -> None:
    """decided 20,000; cap 19,000."""
    (found,) = found_in(a_dossier(referral={"cap_fen": 1_900_000}, needs=()))
    assert 100_000 == found.stake_fen


# --- payees, stops, deaths ---


def test_money_of_the_court_paid_to_somebody_else_is_in_doubt() -> None:
    """paid 20,000 to OTHER."""
    (found,) = found_in(a_dossier(court_payments=(a_court_payment(payee="OTHER"),), needs=()))
    assert ("PAYEE_NOT_BENEFICIARY", "p-1", DECIDED_FEN) == (found.code, found.subject, found.stake_fen)


def test_money_of_an_agency_paid_to_somebody_else_is_in_doubt() -> None:
    """paid 600 to OTHER."""
    assert ["PAYEE_NOT_BENEFICIARY"] == codes(ledger(paid(payee="OTHER")))


@pytest.mark.parametrize("payee", ["BENEFICIARY", "GUARDIAN", "AGENT"])
def test_beneficiary_guardian_and_agent_may_take_the_money(payee: str) -> None:
    """paid 20,000 and 600 to them."""
    dossier = a_dossier(
        court_payments=(a_court_payment(payee=payee),), needs=(paid_need(),), replies=(paid(payee=payee),)
    )
    assert [] == codes(dossier)


def test_an_agency_that_does_not_say_who_took_the_money_is_not_accused() -> None:
    """paid 600, no payee stated."""
    assert [] == codes(ledger(paid(payee=None)))


STOP = a_reply("STOPPED", "2026-04-20 10:00", starts_on=date(2026, 5, 1))


@pytest.mark.parametrize(
    ("payment", "expected"),
    [
        (paid("2026-05-10 10:00", starts_on=date(2026, 5, 1), ends_on=date(2026, 5, 31)), ["PAID_AFTER_STOP"]),
        (paid("2026-05-10 10:00", starts_on=date(2026, 4, 1), ends_on=date(2026, 5, 31)), ["PAID_AFTER_STOP"]),
        (paid("2026-05-10 10:00", starts_on=date(2026, 4, 1), ends_on=date(2026, 4, 30)), []),
        (paid("2026-04-25 10:00"), []),
        (paid("2026-05-02 10:00"), ["PAID_AFTER_STOP"]),
        (paid("2026-04-02 10:00", starts_on=date(2026, 4, 1), ends_on=date(2026, 6, 30)), []),
    ],
    ids=["month after", "reaches beyond", "arrears", "before it counts", "no months", "quarter paid before"],
)
def test_a_benefit_paid_for_a_time_after_its_stop_is_in_doubt(payment: ReplyRow, expected: list[str]) -> None:
    """guarantee 600; on 20 April stopped from 1 May."""
    assert expected == codes(ledger(STOP, payment, need=paid_need("MLG")))


def test_a_benefit_granted_anew_after_its_stop_is_in_order() -> None:
    """stopped from 1 May; granted again on 4 May; paid for May."""
    again = a_reply("APPROVED", "2026-05-04 10:00", amount_fen=60_000)
    payment = paid("2026-05-10 10:00", starts_on=date(2026, 5, 1))
    assert [] == codes(ledger(STOP, again, payment, need=paid_need("MLG")))


def test_money_paid_after_a_death_told_by_another_office_is_in_doubt() -> None:
    """n-2: died on 20 March; n-1: paid on 10 April."""
    needs = (paid_need("MLG"), paid_need("DCERT", None, need_id="n-2", state=NeedState.NOT_ASSISTED))
    replies = (
        a_reply("DECEASED", "2026-03-25 10:00", need_id="n-2", starts_on=date(2026, 3, 20)),
        paid("2026-04-10 10:00"),
    )
    assert ["PAID_DECEASED"] == codes(a_dossier(needs=needs, replies=replies))


def test_the_month_of_the_death_may_have_been_paid() -> None:
    """paid on 10 March for March; died on 20 March."""
    replies = (
        paid("2026-03-10 10:00", starts_on=date(2026, 3, 1), ends_on=date(2026, 3, 31)),
        a_reply("DECEASED", "2026-03-25 10:00", starts_on=date(2026, 3, 20)),
    )
    assert [] == codes(ledger(*replies, need=paid_need("MLG", state=NeedState.NOT_ASSISTED)))


# --- the list of checks ---


def test_every_code_a_check_can_raise_is_a_row_of_the_table() -> None:
    sources = "".join(getsource(module) for module in (missed, duplicates, mismatches))
    raised = set(re.findall(r'"((?:MISS|DUP|MM|PAID|PAYEE|PAYMENT|OVER|UNEXPECTED)_[A-Z_]+)"', sources))
    assert {"MISS_NO_ASSESSMENT", "DUP_PAYMENT", "MM_PERSON", "UNEXPECTED_REPLY"} <= raised
    assert set() == raised - {row["code"] for row in read_table("findings")}


def test_every_check_is_listed_once() -> None:
    assert len(CHECKS) == len(set(CHECKS))
    assert {*missed.MISSED, *duplicates.DUPLICATES, *mismatches.MISMATCHES} <= set(checks.CHECKS)
    assert [] == [check for check in CHECKS if list(check(a_dossier(), RULES, at("2026-03-04")))]


def test_a_second_run_finds_the_same_thing_under_the_same_key() -> None:
    """Everything at once, looked at twice."""
    dossier = a_dossier(
        referral={"cap_fen": 1},
        needs=(paid_need(),),
        replies=(paid(amount=90_000, payee="OTHER", person_matches=False),),
        court_payments=(a_court_payment(payee="OTHER", amount_fen=2_500_000),),
    )
    first = run(dossier, RULES, AS_OF)
    assert 6 == len(first)
    assert first == run(dossier, RULES, at("2026-05-29"))

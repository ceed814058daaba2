"""Who may be served twice. Each docstring is the ledger under test; beside each doubt stands its honest neighbour."""

from datetime import date
from typing import Any

import pytest

from gateway.domain.lifecycle import NeedState
from gateway.domain.reconciliation.checks import run
from gateway.domain.reconciliation.values import Dossier, Finding, NeedRow, RelativeRow, ReplyRow
from gateway.domain.referral import Decision
from tests.builders import (
    COURT,
    DECIDED_FEN,
    OFFICE,
    a_court_payment,
    a_dossier,
    a_need,
    a_relative,
    a_reply,
    a_rulebook,
    at,
)

RULES = a_rulebook()
AS_OF = at("2026-03-13")
SAME = "（2025）黔0102民初1号"
EARLIER = at("2026-01-05 09:00")
FEDERATION = "disabled_persons-520102"


def found_in(dossier: Dossier, family: str = "DUP_") -> list[Finding]:
    return [finding for finding in run(dossier, RULES, AS_OF) if finding.code.startswith(family)]


def codes(dossier: Dossier) -> list[str]:
    return [finding.code for finding in found_in(dossier)]


def granted(programme: str, need_id: str = "n-1", **changes: Any) -> NeedRow:
    """A need that was granted and paid."""
    honest: dict[str, Any] = {
        "need_id": need_id,
        "programme": programme,
        "state": NeedState.ASSISTED,
        "received_at": at("2026-03-03 11:00"),
        "disposition_at": at("2026-03-05 10:00"),
        "decided_at": at("2026-03-05 10:00"),
        "paid_at": at("2026-03-06 10:00"),
    }
    return a_need(**(honest | changes))


def grant(need_id: str = "n-1", when: str = "2026-03-05 10:00", **changes: Any) -> ReplyRow:
    return a_reply("APPROVED", when, **({"need_id": need_id, "reply_id": f"g-{need_id}-{when}"} | changes))


def two_grants(first: str, second: str) -> Dossier:
    """Both granted on one referral in March."""
    return a_dossier(
        needs=(granted(first), granted(second, "n-2")),
        replies=(grant(amount_fen=70_000), grant("n-2", amount_fen=50_000)),
    )


def elsewhere(*needs: NeedRow, replies: tuple[ReplyRow, ...] = (), **changes: Any) -> RelativeRow:
    return a_relative(*needs, replies=replies, **({"accepted_at": EARLIER} | changes))


# --- the courts (D01, D04) ---


def test_a_second_aid_for_one_original_case_is_in_doubt_however_long_ago() -> None:
    """
    2015-04-01  Zunyi aids, 8,000 yuan, original case 1
    2026-03-02  Guiyang aids, 20,000 yuan, the same original case
    """
    old: dict[str, Any] = {"original_case_group": SAME, "concluded_on": date(2015, 4, 1), "decided_amount_fen": 800_000}
    (found,) = found_in(a_dossier(others=(elsewhere(accepted_at=at("2015-04-02"), **old),)))
    assert ("DUP_SAME_ORIGINAL_CASE", "D01", COURT) == (found.code, found.rule_id, found.must_act)
    assert 800_000 == found.stake_fen
    assert "DUP_SAME_ORIGINAL_CASE|r-1|-|r-2" == found.key
    assert found.due_at is not None


@pytest.mark.parametrize(
    "honest",
    [
        {"original_case_group": "（2024）黔0302民初9号"},
        {"original_case_group": None},
        {"original_case_group": SAME, "decision": Decision.NOT_ASSIST},
        {"original_case_group": SAME, "withdrawn": True},
        {"original_case_group": SAME, "person_key": "k-2"},
    ],
    ids=["another matter", "matter not stated", "refused there", "withdrawn there", "another person"],
)
def test_what_is_no_second_aid(honest: dict[str, Any]) -> None:
    """2026-01-05 the other referral; 2026-03-02 this one."""
    assert [] == codes(a_dossier(others=(elsewhere(**honest),)))


def test_joint_aid_of_two_courts_is_one_aid() -> None:
    """2026-01-05 and 2026-03-02: two shares of joint aid j-1 (D04)."""
    other = elsewhere(original_case_group=SAME, joint_id="j-1")
    assert [] == codes(a_dossier(referral={"joint_id": "j-1"}, others=(other,)))


def test_the_doubt_is_raised_once_on_the_later_referral() -> None:
    """2026-03-03 this one; 2026-06-01 the other: its own dossier will say so."""
    assert [] == codes(a_dossier(others=(elsewhere(original_case_group=SAME, accepted_at=at("2026-06-01")),)))


def test_without_authorised_matching_nobody_is_compared() -> None:
    """P06: the agreement does not authorise matching, so the row has no key."""
    other = elsewhere(original_case_group=SAME, person_key=None)
    assert [] == codes(a_dossier(referral={"person_key": None}, others=(other,)))


def test_judicial_aid_followed_by_social_aid_is_the_purpose_and_no_doubt() -> None:
    """
    2026-03-06  the court pays 20,000 yuan
    2026-03-05  civil affairs grants the minimum living guarantee
    """
    dossier = a_dossier(needs=(granted("MLG"),), replies=(grant(amount_fen=70_000),))
    assert () == run(dossier, RULES, AS_OF)


# --- open elsewhere (D09) ---


def test_a_need_that_is_open_elsewhere_is_told_with_its_link() -> None:
    """2026-01-05 Zunyi asks for the guarantee, still open; 2026-03-03 Guiyang asks for it too."""
    (found,) = found_in(a_dossier(others=(elsewhere(a_need(need_id="n-9")),)))
    assert ("DUP_OPEN_REFERRAL", "D09", "n-9") == (found.code, found.rule_id, found.subject)
    assert ("r-2", 0) == (found.evidence["other_referral"], found.stake_fen)


@pytest.mark.parametrize(
    "other",
    [a_need(need_id="n-9", programme="CAN2"), a_need(need_id="n-9", state=NeedState.CLOSED)],
    ids=["another need", "closed there"],
)
def test_another_need_or_a_closed_one_is_not_open_elsewhere(other: NeedRow) -> None:
    """2026-01-05 the other referral's need; 2026-03-03 this one's."""
    assert [] == codes(a_dossier(others=(elsewhere(other),)))


# --- programmes (D07, D08) ---


@pytest.mark.parametrize(("first", "second"), [("MLG", "DST"), ("DST", "LSD"), ("ORP", "LSD"), ("ORP", "DFU")])
def test_programmes_that_exclude_each_other_in_one_month_are_in_doubt(first: str, second: str) -> None:
    """2026-03-05  both granted, 700 and 500 yuan."""
    (found,) = found_in(two_grants(first, second))
    assert ("DUP_EXCLUSIVE_PROGRAMMES", "D08", 50_000) == (found.code, found.rule_id, found.stake_fen)
    assert [first, second] == found.evidence["programmes"]


@pytest.mark.parametrize(("first", "second"), [("MLG", "LSD"), ("ORP", "NSD"), ("DFU", "MLG"), ("MLG", "MED")])
def test_programmes_that_go_together_are_no_doubt(first: str, second: str) -> None:
    """2026-03-05  both granted."""
    assert [] == codes(two_grants(first, second))


def test_one_programme_after_the_other_is_no_doubt() -> None:
    """MLG 2026-01 to 2026-03, DST from 2026-04."""
    needs = (granted("MLG"), granted("DST", "n-2"))
    replies = (
        grant(starts_on=date(2026, 1, 1), ends_on=date(2026, 3, 31)),
        grant("n-2", starts_on=date(2026, 4, 1)),
    )
    assert [] == codes(a_dossier(needs=needs, replies=replies))


def test_a_benefit_that_was_stopped_makes_room_for_the_next() -> None:
    """MLG from 2026-01, stopped from 2026-02; DST from 2026-03."""
    needs = (granted("MLG"), granted("DST", "n-2"))
    replies = (
        grant(when="2026-01-05 10:00", starts_on=date(2026, 1, 1)),
        a_reply("STOPPED", "2026-02-20 10:00", starts_on=date(2026, 2, 1)),
        grant("n-2"),
    )
    assert [] == codes(a_dossier(needs=needs, replies=replies))


def test_what_another_office_already_gives_excludes_a_new_grant() -> None:
    """2026-01-05 the other office: already on support for the destitute; 2026-03-05 the guarantee granted here."""
    there = granted("DST", "n-9", state=NeedState.NOT_ASSISTED, office_id="civil_affairs-520302")
    told = a_reply("ALREADY_COVERED", "2026-01-08 10:00", need_id="n-9", programme="DST", starts_on=date(2025, 1, 1))
    dossier = a_dossier(needs=(granted("MLG"),), replies=(grant(),), others=(elsewhere(there, replies=(told,)),))
    assert ["DUP_EXCLUSIVE_PROGRAMMES"] == codes(dossier)


def test_one_monthly_benefit_from_two_offices_is_in_doubt() -> None:
    """2026-01-08 Zunyi grants the guarantee; 2026-03-05 Nanming grants it too."""
    there = granted("MLG", "n-9")
    reply = grant("n-9", "2026-01-08 10:00", office="civil_affairs-520302", amount_fen=60_000)
    dossier = a_dossier(
        needs=(granted("MLG"),), replies=(grant(amount_fen=70_000),), others=(elsewhere(there, replies=(reply,)),)
    )
    (found,) = found_in(dossier)
    assert ("DUP_SAME_PROGRAMME_PERIOD", 60_000) == (found.code, found.stake_fen)


def test_one_office_that_answers_two_referrals_tells_of_one_benefit() -> None:
    """2026-01-08 and 2026-03-05: the same office says "granted" to two courts."""
    there = granted("MLG", "n-9")
    dossier = a_dossier(
        needs=(granted("MLG"),),
        replies=(grant(),),
        others=(elsewhere(there, replies=(grant("n-9", "2026-01-08 10:00"),)),),
    )
    assert [] == codes(dossier)


def test_a_once_in_a_life_grant_given_again_is_in_doubt() -> None:
    """2019 aid for two cancers; 2026-03-05 again."""
    there = granted("CAN2", "n-9")
    once = grant("n-9", "2019-05-05 10:00", amount_fen=1_000_000)
    dossier = a_dossier(
        needs=(granted("CAN2"),),
        replies=(grant(amount_fen=1_000_000),),
        others=(elsewhere(there, replies=(once,), accepted_at=at("2019-05-01")),),
    )
    (found,) = found_in(dossier)
    assert ("DUP_ONE_TIME_REPEATED", "D07", 1_000_000) == (found.code, found.rule_id, found.stake_fen)


def test_a_second_emergency_is_not_judged_here() -> None:
    """2026-01-08 and 2026-03-05: urgent aid twice; whether for one cause is for people to ask (CX11)."""
    there = granted("TMP_U", "n-9")
    dossier = a_dossier(
        needs=(granted("TMP_U"),),
        replies=(grant(),),
        others=(elsewhere(there, replies=(grant("n-9", "2026-01-08 10:00", office="x"),)),),
    )
    assert [] == codes(dossier)


def test_the_first_organ_of_a_serial_route_reviews_and_grants_nothing() -> None:
    """2026-03-05 the federation passes the subsidy on; civil affairs has not decided; he is on DST."""
    subsidy = granted("LSD", "n-2", state=NeedState.HANDED_OFF, step=1, handoff_id="h-2", decided_at=None, paid_at=None)
    passed = grant("n-2", handoff_id="h-1", office=FEDERATION)
    assert [] == codes(a_dossier(needs=(granted("DST"), subsidy), replies=(grant(), passed)))


def test_a_need_entered_in_error_grants_nothing() -> None:
    """2026-03-05  both granted, one of them entered in error."""
    needs = (granted("MLG"), granted("DST", "n-2", state=NeedState.ENTERED_IN_ERROR))
    assert [] == codes(a_dossier(needs=needs, replies=(grant(), grant("n-2"))))


# --- payments (A05, D05) ---


def test_a_court_that_pays_its_decision_twice_is_in_doubt() -> None:
    """decided 20,000; 2026-03-06 paid 20,000; 2026-03-09 paid 20,000."""
    payments = (a_court_payment(), a_court_payment(payment_id="p-2", paid_on=date(2026, 3, 9)))
    (found,) = found_in(a_dossier(court_payments=payments))
    assert ("DUP_PAYMENT", "A05", DECIDED_FEN) == (found.code, found.rule_id, found.stake_fen)


def test_instalments_that_add_up_to_the_decision_are_in_order() -> None:
    """decided 20,000; paid 12,000 and 8,000."""
    payments = (a_court_payment(amount_fen=1_200_000), a_court_payment(payment_id="p-2", amount_fen=800_000))
    assert () == run(a_dossier(court_payments=payments), RULES, at("2026-03-04"))


def test_an_advance_that_is_not_netted_is_in_doubt() -> None:
    """advance 5,000; decided 20,000; paid 20,000 in one sum besides."""
    (found,) = found_in(a_dossier(referral={"advance_fen": 500_000}))
    assert ("DUP_ADVANCE_NOT_NETTED", "D05", 500_000) == (found.code, found.rule_id, found.stake_fen)


@pytest.mark.parametrize("amounts", [(1_500_000,), (500_000, 1_500_000)], ids=["advance paid before", "advance listed"])
def test_an_advance_that_is_netted_is_in_order(amounts: tuple[int, ...]) -> None:
    """advance 5,000; decided 20,000; then 15,000."""
    payments = tuple(a_court_payment(payment_id=f"p-{n}", amount_fen=amount) for n, amount in enumerate(amounts))
    assert () == run(a_dossier(referral={"advance_fen": 500_000}, court_payments=payments), RULES, at("2026-03-04"))


def payment(when: str, amount: int = 60_000, **changes: Any) -> ReplyRow:
    return a_reply("PAID", when, amount_fen=amount, **changes)


def test_one_month_of_a_benefit_paid_twice_is_in_doubt() -> None:
    """guarantee 600 a month; 03-06 paid for March; 03-10 paid for March."""
    march: dict[str, Any] = {"starts_on": date(2026, 3, 1), "ends_on": date(2026, 3, 31)}
    replies = (payment("2026-03-06 10:00", **march), payment("2026-03-10 10:00", **march))
    (found,) = found_in(a_dossier(needs=(granted("MLG", approved_fen=60_000),), replies=replies))
    assert ("DUP_PAYMENT", 60_000, OFFICE) == (found.code, found.stake_fen, found.must_act)


def test_two_months_of_a_benefit_are_in_order() -> None:
    """guarantee 600 a month; paid for March, paid for April."""
    replies = (
        payment("2026-03-06 10:00", starts_on=date(2026, 3, 1)),
        payment("2026-03-10 10:00", starts_on=date(2026, 4, 1)),
    )
    assert [] == codes(a_dossier(needs=(granted("MLG", approved_fen=60_000),), replies=replies))


def test_a_one_off_grant_paid_again_above_its_approval_is_in_doubt() -> None:
    """temporary aid 600 approved; 03-06 paid 600; 03-10 paid 600."""
    replies = (payment("2026-03-06 10:00"), payment("2026-03-10 10:00"))
    (found,) = found_in(a_dossier(needs=(granted("TMP_E", approved_fen=60_000),), replies=replies))
    assert ("DUP_PAYMENT", 60_000) == (found.code, found.stake_fen)


@pytest.mark.parametrize(
    "replies",
    [
        (payment("2026-03-06 10:00", 30_000), payment("2026-03-10 10:00", 30_000)),
        (payment("2026-03-06 10:00"), payment("2026-03-06 10:00", reply_id="again", message_id="again")),
        (payment("2026-03-06 10:00"), a_reply("PAYMENT_RETURNED", "2026-03-08 10:00"), payment("2026-03-10 10:00")),
    ],
    ids=["two halves", "told twice", "returned by the bank"],
)
def test_payments_that_are_in_order(replies: tuple[ReplyRow, ...]) -> None:
    """temporary aid 600 approved; what was paid comes to 600."""
    assert [] == codes(a_dossier(needs=(granted("TMP_E", approved_fen=60_000),), replies=replies))


def test_a_second_run_finds_the_same_thing_under_the_same_key() -> None:
    """Everything at once, looked at twice."""
    dossier = a_dossier(
        needs=(granted("MLG"), granted("DST", "n-2")),
        replies=(grant(amount_fen=70_000), grant("n-2", amount_fen=50_000)),
        court_payments=(a_court_payment(), a_court_payment(payment_id="p-2")),
        others=(elsewhere(a_need(need_id="n-9"), original_case_group=SAME),),
    )
    first, second = run(dossier, RULES, AS_OF), run(dossier, RULES, at("2026-05-13"))
    assert 3 == len(first)
    assert first == second


def test_no_key_tells_who_the_person_is() -> None:
    """The person's key stays out of findings, since it is the same wherever the person appears."""
    dossier = a_dossier(others=(elsewhere(a_need(need_id="n-9"), original_case_group=SAME),))
    found = found_in(dossier)
    assert 2 == len(found)
    assert not any("k-1" in finding.key or "k-1" in str(finding.evidence) for finding in found)

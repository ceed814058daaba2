"""家庭遗漏与中断 Who at home was forgotten, what paper is missing, whose help broke off; nobody else is accused."""

from datetime import date
from typing import Any

import pytest

from gateway.domain.household import adult_from, members_of
from gateway.domain.lifecycle import NeedState
from gateway.domain.reconciliation.checks import run
from gateway.domain.reconciliation.rows_household import CircumstancesRow, MemberRow
from gateway.domain.reconciliation.values import Finding
from gateway.domain.referral import ReferralAssessment
from tests.builders import (
    COURT,
    OFFICE,
    a_child,
    a_dossier,
    a_household_child,
    a_need,
    a_person,
    a_referral,
    a_relative,
    a_reply,
    a_rulebook,
    at,
)

SOON = "2026-03-05 12:00"
CHILD = MemberRow(number=1, is_minor=True, is_elder=False, is_on_file=False)
ELDER = MemberRow(number=2, is_minor=False, is_elder=True, is_on_file=False)
NO_PAPER = CircumstancesRow(has_authorisation=False)


def found(when: str = SOON, **changes: Any) -> list[Finding]:
    return list(run(a_dossier(**changes), a_rulebook(), at(when)))


def codes(when: str = SOON, **changes: Any) -> list[str]:
    return [finding.code for finding in found(when, **changes)]


def legal_aid(**changes: Any) -> Any:
    return a_need(**{"programme": "LEG", "agency": "womens_federation", **changes})


# --- the household ---


def test_a_child_at_home_for_whom_nothing_is_asked_is_found_and_the_court_must_act() -> None:
    (finding,) = found(needs=(legal_aid(),), household=(CHILD,))
    assert (finding.code, finding.rule_id, finding.must_act) == ("MISS_MEMBER", "R04", COURT)
    assert (finding.key, finding.evidence["member"]) == ("MISS_MEMBER|r-1|-|member-1", 1)


def test_each_forgotten_member_is_a_finding_of_his_own() -> None:
    assert codes(needs=(legal_aid(),), household=(CHILD, ELDER)) == ["MISS_MEMBER", "MISS_MEMBER"]


@pytest.mark.parametrize("programme", ["MLG", "LIM", "TMP_E", "DFU", "EDU"])
def test_a_need_for_the_household_or_for_children_thinks_of_the_child(programme: str) -> None:
    assert codes(needs=(legal_aid(), a_need(need_id="n-2", programme=programme)), household=(CHILD,)) == []


def test_a_need_for_children_does_not_think_of_the_grandmother() -> None:
    assert codes(needs=(a_need(programme="EDU"),), household=(CHILD, ELDER)) == ["MISS_MEMBER"]


@pytest.mark.parametrize(
    "member",
    [
        MemberRow(number=1, is_minor=True, is_elder=False, is_on_file=True),
        MemberRow(number=1, is_minor=True, is_elder=False, is_on_file=None),
    ],
    ids=["a referral of his own", "nobody may ask"],
)
def test_a_member_on_file_or_of_whom_nobody_may_ask_is_not_found(member: MemberRow) -> None:
    assert codes(needs=(legal_aid(),), household=(member,)) == []


@pytest.mark.parametrize(
    ("assessment", "expected"),
    [
        (ReferralAssessment.NO_NEED, []),
        (ReferralAssessment.ALREADY_COVERED, []),
        (ReferralAssessment.PERSON_DECLINES, ["MISS_MEMBER"]),
    ],
)
def test_a_court_that_found_no_need_has_looked_and_nobody_declines_for_a_child(
    assessment: ReferralAssessment, expected: list[str]
) -> None:
    assert codes(referral={"assessment": assessment}, needs=(), handoffs=(), household=(CHILD,)) == expected


def test_a_withdrawn_need_thinks_of_nobody() -> None:
    withdrawn = a_need(need_id="n-2", state=NeedState.WITHDRAWN)
    assert codes(needs=(legal_aid(), withdrawn), household=(CHILD,)) == ["MISS_MEMBER"]


def test_flags_follow_from_the_age_on_the_day_of_the_conclusion() -> None:
    household = (
        a_household_child(),
        a_household_child(date(1960, 1, 1)),
        a_household_child(date(1986, 1, 1)),
        a_household_child(birth_date=None, id_number=None, id_type=None),
    )
    flags = members_of(a_referral(person=a_person(household=household)))
    assert [(one.number, one.is_minor, one.is_elder) for one in flags] == [
        (1, True, False),
        (2, False, True),
        (3, False, False),
        (4, False, False),
    ]


def test_only_of_a_minor_the_month_of_coming_of_age_is_kept() -> None:
    assert adult_from(a_referral(person=a_child(date(2009, 2, 28)))) == "2027-02"
    assert adult_from(a_referral()) is None


# --- the authorisation ---


def test_a_programme_that_needs_the_economic_check_without_the_paper_is_found_once() -> None:
    needs = (a_need(), a_need(need_id="n-2", programme="TMP_E"), a_need(need_id="n-3", programme="EMP"))
    (finding,) = found(needs=needs, circumstances=NO_PAPER)
    assert (finding.code, finding.must_act) == ("MISS_NO_AUTHORISATION", COURT)
    assert (finding.evidence["needs"], finding.evidence["programmes"]) == (["n-1", "n-2"], ["MLG", "TMP_E"])


@pytest.mark.parametrize(
    "circumstances",
    [CircumstancesRow(has_authorisation=True), None],
    ids=["it is there", "older than these rows"],
)
def test_a_paper_that_is_there_or_nobody_knows_of_is_not_missed(circumstances: CircumstancesRow | None) -> None:
    assert codes(circumstances=circumstances) == []


@pytest.mark.parametrize("programme", ["ORP", "DFU", "MED", "EMP", "TMP_U"])
def test_a_programme_without_the_check_needs_no_paper(programme: str) -> None:
    assert codes(needs=(a_need(programme=programme),), circumstances=NO_PAPER) == []


def test_an_agency_that_checks_or_decides_all_the_same_has_the_paper() -> None:
    need = a_need(state=NeedState.UNDER_REVIEW, received_at=at("2026-03-04"), disposition_at=at("2026-03-04"))
    assert codes(needs=(need,), circumstances=NO_PAPER, replies=(a_reply("IN_VERIFICATION"),)) == []


def test_a_refusal_for_want_of_the_paper_keeps_it_missed() -> None:
    need = a_need(state=NeedState.NOT_ASSISTED, disposition_at=at("2026-03-04"), decided_at=at("2026-03-04"))
    denial = a_reply("DENIED", reason="AUTHORISATION_MISSING", has_text=True)
    assert codes(needs=(need,), circumstances=NO_PAPER, replies=(denial,)) == ["MISS_NO_AUTHORISATION"]
    other = a_reply("DENIED", reason="INCOME_OVER", has_text=True)
    assert codes(needs=(need,), circumstances=NO_PAPER, replies=(other,)) == []


# --- help that broke off ---


def helped(*replies: Any, **changes: Any) -> dict[str, Any]:
    need = a_need(
        programme="DFU",
        state=NeedState.ASSISTED,
        disposition_at=at("2026-03-04"),
        decided_at=at("2026-03-04"),
        paid_at=at("2026-03-04"),
    )
    return {"needs": (need,), "replies": (a_reply("PAID", "2026-03-04 10:00", payee="GUARDIAN"), *replies), **changes}


def stopped(reason: str | None, when: str = "2026-03-05 09:00") -> Any:
    return a_reply("STOPPED", when, reason=reason)


@pytest.mark.parametrize("reason", ["AGE_OUT_OF_RANGE", "CERT_EXPIRED", "NOT_LOCAL", "MATERIAL_MISSING"])
def test_a_stop_after_which_the_need_goes_on_is_a_lapse(reason: str) -> None:
    (finding,) = found(**helped(stopped(reason)))
    assert (finding.code, finding.rule_id, finding.must_act) == ("MISS_LAPSED", "R16", OFFICE)
    assert finding.evidence["reason"] == reason


@pytest.mark.parametrize("reason", ["INCOME_OVER", "COVERED_BY_OTHER", "FRAUD", None])
def test_a_stop_on_the_facts_or_without_a_reason_is_no_lapse(reason: str | None) -> None:
    assert codes(**helped(stopped(reason))) == []


def test_a_stop_without_a_reason_in_the_month_of_coming_of_age_is_one() -> None:
    facts = CircumstancesRow(has_authorisation=True, adult_from="2026-03")
    (finding,) = found(**helped(stopped(None), circumstances=facts))
    assert (finding.code, finding.evidence["reason"]) == ("MISS_LAPSED", "of_age")
    later = CircumstancesRow(has_authorisation=True, adult_from="2026-04")
    assert codes(**helped(stopped(None), circumstances=later)) == []


def test_a_stop_that_somebody_continues_is_no_lapse() -> None:
    again = a_reply("APPROVED", "2026-03-05 11:00")
    assert "MISS_LAPSED" not in codes(**helped(stopped("CERT_EXPIRED"), again))
    asked = a_relative(a_need(need_id="n-9", programme="MLG", accepted_at=at("2026-03-05 10:00")))
    assert "MISS_LAPSED" not in codes(**helped(stopped("CERT_EXPIRED"), others=(asked,)))


def test_a_person_who_died_after_the_stop_lapses_nothing() -> None:
    assert codes(**helped(stopped("CERT_EXPIRED"), a_reply("DECEASED", "2026-03-05 11:00"), court_payments=())) == []


# --- people nobody can reach ---


def lost(*more: Any) -> dict[str, Any]:
    return {"needs": (a_need(received_at=at("2026-03-04")),), "replies": (a_reply("UNREACHABLE"), *more)}


def test_an_unreachable_person_is_the_offices_to_find_and_then_the_courts() -> None:
    (finding,) = found(**lost())
    assert (finding.code, finding.must_act) == ("MISS_UNREACHABLE", OFFICE)
    assert finding.due_at == at("2026-03-13 00:00")
    later = next(one for one in found("2026-03-13 00:01", **lost()) if one.code == "MISS_UNREACHABLE")
    assert (later.must_act, later.key) == (COURT, finding.key)


def test_a_minors_office_has_less_time() -> None:
    (finding,) = found(**lost(), referral={"is_minor": True})
    assert finding.due_at == at("2026-03-11 00:00")


def test_a_person_who_was_reached_after_all_is_not_lost() -> None:
    assert codes(**lost(a_reply("IN_VERIFICATION", "2026-03-05 11:00"))) == []

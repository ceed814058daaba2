"""What one referral alone can break: an honest referral, one thing broken, and the honest neighbour of each breach."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from gateway.domain.agreement import AgreementProfile, AmountRule
from gateway.domain.field_codes import load_field_codes
from gateway.domain.intake_rules import ATTACHMENTS_AT_MOST, RULES, IntakeVerdict, assess, cap_fen
from gateway.domain.person import SpecificGroup
from gateway.domain.programmes import load_programmes
from gateway.domain.referral import (
    Attachment,
    Decision,
    LegalBasis,
    Referral,
    ReferralAssessment,
    RequestedNeed,
    Urgency,
    VerificationAuthorization,
)
from gateway.domain.regions import load_regions
from tests.builders import (
    CONCLUDED_ON,
    COURT_REGION,
    DECIDED_FEN,
    TODAY,
    a_child,
    a_household_child,
    a_person,
    a_profile,
    a_referral,
)

REGIONS = load_regions()
PROGRAMMES = load_programmes()
TOMORROW = date(2026, 3, 4)
FEN_PER_MONTH = 700_000


def judged(
    referral: Referral, *, profile: AgreementProfile | None = None, court_region: str = COURT_REGION
) -> IntakeVerdict:
    return assess(
        referral,
        profile=profile or a_profile(),
        regions=REGIONS,
        programmes=PROGRAMMES,
        today=TODAY,
        court_region=court_region,
    )


def blocks(referral: Referral, **more: Any) -> set[tuple[str, str]]:
    return {(problem.pointer, problem.code) for problem in judged(referral, **more).blocks}


def warnings(referral: Referral, **more: Any) -> set[tuple[str, str]]:
    return {(problem.pointer, problem.code) for problem in judged(referral, **more).warnings}


def holds(referral: Referral, **more: Any) -> tuple[str, ...]:
    return judged(referral, **more).holds


def with_wages(scope: str = "province", **wages: int) -> AgreementProfile:
    filled = {(region.removeprefix("r"), 2025): fen for region, fen in wages.items()}
    return a_profile(amounts=AmountRule(wage_scope=scope, monthly_wage_fen=filled))


def refused(**changes: Any) -> Referral:
    honest: dict[str, Any] = {
        "decision": Decision.NOT_ASSIST,
        "decided_amount_fen": 0,
        "ground_code": None,
        "refusal_code": "X5",
    }
    return a_referral(**(honest | changes))


# --- the honest ones ---


def test_an_honest_referral_meets_no_objection() -> None:
    assert IntakeVerdict() == judged(a_referral())


def test_an_honest_refusal_may_still_ask_for_social_aid() -> None:
    assert IntakeVerdict() == judged(refused())


def test_a_case_with_nothing_to_refer_needs_no_survey() -> None:
    nothing = a_referral(assessment=ReferralAssessment.NO_NEED, needs=(), survey=None)
    assert IntakeVerdict() == judged(nothing)


def test_every_objection_is_told_at_once_and_each_once() -> None:
    broken = a_referral(survey=None, notice_given_at=None, ground_code=None, decided_amount_fen=0)
    expected = {"survey_missing", "notice_missing", "ground_missing", "amount_missing"}
    found = judged(broken).blocks
    assert expected == {problem.code for problem in found}
    assert len(found) == len(set(found))


def test_every_rule_is_listed_once() -> None:
    assert len(RULES) == len(set(RULES))


# --- case number and decision ---


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"case_number": "黔01司救执1号"}, ("/case_number", "case_number_form")),
        ({"case_number": "（2027）黔01司救执1号"}, ("/case_number", "case_number_year")),
        ({"case_type": "civil"}, ("/case_type", "case_type_differs")),
        ({"case_type": "maritime"}, ("/case_type", "unknown_code")),
        ({"decided_amount_fen": 0}, ("/decided_amount_fen", "amount_missing")),
        ({"ground_code": None}, ("/ground_code", "ground_missing")),
        ({"ground_code": "G9"}, ("/ground_code", "unknown_code")),
        ({"refusal_code": "X9"}, ("/refusal_code", "unknown_code")),
        ({"decision": Decision.NOT_ASSIST}, ("/refusal_code", "refusal_code_missing")),
    ],
)
def test_a_case_or_a_decision_that_is_not_complete_blocks(changes: dict[str, Any], expected: tuple[str, str]) -> None:
    assert expected in blocks(a_referral(**changes))


def test_a_case_number_of_another_court_only_warns() -> None:
    found = judged(a_referral(), court_region="520300")
    assert ((), ("case_number_court_mismatch",)) == (found.blocks, tuple(problem.code for problem in found.warnings))


def test_a_case_type_that_is_not_stated_is_read_from_the_number() -> None:
    assert set() == blocks(a_referral(case_type=None))


@pytest.mark.parametrize("rests_on", [{"inquiry_ref": "q-1"}, {"inquiry_waived_reason": "当事人自认"}])
def test_already_assisted_rests_on_an_inquiry_or_says_why_not(rests_on: dict[str, Any]) -> None:
    assert {("/inquiry_ref", "inquiry_missing")} == warnings(refused(refusal_code="X6"))
    assert set() == warnings(refused(refusal_code="X6", **rests_on))


# --- needs (R01), survey (R03) ---


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"needs": ()}, ("/needs", "needs_missing")),
        ({"assessment": None}, ("/assessment", "required")),
        ({"assessment": ReferralAssessment.NO_NEED}, ("/needs", "needs_not_expected")),
        ({"needs": (RequestedNeed(),)}, ("/needs/0", "required")),
        ({"needs": (RequestedNeed(programme="XXX"),)}, ("/needs/0/programme", "programme_unknown")),
        ({"needs": (RequestedNeed(need_code="XXX"),)}, ("/needs/0/need_code", "need_code_unknown")),
        ({"needs": (RequestedNeed(programme="DST", need_code="LIVING"),)}, ("/needs/0/need_code", "need_code_differs")),
        ({"needs": (RequestedNeed(programme="MLG"), RequestedNeed(need_code="LIVING"))}, ("/needs/1", "repeated")),
        ({"survey": None}, ("/survey", "survey_missing")),
    ],
)
def test_needs_that_make_no_sense_block(changes: dict[str, Any], expected: tuple[str, str]) -> None:
    assert {expected} == blocks(a_referral(**changes))


def test_a_case_that_was_not_assessed_is_taken_and_becomes_a_finding_later() -> None:
    assert IntakeVerdict() == judged(a_referral(assessment=None, needs=(), survey=None))


def test_programme_and_need_code_may_say_the_same() -> None:
    assert set() == blocks(a_referral(needs=(RequestedNeed(programme="MLG", need_code="LIVING"),)))


@pytest.mark.parametrize("investigators", [(), ("测试法官",), ("测试法官", " 测试法官 "), ("测试法官", " ")])
def test_one_investigator_is_no_survey(investigators: tuple[str, ...]) -> None:
    honest = a_referral()
    assert honest.survey is not None
    broken = replace(honest, survey=replace(honest.survey, investigators=investigators))
    assert {("/survey/investigators", "survey_investigators")} == blocks(broken)


def test_a_survey_that_found_nothing_to_say_blocks() -> None:
    honest = a_referral()
    assert honest.survey is not None
    broken = replace(honest, survey=replace(honest.survey, summary=" \n"))
    assert {("/survey/summary", "blank")} == blocks(broken)


# --- notice and consent (P01) ---


def test_the_person_is_told_unless_it_is_an_emergency() -> None:
    untold = a_referral(notice_given_at=None)
    assert {("/notice_given_at", "notice_missing")} == blocks(untold)
    assert set() == blocks(replace(untold, legal_basis=LegalBasis.EMERGENCY))


def of_age(years: int, **changes: Any) -> Referral:
    born = date(TODAY.year - years, TODAY.month, TODAY.day)
    return a_referral(person=a_child(born), **({"legal_basis": LegalBasis.CONSENT} | changes))


def test_below_fourteen_consent_is_the_guardians() -> None:
    assert {("/guardian_consent_ref", "guardian_consent_missing")} == blocks(of_age(13))
    assert set() == blocks(of_age(13, guardian_consent_ref="c-1"))
    assert set() == blocks(of_age(14))


@pytest.mark.parametrize("basis", [LegalBasis.STATUTORY_DUTY, LegalBasis.EMERGENCY])
def test_a_duty_or_an_emergency_needs_no_consent(basis: LegalBasis) -> None:
    assert set() == blocks(of_age(5, legal_basis=basis))


def test_a_childs_age_is_read_from_the_number_where_it_is_not_stated() -> None:
    child = replace(a_child(date(2015, 6, 1)), birth_date=None)
    found = blocks(a_referral(person=child, legal_basis=LegalBasis.CONSENT))
    assert {("/guardian_consent_ref", "guardian_consent_missing")} == found


def test_a_minor_of_unknown_age_is_treated_as_the_youngest() -> None:
    minor = a_person(id_type="000", id_number=None, birth_date=None, specific_groups=frozenset({SpecificGroup.MINOR}))
    found = blocks(a_referral(person=minor, legal_basis=LegalBasis.CONSENT))
    assert {("/guardian_consent_ref", "guardian_consent_missing")} == found


# --- amounts (A01, A02, D04, D05) ---


def test_an_amount_above_the_cap_is_held_and_not_refused() -> None:
    profile = with_wages(r520000=DECIDED_FEN // 36 - 1)
    found = judged(a_referral(), profile=profile)
    assert (("A01",), ()) == (found.holds, found.blocks)
    assert () == holds(a_referral(cap_exceeded_reason="重伤且无赔偿"), profile=profile)


def test_an_amount_at_the_cap_is_in_order() -> None:
    profile = with_wages(r520000=FEN_PER_MONTH)
    assert () == holds(a_referral(decided_amount_fen=36 * FEN_PER_MONTH), profile=profile)
    assert ("A01",) == holds(a_referral(decided_amount_fen=36 * FEN_PER_MONTH + 1), profile=profile)


def test_without_a_wage_no_cap_is_guessed() -> None:
    assert () == holds(a_referral(decided_amount_fen=10**12))
    assert () == holds(a_referral(decided_amount_fen=10**12), profile=with_wages(r510000=1))


def test_joint_aid_counts_whole() -> None:
    joint = a_referral(joint_id="j-1", joint_decided_fen=5_000_000)
    assert ("A01",) == holds(joint, profile=with_wages(r520000=100_000))
    assert () == holds(a_referral(), profile=with_wages(r520000=100_000))


@pytest.mark.parametrize(
    ("scope", "court_region", "expected"),
    [
        ("province", "520100", 36 * 1),
        ("prefecture", "520100", 36 * 2),
        ("prefecture", "520102", 36 * 2),
        ("prefecture", "520000", 36 * 1),
    ],
    ids=["province", "prefecture", "county court", "High Court"],
)
def test_the_cap_is_of_last_years_wage_where_the_profile_says(scope: str, court_region: str, expected: int) -> None:
    profile = with_wages(scope, r520000=1, r520100=2)
    found = cap_fen(profile, regions=REGIONS, court_region=court_region, concluded_on=CONCLUDED_ON)
    assert expected == found


def test_an_amount_above_the_unenforced_balance_is_held() -> None:
    assert ("A02",) == holds(a_referral(unenforced_balance_fen=DECIDED_FEN - 1))
    assert () == holds(a_referral(unenforced_balance_fen=DECIDED_FEN))


def test_an_advance_above_the_decision_is_held() -> None:
    assert ("D05",) == holds(a_referral(advance_fen=DECIDED_FEN + 1))
    assert () == holds(a_referral(advance_fen=DECIDED_FEN))


def test_a_share_above_the_joint_decision_only_warns() -> None:
    found = judged(a_referral(joint_id="j-1", joint_decided_fen=DECIDED_FEN - 1))
    assert ((), ("joint_share_exceeds",)) == (found.blocks, tuple(problem.code for problem in found.warnings))
    assert set() == warnings(a_referral(joint_id="j-1", joint_decided_fen=DECIDED_FEN))


# --- place (R02), children (R04) ---


@pytest.mark.parametrize("home", [None, "520199"])
def test_a_need_without_a_known_home_is_held(home: str | None) -> None:
    assert ("R02",) == holds(a_referral(person=a_person(household_registration_region=home)))


def test_an_urgent_need_may_go_by_the_place_of_event_instead() -> None:
    urgent = a_referral(
        person=a_person(household_registration_region=None), urgency=Urgency.URGENT_24H, place_of_event="520102"
    )
    assert () == holds(urgent)


def test_without_needs_no_place_is_asked_for() -> None:
    nothing = a_referral(
        assessment=ReferralAssessment.NO_NEED, needs=(), person=a_person(household_registration_region=None)
    )
    assert () == holds(nothing)


def a_mother(*needs: str, born: date = date(2016, 5, 4), relation: str = "20", **changes: Any) -> Referral:
    person = a_person(household=(a_household_child(born, relation=relation),))
    return a_referral(person=person, needs=tuple(RequestedNeed(programme=code) for code in needs), **changes)


def test_a_mothers_children_are_thought_of() -> None:
    found = judged(a_mother("MLG"))
    assert ((), ("children_not_considered",)) == (found.blocks, tuple(problem.code for problem in found.warnings))


@pytest.mark.parametrize(
    "referral",
    [
        a_mother("MLG", "EDU"),
        a_mother("DFU"),
        a_mother("MLG", born=date(2000, 5, 4)),
        a_mother("MLG", relation="10"),
        a_referral(),
    ],
    ids=["school", "child allowance", "grown up", "no child", "nobody"],
)
def test_where_no_child_is_overlooked_nothing_is_said(referral: Referral) -> None:
    assert set() == warnings(referral)


# --- attachments, days ---


def papers(*names: str) -> tuple[Attachment, ...]:
    return tuple(Attachment(sha256=name, media_type="application/pdf", size=1) for name in names)


def test_attachments_are_listed_once_and_not_without_end() -> None:
    assert {("/attachments", "repeated")} == blocks(a_referral(attachments=papers("a", "b", "a")))
    many = papers(*(str(number) for number in range(ATTACHMENTS_AT_MOST + 1)))
    assert {("/attachments", "too_many")} == blocks(a_referral(attachments=many))
    assert set() == blocks(a_referral(attachments=many[1:]))


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"concluded_on": TOMORROW}, "/concluded_on"),
        ({"paid_at": TOMORROW}, "/paid_at"),
        ({"notice_given_at": TOMORROW}, "/notice_given_at"),
        (
            {"verification_authorization": VerificationAuthorization(ref="v", signed_at=TOMORROW, scope="经济状况")},
            "/verification_authorization/signed_at",
        ),
    ],
)
def test_a_day_that_has_not_come_blocks(changes: dict[str, Any], pointer: str) -> None:
    assert {(pointer, "day_in_future")} == blocks(a_referral(**changes))


def test_today_has_come() -> None:
    assert set() == blocks(a_referral(concluded_on=TODAY, paid_at=TODAY, notice_given_at=TODAY))


# --- the texts ---


def test_an_objection_never_holds_the_value_that_was_wrong() -> None:
    broken = a_referral(person=a_person(id_number="529999198601010029"), case_number="黔01司救执1号")
    found = judged(broken)
    said = str(found)
    assert "529999198601010029" not in said
    assert "司救" not in said
    assert {problem.code for problem in (*found.blocks, *found.warnings)} <= set(load_field_codes())

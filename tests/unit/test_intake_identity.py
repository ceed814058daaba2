"""Who the people of a referral are: numbers, birth dates, sex and certificates, and what a slip in them does."""

from datetime import date
from typing import Any

import pytest

from gateway.domain.agreement import AgreementProfile
from gateway.domain.intake_rules import IntakeVerdict, assess
from gateway.domain.person import Disability, Guardian
from gateway.domain.programmes import load_programmes
from gateway.domain.referral import Referral
from gateway.domain.regions import load_regions
from tests.builders import COURT_REGION, TODAY, a_household_child, a_person, a_profile, a_referral, an_id_number


def judged(referral: Referral, *, profile: AgreementProfile | None = None) -> IntakeVerdict:
    return assess(
        referral,
        profile=profile or a_profile(),
        regions=load_regions(),
        programmes=load_programmes(),
        today=TODAY,
        court_region=COURT_REGION,
    )


def blocks(referral: Referral, **more: Any) -> set[tuple[str, str]]:
    return {(problem.pointer, problem.code) for problem in judged(referral, **more).blocks}


def warnings(referral: Referral) -> set[tuple[str, str]]:
    return {(problem.pointer, problem.code) for problem in judged(referral).warnings}


@pytest.mark.parametrize(
    ("person", "expected"),
    [
        ({"id_number": "529999198601010029"}, ("/person/id_number", "identity_check_digit")),
        ({"id_number": "12345"}, ("/person/id_number", "identity_form")),
        ({"id_number": None}, ("/person/id_number", "required")),
        ({"id_type": None}, ("/person/id_type", "required")),
        ({"id_type": "999"}, ("/person/id_type", "unknown_code")),
        ({"id_type": "000"}, ("/person/id_number", "number_not_expected")),
        ({"birth_date": date(1986, 1, 2)}, ("/person/birth_date", "birth_date_differs")),
    ],
)
def test_a_wrong_identity_blocks(person: dict[str, Any], expected: tuple[str, str]) -> None:
    assert expected in blocks(a_referral(person=a_person(**person)))


def test_invented_people_are_refused_outside_demonstrations() -> None:
    found = blocks(a_referral(), profile=a_profile(allow_synthetic=False))
    assert {("/person/id_number", "synthetic_identity")} == found


def test_an_infant_without_papers_is_accepted() -> None:
    infant = a_person(id_type="000", id_number=None, birth_date=date(2026, 2, 1), sex="2")
    assert set() == blocks(a_referral(person=infant))


def test_a_different_sex_only_warns() -> None:
    found = judged(a_referral(person=a_person(sex="1")))
    assert ((), {("/person/sex", "sex_differs")}) == (found.blocks, {(p.pointer, p.code) for p in found.warnings})


@pytest.mark.parametrize("sex", ["0", "9", None])
def test_a_sex_that_is_not_stated_differs_from_nothing(sex: str | None) -> None:
    assert set() == warnings(a_referral(person=a_person(sex=sex)))


def test_guardian_and_household_are_checked_at_their_own_place() -> None:
    guardian = Guardian(name="测试乙", relation="61", id_type="111", id_number="1")
    person = a_person(guardian=guardian, household=(a_household_child(), a_household_child(id_number="2")))
    expected = {("/person/guardian/id_number", "identity_form"), ("/person/household/1/id_number", "identity_form")}
    assert expected == blocks(a_referral(person=person))


def certified(certificate: str, **changes: Any) -> Referral:
    stated: dict[str, Any] = {"certificate": certificate, "kind": 4, "grade": 2} | changes
    return a_referral(person=a_person(disability=Disability(**stated)))


def test_the_persons_own_certificate_is_accepted() -> None:
    assert IntakeVerdict() == judged(certified(f"{an_id_number()}42"))


def test_a_certificate_is_compared_with_the_number_as_numbers_are_compared() -> None:
    number = an_id_number(serial=1)
    full_width = number.translate({ord(digit): chr(ord(digit) + 0xFEE0) for digit in "0123456789X"})
    person = a_person(id_number=full_width, disability=Disability(certificate=f"{number}42"))
    found = judged(a_referral(person=person))
    assert () == found.blocks
    assert {"normalised"} == {problem.code for problem in found.warnings}


def test_a_certificate_of_another_person_blocks() -> None:
    other = an_id_number(date(1970, 5, 5))
    expected = {("/person/disability/certificate", "certificate_other_holder")}
    assert expected == blocks(certified(f"{other}42"))


def test_a_certificate_that_says_another_kind_only_warns() -> None:
    found = judged(certified(f"{an_id_number()}42", kind=1))
    assert ((), ("certificate_differs",)) == (found.blocks, tuple(problem.code for problem in found.warnings))

"""应享未请 A suggestion follows from circumstances and a clause; never for what was asked, covered or declined."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest

from gateway.domain.entitlement import entitlements_from_rows, load_entitlements, suggested
from gateway.domain.person import Disability, WomenClass
from gateway.domain.programmes import load_programmes
from gateway.domain.referral import ReferralAssessment
from gateway.domain.rules import read_table
from gateway.errors import ConfigError
from tests.builders import a_child, a_person, a_referral

PROGRAMMES = frozenset(load_programmes())


def codes(*asked: str, **changes: Any) -> list[str]:
    referral = a_referral(**{"ground_code": "G1", **changes})
    return [rule.programme for rule in suggested(referral, asked, PROGRAMMES, load_entitlements())]


def disabled(grade: int | None = 3, kind: int = 4) -> Any:
    return a_person(disability=Disability(kind=kind, grade=grade))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"person": disabled()}, ["LSD"]),
        ({"person": disabled(1)}, ["LSD", "NSD"]),
        ({"person": disabled(None)}, ["LSD"]),
        ({"person": a_child()}, ["EDU"]),
        ({"person": a_child(), "ground_code": "G3"}, ["DFU", "EDU"]),
        ({"person": a_child(date(2022, 1, 1), disability=Disability(kind=5, grade=3))}, ["LSD", "REHAB"]),
        ({"person": a_person(women_class=WomenClass.W4)}, ["CAN2"]),
        ({"person": a_person(women_class=WomenClass.W7)}, ["LEG"]),
        ({"ground_code": "G6"}, ["MLG"]),
    ],
    ids=[
        "nothing",
        "disabled",
        "severe",
        "grade unknown",
        "pupil",
        "orphan",
        "small child",
        "ill",
        "divorce",
        "upkeep",
    ],
)
def test_what_a_persons_circumstances_point_at(changes: dict[str, Any], expected: list[str]) -> None:
    assert codes(**changes) == expected


def test_what_was_asked_for_is_not_suggested() -> None:
    assert codes("LSD", person=disabled(1)) == ["NSD"]


@pytest.mark.parametrize(
    "assessment",
    [ReferralAssessment.NO_NEED, ReferralAssessment.PERSON_DECLINES, ReferralAssessment.ALREADY_COVERED],
)
def test_what_the_court_has_assessed_otherwise_is_not_suggested(assessment: ReferralAssessment) -> None:
    assert codes(person=disabled(1), assessment=assessment) == []


def test_a_rule_speaks_only_of_cases_concluded_while_it_was_in_force() -> None:
    rows = [row | {"valid_to": "2026-03-01"} for row in read_table("entitlements")]
    referral = a_referral(person=disabled())
    assert list(suggested(referral, (), PROGRAMMES, entitlements_from_rows(rows))) == []


def test_a_programme_outside_the_agreement_is_not_suggested() -> None:
    assert list(suggested(a_referral(person=disabled()), (), {"MLG"}, load_entitlements())) != []
    assert [r.programme for r in suggested(a_referral(person=disabled()), (), {"EDU"}, load_entitlements())] == []


def test_every_rule_names_a_programme_and_a_source() -> None:
    assert [rule.rule_id for rule in load_entitlements() if rule.programme not in PROGRAMMES or not rule.source] == []


@pytest.mark.parametrize("change", [{"conditions": ""}, {"conditions": "tall"}, {"valid_from": "soon"}])
def test_a_rule_that_makes_no_sense_stops_whoever_reads_it(change: Mapping[str, str]) -> None:
    with pytest.raises(ConfigError):
        entitlements_from_rows([read_table("entitlements")[0] | change])

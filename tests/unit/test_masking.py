"""What an agency may see: the agreement's mask above a floor no agreement can lower."""

from dataclasses import fields, replace
from datetime import date
from typing import Any

import pytest

from gateway.domain.handoff import Handoff, HandoffNeed
from gateway.domain.masking import (
    ALWAYS_SENT,
    MASKABLE,
    MASKABLE_HANDOFF_FIELDS,
    MASKABLE_PERSON_FIELDS,
    MaskFloor,
    floor_from_rows,
    load_default_masks,
    load_mask_floor,
    mask,
    masks_from_rows,
)
from gateway.domain.person import Disability, Guardian, HouseholdMember, Person, SpecificGroup, WomenClass
from gateway.domain.referral import Attachment, VerificationAuthorization
from gateway.errors import ConfigError
from tests.builders import a_handoff

EVERYTHING = frozenset(MASKABLE)
FLOOR = load_mask_floor()
NO_FLOOR = MaskFloor(rules=())
AGENCIES = ("civil_affairs", "disabled_persons", "womens_federation", "a_fourth_agency")


def a_full_person(**changes: Any) -> Person:
    honest = Person(
        name="测试甲",
        id_type="111",
        id_number="529999198601010028",
        sex="2",
        birth_date=date(1986, 1, 1),
        phone="13900000000",
        ethnic_group="01",
        household_registration_region="520102",
        residence="某路1号",
        guardian=Guardian(name="测试乙", relation="51"),
        household=(HouseholdMember(name="测试丙", relation="20"),),
        specific_groups=frozenset({SpecificGroup.WOMAN}),
        women_class=WomenClass.W4,
        disability=Disability(kind=4, grade=2),
        protection_order=True,
        safety_flag=True,
    )
    return replace(honest, **changes)


def a_full_handoff(**changes: Any) -> Handoff:
    """Nothing is left out, so whatever is missing afterwards was masked."""
    return a_handoff(
        **{
            "agency": "womens_federation",
            "person": a_full_person(),
            "verification_authorization": VerificationAuthorization(
                ref="v-1", signed_at=date(2026, 3, 1), scope="经济状况"
            ),
            "custody": "监护人专户",
            "attachments": (Attachment(sha256="0" * 64, media_type="application/pdf", size=1),),
            **changes,
        }
    )


def what_is_gone(handoff: Handoff, allowed: frozenset[str], floor: MaskFloor = NO_FLOOR) -> set[str]:
    """Pointers of what was withheld."""
    _, losses = mask(handoff, allowed, floor=floor)
    assert {"masked"} >= {loss.reason for loss in losses}
    return {loss.pointer for loss in losses}


POINTERS = {
    "case_number": {"/case_number"},
    "case_type": {"/case_type"},
    "decision": {"/decision"},
    "decided_amount": {"/decided_amount_fen"},
    "paid_at": {"/paid_at"},
    "ground_code": {"/ground_code"},
    "survey": {"/survey"},
    "verification_authorization": {"/verification_authorization"},
    "custody": {"/custody"},
    "contact": {"/contact"},
    "attachments": {"/attachments"},
    "survey.summary": {"/survey/summary"},
    "needs.note": {"/needs/0/note"},
    "person.name": {"/person/name"},
    "person.id": {"/person/id_type", "/person/id_number"},
    "person.sex": {"/person/sex"},
    "person.birth_date": {"/person/birth_date"},
    "person.phone": {"/person/phone"},
    "person.ethnic_group": {"/person/ethnic_group"},
    "person.region": {"/person/household_registration_region"},
    "person.residence": {"/person/residence"},
    "person.guardian": {"/person/guardian"},
    "person.household": {"/person/household"},
    "person.specific_groups": {"/person/specific_groups"},
    "person.women_class": {"/person/women_class"},
    "person.disability": {"/person/disability"},
    "person.protection_order": {"/person/protection_order"},
    "person.safety_flag": {"/person/safety_flag"},
}


def value_at(handoff: Handoff, pointer: str) -> Any:
    value: Any = handoff
    for part in pointer.strip("/").split("/"):
        value = value[int(part)] if part.isdigit() else getattr(value, part)
    return value


# --- every field ---


def test_every_maskable_field_is_tested_here() -> None:
    assert set(MASKABLE) == set(POINTERS)
    assert len(MASKABLE) == len(set(MASKABLE))


@pytest.mark.parametrize("name", MASKABLE)
def test_a_field_that_is_not_allowed_is_emptied_and_noted(name: str) -> None:
    handoff = a_full_handoff()
    cut, losses = mask(handoff, EVERYTHING - {name}, floor=NO_FLOOR)
    assert POINTERS[name] == {loss.pointer for loss in losses}
    for pointer in POINTERS[name]:
        assert value_at(handoff, pointer)
        assert not value_at(cut, pointer)


@pytest.mark.parametrize("name", MASKABLE)
def test_a_field_alone_allowed_is_all_that_is_left(name: str) -> None:
    with_parent = frozenset({name, "survey"}) if name == "survey.summary" else frozenset({name})
    cut, losses = mask(a_full_handoff(), with_parent, floor=NO_FLOOR)
    gone = {loss.pointer for loss in losses}
    assert set() == POINTERS[name] & gone
    assert all(value_at(cut, pointer) for pointer in POINTERS[name])


def test_every_field_of_a_handoff_and_of_a_person_is_maskable_or_always_sent() -> None:
    assert {field.name for field in fields(Handoff)} == MASKABLE_HANDOFF_FIELDS | ALWAYS_SENT
    assert {field.name for field in fields(Person)} == MASKABLE_PERSON_FIELDS
    assert frozenset() == MASKABLE_HANDOFF_FIELDS & ALWAYS_SENT


def test_with_everything_allowed_and_no_floor_nothing_changes() -> None:
    handoff = a_full_handoff()
    assert (handoff, ()) == mask(handoff, EVERYTHING, floor=NO_FLOOR)


def test_with_nothing_allowed_only_who_asks_whom_for_what_is_left() -> None:
    cut, losses = mask(a_full_handoff(), frozenset(), floor=NO_FLOOR)
    assert Person() == cut.person
    assert ("h-1", "MLG", None) == (cut.handoff_id, cut.needs[0].programme, cut.needs[0].note)
    # the summary goes with its survey and is no loss of its own
    every = set().union(*POINTERS.values()) - {"/survey/summary"}
    assert every == {loss.pointer for loss in losses}


def test_a_hidden_identity_number_is_not_told_by_the_certificate() -> None:
    person = a_full_person(disability=Disability(certificate="52999919860101002842", kind=4, grade=2))
    handoff = a_full_handoff(person=person)
    cut, losses = mask(handoff, EVERYTHING - {"person.id"}, floor=NO_FLOOR)
    assert Disability(kind=4, grade=2) == cut.person.disability
    assert "/person/disability/certificate" in {loss.pointer for loss in losses}
    assert person.disability == mask(handoff, EVERYTHING, floor=NO_FLOOR)[0].person.disability


def test_what_was_never_stated_is_no_loss() -> None:
    assert set() == what_is_gone(a_full_handoff(custody=None), EVERYTHING - {"custody"})


def test_each_needs_note_is_masked_by_its_own_place() -> None:
    needs = (
        HandoffNeed(need_id="n-1", programme="MLG", note="甲"),
        HandoffNeed(need_id="n-2", programme="DST"),
        HandoffNeed(need_id="n-3", programme="TMP_U", note="丙"),
    )
    assert {"/needs/0/note", "/needs/2/note"} == what_is_gone(a_full_handoff(needs=needs), EVERYTHING - {"needs.note"})


def test_a_mask_that_names_a_field_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigError):
        mask(a_full_handoff(), frozenset({"person.nmae"}), floor=NO_FLOOR)
    with pytest.raises(ConfigError):
        masks_from_rows([{"agency": "civil_affairs", "field": "person.nmae"}])


# --- the floor ---


@pytest.mark.parametrize("agency", AGENCIES)
def test_no_profile_can_widen_the_floor(agency: str) -> None:
    sensitive_child = a_full_handoff(
        agency=agency, is_minor=True, person=a_full_person(women_class=WomenClass.W2, birth_date=date(2012, 1, 1))
    )
    forbidden = FLOOR.forbidden(sensitive_child)
    assert forbidden
    cut, _ = mask(sensitive_child, EVERYTHING, floor=FLOOR)
    left = {name for name in forbidden for pointer in POINTERS[name] if value_at(cut, pointer)}
    assert set() == left


@pytest.mark.parametrize("agency", AGENCIES)
def test_the_floor_only_ever_takes_away(agency: str) -> None:
    for allowed in (EVERYTHING, frozenset(), load_default_masks().get(agency, frozenset())):
        for handoff in (a_full_handoff(agency=agency), a_full_handoff(agency=agency, is_minor=True)):
            assert what_is_gone(handoff, allowed) <= what_is_gone(handoff, allowed, FLOOR)


@pytest.mark.parametrize("women_class", [WomenClass.W2, WomenClass.W6, WomenClass.W7])
@pytest.mark.parametrize("agency", AGENCIES)
def test_a_sensitive_class_is_for_the_womens_federation_alone(women_class: WomenClass, agency: str) -> None:
    cut, _ = mask(a_full_handoff(agency=agency, person=a_full_person(women_class=women_class)), EVERYTHING, floor=FLOOR)
    told = (cut.person.women_class, cut.person.protection_order, cut.person.safety_flag)
    expected = (women_class, True, True) if agency == "womens_federation" else (None, None, None)
    assert expected == told


def test_civil_affairs_never_learns_of_any_class() -> None:
    cut, _ = mask(a_full_handoff(agency="civil_affairs"), EVERYTHING, floor=FLOOR)
    assert cut.person.women_class is None
    federation, _ = mask(a_full_handoff(agency="disabled_persons"), EVERYTHING, floor=FLOOR)
    assert WomenClass.W4 is federation.person.women_class


@pytest.mark.parametrize("agency", AGENCIES)
def test_the_facts_of_a_minors_case_are_for_nobody(agency: str) -> None:
    gone = what_is_gone(a_full_handoff(agency=agency, is_minor=True), EVERYTHING, FLOOR)
    assert {"/case_number", "/case_type", "/ground_code", "/survey/summary"} <= gone


def test_an_adults_case_may_be_told_where_the_agreement_says_so() -> None:
    assert set() == what_is_gone(a_full_handoff(), EVERYTHING, FLOOR)


def test_a_minors_handoff_forbids_public_notice() -> None:
    cut, _ = mask(a_full_handoff(is_minor=True, no_public_notice=False), EVERYTHING, floor=FLOOR)
    assert cut.no_public_notice
    adult, _ = mask(a_full_handoff(no_public_notice=True), EVERYTHING, floor=FLOOR)
    assert adult.no_public_notice


@pytest.mark.parametrize(
    "row",
    [
        {"field": "person.nmae", "agency_only": "", "condition": "always"},
        {"field": "person.name", "agency_only": "", "condition": "sometimes"},
        {"field": "person.name", "agency_only": "civil_affairs|!womens_federation", "condition": "always"},
    ],
    ids=["unknown field", "unknown condition", "both lists"],
)
def test_a_floor_that_cannot_be_read_is_refused(row: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        floor_from_rows([row | {"source": "test"}])


# --- the shipped masks (DOMAIN §4) ---


def seen_by(agency: str) -> frozenset[str]:
    return load_default_masks()[agency]


def test_civil_affairs_sees_means_and_household_and_no_facts_of_the_offence() -> None:
    assert {"person.name", "person.id", "person.household", "decided_amount"} <= seen_by("civil_affairs")
    assert frozenset() == seen_by("civil_affairs") & {"ground_code", "case_type", "case_number", "person.women_class"}


def test_the_disabled_persons_federation_sees_the_disability_and_no_means() -> None:
    assert {"person.name", "person.disability", "needs.note"} <= seen_by("disabled_persons")
    hidden = {"decided_amount", "paid_at", "decision", "person.household", "verification_authorization", "ground_code"}
    assert frozenset() == seen_by("disabled_persons") & hidden


def test_the_womens_federation_sees_class_and_safety_and_nothing_medical() -> None:
    assert {"person.women_class", "person.safety_flag", "person.protection_order"} <= seen_by("womens_federation")
    assert frozenset() == seen_by("womens_federation") & {"person.disability", "attachments", "decided_amount"}


def test_nobody_gets_the_ethnic_group_unasked() -> None:
    assert not any("person.ethnic_group" in names for names in load_default_masks().values())

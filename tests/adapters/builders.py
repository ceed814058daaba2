"""转办 Honest handoffs for the adapters' tests: a complete synthetic person, and what was sent.

`a_handoff()` fills every field there is, as no mask would let it pass: an adapter has to account for each one.
`each_field_changed()` walks through them all, so that a field added later is asked after without a new test.
"""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from typing import Any

from adapters.base import NO_FIELD
from gateway.domain.handoff import Handoff, HandoffNeed, Loss, SentHandoff, SentNeed
from gateway.domain.masking import load_default_masks, load_mask_floor, mask
from gateway.domain.person import Disability, Guardian, HouseholdMember, Person, SpecificGroup, WomenClass
from gateway.domain.referral import (
    Attachment,
    CaseContact,
    Decision,
    LegalBasis,
    Survey,
    SurveyMode,
    Urgency,
    VerificationAuthorization,
)
from gateway.ports import Adapter

PERSON_ID = "529999199001010027"
MOTHER_ID = "529999196203040028"
DAUGHTER_ID = "529999201506070041"

PROGRAMMES = {
    "civil_affairs": ("MLG", "TMP_U", "MED"),
    "disabled_persons": ("ASD", "REHAB", "LSD"),
    "womens_federation": ("CAN2", "PSY"),
}


def a_person(**changes: Any) -> Person:
    """A woman with an intellectual disability, her mother as guardian, and her daughter."""
    return Person(
        **{
            "name": "王示例",
            "id_type": "111",
            "id_number": PERSON_ID,
            "sex": "2",
            "birth_date": date(1990, 1, 1),
            "phone": "13800000001",
            "ethnic_group": "苗族",
            "household_registration_region": "520102",
            "residence": "贵州省贵阳市南明区示例路1号",
            "guardian": Guardian(name="李示例", relation="52", id_type="111", id_number=MOTHER_ID, phone="13800000002"),
            "household": (
                HouseholdMember(
                    name="李示例", relation="52", id_type="111", id_number=MOTHER_ID, birth_date=date(1962, 3, 4)
                ),
                HouseholdMember(
                    name="陈示例", relation="30", id_type="111", id_number=DAUGHTER_ID, birth_date=date(2015, 6, 7)
                ),
            ),
            "specific_groups": frozenset({SpecificGroup.WOMAN, SpecificGroup.DISABLED}),
            "women_class": WomenClass.W4,
            "disability": Disability(certificate=f"{PERSON_ID}52", kind=5, grade=2),
            "protection_order": False,
            "safety_flag": False,
            **changes,
        }
    )


def some_needs(*programmes: str) -> tuple[HandoffNeed, ...]:
    """One need per programme: N-1, N-2, … each with a note."""
    return tuple(
        HandoffNeed(need_id=f"N-{number}", programme=programme, note=f"家庭无固定收入，需求{number}")
        for number, programme in enumerate(programmes, start=1)
    )


def a_handoff(agency: str = "civil_affairs", **overrides: Any) -> Handoff:
    """A handoff to that agency with its usual programmes; `person`, `needs` or any other field may be replaced."""
    return Handoff(
        **{
            "handoff_id": "H-2024-0001",
            "referral_id": "R-2024-0001",
            "agreement_document": "黔高法〔2022〕98号",
            "agency": agency,
            "office_id": f"{agency}-520102",
            "office_region": "520102",
            "court": "cn/court/520100",
            "needs": some_needs(*PROGRAMMES.get(agency, ("PSY",))),
            "person": a_person(),
            "issued_at": datetime(2024, 8, 20, 1, 30, tzinfo=UTC),
            "is_minor": False,
            "urgency": Urgency.URGENT_48H,
            "legal_basis": LegalBasis.STATUTORY_DUTY,
            "reply_by": datetime(2024, 8, 22, 1, 30, tzinfo=UTC),
            "case_number": "（2024）黔01司救执1号",
            "case_type": "执",
            "decision": Decision.ASSIST,
            "decided_amount_fen": 3_000_050,
            "paid_at": date(2024, 8, 16),
            "ground_code": "G6",
            "survey": Survey(
                mode=SurveyMode.ON_SITE,
                date=date(2024, 7, 30),
                investigators=("赵示例", "钱示例"),
                summary="入户调查：住房一处，\n家中无固定收入。",
            ),
            "verification_authorization": VerificationAuthorization(
                ref="AUTH-2024-7", signed_at=date(2024, 7, 30), scope="家庭经济状况核对"
            ),
            "no_public_notice": True,
            "custody": "由社区监督使用",
            "contact": CaseContact(name="孙示例", phone="0851-80000000"),
            "attachments": (Attachment(sha256="ab" * 32, media_type="application/pdf", size=20_480),),
            **overrides,
        }
    )


def a_bare_handoff(agency: str = "civil_affairs", **overrides: Any) -> Handoff:
    """The least a handoff can be: everything that may be withheld is."""
    full = a_handoff(agency)
    return Handoff(
        **{
            "handoff_id": full.handoff_id,
            "referral_id": full.referral_id,
            "agreement_document": full.agreement_document,
            "agency": agency,
            "office_id": full.office_id,
            "office_region": full.office_region,
            "court": full.court,
            "needs": tuple(replace(need, note=None) for need in full.needs),
            "person": Person(),
            "issued_at": full.issued_at,
            "is_minor": False,
            **overrides,
        }
    )


def masked(handoff: Handoff) -> Handoff:
    """The handoff as its agency may see it where the profile has no mask of its own."""
    return mask(handoff, load_default_masks()[handoff.agency], floor=load_mask_floor())[0]


OTHER_TEXTS = {
    "office_region": "520103",
    "household_registration_region": "520103",
    "sex": "1",
    "sha256": "cd" * 32,
    "programme": "PSY",
    "relation": "99",
    "id_type": "414",
}
"""Another value for the texts that have a form; every other text becomes a canary."""


def each_field_changed(handoff: Handoff) -> Iterator[tuple[str, Any, Handoff]]:
    """For every single value in a handoff: its pointer, another value, and the handoff with that value instead."""
    yield from _changes(handoff, "")


def _changes(holder: Any, above: str) -> Iterator[tuple[str, Any, Any]]:
    for field in fields(holder):
        name, value = field.name, getattr(holder, field.name)
        for pointer, new, changed in _value_changes(value, name, f"{above}/{name}"):
            yield pointer, new, replace(holder, **{name: changed})


def _value_changes(value: Any, name: str, pointer: str) -> Iterator[tuple[str, Any, Any]]:
    if is_dataclass(value):
        yield from _changes(value, pointer)
    elif isinstance(value, tuple):
        for number, item in enumerate(value):
            for inner, new, changed in _value_changes(item, name, f"{pointer}/{number}"):
                yield inner, new, (*value[:number], changed, *value[number + 1 :])
    else:
        new = another(value, name)
        yield pointer, new, new


def another(value: Any, name: str) -> Any:
    """A legal value of the same kind that is not this one."""
    match value:
        case bool():
            return not value
        case Enum():
            return next(member for member in type(value) if member is not value)
        case int():
            return value + 1
        case datetime():
            return value + timedelta(hours=5)
        case date():
            return value + timedelta(days=5)
        case frozenset():
            return frozenset({SpecificGroup.ELDERLY})
        case str():
            return OTHER_TEXTS.get(name, f"CANARY-{name}")
    raise TypeError(f"{name} is not filled in or of a new kind")


def is_lost(pointer: str, losses: tuple[Loss, ...]) -> bool:
    """Whether the losses name the field or what it is part of."""
    return any(pointer == loss.pointer or pointer.startswith(f"{loss.pointer}/") for loss in losses)


def unaccounted(adapter: Adapter, handoff: Handoff) -> list[str]:
    """The fields of a handoff that are neither carried nor noted as lost, or both: it should be empty."""
    plain = adapter.translate(handoff)
    found = []
    for pointer, value, changed in each_field_changed(handoff):
        draft = adapter.translate(changed)
        carried = draft.body != plain.body
        in_words = not str(value).startswith("CANARY") or str(value) in str(draft.body)
        without_field = [loss for loss in draft.losses if loss.reason == NO_FIELD]
        if carried is is_lost(pointer, tuple(without_field)) or (carried and not in_words):
            found.append(pointer)
    return found


def leaking(adapter: Adapter, handoff: Handoff) -> list[str]:
    """The fields the default mask withholds and that still change what the agency gets: it should be empty."""
    withheld = mask(handoff, load_default_masks()[handoff.agency], floor=load_mask_floor())[1]
    plain = adapter.translate(masked(handoff)).body
    return [
        pointer
        for pointer, _, changed in each_field_changed(handoff)
        if is_lost(pointer, withheld) and adapter.translate(masked(changed)).body != plain
    ]


def sent(handoff: Handoff) -> SentHandoff:
    """What the gateway remembers of it."""
    return SentHandoff(
        handoff_id=handoff.handoff_id,
        referral_id=handoff.referral_id,
        agency=handoff.agency,
        office_id=handoff.office_id,
        needs=tuple(SentNeed(need_id=need.need_id, programme=need.programme) for need in handoff.needs),
    )


def a_row(handoff: Handoff, **cells: str) -> dict[str, str]:
    """A filled reply row about the handoff's first need: an approval of 650 yuan a month for a year."""
    return {
        "handoff_id": handoff.handoff_id,
        "need_id": handoff.needs[0].need_id,
        "result": "APPROVED",
        "at": "2024-08-26 10:00",
        "amount_yuan": "650.00",
        "starts_on": "2024-09-01",
        "ends_on": "2025-08-31",
        "reason": "",
        "text": "",
        "next_due": "",
        "forwarded_to": "",
        "suggested_agency": "",
        "suggested_region": "",
        "missing": "",
        "service": "",
        "payee": "BENEFICIARY",
        "officer": "周示例",
        **cells,
    }

"""字段遮蔽 What an agency may see of a handoff: the agreement's mask above a hard floor no agreement can lower.

Rules: every field of a handoff and of its person is maskable or named in `ALWAYS_SENT` (a test holds the two complete);
what is not allowed is emptied before an adapter sees it and noted as `Loss(pointer, "masked")` where it was present.
The floor (`rules/mask_floor.csv`) wins over any profile: W2, W6, W7 to the women's federation alone, case facts of a
minor to nobody (P04). A minor's handoff always forbids public notice. `rules/mask_default.csv` is for profiles without
masks of their own.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar

from gateway.domain.handoff import Handoff, Loss
from gateway.domain.person import SENSITIVE_WOMEN_CLASSES, Person
from gateway.domain.rules import read_table
from gateway.errors import ConfigError

V = TypeVar("V", Handoff, Person)

MASKED = "masked"
ID = "person.id"
NOTE = "needs.note"
SUMMARY = "survey.summary"
EXCEPT = "!"
"""In the floor table `!agency` means everybody but that agency."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Slot:
    """One dataclass field, named as in the referral's data, and what it holds once emptied."""

    name: str
    empty: Any = None


_HANDOFF_FIELDS: Mapping[str, tuple[_Slot, ...]] = {
    "case_number": (_Slot(name="case_number"),),
    "case_type": (_Slot(name="case_type"),),
    "decision": (_Slot(name="decision"),),
    "decided_amount": (_Slot(name="decided_amount_fen"),),
    "paid_at": (_Slot(name="paid_at"),),
    "ground_code": (_Slot(name="ground_code"),),
    "survey": (_Slot(name="survey"),),
    "verification_authorization": (_Slot(name="verification_authorization"),),
    "custody": (_Slot(name="custody"),),
    "contact": (_Slot(name="contact"),),
    "attachments": (_Slot(name="attachments", empty=()),),
}
_PERSON_FIELDS: Mapping[str, tuple[_Slot, ...]] = {
    "person.name": (_Slot(name="name"),),
    "person.id": (_Slot(name="id_type"), _Slot(name="id_number")),
    "person.sex": (_Slot(name="sex"),),
    "person.birth_date": (_Slot(name="birth_date"),),
    "person.phone": (_Slot(name="phone"),),
    "person.ethnic_group": (_Slot(name="ethnic_group"),),
    "person.region": (_Slot(name="household_registration_region"),),
    "person.residence": (_Slot(name="residence"),),
    "person.guardian": (_Slot(name="guardian"),),
    "person.household": (_Slot(name="household", empty=()),),
    "person.specific_groups": (_Slot(name="specific_groups", empty=frozenset()),),
    "person.women_class": (_Slot(name="women_class"),),
    "person.disability": (_Slot(name="disability"),),
    "person.protection_order": (_Slot(name="protection_order"),),
    "person.safety_flag": (_Slot(name="safety_flag"),),
}

MASKABLE: tuple[str, ...] = (*_HANDOFF_FIELDS, SUMMARY, NOTE, *_PERSON_FIELDS)
"""Every name a mask may use."""

MASKABLE_HANDOFF_FIELDS = frozenset(slot.name for slots in _HANDOFF_FIELDS.values() for slot in slots)
MASKABLE_PERSON_FIELDS = frozenset(slot.name for slots in _PERSON_FIELDS.values() for slot in slots)
ALWAYS_SENT = frozenset(
    {
        "handoff_id",
        "referral_id",
        "agreement_document",
        "agency",
        "office_id",
        "office_region",
        "court",
        "needs",
        "person",
        "issued_at",
        "is_minor",
        "urgency",
        "legal_basis",
        "reply_by",
        "no_public_notice",
    }
)
"""What no mask can empty: who asks whom for what, by when, on which basis. Of `needs` the note is maskable, of `person`
every field is."""


class FloorCondition(StrEnum):
    """When a floor row applies."""

    ALWAYS = "always"
    MINOR = "minor"
    SENSITIVE_WOMEN_CLASS = "sensitive_women_class"


_HOLDS: Mapping[FloorCondition, Callable[[Handoff], bool]] = {
    FloorCondition.ALWAYS: lambda _: True,
    FloorCondition.MINOR: lambda handoff: handoff.is_minor,
    FloorCondition.SENSITIVE_WOMEN_CLASS: lambda handoff: handoff.person.women_class in SENSITIVE_WOMEN_CLASSES,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class FloorRule:
    """One row: while the condition holds only these agencies may see the field (`!x`: all but x; none: nobody)."""

    field: str
    agency_only: tuple[str, ...]
    condition: FloorCondition
    source: str

    def forbids(self, handoff: Handoff) -> bool:
        """Whether the row keeps its field from the handoff's agency."""
        excluded = {name.removeprefix(EXCEPT) for name in self.agency_only if name.startswith(EXCEPT)}
        may_see = handoff.agency not in excluded if excluded else handoff.agency in self.agency_only
        return not may_see and _HOLDS[self.condition](handoff)


@dataclass(frozen=True, kw_only=True, slots=True)
class MaskFloor:
    """遮蔽底线: the rows no agreement can lower."""

    rules: tuple[FloorRule, ...]

    def forbidden(self, handoff: Handoff) -> frozenset[str]:
        """The fields this handoff's agency may not see whatever its mask says."""
        return frozenset(rule.field for rule in self.rules if rule.forbids(handoff))


def mask(handoff: Handoff, allowed: frozenset[str], *, floor: MaskFloor) -> tuple[Handoff, tuple[Loss, ...]]:
    """The handoff as its agency may see it, with what was withheld; `allowed` holds names of `MASKABLE`.

    The survey's summary needs `survey` as well, the certificate's number (which holds the resident id) `person.id`.
    `/needs/N/note` counts the handoff's own needs.
    """
    _require_known(allowed, "mask")
    visible = allowed - floor.forbidden(handoff)
    hidden = [name for name in MASKABLE if name not in visible]
    losses: list[Loss] = []
    person = _emptied(handoff.person, _slots(hidden, _PERSON_FIELDS), "/person/", losses)
    if ID in hidden:
        person = _without_certificate(person, losses)
    cut = _emptied(handoff, _slots(hidden, _HANDOFF_FIELDS), "/", losses)
    cut = replace(cut, person=person, no_public_notice=handoff.no_public_notice or handoff.is_minor)
    if SUMMARY in hidden:
        cut = _without_summary(cut, losses)
    if NOTE in hidden:
        cut = _without_notes(cut, losses)
    return cut, tuple(sorted(losses, key=lambda loss: loss.pointer))


@cache
def load_mask_floor() -> MaskFloor:
    """The shipped floor; read once."""
    return floor_from_rows(read_table("mask_floor"))


def floor_from_rows(rows: Iterable[Mapping[str, str]]) -> MaskFloor:
    """A floor from rows; ConfigError for a field or a condition that does not exist, or `a|!b` in one row."""
    return MaskFloor(rules=tuple(_floor_rule(row) for row in rows))


def load_default_masks() -> dict[str, frozenset[str]]:
    """Agency → fields it may see where a profile has no mask of its own."""
    return masks_from_rows(read_table("mask_default"))


def masks_from_rows(rows: Iterable[Mapping[str, str]]) -> dict[str, frozenset[str]]:
    """Masks from rows (agency, field, …); ConfigError for a field that does not exist."""
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(row["agency"], set()).add(row["field"])
    for agency, names in found.items():
        _require_known(names, agency)
    return {agency: frozenset(names) for agency, names in found.items()}


def _floor_rule(row: Mapping[str, str]) -> FloorRule:
    _require_known({row["field"]}, "mask_floor")
    try:
        condition = FloorCondition(row["condition"])
    except ValueError as wrong:
        raise ConfigError("mask floor: unknown condition", ids={"field": row["field"]}) from wrong
    agencies = tuple(name for name in row["agency_only"].split("|") if name)
    if len({name.startswith(EXCEPT) for name in agencies}) > 1:
        raise ConfigError("mask floor: a row either names who may see or who may not", ids={"field": row["field"]})
    return FloorRule(field=row["field"], agency_only=agencies, condition=condition, source=row["source"])


def _require_known(names: Iterable[str], where: str) -> None:
    unknown = sorted(set(names) - set(MASKABLE))
    if unknown:
        raise ConfigError(f"mask names a field that does not exist: {unknown[0]}", ids={"mask": where})


def _slots(hidden: Iterable[str], fields: Mapping[str, tuple[_Slot, ...]]) -> list[_Slot]:
    return [slot for name in hidden for slot in fields.get(name, ())]


def _emptied(value: V, slots: list[_Slot], above: str, losses: list[Loss]) -> V:
    """A copy without the slots; what was present is added to losses."""
    present = [slot for slot in slots if getattr(value, slot.name) != slot.empty]
    losses.extend(Loss(pointer=above + slot.name, reason=MASKED) for slot in present)
    changes: dict[str, Any] = {slot.name: slot.empty for slot in present}
    return replace(value, **changes)


def _without_certificate(person: Person, losses: list[Loss]) -> Person:
    if person.disability is None or person.disability.certificate is None:
        return person
    losses.append(Loss(pointer="/person/disability/certificate", reason=MASKED))
    return replace(person, disability=replace(person.disability, certificate=None))


def _without_summary(handoff: Handoff, losses: list[Loss]) -> Handoff:
    if handoff.survey is None or not handoff.survey.summary:
        return handoff
    losses.append(Loss(pointer="/survey/summary", reason=MASKED))
    return replace(handoff, survey=replace(handoff.survey, summary=""))


def _without_notes(handoff: Handoff, losses: list[Loss]) -> Handoff:
    noted = [index for index, need in enumerate(handoff.needs) if need.note is not None]
    losses.extend(Loss(pointer=f"/needs/{index}/note", reason=MASKED) for index in noted)
    return replace(handoff, needs=tuple(replace(need, note=None) for need in handoff.needs))

"""人 Persons in a referral: the beneficiary 被救助人, guardian 监护人, household members 共同生活家庭成员.

Values only; identity numbers are checked by `domain.identifiers`; `domain.masking` decides what an agency may see.
Names are kept exactly as written: nothing that is signed, stored or shown is normalised.
"""

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from gateway.domain.identifiers import IdType, resident_birth_date
from gateway.domain.values import InvalidValue


class SpecificGroup(StrEnum):
    """特定群体; groups overlap (DOMAIN §2)."""

    MINOR = "MINOR"
    ELDERLY = "ELDERLY"
    WOMAN = "WOMAN"
    DISABLED = "DISABLED"


class WomenClass(StrEnum):
    """困难妇女类别 5+2 (DOMAIN §3)."""

    W1 = "W1"
    W2 = "W2"
    W3 = "W3"
    W4 = "W4"
    W5 = "W5"
    W6 = "W6"
    W7 = "W7"


SENSITIVE_WOMEN_CLASSES = frozenset({WomenClass.W2, WomenClass.W6, WomenClass.W7})

MINOR_BELOW = 18
SPECIAL_RULES_BELOW = 14
ELDERLY_FROM = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Disability:
    """残疾情况: certificate number (may be absent), kind 1–7, grade 1 (heaviest)–4."""

    certificate: str | None = None
    kind: int | None = None
    grade: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Guardian:
    """监护人 of a minor or of a person without full capacity."""

    name: str
    relation: str
    id_type: str | None = None
    id_number: str | None = None
    phone: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class HouseholdMember:
    """共同生活家庭成员; relation is GB/T 4761 (01 self, 10 spouse, 20 son, 30 daughter, …)."""

    name: str
    relation: str
    id_type: str | None = None
    id_number: str | None = None
    birth_date: date | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """被救助人. A field that is None was not stated, or was withheld by the receiver's mask."""

    name: str | None = None
    id_type: str | None = None
    id_number: str | None = None
    sex: str | None = None
    birth_date: date | None = None
    phone: str | None = None
    ethnic_group: str | None = None
    household_registration_region: str | None = None
    residence: str | None = None
    guardian: Guardian | None = None
    household: tuple[HouseholdMember, ...] = ()
    specific_groups: frozenset[SpecificGroup] = field(default_factory=frozenset)
    women_class: WomenClass | None = None
    disability: Disability | None = None
    protection_order: bool | None = None
    safety_flag: bool | None = None

    @property
    def born(self) -> date | None:
        """The birth date as stated, else as the resident id says it: a child is a child whichever was filled in."""
        if self.birth_date is not None or self.id_type != IdType.RESIDENT_ID or not self.id_number:
            return self.birth_date
        try:
            return resident_birth_date(self.id_number)
        except InvalidValue:
            return None

    def age_on(self, day: date) -> int | None:
        """Completed years on `day`; None when the birth date is not known."""
        born = self.born
        if born is None:
            return None
        return day.year - born.year - ((day.month, day.day) < (born.month, born.day))

    def is_minor_on(self, day: date) -> bool:
        """Under 18, or stated as MINOR where the birth date is missing."""
        age = self.age_on(day)
        return age < MINOR_BELOW if age is not None else SpecificGroup.MINOR in self.specific_groups

    def groups_on(self, day: date) -> frozenset[SpecificGroup]:
        """The groups that follow from age, sex and certificate together with those the court stated."""
        found = set(self.specific_groups)
        age = self.age_on(day)
        if age is not None:
            found -= {SpecificGroup.MINOR, SpecificGroup.ELDERLY}
            if age < MINOR_BELOW:
                found.add(SpecificGroup.MINOR)
            if age >= ELDERLY_FROM:
                found.add(SpecificGroup.ELDERLY)
        if self.disability is not None:
            found.add(SpecificGroup.DISABLED)
        if self.women_class is not None:
            found.add(SpecificGroup.WOMAN)
        return frozenset(found)

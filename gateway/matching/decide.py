"""认定 SAME, POSSIBLE or NEW. SAME joins two records without asking, so it must never be wrong; POSSIBLE goes to a
person; NEW is somebody else.

1. One number, or certificates of one holder: SAME where the name agrees, no birth date speaks against it and the score
   is high; otherwise two people may have been given one number: POSSIBLE.
2. The number is a guardian's or a relative's of the other record, and the name is not that relative's: POSSIBLE.
3. Two valid numbers of one kind: two people. Only one name with one birth date and household can be one person with two
   numbers: POSSIBLE. So twins are NEW, and namesakes with one birthday never more than POSSIBLE.
4. A number missing, mistyped or of another kind: by points, never SAME, and another name is another person.
"""

from dataclasses import dataclass
from enum import StrEnum

from gateway.matching.compare import (
    BIRTH,
    CERTIFICATE,
    NAME,
    NUMBER,
    Outcomes,
    Waterfall,
    outcomes,
    same_name,
    score,
    waterfall,
)
from gateway.matching.record import PersonRecord
from gateway.matching.weights import MISSING, Weights


class MatchVerdict(StrEnum):
    """比对结论."""

    SAME = "SAME"
    POSSIBLE = "POSSIBLE"
    NEW = "NEW"


class MatchKind(StrEnum):
    """What a match rests on, or what it may be."""

    IDENTICAL = "identical"
    """One number, everything alike."""
    NUMBER_UPGRADED = "number_upgraded"
    NAME_VARIANT = "name_variant"
    CERTIFICATE = "certificate"
    ONE_NUMBER = "one_number"
    """One number, but names or birth dates differ: perhaps two people."""
    RELATIVES_NUMBER = "relatives_number"
    TWO_NUMBERS = "two_numbers"
    MISTYPED_NUMBER = "mistyped_number"
    WITHOUT_NUMBER = "without_number"
    OTHER_PERSON = "other_person"


_MISTYPED = frozenset({"one_digit", "transposed", "same_unproven"})
_SAME_NUMBER = frozenset({"same", "same_15_18"})
_NEAR_NAMES = frozenset({"exact", "variant", "one_edit", "swapped"})


@dataclass(frozen=True, kw_only=True, slots=True)
class MatchResult:
    """比对结果 of two records."""

    verdict: MatchVerdict
    kind: MatchKind
    score: int
    found: Outcomes

    def waterfall(self, weights: Weights) -> Waterfall:
        """How the score came about."""
        return waterfall(self.found, weights)


def compare(one: PersonRecord, other: PersonRecord, weights: Weights) -> MatchResult:
    """The comparison of two records; the same whichever comes first."""
    found = outcomes(one, other)
    points = score(found, weights)
    verdict, kind = _decide(found, points, one, other, weights)
    return MatchResult(verdict=verdict, kind=kind, score=points, found=found)


def _decide(
    found: Outcomes, points: int, one: PersonRecord, other: PersonRecord, weights: Weights
) -> tuple[MatchVerdict, MatchKind]:
    number = found[NUMBER]
    if number in _SAME_NUMBER or found[CERTIFICATE] == "same":
        return _one_number(found, points, weights)
    if number == "relatives" and _borrowed(found, one, other):
        return MatchVerdict.POSSIBLE, MatchKind.RELATIVES_NUMBER
    two_people = number == "different" or (number == "relatives" and one.kind == other.kind)
    if two_people and not (same_name(found) and found[BIRTH] == "exact"):
        return MatchVerdict.NEW, MatchKind.OTHER_PERSON
    if number in _MISTYPED and found[NAME] not in _NEAR_NAMES:
        points -= weights.points["number", number]
    if points < weights.possible_from or found[NAME] == "different":
        return MatchVerdict.NEW, MatchKind.OTHER_PERSON
    if two_people:
        return MatchVerdict.POSSIBLE, MatchKind.TWO_NUMBERS
    return MatchVerdict.POSSIBLE, MatchKind.MISTYPED_NUMBER if number in _MISTYPED else MatchKind.WITHOUT_NUMBER


def _one_number(found: Outcomes, points: int, weights: Weights) -> tuple[MatchVerdict, MatchKind]:
    by_number = found[NUMBER] in _SAME_NUMBER
    births = ("exact", MISSING) if by_number else ("exact",)
    if not same_name(found) or found[BIRTH] not in births or found[CERTIFICATE] == "different":
        return MatchVerdict.POSSIBLE, MatchKind.ONE_NUMBER
    if points < weights.same_from:
        return MatchVerdict.POSSIBLE, MatchKind.ONE_NUMBER if by_number else MatchKind.CERTIFICATE
    if not by_number:
        return MatchVerdict.SAME, MatchKind.CERTIFICATE
    if found[NUMBER] == "same_15_18":
        return MatchVerdict.SAME, MatchKind.NUMBER_UPGRADED
    return MatchVerdict.SAME, MatchKind.NAME_VARIANT if found[NAME] == "variant" else MatchKind.IDENTICAL


def _borrowed(found: Outcomes, one: PersonRecord, other: PersonRecord) -> bool:
    """Whether somebody goes by a relative's number: near enough in name, and not that relative in person."""
    if found[NAME] not in _NEAR_NAMES:
        return False
    return not (_is_the_relative(one, other) or _is_the_relative(other, one))


def _is_the_relative(person: PersonRecord, other: PersonRecord) -> bool:
    """Whether the person is whom the other record names beside its own, by number and name."""
    return person.number is not None and (person.number, person.name) in other.relatives

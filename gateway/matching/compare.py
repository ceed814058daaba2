"""比较 Two records, field by field: what each comparison came to, and the waterfall of points a clerk can read.

Rules: every comparison is symmetric; what one side did not state is `missing` and gives no points; the points of what
relatives share (region, telephone, guardian, household) count together up to a cap, so that a family cannot outweigh
the person. The verdict is `matching.decide`'s.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gateway.domain.identifiers import IdType
from gateway.matching.differ import at_most_two_edits, one_edit, other_order, transposed
from gateway.matching.record import PersonRecord
from gateway.matching.weights import FIELDS, MISSING, SHARED, Weights

Outcomes = tuple[str, ...]
"""One outcome a field, in the order of `FIELDS`."""
NAME, BIRTH, SEX, NUMBER, CERTIFICATE = range(5)
_SHARED_AT = tuple(FIELDS.index(field) for field in SHARED)
_SHORT_NAME = 2
_LONG_NAME = 8
CAP = "cap"


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One step of the waterfall: what was compared, what it came to, how many points, the sum so far."""

    field: str
    outcome: str
    points: int
    total: int
    zh: str
    en: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Waterfall:
    """得分瀑布 How a score came about; codes and points only, nothing of the persons."""

    steps: tuple[Step, ...]
    version: str

    @property
    def score(self) -> int:
        """The sum."""
        return self.steps[-1].total if self.steps else 0

    def as_json(self) -> list[list[str | int]]:
        """[field, outcome, points] each."""
        return [[step.field, step.outcome, step.points] for step in self.steps]


def outcomes(one: PersonRecord, other: PersonRecord) -> Outcomes:
    """What each field's comparison came to."""
    return (
        compare_names(one, other),
        compare_births(one.birth, other.birth),
        _equal(one.sex, other.sex, "same"),
        compare_numbers(one, other),
        _certificates(one, other),
        compare_regions(one.region, other.region),
        _equal(one.phone, other.phone, "same"),
        _guardians(one, other),
        _households(one, other),
    )


def score(found: Outcomes, weights: Weights) -> int:
    """The points of all outcomes, those of `SHARED` up to the cap."""
    points = weights.points
    each = [0 if outcome == MISSING else points[field, outcome] for field, outcome in zip(FIELDS, found, strict=True)]
    shared = sum(each[at] for at in _SHARED_AT)
    return sum(each) - max(0, shared - weights.household_cap)


def waterfall(found: Outcomes, weights: Weights) -> Waterfall:
    """The same sum step by step, with words."""
    return Waterfall(steps=tuple(_steps(found, weights)), version=weights.version)


def _steps(found: Outcomes, weights: Weights) -> Iterator[Step]:
    total, shared = 0, 0
    for field, outcome in zip(FIELDS, found, strict=True):
        if outcome == MISSING:
            continue
        points = weights.points[field, outcome]
        total += points
        shared += points if field in SHARED else 0
        zh, en = weights.words[field, outcome]
        yield Step(field=field, outcome=outcome, points=points, total=total, zh=zh, en=en)
    over = shared - weights.household_cap
    if over > 0:
        zh, en = "亲属共有之项合计封顶", "what relatives share is capped"
        yield Step(field="household", outcome=CAP, points=-over, total=total - over, zh=zh, en=en)


def compare_names(one: PersonRecord, other: PersonRecord) -> str:
    """exact, variant, swapped, one_edit, surname, different. Two Han characters of which one differs are another name:
    every surname has hundreds of them."""
    a, b = one.name, other.name
    if not a or not b:
        return MISSING
    if a == b:
        return "exact" if one.plain == other.plain else "variant"
    if len(a) == len(b) <= _SHORT_NAME:
        return "surname" if a[0] == b[0] else "swapped" if a == b[::-1] else "different"
    if other_order(a, b):
        return "swapped"
    if " " in a and min(len(a), len(b)) >= _LONG_NAME and at_most_two_edits(a, b):
        return "one_edit"
    if one_edit(a, b) or transposed(a, b):
        return "one_edit"
    return "surname" if _surname(a) == _surname(b) else "different"


def _surname(name: str) -> str:
    return name.rpartition(" ")[2] if " " in name else name[0]


def compare_births(one: str | None, other: str | None) -> str:
    """exact, day_month, one_digit, different, for ISO days."""
    if one is None or other is None:
        return MISSING
    if one == other:
        return "exact"
    if one[:4] == other[:4] and one[5:7] == other[8:] and one[8:] == other[5:7]:
        return "day_month"
    differing = sum(a != b for a, b in zip(one, other, strict=False))
    return "one_digit" if differing == 1 or transposed(one.replace("-", ""), other.replace("-", "")) else "different"


def compare_numbers(one: PersonRecord, other: PersonRecord) -> str:
    """same, same_15_18, same_unproven, relatives, one_digit, transposed, renewed, doubtful, different, other_kind."""
    a, b = one.number, other.number
    if a is None or b is None:
        return MISSING if not _relatives_number(one, other) else "relatives"
    if a == b and one.kind == other.kind:
        if not (one.is_proven and other.is_proven):
            return "same_unproven"
        return "same" if one.was_15 == other.was_15 else "same_15_18"
    if _relatives_number(one, other):
        return "relatives"
    if one.kind != other.kind:
        return "other_kind"
    if one_edit(a, b):
        return "one_digit"
    if transposed(a, b):
        return "transposed"
    if one.kind != IdType.RESIDENT_ID:
        return "renewed"
    return "different" if one.is_proven and other.is_proven else "doubtful"


def _relatives_number(one: PersonRecord, other: PersonRecord) -> bool:
    return _lends(one, other.number) or _lends(other, one.number)


def _lends(record: PersonRecord, number: str | None) -> bool:
    return number is not None and any(number == theirs for theirs, _ in record.relatives)


def compare_regions(one: str | None, other: str | None) -> str:
    """county, prefecture, province, different, by the code alone."""
    if not one or not other:
        return MISSING
    if one == other:
        return "county"
    if one[:4] == other[:4]:
        return "prefecture"
    return "province" if one[:2] == other[:2] else "different"


def _equal(one: str | None, other: str | None, word: str) -> str:
    if one is None or other is None:
        return MISSING
    return word if one == other else "different"


def _certificates(one: PersonRecord, other: PersonRecord) -> str:
    """Two certificates by their holders; one that goes with another paper by the other record's resident id."""
    if one.certificate is not None and other.certificate is not None:
        return "same" if one.certificate == other.certificate else "different"
    with_it, without = (one, other) if one.certificate is not None else (other, one)
    if with_it.certificate is None or _is_resident(with_it) or not _is_resident(without):
        return MISSING
    return "same" if with_it.certificate == without.number else "different"


def _is_resident(record: PersonRecord) -> bool:
    return record.is_proven and record.kind == IdType.RESIDENT_ID


def _guardians(one: PersonRecord, other: PersonRecord) -> str:
    if not one.has_guardian or not other.has_guardian:
        return MISSING
    (number, name), (number_2, name_2) = one.relatives[0], other.relatives[0]
    if number and number == number_2:
        return "number"
    if number and number_2:
        return "different"
    return "name" if name == name_2 else "different"


def _households(one: PersonRecord, other: PersonRecord) -> str:
    mine, theirs = _members(one), _members(other)
    if not mine or not theirs:
        return MISSING
    if not one.number or one.number != other.number:
        mine, theirs = mine - {other.number or ""}, theirs - {one.number or ""}
    return "overlap" if mine & theirs else "none"


def _members(record: PersonRecord) -> set[str]:
    """Those beside the guardian, by number, or by name where none is stated."""
    members: Sequence[tuple[str, str]] = record.relatives[1:] if record.has_guardian else record.relatives
    return {number or name for number, name in members}


def same_name(found: Outcomes) -> bool:
    """Whether the names agree, character by character or in another form."""
    return found[NAME] in ("exact", "variant")

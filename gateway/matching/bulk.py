"""批量比对 A whole population at once: the pairs that a check at intake would have compared, found without a database.

Rules: the same records, comparison and verdicts as at intake; only the look-up differs. Two proven resident ids that
differ are one person only with one name and one birth date (`matching.decide`, 3); so the blocks of near names and near
birth dates hold only records without such a number, and everybody is looked up in them in one pass; county and
telephone are asked only for those without a birth date. Oversized blocks are told to the caller, never passed over in
silence. Time grows with the population, not with its square; no pair comes twice. `PARTS` may be given to processes.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from typing import NamedTuple

from gateway.domain.identifiers import IdType
from gateway.matching.decide import MatchKind, MatchVerdict, compare
from gateway.matching.keys import BlockKind
from gateway.matching.record import PersonRecord
from gateway.matching.weights import FIELDS, Weights

MOST_IN_BLOCK = 500
"""A larger block is a placeholder that many wrote (a court's own telephone), not a trait."""
Pair = tuple[int, int]
Blocks = dict[str, list[int]]


class Part(StrEnum):
    """Part of the work: who shares a number; two proven numbers with one name and birth date; whoever lacks a proven
    number against everybody; numbers lent by relatives and certificates."""

    NUMBER = "number"
    NAME_BIRTH = "name_birth"
    NEAR = "near"
    LENT = "lent"


PARTS = tuple(Part)


@dataclass(frozen=True, kw_only=True, slots=True)
class FullBlock:
    """A block that was left out: its kind and how many records lie in it."""

    kind: str
    size: int


Full = Callable[[FullBlock], None]


class BulkMatch(NamedTuple):
    """One pair of places that is not NEW; `decide.compare` of the two records says why."""

    at: int
    other: int
    verdict: MatchVerdict
    kind: MatchKind


def matches(
    records: Sequence[PersonRecord], weights: Weights, *, parts: Sequence[Part] = PARTS, full: Full | None = None
) -> Iterator[BulkMatch]:
    """Every pair that is not NEW, each once, in no order."""
    strong = [record.is_proven and record.kind == IdType.RESIDENT_ID for record in records]
    identical_is_same = _floor_of_identical(weights) >= weights.same_from
    finders = {Part.NUMBER: _one_number, Part.NAME_BIRTH: _one_name, Part.NEAR: _near, Part.LENT: _lent}
    for part in parts:
        for at, other in finders[part](records, strong, full or _nobody):
            one, second = records[at], records[other]
            if identical_is_same and strong[at] and one[1:3] == second[1:3] and one[5:10] == second[5:10]:
                yield BulkMatch(at, other, MatchVerdict.SAME, MatchKind.IDENTICAL)
                continue
            result = compare(one, second, weights)
            if result.verdict is not MatchVerdict.NEW:
                yield BulkMatch(at, other, result.verdict, result.kind)


def _floor_of_identical(weights: Weights) -> int:
    """The least points of two records with one number, name and birth date, whatever else they say."""
    alike = sum(weights.points[pair] for pair in (("name", "exact"), ("birth", "exact"), ("number", "same")))
    others = [field for field in FIELDS if field not in ("name", "birth", "number", "certificate")]
    return alike + sum(
        min(0, *(points for (field, _), points in weights.points.items() if field == other)) for other in others
    )


def _nobody(_: FullBlock) -> None:
    """Nobody asked."""


def _one_number(records: Sequence[PersonRecord], _strong: Sequence[bool], full: Full) -> Iterator[Pair]:
    """Everybody with everybody under one number."""
    first: dict[str, int] = {}
    more: Blocks = {}
    for at, record in enumerate(records):
        number = record.number
        if number is not None and (there := first.setdefault(number, at)) != at:
            more.setdefault(number, [there]).append(at)
    for block in _bounded(more, BlockKind.NUMBER, full).values():
        yield from combinations(block, 2)


def _one_name(records: Sequence[PersonRecord], strong: Sequence[bool], full: Full) -> Iterator[Pair]:
    """Two proven resident ids with one name and birth date."""
    first: dict[str, int] = {}
    more: Blocks = {}
    for at, record in enumerate(records):
        if not strong[at] or record.birth is None:
            continue
        key = record.birth + record.name
        if (there := first.setdefault(key, at)) != at:
            more.setdefault(key, [there]).append(at)
    for block in _bounded(more, BlockKind.NAME_YEAR, full).values():
        for at, other in combinations(block, 2):
            if records[at].number != records[other].number:
                yield at, other


def _near(records: Sequence[PersonRecord], strong: Sequence[bool], full: Full) -> Iterator[Pair]:
    """Those without a proven resident id with everybody who shares a block with them."""
    weak = tuple(Blocks() for _ in range(len(_NEAR)))
    undated = Blocks()
    for at, record in enumerate(records):
        if strong[at]:
            continue
        for blocks, key in zip(weak, _near_keys(record), strict=False):
            blocks.setdefault(key, []).append(at)
        for key in _keys_without_birth(record) if not record.birth else ():
            undated.setdefault(key, []).append(at)
    years, days, firsts, lasts = (_bounded(blocks, kind, full).get for blocks, kind in zip(weak, _NEAR, strict=True))
    undated = _bounded(undated, BlockKind.PHONE, full)
    # written for speed: a million records pass here, and most share a block with nobody
    for at, record in enumerate(records):
        found: list[int] = []
        name, birth = record[0], record[2]
        if birth and name:
            word = _word(name) if " " in name else name
            a, b = years(birth[:4] + word), days(birth[5:] + word)
            c, d = firsts(birth + name[0]), lasts(birth + name[-1])
            if a or b or c or d:
                found += [*(a or ()), *(b or ()), *(c or ()), *(d or ())]
        if undated:
            found += [one for key in _keys_without_birth(record) for one in undated.get(key, ())]
        if found:
            yield from _met(records, strong, at, found)


def _met(records: Sequence[PersonRecord], strong: Sequence[bool], at: int, found: list[int]) -> Iterator[Pair]:
    """Two that are weak and dated meet twice, and are compared when the later one asks; who has no birth date is asked
    for by the others."""
    record = records[at]
    number, dated = record.number, record.birth is not None
    for other in set(found):
        if other == at or (number is not None and records[other].number == number):
            continue
        both_alike = not strong[at] and (records[other].birth is not None) is dated
        if not both_alike or other < at:
            yield (other, at) if other < at else (at, other)


_NEAR = (BlockKind.NAME_YEAR, BlockKind.NAME_DAY, BlockKind.BIRTH_FIRST, BlockKind.BIRTH_LAST)


def _near_keys(record: PersonRecord) -> tuple[str, ...]:
    """As `keys.common_blocks`, unkeyed, one for each of `_NEAR`."""
    name, birth = record.name, record.birth
    if not name or not birth:
        return ()
    word = _word(name)
    return birth[:4] + word, birth[5:] + word, birth + name[0], birth + name[-1]


def _word(name: str) -> str:
    return " ".join(sorted(name.split())) if " " in name else name


def _keys_without_birth(record: PersonRecord) -> list[str]:
    name, keys = record.name, []
    if name and record.region:
        keys.append("r" + record.region + _word(name))
    if record.phone:
        keys.append("p" + record.phone)
    return keys


def _lent(records: Sequence[PersonRecord], strong: Sequence[bool], full: Full) -> Iterator[Pair]:
    """Whoever goes by a number that another record gives to a relative, or that another's certificate holds."""
    lent: Blocks = {}
    for at, record in enumerate(records):
        for theirs, _ in record.relatives:
            if theirs:
                lent.setdefault(theirs, []).append(at)
        if record.certificate and record.certificate != record.number:
            lent.setdefault(record.certificate, []).append(at)
    lent = _bounded(lent, BlockKind.RELATIVES_NUMBER, full)
    owners = [(at, record.number) for at, record in enumerate(records) if record.number in lent]
    owners += [(at, record.certificate) for at, record in enumerate(records) if record.certificate in lent]
    seen: set[Pair] = set()
    for at, own in owners:
        for other in lent[own or ""]:
            pair = (min(at, other), max(at, other))
            if other != at and pair not in seen and not _was_compared(records, strong, *pair):
                seen.add(pair)
                yield pair


def _was_compared(records: Sequence[PersonRecord], strong: Sequence[bool], at: int, other: int) -> bool:
    """Whether another part compares the two."""
    one, second = records[at], records[other]
    if one.number is not None and one.number == second.number:
        return True
    if strong[at] and strong[other]:
        return one.birth is not None and (one.birth, one.name) == (second.birth, second.name)
    if one.birth is None or second.birth is None:
        return not set(_keys_without_birth(one)).isdisjoint(_keys_without_birth(second))
    return any(mine == theirs for mine, theirs in zip(_near_keys(one), _near_keys(second), strict=True))


def _bounded(blocks: Blocks, kind: str, full: Full) -> Blocks:
    """Without those that are too large, which the caller is told."""
    large = [key for key, block in blocks.items() if len(block) > MOST_IN_BLOCK]
    for key in large:
        full(FullBlock(kind=kind, size=len(blocks.pop(key))))
    return blocks

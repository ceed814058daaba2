"""批量比对 A whole population at once: the pairs that a check at intake would have compared, found without a database.

Rules: the same records, comparison and verdicts as at intake; only the look-up differs. Blocks lie in memory, one kind
after the other, and a pair is compared in the first kind of block that holds both. Two proven resident ids that differ
are one person only with one name and one birth date (`matching.decide`, 3), so the blocks of near names and near birth
dates are filled with records that lack such a number, and everybody else is only looked up in them. Oversized blocks
are told to the caller, never passed over in silence. Time grows with the population, not with its square.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from gateway.domain.identifiers import IdType
from gateway.matching.decide import MatchResult, MatchVerdict, compare
from gateway.matching.keys import BlockKind
from gateway.matching.record import PersonRecord
from gateway.matching.weights import Weights

MOST_IN_BLOCK = 500
"""A larger block is a placeholder that many wrote (a court's own telephone), not a trait."""

Pair = tuple[int, int]
KeyOf = Callable[[PersonRecord], str | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class FullBlock:
    """A block that was left out: its kind and how many records lie in it."""

    kind: str
    size: int


def name_year(record: PersonRecord) -> str | None:
    """Name and year of birth."""
    return record.name + record.birth[:4] if record.birth and record.name else None


def name_day(record: PersonRecord) -> str | None:
    """Name and day in the year."""
    return record.name + record.birth[5:] if record.birth and record.name else None


def birth_first(record: PersonRecord) -> str | None:
    """Birth date and first letter of the name."""
    return record.birth + record.name[0] if record.birth and record.name else None


def birth_last(record: PersonRecord) -> str | None:
    """Birth date and last letter."""
    return record.birth + record.name[-1] if record.birth and record.name else None


def name_region(record: PersonRecord) -> str | None:
    """Name and county."""
    return record.name + record.region if record.region and record.name else None


def phone(record: PersonRecord) -> str | None:
    """Telephone."""
    return record.phone


def number(record: PersonRecord) -> str | None:
    """The number."""
    return record.number


WHOLE: tuple[tuple[str, KeyOf], ...] = ((BlockKind.NUMBER, number), (BlockKind.NAME_YEAR, name_year))
"""Blocks in which everybody is compared with everybody."""
NEAR: tuple[tuple[str, KeyOf], ...] = (
    (BlockKind.NAME_DAY, name_day),
    (BlockKind.BIRTH_FIRST, birth_first),
    (BlockKind.BIRTH_LAST, birth_last),
    (BlockKind.NAME_REGION, name_region),
    (BlockKind.PHONE, phone),
)
"""Blocks of those without a proven resident id; everybody is looked up in them."""
ALL = (*(kind for kind, _ in WHOLE + NEAR), BlockKind.RELATIVES_NUMBER)


def matches(
    records: Sequence[PersonRecord],
    weights: Weights,
    *,
    kinds: Sequence[str] = ALL,
    full: Callable[[FullBlock], None] | None = None,
) -> Iterator[tuple[int, int, MatchResult]]:
    """(place, place, result) of every pair that is not NEW, each once, in no order. kinds: which blocks, so that the
    work can be divided between processes."""
    strong = [record.is_proven and record.kind == IdType.RESIDENT_ID for record in records]
    for pairs in _pairs(records, strong, kinds, full or _nobody):
        for at, other in pairs:
            result = compare(records[at], records[other], weights)
            if result.verdict is not MatchVerdict.NEW:
                yield at, other, result


def _nobody(_: FullBlock) -> None:
    """Nobody asked."""


def _pairs(
    records: Sequence[PersonRecord], strong: Sequence[bool], kinds: Sequence[str], full: Callable[[FullBlock], None]
) -> Iterator[Iterator[Pair]]:
    earlier: list[KeyOf] = []
    for kind, key_of in WHOLE:
        if kind in kinds:
            yield _within(records, strong, kind, key_of, tuple(earlier), full)
        earlier.append(key_of)
    for kind, key_of in NEAR:
        if kind in kinds:
            yield _looked_up(records, strong, kind, key_of, tuple(earlier), full)
        earlier.append(key_of)
    if BlockKind.RELATIVES_NUMBER in kinds:
        yield _relatives(records, strong, tuple(earlier))


def _within(
    records: Sequence[PersonRecord],
    strong: Sequence[bool],
    kind: str,
    key_of: KeyOf,
    earlier: tuple[KeyOf, ...],
    full: Callable[[FullBlock], None],
) -> Iterator[Pair]:
    """Pairs inside one kind of block that can be more than NEW."""
    by_number = kind == BlockKind.NUMBER
    for block in _blocks(records, key_of):
        if len(block) > MOST_IN_BLOCK:
            full(FullBlock(kind=kind, size=len(block)))
            continue
        for place, at in enumerate(block):
            one = records[at]
            for other in block[:place]:
                second = records[other]
                if not by_number and strong[at] and strong[other] and one.birth != second.birth:
                    continue
                if not _shares(one, second, earlier):
                    yield other, at


def _blocks(records: Sequence[PersonRecord], key_of: KeyOf) -> Iterator[list[int]]:
    """Blocks of at least two."""
    first: dict[str, int] = {}
    more: dict[str, list[int]] = {}
    for at, record in enumerate(records):
        key = key_of(record)
        if key is None:
            continue
        there = first.setdefault(key, at)
        if there != at:
            more.setdefault(key, [there]).append(at)
    yield from more.values()


def _looked_up(
    records: Sequence[PersonRecord],
    strong: Sequence[bool],
    kind: str,
    key_of: KeyOf,
    earlier: tuple[KeyOf, ...],
    full: Callable[[FullBlock], None],
) -> Iterator[Pair]:
    """Pairs of which at least one lacks a proven resident id."""
    weak: dict[str, list[int]] = {}
    for at, record in enumerate(records):
        if not strong[at] and (key := key_of(record)) is not None:
            weak.setdefault(key, []).append(at)
    for key, block in weak.items():
        if len(block) > MOST_IN_BLOCK:
            full(FullBlock(kind=kind, size=len(block)))
            weak[key] = []
    if not weak:
        return
    for at, record in enumerate(records):
        key = key_of(record)
        if key is None or key not in weak:
            continue
        for other in weak[key]:
            # two weak ones meet twice, and are compared when the later one asks
            if other != at and (strong[at] or other < at) and not _shares(record, records[other], earlier):
                yield (other, at) if other < at else (at, other)


def _shares(one: PersonRecord, other: PersonRecord, earlier: tuple[KeyOf, ...]) -> bool:
    """Whether an earlier kind of block held both."""
    return any((key := key_of(one)) is not None and key == key_of(other) for key_of in earlier)


def _relatives(
    records: Sequence[PersonRecord], strong: Sequence[bool], earlier: tuple[KeyOf, ...]
) -> Iterator[Pair]:
    """Whoever goes by a number that another record gives to a relative, or that another's certificate holds."""
    lent: dict[str, list[int]] = {}
    for at, record in enumerate(records):
        for theirs, _ in record.relatives:
            if theirs:
                lent.setdefault(theirs, []).append(at)
        if record.certificate and record.certificate != record.number:
            lent.setdefault(record.certificate, []).append(at)
    seen: set[Pair] = set()
    for at, record in enumerate(records) if lent else ():
        for own in {record.number, record.certificate} - {None}:
            for other in lent.get(own or "", ()):
                pair = (min(at, other), max(at, other))
                if other == at or pair in seen:
                    continue
                seen.add(pair)
                both = strong[at] and strong[other]
                if not (_was_compared(record, records[other]) if both else _shares(record, records[other], earlier)):
                    yield pair


def _was_compared(one: PersonRecord, other: PersonRecord) -> bool:
    """Whether two with proven resident ids met in a block of `WHOLE`."""
    return one.number == other.number or (one.name == other.name and one.birth == other.birth)

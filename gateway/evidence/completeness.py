"""对账承诺 Nothing missing: both sides of a pair put a tree over the numbers of its messages and compare. Pure.

A stream is what one party sent to another, numbered from 1. Leaf k is number k+1: its id and digest, or that there is
none; a number with several messages holds them all. Equal roots over the same numbers prove that neither side misses,
changed or added one. Unequal roots are bisected (RFC 9162's halves) down to the numbers that differ: O(d·log n) asks
for d of them. What is on its way is told from what is lost by the state its sender keeps. Nothing here is signed.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import groupby
from operator import attrgetter

from gateway.evidence.merkle import Hashes, in_memory, leaf_hash, range_root

LEEWAY = 100_000
"""How far a number may lie ahead of how many messages there are; one beyond belongs to no stream, or a single message
could make everybody count to 2**53."""
IN_TRANSIT = frozenset({"queued", "sending", "unknown", "parked", "available", "pending"})
"""States in which a message may not have arrived, and nobody says that it did."""
REFUSED = "refused"
SETTLED = "settled"
"""The state of a message that both sides must have."""

Ask = Callable[[int, int], bytes]
"""(first leaf, leaf after the last) → the hash over them."""


class Direction(StrEnum):
    """方向: which of a pair's two streams, as the party sees it."""

    TO_GATEWAY = "to_gateway"
    FROM_GATEWAY = "from_gateway"


class DifferenceKind(StrEnum):
    """What is the matter with one number, from the side of who compares (`ours`)."""

    MISSING_OURS = "missing_ours"
    MISSING_THEIRS = "missing_theirs"
    ALTERED = "altered"
    DOUBLED = "doubled"
    IN_TRANSIT = "in_transit"
    REFUSED = "refused"


WRONG = frozenset(
    {
        DifferenceKind.MISSING_OURS,
        DifferenceKind.MISSING_THEIRS,
        DifferenceKind.ALTERED,
        DifferenceKind.DOUBLED,
    }
)
"""Differences that somebody must explain. The others are on their way, or were refused by whom they were for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Numbered:
    """One message by its number, as one side holds it. digest: SHA-256 of its compact JWS in hex."""

    seq: int
    message_id: str
    digest: str
    state: str = SETTLED


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """差异 One number on which two sides differ, with everything either holds under it."""

    seq: int
    kind: DifferenceKind
    ours: tuple[Numbered, ...] = ()
    theirs: tuple[Numbered, ...] = ()

    @property
    def is_wrong(self) -> bool:
        """Whether somebody must explain it."""
        return self.kind in WRONG


@dataclass(frozen=True, kw_only=True, slots=True)
class Commitment:
    """对账承诺 What one side holds of a stream up to a number. root: hex; count: how many messages are numbered so."""

    source: str
    recipient: str
    high_water: int
    count: int
    root: str
    cutoff: datetime


class PairTree:
    """The tree over one stream as one side holds it."""

    def __init__(self, rows: Iterable[Numbered], *, at_least: int = 0) -> None:
        """at_least: a number known to have been given, though its message may be gone. Numbers below 1 and those out
        of line (`LEEWAY`) are left out."""
        kept = sorted((row for row in rows if row.seq > 0), key=attrgetter("seq"))
        while kept and kept[-1].seq > len(kept) + LEEWAY:
            kept.pop()
        self._numbers = [row.seq for row in kept]
        self.high_water = max(self._numbers[-1] if kept else 0, min(at_least, len(kept) + LEEWAY))
        self._leaves = [*_leaves(kept)]
        self._leaves.extend(leaf_of(seq, ()) for seq in range(len(self._leaves) + 1, self.high_water + 1))
        self._hashes = in_memory(self._leaves)

    def count(self, size: int) -> int:
        """How many messages have a number up to `size`."""
        return bisect_right(self._numbers, size)

    def root(self, size: int) -> bytes:
        """The root over the numbers 1…size; numbers above the high water mark are numbers without a message. ValueError
        for a size out of line."""
        return range_root(self._up_to(size), 0, size)

    def over(self, start: int, stop: int) -> bytes:
        """The hash over leaves [start, stop), as `Ask`."""
        return range_root(self._up_to(stop), start, stop)

    def root_with(self, replaced: Mapping[int, Sequence[Numbered]], size: int) -> bytes:
        """The root over 1…size if these numbers held other messages."""
        self._up_to(size)
        leaves = self._leaves[:size]
        leaves.extend(leaf_of(seq, ()) for seq in range(len(leaves) + 1, size + 1))
        for seq, rows in replaced.items():
            if 1 <= seq <= size:
                leaves[seq - 1] = leaf_of(seq, rows)
        return range_root(in_memory(leaves), 0, size)

    def reaches(self, size: int) -> bool:
        """Whether `size` is in line with this stream."""
        return 0 <= size <= self.high_water + LEEWAY

    def commitment(self, source: str, recipient: str, *, cutoff: datetime, size: int | None = None) -> Commitment:
        """What is held up to `size`, or up to the high water mark."""
        to = self.high_water if size is None else size
        return Commitment(
            source=source,
            recipient=recipient,
            high_water=to,
            count=self.count(to),
            root=self.root(to).hex(),
            cutoff=cutoff,
        )

    def _up_to(self, size: int) -> Hashes:
        if size <= self.high_water:
            return self._hashes
        if not self.reaches(size):
            raise ValueError("out of line")
        return in_memory([*self._leaves, *(leaf_of(seq, ()) for seq in range(self.high_water + 1, size + 1))])


def leaf_of(seq: int, rows: Sequence[Numbered]) -> bytes:
    """The leaf hash of one number: `seq`, then id and digest of each message under it, or `-` twice for none."""
    if len(rows) == 1:
        text = f"{seq}\n{rows[0].message_id}\n{rows[0].digest}\n"
    elif rows:
        text = f"{seq}\n" + "".join(sorted(f"{row.message_id}\n{row.digest}\n" for row in rows))
    else:
        text = f"{seq}\n-\n-\n"
    return leaf_hash(text.encode("utf-8", "surrogatepass"))


def _leaves(rows: Iterable[Numbered]) -> Iterator[bytes]:
    expected = 1
    for seq, together in groupby(rows, key=attrgetter("seq")):
        while expected < seq:
            yield leaf_of(expected, ())
            expected += 1
        yield leaf_of(seq, [*together])
        expected += 1


def middle(start: int, stop: int) -> int:
    """Where RFC 9162 splits [start, stop): after the largest power of two below its width (≥ 2)."""
    return start + (1 << ((stop - start - 1).bit_length() - 1))


def is_subtree(start: int, stop: int) -> bool:
    """Whether [start, stop) is a range that bisection from 0 can come to, whatever the size of the tree."""
    width = stop - start
    return 0 <= start < stop and start % (1 << (width - 1).bit_length()) == 0


class Bisection:
    """Finds where two streams differ. `asked`: how often the other side was asked."""

    def __init__(self, ours: Ask, theirs: Ask, size: int) -> None:
        self._ours, self._theirs, self._size = ours, theirs, size
        self.asked = 0

    def differing(self) -> Iterator[int]:
        """Every leaf that differs, in order (leaf k is number k+1). A half is asked for unless its sibling is equal,
        and so it must differ."""
        open_ = [(0, self._size, False)] if self._size else []
        while open_:
            start, stop, differs = open_.pop()
            if not differs and self._equal(start, stop):
                continue
            if stop - start == 1:
                yield start
                continue
            at = middle(start, stop)
            left_equal = self._equal(start, at)
            open_.append((at, stop, left_equal))
            if not left_equal:
                open_.append((start, at, True))

    def _equal(self, start: int, stop: int) -> bool:
        self.asked += 1
        return self._ours(start, stop) == self._theirs(start, stop)


def judge(seq: int, ours: Sequence[Numbered], theirs: Sequence[Numbered]) -> Difference | None:
    """What is the matter with one number, if anything; the states of whoever holds it say whether it may be on its
    way."""
    if _names(ours) == _names(theirs):
        return None
    return Difference(seq=seq, kind=_kind(ours, theirs), ours=tuple(ours), theirs=tuple(theirs))


def _names(rows: Sequence[Numbered]) -> list[tuple[str, str]]:
    return sorted((row.message_id, row.digest) for row in rows)


def _kind(ours: Sequence[Numbered], theirs: Sequence[Numbered]) -> DifferenceKind:
    if len(ours) > 1 or len(theirs) > 1:
        return DifferenceKind.DOUBLED
    if ours and theirs:
        return DifferenceKind.ALTERED
    (held,) = ours or theirs
    if held.state in IN_TRANSIT:
        return DifferenceKind.IN_TRANSIT
    if held.state == REFUSED:
        return DifferenceKind.REFUSED
    return DifferenceKind.MISSING_THEIRS if ours else DifferenceKind.MISSING_OURS

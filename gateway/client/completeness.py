"""核对 Is anything missing between this party and the gateway? Both books are compared, number by number.

1. the gateway signs what it holds of a stream; only then our own book is read: what the gateway had is in it;
2. equal roots: every number is proven. Else its hashes are asked for, half by half, each checked against the one above
   it and the topmost against the signed root, down to the numbers that differ;
3. our book is read once more for these, since messages move: what arrived meanwhile is committed to with the rest;
4. all of it is what `commitment.submitted` says, and what `Reckoning` tells people.

A gateway whose answers contradict what it signed is asked from the beginning, a few times, and then not believed.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, zip_longest
from typing import Any, Protocol

from marshmallow import ValidationError

from gateway.envelope.signing import VerifiedMessage
from gateway.errors import CommitmentContradicted, PartnerUnreachable
from gateway.evidence.completeness import (
    Bisection,
    Commitment,
    Difference,
    DifferenceKind,
    Direction,
    Numbered,
    PairTree,
    judge,
    leaf_of,
    middle,
)
from gateway.evidence.merkle import Hashes, in_memory, node_hash, range_root
from schemas.commitment import COMMITMENT, MOST_DIFFERENCES
from schemas.fields import format_moment

COMMITMENT_TYPE = "commitment.submitted"
ROUNDS = 4
_HASH = re.compile(r"[0-9a-f]{64}")
_PRINTABLE = re.compile(r"[!-~]{1,200}")


class Counterpart(Protocol):
    """The gateway's three answers."""

    def commitment(self, direction: Direction, size: int | None) -> bytes:
        """Its signed commitment, at its own high water mark for None."""
        ...

    def range(self, direction: Direction, start: int, stop: int, *, under: Commitment) -> Mapping[str, Any]:
        """The hash over leaves [start, stop) with what it is made of (`RangeSchema`), under what it committed to."""
        ...

    def prove(self, raw: bytes) -> VerifiedMessage:
        """A message of the gateway to us. Raises what refuses it."""
        ...


@dataclass(frozen=True, kw_only=True)
class OverHttp:
    """The gateway behind its two addresses. get: one authenticated read, (path, query) → the answer's bytes."""

    get: Callable[[str, Mapping[str, Any]], bytes]
    prove: Callable[[bytes], VerifiedMessage]

    def commitment(self, direction: Direction, size: int | None) -> bytes:
        """As `Counterpart`."""
        return self.get(f"/v1/pairs/{direction.value}/commitment", {} if size is None else {"size": size})

    def range(self, direction: Direction, start: int, stop: int, *, under: Commitment) -> Mapping[str, Any]:
        """As `Counterpart`."""
        query = {"lo": start, "hi": stop, "size": under.high_water, "root": under.root}
        try:
            found = json.loads(self.get(f"/v1/pairs/{direction.value}/range", query))
        except ValueError as error:
            raise PartnerUnreachable("not_json") from error
        if not isinstance(found, dict):
            raise PartnerUnreachable("not_json")
        return found


@dataclass(frozen=True, kw_only=True)
class Books:
    """What a party holds. rows: of one stream, all of them or those under one number."""

    party_id: str
    gateway: str
    rows: Callable[[Direction, int | None], Sequence[Numbered]]

    def ends(self, direction: Direction) -> tuple[str, str]:
        """Source and recipient of a stream."""
        pair = (self.party_id, self.gateway)
        return pair if direction is Direction.TO_GATEWAY else pair[::-1]


@dataclass(frozen=True, kw_only=True, slots=True)
class Compared:
    """One stream: what we commit to, what the gateway signed (`theirs`, whose bytes are `signed`), and where the two
    differ. requests: how often the gateway was asked."""

    direction: Direction
    ours: Commitment
    theirs: Commitment
    signed: str
    differences: tuple[Difference, ...]
    requests: int

    @property
    def wrong(self) -> tuple[Difference, ...]:
        """What is missing, changed or doubled."""
        return tuple(one for one in self.differences if one.is_wrong)

    @property
    def under_way(self) -> tuple[Difference, ...]:
        """What is not proven and not lost."""
        return tuple(one for one in self.differences if not one.is_wrong)

    @property
    def proven(self) -> int:
        """How many numbers are the same on both sides."""
        return max(self.ours.high_water, self.theirs.high_water) - len(self.differences)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reckoning:
    """核对结果 of one cut-off. message_id: the commitment that was sent."""

    cutoff: datetime
    streams: tuple[Compared, ...]
    message_id: str = ""

    @property
    def is_whole(self) -> bool:
        """Nothing is missing, changed or doubled on either side."""
        return not any(stream.wrong for stream in self.streams)

    def sentences(self) -> list[str]:
        """In words, a stream or a wrong number a line."""
        return [line for stream in self.streams for line in _sentences(stream)]


def reckon(books: Books, gateway: Counterpart, *, cutoff: datetime) -> Reckoning:
    """Compares both streams. Raises CommitmentContradicted, and whatever the counterpart raises."""
    return Reckoning(
        cutoff=cutoff, streams=tuple(compare(direction, books, gateway, cutoff=cutoff) for direction in Direction)
    )


def compare(direction: Direction, books: Books, gateway: Counterpart, *, cutoff: datetime) -> Compared:
    """One stream."""
    asked = 0
    for _ in range(ROUNDS):
        walk = _Walk(direction=direction, books=books, gateway=gateway)
        try:
            return walk.compared(cutoff, before=asked)
        except _MovedError:
            asked += walk.requests
    raise CommitmentContradicted(direction.value)


def body_of(reckoning: Reckoning) -> dict[str, Any]:
    """`data` of the commitment; what is wrong stands first, and what does not fit is counted."""
    return {
        "cutoff": format_moment(reckoning.cutoff),
        "streams": [_stream(stream) for stream in reckoning.streams],
    }


class _MovedError(Exception):
    """An answer does not fit what was signed before: messages moved meanwhile, or somebody lies."""


@dataclass(kw_only=True)
class _Walk:
    """One comparison of one stream; what the gateway said is checked and remembered."""

    direction: Direction
    books: Books
    gateway: Counterpart
    requests: int = 0
    _under: Commitment | None = None
    _hashes: dict[tuple[int, int], bytes] = field(default_factory=dict)
    _above: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)
    _blocks: list[tuple[int, int, Hashes]] = field(default_factory=list)
    _theirs: dict[int, list[Numbered]] = field(default_factory=dict)

    def compared(self, cutoff: datetime, *, before: int) -> Compared:
        signed, theirs = self._signed(None)
        rows = self.books.rows(self.direction, None)
        tree = PairTree(rows)
        size = max(tree.high_water, theirs.high_water)
        if not tree.reaches(size):
            raise CommitmentContradicted("out_of_line")
        self._under = theirs if size == theirs.high_water else self._signed(size)[1]
        self._learn(0, size, bytes.fromhex(self._under.root))
        held: dict[int, list[Numbered]] = {}
        for row in rows:
            held.setdefault(row.seq, []).append(row)
        found = [leaf + 1 for leaf in Bisection(tree.over, self._ask, size).differing()]
        looked = [(seq, self._difference(seq, held.get(seq, []))) for seq in found]
        arrived = {seq: self.books.rows(self.direction, seq) for seq, difference in looked if difference is None}
        if arrived:
            tree = PairTree(row for book in (held | arrived).values() for row in book)
        return Compared(
            direction=self.direction,
            ours=tree.commitment(*self.books.ends(self.direction), cutoff=cutoff),
            theirs=theirs,
            signed=signed,
            differences=tuple(difference for _, difference in looked if difference is not None),
            requests=before + self.requests,
        )

    def _signed(self, size: int | None) -> tuple[str, Commitment]:
        self.requests += 1
        message = self.gateway.prove(self.gateway.commitment(self.direction, size))
        try:
            body = COMMITMENT.load(message.envelope.data)
            (stream,) = body["streams"]
        except (ValidationError, ValueError) as error:
            raise CommitmentContradicted("not_a_commitment") from error
        ends = (stream["source"], stream["recipient"])
        expected = size is None or stream["high_water"] == size
        if message.envelope.type != COMMITMENT_TYPE or ends != self.books.ends(self.direction) or not expected:
            raise CommitmentContradicted("of_something_else")
        names = ("source", "recipient", "high_water", "count", "root")
        return message.jws, Commitment(cutoff=body["cutoff"], **{name: stream[name] for name in names})

    def _difference(self, seq: int, ours: Sequence[Numbered]) -> Difference | None:
        """None for what arrived while we looked."""
        if seq not in self._theirs:
            self._open(seq - 1, seq)
        theirs = self._theirs.get(seq, [])
        if judge(seq, self.books.rows(self.direction, seq), theirs) is None:
            return None
        return judge(seq, ours, theirs)

    def _ask(self, start: int, stop: int) -> bytes:
        for first, last, hashes in self._blocks:
            if first <= start and stop <= last:
                return range_root(hashes, start - first, stop - first)
        if (start, stop) not in self._hashes:
            self._open(*self._above[start, stop])
            return self._ask(start, stop)
        return self._hashes[start, stop]

    def _learn(self, start: int, stop: int, found: bytes) -> None:
        self._hashes[start, stop] = found
        if stop - start > 1:
            at = middle(start, stop)
            self._above[start, at] = self._above[at, stop] = (start, stop)

    def _open(self, start: int, stop: int) -> None:
        """Asks what a known hash is made of."""
        if self._under is None:
            raise CommitmentContradicted("nothing_signed")
        self.requests += 1
        answer = self.gateway.range(self.direction, start, stop, under=self._under)
        known = self._hashes.get((start, stop))
        rows = answer.get("rows")
        if isinstance(rows, list):
            self._take_rows(start, stop, rows, known)
            return
        left, right = (_hash(answer.get(name)) for name in ("left", "right"))
        if stop - start < 2 or known != node_hash(left, right):
            raise _MovedError
        at = middle(start, stop)
        self._learn(start, at, left)
        self._learn(at, stop, right)

    def _take_rows(self, start: int, stop: int, rows: Sequence[Any], known: bytes | None) -> None:
        held: dict[int, list[Numbered]] = {seq: [] for seq in range(start + 1, stop + 1)}
        for row in rows:
            read = _row(row)
            held.setdefault(read.seq, []).append(read)
        leaves = [leaf_of(seq, held[seq]) for seq in range(start + 1, stop + 1)]
        if len(held) != stop - start or known not in (None, range_root(in_memory(leaves), 0, len(leaves))):
            raise _MovedError
        self._theirs |= held
        self._blocks.append((start, stop, in_memory(leaves)))


def _hash(value: Any) -> bytes:
    if not isinstance(value, str) or not _HASH.fullmatch(value):
        raise CommitmentContradicted("not_a_range")
    return bytes.fromhex(value)


def _row(value: Any) -> Numbered:
    """What stands in the gateway's book, even if somebody made it something that is no id and no digest."""
    try:
        row = Numbered(seq=value["seq"], message_id=value["message_id"], digest=value["digest"], state=value["state"])
    except (KeyError, TypeError) as error:
        raise CommitmentContradicted("not_a_range") from error
    texts = (row.message_id, row.digest, row.state)
    if type(row.seq) is not int or not all(isinstance(text, str) for text in texts):
        raise CommitmentContradicted("not_a_range")
    return row


def _stream(stream: Compared) -> dict[str, Any]:
    ours = stream.ours
    said: dict[str, Any] = {
        "source": ours.source,
        "recipient": ours.recipient,
        "high_water": ours.high_water,
        "count": ours.count,
        "root": ours.root,
    }
    rows = [row for one in chain(stream.wrong, stream.under_way) for row in _difference_rows(one)]
    if rows:
        said["differences"] = rows[:MOST_DIFFERENCES]
    if rows[MOST_DIFFERENCES:]:
        said["more"] = len(rows) - MOST_DIFFERENCES
    return said


def _difference_rows(one: Difference) -> list[dict[str, Any]]:
    rows = []
    for ours, theirs in zip_longest(one.ours, one.theirs):
        row: dict[str, Any] = {"seq": one.seq, "kind": one.kind.value}
        sides = {"ours": ours, "theirs": theirs}
        row |= {name: _held(side) for name, side in sides.items() if side is not None}
        rows.append(row)
    return rows


def _held(side: Numbered) -> dict[str, str]:
    texts = {"message_id": side.message_id, "digest": side.digest}
    return {name: text if _PRINTABLE.fullmatch(text) else "?" for name, text in texts.items()}


KIND_WORDS: Mapping[DifferenceKind, str] = {
    DifferenceKind.MISSING_OURS: "我方缺失 missing here",
    DifferenceKind.MISSING_THEIRS: "网关缺失 missing at the gateway",
    DifferenceKind.ALTERED: "内容不一致 not the same",
    DifferenceKind.DOUBLED: "一号多文 several under one number",
    DifferenceKind.IN_TRANSIT: "在途 in transit",
    DifferenceKind.REFUSED: "收件方未接收 refused by its recipient",
}
DIRECTION_WORDS: Mapping[Direction, str] = {
    Direction.TO_GATEWAY: "报送 to the gateway",
    Direction.FROM_GATEWAY: "接收 from the gateway",
}


def _sentences(stream: Compared) -> list[str]:
    name = DIRECTION_WORDS[stream.direction]
    first = (
        f"{name}: 一致 proven {stream.proven} · 在途 not proven yet {len(stream.under_way)} · "
        f"有误 wrong {len(stream.wrong)}"
    )
    return [first, *(f"{name} {tell(one)}" for one in stream.wrong)]


def tell(one: Difference) -> str:
    """One number in words: what is the matter, and every message either side holds under it."""
    ids = dict.fromkeys(row.message_id for row in (*one.ours, *one.theirs))
    states = dict.fromkeys(row.state for row in one.theirs)
    state = f" ({', '.join(states)})" if states and not one.is_wrong else ""
    return f"№{one.seq} {KIND_WORDS[one.kind]}{state}: {' '.join(ids)}"

"""对账承诺 Both sides of a pair commit to what they exchanged; where they differ, the very row is named.

1. a party commits to its two streams and names what it found to differ from ours (`commitment.submitted`);
2. its roots are compared with our rows at its high water mark. Equal: every number up to there is proven. Else what it
   named is put into our tree in place of our own: if that gives its root, the named rows are all there is;
3. each named row is judged by our own state: on its way, refused, or wrong. What is wrong becomes a finding at once;
4. a later run looks again: a row that was mended is cured, and a root that fits no more says that we changed since.

What we commit to ourselves is `flows.pair_trees`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from marshmallow import ValidationError
from sqlalchemy import Connection

from gateway.domain.reconciliation.findings import OPERATOR, doubt
from gateway.domain.reconciliation.values import Finding
from gateway.envelope.message import field_problems
from gateway.envelope.signing import VerifiedMessage
from gateway.errors import FieldProblem, SchemaInvalid
from gateway.evidence.completeness import (
    IN_TRANSIT,
    SETTLED,
    WRONG,
    Difference,
    DifferenceKind,
    Direction,
    Numbered,
    PairTree,
    judge,
)
from gateway.flows.context import Context
from gateway.flows.message_kind import PARTNERS, MessageKind, Noted
from gateway.store import findings, pairs
from gateway.store.pairs import Stated
from schemas.commitment import COMMITMENT

COMMITMENT_TYPE = "commitment.submitted"
RULES = "exchange"

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Committed:
    """A party's commitment, read and compared."""

    context: Context
    message: VerifiedMessage
    cutoff: datetime
    streams: tuple[tuple[Direction, Row], ...]
    stated: tuple[Stated, ...]
    now: datetime

    @property
    def subject(self) -> None:
        """It is about a pair, not about a case."""
        return None


def prepare(message: VerifiedMessage, context: Context, *, now: datetime) -> Committed:
    """Reads `commitment.submitted` and compares it before the writer's turn comes: the streams may be long. Raises
    SchemaInvalid, also for a stream that is not the sender's and ours."""
    ids = {"message_id": message.envelope.id}
    try:
        body = COMMITMENT.load(message.envelope.data)
    except ValidationError as error:
        raise SchemaInvalid(problems=field_problems(error, prefix="/data"), ids=ids) from error
    ours, theirs = context.party_id, message.party_id
    known = {(theirs, ours): Direction.TO_GATEWAY, (ours, theirs): Direction.FROM_GATEWAY}
    streams: dict[Direction, Row] = {}
    for at, stream in enumerate(body["streams"]):
        direction = known.get((stream["source"], stream["recipient"]))
        if direction is None or direction in streams:
            code = "invalid" if direction is None else "repeated"
            raise SchemaInvalid(problems=[FieldProblem(pointer=f"/data/streams/{at}", code=code)], ids=ids)
        streams[direction] = stream
    read = Committed(
        context=context, message=message, cutoff=body["cutoff"], streams=tuple(streams.items()), stated=(), now=now
    )
    with context.store.reading() as connection:
        return replace(read, stated=_compare(connection, read))


def record(connection: Connection, items: Sequence[Committed]) -> list[Noted | Exception]:
    """Keeps what came of it, and raises a finding for every row that is wrong; a commitment in which something is
    wrong is compared once more, now that nothing moves."""
    for item in items:
        doubtful = any(True for one in item.stated for _ in _doubts(one, one.differences))
        stated = _compare(connection, item) if doubtful else item.stated
        pairs.put(connection, stated, now=item.now)
        found = [(finding, RULES) for one in stated for finding in _doubts(one, one.differences)]
        findings.open_now(connection, found, now=item.now)
    return [Noted()] * len(items)


def _compare(connection: Connection, item: Committed) -> tuple[Stated, ...]:
    return tuple(_stated(connection, item, direction, stream) for direction, stream in item.streams)


def _stated(connection: Connection, item: Committed, direction: Direction, stream: Row) -> Stated:
    party_id = item.message.party_id
    tree, ours = _read(connection, party_id, direction)
    size = stream["high_water"]
    in_line = tree.reaches(size)
    equal = in_line and tree.root(size).hex() == stream["root"]
    at = size if in_line else tree.high_water
    return Stated(
        message_id=item.message.envelope.id,
        party_id=party_id,
        direction=direction,
        source=stream["source"],
        recipient=stream["recipient"],
        cutoff=item.cutoff,
        high_water=size,
        count=stream["count"],
        root=stream["root"],
        our_count=tree.count(at),
        our_root=tree.root(at).hex(),
        equal=equal,
        differences=_judged(tree if in_line else None, ours, stream, equal=equal),
    )


def _read(connection: Connection, party_id: str, direction: Direction) -> tuple[PairTree, dict[int, list[Numbered]]]:
    rows = pairs.stream(connection, party_id, direction)
    held: dict[int, list[Numbered]] = {}
    for row in rows:
        held.setdefault(row.seq, []).append(row)
    return PairTree(rows, at_least=pairs.last_given(connection, party_id, direction)), held


def _judged(tree: PairTree | None, ours: Mapping[int, Sequence[Numbered]], stream: Row, *, equal: bool) -> Row:
    """What is kept: the named rows as we judge them, and the numbers the party holds nothing under. explained: whether
    these make our tree the party's."""
    size, claims = stream["high_water"], _claims(stream)
    if equal:  # whatever was named below has arrived meanwhile
        claims = {seq: rows for seq, rows in claims.items() if seq > size}
    named = [judge(seq, ours.get(seq, ()), theirs) for seq, theirs in claims.items()]
    rows = [_as_row(one) for one in named if one is not None]
    kept: dict[str, Any] = {"rows": rows, "absent": [], "explained": equal, "more": stream.get("more", 0)}
    if equal or tree is None:
        return kept
    waiting = [seq for seq, held in ours.items() if seq <= size and held[0].state in IN_TRANSIT and seq not in claims]
    for absent in ((), waiting):
        if tree.root_with({**dict.fromkeys(absent, ()), **claims}, size).hex() == stream["root"]:
            return {**kept, "absent": _runs(absent), "explained": True}
    return kept


def _claims(stream: Row) -> dict[int, list[Numbered]]:
    """By number, what the party says that it holds itself."""
    found: dict[int, list[Numbered]] = {}
    for row in stream.get("differences", ()):
        state = "pending" if row["kind"] == DifferenceKind.IN_TRANSIT else SETTLED
        held = found.setdefault(row["seq"], [])
        if "ours" in row:
            held.append(Numbered(seq=row["seq"], state=state, **row["ours"]))
    return found


def _as_row(one: Difference) -> Row:
    sides = {"ours": one.ours, "theirs": one.theirs}
    held = {name: [[row.message_id, row.digest, row.state] for row in rows] for name, rows in sides.items()}
    return {"seq": one.seq, "kind": one.kind.value, **held}


def _runs(numbers: Iterable[int]) -> list[list[int]]:
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return runs


# --- findings ---

_KIND_AT: Mapping[str, str] = {
    DifferenceKind.MISSING_OURS.value: "missing_at_gateway",
    DifferenceKind.MISSING_THEIRS.value: "missing_at_party",
}
UNEXPLAINED = "unexplained"
"""The roots differ and no row named accounts for it: the party must compare anew."""


def doubts(connection: Connection) -> Iterator[Finding]:
    """What the newest statement about every stream says against our rows as they are now."""
    for stated in pairs.latest(connection):
        yield from _doubts(stated, _again(connection, stated))


def _doubts(stated: Stated, judged: Row) -> Iterator[Finding]:
    for row in judged["rows"]:
        if DifferenceKind(row["kind"]) in WRONG:
            yield _doubt(stated, row)
    if not judged["explained"]:
        yield doubt(
            "PAIR_MISMATCH",
            "law5",
            referral_id=None,
            must_act=OPERATOR,
            subject=f"{stated.party_id}|{stated.direction.value}",
            party=stated.party_id,
            direction=stated.direction.value,
            kind=UNEXPLAINED,
            cutoff=stated.cutoff,
            high_water=stated.high_water,
        )


def _doubt(stated: Stated, row: Row) -> Finding:
    """One row; whoever lacks it or changed it has to act, the operator where that is not known."""
    kind = _KIND_AT.get(row["kind"], row["kind"])
    return doubt(
        "PAIR_MISMATCH",
        "law5",
        referral_id=None,
        must_act=stated.party_id if kind == "missing_at_party" else OPERATOR,
        subject=f"{stated.party_id}|{stated.direction.value}|{row['seq']}",
        party=stated.party_id,
        direction=stated.direction.value,
        seq=row["seq"],
        kind=kind,
        message_id=[*dict.fromkeys(held[0] for held in (*row["theirs"], *row["ours"]))],
        at_gateway=[held[1] for held in row["ours"]],
        at_party=[held[1] for held in row["theirs"]],
    )


def _again(connection: Connection, stated: Stated) -> Row:
    """A statement looked at anew: rows that agree by now are gone, and our tree must still explain its root."""
    kept = stated.differences
    tree, ours = _read(connection, stated.party_id, stated.direction)
    claims = {
        row["seq"]: [Numbered(seq=row["seq"], message_id=one[0], digest=one[1]) for one in row["theirs"]]
        for row in kept["rows"]
    }
    open_ = [row for row in kept["rows"] if judge(row["seq"], ours.get(row["seq"], ()), claims[row["seq"]]) is not None]
    absent = (seq for first, last in kept["absent"] for seq in range(first, last + 1))
    fits = tree.reaches(stated.high_water) and (
        tree.root_with({**dict.fromkeys(absent, ()), **claims}, stated.high_water).hex() == stated.root
    )
    return {**kept, "rows": open_, "explained": fits}


# --- how every pair stands ---


class PairState(StrEnum):
    """How one stream of a pair stands."""

    PROVEN = "proven"
    IN_TRANSIT = "in_transit"
    DIFFERS = "differs"
    OVERDUE = "overdue"


@dataclass(frozen=True, kw_only=True, slots=True)
class PairStatus:
    """对账状态 One stream of one party. cutoff: of its newest commitment, None when it never committed; high_water: up
    to where it committed; rows: what is wrong, as their findings' evidence."""

    party_id: str
    direction: Direction
    state: PairState
    cutoff: datetime | None = None
    high_water: int = 0
    rows: tuple[Row, ...] = ()


def pairs_status(connection: Connection, *, cutoff: datetime | None = None) -> list[PairStatus]:
    """Every stream with a message in it, looked at now. A party without a commitment since `cutoff` (the last but one,
    by default), or without any, is overdue, unless what it committed to before is wrong already."""
    cutoff = cutoff or pairs.last_but_one_cutoff(connection)
    latest = {(one.party_id, one.direction): one for one in pairs.latest(connection)}
    keys = dict.fromkeys([*pairs.streams(connection), *latest])
    return [
        _status(connection, party_id, direction, latest.get((party_id, direction)), cutoff)
        for party_id, direction in sorted(keys)
    ]


def _status(
    connection: Connection, party_id: str, direction: Direction, stated: Stated | None, cutoff: datetime | None
) -> PairStatus:
    if stated is None:
        return PairStatus(party_id=party_id, direction=direction, state=PairState.OVERDUE)
    judged = _again(connection, stated)
    wrong = tuple(finding.evidence for finding in _doubts(stated, judged))
    if wrong:
        state = PairState.DIFFERS
    elif cutoff is not None and stated.cutoff < cutoff:
        state = PairState.OVERDUE
    else:
        state = PairState.IN_TRANSIT if judged["rows"] or judged["absent"] else PairState.PROVEN
    return PairStatus(
        party_id=party_id,
        direction=direction,
        state=state,
        cutoff=stated.cutoff,
        high_water=stated.high_water,
        rows=wrong,
    )


KINDS = (MessageKind(type=COMMITMENT_TYPE, senders=PARTNERS, prepare=prepare, record=record),)

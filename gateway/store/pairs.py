"""成对报文的存取 What was exchanged with one party, by number, and what parties committed to about it.

A pair's streams are read off the very rows of inbox and outbox, every time: a copy kept beside them would go on saying
that everything is there. Only ids and digests are read, never what a message says.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.agreement import PartyKind
from gateway.evidence.completeness import Direction, Numbered
from gateway.store import tables as t
from gateway.store.clock import from_ms, to_ms

RECEIVED = "received"
"""The state of what came to us: it is here."""
_PARTIES = (PartyKind.COURT.value, PartyKind.AGENCY.value)


def stream(connection: Connection, party_id: str, direction: Direction) -> list[Numbered]:
    """Every numbered message of one stream, by number."""
    return [
        Numbered(seq=r[0], message_id=r[1], digest=r[2], state=r[3])
        for r in connection.execute(_ALL[direction], {"b_party": party_id})
    ]


def some(
    connection: Connection, party_id: str, direction: Direction, start: int, stop: int, *, limit: int
) -> list[Numbered]:
    """Those of leaves [start, stop), at most `limit`."""
    asked = {"b_party": party_id, "b_first": start + 1, "b_last": stop, "b_limit": limit}
    return [
        Numbered(seq=r[0], message_id=r[1], digest=r[2], state=r[3])
        for r in connection.execute(_SOME[direction], asked)
    ]


def last_given(connection: Connection, party_id: str, direction: Direction) -> int:
    """The last number we gave to a message for the party, whether or not the message is still there; 0 for what the
    party numbers itself."""
    if direction is Direction.TO_GATEWAY:
        return 0
    found = connection.execute(sa.select(sa.func.max(t.counters.c.last_seq)).where(t.counters.c.recipient == party_id))
    return int(found.scalar() or 0)


def _statement(direction: Direction) -> sa.Select[Any]:
    i, o = t.inbox.c, t.outbox.c
    if direction is Direction.TO_GATEWAY:
        columns = sa.select(i.seq, i.message_id, i.digest, sa.literal(RECEIVED))
        return columns.where(i.source == sa.bindparam("b_party"), i.seq.is_not(None)).order_by(i.seq)
    columns = sa.select(o.seq, o.message_id, o.digest, o.state)
    return columns.where(o.recipient == sa.bindparam("b_party")).order_by(o.seq)


def _part(direction: Direction) -> sa.Select[Any]:
    seq = (t.inbox if direction is Direction.TO_GATEWAY else t.outbox).c.seq
    between = (seq >= sa.bindparam("b_first"), seq <= sa.bindparam("b_last"))
    return _ALL[direction].where(*between).limit(sa.bindparam("b_limit"))


_ALL = {direction: _statement(direction) for direction in Direction}
_SOME = {direction: _part(direction) for direction in Direction}


@dataclass(frozen=True, kw_only=True, slots=True)
class Stated:
    """What a party committed to about one stream, and what it was worth when it came. differences: as
    `flows.completeness` keeps them."""

    message_id: str
    party_id: str
    direction: Direction
    source: str
    recipient: str
    cutoff: datetime
    high_water: int
    count: int
    root: str
    our_count: int
    our_root: str
    equal: bool
    differences: Mapping[str, Any]


def put(connection: Connection, stated: Sequence[Stated], *, now: datetime) -> None:
    """Keeps statements; each stands once for every stream of its message."""
    if stated:
        names = ("message_id", "source", "recipient", "high_water", "count", "root", "our_count", "our_root", "equal")
        rows = [
            {
                **{name: getattr(one, name) for name in names},
                "cutoff_at": to_ms(one.cutoff),
                "recorded_at": to_ms(now),
                "differences": json.dumps(one.differences, sort_keys=True),
            }
            for one in stated
        ]
        connection.execute(t.commitments.insert(), rows)


def newest(connection: Connection) -> int:
    """A number that grows with every statement."""
    return int(connection.execute(sa.select(sa.func.max(t.commitments.c.row))).scalar() or 0)


def latest(connection: Connection) -> list[Stated]:
    """The newest statement about every stream, by party."""
    c = t.commitments.c
    newest = sa.select(sa.func.max(c.row)).group_by(c.source, c.recipient)
    rows = connection.execute(sa.select(t.commitments).where(c.row.in_(newest))).mappings().all()
    parties = set(partners(connection))
    found = [_stated(row, row["source"] in parties) for row in rows]
    return sorted(found, key=lambda one: (one.party_id, one.direction.value))


def _stated(row: sa.RowMapping, from_party: bool) -> Stated:
    direction = Direction.TO_GATEWAY if from_party else Direction.FROM_GATEWAY
    return Stated(
        message_id=row["message_id"],
        party_id=row["source"] if from_party else row["recipient"],
        direction=direction,
        source=row["source"],
        recipient=row["recipient"],
        cutoff=from_ms(row["cutoff_at"]),
        high_water=row["high_water"],
        count=row["count"],
        root=row["root"],
        our_count=row["our_count"],
        our_root=row["our_root"],
        equal=row["equal"],
        differences=json.loads(row["differences"]),
    )


def last_but_one_cutoff(connection: Connection) -> datetime | None:
    """The cut-off before the last one; None where there were not two."""
    moments = sa.select(t.cutoffs.c.at).order_by(t.cutoffs.c.row.desc()).limit(2)
    found = [*connection.scalars(moments)]
    return from_ms(found[1]) if len(found) == 2 else None


def partners(connection: Connection) -> list[str]:
    """Every court and agency, suspended ones too."""
    p = t.parties.c
    return [*connection.scalars(sa.select(p.party_id).where(p.kind.in_(_PARTIES)).order_by(p.party_id))]


def streams(connection: Connection) -> Iterator[tuple[str, Direction]]:
    """Every stream in which there is a numbered message, by party."""
    sources = sa.select(t.inbox.c.source).where(t.inbox.c.seq.is_not(None)).distinct()
    recipients = sa.select(t.outbox.c.recipient).distinct()
    sent, got = set(connection.scalars(sources)), set(connection.scalars(recipients))
    for party_id in sorted(sent | got):
        if party_id in sent:
            yield party_id, Direction.TO_GATEWAY
        if party_id in got:
            yield party_id, Direction.FROM_GATEWAY

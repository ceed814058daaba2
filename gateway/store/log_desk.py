"""存证台的存取 What who watches the log reads of it: cosignatures, cut-offs, commitments of pairs, the last decisions.

Rules: every list is read by pages along an index; nothing is compared or proven here, only what was found is told.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.evidence.completeness import Direction
from gateway.store import tables as t
from gateway.store.clock import from_ms

_D, _M, _W, _K = t.decisions.c, t.commitments.c, t.cosignatures.c, t.cutoffs.c


@dataclass(frozen=True, kw_only=True, slots=True)
class Cosigned:
    """The largest tree a witness cosigned, and when."""

    size: int
    at: datetime


def cosigned(connection: Connection, witnesses: Sequence[str], *, epoch: int) -> dict[str, Cosigned]:
    """By witness; who never cosigned is left out."""
    found: dict[str, Cosigned] = {}
    for name in witnesses:
        statement = sa.select(_W.size, _W.at).where(_W.epoch == epoch, _W.witness == name)
        row = connection.execute(statement.order_by(_W.size.desc()).limit(1)).first()
        if row is not None:
            found[name] = Cosigned(size=row.size, at=from_ms(row.at))
    return found


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptCutOff:
    """One comparison of log and rows. wrong: how many rows were."""

    row: int
    cutoff_id: str
    at: datetime
    size: int
    root: str
    wrong: int


def cutoffs(connection: Connection, *, before: int | None = None, limit: int) -> list[KeptCutOff]:
    """The newest first."""
    columns = (_K.row, _K.cutoff_id, _K.at, _K.tree_size, _K.root, _K.wrong)
    statement = sa.select(*columns).order_by(_K.row.desc()).limit(limit)
    if before is not None:
        statement = statement.where(_K.row < before)
    return [
        KeptCutOff(
            row=row["row"],
            cutoff_id=row["cutoff_id"],
            at=from_ms(row["at"]),
            size=row["tree_size"],
            root=row["root"],
            wrong=row["wrong"],
        )
        for row in connection.execute(statement).mappings()
    ]


def last_troubles(connection: Connection, *, limit: int) -> list[Mapping[str, Any]]:
    """What the last comparison found, as `flows.audit.trouble` has it."""
    text = connection.scalar(sa.select(_K.troubles).order_by(_K.row.desc()).limit(1))
    found: list[Mapping[str, Any]] = [] if text is None else json.loads(text)
    return found[:limit]


@dataclass(frozen=True, kw_only=True, slots=True)
class Stream:
    """One direction of a pair as it was found when the party last committed to it; cutoff None: it never did."""

    party_id: str
    direction: Direction
    cutoff: datetime | None = None
    count: int = 0
    equal: bool = False


def streams(connection: Connection, gateway: str, party_ids: Sequence[str]) -> list[Stream]:
    """Both directions of these parties, where there is a numbered message or a commitment."""
    found = []
    for party_id in party_ids:
        for direction in (Direction.TO_GATEWAY, Direction.FROM_GATEWAY):
            one = _stream(connection, gateway, party_id, direction)
            if one is not None:
                found.append(one)
    return found


def _stream(connection: Connection, gateway: str, party_id: str, direction: Direction) -> Stream | None:
    source, recipient = (party_id, gateway) if direction is Direction.TO_GATEWAY else (gateway, party_id)
    newest = sa.select(t.commitments).where(_M.source == source, _M.recipient == recipient)
    row = connection.execute(newest.order_by(_M.row.desc()).limit(1)).mappings().first()
    if row is not None:
        return Stream(
            party_id=party_id,
            direction=direction,
            cutoff=from_ms(row["cutoff_at"]),
            count=row["count"],
            equal=bool(row["equal"]),
        )
    if direction is Direction.TO_GATEWAY:
        there = sa.select(t.inbox.c.row).where(t.inbox.c.source == party_id, t.inbox.c.seq.is_not(None))
    else:
        there = sa.select(t.outbox.c.row).where(t.outbox.c.recipient == party_id)
    is_there = connection.execute(there.limit(1)).first() is not None
    return Stream(party_id=party_id, direction=direction) if is_there else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Act:
    """One decision, look, search or export, without its reason."""

    row: int
    at: datetime
    who: str
    what: str
    subject: str


def acts(
    connection: Connection,
    *,
    who: str | None = None,
    what: str | None = None,
    before: int | None = None,
    limit: int,
) -> list[Act]:
    """The newest first, of one person or of one kind where asked."""
    statement = sa.select(_D.row, _D.at, _D.who, _D.what, _D.subject).order_by(_D.row.desc()).limit(limit)
    if who is not None:
        statement = statement.where(_D.who == who)
    if what is not None:
        statement = statement.where(_D.what == what)
    if before is not None:
        statement = statement.where(_D.row < before)
    return [
        Act(row=row.row, at=from_ms(row.at), who=row.who, what=row.what, subject=row.subject)
        for row in connection.execute(statement)
    ]

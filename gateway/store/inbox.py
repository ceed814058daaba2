"""收件 Inbound messages: one row a message for ever, with its exact bytes and the receipt it was given.

Law 2: `source`+`id` is unique for the life of the case. The same bytes again get the first receipt's very bytes; other
bytes under the same id are refused.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.store import sealing
from gateway.store import tables as t
from gateway.store.clock import from_ms, to_ms
from gateway.store.prepared import among, ids


@dataclass(frozen=True, kw_only=True, slots=True)
class Inbound:
    """What is kept of one accepted message."""

    source: str
    message_id: str
    type: str
    digest: str
    subject: str | None
    seq: int | None
    received_at: datetime
    kid: str
    jws: str
    receipt: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Earlier:
    """What was accepted under that id before."""

    digest: str
    receipt: str
    received_at: datetime


def earlier(connection: Connection, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Earlier]:
    """Those of the (source, message id) pairs that were accepted before."""
    wanted = set(keys)
    if not wanted:
        return {}
    rows = connection.execute(_EARLIER, ids({message_id for _, message_id in wanted}))
    return {
        (row.source, row.message_id): Earlier(
            digest=row.digest, receipt=row.receipt, received_at=from_ms(row.received_at)
        )
        for row in rows
        if (row.source, row.message_id) in wanted
    }


_I = t.inbox.c
_EARLIER = sa.select(_I.source, _I.message_id, _I.digest, _I.receipt, _I.received_at).where(among(_I.message_id))
_INSERT = t.inbox.insert()


def put(connection: Connection, messages: Sequence[Inbound]) -> None:
    """Keeps messages that are new; a duplicate key is a mistake of the caller and fails the transaction. The caller
    adds their leaves, since their receipts name them. Raises CaseErased: nothing is added to an erased case."""
    rows = [
        {
            "source": message.source,
            "message_id": message.message_id,
            "type": message.type,
            "digest": message.digest,
            "subject": message.subject,
            "seq": message.seq,
            "received_at": to_ms(message.received_at),
            "kid": message.kid,
            "jws": message.jws,
            "receipt": message.receipt,
        }
        for message in messages
    ]
    if rows:
        sealing.seal_inbound(connection, rows, now=max(message.received_at for message in messages))
        connection.execute(_INSERT, rows)


def bytes_of(connection: Connection, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """The compact JWS of accepted messages by (source, message id); what was erased, or changed in the database, is
    left out."""
    wanted = set(keys)
    rows = connection.execute(_BYTES, ids({message_id for _, message_id in wanted})).mappings()
    return sealing.inbound(connection, [dict(row) for row in rows if (row["source"], row["message_id"]) in wanted])


_C = t.inbox.c
_BYTES = sa.select(_C.source, _C.message_id, _C.subject, _C.jws).where(among(_C.message_id))


@dataclass(frozen=True, kw_only=True, slots=True)
class AcceptedWith:
    """One message that was accepted because a key proved it."""

    source: str
    message_id: str
    type: str
    referral_id: str | None
    received_at: datetime


def accepted_with(connection: Connection, kid: str, *, since: datetime) -> list[AcceptedWith]:
    """Everything accepted with a key from that moment on, oldest first."""
    statement = (
        sa.select(_C.source, _C.message_id, _C.type, _C.subject, _C.received_at)
        .where(_C.kid == kid, _C.received_at >= to_ms(since))
        .order_by(_C.row)
    )
    return [
        AcceptedWith(
            source=row.source,
            message_id=row.message_id,
            type=row.type,
            referral_id=row.subject,
            received_at=from_ms(row.received_at),
        )
        for row in connection.execute(statement)
    ]


@dataclass(frozen=True, kw_only=True, slots=True)
class Numbering:
    """A party's sequence numbers: the highest seen and how many different ones."""

    source: str
    last: int
    count: int


def numberings(connection: Connection) -> list[Numbering]:
    """Every party that numbers its messages; a gap shows as fewer numbers than the highest one."""
    c = t.inbox.c
    statement = (
        sa.select(c.source, sa.func.max(c.seq), sa.func.count(sa.distinct(c.seq)))
        .where(c.seq.is_not(None))
        .group_by(c.source)
        .order_by(c.source)
    )
    return [Numbering(source=row[0], last=row[1], count=row[2]) for row in connection.execute(statement)]

"""信箱的存取 What waits for an office that fetches its messages itself, and how a queue follows a change of channel."""

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.agreement import Channel, Office
from gateway.domain.lifecycle import MessageState
from gateway.store import sealing
from gateway.store import tables as t
from gateway.store.outbox import READY
from gateway.store.prepared import among, ids

_O = t.outbox.c
_WIRE = sa.func.coalesce(_O.wire, _O.jws).label("wire")
"""What travels, as it is stored: the encrypted form where there is one."""
_AVAILABLE: sa.ColumnElement[str] = sa.literal_column(f"'{MessageState.AVAILABLE.value}'")
"""Written out, so that the index of what is available can be used for it."""
_WAITS = sa.and_(_O.state == _AVAILABLE, _O.seq > sa.bindparam("after"))
_SIZES = (
    sa.select(_O.row, _O.seq, _O.message_id, sa.func.length(_WIRE).label("size"))
    .where(_WAITS)
    .order_by(_O.seq)
    .limit(sa.bindparam("most"))
)
_OF_PARTY = _SIZES.where(_O.recipient == sa.bindparam("whose"))
_OF_OFFICE = _SIZES.where(_O.office_id == sa.bindparam("whose"))
_TEXTS = (
    sa.select(_O.seq, _O.message_id, _O.referral_id, _O.recipient, _O.jws, _O.wire)
    .where(among(_O.row))
    .order_by(_O.seq)
)

Waiting = tuple[int, str, str]
"""(sequence number, message id, what travels)."""


def pull(connection: Connection, recipient: str, *, after: int, limit: int, most_bytes: int) -> list[Waiting]:
    """The mailbox: messages available to a party after a sequence number, in order, as many as fit; the first always
    fits."""
    return _read(connection, _OF_PARTY, recipient, after=after, limit=limit, most_bytes=most_bytes)


def waiting(connection: Connection, office_id: str, *, limit: int, most_bytes: int) -> list[Waiting]:
    """The same for one office of a party."""
    return _read(connection, _OF_OFFICE, office_id, after=0, limit=limit, most_bytes=most_bytes)


def count_waiting(connection: Connection, office_id: str, *, after: int) -> int:
    """How many messages wait for an office after a sequence number."""
    available = MessageState.AVAILABLE.value
    statement = sa.select(sa.func.count()).where(_O.office_id == office_id, _O.state == available, _O.seq > after)
    return int(connection.execute(statement).scalar_one())


def _read(
    connection: Connection, sizes: sa.Select[Any], whose: str, *, after: int, limit: int, most_bytes: int
) -> list[Waiting]:
    """Sizes first: a page of the largest messages would be more than a reader takes, or memory has. Messages of a case
    that was erased can be read by nobody and are passed over, however many they are."""
    while True:
        page = _page(connection.execute(sizes, {"whose": whose, "after": after, "most": limit}), most_bytes)
        if not page:
            return []
        rows = [dict(row) for row in connection.execute(_TEXTS, ids([row.row for row in page])).mappings()]
        sent = sealing.outbound(connection, rows)
        found = [
            (row["seq"], row["message_id"], sent[row["message_id"]].wire) for row in rows if row["message_id"] in sent
        ]
        if found:
            return found
        after = page[-1].seq


def _page(rows: Iterable[sa.Row[Any]], most_bytes: int) -> list[sa.Row[Any]]:
    """As many as fit; the first always does."""
    page: list[sa.Row[Any]] = []
    total = 0
    for row in rows:
        total += row.size
        if page and total > most_bytes:
            break
        page.append(row)
    return page


def mark_retrieved(connection: Connection, message_ids: Sequence[str]) -> None:
    """The party fetched and acknowledged these: they leave the mailbox. Others are left as they are."""
    connection.execute(_RETRIEVE, ids(message_ids))


_RETRIEVE = (
    t.outbox.update()
    .where(among(_O.message_id), _O.state == MessageState.AVAILABLE.value)
    .values(state=MessageState.RETRIEVED.value)
)


def mark_all_retrieved(connection: Connection, handoff_ids: Sequence[str]) -> None:
    """Whatever waits in a mailbox about these handoffs leaves it."""
    if handoff_ids:
        connection.execute(
            t.outbox.update()
            .where(_O.handoff_id.in_(list(handoff_ids)), _O.state == MessageState.AVAILABLE.value)
            .values(state=MessageState.RETRIEVED.value)
        )


def follow_channel(connection: Connection, office: Office) -> None:
    """What still waits for an office takes the way it is reached by now: pushed to its address, or in its mailbox."""
    pushed = office.channel is Channel.PUSH
    here = (MessageState.AVAILABLE.value,) if pushed else READY
    there = MessageState.QUEUED if pushed else MessageState.AVAILABLE
    connection.execute(
        t.outbox.update()
        .where(_O.office_id == office.office_id, _O.state.in_(here))
        .values(state=there.value, due_at=_O.created_at if pushed else None)
    )

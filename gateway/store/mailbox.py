"""信箱的存取 What waits for an office that fetches its messages itself, and how a queue follows a change of channel."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.agreement import Channel, Office
from gateway.domain.lifecycle import MessageState
from gateway.store import tables as t
from gateway.store.outbox import READY


def pull(connection: Connection, recipient: str, *, after: int, limit: int) -> list[tuple[int, str]]:
    """The mailbox: (seq, JWS) of messages available to a party after a sequence number, in order."""
    o = t.outbox.c
    rows = connection.execute(
        sa.select(o.seq, o.jws)
        .where(o.recipient == recipient, o.state == MessageState.AVAILABLE.value, o.seq > after)
        .order_by(o.seq)
        .limit(limit)
    )
    return [(row.seq, row.jws) for row in rows]


def mark_retrieved(connection: Connection, message_ids: Sequence[str]) -> None:
    """The party fetched and acknowledged these: they leave the mailbox. Others are left as they are."""
    o = t.outbox.c
    connection.execute(
        t.outbox.update()
        .where(o.message_id.in_(list(message_ids)), o.state == MessageState.AVAILABLE.value)
        .values(state=MessageState.RETRIEVED.value)
    )


def mark_all_retrieved(connection: Connection, handoff_ids: Sequence[str]) -> None:
    """Whatever waits in a mailbox about these handoffs leaves it."""
    o = t.outbox.c
    if handoff_ids:
        connection.execute(
            t.outbox.update()
            .where(o.handoff_id.in_(list(handoff_ids)), o.state == MessageState.AVAILABLE.value)
            .values(state=MessageState.RETRIEVED.value)
        )


def follow_channel(connection: Connection, office: Office) -> None:
    """What still waits for an office takes the way it is reached by now: pushed to its address, or in its mailbox."""
    o = t.outbox.c
    pushed = office.channel is Channel.PUSH
    here = (MessageState.AVAILABLE.value,) if pushed else READY
    there = MessageState.QUEUED if pushed else MessageState.AVAILABLE
    connection.execute(
        t.outbox.update()
        .where(o.office_id == office.office_id, o.state.in_(here))
        .values(state=there.value, due_at=o.created_at if pushed else None)
    )

"""滞留报文 Messages of ours that go no further by themselves: parked or refused, until a person sends them again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.agreement import Channel
from gateway.domain.lifecycle import MessageState
from gateway.store import tables as t
from gateway.store.clock import to_ms


@dataclass(frozen=True, kw_only=True, slots=True)
class Stuck:
    """A message that goes no further by itself."""

    message_id: str
    office_id: str
    type: str
    referral_id: str | None
    handoff_id: str | None
    state: MessageState
    reason: str | None
    attempts: int


def listed(connection: Connection, message_ids: Sequence[str] | None = None) -> list[Stuck]:
    """Parked and refused messages, oldest first; of these ids only where ids are given."""
    o = t.outbox.c
    statement = sa.select(t.outbox).where(o.state.in_(_STUCK)).order_by(o.row)
    if message_ids is not None:
        statement = statement.where(o.message_id.in_(list(message_ids)))
    return [
        Stuck(
            message_id=row["message_id"],
            office_id=row["office_id"],
            type=row["type"],
            referral_id=row["referral_id"],
            handoff_id=row["handoff_id"],
            state=MessageState(row["state"]),
            reason=row["reason"],
            attempts=row["attempts"],
        )
        for row in connection.execute(statement).mappings()
    ]


_STUCK = (MessageState.PARKED.value, MessageState.REFUSED.value)


def requeue(connection: Connection, message_ids: Sequence[str], *, now: datetime) -> int:
    """An operator sends refused or parked messages again: same bytes, retry ladder from its start."""
    o, f = t.outbox.c, t.offices.c
    pulled = sa.exists().where(f.office_id == o.office_id, f.channel != Channel.PUSH.value)
    there = sa.case((pulled, MessageState.AVAILABLE.value), else_=MessageState.QUEUED.value)
    changed = connection.execute(
        t.outbox.update()
        .where(o.message_id.in_(list(message_ids)), o.state.in_(_STUCK))
        .values(state=there, due_at=to_ms(now), reason=None, ladder_from=o.attempts)
    )
    return changed.rowcount

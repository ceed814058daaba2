"""复原的行 Rows that were lost and are written again from signed bytes: what `outbox.put` and dispatch once wrote.

Rules: a message comes back under its own number, digest and effect key, so that what was done once is not done again;
the pair's counter never falls behind a number that was given; states move by the lifecycle's own tables.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.lifecycle import MESSAGE, MessageState
from gateway.evidence.entry import message_entry
from gateway.store import log, sealing
from gateway.store import tables as t
from gateway.store.clock import from_ms, to_ms
from gateway.store.prepared import among, ids
from gateway.store.referrals import Waiting

_O = t.outbox.c
_M = MessageState
_WAY_TO: Mapping[MessageState, Mapping[MessageState, tuple[MessageState, ...]]] = {
    _M.RELAYED: {
        _M.QUEUED: (_M.SENDING, _M.RELAYED),
        _M.SENDING: (_M.RELAYED,),
        _M.UNKNOWN: (_M.RELAYED,),
        _M.PARKED: (_M.RELAYED,),
        _M.REFUSED: (_M.QUEUED, _M.SENDING, _M.RELAYED),
    },
    _M.RETRIEVED: {_M.AVAILABLE: (_M.RETRIEVED,)},
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """One message of ours as the outbox has it."""

    message_id: str
    digest: str
    state: MessageState
    handoff_id: str | None


def sent(connection: Connection, message_ids: Iterable[str]) -> dict[str, Sent]:
    """Those of the messages that the outbox has."""
    return {
        row.message_id: Sent(
            message_id=row.message_id, digest=row.digest, state=MessageState(row.state), handoff_id=row.handoff_id
        )
        for row in connection.execute(_SENT, ids(set(message_ids)))
    }


_SENT = sa.select(_O.message_id, _O.digest, _O.state, _O.handoff_id).where(among(_O.message_id))


def is_taken(connection: Connection, *, recipient: str, seq: int, effect_key: str) -> bool:
    """Whether another message has the number, or stands for the same effect."""
    same = sa.or_(sa.and_(_O.recipient == recipient, _O.seq == seq), _O.effect_key == effect_key)
    return connection.execute(sa.select(_O.row).where(same).limit(1)).first() is not None


def has_effect(connection: Connection, effect_key: str) -> bool:
    """Whether a message stands for the effect."""
    return connection.execute(sa.select(_O.row).where(_O.effect_key == effect_key)).first() is not None


def put_outbound(connection: Connection, source: str, row: dict[str, Any], *, now: datetime) -> None:
    """One message of ours under its own number, sealed and logged. row: as `outbox.put` writes it. Raises
    CaseErased."""
    made = {"attempts": 0, "ladder_from": 0, "lease_fence": 0, **row}
    entry = message_entry(
        message_id=made["message_id"],
        source=source,
        recipient=made["recipient"],
        message_type=made["type"],
        digest=made["digest"],
        about=made["referral_id"],
        at=now,
    )
    sealing.seal_outbound(connection, [made], now=now)
    connection.execute(t.outbox.insert(), [made])
    log.append(connection, [entry])
    raise_counter(connection, source, made["recipient"], made["seq"])


def raise_counter(connection: Connection, source: str, recipient: str, seq: int) -> None:
    """The next number for the recipient is beyond this one."""
    c = t.counters.c
    pair = (c.source == source, c.recipient == recipient)
    found = connection.execute(sa.select(c.last_seq).where(*pair).with_for_update()).scalar()
    if found is None:
        connection.execute(t.counters.insert().values(source=source, recipient=recipient, last_seq=seq))
    elif found < seq:
        connection.execute(t.counters.update().where(*pair).values(last_seq=seq))


def bring_to(connection: Connection, message: Sent, there: MessageState) -> bool:
    """Moves a message to where its evidence says that it is, by legal moves; False where there is no way."""
    way = _WAY_TO[there].get(message.state)
    if way is None:
        return message.state is there
    here = message.state
    for step in way:
        here = MESSAGE.move(here, step)
    connection.execute(
        t.outbox.update()
        .where(_O.message_id == message.message_id)
        .values(
            state=here.value,
            due_at=None,
            reason=None,
            lease_owner=None,
            lease_until=None,
            lease_fence=_O.lease_fence + 1,
        )
    )
    return True


def referral(connection: Connection, referral_id: str) -> Waiting | None:
    """Where the referral's message is kept."""
    r = t.referrals.c
    row = connection.execute(sa.select(t.referrals).where(r.referral_id == referral_id)).mappings().first()
    if row is None:
        return None
    return Waiting(
        referral_id=referral_id,
        court=row["court"],
        message_id=row["message_id"],
        agreement_row=row["agreement_row"],
        received_at=from_ms(row["accepted_at"]),
        need_ids=(),
    )


def hold(connection: Connection, referral_id: str, rules: Iterable[str]) -> None:
    """The referral is held for these rules, as its receipt says."""
    held = " ".join(sorted(rules))[:200]
    connection.execute(t.referrals.update().where(t.referrals.c.referral_id == referral_id).values(holds=held))


def numbers_from(connection: Connection, source: str, *, before: datetime) -> list[int]:
    """A party's numbers that the inbox has had since before that moment, ascending."""
    c = t.inbox.c
    old = (c.source == source, c.seq.is_not(None), c.received_at <= to_ms(before))
    return [int(seq) for seq in connection.scalars(sa.select(c.seq).where(*old).distinct().order_by(c.seq))]


def numbers_to(connection: Connection, recipient: str, *, before: datetime) -> list[int]:
    """Our numbers to a party that the outbox has had since before that moment, ascending."""
    old = (_O.recipient == recipient, _O.created_at <= to_ms(before))
    return [int(seq) for seq in connection.scalars(sa.select(_O.seq).where(*old).order_by(_O.seq))]


def highest_from(connection: Connection) -> dict[str, int]:
    """By party its highest number that the inbox has."""
    c = t.inbox.c
    statement = sa.select(c.source, sa.func.max(c.seq)).where(c.seq.is_not(None)).group_by(c.source)
    return {source: int(seq) for source, seq in connection.execute(statement)}


def last_given(connection: Connection, source: str) -> dict[str, int]:
    """By recipient the last number we gave."""
    c = t.counters.c
    statement = sa.select(c.recipient, c.last_seq).where(c.source == source)
    return {recipient: int(seq) for recipient, seq in connection.execute(statement)}


def since(connection: Connection) -> datetime | None:
    """When recovery began; None outside of it."""
    return from_ms(connection.scalar(sa.select(t.log_head.c.recovering_since)))


def newest_leaf(connection: Connection) -> datetime | None:
    """When the copy that was restored was made, at the earliest: the newest moment its messages tell."""
    inbox, outbox = sa.func.max(t.inbox.c.received_at), sa.func.max(t.outbox.c.created_at)
    found = [connection.scalar(sa.select(one)) for one in (inbox, outbox)]
    moments = [moment for moment in found if moment is not None]
    return from_ms(max(moments)) if moments else None

"""发件 The transactional outbox: what must leave is written in the same commit as what caused it.

One row a message, signed once: every retry sends the same bytes. `effect_key` is unique for ever, so a re-run or a
repair never makes a second message for one effect (Law 2). Each office is its own lane with its own clock and breaker
(Law 12). A lane is leased with a fencing number: a worker that slept past its lease cannot record anything.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.agreement import Channel, Office
from gateway.domain.lifecycle import MESSAGE, MessageState
from gateway.envelope.message import digest
from gateway.errors import LeaseLost
from gateway.evidence.entry import Entry, message_entry
from gateway.store import log, sealing
from gateway.store import tables as t
from gateway.store.clock import to_ms
from gateway.store.prepared import among, ids
from gateway.store.sealing import Queued

READY = (MessageState.QUEUED.value, MessageState.UNKNOWN.value)
BATCH_REFUSED = "batch_refused"
"""Why a message is still open whose office refused a whole request: one bad message must not cost the others."""
UNREADABLE = "seal_broken"
"""Why a message is parked whose stored text does not open: somebody changed it, or its case was erased."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outbound:
    """A message about to be queued. `write` gets the sequence number and returns the compact JWS.

    office None: for a party without an office (a court), which fetches it from its mailbox. referral_id: the matter it
    is about, whose key seals it.
    """

    message_id: str
    effect_key: str
    recipient: str
    office: Office | None
    type: str
    referral_id: str | None
    handoff_id: str | None
    priority: int
    write: Callable[[int], str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Leased:
    """One message a worker may send now, under a fence."""

    message_id: str
    office_id: str
    recipient: str
    type: str
    referral_id: str | None
    handoff_id: str | None
    jws: str
    wire: str
    """What travels: the JWS, or the JWE around it where the recipient registered an encryption key."""
    digest: str
    """Of the JWS; receipts name it."""
    attempts: int
    rung: int
    """Attempts since it was last put on the retry ladder."""
    fence: int


def put(connection: Connection, source: str, messages: Sequence[Outbound], *, now: datetime) -> None:
    """Numbers, signs, logs, seals and queues messages, in order. A repeated effect key fails the transaction."""
    # in one order everywhere: two processes that lock the same counters crosswise would wait for each other
    recipients = sorted({message.recipient for message in messages})
    last = {recipient: _last_seq(connection, source, recipient) for recipient in recipients}
    rows = []
    for message in messages:
        recipient = message.recipient
        last[recipient] += 1
        jws = message.write(last[recipient])
        pulled = message.office is None or message.office.channel is not Channel.PUSH
        rows.append(
            {
                "message_id": message.message_id,
                "effect_key": message.effect_key,
                "office_id": None if message.office is None else message.office.office_id,
                "recipient": recipient,
                "type": message.type,
                "referral_id": message.referral_id,
                "handoff_id": message.handoff_id,
                "seq": last[recipient],
                "priority": message.priority,
                "jws": jws,
                "digest": digest(jws),
                "state": (MessageState.AVAILABLE if pulled else MessageState.QUEUED).value,
                "attempts": 0,
                "ladder_from": 0,
                "created_at": to_ms(now),
                "due_at": None if pulled else to_ms(now),
                "lease_fence": 0,
            }
        )
    if rows:
        sealing.seal_outbound(connection, rows, now=now)
        connection.execute(_INSERT, rows)
        log.append(connection, [_entry(row, source, now) for row in rows])
    for recipient, seq in last.items():
        connection.execute(_COUNT_ON, {"b_source": source, "b_recipient": recipient, "b_seq": seq})


_INSERT, _INSERT_ATTEMPT, _BEGIN_COUNT = t.outbox.insert(), t.attempts.insert(), t.counters.insert()
_C = t.counters.c
_OF_PAIR = sa.and_(_C.source == sa.bindparam("b_source"), _C.recipient == sa.bindparam("b_recipient"))
_LAST_SEQ = sa.select(_C.last_seq).where(_OF_PAIR).with_for_update()
_COUNT_ON = t.counters.update().where(_OF_PAIR).values(last_seq=sa.bindparam("b_seq"))


def effects_on_file(connection: Connection, effect_keys: Sequence[str]) -> set[str]:
    """Those of the effects that a message of ours stands for already."""
    return set(connection.scalars(_EFFECTS, ids(set(effect_keys))))


def ids_of_effects(connection: Connection, effect_keys: Sequence[str]) -> dict[str, str]:
    """The message of ours that stands for each of the effects."""
    rows = connection.execute(_IDS_OF_EFFECTS, ids(set(effect_keys)))
    return {row.effect_key: row.message_id for row in rows}


_EFFECTS = sa.select(t.outbox.c.effect_key).where(among(t.outbox.c.effect_key))
_IDS_OF_EFFECTS = sa.select(t.outbox.c.effect_key, t.outbox.c.message_id).where(among(t.outbox.c.effect_key))


def _entry(row: Mapping[str, Any], source: str, now: datetime) -> Entry:
    return message_entry(
        message_id=row["message_id"],
        source=source,
        recipient=row["recipient"],
        message_type=row["type"],
        digest=row["digest"],
        about=row["referral_id"],
        at=now,
    )


def _last_seq(connection: Connection, source: str, recipient: str) -> int:
    """The pair's counter, its row locked until the commit; made at zero when there is none."""
    found = connection.execute(_LAST_SEQ, {"b_source": source, "b_recipient": recipient}).scalar()
    if found is None:
        connection.execute(_BEGIN_COUNT, {"source": source, "recipient": recipient, "last_seq": 0})
        return 0
    return int(found)


def lanes(connection: Connection, *, now: datetime) -> list[str]:
    """Offices with something due whose lane is neither paused nor blocked by its breaker."""
    return list(connection.scalars(_LANES, {"b_now": to_ms(now)}))


_SENDING = MessageState.SENDING.value
_O, _F = t.outbox.c, t.offices.c
_NOW: sa.BindParameter[int] = sa.bindparam("b_now")
_BEFORE = t.outbox.alias("before")
_OVERTAKES = sa.exists().where(
    _BEFORE.c.handoff_id == _O.handoff_id, _BEFORE.c.row < _O.row, _BEFORE.c.state.in_((*READY, _SENDING))
)
_OPEN_LANE = sa.and_(_F.paused.is_(False), sa.or_(_F.blocked_until.is_(None), _F.blocked_until <= _NOW))
_DUE = sa.and_(_O.due_at <= _NOW, _O.state.in_((*READY, _SENDING)), ~_OVERTAKES)
"""Due, or left behind by a worker whose lease ran out; never while an earlier message of its handoff is open: a
withdrawal does not overtake what it withdraws. What is being sent is due at its lease's end, what is finished has no
`due_at`: one range of the lane's index holds exactly these, however long the office's history."""
_LANES = (
    sa.select(_F.office_id)
    .where(_OPEN_LANE, sa.exists().where(_O.office_id == _F.office_id, _DUE))
    .order_by(_F.office_id)
)
_OF_LANE = (
    sa.select(t.outbox)
    .where(
        _O.office_id == sa.bindparam("b_office"),
        sa.exists().where(_F.office_id == sa.bindparam("b_office"), _OPEN_LANE),
        _DUE,
    )
    .order_by(_O.priority, _O.row)
    .limit(sa.bindparam("b_limit"))
    .with_for_update(skip_locked=True, of=t.outbox)
)
_TAKE = (
    t.outbox.update()
    .where(among(_O.message_id))
    .values(
        state=_SENDING,
        lease_owner=sa.bindparam("b_owner"),
        lease_fence=_O.lease_fence + 1,
        lease_until=sa.bindparam("b_until"),
        due_at=sa.bindparam("b_until"),
        attempts=_O.attempts + 1,
    )
)


def lease(
    connection: Connection, office_id: str, *, owner: str, limit: int, now: datetime, length: timedelta
) -> list[Leased]:
    """Takes up to `limit` due messages of one lane, minors first, each with an attempt row written before the attempt;
    none of a lane that is paused or blocked by now. What an office refused as part of a batch goes alone.

    A message under another worker's running lease is left alone; one whose lease ran out becomes ours with a higher
    fence: its sender may have sent it, so it was `sending` and is sent again with the same bytes.
    """
    asked = {"b_office": office_id, "b_now": to_ms(now), "b_limit": limit}
    found = connection.execute(_OF_LANE, asked).mappings()
    rows, opened = _readable(connection, _together(found.all()))
    if not rows:
        return []
    taken = ids(row["message_id"] for row in rows)
    connection.execute(_TAKE, taken | {"b_owner": owner, "b_until": to_ms(now + length)})
    connection.execute(
        _INSERT_ATTEMPT,
        [
            {
                "message_id": row["message_id"],
                "number": row["attempts"] + 1,
                "fence": row["lease_fence"] + 1,
                "started_at": to_ms(now),
            }
            for row in rows
        ],
    )
    return [_leased(dict(row), opened[row["message_id"]]) for row in rows]


def _readable(
    connection: Connection, rows: Sequence[sa.RowMapping]
) -> tuple[Sequence[sa.RowMapping], dict[str, Queued]]:
    """The rows whose texts open, with the texts. The others are parked: they would hold up the lane for ever."""
    opened = sealing.outbound(connection, [dict(row) for row in rows])
    lost = [row["message_id"] for row in rows if row["message_id"] not in opened]
    if lost:
        connection.execute(
            t.outbox.update()
            .where(t.outbox.c.message_id.in_(lost))
            .values(state=_after_sending(MessageState.PARKED).value, due_at=None, reason=UNREADABLE)
        )
    return [row for row in rows if row["message_id"] in opened], opened


def _together(rows: Sequence[sa.RowMapping]) -> Sequence[sa.RowMapping]:
    """The first row with those that may travel in one request with it."""
    if rows and rows[0]["reason"] == BATCH_REFUSED:
        return rows[:1]
    return [row for row in rows if row["reason"] != BATCH_REFUSED]


@dataclass(frozen=True, kw_only=True, slots=True)
class Settlement:
    """How one attempt ended. due_at: when to try again (None: not again by itself)."""

    leased: Leased
    state: MessageState
    outcome: str
    http_status: int | None = None
    error: str | None = None
    due_at: datetime | None = None


def settle(connection: Connection, settlements: Sequence[Settlement], *, now: datetime) -> None:
    """Records attempts' ends under their fences. Raises LeaseLost when another worker holds one of them by now."""
    _require_fences(connection, settlements)
    rows = [
        {
            "b_message_id": settlement.leased.message_id,
            "b_fence": settlement.leased.fence,
            "b_state": _after_sending(settlement.state).value,
            "b_due_at": to_ms(settlement.due_at),
            "b_outcome": settlement.outcome,
            "b_http_status": settlement.http_status,
            "b_error": settlement.error,
            "b_finished_at": to_ms(now),
        }
        for settlement in settlements
    ]
    connection.execute(_SETTLE_MESSAGE, rows)
    connection.execute(_SETTLE_ATTEMPT, rows)


def _require_fences(connection: Connection, settlements: Sequence[Settlement]) -> None:
    """Every message is still ours: locked here, so that it stays so until the commit."""
    found = connection.execute(_FENCES, ids(settlement.leased.message_id for settlement in settlements))
    ours = {row.message_id: row.lease_fence for row in found if row.state == MessageState.SENDING.value}
    for settlement in settlements:
        if ours.get(settlement.leased.message_id) != settlement.leased.fence:
            raise LeaseLost(ids={"message_id": settlement.leased.message_id})


_FENCES = (
    sa.select(_O.message_id, _O.lease_fence, _O.state).where(among(_O.message_id)).order_by(_O.row).with_for_update()
)
_SETTLE_MESSAGE = (
    t.outbox.update()
    .where(t.outbox.c.message_id == sa.bindparam("b_message_id"), t.outbox.c.lease_fence == sa.bindparam("b_fence"))
    .values(
        state=sa.bindparam("b_state"),
        due_at=sa.bindparam("b_due_at"),
        lease_owner=None,
        lease_until=None,
        reason=sa.bindparam("b_error"),
    )
)
_SETTLE_ATTEMPT = (
    t.attempts.update()
    .where(
        t.attempts.c.message_id == sa.bindparam("b_message_id"),
        t.attempts.c.fence == sa.bindparam("b_fence"),
        t.attempts.c.finished_at.is_(None),
    )
    .values(
        finished_at=sa.bindparam("b_finished_at"),
        outcome=sa.bindparam("b_outcome"),
        http_status=sa.bindparam("b_http_status"),
        error=sa.bindparam("b_error"),
    )
)


def _after_sending(state: MessageState) -> MessageState:
    """The lifecycle's own move; `parked` is reached through `unknown` in one commit."""
    if state is MessageState.PARKED:
        MESSAGE.move(MESSAGE.move(MessageState.SENDING, MessageState.UNKNOWN), state)
        return state
    return MESSAGE.move(MessageState.SENDING, state)


def mark_proven(connection: Connection, message_ids: Sequence[str]) -> None:
    """The office answered these, naming their digests: they arrived, whatever became of their receipts (Law 3)."""
    connection.execute(_PROVE, ids(message_ids))


_PROVE = (
    t.outbox.update()
    .where(among(_O.message_id), _O.state.in_((MessageState.UNKNOWN.value, MessageState.PARKED.value)))
    .values(state=MessageState.RELAYED.value, due_at=None, reason=None)
)


def block_lane(connection: Connection, office_id: str, *, failures: int, until: datetime | None) -> None:
    """The office's breaker: how often in a row it failed, and until when nothing is sent."""
    connection.execute(
        t.offices.update()
        .where(t.offices.c.office_id == office_id)
        .values(failures=failures, blocked_until=to_ms(until))
    )


def failures_of(connection: Connection, office_id: str) -> int:
    """How often in a row the lane failed."""
    return int(connection.execute(_FAILURES, {"b_office": office_id}).scalar() or 0)


_FAILURES = sa.select(_F.failures).where(_F.office_id == sa.bindparam("b_office"))


def _leased(row: Mapping[str, Any], queued: Queued) -> Leased:
    return Leased(
        message_id=row["message_id"],
        office_id=row["office_id"],
        recipient=row["recipient"],
        type=row["type"],
        referral_id=row["referral_id"],
        handoff_id=row["handoff_id"],
        jws=queued.jws,
        wire=queued.wire,
        digest=row["digest"],
        attempts=row["attempts"] + 1,
        rung=row["attempts"] + 1 - row["ladder_from"],
        fence=row["lease_fence"] + 1,
    )

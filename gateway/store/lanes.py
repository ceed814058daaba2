"""投递队列的存取 Each office's queue: how much is open since when, its messages page by page, every attempt.

Rules: what is open is counted from an index that holds it by state, and pages are found by the last row of the page
before, so that both cost the same however long an office's history is. Ids, codes and moments only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.lifecycle import MessageState
from gateway.store import tables as t
from gateway.store.clock import from_ms, to_ms

_O, _F, _A = t.outbox.c, t.offices.c, t.attempts.c
WAITING = (MessageState.QUEUED, MessageState.SENDING, MessageState.UNKNOWN, MessageState.AVAILABLE)
STUCK = (MessageState.PARKED, MessageState.REFUSED)
_OPEN = tuple(state.value for state in (*WAITING, *STUCK))
MOST_ATTEMPTS = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class Lane:
    """One office's lane. open: messages by state that are not delivered; oldest: of those still waiting."""

    office_id: str
    paused: bool
    failures: int
    blocked_until: datetime | None
    open: Mapping[MessageState, int] = field(default_factory=dict)
    oldest: datetime | None = None

    @property
    def waiting(self) -> int:
        """What goes by itself, sooner or later."""
        return sum(self.open.get(state, 0) for state in WAITING)

    @property
    def stuck(self) -> int:
        """What goes no further by itself."""
        return sum(self.open.get(state, 0) for state in STUCK)

    def is_blocked(self, now: datetime) -> bool:
        """Whether its breaker is open."""
        return self.blocked_until is not None and now < self.blocked_until


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """One outbound message without what it says."""

    row: int
    message_id: str
    office_id: str | None
    recipient: str
    type: str
    referral_id: str | None
    handoff_id: str | None
    seq: int
    state: MessageState
    attempts: int
    created_at: datetime
    due_at: datetime | None
    reason: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """One attempt at sending. outcome None: it is under way, or its worker died at it."""

    number: int
    started_at: datetime
    finished_at: datetime | None
    outcome: str | None
    http_status: int | None
    error: str | None


def lanes(connection: Connection, office_ids: Sequence[str] | None = None) -> list[Lane]:
    """Every office's lane, or those of these offices."""
    offices = sa.select(_F.office_id, _F.paused, _F.failures, _F.blocked_until).order_by(_F.office_id)
    lowest = sa.func.min(_O.row)
    counted = (
        sa.select(_F.office_id, _O.state, sa.func.count(), lowest)
        .select_from(t.offices.join(t.outbox, _O.office_id == _F.office_id))
        .where(_O.state.in_(_OPEN))
        .group_by(_F.office_id, _O.state)
    )
    if office_ids is not None:
        offices, counted = (one.where(_F.office_id.in_(list(office_ids))) for one in (offices, counted))
    open_: dict[str, dict[MessageState, int]] = {}
    first: dict[str, int] = {}
    for office_id, state, count, row in connection.execute(counted):
        found = MessageState(state)
        open_.setdefault(office_id, {})[found] = count
        if found in WAITING:
            first[office_id] = min(row, first.get(office_id, row))
    since = _created(connection, list(first.values()))
    return [
        Lane(
            office_id=one.office_id,
            paused=bool(one.paused),
            failures=one.failures,
            blocked_until=from_ms(one.blocked_until),
            open=open_.get(one.office_id, {}),
            oldest=from_ms(since.get(first.get(one.office_id, 0))),
        )
        for one in connection.execute(offices)
    ]


def _created(connection: Connection, rows: Sequence[int]) -> dict[int, int]:
    found: dict[int, int] = {}
    for at in range(0, len(rows), 500):
        asked = sa.select(_O.row, _O.created_at).where(_O.row.in_(rows[at : at + 500]))
        found |= {one.row: one.created_at for one in connection.execute(asked)}
    return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Unfetched:
    """What waits in the mailbox of a party without an office, a court's."""

    party_id: str
    count: int
    oldest: datetime


def unfetched(connection: Connection) -> list[Unfetched]:
    """Every such mailbox that is not empty."""
    statement = (
        sa.select(_O.recipient, sa.func.count(), sa.func.min(_O.created_at))
        .where(sa.text("state = 'available'"), _O.office_id.is_(None))
        .group_by(_O.recipient)
        .order_by(_O.recipient)
    )
    return [Unfetched(party_id=row[0], count=row[1], oldest=from_ms(row[2])) for row in connection.execute(statement)]


def messages(
    connection: Connection, office_id: str, *, state: MessageState | None = None, before: int | None = None, limit: int
) -> list[Sent]:
    """Messages of one office, newest first. before: the last row of the page before."""
    # one short range of the index for each state, then the newest of all of them
    states = list(MessageState) if state is None else [state]
    parts = [
        sa.select(_O.row.label("found"))
        .where(_O.office_id == office_id, _O.state == one.value, *(() if before is None else (_O.row < before,)))
        .order_by(_O.row.desc())
        .limit(limit)
        .subquery()
        for one in states
    ]
    rows = sa.union_all(*(sa.select(part.c.found) for part in parts)).subquery()
    statement = sa.select(t.outbox).where(_O.row.in_(sa.select(rows.c.found))).order_by(_O.row.desc()).limit(limit)
    return [_sent(row) for row in connection.execute(statement).mappings()]


def stuck_since(connection: Connection, office_id: str, since: datetime, *, limit: int) -> list[str]:
    """Ids of an office's parked and refused messages whose last attempt ended, or that were made, since then; oldest
    first."""
    ended = sa.func.coalesce(_A.finished_at, _A.started_at, _O.created_at)
    last = sa.and_(_A.message_id == _O.message_id, _A.number == _O.attempts)
    statement = (
        sa.select(_O.message_id)
        .select_from(t.outbox.outerjoin(t.attempts, last))
        .where(_O.office_id == office_id, _O.state.in_([one.value for one in STUCK]), ended >= to_ms(since))
        .order_by(_O.row)
        .limit(limit)
    )
    return list(connection.scalars(statement))


def of_ids(connection: Connection, message_ids: Sequence[str]) -> list[Sent]:
    """Messages by their ids, oldest first."""
    statement = sa.select(t.outbox).where(_O.message_id.in_(list(message_ids))).order_by(_O.row)
    return [_sent(row) for row in connection.execute(statement).mappings()]


def attempts(connection: Connection, message_id: str) -> list[Attempt]:
    """The last attempts at one message, newest first."""
    statement = sa.select(t.attempts).where(_A.message_id == message_id).order_by(_A.number.desc()).limit(MOST_ATTEMPTS)
    return [
        Attempt(
            number=row["number"],
            started_at=from_ms(row["started_at"]),
            finished_at=from_ms(row["finished_at"]),
            outcome=row["outcome"],
            http_status=row["http_status"],
            error=row["error"],
        )
        for row in connection.execute(statement).mappings()
    ]


@dataclass(frozen=True, kw_only=True, slots=True)
class Proof:
    """One rung of evidence about a message: a receipt, or an answer that proves it."""

    rung: str
    positive: bool
    verdict: str
    reason_code: str | None
    issuer: str
    at: datetime


def proofs(connection: Connection, message_id: str) -> list[Proof]:
    """What is on file about one message's arrival, oldest first."""
    c = t.receipts.c
    statement = sa.select(t.receipts).where(c.message_id == message_id).order_by(c.row).limit(MOST_ATTEMPTS)
    return [
        Proof(
            rung=row["rung"],
            positive=bool(row["positive"]),
            verdict=row["verdict"],
            reason_code=row["reason_code"],
            issuer=row["issuer"],
            at=from_ms(row["at"]),
        )
        for row in connection.execute(statement).mappings()
    ]


def _sent(row: sa.RowMapping) -> Sent:
    return Sent(
        row=row["row"],
        message_id=row["message_id"],
        office_id=row["office_id"],
        recipient=row["recipient"],
        type=row["type"],
        referral_id=row["referral_id"],
        handoff_id=row["handoff_id"],
        seq=row["seq"],
        state=MessageState(row["state"]),
        attempts=row["attempts"],
        created_at=from_ms(row["created_at"]),
        due_at=from_ms(row["due_at"]),
        reason=row["reason"],
    )

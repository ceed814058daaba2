"""部门门户的读取 What an agency's clerk sees in lists: handoffs by how far they are, letters, answers.

Rules: only rows of the offices that are named; what is to be done comes in the order of the work (minors, then the
urgent, then the oldest), what is done newest first; a page follows the last one by its last row. What stands here is
ids, codes and moments: whom a handoff is about, its sealed message alone tells.
"""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.lifecycle import OPEN_NEEDS, HandoffState, MessageState
from gateway.domain.referral import Urgency
from gateway.domain.routing import pressing
from gateway.store import tables as t
from gateway.store.clock import from_ms
from gateway.store.prepared import among, ids

_H, _O, _N, _K, _P = t.handoffs.c, t.outbox.c, t.needs.c, t.need_clocks.c, t.replies.c
_S = HandoffState
AMENDED, WITHDRAWN = "handoff.amended", "handoff.withdrawn"
LETTERS = (
    *("handoff.reminder", AMENDED, WITHDRAWN, "inquiry.forwarded", "match.notice", "match.resolved"),
    *("clue.answer", "balance.digest"),
)
"""Types of what an office is sent besides handoffs."""


class Tab(StrEnum):
    """收件箱分栏."""

    WAITING = "waiting"
    IN_HAND = "in_hand"
    FINISHED = "finished"
    WITHDRAWN = "withdrawn"


STATES: dict[Tab, tuple[HandoffState, ...]] = {
    # what was refused or could not be delivered still waits for the office
    Tab.WAITING: (_S.ISSUED, _S.RELAYED, _S.REJECTED, _S.PARKED),
    Tab.IN_HAND: (_S.RECEIVED, _S.ANSWERED),
    Tab.FINISHED: (_S.COMPLETED,),
    Tab.WITHDRAWN: (_S.WITHDRAWN,),
}
TO_DO = (Tab.WAITING, Tab.IN_HAND)
Place = tuple[int, int]
"""(place in the queue, row)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedHandoff:
    """One line. needs: (need id, programme)."""

    row: int
    handoff_id: str
    message_id: str
    referral_id: str
    office_id: str
    agency: str
    step: int
    state: HandoffState
    issued_at: datetime
    priority: int
    needs: tuple[tuple[str, str], ...]

    @property
    def is_minor(self) -> bool:
        """Minors come first (R05)."""
        return pressing(self.priority)[0]

    @property
    def urgency(self) -> Urgency:
        """As it was queued."""
        return pressing(self.priority)[1]

    @property
    def place(self) -> Place:
        """Where the next page begins."""
        return self.priority, self.row


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldNeed:
    """事项现状 One need of a handoff. state None: it left this office, and what others do with it is theirs.

    awaits: this office has not said anything of it yet; due_at: until when it must act, as reconciliation last saw it.
    """

    need_id: str
    programme: str
    state: str | None
    awaits: bool = False
    due_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedLetter:
    """来件 A message to the party that is no handoff."""

    row: int
    message_id: str
    type: str
    office_id: str | None
    subject: str | None
    handoff_id: str | None
    state: str
    created_at: datetime


def listed(
    connection: Connection, offices: Sequence[str], tab: Tab, *, after: Place | None = None, limit: int
) -> list[ListedHandoff]:
    """One page of a tab."""
    if not offices:
        return []
    if tab in TO_DO:
        return _to_do(connection, offices, tab, after, limit)
    before = None if after is None else after[1]
    found: list[ListedHandoff] = []
    for office in offices:  # each a walk along one index, however long the history
        statement = _HANDOFFS.where(_H.office_id == office, _H.state == STATES[tab][0].value)
        if before is not None:
            statement = statement.where(_H.row < before)
        found += _handoffs(connection, statement.order_by(_H.row.desc()).limit(limit))
    return sorted(found, key=lambda one: -one.row)[:limit]


def _to_do(
    connection: Connection, offices: Sequence[str], tab: Tab, after: Place | None, limit: int
) -> list[ListedHandoff]:
    statement = _HANDOFFS.where(_H.office_id.in_(offices), _H.state.in_([one.value for one in STATES[tab]]))
    if after is not None:
        later = sa.and_(_O.priority == after[0], _H.row > after[1])
        statement = statement.where(sa.or_(_O.priority > after[0], later))
    return _handoffs(connection, statement.order_by(_O.priority, _H.row).limit(limit))


_HANDOFFS = sa.select(t.handoffs, _O.priority).join(t.outbox, _O.message_id == _H.message_id)


def _handoffs(connection: Connection, statement: sa.Select[Any]) -> list[ListedHandoff]:
    return [
        ListedHandoff(
            row=row["row"],
            handoff_id=row["handoff_id"],
            message_id=row["message_id"],
            referral_id=row["referral_id"],
            office_id=row["office_id"],
            agency=row["agency"],
            step=row["step"],
            state=HandoffState(row["state"]),
            issued_at=from_ms(row["issued_at"]),
            priority=row["priority"],
            needs=tuple((need_id, programme) for need_id, programme in json.loads(row["need_ids"])),
        )
        for row in connection.execute(statement).mappings()
    ]


def find(connection: Connection, handoff_id: str, offices: Collection[str]) -> ListedHandoff | None:
    """One handoff of these offices; nothing for another's."""
    found = _handoffs(connection, _HANDOFFS.where(_H.handoff_id == handoff_id))
    return found[0] if found and found[0].office_id in offices else None


def by_message(
    connection: Connection, message_ids: Iterable[str], offices: Collection[str]
) -> dict[str, ListedHandoff]:
    """Handoffs of these offices by the message they were issued with."""
    found = connection.scalars(sa.select(_H.handoff_id).where(among(_H.message_id)), ids(set(message_ids))).all()
    rows = [] if not found else _handoffs(connection, _HANDOFFS.where(_H.handoff_id.in_(found)))
    return {one.message_id: one for one in rows if one.office_id in offices}


def counts(connection: Connection, offices: Sequence[str]) -> dict[Tab, int]:
    """How many wait, and how many are in hand; what is done is counted by nobody."""
    if not offices:
        return dict.fromkeys(TO_DO, 0)
    states = [state.value for tab in TO_DO for state in STATES[tab]]
    statement = (
        sa.select(_H.state, sa.func.count()).where(_H.office_id.in_(offices), _H.state.in_(states)).group_by(_H.state)
    )
    found = {row[0]: int(row[1]) for row in connection.execute(statement)}
    return {tab: sum(found.get(state.value, 0) for state in STATES[tab]) for tab in TO_DO}


def needs_of(connection: Connection, handoffs: Sequence[ListedHandoff]) -> dict[str, list[HeldNeed]]:
    """How the needs of these handoffs stand, by handoff."""
    wanted = ids({need_id for one in handoffs for need_id, _ in one.needs})
    found = {row["need_id"]: row for row in connection.execute(_NEEDS, wanted).mappings()}
    clocks = {row.need_id: row for row in connection.execute(_CLOCKS, ids({row["row"] for row in found.values()}))}
    return {one.handoff_id: [_held(one, *pair, found, clocks) for pair in one.needs] for one in handoffs}


_NEEDS = sa.select(_N.row, _N.need_id, _N.handoff_id, _N.step, _N.state, _N.disposition_at).where(among(_N.need_id))
_CLOCKS = sa.select(_K.need_id, _K.must_act, _K.due_at).where(among(_K.need_row))


def _held(handoff: ListedHandoff, need_id: str, programme: str, found: Any, clocks: Any) -> HeldNeed:
    row, clock = found.get(need_id), clocks.get(need_id)
    if row is None or row["handoff_id"] != handoff.handoff_id or row["step"] != handoff.step:
        return HeldNeed(need_id=need_id, programme=programme, state=None)
    is_open = row["state"] in _OPEN  # one that was answered since it was looked at waits for nobody
    ours = clock is not None and clock.must_act == handoff.office_id
    return HeldNeed(
        need_id=need_id,
        programme=programme,
        state=row["state"],
        awaits=is_open and row["disposition_at"] is None,
        due_at=from_ms(clock.due_at) if is_open and ours else None,
    )


_OPEN = frozenset(state.value for state in OPEN_NEEDS)


def answers_of(connection: Connection, handoff_id: str) -> list[dict[str, Any]]:
    """What this office answered on the handoff, newest first, without a person's data."""
    statement = sa.select(t.replies).where(_P.handoff_id == handoff_id).order_by(_P.row.desc()).limit(100)
    rows = connection.execute(statement).mappings()
    return [{**row, "at": from_ms(row["at"]), "recorded_at": from_ms(row["recorded_at"])} for row in rows]


def problems_of(connection: Connection, handoff_id: str, message_id: str) -> set[str]:
    """Why an answer changed nothing, by code."""
    statement = sa.select(_P.problem).where(_P.handoff_id == handoff_id, _P.message_id == message_id)
    return {one for one in connection.scalars(statement) if one is not None}


def is_called_back(connection: Connection, handoff_id: str) -> bool:
    """Whether the court withdrew it, or asked for that."""
    statement = sa.select(_O.row).where(_O.handoff_id == handoff_id, _O.type == WITHDRAWN).limit(1)
    return connection.execute(statement).first() is not None


def amended(connection: Connection, handoff_ids: Iterable[str]) -> dict[str, str]:
    """By handoff, the message with which its court last amended it; one that was never amended has none."""
    rows = connection.execute(_AMENDED, ids(set(handoff_ids)))
    return {row.handoff_id: row.message_id for row in rows}


_AMENDED = (
    sa.select(_O.handoff_id, _O.message_id)
    .where(among(_O.handoff_id), _O.type == AMENDED)
    .order_by(_O.handoff_id, _O.row)
)

# --- letters ---


def letters(
    connection: Connection, party: str, offices: Sequence[str], *, whole: bool, before: int | None, limit: int
) -> list[ListedLetter]:
    """Newest first. whole: with those to the party that name no office."""
    mine = _of_offices(offices, whole=whole)
    found: list[ListedLetter] = []
    for type_ in LETTERS:  # each a walk along one index
        statement = _LETTERS.where(_O.recipient == party, _O.type == type_, mine)
        if before is not None:
            statement = statement.where(_O.row < before)
        found += map(_letter, connection.execute(statement.order_by(_O.row.desc()).limit(limit)))
    return sorted(found, key=lambda one: -one.row)[:limit]


def untaken_letters(connection: Connection, party: str, offices: Sequence[str], *, whole: bool) -> int:
    """How many of them lie in the mailbox and nobody answered or took as read; one walk along what lies there."""
    mine = _of_offices(offices, whole=whole)
    # told so that the index of what is available is taken, and not the one of types, which holds all that ever was
    lying = _O.state == sa.literal_column(f"'{MessageState.AVAILABLE.value}'")
    of_types = sa.func.coalesce(_O.type, "").in_(LETTERS)
    statement = sa.select(sa.func.count()).where(_O.recipient == party, lying, of_types, mine)
    return connection.scalar(statement) or 0


def _of_offices(offices: Sequence[str], *, whole: bool) -> sa.ColumnElement[bool]:
    mine: sa.ColumnElement[bool] = _O.office_id.in_(list(offices))
    return sa.or_(mine, _O.office_id.is_(None)) if whole else mine


def letter(
    connection: Connection, party: str, offices: Collection[str], message_id: str, *, whole: bool
) -> ListedLetter | None:
    """One of them; nothing for another's."""
    statement = _LETTERS.where(_O.message_id == message_id, _O.recipient == party, _O.type.in_(LETTERS))
    row = connection.execute(statement).first()
    if row is None or not (row.office_id in offices or (whole and row.office_id is None)):
        return None
    return _letter(row)


_LETTERS: sa.Select[Any] = sa.select(
    _O.row, _O.message_id, _O.type, _O.office_id, _O.referral_id, _O.handoff_id, _O.state, _O.created_at
)


def _letter(row: sa.Row[Any]) -> ListedLetter:
    return ListedLetter(
        row=row.row,
        message_id=row.message_id,
        type=row.type,
        office_id=row.office_id,
        subject=row.referral_id,
        handoff_id=row.handoff_id,
        state=row.state,
        created_at=from_ms(row.created_at),
    )


def sealed(connection: Connection, message_ids: Iterable[str]) -> list[dict[str, Any]]:
    """The stored rows of these messages, as `sealing.outbound` opens them."""
    return [dict(row) for row in connection.execute(_SEALED, ids(message_ids)).mappings()]


_SEALED = sa.select(_O.message_id, _O.recipient, _O.referral_id, _O.jws, _O.wire, _O.created_at).where(
    among(_O.message_id)
)

"""平衡的计数 The balance and what stands beside it, counted by the database: fast with a million referrals.

Rules: the left side is what intake counted in the referrals' rows, the right side the need rows as they stand, so a
difference stays visible (Law 7). What is overdue, and what ended unexplained, is counted from what reconciliation last
saw (`need_clocks`); all else from the facts of this moment: the numbers that `domain.reconciliation.balance` draws up.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.lifecycle import OPEN_NEEDS, FindingState, MessageState, NeedState
from gateway.domain.reconciliation.balance import HELPED, TAKEN_BACK, BalanceLine
from gateway.store import need_clocks
from gateway.store import tables as t
from gateway.store.clock import from_ms, to_ms
from gateway.store.need_clocks import Standing, within

_R, _N, _F, _O, _B = t.referrals.c, t.needs.c, t.findings.c, t.offices.c, t.outbox.c
_OPEN_FINDINGS = (FindingState.OPEN.value, FindingState.ASSIGNED.value)
_STUCK = (MessageState.PARKED.value, MessageState.REFUSED.value)
MOST_WAITING = 10_000
"""So many that wait for reconciliation are counted, no more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenDoubts:
    """Open findings of one code: how many, the money at stake, how many came lately, how many are due."""

    code: str
    count: int
    stake_fen: int
    new: int
    due: int


@dataclass(frozen=True, kw_only=True, slots=True)
class LaneAway:
    """An office nothing is sent to: paused by a person, or left alone for a while after failures."""

    office_id: str
    paused: bool
    failures: int
    blocked_until: datetime | None


def balance(connection: Connection, *, courts: Sequence[str] | None, standing: Standing) -> BalanceLine:
    """The one line of everything these courts referred; standing: of the same courts."""
    referrals, accepted = connection.execute(
        sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(_R.needs_accepted), 0)).where(*within(_R.court, courts))
    ).one()
    states = _by_state(connection, courts)
    unpaid = _closed_unpaid(connection, courts)
    unexplained = need_clocks.unexplained(connection, courts=courts)
    overdue, unknown = sum(needs for _, needs, _ in standing.overdue), standing.unknown
    return BalanceLine(
        referrals=referrals,
        accepted=int(accepted),
        assisted=_sum(states, HELPED) + states.get(NeedState.CLOSED.value, 0) - unpaid,
        not_assisted=states.get(NeedState.NOT_ASSISTED.value, 0) + unpaid - unexplained,
        unexplained=unexplained,
        withdrawn=_sum(states, TAKEN_BACK),
        open_in_time=_sum(states, OPEN_NEEDS) - overdue - unknown,
        overdue=overdue,
        clock_unknown=unknown,
        held=states.get(NeedState.HELD.value, 0),
    )


def _sum(states: dict[str, int], wanted: Collection[NeedState]) -> int:
    return sum(states.get(state.value, 0) for state in wanted)


def _by_state(connection: Connection, courts: Sequence[str] | None) -> dict[str, int]:
    statement = sa.select(_N.state, sa.func.count()).where(*within(_N.court, courts)).group_by(_N.state)
    return {row[0]: row[1] for row in connection.execute(statement)}


def _closed_unpaid(connection: Connection, courts: Sequence[str] | None) -> int:
    """By the small index of just these."""
    closed: sa.ColumnElement[str] = sa.literal_column("'closed'")
    statement = sa.select(sa.func.count()).where(_N.state == closed, _N.paid_at.is_(None), *within(_N.court, courts))
    return int(connection.scalar(statement) or 0)


def doubts(
    connection: Connection, *, since: datetime, until: datetime, courts: Sequence[str] | None
) -> list[OpenDoubts]:
    """Open findings by code; those of no court belong to who sees all. new: opened since then; due: until then."""
    due_at = sa.func.coalesce(_F.assigned_due_at, _F.due_at)
    new = sa.func.sum(sa.case((_F.opened_at >= to_ms(since), 1), else_=0))
    due = sa.func.sum(sa.case((due_at < to_ms(until), 1), else_=0))
    statement = (
        sa.select(_F.code, sa.func.count(), sa.func.sum(_F.stake_fen), new, due)
        .where(_F.state.in_(_OPEN_FINDINGS), *within(_F.of_court, courts))
        .group_by(_F.code)
        .order_by(_F.code)
    )
    return [
        OpenDoubts(code=row[0], count=row[1], stake_fen=int(row[2]), new=int(row[3]), due=int(row[4]))
        for row in connection.execute(statement)
    ]


def stuck(connection: Connection) -> dict[str, int]:
    """Messages that go no further by themselves, by state."""
    statement = (
        sa.select(_B.state, sa.func.count())
        .where(_B.office_id.in_(sa.select(_O.office_id)), _B.state.in_(_STUCK))
        .group_by(_B.state)
    )
    return {row[0]: row[1] for row in connection.execute(statement)}


def lanes_away(connection: Connection, *, now: datetime) -> list[LaneAway]:
    """Offices that are paused, or whose breaker is open."""
    away = sa.or_(_O.paused, _O.blocked_until > to_ms(now))
    rows = connection.execute(sa.select(t.offices).where(away).order_by(_O.office_id)).mappings()
    return [
        LaneAway(
            office_id=row["office_id"],
            paused=bool(row["paused"]),
            failures=row["failures"],
            blocked_until=from_ms(row["blocked_until"]),
        )
        for row in rows
    ]


def accepted_between(connection: Connection, since: datetime, until: datetime, *, courts: Sequence[str] | None) -> int:
    """Referrals accepted within."""
    statement = sa.select(sa.func.count()).where(
        _R.accepted_at >= to_ms(since), _R.accepted_at < to_ms(until), *within(_R.court, courts)
    )
    return int(connection.scalar(statement) or 0)


def waiting_for_a_look(connection: Connection, *, now: datetime) -> int:
    """Referrals reconciliation has not come to yet; at most `MOST_WAITING`."""
    some: sa.Select[Any] = sa.select(_R.row).where(_R.reconcile_at < to_ms(now)).limit(MOST_WAITING)
    return int(connection.scalar(sa.select(sa.func.count()).select_from(some.subquery())) or 0)

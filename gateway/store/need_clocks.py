"""需求时限的存取 The limit of each open need as reconciliation last saw it: replaced with every look."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.lifecycle import OPEN_NEEDS, NeedState
from gateway.domain.reconciliation.standing import StandingClock
from gateway.store import tables as t
from gateway.store.clock import from_ms, to_ms
from gateway.store.prepared import among, ids

_K, _N, _R = t.need_clocks.c, t.needs.c, t.referrals.c
OPEN = sorted(state.value for state in OPEN_NEEDS)
_REFUSED = [NeedState.NOT_ASSISTED.value, NeedState.CLOSED.value]
_FORGET = t.need_clocks.delete().where(among(_K.referral_id))
_ROWS = sa.select(_N.need_id, _N.row).where(among(_N.referral_id))
_PUT = t.need_clocks.insert()
_OF = sa.select(t.need_clocks).where(among(_K.referral_id))


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptClock:
    """One need's limit on file."""

    need_id: str
    referral_id: str
    must_act: str
    waits_for: str
    limit_id: str
    is_minor: bool
    due_at: datetime | None
    is_unknown: bool

    def is_past(self, now: datetime) -> bool:
        """Whether it has passed."""
        return self.due_at is not None and self.due_at < now


@dataclass(frozen=True, kw_only=True, slots=True)
class Deadline:
    """A limit that passes soon, with the case it is about."""

    clock: KeptClock
    case_number: str
    court: str
    programme: str


def replace(connection: Connection, referral_ids: Sequence[str], clocks: Iterable[StandingClock]) -> None:
    """What is said of these referrals' needs from now on."""
    connection.execute(_FORGET, ids(referral_ids))
    found = list(clocks)
    if not found:
        return
    rows = {row.need_id: row.row for row in connection.execute(_ROWS, ids({one.referral_id for one in found}))}
    connection.execute(_PUT, [_row(one, rows[one.need_id]) for one in found if one.need_id in rows])


def of_referrals(connection: Connection, referral_ids: Collection[str]) -> dict[str, KeptClock]:
    """By need, of these referrals."""
    rows = connection.execute(_OF, ids(referral_ids)).mappings()
    return {row["need_id"]: _kept(row) for row in rows}


def overdue_by_whom(
    connection: Connection, *, now: datetime, courts: Sequence[str] | None
) -> list[tuple[str, int, int]]:
    """(who must act, overdue needs, those of minors), most first."""
    count = sa.func.count().label("count")
    minors = sa.func.sum(sa.case((_K.is_minor, 1), else_=0))
    statement = (
        sa.select(_K.must_act, count, minors)
        .where(_K.due_at < to_ms(now), *within(_K.court, courts), _stands_in(OPEN, courts))
        .group_by(_K.must_act)
        .order_by(count.desc(), _K.must_act)
    )
    return [(row[0], row[1], int(row[2] or 0)) for row in connection.execute(statement)]


def unknown(connection: Connection, *, now: datetime, courts: Sequence[str] | None) -> int:
    """Open needs whose limit no published calendar can tell."""
    statement = sa.select(sa.func.count()).where(
        _K.is_unknown,
        sa.or_(_K.due_at.is_(None), _K.due_at >= to_ms(now)),
        *within(_K.court, courts),
        _stands_in(OPEN, courts),
    )
    return int(connection.scalar(statement) or 0)


def unexplained(connection: Connection, *, courts: Sequence[str] | None) -> int:
    """Needs that ended without help and without a recorded reason."""
    still = sa.exists().where(_N.row == _K.need_row, _N.state.in_(_REFUSED))
    statement = sa.select(sa.func.count()).where(_K.is_unexplained, *within(_K.court, courts), still)
    return int(connection.scalar(statement) or 0)


def falling_due(
    connection: Connection, *, since: datetime, until: datetime, courts: Sequence[str] | None
) -> list[tuple[date, int, int]]:
    """(China day, needs whose limit passes with it, those of minors) of open needs, in the days' order."""
    day = (_K.due_at + (_CHINA_MS - 1)) // _DAY_MS  # a limit that ends with a day ends at its last moment
    minors = sa.func.sum(sa.case((_K.is_minor, 1), else_=0))
    within_days = _due_within(since, until, courts)
    statement = sa.select(day, sa.func.count(), minors).where(*within_days).group_by(day).order_by(day)
    return [(_EPOCH + timedelta(days=int(row[0])), row[1], int(row[2] or 0)) for row in connection.execute(statement)]


def next_deadlines(
    connection: Connection, *, since: datetime, until: datetime, courts: Sequence[str] | None, limit: int
) -> list[Deadline]:
    """The limits that pass next, minors first."""
    order = (_K.is_minor.desc(), _K.due_at, _K.need_row)
    statement = sa.select(t.need_clocks).where(*_due_within(since, until, courts)).order_by(*order).limit(limit)
    rows = connection.execute(statement).mappings().all()
    cases = connection.execute(_CASES, ids({row["referral_id"] for row in rows}))
    numbers = {row.referral_id: row.case_number for row in cases}
    needs = connection.execute(_PROGRAMMES, ids({row["need_row"] for row in rows}))
    programmes = {row.row: row.programme for row in needs}
    return [
        Deadline(
            clock=_kept(row),
            case_number=numbers.get(row["referral_id"], ""),
            court=row["court"],
            programme=programmes.get(row["need_row"], ""),
        )
        for row in rows
    ]


def _due_within(since: datetime, until: datetime, courts: Sequence[str] | None) -> Iterator[sa.ColumnElement[bool]]:
    yield _K.due_at >= to_ms(since)
    yield _K.due_at < to_ms(until)
    yield from within(_K.court, courts)
    yield _stands_in(OPEN, courts)


def _stands_in(states: Sequence[str], courts: Sequence[str] | None) -> sa.ColumnElement[bool]:
    """A need that was answered since it was looked at waits for nobody. Asked of the index of states alone: it is small
    for what is open, and the needs' own rows are many."""
    return _K.need_row.in_(sa.select(_N.row).where(_N.state.in_(states), *within(_N.court, courts)))


_PROGRAMMES = sa.select(_N.row, _N.programme).where(among(_N.row))
_CASES = sa.select(_R.referral_id, _R.case_number).where(among(_R.referral_id))
_DAY_MS, _CHINA_MS = 86_400_000, 8 * 3_600_000
_EPOCH = date(1970, 1, 1)


def within(column: sa.ColumnElement[str], courts: Sequence[str] | None) -> tuple[sa.ColumnElement[bool], ...]:
    """The condition that somebody sees these courts only; nothing for who sees all."""
    return () if courts is None else (column.in_(list(courts)),)


def _row(one: StandingClock, need_row: int) -> dict[str, object]:
    return {
        "need_row": need_row,
        "need_id": one.need_id,
        "referral_id": one.referral_id,
        "court": one.court,
        "must_act": one.must_act,
        "waits_for": one.waits_for,
        "limit_id": one.limit_id,
        "is_minor": one.is_minor,
        "due_at": to_ms(one.due_at),
        "is_unknown": one.is_unknown,
        "is_unexplained": one.is_unexplained,
    }


def _kept(row: sa.RowMapping) -> KeptClock:
    return KeptClock(
        need_id=row["need_id"],
        referral_id=row["referral_id"],
        must_act=row["must_act"],
        waits_for=row["waits_for"],
        limit_id=row["limit_id"],
        is_minor=bool(row["is_minor"]),
        due_at=from_ms(row["due_at"]),
        is_unknown=bool(row["is_unknown"]),
    )

"""需求时限的存取 The limit of each open need as reconciliation last saw it: replaced with every look."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

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


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """Limits of open needs, counted. overdue: (who must act, needs, those of minors), most first; days: (China day,
    needs whose limit passes with it, those of minors) in the days' order; unknown: needs that are not overdue and whose
    limit no published calendar can tell."""

    overdue: tuple[tuple[str, int, int], ...]
    days: tuple[tuple[date, int, int], ...]
    unknown: int


def standing(connection: Connection, *, now: datetime, until: datetime, courts: Sequence[str] | None) -> Standing:
    """What has passed and what passes until then, in one pass: to find the needs that are open costs the most of it."""
    rows = connection.execute(_counted(now, until, courts)).all()
    ahead = [row for row in rows if row.day != _PASSED]
    return Standing(
        overdue=tuple((row.whom, row.needs, row.minors) for row in rows if row.day == _PASSED),
        days=tuple((_EPOCH + timedelta(days=row.day), row.needs, row.minors) for row in ahead if row.day is not None),
        unknown=sum(row.unknown for row in ahead),
    )


def _counted(now: datetime, until: datetime, courts: Sequence[str] | None) -> sa.Select[Any]:
    """(day, who must act on what has passed, needs, minors', unknown ones)."""
    is_past, needs = _K.due_at < to_ms(now), sa.func.count().label("needs")
    ends_with = (_K.due_at + (_CHINA_MS - 1)) // _DAY_MS  # a limit that ends with a day ends at its last moment
    day = sa.case((is_past, _PASSED), (_K.due_at < to_ms(until), ends_with))
    whom = sa.case((is_past, _K.must_act), else_="")
    return (
        sa.select(day.label("day"), whom.label("whom"), needs, _how_many(_K.is_minor, "minors"))
        .add_columns(_how_many(_K.is_unknown, "unknown"))
        .where(sa.or_(_K.due_at < to_ms(until), _K.is_unknown), *within(_K.court, courts), _stands_in(OPEN, courts))
        .group_by(day, whom)
        .order_by(day, needs.desc(), whom)
    )


def _how_many(column: sa.ColumnElement[bool], name: str) -> sa.Label[Any]:
    return sa.cast(sa.func.sum(sa.case((column, 1), else_=0)), sa.Integer).label(name)


def unexplained(connection: Connection, *, courts: Sequence[str] | None) -> int:
    """Needs that ended without help and without a recorded reason."""
    still = sa.exists().where(_N.row == _K.need_row, _N.state.in_(_REFUSED))
    statement = sa.select(sa.func.count()).where(_K.is_unexplained, *within(_K.court, courts), still)
    return int(connection.scalar(statement) or 0)


def next_deadlines(
    connection: Connection, *, since: datetime, until: datetime, courts: Sequence[str] | None, limit: int
) -> list[Deadline]:
    """The limits that pass next, minors first: two walks in the limits' order, each over when there are enough."""
    rows: list[sa.RowMapping] = []
    for is_minor in (sa.true(), sa.false()):
        statement = sa.select(t.need_clocks).where(
            *(_K.due_at >= to_ms(since), _K.due_at < to_ms(until), _K.is_minor == is_minor),
            *within(_K.court, courts),
            sa.exists().where(_N.row == _K.need_row, _N.state.in_(OPEN)),
        )
        order = statement.order_by(_K.due_at, _K.need_row).limit(limit - len(rows))
        rows += connection.execute(order).mappings()
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


def _stands_in(states: Sequence[str], courts: Sequence[str] | None) -> sa.ColumnElement[bool]:
    """A need that was answered since it was looked at waits for nobody. Asked of the index of states alone: it is small
    for what is open, and the needs' own rows are many."""
    return _K.need_row.in_(sa.select(_N.row).where(_N.state.in_(states), *within(_N.court, courts)))


_PROGRAMMES = sa.select(_N.row, _N.programme).where(among(_N.row))
_CASES = sa.select(_R.referral_id, _R.case_number).where(among(_R.referral_id))
_DAY_MS, _CHINA_MS = 86_400_000, 8 * 3_600_000
_EPOCH = date(1970, 1, 1)
_PASSED = -1


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

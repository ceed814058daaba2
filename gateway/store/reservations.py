"""占位的存取 Reservations, the slots they hold, and how they ended; one slot has one holder (UNIQUE), whoever asks.

A reservation whose time is over holds nothing: its slots are freed by whoever comes first, the next request or the
worker.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.lifecycle import RESERVATION, ReservationState
from gateway.store import tables as t
from gateway.store.clock import from_ms, to_ms

_R, _S = t.reservations.c, t.reservation_slots.c
_HOLDING = (ReservationState.RESERVED.value, ReservationState.CONFIRMED.value)


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptReservation:
    """占位 as it stands on file. Months are `YYYY-MM`."""

    reservation_id: str
    party: str
    need_id: str | None
    person_key: str | None
    programme: str
    from_month: str
    until_month: str | None
    amount_fen: int | None
    state: ReservationState
    requested_at: datetime
    reserved_until: datetime | None
    ended_at: datetime | None


def put(connection: Connection, row: Mapping[str, Any], slots: Sequence[str]) -> None:
    """A reservation with the slots it holds. Raises IntegrityError where one is held: nothing is written then."""
    connection.execute(t.reservations.insert(), dict(row))
    if slots:
        mine = {"party": row["party"], "reservation_id": row["reservation_id"]}
        connection.execute(t.reservation_slots.insert(), [{"slot": slot, **mine} for slot in slots])


def put_end(connection: Connection, row: Mapping[str, Any]) -> None:
    """How a reservation ended, as its holder said."""
    connection.execute(t.reservation_ends.insert(), dict(row))


def find(connection: Connection, party: str, reservation_id: str) -> KeptReservation | None:
    """One of a party's own."""
    statement = sa.select(t.reservations).where(_R.party == party, _R.reservation_id == reservation_id)
    row = connection.execute(statement).mappings().first()
    return None if row is None else _kept(row)


def holding(
    connection: Connection, *, person_key: str | None, need_id: str | None, now: datetime
) -> list[KeptReservation]:
    """Reservations that hold something for the person or on the need, oldest first; those whose time is over are ended
    first."""
    expire(connection, now=now)
    who = [_R.person_key == person_key] if person_key is not None else []
    what = [_R.need_id == need_id] if need_id is not None else []
    statement = sa.select(t.reservations).where(sa.or_(*who, *what, sa.false()), _R.state.in_(_HOLDING))
    return [_kept(row) for row in connection.execute(statement.order_by(_R.row)).mappings()]


def reserved_programmes(connection: Connection, person_keys: Collection[str], *, now: datetime) -> dict[str, set[str]]:
    """Programmes that are reserved or confirmed at the moment, by person."""
    if not person_keys:
        return {}
    in_time = sa.or_(_R.state == ReservationState.CONFIRMED.value, _R.reserved_until >= to_ms(now))
    statement = sa.select(_R.person_key, _R.programme).where(
        _R.person_key.in_(list(person_keys)), _R.state.in_(_HOLDING), in_time
    )
    found: dict[str, set[str]] = {}
    for row in connection.execute(statement):
        found.setdefault(row.person_key, set()).add(row.programme)
    return found


def move(connection: Connection, kept: KeptReservation, there: ReservationState, *, now: datetime, frees: bool) -> None:
    """Brings it to another state; frees: its slots are free from now on. Raises IllegalMove."""
    RESERVATION.move(kept.state, there)
    mine = sa.and_(_R.party == kept.party, _R.reservation_id == kept.reservation_id)
    connection.execute(t.reservations.update().where(mine).values(state=there.value, ended_at=to_ms(now)))
    if frees:
        held = sa.and_(_S.party == kept.party, _S.reservation_id == kept.reservation_id)
        connection.execute(t.reservation_slots.delete().where(held))


def due(connection: Connection, *, now: datetime) -> bool:
    """Whether any reservation's time is over that nobody has ended yet."""
    return connection.execute(sa.select(_R.row).where(_over(now)).limit(1)).first() is not None


def expire(connection: Connection, *, now: datetime) -> int:
    """Ends every reservation whose time is over; how many."""
    over = connection.execute(sa.select(_R.row, _R.party, _R.reservation_id).where(_over(now))).all()
    if not over:
        return 0
    RESERVATION.move(ReservationState.RESERVED, ReservationState.EXPIRED)
    for row in over:
        held = sa.and_(_S.party == row.party, _S.reservation_id == row.reservation_id)
        connection.execute(t.reservation_slots.delete().where(held))
    ended = {"state": ReservationState.EXPIRED.value, "ended_at": to_ms(now)}
    connection.execute(t.reservations.update().where(_R.row.in_([row.row for row in over])).values(**ended))
    return len(over)


def listed(
    connection: Connection, *, states: Sequence[ReservationState] = (), limit: int = 1000
) -> list[KeptReservation]:
    """Newest first; only of these states where some are named."""
    statement = sa.select(t.reservations).order_by(_R.row.desc()).limit(limit)
    if states:
        statement = statement.where(_R.state.in_([state.value for state in states]))
    return [_kept(row) for row in connection.execute(statement).mappings()]


def _over(now: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(_R.state == ReservationState.RESERVED.value, _R.reserved_until < to_ms(now))


def _kept(row: sa.RowMapping) -> KeptReservation:
    return KeptReservation(
        reservation_id=row["reservation_id"],
        party=row["party"],
        need_id=row["need_id"],
        person_key=row["person_key"],
        programme=row["programme"],
        from_month=row["from_month"],
        until_month=row["until_month"],
        amount_fen=row["amount_fen"],
        state=ReservationState(row["state"]),
        requested_at=from_ms(row["requested_at"]),
        reserved_until=from_ms(row["reserved_until"]),
        ended_at=from_ms(row["ended_at"]),
    )

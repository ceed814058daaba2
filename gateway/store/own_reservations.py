"""本部门占位的读取 The reservations of one party, newest first; of a clerk's offices alone where he has some.

The row names no person: whom a reservation is for stands in its sealed message and, keyed, in no list.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.lifecycle import ReservationState
from gateway.store import tables as t
from gateway.store.clock import from_ms

_R, _N = t.reservations.c, t.needs.c


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnReservation:
    """占位 of the party, as its list shows it."""

    row: int
    reservation_id: str
    message_id: str
    need_id: str | None
    programme: str
    from_month: str
    until_month: str | None
    amount_fen: int | None
    state: ReservationState
    requested_at: datetime
    reserved_until: datetime | None
    conflicts: tuple[tuple[str, str], ...]

    def standing(self, now: datetime) -> ReservationState:
        """As it is at the moment, though nobody ended it yet."""
        over = self.reserved_until is not None and self.reserved_until < now
        return ReservationState.EXPIRED if over and self.state is ReservationState.RESERVED else self.state


def listed(
    connection: Connection, party: str, offices: Sequence[str] | None, *, before: int | None, limit: int
) -> list[OwnReservation]:
    """Newest first. offices: only what was asked for one of them; None for all of the party's."""
    statement = _RESERVATIONS.where(_R.party == party, *_of_offices(offices))
    if before is not None:
        statement = statement.where(_R.row < before)
    return [_reservation(row) for row in connection.execute(statement.order_by(_R.row.desc()).limit(limit)).mappings()]


def find(
    connection: Connection, party: str, offices: Sequence[str] | None, reservation_id: str
) -> OwnReservation | None:
    """One of them; nothing for another's."""
    statement = _RESERVATIONS.where(_R.party == party, _R.reservation_id == reservation_id, *_of_offices(offices))
    row = connection.execute(statement).mappings().first()
    return None if row is None else _reservation(row)


def own_need(connection: Connection, need_id: str, offices: Collection[str]) -> bool:
    """Whether a need lies with one of these offices."""
    found = connection.scalar(sa.select(_N.office_id).where(_N.need_id == need_id))
    return found is not None and found in offices


def _of_offices(offices: Sequence[str] | None) -> list[sa.ColumnElement[bool]]:
    """A reservation names no office: it is the office's whose need it is for, or after which the portal named it."""
    if offices is None:
        return []
    named = [_R.reservation_id.startswith(f"{one}:", autoescape=True) for one in offices]
    theirs = sa.exists().where(_N.need_id == _R.need_id, _N.office_id.in_(list(offices)))
    return [sa.or_(theirs, *named)]


_RESERVATIONS = sa.select(t.reservations)


def _reservation(row: sa.RowMapping) -> OwnReservation:
    return OwnReservation(
        row=row["row"],
        reservation_id=row["reservation_id"],
        message_id=row["message_id"],
        need_id=row["need_id"],
        programme=row["programme"],
        from_month=row["from_month"],
        until_month=row["until_month"],
        amount_fen=row["amount_fen"],
        state=ReservationState(row["state"]),
        requested_at=from_ms(row["requested_at"]),
        reserved_until=from_ms(row["reserved_until"]),
        conflicts=tuple((one["code"], one["rule_id"]) for one in json.loads(row["conflicts"])),
    )

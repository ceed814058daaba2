"""占位核对 A reservation stands where its ends and its time say, and holds the slots it must hold and no other.

What the request itself said is compared from its bytes (`told`); its state and its slots were made by the gateway, so
they are judged by each other and by what its holder said of its end.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from gateway.domain.lifecycle import ReservationState
from gateway.flows.audit.trouble import Trouble, What
from gateway.store import audit_rows
from gateway.store import tables as t
from gateway.store.clock import to_ms

_S = ReservationState
_HOLDING = (_S.RESERVED.value, _S.CONFIRMED.value)


def reservation_troubles(connection: Connection, *, now: datetime) -> Iterator[Trouble]:
    """Reservations whose state nothing explains, and slots without their holder or holders without their slots."""
    holders: set[tuple[str, str]] = set()
    for page in audit_rows.pages(connection, t.reservations):
        ids = [row["reservation_id"] for row in page]
        ends = audit_rows.by(connection, t.reservation_ends.c.reservation_id, ids)
        slots = audit_rows.by(connection, t.reservation_slots.c.reservation_id, ids)
        for row in page:
            key = (row["party"], row["reservation_id"])
            said = {one["what"] for one in ends.get(row["reservation_id"], ()) if one["party"] == row["party"]}
            mine = [one for one in slots.get(row["reservation_id"], ()) if one["party"] == row["party"]]
            if not _explains(row, said, now):
                yield Trouble(table="reservations", ref=key[1], what=What.ALTERED, column="state")
            elif bool(mine) is not (row["state"] in _HOLDING):
                yield Trouble(table="reservation_slots", ref=key[1], what=What.UNLOGGED if mine else What.MISSING)
            holders.add(key)
    s = t.reservation_slots.c
    for page in audit_rows.pages(connection, t.reservation_slots, s.party, s.reservation_id):
        for row in page:
            if (row["party"], row["reservation_id"]) not in holders:
                yield Trouble(table="reservation_slots", ref=row["reservation_id"], what=What.UNLOGGED)


def _explains(row: Mapping[str, Any], said: set[str], now: datetime) -> bool:
    state = row["state"]
    if state == _S.CONFLICT.value:
        return not said and row["conflicts"] != "[]"
    if row["conflicts"] != "[]":
        return False
    if state == _S.EXPIRED.value:
        return not said and row["reserved_until"] is not None and row["reserved_until"] < to_ms(now)
    if state == _S.RESERVED.value:
        return not said
    return state in said and (state == _S.RELEASED.value or _S.RELEASED.value not in said)

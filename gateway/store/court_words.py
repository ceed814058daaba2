"""告知法院的存取 How far courts were told of what happened to their needs, and the moves behind that.

Moves are numbered in the order of their commits (one writer at a time), so a number says exactly what was looked at.
"""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.store import tables as t
from gateway.store.clock import to_ms

NEEDS = "need_moves"
_M, _N, _K = t.need_moves.c, t.needs.c, t.told_marks.c


@dataclass(frozen=True, kw_only=True, slots=True)
class Move:
    """One move of a need."""

    row: int
    referral_id: str
    need_id: str
    to_state: str


def behind(connection: Connection, *, until: datetime) -> bool:
    """Whether there are moves that nobody looked at, recorded by then."""
    last = connection.scalar(sa.select(_K.last_row).where(_K.name == NEEDS)) or 0
    newer = sa.select(_M.row).where(_M.row > last, _M.recorded_at <= to_ms(until)).limit(1)
    return connection.execute(newer).first() is not None


def take(connection: Connection, *, until: datetime, limit: int) -> list[Move]:
    """The next moves in order, up to the first that is younger; they count as looked at with this commit."""
    last = connection.scalar(sa.select(_K.last_row).where(_K.name == NEEDS).with_for_update())
    statement = (
        sa.select(_M.row, _M.need_id, _M.to_state, _M.recorded_at, _N.referral_id)
        .select_from(t.need_moves.join(t.needs, _N.need_id == _M.need_id))
        .where(_M.row > (last or 0))
        .order_by(_M.row)
        .limit(limit)
    )
    found: list[Move] = []
    for row in connection.execute(statement):
        if row.recorded_at > to_ms(until):
            break
        found.append(Move(row=row.row, referral_id=row.referral_id, need_id=row.need_id, to_state=row.to_state))
    if found and last is None:
        connection.execute(t.told_marks.insert().values(name=NEEDS, last_row=found[-1].row, number=1))
    elif found:
        connection.execute(
            t.told_marks.update().where(_K.name == NEEDS).values(last_row=found[-1].row, number=_K.number + 1)
        )
    return found

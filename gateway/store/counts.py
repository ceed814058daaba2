"""计数 Present counts for operations: needs, outbound messages and lanes by state. No ids of people, no amounts."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.store import tables as t
from gateway.store.clock import from_ms


@dataclass(frozen=True, kw_only=True, slots=True)
class Lane:
    """One office's queue."""

    office_id: str
    channel: str
    paused: bool
    failures: int
    blocked_until: datetime | None
    waiting: int


def needs_by_state(connection: Connection) -> dict[str, int]:
    """How many needs stand in each state."""
    return _by(connection, t.needs.c.state)


def outbox_by_state(connection: Connection) -> dict[str, int]:
    """How many outbound messages stand in each state."""
    return _by(connection, t.outbox.c.state)


def lanes(connection: Connection) -> list[Lane]:
    """Every office with the number of messages that have not reached it yet."""
    o, f = t.outbox.c, t.offices.c
    waiting = (
        sa.select(sa.func.count())
        .where(o.office_id == f.office_id, o.state.in_(("queued", "sending", "unknown", "available")))
        .scalar_subquery()
    )
    rows = connection.execute(
        sa.select(f.office_id, f.channel, f.paused, f.failures, f.blocked_until, waiting.label("waiting")).order_by(
            f.office_id
        )
    )
    return [
        Lane(
            office_id=row.office_id,
            channel=row.channel,
            paused=bool(row.paused),
            failures=row.failures,
            blocked_until=from_ms(row.blocked_until),
            waiting=row.waiting,
        )
        for row in rows
    ]


def _by(connection: Connection, column: sa.ColumnElement[str]) -> dict[str, int]:
    rows = connection.execute(sa.select(column, sa.func.count()).group_by(column).order_by(column))
    return {row[0]: row[1] for row in rows}

"""人工决定的存取 What people decided and why; rows are only ever added."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.store import tables as t
from gateway.store.clock import to_ms


def put(connection: Connection, *, who: str, what: str, subject: str, why: str, now: datetime) -> None:
    """One decision: who decided what about which id, and why."""
    connection.execute(t.decisions.insert().values(at=to_ms(now), who=who, what=what, subject=subject, why=why))


def about(connection: Connection, subject: str) -> list[sa.RowMapping]:
    """Decisions about one id, oldest first."""
    d = t.decisions
    return list(connection.execute(sa.select(d).where(d.c.subject == subject).order_by(d.c.row)).mappings())

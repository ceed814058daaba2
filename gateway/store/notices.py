"""放假安排的存取 Holiday notices an administrator loaded; rows are only ever added, each with a decision's leaf."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.holiday_notice import HolidayNotice, read_notice
from gateway.store import decisions
from gateway.store import tables as t
from gateway.store.clock import to_ms

LOADED, REPLACED = "calendar_loaded", "calendar_replaced"


def put(connection: Connection, notice: HolidayNotice, *, replaces: bool, who: str, why: str, now: datetime) -> None:
    """One more notice; replaces: another one stood for its year."""
    what = REPLACED if replaces else LOADED
    subject = subject_of(notice.year, notice.sha256)
    decision_id = decisions.put(connection, who=who, what=what, subject=subject, why=why, now=now)
    row = {
        "notice_year": notice.year,
        "body": notice.body,
        "sha256": notice.sha256,
        "loaded_at": to_ms(now),
        "who": who,
        "decision_id": decision_id,
    }
    connection.execute(t.holiday_notices.insert().values(**row))


def subject_of(year: int, digest: str) -> str:
    """What the decision's leaf is about: the year and the very file."""
    return f"calendar:{year}:{digest}"


def rows(connection: Connection) -> list[dict[str, Any]]:
    """Every notice ever loaded, oldest first."""
    statement = sa.select(t.holiday_notices).order_by(t.holiday_notices.c.row)
    return [dict(row) for row in connection.execute(statement).mappings()]


def known(connection: Connection, *, at: datetime) -> tuple[HolidayNotice, ...]:
    """The notices that were loaded by then."""
    return tuple(read_notice(row["body"]) for row in rows(connection) if row["loaded_at"] <= to_ms(at))

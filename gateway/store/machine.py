"""运行环境的存取 What the database says of itself and who works on it: size, version, clock, leases, sessions."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.store import tables as t
from gateway.store.clock import from_ms, to_ms
from gateway.store.engine import Store

_MEMORY = ":memory:"


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldLease:
    """One lease or turn: who holds it (empty: nobody) and until when, or when it is due."""

    name: str
    owner: str
    fence: int
    until: datetime


def size(connection: Connection) -> int:
    """Bytes the database takes."""
    if connection.dialect.name == "sqlite":
        pages = int(connection.scalar(sa.text("PRAGMA page_count")) or 0)
        return pages * int(connection.scalar(sa.text("PRAGMA page_size")) or 0)
    return int(connection.scalar(sa.text("SELECT pg_database_size(current_database())")) or 0)


def server_version(connection: Connection) -> str:
    """Of SQLite's library, or of the PostgreSQL server."""
    asked = "SELECT sqlite_version()" if connection.dialect.name == "sqlite" else "SHOW server_version"
    return str(connection.scalar(sa.text(asked)))


def server_time(connection: Connection) -> datetime | None:
    """What PostgreSQL's clock says; None for SQLite, which has none of its own."""
    if connection.dialect.name == "sqlite":
        return None
    found: datetime = connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
    return found.astimezone(UTC)


def newest_moment(connection: Connection) -> datetime | None:
    """The latest moment anything was written at; the clock was not behind it then."""
    found = [
        connection.scalar(sa.select(table.c[column]).order_by(table.c.row.desc()).limit(1))
        for table, column in ((t.decisions, "at"), (t.inbox, "received_at"), (t.outbox, "created_at"))
    ]
    return from_ms(max((one for one in found if one is not None), default=None))


def leases(connection: Connection) -> list[HeldLease]:
    """Every lease and turn there ever was, by name: about a dozen."""
    statement = sa.select(t.leases).order_by(t.leases.c.name)
    return [
        HeldLease(name=row["name"], owner=row["owner"], fence=row["fence"], until=from_ms(row["until"]))
        for row in connection.execute(statement).mappings()
    ]


def sessions(connection: Connection, now: datetime) -> int:
    """How many people are signed in."""
    statement = sa.select(sa.func.count()).select_from(t.sign_ins).where(t.sign_ins.c.ends_at > to_ms(now))
    return int(connection.scalar(statement) or 0)


def waiting_to_route(connection: Connection) -> int:
    """Needs that wait to be handed out."""
    statement = sa.select(sa.func.count()).select_from(t.needs).where(t.needs.c.dispatch_at.is_not(None))
    return int(connection.scalar(statement) or 0)


def folder_of(store: Store) -> Path | None:
    """The folder a SQLite database lies in; None where the database is elsewhere."""
    path = store.engine.url.database
    return Path(path).parent if store.is_sqlite and path and path != _MEMORY else None

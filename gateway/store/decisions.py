"""人工决定的存取 What people decided and why, and what they looked at; rows are only ever added, each with its leaf."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.envelope.message import new_id
from gateway.evidence.entry import decision_digest, decision_entry
from gateway.store import log
from gateway.store import tables as t
from gateway.store.clock import from_ms, to_ms


def put(connection: Connection, *, who: str, what: str, subject: str, why: str, now: datetime) -> str:
    """One decision: who decided what about which id, and why; its id. The leaf fixes every word of it."""
    row = {"at": to_ms(now), "who": who, "what": what, "subject": subject, "why": why}
    return put_all(connection, [row])[0]


def put_all(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Several decisions (members as `put` names them, at in milliseconds); their ids."""
    if not rows:
        return []
    made = [{"decision_id": new_id(from_ms(row["at"])), **row} for row in rows]
    connection.execute(_INSERT, made)
    tail = log.open_tail(connection)
    for row in made:
        entry = decision_entry(
            decision_id=row["decision_id"], what=row["what"], digest=digest_of(row), at=from_ms(row["at"])
        )
        tail.add(entry, about=row["subject"][: log.MOST_ABOUT])
    tail.save(connection)
    return [row["decision_id"] for row in made]


_INSERT = t.decisions.insert()


def digest_of(row: Mapping[str, Any]) -> str:
    """What the leaf of a stored decision must say."""
    return decision_digest(
        decision_id=row["decision_id"],
        at_ms=row["at"],
        who=row["who"],
        what=row["what"],
        subject=row["subject"],
        why=row["why"],
    )


def about(connection: Connection, subject: str) -> list[sa.RowMapping]:
    """Decisions about one id, oldest first."""
    d = t.decisions
    return list(connection.execute(sa.select(d).where(d.c.subject == subject).order_by(d.c.row)).mappings())


def latest_about(connection: Connection, subject: str, *, limit: int) -> list[sa.RowMapping]:
    """The newest decisions about one id, newest first."""
    d = t.decisions
    statement = sa.select(d).where(d.c.subject == subject).order_by(d.c.row.desc()).limit(limit)
    return list(connection.execute(statement).mappings())

"""回执的存取 Receipts about messages we sent: evidence that is only ever added, one a message, rung and verdict."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.store import tables as t


def put(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Adds receipts; one that says what an earlier one said already is passed over."""
    if not rows:
        return
    c = t.receipts.c
    statement = sa.select(c.message_id, c.rung, c.verdict).where(c.message_id.in_({row["message_id"] for row in rows}))
    known = {(row.message_id, row.rung, row.verdict) for row in connection.execute(statement)}
    fresh: dict[tuple[str, str, str], Mapping[str, Any]] = {}
    for row in rows:
        key = (row["message_id"], row["rung"], row["verdict"])
        if key not in known:
            fresh.setdefault(key, row)
    if fresh:
        connection.execute(t.receipts.insert(), list(fresh.values()))


def of_messages(connection: Connection, message_ids: Sequence[str]) -> list[Mapping[str, Any]]:
    """Every receipt about these messages, oldest first."""
    statement = sa.select(t.receipts).where(t.receipts.c.message_id.in_(list(message_ids))).order_by(t.receipts.c.row)
    return [dict(row) for row in connection.execute(statement).mappings()]

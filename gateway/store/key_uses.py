"""密钥用途的存取 What was accepted because one key proved it, page by page: ids and moments, never what it says."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.store import tables as t
from gateway.store.clock import from_ms, to_ms

_C = t.inbox.c
MOST_COUNTED = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Use:
    """One message that was accepted with a key."""

    row: int
    message_id: str
    type: str
    received_at: datetime


def uses(
    connection: Connection, kid: str, *, since: datetime | None = None, before: int | None = None, limit: int
) -> Sequence[Use]:
    """The newest first. before: the last row of the page before."""
    statement = sa.select(_C.row, _C.message_id, _C.type, _C.received_at).where(_C.kid == kid)
    if since is not None:
        statement = statement.where(_C.received_at >= to_ms(since))
    if before is not None:
        statement = statement.where(_C.row < before)
    return [
        Use(row=one.row, message_id=one.message_id, type=one.type, received_at=from_ms(one.received_at))
        for one in connection.execute(statement.order_by(_C.row.desc()).limit(limit))
    ]


def count(connection: Connection, kid: str, *, since: datetime | None = None) -> int:
    """How many; one more than `MOST_COUNTED` stands for any number beyond it."""
    statement = sa.select(_C.row).where(_C.kid == kid)
    if since is not None:
        statement = statement.where(_C.received_at >= to_ms(since))
    some = statement.limit(MOST_COUNTED + 1).subquery()
    return int(connection.scalar(sa.select(sa.func.count()).select_from(some)) or 0)

"""截止核对的存取 Comparisons of log and rows; only ever added."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.store import tables as t
from gateway.store.clock import to_ms


def put(
    connection: Connection,
    *,
    cutoff_id: str,
    at: datetime,
    epoch: int,
    size: int,
    root: bytes,
    wrong: int,
    troubles: str,
) -> None:
    """One comparison; troubles: a JSON list."""
    connection.execute(
        t.cutoffs.insert().values(
            cutoff_id=cutoff_id,
            at=to_ms(at),
            epoch=epoch,
            tree_size=size,
            root=root.hex(),
            wrong=wrong,
            troubles=troubles,
        )
    )


def newest(connection: Connection) -> sa.RowMapping | None:
    """The last one."""
    statement = sa.select(t.cutoffs).order_by(t.cutoffs.c.row.desc()).limit(1)
    return connection.execute(statement).mappings().first()

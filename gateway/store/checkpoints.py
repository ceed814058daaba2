"""检查点的存取 Signed checkpoints and their cosignatures; only ever added."""

from collections.abc import Iterator
from datetime import datetime
from heapq import merge

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.store import tables as t
from gateway.store.clock import to_ms

PAGE = 1000


def newest(connection: Connection) -> sa.RowMapping | None:
    """The checkpoint published last: epoch, size, root (hex), note, at (ms), fence."""
    c = t.checkpoints.c
    return (
        connection.execute(sa.select(t.checkpoints).order_by(c.epoch.desc(), c.size.desc()).limit(1)).mappings().first()
    )


def put(connection: Connection, *, epoch: int, size: int, root: bytes, note: str, fence: int, now: datetime) -> None:
    """Keeps a signed checkpoint; a second one of the same size fails the transaction."""
    connection.execute(
        t.checkpoints.insert().values(epoch=epoch, size=size, root=root.hex(), note=note, at=to_ms(now), fence=fence)
    )


def at_size(connection: Connection, *, epoch: int, size: int) -> sa.RowMapping | None:
    """The checkpoint of one tree."""
    c = t.checkpoints.c
    statement = sa.select(t.checkpoints).where(c.epoch == epoch, c.size == size)
    return connection.execute(statement).mappings().first()


def newest_cosigned(connection: Connection, *, epoch: int, least: int) -> sa.RowMapping | None:
    """The newest checkpoint of an epoch that at least so many witnesses have cosigned."""
    c, w = t.checkpoints.c, t.cosignatures.c
    sizes = sa.select(w.size).where(w.epoch == epoch).group_by(w.size).having(sa.func.count() >= least)
    largest = sizes.order_by(w.size.desc()).limit(1).scalar_subquery()
    statement = sa.select(t.checkpoints).where(c.epoch == epoch, c.size == largest)
    return connection.execute(statement).mappings().first()


def by_size(connection: Connection, *, last_epoch: int, at_least: int = 0) -> Iterator[sa.RowMapping]:
    """All of them by the size of the tree, read page by page. at_least: those of smaller trees are left out."""
    epochs = (_of_epoch(connection, epoch, at_least) for epoch in range(1, last_epoch + 1))
    return merge(*epochs, key=lambda row: (row["size"], row["epoch"]))


def _of_epoch(connection: Connection, epoch: int, at_least: int) -> Iterator[sa.RowMapping]:
    c, after = t.checkpoints.c, at_least - 1
    statement = sa.select(t.checkpoints).where(c.epoch == epoch).order_by(c.size).limit(PAGE)
    while rows := connection.execute(statement.where(c.size > after)).mappings().all():
        yield from rows
        after = rows[-1]["size"]


def every(connection: Connection) -> list[sa.RowMapping]:
    """All of them, oldest first."""
    c = t.checkpoints.c
    return list(connection.execute(sa.select(t.checkpoints).order_by(c.epoch, c.size)).mappings())


def put_cosignature(connection: Connection, *, epoch: int, size: int, witness: str, line: str, now: datetime) -> None:
    """Keeps a witness' line about one checkpoint; the same witness again changes nothing."""
    c = t.cosignatures.c
    there = sa.select(c.size).where(c.epoch == epoch, c.size == size, c.witness == witness)
    if connection.execute(there).first() is None:
        connection.execute(
            t.cosignatures.insert().values(epoch=epoch, size=size, witness=witness, line=line, at=to_ms(now))
        )


def largest_cosigned(connection: Connection, *, epoch: int) -> dict[str, int]:
    """Witness → the size of the largest tree it has cosigned in this epoch."""
    c = t.cosignatures.c
    statement = sa.select(c.witness, sa.func.max(c.size)).where(c.epoch == epoch).group_by(c.witness)
    return {witness: int(size) for witness, size in connection.execute(statement)}


def cosignatures(connection: Connection, *, epoch: int, size: int) -> list[str]:
    """The witnesses' lines about one checkpoint."""
    c = t.cosignatures.c
    statement = sa.select(c.line).where(c.epoch == epoch, c.size == size).order_by(c.witness)
    return list(connection.scalars(statement))

"""存证日志的存取 The transparency log's rows: one leaf for each thing that happened, in the same transaction.

Rules: the head row is locked first, so leaves have one order and no number is given twice; a transaction that fails
leaves no leaf; nothing is signed here, and what is told of the tree inside a transaction is the tree before it, which
is committed. Leaves hold ids and digests only. Nodes of every 256, 65536, … leaves are kept, so a proof reads little.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.errors import InRecovery
from gateway.evidence.entry import Entry
from gateway.evidence.merkle import Frontier, Hashes, leaf_hash
from gateway.store import tables as t
from gateway.store.clock import to_ms
from gateway.store.prepared import among, ids

HEAD = 1
FIRST_EPOCH = 1
PAGE = 10_000
MOST_ABOUT = 64
"""As many characters of an id are kept to find its leaves by."""
RECOVERY_SECONDS = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """The committed tree. root: 32 bytes; recovering: the gateway does not sign."""

    epoch: int
    size: int
    root: bytes
    recovering: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """One leaf."""

    index: int
    kind: str
    ref: str
    digest: str | None
    about: str | None
    leaf_hash: bytes
    entry: str


class Tail:
    """The right edge inside one write transaction; `save` writes what was added."""

    def __init__(self, epoch: int, frontier: Frontier) -> None:
        self.epoch, self._frontier = epoch, frontier
        self.size_before, self.root_before = frontier.size, frontier.root()
        self._leaves: list[dict[str, object]] = []
        self._nodes: list[dict[str, object]] = []

    def add(self, entry: Entry, *, about: str | None = None) -> int:
        """The index of the entry's leaf. about: the id it is found by, where the entry itself names no referral."""
        text = entry.to_bytes()
        index, leaf = self._frontier.size, leaf_hash(text)
        for level, node_index, hash_ in self._frontier.add(leaf):
            self._nodes.append({"level": level, "node_index": node_index, "hash": hash_})
        self._leaves.append(
            {
                "leaf_index": index,
                "leaf_hash": leaf,
                "kind": entry.kind.value,
                "ref": entry.ref,
                "about": entry.fields.get("about", about),
                "digest": entry.digest,
                "entry": text.decode("ascii"),
            }
        )
        return index

    def save(self, connection: Connection) -> None:
        """Leaves, nodes and the new edge."""
        if not self._leaves:
            return
        connection.execute(_INSERT_LEAF, self._leaves)
        if self._nodes:
            connection.execute(_INSERT_NODE, self._nodes)
        connection.execute(_MOVE_HEAD, {"b_size": self._frontier.size, "b_frontier": self._frontier.to_bytes()})
        self._leaves, self._nodes = [], []


_INSERT_LEAF, _INSERT_NODE = t.log_leaves.insert(), t.log_nodes.insert()
_HEAD = sa.select(t.log_head).where(t.log_head.c.id == HEAD)
_LOCKED_HEAD = _HEAD.with_for_update()
_MOVE_HEAD = (
    t.log_head.update()
    .where(t.log_head.c.id == HEAD)
    .values(size=sa.bindparam("b_size"), frontier=sa.bindparam("b_frontier"))
)


def open_tail(connection: Connection, *, recovering: bool = False) -> Tail:
    """The edge, locked until the commit; made where there is none yet. Raises InRecovery while the gateway does not
    sign, unless the caller is the recovery itself."""
    row = connection.execute(_LOCKED_HEAD).first()
    if row is None:
        connection.execute(t.log_head.insert().values(id=HEAD, epoch=FIRST_EPOCH, size=0, frontier=b""))
        return Tail(FIRST_EPOCH, Frontier.from_bytes(0, b""))
    if row.recovering_since is not None and not recovering:
        raise InRecovery(retry_after=RECOVERY_SECONDS)
    return Tail(row.epoch, Frontier.from_bytes(row.size, bytes(row.frontier)))


def append(connection: Connection, entries: Iterable[Entry], *, recovering: bool = False) -> list[int]:
    """Adds leaves in order; their indexes. Raises as `open_tail` does."""
    found = list(entries)
    if not found:
        return []
    tail = open_tail(connection, recovering=recovering)
    indexes = [tail.add(entry) for entry in found]
    tail.save(connection)
    return indexes


def head(connection: Connection) -> Head:
    """The tree as this transaction sees it."""
    row = connection.execute(_HEAD).first()
    if row is None:
        return Head(epoch=FIRST_EPOCH, size=0, root=Frontier.from_bytes(0, b"").root(), recovering=False)
    frontier = Frontier.from_bytes(row.size, bytes(row.frontier))
    return Head(epoch=row.epoch, size=row.size, root=frontier.root(), recovering=row.recovering_since is not None)


def is_recovering(connection: Connection) -> bool:
    """Whether the gateway signs nothing now."""
    return connection.scalar(_RECOVERING) is not None


def require_signing(connection: Connection) -> None:
    """For whatever signs or hands out outside of a write. Raises InRecovery."""
    if is_recovering(connection):
        raise InRecovery(retry_after=RECOVERY_SECONDS)


_RECOVERING = sa.select(t.log_head.c.recovering_since).where(t.log_head.c.id == HEAD)


def enter_recovery(connection: Connection, *, now: datetime) -> None:
    """From now on nothing is signed and no leaf added but by the recovery."""
    if connection.execute(_HEAD).first() is None:  # even an empty database is older than a log that was signed
        connection.execute(t.log_head.insert().values(id=HEAD, epoch=FIRST_EPOCH, size=0, frontier=b""))
    connection.execute(
        t.log_head.update()
        .where(t.log_head.c.id == HEAD, t.log_head.c.recovering_since.is_(None))
        .values(recovering_since=to_ms(now))
    )


def begin_epoch(connection: Connection, *, beyond: int = 0) -> int:
    """Ends the recovery: the log goes on under the next epoch's name; its number. beyond: the highest epoch anybody
    has seen; the copy may be older than it, and no name is used for two logs."""
    row = connection.execute(_LOCKED_HEAD).one()
    epoch = max(int(row.epoch), beyond) + 1
    connection.execute(t.log_head.update().where(t.log_head.c.id == HEAD).values(epoch=epoch, recovering_since=None))
    return epoch


def extent(connection: Connection) -> int:
    """One more than the highest leaf there is, whatever the head says."""
    highest = connection.scalar(sa.select(sa.func.max(t.log_leaves.c.leaf_index)))
    return 0 if highest is None else int(highest) + 1


def hold_still(connection: Connection) -> None:
    """Asked for first in a transaction: all it reads is of one moment, as SQLite's reads are anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))


def hashes(connection: Connection) -> Hashes:
    """What proofs are made from: hashes of complete nodes by tile level."""

    def read(level: int, start: int, stop: int) -> Sequence[bytes]:
        bounds = {"b_level": level, "b_start": start, "b_stop": stop}
        statement = _LEAF_HASHES if level == 0 else _NODE_HASHES
        return [bytes(found) for found in connection.scalars(statement, bounds)]

    return read


_LEAF_HASHES = (
    sa.select(t.log_leaves.c.leaf_hash)
    .where(t.log_leaves.c.leaf_index >= sa.bindparam("b_start"), t.log_leaves.c.leaf_index < sa.bindparam("b_stop"))
    .order_by(t.log_leaves.c.leaf_index)
)
_NODE_HASHES = (
    sa.select(t.log_nodes.c.hash)
    .where(
        t.log_nodes.c.level == sa.bindparam("b_level"),
        t.log_nodes.c.node_index >= sa.bindparam("b_start"),
        t.log_nodes.c.node_index < sa.bindparam("b_stop"),
    )
    .order_by(t.log_nodes.c.node_index)
)


def places(connection: Connection, refs: Iterable[str]) -> list[Place]:
    """Every leaf about these ids (message, decision, key, …), in order."""
    return [_place(row) for row in connection.execute(_PLACES, ids(set(refs)))]


_PLACES = sa.select(t.log_leaves).where(among(t.log_leaves.c.ref)).order_by(t.log_leaves.c.leaf_index)


def about(connection: Connection, refs: Iterable[str]) -> list[Place]:
    """Every leaf of a message about one of these referrals, and of a decision about one of these ids, in order;
    whether or not the message or the decision is still there."""
    return [_place(row) for row in connection.execute(_ABOUT, ids(set(refs)))]


_ABOUT = sa.select(t.log_leaves).where(among(t.log_leaves.c.about)).order_by(t.log_leaves.c.leaf_index)


def of_kind(connection: Connection, kind: str) -> Iterator[Place]:
    """Every leaf of one kind, in order, read page by page."""
    c, after = t.log_leaves.c, -1
    while True:
        statement = sa.select(t.log_leaves).where(c.kind == kind, c.leaf_index > after)
        page = connection.execute(statement.order_by(c.leaf_index).limit(PAGE)).all()
        if not page:
            return
        yield from (_place(row) for row in page)
        after = page[-1].leaf_index


def entries(connection: Connection, start: int, stop: int) -> Iterator[Place]:
    """Leaves [start, stop) in order, read page by page; a leaf that is not there is not yielded."""
    c = t.log_leaves.c
    for first in range(start, stop, PAGE):
        last = min(first + PAGE, stop)
        statement = sa.select(t.log_leaves).where(c.leaf_index >= first, c.leaf_index < last).order_by(c.leaf_index)
        yield from (_place(row) for row in connection.execute(statement).all())


def _place(row: sa.Row[tuple[object, ...]]) -> Place:
    return Place(
        index=row.leaf_index,
        kind=row.kind,
        ref=row.ref,
        digest=row.digest,
        about=row.about,
        leaf_hash=bytes(row.leaf_hash),
        entry=row.entry,
    )

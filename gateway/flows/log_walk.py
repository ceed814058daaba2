"""存证全量核对 The whole log walked from its first leaf: what every row says is held against what the others say.

1. each leaf is there, its text hashes to its leaf hash, its columns say what its text says;
2. the leaves of each tile lead to the node stored over them, and so on upwards;
3. at the size of every checkpoint the root is the one that was signed, and the last root is the head's.

Rows are read in order, page by page, so memory stays small. A wrong leaf is named by its number, and where it can be
the walk goes on with what is stored over it. What somebody changed who could also sign shows only from outside: by the
checkpoint file, by witnesses, by partners' receipts. A walk over the last part alone begins at a tile: what is before
it is believed as the nodes say, which the signed roots after it bear out.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from heapq import merge
from itertools import groupby

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.errors import CheckpointInvalid, XianjieError
from gateway.evidence import entry
from gateway.evidence.checkpoint import NoteVerifier, open_note
from gateway.evidence.merkle import TILE_HEIGHT, TILE_WIDTH, Frontier, Hashes, leaf_hash
from gateway.store import checkpoints, log
from gateway.store.log import Head, Place

MOST_LISTED = 10_000
VerifierOf = Callable[[int], NoteVerifier | None]
"""Epoch → the log's public key under that epoch's name; None where the key is not at hand."""


class TroubleKind(StrEnum):
    """What can be wrong with a log."""

    LEAF_MISSING = "leaf_missing"
    LEAF_ALTERED = "leaf_altered"
    LEAF_MISLABELLED = "leaf_mislabelled"
    LEAF_REPLACED = "leaf_replaced"
    LEAF_BEYOND = "leaf_beyond"
    NODE_DIFFERS = "node_differs"
    TILE_DIFFERS = "tile_differs"
    HEAD_DIFFERS = "head_differs"
    CHECKPOINT_DIFFERS = "checkpoint_differs"
    CHECKPOINT_BEYOND = "checkpoint_beyond"
    CHECKPOINT_UNSIGNED = "checkpoint_unsigned"
    CHECKPOINT_UNPROVABLE = "checkpoint_unprovable"
    WITNESS_DIFFERS = "witness_differs"


_EACH_BY_ITSELF = {TroubleKind.LEAF_REPLACED, TroubleKind.NODE_DIFFERS, TroubleKind.TILE_DIFFERS}
"""What is known of these is the tile alone, so two of them must not become one larger one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LogTrouble:
    """Leaves first…last, counted from 0; of a checkpoint or the head: the sizes of the trees it is about."""

    kind: TroubleKind
    first: int
    last: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Signed:
    """A root (hex) that was signed. is_witness: kept outside the database, its signature proven already."""

    epoch: int
    size: int
    root: str
    note: str
    is_witness: bool = False


class Troubles:
    """What was found; neighbours of one kind share a line; beyond the limit they are only counted."""

    def __init__(self) -> None:
        self.found: list[LogTrouble] = []
        self.unlisted = 0
        self._last: dict[TroubleKind, tuple[int, int]] = {}

    def add(self, kind: TroubleKind, first: int, last: int | None = None, *, number: int | None = None) -> None:
        """One more, as in `LogTrouble`. number: where it stands among its like; a leaf's own number by default."""
        end = first if last is None else last
        at, before = (-1, -2) if kind in _EACH_BY_ITSELF else self._last.get(kind, (-1, -2))
        if before == (first if number is None else number) - 1:
            self.found[at] = replace(self.found[at], last=end)
        elif len(self.found) < MOST_LISTED:
            at = len(self.found)
            self.found.append(LogTrouble(kind=kind, first=first, last=end))
        else:
            self.unlisted += 1
            return
        self._last[kind] = at, end if number is None else number


class Walk:
    """One pass over the rows; afterwards the counts and `troubles` say what it saw."""

    def __init__(
        self,
        connection: Connection,
        head: Head,
        verifier_of: VerifierOf,
        *,
        witness: Signed | None = None,
        told: Callable[[int], None] | None = None,
        begin: int = 0,
    ) -> None:
        """told: hears now and then how many leaves were walked; begin: the first leaf to walk, a tile's first."""
        self._connection, self._head, self._verifier_of = connection, head, verifier_of
        self._told = told
        self._hashes = log.hashes(connection)
        self._begin = begin
        self._signed = _every_signed(connection, head, witness, begin)
        self._next = next(self._signed, None)
        self._number = 0
        # the tree as the leaves say, and beside it, where the two disagree, as the nodes say; none: nothing is known
        self._edges = _edge_at(self._hashes, begin)
        self._disputed: list[tuple[int, int]] = []
        self.troubles = Troubles()
        self.checkpoints = self.signatures = 0
        self.proven: int | None = None
        """The largest size at which a signed root was met."""

    def run(self) -> None:
        """Walks to the end."""
        extent = log.extent(self._connection)
        size = min(self._head.size, extent)
        if extent > self._head.size:
            self.troubles.add(TroubleKind.LEAF_BEYOND, self._head.size, extent - 1)
        walked = self._begin
        self._meet(walked)
        for start, places in _tiles(self._connection, walked, size):
            if start > walked:
                self._gap(walked, start)
            walked = min(start + TILE_WIDTH, self._head.size)
            self._tile(start, walked, places)
            if self._told is not None:
                self._told(walked)
        if walked < self._head.size:
            self.troubles.add(TroubleKind.LEAF_MISSING, walked, self._head.size - 1)
            self._edges = []
        self._meet_head()

    def _gap(self, start: int, stop: int) -> None:
        """Whole tiles without a leaf."""
        self.troubles.add(TroubleKind.LEAF_MISSING, start, stop - 1)
        for at in range(start, stop, TILE_WIDTH):
            if not self._edges:
                return
            self._bridge(at, at + TILE_WIDTH)

    def _tile(self, start: int, stop: int, places: Sequence[Place]) -> None:
        """One tile of at most 256 leaves, of which some are there."""
        leaves = self._leaves(start, stop, places)
        if leaves is None:
            self._bridge(start, stop)
        elif self._edges:
            self._grow(start, stop, leaves)

    def _leaves(self, start: int, stop: int, places: Sequence[Place]) -> list[bytes] | None:
        """The tile's leaf hashes; None when some leaf is not there."""
        made, kept, expected = [], [], start
        for place in places:
            if place.index > expected:
                self.troubles.add(TroubleKind.LEAF_MISSING, expected, place.index - 1)
            expected = place.index + 1
            made.append(leaf_hash(place.entry.encode()))
            kept.append(place.leaf_hash)
            if made[-1] != kept[-1]:
                self.troubles.add(TroubleKind.LEAF_ALTERED, place.index)
            elif not _says_what_it_is(place):
                self.troubles.add(TroubleKind.LEAF_MISLABELLED, place.index)
        if expected < stop:
            self.troubles.add(TroubleKind.LEAF_MISSING, expected, stop - 1)
        if len(places) != stop - start:
            return None
        return made if made == kept or not self._edges else self._borne_out(start, made, kept)

    def _borne_out(self, start: int, made: list[bytes], kept: list[bytes]) -> list[bytes]:
        """Where texts and leaf hashes disagree: those that the node, or at the end the head, bears out; else the
        hashes, since it is easier to write another text."""
        trial = self._edges[0].copy()
        completed = [node for leaf in made for node in trial.add(leaf)]
        if completed:
            return made if completed[0][2] == self._node(1, start // TILE_WIDTH) else kept
        return made if trial.root() == self._head.root else kept

    def _grow(self, start: int, stop: int, leaves: list[bytes]) -> None:
        """Adds leaf after leaf and looks at what was signed on the way, then at the nodes that are complete now."""
        before = self._edges[-1].copy()
        completed: list[tuple[int, int, bytes]] = []
        for at, leaf in enumerate(leaves, start + 1):
            completed = [node for edge in self._edges for node in edge.add(leaf)]
            if at < stop or stop % TILE_WIDTH:
                self._meet(at)
        if not completed:
            return
        node = self._node(1, start // TILE_WIDTH)
        if completed[0][2] != node:
            completed += self._dispute(start, stop, before, node)
        self._compare_above([found for found in completed if found[0] > 1])
        self._meet(stop)

    def _dispute(self, start: int, stop: int, before: Frontier, node: bytes | None) -> list[tuple[int, int, bytes]]:
        """Leaves and node disagree: both trees are followed until a signed root tells which is meant. Returns what the
        node completes above itself."""
        self._disputed.append((start, stop - 1))
        self._edges = self._edges[:1]
        if node is None:
            return []
        self._edges.append(before)
        return before.add_subtree(node, 1)

    def _compare_above(self, completed: list[tuple[int, int, bytes]]) -> None:
        """Nodes of higher levels; each must be what one of the trees followed says."""
        for level, index in {found[:2] for found in completed}:
            said = {hash_ for *place, hash_ in completed if place == [level, index]}
            if self._node(level, index) not in said:
                width: int = TILE_WIDTH**level
                self.troubles.add(TroubleKind.NODE_DIFFERS, index * width, (index + 1) * width - 1)

    def _bridge(self, start: int, stop: int) -> None:
        """Over a tile that cannot be made from its leaves by the node stored over it; without one nothing is known of
        all that follows."""
        node = self._node(1, start // TILE_WIDTH) if stop - start == TILE_WIDTH else None
        if node is None:
            self._edges = []
        else:
            self._compare_above([above for edge in self._edges for above in edge.add_subtree(node, 1)])
        self._meet(stop)

    def _node(self, level: int, index: int) -> bytes | None:
        return next(iter(self._hashes(level, index, index + 1)), None)

    def _meet(self, size: int) -> None:
        """What was signed up to here."""
        while self._next is not None and self._next.size <= size:
            self._judge(self._next, size)
            self._next = next(self._signed, None)

    def _judge(self, signed: Signed, size: int) -> None:
        self._number += 1
        met = [edge for edge in self._edges if edge.root().hex() == signed.root] if signed.size == size else []
        if met:
            self._settle(met[0])
            self.proven = signed.size
        elif signed.is_witness:
            self.troubles.add(TroubleKind.WITNESS_DIFFERS, signed.size)
            return
        else:
            self.troubles.add(self._why_not_met(signed, size), signed.size, number=self._number)
        if not signed.is_witness:
            self.checkpoints += 1
            self._check_signature(signed)

    def _why_not_met(self, signed: Signed, size: int) -> TroubleKind:
        if signed.size > self._head.size:
            return TroubleKind.CHECKPOINT_BEYOND
        known = self._edges and signed.size == size
        return TroubleKind.CHECKPOINT_DIFFERS if known else TroubleKind.CHECKPOINT_UNPROVABLE

    def _settle(self, edge: Frontier) -> None:
        """A root that was met tells which of two trees is meant."""
        if not self._disputed:
            return
        kind = TroubleKind.NODE_DIFFERS if edge is self._edges[0] else TroubleKind.LEAF_REPLACED
        for first, last in self._disputed:
            self.troubles.add(kind, first, last)
        self._edges, self._disputed = [edge], []

    def _check_signature(self, signed: Signed) -> None:
        verifier = self._verifier_of(signed.epoch)
        if verifier is None:
            return
        try:
            found = open_note(signed.note, verifier).checkpoint
        except CheckpointInvalid:
            self.troubles.add(TroubleKind.CHECKPOINT_UNSIGNED, signed.size, number=self._number)
            return
        if (found.size, found.root.hex()) != (signed.size, signed.root):
            self.troubles.add(TroubleKind.CHECKPOINT_UNSIGNED, signed.size, number=self._number)
            return
        self.signatures += 1

    def _meet_head(self) -> None:
        met = [edge for edge in self._edges if edge.root() == self._head.root]
        if met:
            self._settle(met[0])
        else:
            self.troubles.add(TroubleKind.HEAD_DIFFERS, self._head.size)
        for first, last in self._disputed:
            self.troubles.add(TroubleKind.TILE_DIFFERS, first, last)
        while self._next is not None:  # larger than the log is
            self._judge(self._next, self._head.size)
            self._next = next(self._signed, None)


def _edge_at(hashes: Hashes, size: int) -> list[Frontier]:
    """The tree of the first leaves as the nodes over whole tiles say; nothing where one of them is missing."""
    edge, level = Frontier(), max(0, size.bit_length() - 1) // TILE_HEIGHT
    for at in range(level, 0, -1):
        start, stop = edge.size >> (TILE_HEIGHT * at), size >> (TILE_HEIGHT * at)
        nodes = hashes(at, start, stop)
        if len(nodes) != stop - start:
            return []
        for node in nodes:
            edge.add_subtree(node, at)
    return [edge]


def _tiles(connection: Connection, begin: int, size: int) -> Iterator[tuple[int, list[Place]]]:
    """The leaves that are there, by tile: its first number and its leaves."""
    for number, places in groupby(log.entries(connection, begin, size), key=lambda place: place.index // TILE_WIDTH):
        yield number * TILE_WIDTH, list(places)


def _every_signed(connection: Connection, head: Head, witness: Signed | None, begin: int) -> Iterator[Signed]:
    """What was ever signed over no fewer leaves, by the size of the tree."""
    kept = (_signed(row) for row in checkpoints.by_size(connection, last_epoch=head.epoch, at_least=begin))
    outside = [] if witness is None or witness.size < begin else [witness]
    return merge(kept, outside, key=lambda signed: signed.size)


def _signed(row: sa.RowMapping) -> Signed:
    return Signed(epoch=row["epoch"], size=row["size"], root=row["root"], note=row["note"])


def _says_what_it_is(place: Place) -> bool:
    """Whether the columns by which a leaf is found are those of its text."""
    try:
        said = entry.read(place.entry.encode())
    except XianjieError:
        return False
    is_about = said.fields.get("about", place.about) == place.about
    return is_about and (said.kind, said.ref, said.digest) == (place.kind, place.ref, place.digest)

"""默克尔树 The append-only hash tree of RFC 9162 §2.1: roots, inclusion proofs, consistency proofs. Pure.

`Frontier` grows a tree and needs only its right edge; everything else reads stored hashes through a `Hashes` function.
Tile level 0 holds the leaf hashes, a node of tile level L covers 256**L leaves, so a proof in a tree of ten million
leaves reads a few tiles of at most 256 hashes. Verifying never raises on what a stranger sent: it answers False.
An index or size that cannot be is our own mistake: ValueError. Nothing here knows what an entry says.
"""

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256

HASH_BYTES = 32
EMPTY_ROOT: bytes = sha256(b"").digest()
TILE_HEIGHT = 8
TILE_WIDTH = 256

Hashes = Callable[[int, int, int], Sequence[bytes]]
"""(tile_level, start, stop) → the hashes of the complete nodes [start, stop) of that level; level 0 = leaf hashes."""

_KEPT_TILES = 16


def leaf_hash(entry: bytes) -> bytes:
    """SHA-256(0x00 ‖ entry)."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 ‖ left ‖ right)."""
    return sha256(b"\x01" + left + right).digest()


class Frontier:
    """右缘 The right edge of a growing tree: the roots of its full subtrees, largest first."""

    __slots__ = ("peaks", "size")

    def __init__(self, size: int = 0, peaks: Iterable[bytes] = ()) -> None:
        """ValueError unless there is one peak of 32 bytes per 1 in the size's binary spelling."""
        self.size, self.peaks = size, list(peaks)
        if size < 0 or len(self.peaks) != size.bit_count() or any(len(peak) != HASH_BYTES for peak in self.peaks):
            raise ValueError("peaks do not fit the size")

    @classmethod
    def from_bytes(cls, size: int, data: bytes) -> "Frontier":
        """What `to_bytes` wrote. ValueError if its length does not fit the size."""
        return cls(size, (data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)))

    def to_bytes(self) -> bytes:
        """The peaks, one after the other."""
        return b"".join(self.peaks)

    def add(self, leaf: bytes) -> list[tuple[int, int, bytes]]:
        """Appends one leaf hash; returns the nodes it completed: (tile level ≥ 1, index in that level, hash)."""
        return self.add_subtree(leaf, 0)

    def add_subtree(self, root: bytes, level: int) -> list[tuple[int, int, bytes]]:
        """Appends a full subtree of 256**level leaves by its root alone; returns what it completed above itself.

        ValueError unless the tree ends where such a subtree may begin.
        """
        height, above = TILE_HEIGHT * level, self.size >> (TILE_HEIGHT * level)
        if len(root) != HASH_BYTES or above << height != self.size:
            raise ValueError("not a hash, or no place for it")
        peaks, completed = self.peaks, []
        self.size += 1 << height
        carry = root
        while above & 1:
            carry, height, above = node_hash(peaks.pop(), carry), height + 1, above >> 1
            if height % TILE_HEIGHT == 0:
                completed.append((height // TILE_HEIGHT, above, carry))
        peaks.append(carry)
        return completed

    def copy(self) -> "Frontier":
        """Another one that grows by itself."""
        return Frontier(self.size, self.peaks)

    def root(self) -> bytes:
        """The tree's root at its present size."""
        if not self.peaks:
            return EMPTY_ROOT
        root = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            root = node_hash(peak, root)
        return root


class _Reader:
    """Reads whole tiles below `size` leaves and remembers the last few, so that neighbouring subtrees share a read."""

    def __init__(self, hashes: Hashes, size: int) -> None:
        self._hashes, self._size = hashes, size
        self._tiles: dict[tuple[int, int], Sequence[bytes]] = {}

    def root(self, start: int, stop: int) -> bytes:
        """D[start:stop] of RFC 9162: a stored subtree where there is one, else the halves RFC 9162 splits into."""
        width = stop - start
        if width == 0:
            return EMPTY_ROOT
        if width.bit_count() == 1 and start % width == 0:
            return self._subtree(start, width)
        half = _largest_power_below(width)
        return node_hash(self.root(start, start + half), self.root(start + half, stop))

    def _subtree(self, start: int, width: int) -> bytes:
        """The root of a full aligned subtree, folded from at most 128 hashes of one tile."""
        level, height = divmod(width.bit_length() - 1, TILE_HEIGHT)
        number, offset = divmod(start >> (TILE_HEIGHT * level), TILE_WIDTH)
        nodes = self._tile(level, number)[offset : offset + (1 << height)]
        if len(nodes) != 1 << height:
            raise ValueError("hashes are missing below the size")
        return _fold(nodes)

    def _tile(self, level: int, number: int) -> Sequence[bytes]:
        tile = self._tiles.get((level, number))
        if tile is None:
            if len(self._tiles) >= _KEPT_TILES:
                self._tiles.clear()
            first = number * TILE_WIDTH
            tile = self._hashes(level, first, min(first + TILE_WIDTH, self._size >> (TILE_HEIGHT * level)))
            self._tiles[level, number] = tile
        return tile


def _largest_power_below(width: int) -> int:
    """The largest power of two smaller than `width` (≥ 2)."""
    return 1 << ((width - 1).bit_length() - 1)


def _fold(nodes: Sequence[bytes]) -> bytes:
    """The root over a power of two of neighbouring nodes."""
    while len(nodes) > 1:
        nodes = [node_hash(left, right) for left, right in zip(nodes[::2], nodes[1::2], strict=True)]
    return nodes[0]


def in_memory(leaves: Sequence[bytes]) -> Hashes:
    """A `Hashes` over leaf hashes that do not change any more; upper levels are made when first asked for."""
    levels: list[Sequence[bytes]] = [leaves]

    def hashes(level: int, start: int, stop: int) -> Sequence[bytes]:
        while len(levels) <= level:
            below = levels[-1]
            whole = len(below) - len(below) % TILE_WIDTH
            levels.append([_fold(below[at : at + TILE_WIDTH]) for at in range(0, whole, TILE_WIDTH)])
        return levels[level][start:stop]

    return hashes


def root_at(hashes: Hashes, size: int) -> bytes:
    """The root of the first `size` leaves."""
    return range_root(hashes, 0, size)


def range_root(hashes: Hashes, start: int, stop: int) -> bytes:
    """MTH(D[start:stop]): the root of those leaves as a tree of their own."""
    if not 0 <= start <= stop:
        raise ValueError("no such range")
    return _Reader(hashes, stop).root(start, stop)


def inclusion_proof(hashes: Hashes, index: int, size: int) -> list[bytes]:
    """PATH(index, D[0:size]) of RFC 9162 §2.1.3.1, from the leaf upwards."""
    if not 0 <= index < size:
        raise ValueError("no such leaf")
    reader, proof = _Reader(hashes, size), []
    start, stop = 0, size
    while stop - start > 1:
        middle = start + _largest_power_below(stop - start)
        if index < middle:
            proof.append(reader.root(middle, stop))
            stop = middle
        else:
            proof.append(reader.root(start, middle))
            start = middle
    return proof[::-1]


def consistency_proof(hashes: Hashes, old: int, new: int) -> list[bytes]:
    """PROOF(old, D[0:new]) of RFC 9162 §2.1.4.1; empty for equal sizes, and for an old tree without leaves."""
    if not 0 <= old <= new:
        raise ValueError("no such sizes")
    if old in (0, new):
        return []
    reader, proof = _Reader(hashes, new), []
    start, stop = 0, new
    while stop != old:
        middle = start + _largest_power_below(stop - start)
        if old <= middle:
            proof.append(reader.root(middle, stop))
            stop = middle
        else:
            proof.append(reader.root(start, middle))
            start = middle
    if start > 0:
        proof.append(reader.root(start, stop))  # at start 0 it would be the old root, which the verifier has
    return proof[::-1]


def verify_inclusion(leaf: bytes, *, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether `proof` shows that leaf hash `leaf` is leaf `index` of the tree (size, root): RFC 9162 §2.1.3.2."""
    if not 0 <= index < size or not _are_hashes(leaf, root, *proof):
        return False
    place, last, found = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False  # longer than the path
        if place & 1 or place == last:
            found = node_hash(sibling, found)
            while place and not place & 1:
                place, last = place >> 1, last >> 1  # levels at which the right edge has no sibling
        else:
            found = node_hash(found, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and found == root


def verify_consistency(*, old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> bool:
    """Whether `proof` shows that the tree (old, old_root) is the beginning of (new, new_root): RFC 9162 §2.1.4.2."""
    if not 0 <= old <= new or not _are_hashes(old_root, new_root, *proof):
        return False
    if old == new:
        return not proof and old_root == new_root and (old > 0 or old_root == EMPTY_ROOT)
    if old == 0:
        return not proof and old_root == EMPTY_ROOT
    path = list(proof) if old & (old - 1) else [old_root, *proof]
    if not path:
        return False
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    return _both_roots(path, place, last) == (old_root, new_root)


def _both_roots(path: Sequence[bytes], place: int, last: int) -> tuple[bytes, bytes] | None:
    """The old and the new root that `path` leads to from the old tree's last full subtree; None if it does not fit."""
    older = newer = path[0]
    for sibling in path[1:]:
        if last == 0:
            return None
        if place & 1 or place == last:
            older, newer = node_hash(sibling, older), node_hash(sibling, newer)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            newer = node_hash(newer, sibling)
        place, last = place >> 1, last >> 1
    return (older, newer) if last == 0 else None


def _are_hashes(*values: bytes) -> bool:
    return all(len(value) == HASH_BYTES for value in values)

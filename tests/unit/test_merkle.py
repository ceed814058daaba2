"""The tree of RFC 9162: known answers, every proof of every small tree, and every way a proof can be wrong."""

from collections.abc import Sequence
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.evidence.merkle import (
    EMPTY_ROOT,
    HASH_BYTES,
    TILE_WIDTH,
    Frontier,
    consistency_proof,
    in_memory,
    inclusion_proof,
    leaf_hash,
    node_hash,
    range_root,
    root_at,
    verify_consistency,
    verify_inclusion,
)

# The eight leaves and the roots of their trees that the reference implementations of RFC 6962 are tested with.
LEAVES = [
    bytes.fromhex(entry)
    for entry in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    bytes.fromhex(root)
    for root in (
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    )
]


def leaves(size: int) -> list[bytes]:
    """`size` different leaf hashes, the same ones every time."""
    return [leaf_hash(number.to_bytes(4, "big")) for number in range(size)]


MANY = leaves(70_000)


def naive_root(found: Sequence[bytes]) -> bytes:
    """MTH as RFC 9162 §2.1.1 writes it down."""
    if not found:
        return EMPTY_ROOT
    if len(found) == 1:
        return found[0]
    half = 1
    while half * 2 < len(found):
        half *= 2
    return node_hash(naive_root(found[:half]), naive_root(found[half:]))


def naive_path(index: int, found: Sequence[bytes]) -> list[bytes]:
    """PATH as RFC 9162 §2.1.3.1 writes it down."""
    if len(found) == 1:
        return []
    half = 1
    while half * 2 < len(found):
        half *= 2
    if index < half:
        return [*naive_path(index, found[:half]), naive_root(found[half:])]
    return [*naive_path(index - half, found[half:]), naive_root(found[:half])]


def naive_subproof(old: int, found: Sequence[bytes], *, is_whole: bool) -> list[bytes]:
    """SUBPROOF as RFC 9162 §2.1.4.1 writes it down."""
    if old == len(found):
        return [] if is_whole else [naive_root(found)]
    half = 1
    while half * 2 < len(found):
        half *= 2
    if old <= half:
        return [*naive_subproof(old, found[:half], is_whole=is_whole), naive_root(found[half:])]
    return [*naive_subproof(old - half, found[half:], is_whole=False), naive_root(found[:half])]


def frontier_of(found: Sequence[bytes]) -> Frontier:
    frontier = Frontier()
    for leaf in found:
        frontier.add(leaf)
    return frontier


def bit_changes(value: bytes) -> list[bytes]:
    """The value with each single bit changed."""
    number = int.from_bytes(value, "big")
    return [(number ^ 1 << bit).to_bytes(len(value), "big") for bit in range(len(value) * 8)]


def test_the_roots_of_the_classic_tree_are_the_published_ones() -> None:
    hashes = in_memory([leaf_hash(entry) for entry in LEAVES])
    assert ROOTS == [root_at(hashes, size) for size in range(9)]
    assert ROOTS == [frontier_of([leaf_hash(entry) for entry in LEAVES[:size]]).root() for size in range(9)]
    assert sha256(b"").digest() == EMPTY_ROOT


def test_the_proofs_of_the_classic_tree_lead_to_the_published_roots() -> None:
    found = [leaf_hash(entry) for entry in LEAVES]
    hashes = in_memory(found)
    for size in range(1, 9):
        for index in range(size):
            proof = inclusion_proof(hashes, index, size)
            assert verify_inclusion(found[index], index=index, size=size, proof=proof, root=ROOTS[size])
        for old in range(size + 1):
            proof = consistency_proof(hashes, old, size)
            assert verify_consistency(old=old, new=size, proof=proof, old_root=ROOTS[old], new_root=ROOTS[size])


def test_known_proofs_of_the_classic_tree() -> None:
    """PATH(0, D[8]) and PROOF(6, D[8]), written out as the reference implementations have them."""
    hashes = in_memory([leaf_hash(entry) for entry in LEAVES])
    assert [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ] == [value.hex() for value in inclusion_proof(hashes, 0, 8)]
    assert [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ] == [value.hex() for value in consistency_proof(hashes, 6, 8)]


def test_frontier_stored_hashes_and_the_definition_agree_at_every_size_up_to_600() -> None:
    frontier, hashes = Frontier(), in_memory(MANY)
    for size in range(601):
        assert frontier.root() == naive_root(MANY[:size]) == root_at(hashes, size)
        frontier.add(MANY[size])


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 600).flatmap(lambda size: st.tuples(st.integers(0, size - 1), st.just(size))))
def test_an_inclusion_proof_is_the_one_of_the_definition(case: tuple[int, int]) -> None:
    index, size = case
    assert inclusion_proof(in_memory(MANY[:size]), index, size) == naive_path(index, MANY[:size])


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 600).flatmap(lambda new: st.tuples(st.integers(1, new), st.just(new))))
def test_a_consistency_proof_is_the_one_of_the_definition(case: tuple[int, int]) -> None:
    old, new = case
    assert consistency_proof(in_memory(MANY[:new]), old, new) == naive_subproof(old, MANY[:new], is_whole=True)


def test_every_inclusion_proof_of_every_tree_up_to_100_is_believed_and_for_no_other_place() -> None:
    hashes = in_memory(MANY)
    for size in range(1, 101):
        root = root_at(hashes, size)
        for index in range(size):
            proof = inclusion_proof(hashes, index, size)
            assert [index] == [
                other
                for other in range(size)
                if verify_inclusion(MANY[index], index=other, size=size, proof=proof, root=root)
            ]


def test_every_consistency_proof_of_every_tree_up_to_150_is_believed() -> None:
    hashes = in_memory(MANY)
    roots = [root_at(hashes, size) for size in range(151)]
    for new in range(151):
        for old in range(new + 1):
            proof = consistency_proof(hashes, old, new)
            assert verify_consistency(old=old, new=new, proof=proof, old_root=roots[old], new_root=roots[new])


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 600).flatmap(lambda size: st.tuples(st.integers(0, size - 1), st.just(size))))
def test_no_change_of_an_inclusion_proof_is_believed(case: tuple[int, int]) -> None:
    index, size = case
    hashes = in_memory(MANY)
    root, proof, leaf = root_at(hashes, size), inclusion_proof(hashes, index, size), MANY[index]

    def believed(*, leaf: bytes = leaf, index: int = index, size: int = size, proof: list[bytes], root: bytes) -> bool:
        return verify_inclusion(leaf, index=index, size=size, proof=proof, root=root)

    assert believed(proof=proof, root=root)
    assert not any(believed(leaf=changed, proof=proof, root=root) for changed in bit_changes(leaf))
    assert not any(believed(proof=proof, root=changed) for changed in bit_changes(root))
    for at, value in enumerate(proof):
        for changed in bit_changes(value):
            assert not believed(proof=[*proof[:at], changed, *proof[at + 1 :]], root=root)
    assert not any(believed(proof=proof[:length], root=root) for length in range(len(proof)))
    assert not any(believed(proof=proof[at:], root=root) for at in range(1, len(proof) + 1))
    assert not any(believed(proof=[*proof, extra], root=root) for extra in (leaf, root, EMPTY_ROOT))
    assert not any(believed(proof=[extra, *proof], root=root) for extra in (leaf, root, EMPTY_ROOT))
    assert not any(believed(index=other, proof=proof, root=root) for other in range(-1, size + 2) if other != index)
    for value in (b"", root[:-1], root + b"\x00"):
        assert not believed(proof=[value, *proof[1:]], root=root) or not proof
        assert not believed(proof=proof, root=value)
        assert not believed(leaf=value, proof=proof, root=root)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 600).flatmap(lambda new: st.tuples(st.integers(1, new - 1), st.just(new))))
def test_no_change_of_a_consistency_proof_is_believed(case: tuple[int, int]) -> None:
    old, new = case
    hashes = in_memory(MANY)
    old_root, new_root, proof = root_at(hashes, old), root_at(hashes, new), consistency_proof(hashes, old, new)

    def believed(
        *, old: int = old, new: int = new, proof: list[bytes] = proof, old_root: bytes = old_root, root: bytes
    ) -> bool:
        return verify_consistency(old=old, new=new, proof=proof, old_root=old_root, new_root=root)

    assert believed(root=new_root)
    assert not any(believed(old_root=changed, root=new_root) for changed in bit_changes(old_root))
    assert not any(believed(root=changed) for changed in bit_changes(new_root))
    for at, value in enumerate(proof):
        for changed in bit_changes(value):
            assert not believed(proof=[*proof[:at], changed, *proof[at + 1 :]], root=new_root)
    assert not any(believed(proof=proof[:length], root=new_root) for length in range(len(proof)))
    assert not any(believed(proof=proof[at:], root=new_root) for at in range(1, len(proof) + 1))
    assert not any(believed(proof=[*proof, extra], root=new_root) for extra in (old_root, new_root))
    assert not any(believed(proof=[extra, *proof], root=new_root) for extra in (old_root, new_root))
    assert not believed(old=new, new=old, old_root=new_root, root=old_root)


def test_a_proof_for_another_size_is_not_believed() -> None:
    """Another size is caught by the shape of the path wherever the size changes the shape; where two sizes give the
    leaf the same path, the root (which a checkpoint binds to its size) says which tree it is."""
    hashes = in_memory(MANY)
    for size in range(1, 50):
        for index in range(size):
            proof = inclusion_proof(hashes, index, size)
            for other in range(50):
                if other == size or other <= index:
                    continue
                root = root_at(hashes, other)
                assert not verify_inclusion(MANY[index], index=index, size=other, proof=proof, root=root)


def test_equal_sizes_and_the_empty_tree_need_no_proof_and_take_none() -> None:
    root, other = MANY[0], MANY[1]
    assert verify_consistency(old=5, new=5, proof=[], old_root=root, new_root=root)
    assert not verify_consistency(old=5, new=5, proof=[], old_root=root, new_root=other)
    assert not verify_consistency(old=5, new=5, proof=[root], old_root=root, new_root=root)
    assert verify_consistency(old=0, new=0, proof=[], old_root=EMPTY_ROOT, new_root=EMPTY_ROOT)
    assert not verify_consistency(old=0, new=0, proof=[], old_root=root, new_root=root)
    assert verify_consistency(old=0, new=5, proof=[], old_root=EMPTY_ROOT, new_root=root)
    assert not verify_consistency(old=0, new=5, proof=[], old_root=other, new_root=root)
    assert not verify_consistency(old=0, new=5, proof=[other], old_root=EMPTY_ROOT, new_root=root)
    assert not verify_consistency(old=4, new=5, proof=[], old_root=root, new_root=root)
    assert not verify_consistency(old=6, new=5, proof=[], old_root=root, new_root=root)
    assert not verify_consistency(old=-1, new=5, proof=[], old_root=EMPTY_ROOT, new_root=root)


def test_the_nodes_a_frontier_reports_are_the_roots_of_their_ranges() -> None:
    frontier, hashes, reported = Frontier(), in_memory(MANY), []
    for leaf in MANY:
        reported += frontier.add(leaf)
    assert [(level, index) for level, index, _ in reported if level == 1] == [(1, at) for at in range(273)]
    assert [(level, index) for level, index, _ in reported if level == 2] == [(2, 0)]
    assert [] == [level for level, _, _ in reported if level not in (1, 2)]
    for level, index, value in reported:
        width = TILE_WIDTH**level
        assert value == range_root(hashes, index * width, (index + 1) * width)
        assert [value] == list(hashes(level, index, index + 1))


def test_a_frontier_takes_a_whole_tile_by_its_root() -> None:
    hashes = in_memory(MANY)
    by_leaf, by_tile, reported = frontier_of(MANY[:65_536]), Frontier(), []
    for number in range(256):
        assert by_tile.copy().size == number * 256
        reported += by_tile.add_subtree(hashes(1, number, number + 1)[0], 1)
    assert (by_leaf.size, by_leaf.peaks) == (by_tile.size, by_tile.peaks)
    assert [(2, 0, by_leaf.root())] == reported
    by_leaf.add(MANY[65_536])
    with pytest.raises(ValueError, match="no place"):
        by_leaf.add_subtree(MANY[0], 1)


def test_a_frontier_kept_as_bytes_goes_on_where_it_stopped() -> None:
    for size in (0, 1, 2, 255, 256, 257, 600):
        kept = frontier_of(MANY[:size])
        again = Frontier.from_bytes(kept.size, kept.to_bytes())
        again.add(MANY[size])
        assert again.root() == root_at(in_memory(MANY), size + 1)


@pytest.mark.parametrize("size, data", [(1, b""), (0, b"\x00" * 32), (3, b"\x00" * 32), (1, b"\x00" * 33), (-1, b"")])
def test_a_frontier_of_the_wrong_length_is_refused(size: int, data: bytes) -> None:
    with pytest.raises(ValueError, match="peaks"):
        Frontier.from_bytes(size, data)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 600).flatmap(lambda stop: st.tuples(st.integers(0, stop), st.just(stop))))
def test_the_root_of_any_range_is_that_of_its_leaves_alone(case: tuple[int, int]) -> None:
    start, stop = case
    assert range_root(in_memory(MANY), start, stop) == naive_root(MANY[start:stop])


def test_what_cannot_be_asked_is_our_own_mistake() -> None:
    hashes = in_memory(MANY[:10])
    for ask in (
        lambda: inclusion_proof(hashes, 5, 5),
        lambda: inclusion_proof(hashes, -1, 5),
        lambda: consistency_proof(hashes, 6, 5),
        lambda: consistency_proof(hashes, -1, 5),
        lambda: range_root(hashes, 3, 2),
        lambda: root_at(hashes, 11),
        lambda: Frontier().add(b"short"),
    ):
        with pytest.raises(ValueError):
            ask()


class GreatTree:
    """Ten million leaves that are made when read: each is SHA-256 of its place; upper nodes are random as well, since
    only the number of hashes read is counted here."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, int, int]] = []

    def __call__(self, level: int, start: int, stop: int) -> list[bytes]:
        self.calls.append((level, start, stop))
        return [sha256(b"%d/%d" % (level, at)).digest() for at in range(start, stop)]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 9_999_999))
def test_a_proof_among_ten_million_leaves_reads_a_few_tiles(index: int) -> None:
    size = 10_000_000
    tree = GreatTree()
    proof = inclusion_proof(tree, index, size)
    assert len(proof) <= 24
    assert {HASH_BYTES} == {len(value) for value in proof}
    assert len(tree.calls) <= 6  # at three levels: the tile of the path, and the tile of the right edge
    assert all(0 < stop - start <= TILE_WIDTH and stop <= size >> 8 * level for level, start, stop in tree.calls)

    tree = GreatTree()
    consistency_proof(tree, index, size)
    assert len(tree.calls) <= 6
    assert all(0 < stop - start <= TILE_WIDTH for _, start, stop in tree.calls)


def test_proofs_through_three_tile_levels_are_believed() -> None:
    """70,000 leaves have a node that covers 65,536 of them."""
    hashes, size = in_memory(MANY), len(MANY)
    root = root_at(hashes, size)
    assert root == frontier_of(MANY).root()
    for index in (0, 255, 256, 65_535, 65_536, 69_887, 69_888, size - 1):
        proof = inclusion_proof(hashes, index, size)
        assert verify_inclusion(MANY[index], index=index, size=size, proof=proof, root=root)
        old_root = root_at(hashes, index + 1)
        proof = consistency_proof(hashes, index + 1, size)
        assert verify_consistency(old=index + 1, new=size, proof=proof, old_root=old_root, new_root=root)

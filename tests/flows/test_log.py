"""The whole log walked: an honest one holds, and whatever one row is changed, the walk names where."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.errors import ConfigError
from gateway.evidence.checkpoint import Checkpoint, LogKey, sign_checkpoint, unverified
from gateway.evidence.entry import cutoff_entry
from gateway.evidence.merkle import Frontier, leaf_hash
from gateway.flows import log
from gateway.flows.log import verify_log
from gateway.flows.log_verdict import LogVerdict, words_of
from gateway.flows.log_walk import MOST_LISTED, LogTrouble, TroubleKind, Troubles
from gateway.store import tables as t
from gateway.store.witness import WitnessFile
from tests.gateway_world import World
from tests.log_world import DIGEST, LogWorld

K = TroubleKind
SIZE = 700
SIGNED = (100, 255, 256, 400, 512, 600, SIZE)
L, N, C, H = t.log_leaves, t.log_nodes, t.checkpoints, t.log_head


@pytest.fixture
def logged(sqlite_url: str) -> Iterator[LogWorld]:
    """700 leaves: two full tiles and a partial one; signed at seven sizes."""
    world = World(sqlite_url)
    yield grown(LogWorld(world))
    world.close()


def grown(made: LogWorld) -> LogWorld:
    for size in SIGNED:
        made.grow_to(size)
        made.sign()
    return made


def found(verdict: LogVerdict) -> list[tuple[TroubleKind, int, int]]:
    return [(trouble.kind, trouble.first, trouble.last) for trouble in verdict.troubles]


def check(logged: LogWorld, **more: Any) -> list[tuple[TroubleKind, int, int]]:
    return found(verify_log(logged.context, **more))


def change_leaf(logged: LogWorld, index: int, **values: Any) -> None:
    logged.world.change(L.update().where(L.c.leaf_index == index).values(**values))


def other_entry(logged: LogWorld, index: int) -> bytes:
    return cutoff_entry(cutoff_id=f"other-{index}", digest=DIGEST, at=logged.world.now).to_bytes()


def replace_leaf(logged: LogWorld, index: int) -> None:
    """Text, columns and leaf hash together, as somebody would who knows how leaves are made."""
    raw = other_entry(logged, index)
    values = {"entry": raw.decode(), "leaf_hash": leaf_hash(raw), "kind": "cutoff", "ref": f"other-{index}"}
    change_leaf(logged, index, **values, digest=DIGEST)


def write_anew(logged: LogWorld, upto: int = SIZE) -> None:
    """Every node and the head as the leaves now say."""
    frontier = Frontier()
    with logged.world.store.reading() as connection:
        rows = connection.execute(sa.select(L.c.leaf_hash).order_by(L.c.leaf_index).limit(upto)).scalars().all()
    nodes = [node for leaf in rows for node in frontier.add(bytes(leaf))]
    for level, index, hash_ in nodes:
        logged.world.change(N.update().where(N.c.level == level, N.c.node_index == index).values(hash=hash_))
    logged.world.change(H.update().values(size=frontier.size, frontier=frontier.to_bytes()))


def test_an_honest_log_holds_on_both_engines(database_url: str) -> None:
    world = World(database_url)
    logged = grown(LogWorld(world))
    heard: list[tuple[int, int]] = []
    verdict = verify_log(logged.context, told=lambda walked, whole: heard.append((walked, whole)))
    assert [] == found(verdict)
    assert verdict.holds
    assert (SIZE, logged.head().root) == (verdict.size, verdict.root)
    assert (len(SIGNED), len(SIGNED), SIZE) == (verdict.checkpoints, verdict.signatures, verdict.proven)
    assert [(256, SIZE), (512, SIZE), (SIZE, SIZE)] == heard
    world.close()


def test_a_log_that_is_empty_or_unsigned_holds(sqlite_url: str) -> None:
    world = World(sqlite_url)
    logged = LogWorld(world)
    verdict = verify_log(logged.context)
    assert verdict.holds
    assert (logged.head().size, 0, None) == (verdict.size, verdict.checkpoints, verdict.proven)
    world.change(L.delete())
    world.change(H.delete())
    assert verify_log(logged.context).holds
    world.close()


def test_real_messages_leave_a_log_that_holds(sqlite_url: str) -> None:
    world = World(sqlite_url)
    logged = LogWorld(world)
    world.answer(world.hand_over(), "RECEIVED")
    logged.sign()
    verdict = verify_log(logged.context)
    assert [] == found(verdict)
    assert verdict.proven == verdict.size > 10
    world.close()


@pytest.mark.parametrize("index", [0, 100, 255, 256, 511, 512, 650, SIZE - 1])
def test_a_text_that_was_changed_is_named(logged: LogWorld, index: int) -> None:
    change_leaf(logged, index, entry=other_entry(logged, index).decode())
    assert [(K.LEAF_ALTERED, index, index)] == check(logged)


@pytest.mark.parametrize("index", [0, 100, 255, 256, 511, 512, 650, SIZE - 1])
def test_a_leaf_hash_that_was_changed_is_named(logged: LogWorld, index: int) -> None:
    change_leaf(logged, index, leaf_hash=bytes(32))
    assert [(K.LEAF_ALTERED, index, index)] == check(logged)


@pytest.mark.parametrize("index", [0, 100, 255, 256, 400, 511])
def test_a_leaf_that_was_taken_out_is_named(logged: LogWorld, index: int) -> None:
    """The node over its tile stands in for it; only what was signed within the tile cannot be shown any more."""
    logged.world.change(L.delete().where(L.c.leaf_index == index))
    tile = index // 256 * 256
    inside = [(K.CHECKPOINT_UNPROVABLE, size, size) for size in SIGNED if tile < size < tile + 256]
    told = check(logged)
    assert (K.LEAF_MISSING, index, index) == told[0]
    assert {size for _, size, _ in inside} >= {first for _, first, _ in told[1:]}
    assert {K.CHECKPOINT_UNPROVABLE} >= {kind for kind, _, _ in told[1:]}


def test_a_leaf_taken_out_of_the_last_tile_leaves_nothing_to_show_behind_it(logged: LogWorld) -> None:
    logged.world.change(L.delete().where(L.c.leaf_index == 650))
    told = check(logged)
    assert [(K.LEAF_MISSING, 650, 650), (K.CHECKPOINT_UNPROVABLE, 600, 700), (K.HEAD_DIFFERS, 700, 700)] == told


def test_leaves_taken_out_at_the_end_are_named(logged: LogWorld) -> None:
    logged.world.change(L.delete().where(L.c.leaf_index >= 698))
    told = check(logged)
    assert (K.LEAF_MISSING, 698, 699) in told
    logged.world.change(L.delete().where(L.c.leaf_index >= 300))
    assert [(300, 699)] == [(first, last) for kind, first, last in check(logged) if kind is K.LEAF_MISSING]


def test_whole_tiles_taken_out_are_bridged_by_their_nodes(logged: LogWorld) -> None:
    logged.world.change(L.delete().where(L.c.leaf_index < 512))
    told = check(logged)
    assert [(K.LEAF_MISSING, 0, 511), (K.CHECKPOINT_UNPROVABLE, 100, 255), (K.CHECKPOINT_UNPROVABLE, 400, 400)] == told


def test_without_the_node_nothing_behind_a_gap_can_be_shown(logged: LogWorld) -> None:
    logged.world.change(L.delete().where(L.c.leaf_index < 512))
    logged.world.change(N.delete())
    kinds = [kind for kind, _, _ in check(logged)]
    assert [K.LEAF_MISSING, K.CHECKPOINT_UNPROVABLE, K.HEAD_DIFFERS] == kinds


@pytest.mark.parametrize("index, tile", [(10, (0, 255)), (255, (0, 255)), (256, (256, 511)), (500, (256, 511))])
def test_a_leaf_replaced_with_its_hash_is_found_within_its_tile(
    logged: LogWorld, index: int, tile: tuple[int, int]
) -> None:
    replace_leaf(logged, index)
    inside = [size for size in SIGNED if index < size <= tile[1]]  # before the tile's end nothing stands in for it
    told = check(logged)
    assert (K.LEAF_REPLACED, *tile) in told
    rest = [one for one in told if one[0] is not K.LEAF_REPLACED]
    assert [(K.CHECKPOINT_DIFFERS, min(inside), max(inside)) for _ in inside[:1]] == rest


def test_a_leaf_replaced_in_the_last_tile_is_found_by_what_was_signed_behind_it(logged: LogWorld) -> None:
    replace_leaf(logged, 550)
    assert [(K.CHECKPOINT_DIFFERS, 600, 700), (K.HEAD_DIFFERS, 700, 700)] == check(logged)
    write_anew(logged)
    assert [(K.CHECKPOINT_DIFFERS, 600, 700)] == check(logged)


def test_a_log_written_anew_is_found_by_its_signed_roots(logged: LogWorld) -> None:
    replace_leaf(logged, 300)
    write_anew(logged)
    assert [(K.CHECKPOINT_DIFFERS, 400, 700)] == check(logged)
    assert 256 == verify_log(logged.context).proven


def test_one_of_two_replaced_leaves_does_not_hide_the_other(logged: LogWorld) -> None:
    replace_leaf(logged, 10)
    replace_leaf(logged, 500)
    told = check(logged)
    assert {(K.LEAF_REPLACED, 0, 255), (K.LEAF_REPLACED, 256, 511)} <= set(told)


def test_a_node_that_was_changed_is_told_from_a_leaf_that_was(logged: LogWorld) -> None:
    logged.world.change(N.update().where(N.c.node_index == 0).values(hash=bytes(32)))
    assert [(K.NODE_DIFFERS, 0, 255)] == check(logged)
    logged.world.change(N.delete().where(N.c.node_index == 1))
    assert [(K.NODE_DIFFERS, 0, 255), (K.NODE_DIFFERS, 256, 511)] == check(logged)


def test_a_dispute_that_no_signed_root_settles_stays_one(logged: LogWorld) -> None:
    replace_leaf(logged, 10)
    logged.world.change(C.delete().where(C.c.size < 512))
    logged.world.change(N.update().where(N.c.node_index == 1).values(hash=bytes(32)))
    told = check(logged)
    assert {(K.TILE_DIFFERS, 0, 255), (K.TILE_DIFFERS, 256, 511)} <= set(told)
    assert (K.HEAD_DIFFERS, 700, 700) in told


def test_leaves_beyond_the_head_are_named(logged: LogWorld) -> None:
    row = {"leaf_hash": bytes(32), "kind": "cutoff", "ref": "x", "digest": DIGEST, "entry": "{}"}
    logged.world.change(L.insert().values(leaf_index=SIZE, **row))
    logged.world.change(L.insert().values(leaf_index=10**15, **row))
    assert [(K.LEAF_BEYOND, SIZE, 10**15)] == check(logged)


@pytest.mark.parametrize(
    "values", [{"ref": "leaf-other"}, {"kind": "message"}, {"digest": "cd" * 32}, {"digest": None}], ids=str
)
def test_a_column_that_says_something_else_than_the_text_is_named(logged: LogWorld, values: dict[str, Any]) -> None:
    change_leaf(logged, 300, **values)
    assert [(K.LEAF_MISLABELLED, 300, 300)] == check(logged)


def test_a_text_that_is_no_entry_is_named_even_with_its_hash(logged: LogWorld) -> None:
    change_leaf(logged, SIZE - 1, entry="{}", leaf_hash=leaf_hash(b"{}"))
    assert (K.LEAF_MISLABELLED, SIZE - 1, SIZE - 1) == check(logged)[0]


def test_a_head_set_back_or_forward_is_named(logged: LogWorld) -> None:
    with logged.world.store.reading() as connection:
        honest = connection.execute(sa.select(H)).mappings().one()
    for size, leaves in ((600, SIZE), (SIZE, 600)):
        frontier = Frontier()
        for leaf in logged.leaves()[:leaves]:
            frontier.add(leaf)
        peaks = frontier.to_bytes()
        logged.world.change(H.update().values(size=size, frontier=peaks))
        told = check(logged)
        assert K.HEAD_DIFFERS in [kind for kind, _, _ in told]
        logged.world.change(H.update().values(size=honest["size"], frontier=honest["frontier"]))
    assert [] == check(logged)


def test_a_smaller_head_that_fits_is_found_by_the_leaves_and_the_notes_beyond(logged: LogWorld) -> None:
    write_anew(logged, upto=600)
    assert [(K.LEAF_BEYOND, 600, 699), (K.CHECKPOINT_BEYOND, 700, 700)] == check(logged)


def test_a_head_that_cannot_be_read_does_not_stop_the_walk(logged: LogWorld) -> None:
    logged.world.change(H.update().values(frontier=b"nonsense"))
    assert {(K.HEAD_DIFFERS, SIZE, SIZE)} == set(check(logged))


def test_a_checkpoint_that_was_changed_is_named(logged: LogWorld) -> None:
    of_400 = C.update().where(C.c.size == 400)
    note = next(row["note"] for row in logged.world.rows(C) if row["size"] == 400)
    logged.world.change(of_400.values(root="00" * 32))
    assert [(K.CHECKPOINT_DIFFERS, 400, 400), (K.CHECKPOINT_UNSIGNED, 400, 400)] == check(logged)
    honest = unverified(note).root.hex()
    logged.world.change(of_400.values(root=honest, note="nothing"))
    assert [(K.CHECKPOINT_UNSIGNED, 400, 400)] == check(logged)
    forged = sign_checkpoint(unverified(note), LogKey.generate(logged.key.name))
    logged.world.change(of_400.values(note=forged))
    assert [(K.CHECKPOINT_UNSIGNED, 400, 400)] == check(logged)
    other = next(row["note"] for row in logged.world.rows(C) if row["size"] == 512)
    logged.world.change(of_400.values(note=other))
    assert [(K.CHECKPOINT_UNSIGNED, 400, 400)] == check(logged)
    logged.world.change(of_400.values(note=note))
    assert [] == check(logged)


def test_without_the_key_the_roots_are_compared_and_no_signature(logged: LogWorld) -> None:
    verdict = verify_log(replace(logged.context, log_key=None))
    assert (True, 0, SIZE, False) == (verdict.holds, verdict.signatures, verdict.proven, verdict.has_key)


def test_checkpoints_of_an_earlier_epoch_count_too(logged: LogWorld) -> None:
    logged.world.change(H.update().values(epoch=2))
    logged.grow(10)
    logged.sign()
    verdict = verify_log(logged.context)
    assert [] == found(verdict)
    assert (8, 8, "cn/gateway/520000/2") == (verdict.checkpoints, verdict.signatures, verdict.origin)


def test_what_is_kept_outside_sees_what_the_database_cannot(logged: LogWorld, tmp_path: Path) -> None:
    """Every row is written anew, down to the checkpoints: only the file, or a partner, still knows."""
    file = WitnessFile(tmp_path / "state")
    assert not verify_log(logged.context, witness=file).has_witness
    file.keep(logged.world.rows(C)[-1]["note"])
    verdict = verify_log(logged.context, witness=file)
    assert (True, True, 7) == (verdict.holds, verdict.has_witness, verdict.checkpoints)
    replace_leaf(logged, 300)
    write_anew(logged)
    logged.world.change(C.delete().where(C.c.size > 300))
    assert [] == check(logged)
    assert [(K.WITNESS_DIFFERS, SIZE, SIZE)] == check(logged, witness=file)


def test_a_file_of_a_larger_tree_a_broken_one_and_one_of_another_name(logged: LogWorld, tmp_path: Path) -> None:
    file = WitnessFile(tmp_path)
    larger = Checkpoint(origin=logged.key.name, size=SIZE + 1, root=bytes(32))
    file.keep(sign_checkpoint(larger, logged.key))
    assert [(K.WITNESS_DIFFERS, SIZE + 1, SIZE + 1)] == check(logged, witness=file)
    file.keep(f"{logged.key.name}\nno note\n")
    assert [(K.WITNESS_DIFFERS, SIZE, SIZE)] == check(logged, witness=file)
    file.keep("cn/gateway/999999\n1\n")
    verdict = verify_log(logged.context, witness=file)
    assert (True, False) == (verdict.holds, verdict.has_witness)


def test_a_tree_of_three_levels_is_walked(logged: LogWorld) -> None:
    """65,536 leaves have a node of their own, over 256 nodes."""
    logged.grow_to(65_700)
    logged.sign()
    assert [] == check(logged)
    logged.world.change(N.update().where(N.c.level == 2).values(hash=bytes(32)))
    assert [(K.NODE_DIFFERS, 0, 65_535)] == check(logged)
    logged.world.change(N.delete().where(N.c.level == 2))
    replace_leaf(logged, 65_535)
    logged.world.change(L.delete().where(L.c.leaf_index == 30_000))
    told = check(logged)
    assert (K.LEAF_MISSING, 30_000, 30_000) in told
    assert (K.LEAF_REPLACED, 65_280, 65_535) in told
    assert (K.NODE_DIFFERS, 0, 65_535) in told
    assert 4 > len(told)


def test_trouble_without_end_is_counted_and_not_listed() -> None:
    troubles = Troubles()
    for index in range(0, 2 * MOST_LISTED + 10, 2):
        troubles.add(K.LEAF_ALTERED, index)
    assert (MOST_LISTED, 5) == (len(troubles.found), troubles.unlisted)


def test_an_honest_verdict_says_what_is_shown_and_what_no_walk_can_show(logged: LogWorld) -> None:
    logged.grow(2)
    sentences = verify_log(logged.context).sentences()
    assert [
        "Log cn/gateway/520000: 702 leaves, each read again and hashed again",
        f"None is missing, changed or out of order; the root is {logged.head().root.hex()}",
        "The first 700 are what a signed checkpoint says (7 compared)",
        "The last 2 are not covered by a checkpoint yet",
        "Not compared with a checkpoint kept outside the database; a database set back as a whole shows only there, "
        "or in partners' receipts",
    ] == [english for _, english in sentences]
    assert all("\u4e00" <= chinese[0] <= "\u9fff" for chinese, _ in sentences)


def test_a_bad_verdict_names_every_leaf(logged: LogWorld) -> None:
    for index in (3, 4, 5, 300):
        change_leaf(logged, index, ref="x")
    verdict = verify_log(replace(logged.context, log_key=None))
    assert [
        "leaves 3 to 5: text and columns say different things",
        "leaf 300: text and columns say different things",
        "No signature was checked: the log's key is not here",
    ] == [english for _, english in verdict.sentences()][2:5]
    assert "第 3–5 条的检索列与内容不符" in [chinese for chinese, _ in verdict.sentences()]


def test_every_kind_of_trouble_has_its_words() -> None:
    told = {words_of(LogTrouble(kind=kind, first=7, last=8)) for kind in TroubleKind}
    assert len(TroubleKind) == len(told)
    assert all("7" in chinese and "7" in english for chinese, english in told)


def test_the_status_tells_how_far_log_note_and_witnesses_are(logged: LogWorld) -> None:
    note = logged.sign_again()
    signed_at = logged.world.now
    log.take_cosignatures(logged.context, [logged.cosign(note).strip()], now=logged.world.now)
    logged.world.wait(timedelta(minutes=3))
    logged.grow(5)
    status = log.status(logged.context)
    assert (logged.key.name, SIZE + 6, SIZE + 1) == (status.origin, status.head.size, status.signed_size)
    assert signed_at == status.signed_at
    assert {logged.witness.name: SIZE + 1, logged.second.name: None} == status.cosigned
    with pytest.raises(ConfigError):
        log.status(replace(logged.context, witnesses=("name+12345678+AAAA",)))


def test_the_leaves_about_an_id_come_with_a_proof_that_was_checked(logged: LogWorld) -> None:
    (found_,) = log.about(logged.context, "leaf-300")
    assert (300, True) == (found_.place.index, found_.holds)
    assert found_.proof is not None
    assert (300, SIZE) == (found_.proof.index, found_.proof.size)
    change_leaf(logged, 300, entry=other_entry(logged, 300).decode())
    assert [False] == [one.holds for one in log.about(logged.context, "leaf-300")]
    logged.grow(1)
    (newest,) = log.about(logged.context, f"leaf-{SIZE}")
    assert (None, True) == (newest.proof, newest.holds)
    assert [] == log.about(logged.context, "nobody")

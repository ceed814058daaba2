"""定序签发 What is signed is committed, grows only, and is never signed for a database that went back in time."""

from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from gateway.errors import InRecovery, LeaseLost
from gateway.evidence.checkpoint import LogKey, open_note
from gateway.flows.sequence import guard, has_grown, publish
from gateway.store import checkpoints, leases, log
from gateway.store import tables as t
from gateway.store.leases import Lease
from gateway.store.witness import WitnessFile
from tests.gateway_world import GATEWAY, World

KEY = LogKey.generate(GATEWAY)
LENGTH = timedelta(seconds=15)


@pytest.fixture
def witness(tmp_path: Path) -> WitnessFile:
    return WitnessFile(tmp_path / "state")


@pytest.fixture
def signing(world: World) -> World:
    object.__setattr__(world.context, "log_key", KEY)
    return world


def lease_of(world: World, owner: str = "one") -> Lease:
    found = world.store.write(lambda c: leases.take(c, "sequencer", owner=owner, now=world.now, length=LENGTH))
    assert found is not None
    return found


def sign(world: World, witness: WitnessFile) -> int:
    done = publish(world.context, witness, lease_of(world), now=world.now)
    return done.size if done else 0


def test_a_checkpoint_covers_what_is_committed_and_opens_with_the_logs_own_key(
    signing: World, witness: WitnessFile
) -> None:
    signing.refer()
    size = sign(signing, witness)
    with signing.store.reading() as connection:
        head, newest = log.head(connection), checkpoints.newest(connection)
    assert newest is not None
    opened = open_note(newest["note"], KEY.verifier()).checkpoint
    assert (opened.origin, opened.size, opened.root) == (GATEWAY, size, head.root)
    assert size == head.size


def test_the_note_is_kept_outside_the_database_and_readable_by_its_owner_alone(
    signing: World, witness: WitnessFile, tmp_path: Path
) -> None:
    sign(signing, witness)
    assert (tmp_path / "state" / "checkpoint").stat().st_mode & 0o777 == 0o600
    with signing.store.reading() as connection:
        newest = checkpoints.newest(connection)
    assert newest is not None
    assert witness.read() == newest["note"]


def test_nothing_is_signed_twice_when_nothing_was_added(signing: World, witness: WitnessFile) -> None:
    assert has_grown(signing.context)
    sign(signing, witness)
    assert not has_grown(signing.context)
    assert sign(signing, witness) == 0


def test_a_worker_whose_lease_was_taken_signs_nothing(signing: World, witness: WitnessFile) -> None:
    mine = lease_of(signing)
    signing.wait(LENGTH * 2)
    lease_of(signing, owner="another")
    with pytest.raises(LeaseLost):
        publish(signing.context, witness, mine, now=signing.now)
    assert signing.rows(t.checkpoints) == []


def test_a_restored_older_copy_is_not_signed_for_and_nothing_more_is_accepted(
    signing: World, witness: WitnessFile
) -> None:
    size = sign(signing, witness)
    head = signing.rows(t.log_head)[0]
    signing.refer()
    sign(signing, witness)
    # what a restored copy looks like: leaves and edge of before
    signing.change(t.log_leaves.delete().where(t.log_leaves.c.leaf_index >= size))
    signing.change(t.log_head.update().values(size=size, frontier=head["frontier"]))
    signing.change(t.checkpoints.delete().where(t.checkpoints.c.size > size))
    signing.change(t.inbox.delete())
    assert guard(signing.context, witness, now=signing.now) == "older_than_signed"
    with pytest.raises(InRecovery):
        signing.refer(referral_id="r-2", case_number="（2026）黔01司救执2号")
    assert not has_grown(signing.context)


def test_a_tree_of_the_same_size_that_says_something_else_is_not_signed_for(
    signing: World, witness: WitnessFile
) -> None:
    sign(signing, witness)
    signing.change(t.log_leaves.update().where(t.log_leaves.c.leaf_index == 0).values(leaf_hash=b"\x00" * 32))
    assert guard(signing.context, witness, now=signing.now) == "different_from_signed"


def test_a_witness_file_that_is_no_note_is_not_taken_for_agreement(
    signing: World, witness: WitnessFile, tmp_path: Path
) -> None:
    sign(signing, witness)
    path = tmp_path / "state" / "checkpoint"
    path.write_text(path.read_text(encoding="utf-8").replace("\n— ", "\n- "), encoding="utf-8")
    assert guard(signing.context, witness, now=signing.now) == "witness_unreadable"


def test_a_new_installation_has_nothing_to_compare_with(signing: World, witness: WitnessFile) -> None:
    assert guard(signing.context, witness, now=signing.now) is None


def test_a_larger_tree_that_goes_on_from_what_was_signed_is_in_order(signing: World, witness: WitnessFile) -> None:
    sign(signing, witness)
    signing.refer()
    assert guard(signing.context, witness, now=signing.now) is None


def test_where_the_last_checkpoint_cannot_be_read_nothing_is_signed(signing: World, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where the folder should be", encoding="utf-8")
    with pytest.raises(InRecovery):
        sign(signing, WitnessFile(tmp_path / "state"))
    assert signing.rows(t.checkpoints) == []


def test_every_receipt_names_a_committed_tree_that_leads_to_the_signed_one(
    signing: World, witness: WitnessFile
) -> None:
    receipts = [signing.refer(referral_id=f"r-{n}", case_number=f"（2026）黔01司救执{n}号") for n in range(1, 4)]
    size = sign(signing, witness)
    for receipt in receipts:
        place = receipt.place
        assert place is not None
        assert place.tree_size <= place.index < size
        with signing.store.reading() as connection:
            leaf = connection.execute(
                sa.select(t.log_leaves.c.ref).where(t.log_leaves.c.leaf_index == place.index)
            ).scalar_one()
        assert leaf == receipt.message_id

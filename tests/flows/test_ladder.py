"""证据阶梯 Six rungs with their evidence; limits that pass make the gateway sign a no; a later yes supersedes it."""

from datetime import timedelta

import pytest

from gateway.evidence.receipt import ReceiptVerdict, Rung, read
from gateway.flows.ladder import Step, ladders
from gateway.flows.reconcile import reconcile_all
from gateway.store import tables as t
from tests.gateway_world import CIVIL_AFFAIRS, GATEWAY, World

PAID = {"xj_amount": "650.00", "abaf0028": "202603", "abaf0029": "202603", "xj_payee": "1"}


def ladder(world: World, message_id: str) -> list[Step]:
    with world.store.reading() as connection:
        return ladders(connection, [message_id])[message_id]


def told(world: World, message_id: str) -> list[tuple[str, str]]:
    return [(step.rung.value, step.verdict.value) for step in ladder(world, message_id)]


def test_a_handoff_that_is_paid_has_every_rung_with_the_offices_own_evidence(world: World) -> None:
    handoff = world.hand_over()
    office = world.offices[CIVIL_AFFAIRS].partner.party_id
    world.accept(world.reply(CIVIL_AFFAIRS, handoff, "handoff.delivered", {}))
    world.accept(world.reply(CIVIL_AFFAIRS, handoff, "handoff.retrieved", {}))
    world.answer(handoff, "10")
    world.answer(handoff, "40", **PAID)
    steps = ladder(world, handoff.envelope.id)
    assert [step.rung for step in steps] == [
        Rung.RELAY,
        Rung.DELIVERY,
        Rung.RETRIEVAL,
        Rung.DISPOSITION,
        Rung.OUTCOME,
    ]
    assert {step.issuer for step in steps} == {office}
    assert all(step.verdict.is_positive for step in steps)


def test_saying_it_again_adds_nothing_to_a_rung(world: World) -> None:
    handoff = world.hand_over()
    for _ in range(2):
        world.accept(world.reply(CIVIL_AFFAIRS, handoff, "handoff.delivered", {}))
    assert told(world, handoff.envelope.id).count(("delivery", "accepted")) == 1


def test_limits_that_pass_make_the_gateway_sign_negative_receipts_that_name_id_digest_and_leaf(world: World) -> None:
    handoff = world.hand_over()
    world.wait(timedelta(days=60))
    reconcile_all(world.context, now=world.now)
    assert told(world, handoff.envelope.id) == [
        ("relay", "accepted"),
        ("delivery", "timeout"),
        ("disposition", "timeout"),
    ]
    (row,) = [one for one in world.rows(t.receipts) if one["rung"] == "delivery"]
    receipt = read(row["jws"].encode(), world.keyring, recipient=GATEWAY, issuer=GATEWAY, now=world.now)
    assert (receipt.message_id, receipt.message_digest) == (handoff.envelope.id, handoff.digest)
    assert receipt.verdict is ReceiptVerdict.TIMEOUT
    assert receipt.place is not None
    leaf = next(one for one in world.rows(t.log_leaves) if one["leaf_index"] == receipt.place.index)
    assert leaf["ref"] == handoff.envelope.id


def test_a_second_run_signs_no_second_no(world: World) -> None:
    world.hand_over()
    world.wait(timedelta(days=60))
    reconcile_all(world.context, now=world.now)
    before = world.rows(t.receipts)
    world.wait(timedelta(days=1))
    reconcile_all(world.context, now=world.now)
    assert world.rows(t.receipts) == before


def test_what_comes_late_supersedes_the_no_visibly_and_takes_nothing_away(world: World) -> None:
    handoff = world.hand_over()
    world.wait(timedelta(days=60))
    reconcile_all(world.context, now=world.now)
    world.answer(handoff, "10")
    steps = [step for step in ladder(world, handoff.envelope.id) if step.rung is Rung.DISPOSITION]
    assert [step.verdict for step in steps] == [ReceiptVerdict.TIMEOUT, ReceiptVerdict.ACCEPTED]
    assert steps[0].superseded_at == world.now
    assert steps[1].superseded_at is None


def test_an_approval_is_a_disposition_and_no_outcome_yet(world: World) -> None:
    handoff = world.hand_over()
    world.answer(handoff, "30", xj_amount="650.00", abaf0028="202603", abaf0029="202702")
    assert ("outcome", "accepted") not in told(world, handoff.envelope.id)
    assert ("disposition", "accepted") in told(world, handoff.envelope.id)


@pytest.mark.parametrize("type_", ["handoff.delivered", "handoff.retrieved"])
def test_evidence_from_another_office_counts_for_nothing(world: World, type_: str) -> None:
    handoff = world.hand_over()
    world.accept(world.reply("disabled_persons-520102", handoff, type_, {}))
    assert told(world, handoff.envelope.id) == [("relay", "accepted")]

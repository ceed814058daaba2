"""证据包: what courts are told, reminders, plans and visits belong to the case and prove what they say."""

from datetime import timedelta

import pytest

from gateway.envelope.signing import verify
from gateway.evidence.verifier.conclusions import Standing
from gateway.flows.mailbox import pull
from gateway.flows.reconcile import reconcile_all
from gateway.flows.tell_court import tell_courts
from tests.flows.test_evidence import judged
from tests.gateway_world import World
from tests.log_world import LogWorld


@pytest.fixture
def told(sqlite_world: World) -> LogWorld:
    """A case with everything that is said about it by the way."""
    world, logged = sqlite_world, LogWorld(sqlite_world)
    world.context = logged.context
    handoff = world.hand_over()
    world.answer(handoff, "10")
    world.wait(timedelta(days=60))
    reconcile_all(world.context, now=world.now)  # reminders, timeouts
    given = {"xj_amount": "600.00", "abaf0028": "202605", "abaf0029": "202605"}
    world.answer(handoff, "30", **given)
    world.answer(handoff, "40", **given)
    world.wait(timedelta(minutes=1))
    tell_courts(world.context, now=world.now)
    for type_, data in (
        ("disbursement.planned", {"plan_id": "d-1", "mode": "AT_ONCE", "purposes": ["LIVING"]}),
        ("follow_up.recorded", {"visit_id": "f-1", "visited_on": "2026-05-02", "mode": "PHONE", "situation": "STABLE"}),
    ):
        world.accept(world.court.sign(type_, {"referral_id": "r-1", **data}, now=world.now))
    for _, wire in pull(world.context, world.court.party_id, after=0, limit=100):
        one = verify(wire.encode(), world.keyring, recipient=world.court.party_id, now=world.now)
        named = {"in_reply_to": one.envelope.id, "in_reply_to_digest": one.digest}
        world.accept(world.court.sign("message.retrieved", {}, now=world.now, **named))
    world.wait(timedelta(minutes=1))
    tell_courts(world.context, now=world.now)
    logged.sign()
    return logged


def test_nothing_of_it_is_refuted(told: LogWorld) -> None:
    verification = judged(told)
    assert [one for one in verification.conclusions if one.standing is Standing.REFUTED] == []

"""证据包: what courts are told, reminders, plans and visits belong to the case and prove what they say."""

import json
from datetime import timedelta

import pytest

from gateway.envelope.signing import verify
from gateway.errors import EvidenceDamaged
from gateway.evidence.verifier.conclusions import Standing
from gateway.evidence.verifier.verify import Verification, verify_bundle
from gateway.flows.evidence import export
from gateway.flows.mailbox import pull
from gateway.flows.reconcile import reconcile_all
from gateway.flows.tell_court import tell_courts
from gateway.store import tables as t
from tests.flows.test_evidence import codes, judged, refuted, trusted
from tests.flows.test_reconcile import the_neighbours
from tests.gateway_world import NEIGHBOUR, World
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


# --- findings that can be computed again ---


@pytest.fixture
def doubted(sqlite_world: World) -> LogWorld:
    """One person, one original case, two courts; the morning's run found it."""
    world, logged = sqlite_world, LogWorld(sqlite_world)
    world.context = logged.context
    world.refer()
    world.wait(timedelta(minutes=1))
    the_neighbours(world)
    reconcile_all(world.context, now=world.now)
    logged.sign()
    return logged


def for_an_auditor(logged: LogWorld) -> Verification:
    bundle = export(logged.context, "r-2", who="auditor", why="review", now=logged.world.now)
    return verify_bundle(bundle, trusted(logged))


def test_an_auditors_bundle_carries_the_finding_and_it_follows(doubted: LogWorld) -> None:
    found = for_an_auditor(doubted)
    assert [] == refuted(found)
    assert "judgements_reproduced" in codes(found, Standing.PROVEN)


def test_a_courts_bundle_tells_nothing_of_another_courts_case(doubted: LogWorld) -> None:
    now = doubted.world.now
    bundle = export(doubted.context, "r-2", who=NEIGHBOUR, why="review", now=now, court=NEIGHBOUR)
    found = verify_bundle(bundle, trusted(doubted))
    assert [] == refuted(found)
    assert "judgements_reproduced" not in codes(found, Standing.PROVEN)
    assert b"judgements" not in bundle and b'"r-1"' not in bundle


def put(logged: LogWorld, evidence: str) -> None:
    """Somebody with the database's password writes it over the doubt's."""
    changed = t.findings.update().where(t.findings.c.code == "DUP_SAME_ORIGINAL_CASE").values(evidence=evidence)
    logged.context.store.write(lambda connection: connection.execute(changed))


def test_a_finding_whose_inputs_were_changed_is_refuted(doubted: LogWorld) -> None:
    (row,) = [row for row in doubted.world.rows(t.findings) if row["code"] == "DUP_SAME_ORIGINAL_CASE"]
    evidence = json.loads(row["evidence"])
    evidence["inputs"]["b"]["numbers"] = []
    put(doubted, json.dumps(evidence))
    assert ["judgement_not_reproduced"] == refuted(for_an_auditor(doubted))


def test_a_finding_that_was_garbled_is_told_not_packed(doubted: LogWorld) -> None:
    put(doubted, "{")
    with pytest.raises(EvidenceDamaged, match="finding_unreadable"):
        for_an_auditor(doubted)

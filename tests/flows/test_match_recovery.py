"""恢复: a match that was lost with its database is opened again as the same one, and what a side had said counts."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.domain.adjudication import Resolution
from gateway.domain.lifecycle import MatchState
from gateway.envelope.signing import verify
from gateway.flows.adjudicate import adjudicate
from gateway.flows.cutoff import cut_off
from gateway.flows.mailbox import pull
from gateway.flows.reconcile import reconcile_all
from gateway.store import tables as t
from tests.flows.test_adjudicate import match, say
from tests.gateway_world import COURT, NEIGHBOUR
from tests.recovery_world import KeepingWorld

MINUTE = timedelta(minutes=1)


@pytest.fixture
def world(database_url: str, tmp_path: Path) -> Iterator[KeepingWorld]:
    made = KeepingWorld(database_url, tmp_path)
    made.sign_log()
    yield made
    made.close()


def keep_letters(world: KeepingWorld) -> None:
    """Courts empty their mailboxes into their books."""
    for party in (COURT, NEIGHBOUR):
        for seq, wire in pull(world.context, party, after=0, limit=500):
            message = verify(wire.encode(), world.keyring, recipient=party, now=world.now)
            world.books[party].received.setdefault(message.envelope.id, (seq, message.jws, None))


def test_the_lost_match_comes_back_as_the_same_one_with_what_was_said(world: KeepingWorld) -> None:
    world.refer()
    world.wait(MINUTE)
    world.refer(
        world.neighbour,
        referral_id="r-2",
        case_number="（2026）黔03司救执2号",
        original_case_group="（2025）黔0302民初2号",
    )
    copy = world.copy()
    reconcile_all(world.context, now=world.now)
    adjudicate(world.context, now=world.now)
    before = match(world).match.match_id
    keep_letters(world)
    say(world, world.court, "NOT_SAME_HELP")
    world.sign_log()
    world.wait(MINUTE)

    world.restore(copy)
    resumed = world.recover()
    assert resumed.placed.unplaced == ()
    assert [row["match_id"] for row in world.rows(t.dispositions)] == [before]
    reconcile_all(world.context, now=world.now)
    adjudicate(world.context, now=world.now)
    assert (match(world).match.match_id, match(world).match.state) == (before, MatchState.AWAITING_DISPOSITIONS)
    assert len([row for row in world.rows(t.outbox) if row["type"] == "match.notice"]) == 2
    body = {"match_id": before, "side": "A", "referral_id": "r-2", "disposition": "NOT_SAME_HELP", "reason": "经查"}
    world.accept(world.neighbour.sign("match.disposition", body, now=world.now))
    assert (match(world).match.state, match(world).match.resolution) == (MatchState.CLOSED, Resolution.NOT_SAME_HELP)
    assert cut_off(world.context, now=world.now).troubles == ()

"""The whole way round: a referral goes in, each agency gets its handoff, answers come back, the books balance."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from gateway.domain.reconciliation.balance import total
from gateway.evidence.receipt import Rung
from gateway.flows.account import balance, fate
from gateway.flows.deliver import deliver
from gateway.flows.dispatch import dispatch
from gateway.flows.reconcile import reconcile_all
from gateway.store import findings
from tests.gateway_world import COURT, World, a_referral_body


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    made = World(database_url)
    yield made
    made.close()


def test_a_referral_goes_all_the_way_round_and_the_books_balance(world: World) -> None:
    receipt = world.accept(world.court.sign("referral.submitted", a_referral_body(), now=world.now))
    assert receipt.rung is Rung.SUBMISSION

    assert dispatch(world.context, now=world.now).handoffs == 1
    office = world.offices["civil_affairs-520102"]
    assert deliver(world.context, "civil_affairs-520102", world.courier()).relayed == 1
    (handoff,) = office.received
    need_id = handoff.envelope.data["xj_items"][0]["xj_need"]
    assert _states(world) == ["handed_off"]

    for status, amount in (("20", None), ("30", "650.00"), ("40", "650.00")):
        world.wait(timedelta(hours=1))
        result = {"xj_need": need_id, "xj_status": status, "xj_at": world.now.isoformat().replace("+00:00", "Z")}
        if amount:
            result |= {"xj_amount": amount, "abaf0028": "202604", "abaf0029": "202703"}
        if status == "40":
            result |= {"xj_payee": "1"}
        body = {"xj_handoff": handoff.envelope.data["xj_handoff"], "xj_results": [result]}
        world.accept(world.reply("civil_affairs-520102", handoff, "handoff.outcome", body))

    assert _states(world) == ["assisted"]
    world.wait(timedelta(hours=1))
    reconcile_all(world.context, now=world.now)
    again = reconcile_all(world.context, now=world.now)
    assert (again.changes.opened, again.changes.closed) == (0, 0)
    books = total(balance(world.context, as_of=world.now, now=world.now))
    assert (books.accepted, books.assisted, books.difference) == (1, 1, 0)
    with world.store.reading() as connection:
        assert [kept.finding.code for kept in findings.listed(connection)] == []


def _states(world: World) -> list[str]:
    found = fate(world.context, "r-1", court=COURT, now=world.now)
    return [need.state.value for need in found.needs]

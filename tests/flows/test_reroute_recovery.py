"""改派的取回 A need that was sent on is handed to its office once, whichever copy is restored, whoever comes first."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.domain.agreement import Channel
from gateway.flows.cutoff import cut_off
from gateway.flows.reconcile import reconcile_due
from gateway.store import tables as t
from tests.gateway_world import CIVIL_AFFAIRS, COURT
from tests.recovery_world import Book, KeepingOffice, KeepingWorld

NEXT_COUNTY, NEXT_PARTY = "civil_affairs-520103", "cn/agency/civil_affairs.520103"
CIVIL_PARTY = "cn/agency/civil_affairs.520102"


@pytest.fixture
def world(sqlite_url: str, tmp_path: Path) -> Iterator[KeepingWorld]:
    made = KeepingWorld(sqlite_url, tmp_path)
    office = made.add_office("civil_affairs", Channel.PUSH, region="520103")
    made.books[NEXT_PARTY] = Book(partner=office.partner)
    made.offices[NEXT_COUNTY] = KeepingOffice(partner=office.partner, world=made)
    yield made
    made.close()


@pytest.mark.parametrize(
    "order",
    [
        (COURT, CIVIL_PARTY, NEXT_PARTY),
        (NEXT_PARTY, CIVIL_PARTY, COURT),
    ],
    ids=["as it happened", "the other way round"],
)
def test_no_office_gets_a_second_handoff_for_a_need_that_was_sent_on(
    world: KeepingWorld, order: tuple[str, ...]
) -> None:
    copy = world.copy()
    handoff = world.hand_over()
    world.answer(handoff, "13", xj_suggest_region="520103")
    world.wait(timedelta(seconds=3))
    reconcile_due(world.context, now=world.now)
    world.dispatch()
    world.deliver(NEXT_COUNTY)
    assert world.states() == ["rerouted", "handed_off"]
    world.sign_log()
    world.wait(timedelta(minutes=1))
    world.restore(copy)
    others = [party for party in world.everybody() if party not in order]
    world.recover([*order, *others])
    world.wait(timedelta(minutes=1))
    reconcile_due(world.context, now=world.now)
    assert (world.states(), world.dispatch().handoffs) == (["rerouted", "handed_off"], 0)
    assert {need: len(found) for need, found in world.handoffs_by_need().items()} == {"r-1:1": 1, "r-1:1-1": 1}
    assert [row["office_id"] for row in world.rows(t.reroutes)] == [NEXT_COUNTY]
    assert [one for one in cut_off(world.context, now=world.now).troubles if one.table in ("needs", "reroutes")] == []
    assert CIVIL_AFFAIRS in world.offices

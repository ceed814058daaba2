"""改派 What one office declined goes on at the office it lawfully named, once, and the books still balance."""

from datetime import timedelta
from typing import Any

import pytest

from gateway.domain.agreement import Channel
from gateway.domain.reconciliation.balance import total
from gateway.envelope.signing import VerifiedMessage
from gateway.errors import ConfigError, IllegalMove, ReferralUnknown
from gateway.flows.account import balance
from gateway.flows.cutoff import cut_off
from gateway.flows.reconcile import reconcile_due
from gateway.flows.reroute import reroute
from gateway.store import tables as t
from tests.gateway_world import CIVIL_AFFAIRS, DISABLED_PERSONS, World

NEXT_COUNTY = "civil_affairs-520103"


def look(world: World) -> None:
    world.wait(timedelta(seconds=3))
    reconcile_due(world.context, now=world.now)


def declined(world: World, status: str, **more: Any) -> VerifiedMessage:
    """A need that civil affairs of Nanming declines, and what reconciliation makes of it."""
    world.add_office("civil_affairs", Channel.PUSH, region="520103")
    handoff = world.hand_over()
    world.answer(handoff, status, **more)
    look(world)
    return handoff


def states(world: World) -> dict[str, str]:
    return {row["need_id"]: row["state"] for row in world.rows(t.needs)}


def books(world: World) -> tuple[int, int]:
    """(accepted, difference)."""
    line = total(balance(world.context, as_of=world.now, now=world.now))
    return line.accepted, line.difference


@pytest.mark.parametrize("status", ["13", "53"], ids=["not in region", "moved"])
def test_a_need_of_another_region_goes_on_at_its_office(world: World, status: str) -> None:
    declined(world, status, xj_suggest_region="520103")
    assert states(world) == {"r-1:1": "rerouted", "r-1:1-1": "accepted"}
    assert world.dispatch().handoffs == 1
    world.deliver(NEXT_COUNTY)
    (sent,) = world.offices[NEXT_COUNTY].received
    assert sent.envelope.data["xj_items"][0]["xj_need"] == "r-1:1-1"
    assert "无固定收入" in str(sent.envelope.data["xj_items"])
    world.answer(sent, "40", office_id=NEXT_COUNTY, xj_amount="650.00", abaf0028="202603", abaf0029="202603")
    look(world)
    assert states(world) == {"r-1:1": "rerouted", "r-1:1-1": "assisted"}
    assert world.open_codes() == []
    assert books(world) == (1, 0)
    assert cut_off(world.context, now=world.now).troubles == ()


def test_an_organ_of_the_programmes_own_route_may_be_named(sqlite_world: World) -> None:
    """The disabled persons' federation reviews, civil affairs decides: the first may be asked again."""
    world = sqlite_world
    world.refer(needs=[{"programme": "LSD"}])
    world.change(t.needs.update().values(step=1))
    world.dispatch()
    world.deliver()
    world.answer(world.offices[CIVIL_AFFAIRS].received[-1], "12", xj_suggest_agency="disabled_persons")
    look(world)
    assert states(world) == {"r-1:1": "rerouted", "r-1:1-1": "accepted"}
    world.dispatch()
    assert [(row["office_id"], row["step"]) for row in world.rows(t.handoffs)][-1] == (DISABLED_PERSONS, 0)


@pytest.mark.parametrize(
    ("status", "more"),
    [
        ("12", {"xj_suggest_agency": "womens_federation"}),
        ("13", {"xj_suggest_region": "520102"}),
        ("13", {"xj_suggest_region": "430000"}),
        ("12", {}),
    ],
    ids=["no organ of the route", "its own region", "no office there", "no suggestion"],
)
def test_what_the_answer_does_not_settle_waits_for_a_person(
    sqlite_world: World, status: str, more: dict[str, Any]
) -> None:
    declined(sqlite_world, status, **more)
    assert states(sqlite_world) == {"r-1:1": "declined"}
    assert sqlite_world.open_codes() == ["MISS_BOUNCED"]


def test_a_need_is_sent_on_by_itself_only_once(sqlite_world: World) -> None:
    world = sqlite_world
    declined(world, "13", xj_suggest_region="520103")
    world.dispatch()
    world.deliver(NEXT_COUNTY)
    back = world.offices[NEXT_COUNTY].received[-1]
    world.answer(back, "13", office_id=NEXT_COUNTY, xj_suggest_region="520102")
    look(world)
    assert states(world) == {"r-1:1": "rerouted", "r-1:1-1": "declined"}
    assert world.open_codes() == ["MISS_BOUNCED"]


# --- by a person ---


def by_hand(world: World, need_id: str = "r-1:1", **where: Any) -> str:
    return reroute(world.context, need_id, who="管理员", why="属邻县辖区", now=world.now, **where)


def test_a_person_says_where_it_goes_and_the_finding_is_cured(world: World) -> None:
    declined(world, "12")
    assert by_hand(world, office_id=NEXT_COUNTY) == "r-1:1-1"
    look(world)
    assert world.open_codes() == []
    assert world.dispatch().handoffs == 1
    assert world.rows(t.handoffs)[-1]["office_id"] == NEXT_COUNTY
    assert books(world) == (1, 0)
    assert [row["what"] for row in world.rows(t.decisions)][-1] == "rerouted"
    assert cut_off(world.context, now=world.now).troubles == ()


def test_a_person_may_name_an_agency(sqlite_world: World) -> None:
    declined(sqlite_world, "12")
    by_hand(sqlite_world, agency="disabled_persons")
    assert sqlite_world.rows(t.reroutes)[0]["office_id"] == DISABLED_PERSONS


def test_what_no_office_declined_is_not_sent_on(sqlite_world: World) -> None:
    sqlite_world.add_office("civil_affairs", Channel.PUSH, region="520103")
    sqlite_world.hand_over()
    with pytest.raises(IllegalMove):
        by_hand(sqlite_world, office_id=NEXT_COUNTY)


@pytest.mark.parametrize("office_id", [CIVIL_AFFAIRS, "civil_affairs-999999"], ids=["it declined", "nobody"])
def test_an_office_that_declined_or_does_not_exist_is_no_place(sqlite_world: World, office_id: str) -> None:
    declined(sqlite_world, "12")
    with pytest.raises(ConfigError):
        by_hand(sqlite_world, office_id=office_id)


def test_a_need_nobody_knows_is_not_sent_on(sqlite_world: World) -> None:
    declined(sqlite_world, "12")
    with pytest.raises(ReferralUnknown):
        by_hand(sqlite_world, "r-9:1", office_id=NEXT_COUNTY)


# --- the cut-off ---


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (t.reroutes.delete(), {("needs", "unlogged"), ("reroutes", "missing")}),
        (t.needs.delete().where(t.needs.c.need_id == "r-1:1-1"), {("needs", "missing")}),
        (t.reroutes.update().values(reply_id="other"), {("reroutes", "unlogged")}),
    ],
    ids=["the note is gone", "the need is gone", "it rests on nothing"],
)
def test_whatever_is_changed_by_hand_is_named(sqlite_world: World, change: Any, named: set[tuple[str, str]]) -> None:
    declined(sqlite_world, "13", xj_suggest_region="520103")
    sqlite_world.change(change)
    found = cut_off(sqlite_world.context, now=sqlite_world.now).troubles
    assert {(one.table, one.what.value) for one in found} == named

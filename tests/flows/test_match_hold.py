"""比对暂缓 A need that is held because its person may be known waits for both sides, not for ever and not for one."""

from datetime import timedelta
from typing import Any

import pytest

from gateway.domain.adjudication import Resolution
from gateway.domain.lifecycle import MatchState
from gateway.errors import IllegalMove
from gateway.flows.adjudicate import adjudicate
from gateway.flows.cutoff import cut_off
from gateway.flows.match_resolve import resolve
from gateway.flows.operate import release, uphold
from gateway.flows.reconcile import reconcile_all
from gateway.store import tables as t
from tests.flows.test_adjudicate import WHO, letters, match, say
from tests.gateway_world import COURT, World, a_referral_body


def two_alike(world: World) -> World:
    """Two courts give one number to two names: one of them mistyped it, or it is one person."""
    world.refer()
    world.wait(timedelta(minutes=1))
    person = a_referral_body()["person"] | {"name": "王小明"}
    told = world.refer(
        world.neighbour,
        referral_id="r-2",
        case_number="（2026）黔03司救执2号",
        original_case_group="（2025）黔0302民初2号",
        person=person,
        needs=[{"programme": "ASD"}],
    )
    assert told.holds == ("MATCH",)
    return world


def turn(world: World) -> Any:
    return adjudicate(world.context, now=world.now)


def held(world: World) -> list[str]:
    return world.states("r-2")


@pytest.fixture
def alike(world: World) -> World:
    return two_alike(world)


@pytest.fixture
def alike_here(sqlite_world: World) -> World:
    return two_alike(sqlite_world)


def test_both_say_it_is_not_the_same_person_and_the_need_goes_on(alike: World) -> None:
    assert turn(alike).opened == 1
    assert letters(alike, COURT)[0].envelope.data["kind"] == "same_person"
    reconcile_all(alike.context, now=alike.now)
    turn(alike)
    assert match(alike).match.finding_key is not None
    with pytest.raises(IllegalMove):
        release(alike.context, "r-2", **WHO, now=alike.now)
    with pytest.raises(IllegalMove):
        uphold(alike.context, "r-2", **WHO, now=alike.now)
    say(alike, alike.court, "NOT_SAME_PERSON")
    assert held(alike) == ["held"]
    say(alike, alike.neighbour, "NOT_SAME_PERSON")
    assert held(alike) == ["accepted"]
    (finding,) = [row for row in alike.rows(t.findings) if row["code"] == "DUP_IDENTITY"]
    assert (finding["state"], finding["closed_because"]) == ("closed", "FALSE_MATCH")
    assert alike.dispatch().handoffs == 2
    reconcile_all(alike.context, now=alike.now)
    assert alike.open_codes() == []
    assert turn(alike).is_idle
    assert cut_off(alike.context, now=alike.now).troubles == ()


def test_where_the_later_side_gives_way_its_need_ends(alike_here: World) -> None:
    turn(alike_here)
    say(alike_here, alike_here.neighbour, "STOP_MINE")
    say(alike_here, alike_here.court, "SAME_HELP_KEEP_MINE")
    assert held(alike_here) == ["entered_in_error"]
    assert match(alike_here).match.state is MatchState.CLOSED


def test_where_the_earlier_side_gives_way_the_need_goes_on(alike_here: World) -> None:
    turn(alike_here)
    resolve(
        alike_here.context, match(alike_here).match.match_id, Resolution.DUPLICATE, stops="B", **WHO, now=alike_here.now
    )
    assert held(alike_here) == ["accepted"]


def test_a_finding_that_comes_after_the_pair_was_resolved_is_decided_as_the_pair_was(alike_here: World) -> None:
    turn(alike_here)
    resolve(alike_here.context, match(alike_here).match.match_id, Resolution.NOT_SAME_PERSON, **WHO, now=alike_here.now)
    reconcile_all(alike_here.context, now=alike_here.now)
    assert alike_here.open_codes() == ["DUP_IDENTITY"]
    turn(alike_here)
    assert alike_here.open_codes() == []
    assert (match(alike_here).match.state, match(alike_here).match.round) == (MatchState.CLOSED, 1)
    assert cut_off(alike_here.context, now=alike_here.now).troubles == ()


def test_a_pair_of_which_one_was_withdrawn_is_asked_about_no_more(alike_here: World) -> None:
    turn(alike_here)
    withdrawal = {"referral_id": "r-1", "reason": "重复"}
    alike_here.accept(alike_here.court.sign("referral.withdrawn", withdrawal, now=alike_here.now))
    assert turn(alike_here).ended == 1
    assert match(alike_here).match.resolution is Resolution.NO_LONGER_SEEN
    assert held(alike_here) == ["accepted"]


def test_what_another_rule_holds_stays_held_when_the_match_is_resolved(alike_here: World) -> None:
    alike_here.change(t.needs.update().where(t.needs.c.referral_id == "r-2").values(held_for="A02 MATCH"))
    turn(alike_here)
    resolve(alike_here.context, match(alike_here).match.match_id, Resolution.NOT_SAME_PERSON, **WHO, now=alike_here.now)
    assert held(alike_here) == ["held"]
    assert release(alike_here.context, "r-2", **WHO, now=alike_here.now) == 1

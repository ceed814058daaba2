"""当事人告知: made from what the court signed, kept on file as a view, and held back where it could put somebody in
danger."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway.errors import ConfigError, MatchUnknown, XianjieError
from gateway.flows.adjudicate import adjudicate
from gateway.flows.match_notice import person_notice
from gateway.flows.recent import RecentReferrals
from gateway.flows.reconcile import reconcile_all
from gateway.store import tables as t
from tests.flows.test_adjudicate import WHO, match
from tests.gateway_world import World, a_referral_body


def of_both(world: World, **person: Any) -> str:
    """A match about one person whom two courts referred; its id."""
    named = a_referral_body()["person"] | person
    world.refer(person=named)
    world.wait(timedelta(minutes=1))
    world.refer(
        world.neighbour,
        referral_id="r-2",
        case_number="（2026）黔03司救执2号",
        original_case_group="（2025）黔0302民初2号",
        person=named,
    )
    reconcile_all(world.context, now=world.now)
    adjudicate(world.context, now=world.now)
    return match(world).match.match_id


def text(world: World, match_id: str, **more: Any) -> str:
    made = person_notice(world.context, match_id, "A", **WHO, now=world.now, **more)
    return "\n".join(part for line in made.lines for part in line)


def test_it_is_made_from_the_signed_referral_and_the_view_is_a_decision(world: World) -> None:
    match_id = of_both(world)
    assert "测试甲" in text(world, match_id)
    (view,) = [row for row in world.rows(t.decisions) if row["what"] == "match_notice_viewed"]
    assert (view["who"], view["subject"], view["why"]) == ("督导员", match_id, "side=A 测试复核")


def test_a_flag_that_was_cleared_in_the_rows_protects_all_the_same(sqlite_world: World) -> None:
    match_id = of_both(sqlite_world, safety_flag=True)
    sqlite_world.change(t.referrals.update().values(groups="", is_minor=False))
    assert "测试路1号" not in text(sqlite_world, match_id)
    assert "本人亲收" in text(sqlite_world, match_id, by_safe_channel=True)
    views = [row["why"] for row in sqlite_world.rows(t.decisions) if row["what"] == "match_notice_viewed"]
    assert views[-1] == "side=A safe_channel 测试复核"


def test_nobody_sees_it_without_saying_who_and_why(sqlite_world: World) -> None:
    match_id = of_both(sqlite_world)
    with pytest.raises(ConfigError):
        person_notice(sqlite_world.context, match_id, "A", who="督导员", why=" ", now=sqlite_world.now)
    with pytest.raises(MatchUnknown):
        person_notice(sqlite_world.context, match_id, "C", **WHO, now=sqlite_world.now)


def test_a_referral_that_no_longer_proves_itself_is_not_told_of(sqlite_world: World) -> None:
    match_id = of_both(sqlite_world)
    sqlite_world.context = replace(sqlite_world.context, recent=RecentReferrals())
    other = sqlite_world.rows(t.inbox)[0]["jws"]
    sqlite_world.change(t.inbox.update().where(t.inbox.c.subject == "r-2").values(jws=other))
    with pytest.raises(XianjieError):
        text(sqlite_world, match_id)
    assert [row for row in sqlite_world.rows(t.decisions) if row["what"] == "match_notice_viewed"] == []

"""本院平衡表 The court's own books, drawn and counted, with the signed tree they were read from."""

import pytest
from flask import Flask

from gateway.domain.reconciliation.balance import BalanceLine
from gateway.web.court.balance import drawn
from tests.gateway_world import NEIGHBOUR, World
from tests.log_world import LogWorld
from tests.web.court_desk import HOSTILE, clerk_of, holding
from tests.web.people import Somebody


@pytest.fixture
def logged(world: World) -> LogWorld:
    return LogWorld(world)


@pytest.fixture
def site(world: World, logged: LogWorld) -> Flask:
    return holding(world, logged.context)


@pytest.fixture
def clerk(world: World, site: Flask) -> Somebody:
    return clerk_of(world, site)


def test_the_books_are_the_courts_own_and_name_the_signed_tree(
    world: World, logged: LogWorld, clerk: Somebody, site: Flask
) -> None:
    world.hand_over()
    world.refer(world.neighbour, referral_id="n-1", case_number="（2026）黔03司救执1号")
    note = logged.sign()
    page = clerk.get("/court/balance").text
    assert '<td class="number">1</td>' in page and "<svg" in page and "2026-03" in page
    assert note.splitlines()[2] in page
    both = clerk_of(world, site, NEIGHBOUR).get("/court/balance").text
    assert both.count('<th scope="row">2026-03</th><td class="number">1</td>') == 1


def test_before_anything_was_signed_it_says_so(world: World, clerk: Somebody) -> None:
    assert "还没有可以列入的移送" in clerk.get("/court/balance").text
    world.refer()
    assert "该处尚未签名" in clerk.get("/court/balance").text


@pytest.mark.parametrize("by", ["period", "agency", "group", "case_type"])
def test_it_is_drawn_up_by_several_dimensions(world: World, clerk: Somebody, by: str) -> None:
    world.hand_over()
    page = clerk.get(f"/court/balance?by={by}&newest=1")
    assert page.status_code == 200
    words = {"period": "2026-03", "agency": "民政", "group": "妇女", "case_type": "执行司法救助"}
    assert words[by] in page.text or by == "group"
    clerk.client.set_cookie("xianjie_language", "en")
    assert "The balance of this court" in clerk.get(f"/court/balance?by={by}&newest=1").text


@pytest.mark.parametrize("by", ["court", "nothing", *HOSTILE])
def test_no_other_dimension_is_asked_for(clerk: Somebody, by: str) -> None:
    answer = clerk.get("/court/balance", query_string={"by": by})
    assert answer.status_code == 400 and "<script>alert" not in answer.text


def test_bars_are_to_one_scale_and_lie_end_to_end() -> None:
    lines = [
        ("a", BalanceLine(accepted=4, assisted=3, overdue=1)),
        ("b", BalanceLine(accepted=2, held=2)),
        ("c", BalanceLine()),
    ]
    first, second, empty = drawn(lines)
    assert [one.column for one in first.pieces] == ["assisted", "overdue"]
    assert first.pieces[1].x == pytest.approx(first.pieces[0].x + first.pieces[0].width)
    assert second.pieces[0].width == pytest.approx(2 * first.pieces[1].width)
    assert empty.pieces == ()

"""移送清单 The court's list: its own alone, narrowed by number, state and day, page by page, naming nobody."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask

from gateway.domain.access import Role
from gateway.flows.reconcile import reconcile_all
from gateway.store import tables as t
from gateway.web.site import create_site
from tests.builders import an_id_number
from tests.gateway_world import NEIGHBOUR, World
from tests.web.court_desk import HOSTILE, clerk_of, holding
from tests.web.people import Somebody, signed_in, somebody


@pytest.fixture
def site(world: World) -> Flask:
    return holding(world)


@pytest.fixture
def clerk(world: World, site: Flask) -> Somebody:
    return clerk_of(world, site)


def refer(world: World, number: int, **changes: object) -> None:
    person = {
        "name": f"测试人{number}",
        "id_type": "111",
        "id_number": an_id_number(serial=number),
        "household_registration_region": "520102",
    }
    own = {
        "referral_id": f"r-{number}",
        "case_number": f"（2026）黔01司救执{number}号",
        "original_case_group": f"（2025）黔0102民初{number}号",
        "person": person,
    }
    world.refer(**{**own, **changes})


def numbers(page: str) -> list[int]:
    """The cases shown, in order."""
    return [int(one) for one in re.findall(r">（2026）黔01司救执(\d+)号</a>", page)]


def test_the_list_is_the_courts_own_and_names_nobody(world: World, clerk: Somebody, site: Flask) -> None:
    refer(world, 1)
    world.refer(world.neighbour, referral_id="n-1", case_number="（2026）黔03司救执1号")
    shown = clerk.get("/court").text
    assert numbers(shown) == [1]
    assert "黔03司救执" not in shown and "测试人" not in shown and "529999" not in shown
    other = clerk_of(world, site, NEIGHBOUR).get("/court").text
    assert "黔03司救执1号" in other and numbers(other) == []


def test_an_empty_list_says_what_to_do_in_both_languages(clerk: Somebody) -> None:
    assert "还没有移送" in clerk.get("/court").text
    clerk.client.set_cookie("xianjie_language", "en")
    assert "No referral yet" in clerk.get("/court").text


def test_it_is_narrowed_by_number_state_and_day_and_each_search_is_on_file(world: World, clerk: Somebody) -> None:
    refer(world, 1)
    refer(world, 12)
    world.wait(timedelta(days=2))
    refer(world, 2, decision="NOT_ASSIST", refusal_code="X5", decided_amount_fen=0)
    clerk = signed_in(clerk.site, clerk.account)
    assert numbers(clerk.get("/court").text) == [2, 12, 1]
    assert numbers(clerk.get("/court", query_string={"case": "(2026)黔01司救执1"}).text) == [12, 1]
    assert numbers(clerk.get("/court", query_string={"case": "r-2"}).text) == [2]
    assert numbers(clerk.get("/court", query_string={"since": "2026-03-05"}).text) == [2]
    assert numbers(clerk.get("/court", query_string={"until": "2026年3月4日"}).text) == [12, 1]
    world.dispatch()
    assert numbers(clerk.get("/court?state=routed").text) == [2, 12, 1]
    assert numbers(clerk.get("/court?state=held").text) == []
    said = [row["why"] for row in world.rows(t.decisions) if row["what"] == "referrals_searched"]
    assert "case=（2026）黔01司救执1" in said and "state=held" in said


@pytest.mark.parametrize(
    "asked",
    [
        {"case": an_id_number()},
        {"case": "13900000000"},
        {"case": "测试甲"},
        {"case": HOSTILE[0]},
        {"state": HOSTILE[1]},
        {"since": "2026-02-30"},
        {"until": "0001-01-01"},
    ],
)
def test_what_is_no_search_is_refused_and_kept_nowhere(world: World, clerk: Somebody, asked: dict[str, str]) -> None:
    answer = clerk.get("/court", query_string=asked)
    assert answer.status_code == 400
    assert "<script>alert" not in answer.text and "<img src=x" not in answer.text
    assert not [row for row in world.rows(t.decisions) if row["what"] == "referrals_searched"]


def test_a_place_in_the_address_that_is_none_begins_at_the_newest(world: World, clerk: Somebody) -> None:
    refer(world, 1)
    for place in ("x", "1", "1.x", "9" * 30 + ".1", "٣.٣"):
        assert numbers(clerk.get("/court", query_string={"after": place}).text) == [1]


def test_a_long_list_is_read_page_by_page(world: World, clerk: Somebody) -> None:
    for number in range(1, 54):
        refer(world, number)
    first = clerk.get("/court").text
    assert numbers(first) == list(range(53, 3, -1))
    after = re.search(r'href="(/court\?after=[^"]+)" rel="next"', first)
    assert after is not None
    second = clerk.get(after[1]).text
    assert numbers(second) == [3, 2, 1]
    assert 'rel="next"' not in second and 'rel="prev"' in second


def test_what_is_held_and_what_is_late_is_marked(world: World, clerk: Somebody) -> None:
    refer(world, 1)
    refer(world, 2, unenforced_balance_fen=1)  # A02: above what was left unenforced
    world.dispatch()
    world.deliver()
    world.wait(timedelta(days=60))
    reconcile_all(world.context, now=world.now)
    clerk = signed_in(clerk.site, clerk.account)
    shown = clerk.get("/court").text
    assert '<span class="tag wait">人工核查</span>' in shown
    assert '<span class="tag bad">超期</span>' in shown
    assert numbers(clerk.get("/court?state=held").text) == [2]
    assert numbers(clerk.get("/court?state=overdue").text) == [1]


def test_nobody_but_a_courts_clerk_opens_it(world: World, site: Flask) -> None:
    for role in (Role.ADMINISTRATOR, Role.RECONCILER, Role.AUDITOR, Role.KEY_OFFICER):
        person = somebody(world, site, role)
        for path in ("/court", "/court/new", "/court/import", "/court/balance", "/court/notices"):
            assert person.get(path).status_code == 403


def test_without_a_held_key_it_says_what_the_administrator_does(world: World, clerk: Somebody) -> None:
    bare = create_site(replace(world.context, held={}), lambda: world.now, public_url=None)
    person = signed_in(bare, clerk.account)
    for path in ("/court", "/court/new", "/court/import"):
        assert "xianjie keys hold cn/court/520100" in person.get(path).text
    assert '<form method="post" action="/court/new"' not in person.get("/court/new").text

"""移送检索 Page after page gives every referral that fits, each once, in order, on either engine."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from gateway.domain.lifecycle import OPEN_NEEDS, NeedState
from gateway.domain.person import SpecificGroup
from gateway.store import referral_search
from gateway.store import tables as t
from gateway.store.clock import from_ms, to_ms
from gateway.store.referral_search import Asked, Place
from tests.gateway_world import CIVIL_AFFAIRS, COURT, NEIGHBOUR, World

COUNT = 60
STATES = ("handed_off", "assisted", "held", "accepted")
KINDS = ("criminal", "civil", "other")
Rows = list[dict[str, Any]]


@pytest.fixture
def rows(world: World) -> Rows:
    """Sixty referrals of two courts, each with the states of its two needs; three of them in each millisecond."""
    world.refer()
    (referral,), (need,) = world.rows(t.referrals), world.rows(t.needs)
    del referral["row"], need["row"]
    world.change(t.needs.delete())
    world.change(t.referrals.delete())
    made = [_made(number, referral["accepted_at"]) for number in range(COUNT)]
    for one in made:
        own = {
            name: one[name] for name in ("referral_id", "court", "accepted_at", "groups", "case_type", "case_number")
        }
        world.change(t.referrals.insert().values({**referral, **own}))
        for place, state in enumerate(one["states"]):
            need_id = f"{one['referral_id']}:{place}"
            where = {"need_id": need_id, "state": state, "office_id": CIVIL_AFFAIRS if place else None}
            shared = {name: one[name] for name in ("referral_id", "court", "accepted_at")}
            world.change(t.needs.insert().values({**need, **shared, **where}))
    _put_clocks(world, made)
    return made


def _made(number: int, began: int) -> dict[str, Any]:
    return {
        "referral_id": f"s-{number:02}",
        "case_number": f"（2026）黔01司救刑{number}号",
        "court": NEIGHBOUR if number % 4 == 0 else COURT,
        "accepted_at": began + number // 3,
        "groups": "MINOR WOMAN" if number % 7 == 0 else "",
        "case_type": KINDS[number % 3],
        "states": (STATES[number % 4], STATES[(number // 4) % 4]),
        "due_in": (number * 17) % 23 - 11,
    }


def _put_clocks(world: World, made: Rows) -> None:
    by_id = {one["referral_id"]: one for one in made}
    for need in world.rows(t.needs):
        one = by_id[need["referral_id"]]
        if need["state"] in OPEN_NEEDS:
            world.change(
                t.need_clocks.insert().values(
                    need_row=need["row"],
                    need_id=need["need_id"],
                    referral_id=need["referral_id"],
                    court=need["court"],
                    must_act="operator" if need["office_id"] is None else need["office_id"],
                    waits_for="relay",
                    limit_id="L01",
                    is_minor=False,
                    due_at=to_ms(world.now) + one["due_in"] * 1000,
                    is_unknown=False,
                    is_unexplained=False,
                )
            )


def walked(world: World, asked: Asked, *, length: int, stretch: int = referral_search.STRETCH) -> list[str]:
    """Every page, one after the other."""
    seen: list[str] = []
    after: Place | None = None
    for _ in range(10 * COUNT):
        with world.store.reading() as connection:
            page = referral_search.search(connection, asked, now=world.now, after=after, length=length, stretch=stretch)
        assert len(page.referrals) <= length
        seen += [one.referral_id for one in page.referrals]
        if page.next is None:
            assert page.looked_to is None
            return seen
        after = page.next
    raise AssertionError("it never ends")


def newest(rows: Rows, fits: Callable[[dict[str, Any]], bool]) -> list[str]:
    return [one["referral_id"] for one in reversed(rows) if fits(one)]


def at(rows: Rows, number: int) -> datetime:
    return from_ms(int(rows[number]["accepted_at"]))


SEVERAL = (NeedState.HANDED_OFF, NeedState.HELD)


@pytest.mark.parametrize("length", [1, 4, 50])
def test_every_search_gives_what_fits_each_once_and_in_order(world: World, rows: Rows, length: int) -> None:
    both = (COURT, NEIGHBOUR)
    searches: list[tuple[Asked, Callable[[dict[str, Any]], bool]]] = [
        (Asked(), lambda _: True),
        (Asked(courts=both), lambda _: True),
        (Asked(courts=(NEIGHBOUR,)), lambda one: one["court"] == NEIGHBOUR),
        (Asked(courts=()), lambda _: False),
        (Asked(states=(NeedState.HELD,)), lambda one: "held" in one["states"]),
        (Asked(states=SEVERAL), lambda one: bool({"held", "handed_off"} & set(one["states"]))),
        (Asked(states=SEVERAL, courts=both), lambda one: bool({"held", "handed_off"} & set(one["states"]))),
        (Asked(office=CIVIL_AFFAIRS), lambda _: True),
        (
            Asked(office=CIVIL_AFFAIRS, states=(NeedState.HELD,), courts=(COURT,)),
            lambda one: one["states"][1] == "held" and one["court"] == COURT,
        ),
        (Asked(group=SpecificGroup.MINOR), lambda one: "MINOR" in one["groups"]),
        (
            Asked(group=SpecificGroup.WOMAN, case_type="criminal", courts=both),
            lambda one: "WOMAN" in one["groups"] and one["case_type"] == "criminal",
        ),
        (
            Asked(accepted_from=at(rows, 20), accepted_until=at(rows, 40)),
            lambda one: rows[20]["accepted_at"] <= one["accepted_at"] < rows[40]["accepted_at"],
        ),
        (Asked(case_number=rows[7]["case_number"]), lambda one: one is rows[7]),
        (Asked(case_number=rows[7]["case_number"], states=(NeedState.CLOSED,)), lambda _: False),
        (Asked(case_number=rows[7]["case_number"], courts=(NEIGHBOUR,)), lambda _: False),
    ]
    for asked, fits in searches:
        expected = newest(rows, fits)
        assert walked(world, asked, length=length) == expected, asked
        assert list(dict.fromkeys(walked(world, asked, length=length, stretch=6))) == expected, asked


@pytest.mark.parametrize("courts", [None, (COURT, NEIGHBOUR), (NEIGHBOUR,)])
def test_overdue_ones_come_by_what_passed_first(world: World, rows: Rows, courts: tuple[str, ...] | None) -> None:
    needs = {row["need_id"]: row for row in world.rows(t.needs)}
    late = sorted(
        (row["due_at"], row["need_row"], row["referral_id"])
        for row in world.rows(t.need_clocks)
        if row["due_at"] < to_ms(world.now) and (courts is None or needs[row["need_id"]]["court"] in courts)
    )
    expected = list(dict.fromkeys(referral_id for _, _, referral_id in late))
    assert expected
    for length in (1, 4, 50):
        assert walked(world, Asked(overdue=True, courts=courts), length=length) == expected
        # where a stretch ends between two needs of one referral, it is told twice
        again = walked(world, Asked(overdue=True, courts=courts), length=length, stretch=5)
        assert list(dict.fromkeys(again)) == expected
    world.change(t.needs.update().values(state="closed"))
    assert walked(world, Asked(overdue=True, courts=courts), length=4) == []


def test_who_must_act_and_which_office_are_asked_of_the_same_need(world: World, rows: Rows) -> None:
    of_office = walked(world, Asked(overdue=True, must_act=CIVIL_AFFAIRS), length=5)
    assert of_office == walked(world, Asked(overdue=True, office=CIVIL_AFFAIRS), length=5)
    of_operator = walked(world, Asked(overdue=True, must_act="operator"), length=5)
    assert set(of_office) != set(of_operator)
    for referral_id in of_office:
        number = next(one["case_number"] for one in rows if one["referral_id"] == referral_id)
        asked = Asked(case_number=number, overdue=True, must_act=CIVIL_AFFAIRS)
        assert walked(world, asked, length=5) == [referral_id]
        assert walked(world, Asked(case_number=number, overdue=True, must_act="nobody"), length=5) == []


def test_a_list_tells_which_needs_are_late(world: World, rows: Rows) -> None:
    with world.store.reading() as connection:
        page = referral_search.search(connection, Asked(), now=world.now, length=COUNT)
    by_id = {one.referral_id: one for one in page.referrals}
    for one in rows:
        listed = by_id[one["referral_id"]]
        assert [need.state.value for need in listed.needs] == list(one["states"])
        for need in listed.needs:
            assert need.is_overdue == (need.state in OPEN_NEEDS and one["due_in"] < 0)
    with world.store.reading() as connection:
        later = referral_search.search(connection, Asked(), now=world.now + timedelta(minutes=1), length=COUNT)
    assert all(need.is_overdue == (need.state in OPEN_NEEDS) for one in later.referrals for need in one.needs)

"""卷宗 What reconciliation reads: whole, in order, of the right court and days, and marked for the next look."""

from collections.abc import Iterator
from datetime import date, timedelta

import pytest

from gateway.domain.lifecycle import HandoffState, NeedState
from gateway.domain.reconciliation.values import Dossier
from gateway.store import dossiers, referrals
from gateway.store import tables as t
from tests.builders import an_id_number
from tests.gateway_world import COURT, NEIGHBOUR, World, a_referral_body

MINUTE = timedelta(minutes=1)


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    made = World(database_url)
    yield made
    made.close()


def read(world: World, *ids: str, **how: bool) -> list[Dossier]:
    with world.store.reading() as connection:
        return dossiers.read(connection, ids, **how)


def due(world: World, limit: int = 10) -> dict[str, int]:
    with world.store.reading() as connection:
        return dossiers.due(connection, now=world.now, limit=limit)


def another_person(serial: int) -> dict[str, object]:
    person = dict(a_referral_body()["person"])
    return person | {"id_number": an_id_number(serial=serial)}


def test_a_dossier_holds_everything_recorded_about_its_referral(world: World) -> None:
    handoff = world.hand_over()
    world.answer(handoff, "20")
    payment = {"referral_id": "r-1", "payment_id": "p-1", "amount_fen": 2_000_000, "paid_on": "2026-03-03"}
    world.accept(world.court.sign("judicial_assistance.paid", payment | {"payee": "BENEFICIARY"}, now=world.now))
    (found,) = read(world, "r-1")
    assert (found.referral.court, found.referral.case_number) == (COURT, "（2026）黔01司救执1号")
    assert found.referral.decided_amount_fen == 2_000_000
    assert [(need.need_id, need.programme) for need in found.needs] == [("r-1:1", "MLG")]
    assert [row.state for row in found.handoffs] == [HandoffState.ANSWERED]
    assert [(row.applied, row.problem) for row in found.replies] == [(True, None)]
    assert [(row.payment_id, row.amount_fen, row.paid_on) for row in found.court_payments] == [
        ("p-1", 2_000_000, date(2026, 3, 3))
    ]
    assert found.others == ()


def test_dossiers_come_in_the_order_asked_and_unknown_ids_are_left_out(world: World) -> None:
    world.refer()
    world.refer(referral_id="r-2", person=another_person(1))
    assert [one.referral.referral_id for one in read(world, "r-2", "none", "r-1")] == ["r-2", "r-1"]
    assert read(world) == []


def test_the_same_persons_other_referral_comes_along_and_a_strangers_does_not(world: World) -> None:
    world.refer()
    world.refer(world.neighbour, referral_id="r-2", case_number="（2026）黔03司救执1号")
    world.refer(referral_id="r-3", person=another_person(1))
    first, third = read(world, "r-1", "r-3")
    assert [other.referral.referral_id for other in first.others] == ["r-2"]
    assert [need.need_id for need in first.others[0].needs] == ["r-2:1"]
    assert third.others == ()
    assert read(world, "r-1", with_others=False)[0].others == ()


def test_a_dossier_names_nobody(world: World) -> None:
    world.hand_over()
    shown = repr(read(world, "r-1"))
    person = a_referral_body()["person"]
    assert not [value for value in (person["name"], person["id_number"], person["phone"]) if value in shown]


def test_pages_are_of_one_court_and_within_china_days(world: World) -> None:
    world.refer()
    world.refer(world.neighbour, referral_id="r-2", case_number="（2026）黔03司救执1号")
    world.wait(timedelta(hours=15))  # past midnight in China, the same day in UTC
    world.refer(referral_id="r-3", person=another_person(1), concluded_on="2026-03-03")

    def pages(**which: object) -> list[list[str]]:
        with world.store.reading() as connection:
            return list(dossiers.pages(connection, **which))  # type: ignore[arg-type]

    third, fourth, second = date(2026, 3, 3), date(2026, 3, 4), date(2026, 3, 2)
    assert pages() == [["r-1", "r-2", "r-3"]]
    assert pages(court=NEIGHBOUR) == [["r-2"]]
    assert pages(accepted=(third, third)) == [["r-1", "r-2"]]
    assert pages(accepted=(fourth, fourth)) == [["r-3"]]
    assert pages(concluded=(second, second), court=COURT) == [["r-1"]]
    assert pages(court="cn/court/529999") == []


def test_pages_end_and_miss_nobody_however_many_there_are(sqlite_url: str) -> None:
    world = World(sqlite_url)
    world.refer()
    (first,) = world.rows(t.referrals)
    copies = [first | {"row": at, "referral_id": f"r-{at}"} for at in range(2, dossiers.CHUNK + 3)]
    world.store.write(lambda c: c.execute(t.referrals.insert(), copies))
    with world.store.reading() as connection:
        assert [len(page) for page in dossiers.pages(connection)] == [dossiers.CHUNK, 2]
    world.close()


def test_a_new_referral_is_due_for_a_look_in_the_next_moment(world: World) -> None:
    world.refer()
    assert due(world) == {}
    world.wait(timedelta(milliseconds=1))
    assert list(due(world)) == ["r-1"]


def test_a_look_sets_the_next_one(world: World) -> None:
    world.refer()
    world.wait(MINUTE)
    marks, later = due(world), world.now + MINUTE
    world.store.write(lambda c: dossiers.looked(c, marks, {"r-1": later}))
    assert due(world) == {}
    world.wait(2 * MINUTE)
    assert list(due(world)) == ["r-1"]
    world.store.write(lambda c: dossiers.looked(c, due(world), {"r-1": None}))
    assert due(world) == {}


def test_what_happened_while_somebody_looked_is_looked_at_again(world: World) -> None:
    world.refer()
    world.wait(MINUTE)
    marks, now = due(world), world.now
    world.store.write(lambda c: referrals.touch(c, ["r-1"], now=now))
    world.store.write(lambda c: dossiers.looked(c, marks, {"r-1": None}))
    world.wait(MINUTE)
    assert list(due(world)) == ["r-1"]


def test_the_longest_waiting_are_looked_at_first(world: World) -> None:
    for at in range(3):
        world.refer(referral_id=f"r-{at}", person=another_person(at))
        world.wait(MINUTE)
    now = world.now
    world.store.write(lambda c: referrals.touch(c, ["r-0"], now=now))
    world.wait(MINUTE)
    assert list(due(world, limit=2)) == ["r-1", "r-2"]


def test_a_household_is_everybody_who_shares_a_person(world: World) -> None:
    child = {"name": "测试丙", "relation": "20", "id_type": "111", "id_number": an_id_number(date(2016, 5, 4))}
    world.refer(person=a_referral_body()["person"] | {"household": [child]})
    own = another_person(7) | {"id_number": child["id_number"], "birth_date": "2016-05-04"}
    world.refer(referral_id="r-2", person=own, original_case_group="（2025）黔0102民初2号")
    world.refer(referral_id="r-3", person=another_person(3))
    with world.store.reading() as connection:
        assert dossiers.household(connection, "r-2") == ["r-1", "r-2"]
        assert dossiers.household(connection, "r-3") == ["r-3"]
        assert dossiers.household(connection, "none") == []


def test_held_needs_name_their_rules_once(world: World) -> None:
    world.refer(unenforced_balance_fen=1, needs=[{"programme": "MLG"}, {"programme": "EDU"}])
    with world.store.reading() as connection:
        assert dossiers.holds_of(connection, "r-1") == ("A02",)
        assert referrals.held(connection) == [("r-1", COURT, "A02", 2)]


def test_only_named_columns_of_a_need_can_be_changed(world: World) -> None:
    world.refer()
    (row,) = world.rows(t.needs)
    forged = row | {"state": NeedState.ROUTED.value, "referral_id": "r-9", "court": NEIGHBOUR}
    world.store.write(lambda c: referrals.save_needs(c, [forged], []))
    (kept,) = world.rows(t.needs)
    assert (kept["state"], kept["referral_id"], kept["court"]) == ("routed", "r-1", COURT)

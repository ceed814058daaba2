"""占位 Before granting, an agency asks; exactly one gets the months, and the other learns no more than it may."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.domain.agreement import Channel
from gateway.errors import IllegalMove, ReservationUnknown, RuleBlocked, SchemaInvalid, XianjieError
from gateway.evidence.receipt import Receipt
from gateway.flows.accept import accept_many
from gateway.flows.cutoff import cut_off
from gateway.flows.reserve import expire
from gateway.store import tables as t
from tests.builders import an_id_number
from tests.gateway_world import AGREEMENT, CIVIL_AFFAIRS, DISABLED_PERSONS, World

MONTHS = {"from_month": "2026-03", "until_month": "2026-12"}


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """With a second civil affairs office in another county."""
    made = World(database_url)
    made.add_office("civil_affairs", Channel.MAILBOX, "520103")
    yield made
    made.close()


def asked(world: World, reservation_id: str, office_id: str = CIVIL_AFFAIRS, **changes: Any) -> bytes:
    """An office asks for the minimum living guarantee of one person, March to December."""
    body = {
        "reservation_id": reservation_id,
        "agreement_document": "黔高法〔2022〕98号",
        "person": {"id_type": "111", "id_number": an_id_number()},
        "programme": "MLG",
        "amount_fen": 60_000,
        **MONTHS,
    }
    data = {name: value for name, value in (body | changes).items() if value is not None}
    return world.offices[office_id].partner.sign("reservation.requested", data, now=world.now)


def ask(world: World, reservation_id: str, office_id: str = CIVIL_AFFAIRS, **changes: Any) -> Receipt:
    return world.accept(asked(world, reservation_id, office_id, **changes))


def end(world: World, reservation_id: str, what: str, office_id: str = CIVIL_AFFAIRS) -> Receipt:
    partner = world.offices[office_id].partner
    return world.accept(partner.sign(f"reservation.{what}", {"reservation_id": reservation_id}, now=world.now))


def state(receipt: Receipt) -> str:
    assert receipt.answer is not None
    return str(receipt.answer["state"])


OTHER = "civil_affairs-520103"


def test_the_first_who_asks_has_it_until_the_limit_passes(world: World) -> None:
    receipt = ask(world, "v-1")
    assert receipt.answer is not None
    assert receipt.answer["state"] == "reserved"
    assert receipt.answer["until"] == world.now + timedelta(hours=48)


def test_the_second_office_learns_that_the_months_are_taken(world: World) -> None:
    ask(world, "v-1")
    receipt = ask(world, "v-2", OTHER, from_month="2026-12", until_month=None)
    assert receipt.answer is not None
    (conflict,) = receipt.answer["conflicts"]
    assert (conflict["code"], conflict["rule_id"], conflict["until_month"]) == (
        "DUP_SAME_PROGRAMME_PERIOD",
        "CX14",
        "2026-12",
    )


def test_another_agencys_programme_is_not_named(world: World) -> None:
    ask(world, "v-1", programme="DST")
    receipt = ask(world, "v-2", DISABLED_PERSONS, programme="MLG")
    assert receipt.answer is not None
    (conflict,) = receipt.answer["conflicts"]
    assert conflict == {"code": "DUP_EXCLUSIVE_PROGRAMMES", "rule_id": "CX03"}


def test_where_the_agreement_lets_agencies_see_each_other_it_is_named(world: World) -> None:
    open_ = AGREEMENT.replace("version = 1", "version = 2") + "agencies_see_each_other = true\n"
    world.load_agreement(open_)
    ask(world, "v-1", programme="DST")
    receipt = ask(world, "v-2", DISABLED_PERSONS, programme="MLG")
    assert receipt.answer is not None
    assert receipt.answer["conflicts"][0]["agency"] == "civil_affairs"
    assert receipt.answer["conflicts"][0]["programme"] == "DST"


def test_months_that_do_not_meet_are_no_conflict(world: World) -> None:
    ask(world, "v-1")
    assert state(ask(world, "v-2", OTHER, from_month="2027-01", until_month="2027-03")) == "reserved"


def test_a_one_time_programme_is_reserved_once_whatever_the_month(world: World) -> None:
    ask(world, "v-1", programme="CAN2", from_month="2026-03", until_month="2026-03")
    receipt = ask(world, "v-2", OTHER, programme="CAN2", from_month="2027-09", until_month="2027-09")
    assert receipt.answer is not None
    assert receipt.answer["conflicts"][0]["code"] == "DUP_ONE_TIME_REPEATED"


def test_what_nobody_confirms_is_free_again(world: World) -> None:
    ask(world, "v-1")
    world.wait(timedelta(hours=49))
    assert state(ask(world, "v-2", OTHER)) == "reserved"
    with pytest.raises(IllegalMove):
        end(world, "v-1", "confirmed")


def test_the_worker_frees_what_is_over(world: World) -> None:
    ask(world, "v-1")
    assert expire(world.context, now=world.now) == 0
    assert expire(world.context, now=world.now + timedelta(hours=49)) == 1
    assert world.rows(t.reservation_slots) == []


def test_a_confirmed_one_stays_and_a_released_one_frees(world: World) -> None:
    ask(world, "v-1")
    assert state(end(world, "v-1", "confirmed")) == "confirmed"
    world.wait(timedelta(days=30))
    assert state(ask(world, "v-2", OTHER)) == "conflict"
    end(world, "v-1", "released")
    assert state(ask(world, "v-3", OTHER)) == "reserved"


def test_only_its_holder_ends_it(world: World) -> None:
    ask(world, "v-1")
    with pytest.raises(ReservationUnknown):
        end(world, "v-1", "released", OTHER)


def test_a_grant_told_before_stands_against_it(world: World) -> None:
    handoff = world.hand_over()
    world.answer(handoff, "30", xj_amount="600.00", abaf0028="202603", abaf0029="202612")
    receipt = ask(world, "v-1", OTHER)
    assert state(receipt) == "conflict"


def test_the_need_itself_is_reserved_by_the_office_that_has_it(world: World) -> None:
    world.hand_over()
    own = {"person": None, "agreement_document": None, "need_id": "r-1:1"}
    assert state(ask(world, "v-1", **own)) == "reserved"
    assert state(ask(world, "v-2", **own)) == "conflict"
    with pytest.raises(ReservationUnknown):
        ask(world, "v-3", OTHER, **own)


def test_a_replay_gets_the_same_answer(world: World) -> None:
    raw = asked(world, "v-1")
    first = world.accept(raw)
    world.wait(timedelta(hours=1))
    assert world.accept(raw).jws == first.jws


def test_without_authorised_matching_a_person_cannot_be_asked_for(world: World) -> None:
    world.load_agreement(
        AGREEMENT.replace("version = 1", "version = 2").replace("authorised = true", "authorised = false")
    )
    with pytest.raises(RuleBlocked):
        ask(world, "v-1")
    assert world.rows(t.reservations) == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"programme": "NONE"}, "programme_unknown"),
        ({"until_month": "2026-02"}, "months_reversed"),
        ({"need_id": "r-1:1"}, "need_or_person"),
        ({"person": None}, "need_or_person"),
        ({"person": {"id_type": "111", "id_number": "123"}}, "id_unusable"),
        ({"from_month": "2026-13"}, "invalid"),
    ],
)
def test_what_cannot_be_asked_is_told(world: World, changes: dict[str, Any], code: str) -> None:
    with pytest.raises(SchemaInvalid) as refused:
        ask(world, "v-1", **changes)
    assert code in {problem.code for problem in refused.value.problems} or code == "invalid"


def test_the_number_itself_is_kept_nowhere_but_in_the_sealed_message(world: World) -> None:
    ask(world, "v-1")
    kept = str(world.rows(t.reservations)) + str(world.rows(t.reservation_slots)) + str(world.rows(t.decisions))
    assert an_id_number() not in kept


def test_a_court_that_refers_later_is_warned_and_nothing_is_held(world: World) -> None:
    ask(world, "v-1")
    receipt = world.refer()
    assert [(one.pointer, one.code) for one in receipt.warnings] == [("/data/needs/0", "reserved_elsewhere")]
    assert receipt.holds == ()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (t.reservations.delete(), "reservations"),
        (t.reservations.update().values(person_key="0" * 64), "reservations"),
        (t.reservations.update().values(state="released"), "reservations"),
        (t.reservation_slots.delete(), "reservation_slots"),
    ],
)
def test_a_cut_off_names_what_somebody_changed(world: World, change: sa.Executable, named: str) -> None:
    ask(world, "v-1")
    assert cut_off(world.context, now=world.now).wrong == 0
    world.change(change)
    made = cut_off(world.context, now=world.now)
    assert named in {trouble.table for trouble in made.troubles}


def test_of_a_thousand_who_ask_at_once_exactly_one_wins(world: World) -> None:
    twin = world.twin()
    raws = [asked(world, f"v-{number}", (CIVIL_AFFAIRS, OTHER, DISABLED_PERSONS)[number % 3]) for number in range(1000)]
    groups = [raws[start : start + 25] for start in range(0, 1000, 25)]

    def send(at: int) -> list[Any]:
        return accept_many(groups[at], (world.context, twin)[at % 2], now=world.now)

    with ThreadPoolExecutor(16) as pool:
        outcomes = [outcome for found in pool.map(send, range(len(groups))) for outcome in found]
    twin.store.close()
    assert [one for one in outcomes if isinstance(one, XianjieError)] == []
    states = [row["state"] for row in world.rows(t.reservations)]
    assert (states.count("reserved"), states.count("conflict")) == (1, 999)
    assert len(world.rows(t.reservation_slots)) == 10

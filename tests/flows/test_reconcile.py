"""对账 The file says what the facts say, whenever it is asked; looking alone writes nothing."""

import threading
from datetime import timedelta
from typing import Any

import pytest

from gateway.errors import DeniedWithoutReason
from gateway.flows.reconcile import look, reconcile_all, reconcile_due
from gateway.store import findings
from gateway.store import tables as t
from gateway.store.findings import Changes
from tests.builders import an_id_number
from tests.gateway_world import CIVIL_AFFAIRS, COURT, NEIGHBOUR, World, a_referral_body

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
PERSON = a_referral_body()["person"]
APPROVED: dict[str, Any] = {"xj_amount": "650.00", "abaf0028": "202603", "abaf0029": "202702"}
PAID: dict[str, Any] = {"xj_amount": "650.00", "abaf0028": "202603", "abaf0029": "202603", "xj_payee": "1"}


def run_due(world: World) -> int:
    world.wait(MINUTE)
    return reconcile_due(world.context, now=world.now).referrals


def run_all(world: World) -> Changes:
    world.wait(MINUTE)
    return reconcile_all(world.context, now=world.now).changes


def pay(world: World, payment_id: str, amount_fen: int = 2_000_000) -> None:
    body = {
        "referral_id": "r-1",
        "payment_id": payment_id,
        "amount_fen": amount_fen,
        "paid_on": "2026-03-03",
        "payee": "BENEFICIARY",
    }
    world.accept(world.court.sign("judicial_assistance.paid", body, now=world.now))


def the_neighbours(world: World, **changes: Any) -> None:
    own = {"referral_id": "r-2", "case_number": "（2026）黔03司救民7号"}
    world.refer(world.neighbour, **(own | changes))


# --- running ---


def test_a_second_run_changes_nothing(world: World) -> None:
    world.refer()
    pay(world, "p-1")
    pay(world, "p-2")
    assert run_all(world).opened == 1
    before = world.rows(t.findings)
    assert run_all(world) == Changes(unchanged=1)
    assert world.rows(t.findings) == before


def test_what_is_cured_is_closed_and_what_comes_back_is_reopened(world: World) -> None:
    world.refer(person=PERSON | {"household_registration_region": "520302"})
    world.dispatch()
    assert run_all(world).opened == 1
    assert world.open_codes() == ["MISS_UNROUTABLE"]
    world.change(t.needs.update().values(unroutable=None))
    assert run_all(world).closed == 1
    assert world.open_codes() == []
    world.change(t.needs.update().values(unroutable="no_office"))
    assert run_all(world).reopened == 1
    assert len(world.rows(t.findings)) == 1


def test_only_what_something_happened_to_is_looked_at(world: World) -> None:
    world.refer()
    world.refer(referral_id="r-2", person=PERSON | {"id_number": an_id_number(serial=1)})
    assert run_due(world) == 2
    assert run_due(world) == 0
    pay(world, "p-1")
    assert run_due(world) == 1


def test_what_happens_to_one_referral_is_looked_at_in_the_persons_others_too(world: World) -> None:
    world.refer()
    run_due(world)
    the_neighbours(world, original_case_group="（2024）黔0302民初9号")
    assert run_due(world) == 2
    pay(world, "p-1")
    assert run_due(world) == 2


def test_time_alone_brings_the_next_look_and_the_overdue_finding(world: World) -> None:
    world.hand_over()
    run_due(world)
    assert world.open_codes() == []
    due = world.rows(t.referrals)[0]["reconcile_at"]
    assert due is not None
    for _ in range(60):
        world.wait(DAY)
        reconcile_due(world.context, now=world.now)
        if world.open_codes():
            break
    assert set(world.open_codes()) <= {"MISS_NO_RECEIPT", "MISS_NO_DECISION"}
    assert world.open_codes()


def test_two_processes_that_reconcile_at_once_agree(world: World) -> None:
    for at in range(6):
        world.refer(referral_id=f"r-{at + 1}", person=PERSON | {"id_number": an_id_number(serial=at)})
    pay(world, "p-1")
    pay(world, "p-2")
    twin = world.twin()
    world.wait(MINUTE)
    now = world.now
    failures: list[BaseException] = []

    def work(context: Any) -> None:
        try:
            for _ in range(3):
                reconcile_all(context, now=now)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(context,)) for context in (world.context, twin)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    twin.store.close()
    assert failures == []
    assert [row["code"] for row in world.rows(t.findings)] == ["DUP_PAYMENT"]


# --- looking ---


def test_looking_as_of_a_later_day_writes_nothing(world: World) -> None:
    world.hand_over()
    before = {table.name: world.rows(table) for table in t.metadata.sorted_tables}
    found = list(look(world.context, as_of=world.now + 60 * DAY, now=world.now))
    assert found
    assert {table.name: world.rows(table) for table in t.metadata.sorted_tables} == before
    assert list(look(world.context, as_of=world.now, now=world.now)) == []


def test_a_court_looks_at_its_own_alone(world: World) -> None:
    world.hand_over()
    later = world.now + 60 * DAY
    assert list(look(world.context, as_of=later, now=world.now, court=NEIGHBOUR)) == []
    mine = list(look(world.context, as_of=later, now=world.now, court=COURT))
    assert {finding.referral_id for finding in mine} == {"r-1"}


# --- what is and is not in doubt ---


def test_judicial_aid_and_then_social_aid_is_the_purpose_and_no_finding(world: World) -> None:
    handoff = world.hand_over()
    pay(world, "p-1")
    world.answer(handoff, "30", **APPROVED)
    world.answer(handoff, "40", **PAID)
    run_all(world)
    assert world.open_codes() == []


def test_two_aids_for_one_case_are_one_finding_on_the_later(world: World) -> None:
    world.refer()
    world.wait(MINUTE)
    the_neighbours(world)
    run_all(world)
    with world.store.reading() as connection:
        kept = findings.listed(connection, code="DUP_SAME_ORIGINAL_CASE")
    assert [one.finding.referral_id for one in kept] == ["r-2"]
    assert kept[0].finding.stake_fen > 0


def test_a_withdrawn_first_aid_cures_the_second(world: World) -> None:
    world.refer()
    world.wait(MINUTE)
    the_neighbours(world)
    run_due(world)
    assert "DUP_SAME_ORIGINAL_CASE" in world.open_codes()
    body = {"referral_id": "r-1", "reason": "报送有误"}
    world.accept(world.court.sign("referral.withdrawn", body, now=world.now))
    run_due(world)
    assert "DUP_SAME_ORIGINAL_CASE" not in world.open_codes()


def test_a_gap_in_a_partys_numbers_is_found_and_cured_when_the_missing_one_comes(world: World) -> None:
    world.court.seq = 0
    first = world.court.sign("referral.submitted", a_referral_body(), now=world.now)
    person = PERSON | {"id_number": an_id_number(serial=1)}
    second = world.court.sign("referral.submitted", a_referral_body(referral_id="r-2", person=person), now=world.now)
    world.accept(second)
    run_all(world)
    assert world.open_codes() == ["SEQ_GAP"]
    world.accept(first)
    run_all(world)
    assert world.open_codes() == []


def test_no_finding_names_anybody(world: World) -> None:
    handoff = world.hand_over()
    pay(world, "p-1")
    pay(world, "p-2")
    world.answer(handoff, "77", axdf0004=an_id_number(serial=8))
    with pytest.raises(DeniedWithoutReason):
        world.answer(handoff, "31")
    run_all(world)
    shown = str(world.rows(t.findings))
    assert len(world.open_codes()) >= 3
    for secret in (PERSON["name"], PERSON["id_number"], PERSON["phone"], an_id_number(serial=8)):
        assert secret not in shown


def test_each_finding_says_under_which_agreement_it_was_found(world: World) -> None:
    world.refer()
    pay(world, "p-1")
    pay(world, "p-2")
    run_all(world)
    assert [row["rulebook"] for row in world.rows(t.findings)] == ["黔高法〔2022〕98号/1"]
    assert [row["must_act"] for row in world.rows(t.findings)] == [COURT]


def test_a_parked_handoff_is_seen_by_reconciliation(world: World) -> None:
    world.refer()
    world.dispatch()
    world.change(t.handoffs.update().values(state="parked", parked_reason="no_connection"))
    assert world.offices[CIVIL_AFFAIRS].received == []
    world.wait(10 * DAY)
    run_all(world)
    assert world.open_codes()

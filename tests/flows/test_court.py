"""法院后续报文 Withdrawing before and after work began, and the court's own payments, each kept once."""

from datetime import timedelta
from typing import Any

import pytest

from gateway.envelope.signing import VerifiedMessage
from gateway.errors import IllegalMove, MessageError, ReferralUnknown, RuleBlocked, SchemaInvalid
from gateway.evidence.receipt import Receipt
from gateway.flows.accept import Accepted, accept_many
from gateway.flows.reconcile import reconcile_all
from gateway.store import tables as t
from gateway.transport.answer import Answer
from tests.builders import an_id_number
from tests.gateway_world import CIVIL_AFFAIRS, DISABLED_PERSONS, START, Partner, World, a_referral_body


def withdraw(world: World, referral_id: str = "r-1", *, court: Partner | None = None) -> Receipt:
    body = {"referral_id": referral_id, "reason": "报送有误"}
    return world.accept((court or world.court).sign("referral.withdrawn", body, now=world.now))


def pay(world: World, payment_id: str = "p-1", *, court: Partner | None = None, **changes: Any) -> Receipt:
    honest = {
        "referral_id": "r-1",
        "payment_id": payment_id,
        "amount_fen": 2_000_000,
        "paid_on": "2026-03-03",
        "payee": "BENEFICIARY",
    }
    return world.accept((court or world.court).sign("judicial_assistance.paid", honest | changes, now=world.now))


def types(world: World, office_id: str = CIVIL_AFFAIRS) -> list[str]:
    return [message.envelope.type for message in world.offices[office_id].received]


def handoff_states(world: World) -> list[str]:
    return [row["state"] for row in world.rows(t.handoffs)]


def consent(world: World, handoff: VerifiedMessage) -> Receipt:
    return world.answer(handoff, "90")


# --- withdrawal ---


def test_what_was_not_dispatched_is_withdrawn_and_no_office_hears_of_it(world: World) -> None:
    world.refer()
    withdraw(world)
    assert world.states() == ["withdrawn"]
    assert world.dispatch().handoffs == 0
    assert world.rows(t.outbox) == []


def test_a_held_referral_can_be_withdrawn_and_is_held_no_longer(world: World) -> None:
    world.refer(unenforced_balance_fen=1)
    withdraw(world)
    (need,) = world.rows(t.needs)
    assert (need["state"], need["held_for"]) == ("withdrawn", None)


def test_what_an_office_holds_but_has_not_begun_is_withdrawn_and_the_office_is_told(world: World) -> None:
    handoff = world.hand_over()
    withdraw(world)
    assert (world.states(), handoff_states(world)) == (["withdrawn"], ["withdrawn"])
    world.deliver()
    notice = world.offices[CIVIL_AFFAIRS].received[-1]
    assert types(world) == ["handoff.issued", "handoff.withdrawn"]
    assert (notice.envelope.in_reply_to, notice.envelope.in_reply_to_digest) == (handoff.envelope.id, handoff.digest)
    assert notice.envelope.data == {"handoff_id": handoff.envelope.data["xj_handoff"], "needs": ["r-1:1"]}


def test_the_withdrawal_tells_an_office_no_reason(world: World) -> None:
    world.hand_over()
    withdraw(world)
    world.deliver()
    assert b"\\u62a5" not in world.offices[CIVIL_AFFAIRS].bodies[-1]
    assert set(world.offices[CIVIL_AFFAIRS].received[-1].envelope.data) == {"handoff_id", "needs"}


def test_after_work_began_the_office_must_consent(world: World) -> None:
    handoff = world.hand_over()
    world.answer(handoff, "20")
    withdraw(world)
    assert world.states() == ["cancel_requested"]
    assert handoff_states(world) == ["answered"]
    world.deliver()
    assert types(world) == ["handoff.issued", "handoff.withdrawn"]
    consent(world, handoff)
    assert (world.states(), handoff_states(world)) == (["cancelled"], ["completed"])


def test_the_office_may_consent_in_answer_to_the_withdrawal_itself(world: World) -> None:
    handoff = world.hand_over()
    world.answer(handoff, "20")
    withdraw(world)
    world.deliver()
    notice = world.offices[CIVIL_AFFAIRS].received[-1]
    world.wait(timedelta(hours=1))
    result = {"xj_need": "r-1:1", "xj_status": "90", "xj_at": world.now.isoformat().replace("+00:00", "Z")}
    body = {"xj_handoff": handoff.envelope.data["xj_handoff"], "xj_results": [result]}
    world.accept(world.reply(CIVIL_AFFAIRS, notice, "handoff.outcome", body))
    assert world.states() == ["cancelled"]


def test_an_office_that_paid_all_the_same_is_believed(world: World) -> None:
    handoff = world.hand_over()
    world.answer(handoff, "20")
    withdraw(world)
    world.answer(handoff, "40", xj_amount="650.00", abaf0028="202603", abaf0029="202603", xj_payee="1")
    assert world.states() == ["assisted"]


def test_of_two_needs_each_goes_its_own_way(world: World) -> None:
    world.hand_over(needs=[{"programme": "MLG"}, {"programme": "ASD"}])
    handoff = world.offices[CIVIL_AFFAIRS].received[-1]
    world.answer(handoff, "30", xj_amount="650.00", abaf0028="202603", abaf0029="202702")
    withdraw(world)
    assert world.states() == ["cancel_requested", "withdrawn"]
    world.deliver(DISABLED_PERSONS)
    world.deliver(DISABLED_PERSONS)
    assert types(world, DISABLED_PERSONS) == ["handoff.issued", "handoff.withdrawn"]


def test_the_withdrawal_never_overtakes_the_handoff(world: World) -> None:
    world.refer()
    world.dispatch()
    office = world.offices[CIVIL_AFFAIRS]
    office.fault = lambda _: Answer(status=503, body=b"")
    world.deliver()
    withdraw(world)
    office.fault = None
    assert world.deliver().sent == 0
    world.wait(timedelta(minutes=5))
    world.deliver()
    world.deliver()
    assert types(world) == ["handoff.issued", "handoff.withdrawn"]


def test_a_late_relay_of_a_withdrawn_handoff_changes_nothing(world: World) -> None:
    world.refer()
    world.dispatch()
    withdraw(world)
    world.deliver()
    assert (world.states(), handoff_states(world)) == (["withdrawn"], ["withdrawn"])


def test_an_office_is_told_once_however_often_the_court_says_it(world: World) -> None:
    world.hand_over()
    withdraw(world)
    with pytest.raises(IllegalMove):
        withdraw(world)
    assert [row["type"] for row in world.rows(t.outbox)] == ["handoff.issued", "handoff.withdrawn"]


def test_what_is_settled_cannot_be_withdrawn(world: World) -> None:
    handoff = world.hand_over()
    world.answer(handoff, "50")
    with pytest.raises(IllegalMove):
        withdraw(world)
    assert world.states() == ["not_assisted"]


def test_a_referral_that_asked_for_nothing_can_be_withdrawn_once(world: World) -> None:
    world.refer(assessment="NO_NEED", needs=[])
    withdraw(world)
    with pytest.raises(IllegalMove):
        withdraw(world)


def test_a_strangers_referral_and_none_at_all_get_one_answer(world: World) -> None:
    world.refer()
    for referral_id in ("r-1", "r-none"):
        with pytest.raises(ReferralUnknown) as caught:
            withdraw(world, referral_id, court=world.neighbour)
        assert caught.value.note == ""
    assert world.states() == ["accepted"]


def test_a_withdrawal_needs_a_reason(world: World) -> None:
    world.refer()
    with pytest.raises(SchemaInvalid):
        world.accept(world.court.sign("referral.withdrawn", {"referral_id": "r-1"}, now=world.now))
    with pytest.raises(SchemaInvalid):
        world.accept(world.court.sign("referral.withdrawn", ["r-1"], now=world.now))


def test_a_serial_route_is_withdrawn_at_the_organ_that_has_it(world: World) -> None:
    world.refer(needs=[{"programme": "LSD"}])
    world.dispatch()
    world.deliver(DISABLED_PERSONS)
    withdraw(world)
    world.deliver(DISABLED_PERSONS)
    assert world.dispatch().handoffs == 0
    assert types(world, DISABLED_PERSONS) == ["handoff.issued", "handoff.withdrawn"]
    assert types(world) == []


# --- payments ---


def test_a_payment_is_kept_to_the_fen(world: World) -> None:
    world.refer()
    pay(world, amount_fen=1)
    pay(world, "p-2", amount_fen=10**13)
    assert [row["amount_fen"] for row in world.rows(t.court_payments)] == [1, 10**13]


def test_a_second_payment_is_kept_and_pointed_at(world: World) -> None:
    world.refer()
    pay(world)
    pay(world, "p-2")
    world.wait(timedelta(minutes=1))
    reconcile_all(world.context, now=world.now)
    assert len(world.rows(t.court_payments)) == 2
    assert "DUP_PAYMENT" in world.open_codes()


def test_one_payment_as_decided_is_in_no_doubt(world: World) -> None:
    world.refer()
    pay(world)
    world.wait(timedelta(minutes=1))
    reconcile_all(world.context, now=world.now)
    assert world.open_codes() == []


def test_the_same_payment_id_again_is_refused_whatever_it_says(world: World) -> None:
    world.refer()
    pay(world)
    for amount in (2_000_000, 1):
        with pytest.raises(RuleBlocked) as caught:
            pay(world, amount_fen=amount)
        assert [(one.pointer, one.code) for one in caught.value.problems] == [("/data/payment_id", "repeated")]
    assert [row["amount_fen"] for row in world.rows(t.court_payments)] == [2_000_000]


def test_another_court_may_use_the_same_payment_id_for_its_own_referral(world: World) -> None:
    world.refer()
    person = a_referral_body()["person"] | {"id_number": an_id_number(serial=2)}
    world.refer(world.neighbour, referral_id="r-2", case_number="（2026）黔03司救民7号", person=person)
    pay(world)
    pay(world, court=world.neighbour, referral_id="r-2")
    assert len(world.rows(t.court_payments)) == 2


def test_nobody_pays_on_anothers_referral(world: World) -> None:
    world.refer()
    for referral_id in ("r-1", "r-none"):
        with pytest.raises(ReferralUnknown):
            pay(world, court=world.neighbour, referral_id=referral_id)
    assert world.rows(t.court_payments) == []


@pytest.mark.parametrize("amount", [0, -1, 1.5, "100", 10**13 + 1, True])
def test_an_amount_that_is_none_is_refused(sqlite_world: World, amount: Any) -> None:
    sqlite_world.refer()
    with pytest.raises(MessageError):
        pay(sqlite_world, amount_fen=amount)
    assert sqlite_world.rows(t.court_payments) == []


def test_a_payment_in_one_batch_with_its_referral_is_taken(world: World) -> None:
    body = {"referral_id": "r-1", "payment_id": "p-1", "amount_fen": 5, "paid_on": "2026-03-03", "payee": "AGENT"}
    raws = [
        world.court.sign("referral.submitted", a_referral_body(), now=START),
        world.court.sign("judicial_assistance.paid", body, now=START),
        world.court.sign("judicial_assistance.paid", body, now=START),
    ]
    first, second, third = accept_many(raws, world.context, now=world.now)
    assert isinstance(first, Accepted)
    assert isinstance(second, Accepted)
    assert isinstance(third, RuleBlocked)

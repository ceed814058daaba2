"""报文接收 One receipt a message for ever; a group costs nobody; what may not be sent is refused alike."""

import threading
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.errors import (
    IllegalMove,
    MessageError,
    ReferralIdTaken,
    ReferralUnknown,
    SameIdDifferentBytes,
    SchemaInvalid,
    StaleMessage,
    TrustError,
    UnknownMessageType,
    WrongRecipient,
    XianjieError,
)
from gateway.evidence.receipt import ReceiptVerdict, Rung, read
from gateway.flows.accept import Accepted, accept, accept_many
from gateway.store import directory
from gateway.store import tables as t
from tests.builders import an_id_number
from tests.gateway_world import COURT, GATEWAY, World, a_referral_body


def a_referral(world: World, referral_id: str = "r-1", **fields: Any) -> bytes:
    body = a_referral_body(referral_id=referral_id, **fields.pop("body", {}))
    return world.court.sign("referral.submitted", body, now=world.now, **fields)


def a_withdrawal(world: World, referral_id: str = "r-1", **fields: Any) -> bytes:
    body = {"referral_id": referral_id, "reason": "报送有误"}
    return world.court.sign("referral.withdrawn", body, now=world.now, **fields)


def send(world: World, *raws: bytes) -> list[Accepted | Exception]:
    return accept_many(raws, world.context, now=world.now)


def suspend(world: World, party_id: str) -> None:
    world.store.write(lambda c: directory.set_party_active(c, party_id, active=False, now=world.now))
    world.context.directory.forget()


def kinds(outcomes: list[Accepted | Exception]) -> list[str]:
    return [type(outcome).__name__ for outcome in outcomes]


# --- one effect, one receipt ---


def test_the_same_bytes_again_get_the_first_receipts_very_bytes(world: World) -> None:
    raw = a_referral(world)
    first = accept(raw, world.context, now=world.now)
    world.wait(timedelta(days=400))
    again = accept(raw, world.context, now=world.now)
    assert (first.replayed, again.replayed) == (False, True)
    assert again.receipt == first.receipt
    assert len(world.rows(t.inbox)) == len(world.rows(t.referrals)) == 1


def test_a_receipt_names_the_message_and_is_on_file_with_it(world: World) -> None:
    raw = a_referral(world)
    receipt = world.accept(raw)
    (kept,) = world.rows(t.inbox)
    assert (receipt.rung, receipt.verdict) == (Rung.SUBMISSION, ReceiptVerdict.ACCEPTED)
    assert (kept["jws"], kept["receipt"]) == (raw.decode(), receipt.jws)
    assert (kept["message_id"], kept["digest"]) == (receipt.message_id, receipt.message_digest)
    assert kept["subject"] == "r-1"


def test_the_same_id_with_other_bytes_is_refused_and_changes_nothing(world: World) -> None:
    world.accept(a_referral(world, id="m-1"))
    with pytest.raises(SameIdDifferentBytes):
        world.accept(a_referral(world, "r-2", id="m-1"))
    assert [row["referral_id"] for row in world.rows(t.referrals)] == ["r-1"]


def test_another_courts_message_of_the_same_id_is_its_own(world: World) -> None:
    world.accept(a_referral(world, id="m-1"))
    body = a_referral_body(referral_id="r-2", case_number="（2026）黔03司救执1号")
    world.accept(world.neighbour.sign("referral.submitted", body, now=world.now, id="m-1"))
    assert len(world.rows(t.inbox)) == 2


def test_a_refused_message_does_not_use_its_id_up(world: World) -> None:
    with pytest.raises(ReferralUnknown):
        world.accept(a_withdrawal(world, id="m-1"))
    world.accept(a_referral(world, id="m-1"))
    assert world.states() == ["accepted"]


def test_a_message_that_is_stale_by_now_but_was_accepted_then_is_a_replay(world: World) -> None:
    raw = a_referral(world, expires_at=world.now + timedelta(hours=1))
    first = accept(raw, world.context, now=world.now)
    world.wait(timedelta(hours=2))
    assert accept(raw, world.context, now=world.now).receipt == first.receipt


def test_a_message_that_is_stale_and_new_is_refused(world: World) -> None:
    raw = a_referral(world, expires_at=world.now + timedelta(hours=1))
    world.wait(timedelta(hours=2))
    with pytest.raises(StaleMessage):
        accept(raw, world.context, now=world.now)
    assert world.rows(t.inbox) == []


def test_a_stale_message_with_the_id_of_another_is_not_its_replay(world: World) -> None:
    world.accept(a_referral(world, id="m-1"))
    other = a_referral(world, "r-2", id="m-1", expires_at=world.now + timedelta(hours=1))
    world.wait(timedelta(hours=2))
    with pytest.raises(MessageError):
        accept(other, world.context, now=world.now)


def test_a_replay_is_answered_although_the_agreement_has_changed_since(world: World) -> None:
    raw = a_referral(world)
    first = accept(raw, world.context, now=world.now)
    world.load_agreement(
        'document = "黔高法〔2022〕98号"\nversion = 2\ntitle = "测试"\nvalid_from = 2022-08-05\n'
        'parties = ["cn/court/520300"]\nprogrammes = ["*"]\nsample = true\n'
    )
    assert accept(raw, world.context, now=world.now).receipt == first.receipt
    with pytest.raises(MessageError):
        accept(a_referral(world, "r-2"), world.context, now=world.now)


# --- groups ---


def test_a_batch_is_answered_in_order_and_its_bad_items_cost_nobody(world: World) -> None:
    tampered = a_referral(world, "r-2")[:-4] + b"AAAA"
    outcomes = send(
        world,
        a_referral(world),
        tampered,
        b"not a message",
        a_referral(world, "r-3", body={"survey": None} | {"person": {}}),
        a_withdrawal(world, "r-9"),
        a_referral(world, "r-4", recipient="cn/gateway/530000"),
        a_referral(world, "r-5", body={"person": a_referral_body()["person"] | {"id_number": an_id_number(serial=5)}}),
    )
    assert kinds(outcomes) == [
        "Accepted",
        "TrustError",
        "NotJose",
        "SchemaInvalid",
        "ReferralUnknown",
        "WrongRecipient",
        "Accepted",
    ]
    assert [row["referral_id"] for row in world.rows(t.referrals)] == ["r-1", "r-5"]


def test_the_same_message_twice_in_one_batch_is_a_replay(world: World) -> None:
    raw = a_referral(world)
    first, second = send(world, raw, raw)
    assert isinstance(first, Accepted)
    assert isinstance(second, Accepted)
    assert (first.replayed, second.replayed, first.receipt) == (False, True, second.receipt)
    assert len(world.rows(t.inbox)) == 1


def test_the_same_id_with_other_bytes_in_one_batch_is_refused(world: World) -> None:
    outcomes = send(world, a_referral(world, id="m-1"), a_referral(world, "r-2", id="m-1"))
    assert kinds(outcomes) == ["Accepted", "SameIdDifferentBytes"]
    assert [row["referral_id"] for row in world.rows(t.referrals)] == ["r-1"]


def test_after_a_refusal_the_same_id_in_the_same_batch_is_judged_for_itself(world: World) -> None:
    outcomes = send(world, a_withdrawal(world, id="m-1"), a_referral(world, id="m-1"), a_withdrawal(world, id="m-1"))
    assert kinds(outcomes) == ["ReferralUnknown", "Accepted", "SameIdDifferentBytes"]


def test_the_same_refused_message_twice_in_a_batch_is_refused_twice(world: World) -> None:
    raw = a_withdrawal(world)
    assert kinds(send(world, raw, raw)) == ["ReferralUnknown", "ReferralUnknown"]


def test_a_referral_and_its_withdrawal_may_come_in_one_batch(world: World) -> None:
    assert kinds(send(world, a_referral(world), a_withdrawal(world))) == ["Accepted", "Accepted"]
    assert world.states() == ["withdrawn"]
    assert world.dispatch().handoffs == 0


def test_a_referral_taken_back_and_sent_anew_in_one_batch_is_no_second_aid(world: World) -> None:
    world.accept(a_referral(world))
    assert kinds(send(world, a_withdrawal(world), a_referral(world, "r-2"))) == ["Accepted", "Accepted"]
    assert (world.states("r-1"), world.states("r-2")) == (["withdrawn"], ["accepted"])


def test_two_referrals_of_one_id_in_a_batch_leave_the_first(world: World) -> None:
    outcomes = send(world, a_referral(world), a_referral(world))
    assert kinds(outcomes) == ["Accepted", "ReferralIdTaken"]


def test_a_second_withdrawal_in_a_batch_finds_nothing_left(world: World) -> None:
    outcomes = send(world, a_referral(world), a_withdrawal(world), a_withdrawal(world))
    assert kinds(outcomes) == ["Accepted", "Accepted", "IllegalMove"]
    assert isinstance(outcomes[2], IllegalMove)


def test_a_mistake_of_ours_costs_its_own_message_and_shows_nothing_of_it(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    # a row no process of ours would write: recording r-1's withdrawal breaks on it, r-2 must not notice
    world.accept(a_referral(world))
    world.change(t.needs.update().values(state="no such state"))
    person = a_referral_body()["person"] | {"id_number": an_id_number(serial=9)}
    broken, fine = send(world, a_withdrawal(world), a_referral(world, "r-2", body={"person": person}))
    assert isinstance(fine, Accepted)
    assert isinstance(broken, XianjieError)
    assert (broken.code, broken.status) == ("internal", 500)
    assert "测试甲" not in f"{broken} {broken.ids} {caplog.text}"


# --- who may send what ---


def test_an_agency_cannot_refer_and_a_court_cannot_answer(world: World) -> None:
    agency = world.offices["civil_affairs-520102"].partner
    with pytest.raises(UnknownMessageType):
        world.accept(agency.sign("referral.submitted", a_referral_body(), now=world.now))
    with pytest.raises(UnknownMessageType):
        world.accept(world.court.sign("handoff.outcome", {}, now=world.now))
    with pytest.raises(UnknownMessageType):
        world.accept(world.auditor.sign("referral.submitted", a_referral_body(), now=world.now))
    with pytest.raises(UnknownMessageType):
        world.accept(world.court.sign("referral.reconsidered", {}, now=world.now))
    assert world.rows(t.inbox) == []


def test_a_suspended_party_is_not_believed_and_not_even_answered_a_replay(world: World) -> None:
    raw = a_referral(world)
    world.accept(raw)
    suspend(world, COURT)
    for message in (raw, a_referral(world, "r-2")):
        with pytest.raises(TrustError):
            accept(message, world.context, now=world.now)


def test_a_message_in_anothers_name_is_not_trusted(world: World) -> None:
    raw = world.neighbour.sign("referral.submitted", a_referral_body(), now=world.now, source=COURT)
    with pytest.raises(TrustError):
        accept(raw, world.context, now=world.now)


def test_a_message_for_another_gateway_is_refused(world: World) -> None:
    with pytest.raises(WrongRecipient):
        accept(a_referral(world, recipient=COURT), world.context, now=world.now)


def test_a_receipt_of_ours_cannot_be_sent_back_as_a_message(world: World) -> None:
    receipt = accept(a_referral(world), world.context, now=world.now).receipt
    with pytest.raises(TrustError):
        accept(receipt.encode(), world.context, now=world.now)


def test_an_id_too_long_for_its_needs_is_refused_and_not_a_fault_of_ours(world: World) -> None:
    with pytest.raises(SchemaInvalid) as caught:
        world.accept(a_referral(world, "r" * 64))
    assert [(one.pointer, one.code) for one in caught.value.problems] == [("/data/referral_id", "too_long")]
    needs = [{"programme": code} for code in ("MLG", "DST", "LIM", "REH", "TMP_U", "TMP_E", "MED", "EDU", "HSG", "EMP")]
    world.accept(a_referral(world, "r" * 60, body={"needs": needs}))
    assert world.dispatch().handoffs == 1


def test_no_error_says_what_was_in_the_message(world: World) -> None:
    person = a_referral_body()["person"] | {"id_number": "529999198601010000", "name": "金丝雀"}
    with pytest.raises(MessageError) as caught:
        world.accept(a_referral(world, body={"person": person}))
    shown = f"{caught.value!r} {caught.value.ids} {caught.value.problems}"
    assert "金丝雀" not in shown
    assert "529999198601010000" not in shown


# --- two processes ---


def test_two_gateways_given_the_same_message_at_once_give_one_receipt(world: World) -> None:
    twin = world.twin()
    raws = [
        a_referral(
            world, f"r-{at}", body={"person": a_referral_body()["person"] | {"id_number": an_id_number(serial=at)}}
        )
        for at in range(12)
    ]
    found: dict[str, list[str]] = {"a": [], "b": []}

    def work(name: str, context: Any) -> None:
        found[name] = [accept(raw, context, now=world.now).receipt for raw in raws]

    threads = [threading.Thread(target=work, args=pair) for pair in (("a", world.context), ("b", twin))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    twin.store.close()
    assert found["a"] == found["b"]
    assert len(world.rows(t.inbox)) == len(world.rows(t.referrals)) == len(world.rows(t.needs)) == 12


def test_two_gateways_given_the_same_follow_ups_at_once_refuse_none_of_them(world: World) -> None:
    twin = world.twin()
    raws = []
    for at in range(10):
        person = a_referral_body()["person"] | {"id_number": an_id_number(serial=at)}
        world.accept(a_referral(world, f"r-{at}", body={"person": person}))
        payment = {"referral_id": f"r-{at}", "payment_id": f"p-{at}", "amount_fen": 1, "paid_on": "2026-03-03"}
        raws.append(world.court.sign("judicial_assistance.paid", payment | {"payee": "AGENT"}, now=world.now))
        raws.append(a_withdrawal(world, f"r-{at}"))
    found: dict[str, list[str]] = {"a": [], "b": []}

    def work(name: str, context: Any) -> None:
        found[name] = [accept(raw, context, now=world.now).receipt for raw in raws]

    threads = [threading.Thread(target=work, args=pair) for pair in (("a", world.context), ("b", twin))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    twin.store.close()
    assert found["a"] == found["b"]
    assert len(found["a"]) == 20
    assert len(world.rows(t.court_payments)) == 10


def test_two_courts_that_choose_one_referral_id_at_once_leave_one_owner(world: World) -> None:
    twin = world.twin()
    outcomes: list[str] = []

    def work(context: Any, partner: Any, number: str) -> None:
        for at in range(8):
            body = a_referral_body(referral_id=f"r-{at}", case_number=f"（2026）{number}司救执{at + 1}号")
            raw = partner.sign("referral.submitted", body, now=world.now)
            try:
                accept(raw, context, now=world.now)
                outcomes.append("accepted")
            except ReferralIdTaken:
                outcomes.append("taken")

    pairs = ((world.context, world.court, "黔01"), (twin, world.neighbour, "黔03"))
    threads = [threading.Thread(target=work, args=pair) for pair in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    twin.store.close()
    assert sorted(outcomes) == ["accepted"] * 8 + ["taken"] * 8


def test_two_courts_that_aid_one_case_at_once_do_not_both_go_through_unheld(world: World) -> None:
    twin = world.twin()
    together = threading.Barrier(2)

    def work(context: Any, partner: Any, number: str) -> None:
        for at in range(8):
            person = a_referral_body()["person"] | {"id_number": an_id_number(serial=at)}
            body = a_referral_body(
                referral_id=f"r-{number}-{at}".replace("黔", ""),
                case_number=f"（2026）{number}司救执{at + 1}号",
                person=person,
            )
            raw = partner.sign("referral.submitted", body, now=world.now)
            together.wait(30)
            accept(raw, context, now=world.now)

    pairs = ((world.context, world.court, "黔01"), (twin, world.neighbour, "黔03"))
    threads = [threading.Thread(target=work, args=pair) for pair in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    twin.store.close()
    with world.store.reading() as connection:
        states = connection.execute(sa.select(t.needs.c.state, sa.func.count()).group_by(t.needs.c.state)).all()
    assert {row[0]: row[1] for row in states} == {"accepted": 8, "held": 8}


def test_a_receipt_is_the_gateways_and_for_its_sender(world: World) -> None:
    done = accept(a_referral(world), world.context, now=world.now)
    assert read(done.receipt.encode(), world.keyring, recipient=COURT, issuer=GATEWAY, now=world.now)
    with pytest.raises(WrongRecipient):
        read(done.receipt.encode(), world.keyring, recipient="cn/court/520300", issuer=GATEWAY, now=world.now)

"""投递 An answer proves what it signs and nothing else; no answer is unknown; one office's fault stays its own."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from gateway.errors import AddressRefused, LeaseLost
from gateway.evidence.receipt import ReceiptVerdict, Rung, issue, read
from gateway.flows.court import WITHDRAWN_TYPE
from gateway.flows.deliver import LEASE, Courier, deliver
from gateway.flows.operate import send_again
from gateway.store import outbox
from gateway.store import tables as t
from gateway.transport.answer import Answer, NoAnswer, NoAnswerReason
from gateway.transport.retry import load_delays
from tests.builders import an_id_number
from tests.gateway_world import CIVIL_AFFAIRS, DISABLED_PERSONS, GATEWAY, PushOffice, World, a_referral_body

Fault = Callable[[bytes], Answer | None]


def queued(world: World, count: int = 1) -> PushOffice:
    """So many handoffs in civil affairs' queue."""
    for at in range(count):
        person = a_referral_body()["person"] | {"id_number": an_id_number(serial=at)}
        world.refer(referral_id=f"r-{at + 1}", person=person)
    world.dispatch()
    return world.offices[CIVIL_AFFAIRS]


def status(code: int, body: bytes = b"") -> Fault:
    return lambda _: Answer(status=code, body=body)


def silent(*, may_have_arrived: bool) -> Fault:
    def fault(_: bytes) -> Answer | None:
        reason = NoAnswerReason.ANSWER_TIMEOUT if may_have_arrived else NoAnswerReason.NO_CONNECTION
        raise NoAnswer(reason, may_have_arrived=may_have_arrived)

    return fault


def message(world: World, number: int = 0) -> dict[str, Any]:
    return world.rows(t.outbox)[number]


def handoff_state(world: World) -> str:
    return str(world.rows(t.handoffs)[0]["state"])


def next_rung(world: World) -> None:
    """To the moment the message is due again."""
    due_at = message(world)["due_at"]
    world.wait(timedelta(milliseconds=due_at) - timedelta(milliseconds=int(world.now.timestamp() * 1000)))


# --- what counts as done ---


def test_a_receipt_that_names_id_and_digest_relays_message_handoff_and_need(world: World) -> None:
    queued(world)
    assert world.deliver().relayed == 1
    assert (message(world)["state"], handoff_state(world), world.states()) == ("relayed", "relayed", ["handed_off"])
    (kept,) = world.rows(t.receipts)
    party = world.offices[CIVIL_AFFAIRS].partner.party_id
    proven = read(kept["jws"].encode(), world.keyring, recipient=GATEWAY, issuer=party, now=world.now)
    assert (proven.message_id, proven.message_digest) == (message(world)["message_id"], message(world)["digest"])
    assert world.deliver().sent == 0


def test_a_receipt_that_says_duplicate_is_a_receipt(world: World) -> None:
    queued(world).verdict = ReceiptVerdict.DUPLICATE
    assert world.deliver().relayed == 1


@pytest.mark.parametrize(
    "fault",
    [
        status(200),
        status(204),
        status(200, b"OK"),
        status(200, b'{"ok": true}'),
        status(302, b""),
        status(500, b"broken"),
        status(503),
        status(401),
        status(404),
        status(429),
        silent(may_have_arrived=True),
    ],
)
def test_what_is_no_receipt_leaves_the_outcome_unknown_and_the_same_bytes_go_again(
    sqlite_world: World, fault: Fault
) -> None:
    world = sqlite_world
    office = queued(world)
    office.fault = fault
    assert world.deliver().open == 1
    assert (message(world)["state"], world.states()) == ("unknown", ["routed"])
    assert world.deliver().sent == 0
    office.fault = None
    next_rung(world)
    assert world.deliver().relayed == 1
    assert office.bodies[0] == office.bodies[1]
    assert [row["number"] for row in world.rows(t.attempts)] == [1, 2]


def test_a_receipt_lost_on_the_way_back_is_given_again_for_the_same_bytes(world: World) -> None:
    office = queued(world)

    def lost(body: bytes) -> Answer | None:
        office.receipt(body)
        raise NoAnswer(NoAnswerReason.CONNECTION_LOST, may_have_arrived=True)

    office.fault = lost
    world.deliver()
    office.fault = None
    next_rung(world)
    world.deliver()
    assert {received.digest for received in office.received} == {message(world)["digest"]}
    assert message(world)["state"] == "relayed"


def test_a_refused_connection_certainly_sent_nothing(world: World) -> None:
    queued(world).fault = silent(may_have_arrived=False)
    assert world.deliver().open == 1
    assert (message(world)["state"], message(world)["reason"]) == ("queued", "no_connection")
    world.offices[CIVIL_AFFAIRS].fault = None
    next_rung(world)
    assert world.deliver().relayed == 1


def test_an_address_that_is_not_allowed_certainly_sent_nothing(world: World) -> None:
    queued(world)

    def refuse(*_: Any) -> Answer:
        raise AddressRefused("private_range")

    courier = Courier(push=refuse, owner="w", clock=lambda: world.now, jitter=lambda: 0.0)
    assert deliver(world.context, CIVIL_AFFAIRS, courier).open == 1
    assert (message(world)["state"], message(world)["reason"]) == ("queued", "address_refused")


# --- receipts that prove nothing ---


def forged(world: World, make: Callable[[Any], str]) -> Fault:
    office = world.offices[CIVIL_AFFAIRS]

    def fault(body: bytes) -> Answer:
        office.receipt(body)
        return Answer(status=200, body=make(office.received[-1]).encode())

    return fault


def unproven(world: World) -> str:
    """The reason kept after an attempt whose receipt proved nothing."""
    assert world.deliver().open == 1
    assert message(world)["state"] == "unknown"
    assert world.rows(t.receipts) == []
    return str(message(world)["reason"])


def test_a_receipt_for_other_bytes_proves_nothing(world: World) -> None:
    office = queued(world, 2)
    world.deliver()
    first = office.received[0]
    office.fault = lambda _: Answer(
        status=200, body=issue(first, key=office.partner.key, now=world.now, rung=Rung.RELAY).encode()
    )
    assert world.deliver().open == 1
    assert message(world, 1)["state"] == "unknown"


def test_a_receipt_that_names_our_id_and_another_digest_proves_nothing(world: World) -> None:
    office = queued(world)

    def fault(body: bytes) -> Answer:
        office.receipt(body)
        ours = office.received[-1].envelope
        raw = office.partner.sign(
            "receipt.relay",
            {"rung": "relay", "verdict": "accepted", "at": "2026-03-03T01:00:00.000Z"},
            now=world.now,
            in_reply_to=ours.id,
            in_reply_to_digest="ab" * 32,
            typ="xianjie-receipt+jws",
        )
        return Answer(status=200, body=raw)

    office.fault = fault
    assert unproven(world) == "receipt_mismatch"


def test_a_receipt_signed_by_a_stranger_proves_nothing(world: World) -> None:
    other = world.offices[DISABLED_PERSONS].partner
    queued(world).fault = forged(world, lambda m: issue(m, key=other.key, now=world.now, rung=Rung.RELAY))
    unproven(world)


def test_a_receipt_with_a_broken_signature_proves_nothing(world: World) -> None:
    office = queued(world)
    office.fault = forged(
        world, lambda m: issue(m, key=office.partner.key, now=world.now, rung=Rung.RELAY)[:-4] + "AAAA"
    )
    assert unproven(world) == "not_trusted"


def test_a_partys_own_negative_receipt_is_no_relay(world: World) -> None:
    queued(world).verdict = ReceiptVerdict.TIMEOUT
    assert unproven(world) == "timeout"
    assert world.states() == ["routed"]


def test_our_own_message_sent_back_is_no_receipt(world: World) -> None:
    queued(world).fault = lambda body: Answer(status=200, body=body)
    unproven(world)


# --- refusals ---


def test_a_signed_refusal_ends_the_message_and_keeps_the_evidence(world: World) -> None:
    queued(world).verdict = ReceiptVerdict.REFUSED
    assert world.deliver().refused == 1
    assert (message(world)["state"], handoff_state(world)) == ("refused", "rejected")
    assert world.rows(t.handoffs)[0]["parked_reason"] == "refused_by_office"
    assert [row["verdict"] for row in world.rows(t.receipts)] == ["refused"]
    assert world.states() == ["routed"]


@pytest.mark.parametrize("code", [400, 413, 415, 422])
def test_a_request_the_office_calls_wrong_is_refused_and_not_sent_again(sqlite_world: World, code: int) -> None:
    queued(sqlite_world).fault = status(code)
    assert sqlite_world.deliver().refused == 1
    assert (message(sqlite_world)["state"], message(sqlite_world)["reason"]) == ("refused", f"http_{code}")
    sqlite_world.wait(timedelta(days=30))
    assert sqlite_world.deliver().sent == 0


# --- the table to its end ---


def exhaust(world: World) -> list[timedelta]:
    """Fails every attempt; how long was waited between them."""
    world.offices[CIVIL_AFFAIRS].fault = status(500)
    waited = []
    for _ in range(99):
        world.deliver()
        if message(world)["state"] == "parked":
            return waited
        before = world.now
        next_rung(world)
        waited.append(world.now - before)
        unblock(world)
    raise AssertionError("never parked")


def unblock(world: World) -> None:
    world.store.write(lambda c: outbox.block_lane(c, CIVIL_AFFAIRS, failures=0, until=None))


def test_the_retry_table_is_walked_to_its_end_and_parks_with_a_signed_negative_receipt(world: World) -> None:
    queued(world)
    assert tuple(exhaust(world)) == load_delays()[1:]
    assert handoff_state(world) == "parked"
    (kept,) = world.rows(t.receipts)
    proven = read(kept["jws"].encode(), world.keyring, recipient=GATEWAY, issuer=GATEWAY, now=world.now)
    assert (proven.verdict, proven.rung, proven.reason_code) == (ReceiptVerdict.TIMEOUT, Rung.RELAY, "http_500")
    assert (proven.message_id, proven.message_digest) == (message(world)["message_id"], message(world)["digest"])
    assert len(world.rows(t.attempts)) == len(load_delays())


def test_a_parked_message_goes_again_with_its_own_bytes_and_later_evidence_stands_beside_the_first(
    world: World,
) -> None:
    office = queued(world)
    exhaust(world)
    office.fault = None
    ids = [message(world)["message_id"]]
    assert send_again(world.context, ids, who="运维", why="对方已修复", now=world.now) == 1
    assert handoff_state(world) == "issued"
    assert world.deliver().relayed == 1
    assert len(set(office.bodies)) == 1
    assert [row["verdict"] for row in world.rows(t.receipts)] == ["timeout", "accepted"]
    assert world.states() == ["handed_off"]


def test_recovery_begins_the_table_anew(world: World) -> None:
    queued(world)
    exhaust(world)
    send_again(world.context, [message(world)["message_id"]], who="运维", why="再试", now=world.now)
    assert tuple(exhaust(world)) == load_delays()[1:]


def test_retry_after_delays_and_never_hastens(world: World) -> None:
    office = queued(world)
    office.fault = lambda _: Answer(status=503, body=b"", retry_after=timedelta(minutes=20))
    world.deliver()
    before = world.now
    next_rung(world)
    assert world.now - before == timedelta(minutes=20)


# --- the breaker ---


def test_the_breaker_opens_after_failures_in_a_row_and_closes_with_an_answer(world: World) -> None:
    office = queued(world, 8)
    office.fault = silent(may_have_arrived=False)
    for _ in range(5):
        world.deliver()
    assert len(office.bodies) == 5
    assert world.deliver().sent == 0
    world.wait(timedelta(seconds=31))
    world.deliver()
    assert len(office.bodies) == 6
    assert world.deliver().sent == 0
    world.wait(timedelta(seconds=61))
    office.fault = None
    assert world.deliver().relayed == 1
    assert world.deliver().relayed == 1
    (lane,) = [row for row in world.rows(t.offices) if row["office_id"] == CIVIL_AFFAIRS]
    assert (lane["failures"], lane["blocked_until"]) == (0, None)


def test_a_refusal_is_an_answer_and_does_not_open_the_breaker(world: World) -> None:
    queued(world, 6).fault = status(422)
    assert [world.deliver().refused for _ in range(6)] == [1] * 6


def test_a_dead_office_never_delays_another(world: World) -> None:
    world.refer(needs=[{"programme": "MLG"}, {"programme": "ASD"}])
    world.dispatch()
    world.offices[CIVIL_AFFAIRS].fault = silent(may_have_arrived=True)
    for _ in range(5):
        world.deliver()
        world.wait(timedelta(hours=5))
    with world.store.reading() as connection:
        assert DISABLED_PERSONS in outbox.lanes(connection, now=world.now)
    assert world.deliver(DISABLED_PERSONS).relayed == 1


def test_a_paused_office_is_left_in_peace_and_resumes_where_it_was(world: World) -> None:
    office = queued(world)
    world.change_office(CIVIL_AFFAIRS, paused=True)
    assert world.deliver().sent == 0
    assert office.bodies == []
    world.change_office(CIVIL_AFFAIRS, paused=False)
    assert world.deliver().relayed == 1


# --- batches ---


def batch(world: World, size: int = 3) -> PushOffice:
    office = queued(world, size)
    world.change_office(CIVIL_AFFAIRS, batch=size)
    return office


def test_a_batch_is_one_request_with_a_receipt_each(world: World) -> None:
    office = batch(world)
    assert world.deliver().relayed == 3
    assert len(office.bodies) == 1
    assert office.bodies[0].count(b"\n") == 2


def test_a_batch_with_some_receipts_relays_those_and_sends_the_rest_again(world: World) -> None:
    office = batch(world)

    def partly(body: bytes) -> Answer:
        first, _, third = body.split(b"\n")
        lines = [office.receipt(third), '{"code": "busy"}', office.receipt(first)]
        return Answer(status=200, body="\n".join(lines).encode())

    office.fault = partly
    done = world.deliver()
    assert (done.relayed, done.open) == (2, 1)
    assert [row["state"] for row in world.rows(t.outbox)] == ["relayed", "unknown", "relayed"]
    office.fault = None
    world.wait(timedelta(minutes=5))
    assert world.deliver().relayed == 1
    assert office.bodies[1] == office.bodies[0].split(b"\n")[1]


def test_a_receipt_in_a_batch_counts_for_the_message_it_names_only(world: World) -> None:
    office = batch(world, 2)
    office.fault = lambda body: Answer(status=200, body="\n".join([office.receipt(body.split(b"\n")[0])] * 2).encode())
    done = world.deliver()
    assert (done.relayed, done.open) == (1, 1)


def test_one_message_an_office_cannot_take_does_not_cost_its_batch(world: World) -> None:
    office = batch(world)
    bad = world.rows(t.outbox)[1]["jws"].encode()
    office.fault = lambda body: Answer(status=422, body=b"") if bad in body else None
    assert world.deliver().open == 3
    world.wait(timedelta(minutes=5))
    for _ in range(3):
        world.deliver()
    assert [row["state"] for row in world.rows(t.outbox)] == ["relayed", "refused", "relayed"]


# --- workers ---


def test_a_worker_that_slept_past_its_lease_records_nothing(world: World) -> None:
    office = queued(world)

    def slow(_: bytes) -> Answer | None:
        office.fault = None
        world.wait(LEASE)
        assert deliver(world.context, CIVIL_AFFAIRS, world.courier("worker-2")).relayed == 1
        return Answer(status=400, body=b"")

    office.fault = slow
    with pytest.raises(LeaseLost):
        world.deliver()
    assert (message(world)["state"], world.states()) == ("relayed", ["handed_off"])


def test_what_a_dead_worker_left_is_sent_again_with_the_same_bytes(world: World) -> None:
    office = queued(world)
    world.store.write(lambda c: outbox.lease(c, CIVIL_AFFAIRS, owner="dead", limit=1, now=world.now, length=LEASE))
    assert world.deliver().sent == 0
    world.wait(LEASE)
    assert world.deliver().relayed == 1
    assert office.bodies[0].decode() == message(world)["jws"]
    assert [row["outcome"] for row in world.rows(t.attempts)] == [None, "relayed"]


def test_two_workers_on_one_lane_send_each_message_once(world: World) -> None:
    office = queued(world, 10)
    twin = world.twin()

    def work(context: Any, owner: str) -> None:
        while deliver(context, CIVIL_AFFAIRS, world.courier(owner)).sent:
            pass

    threads = [threading.Thread(target=work, args=pair) for pair in ((world.context, "a"), (twin, "b"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    twin.store.close()
    assert len(office.bodies) == len(set(office.bodies)) == 10
    assert {row["state"] for row in world.rows(t.outbox)} == {"relayed"}


def test_no_transaction_is_open_while_the_office_is_asked(world: World) -> None:
    office = queued(world)

    def asks_back(_: bytes) -> None:
        world.store.write(lambda c: outbox.failures_of(c, CIVIL_AFFAIRS))

    office.fault = asks_back
    assert world.deliver().relayed == 1


def test_an_office_nobody_knows_or_without_an_address_is_no_work(world: World) -> None:
    assert world.deliver("no such office").sent == 0
    world.refer(needs=[{"programme": "PSY"}])
    world.dispatch()
    assert world.deliver("womens_federation-520102").sent == 0


def test_a_handoff_withdrawn_before_its_recovery_is_not_issued_anew(world: World) -> None:
    queued(world)
    exhaust(world)
    parked = message(world)["message_id"]
    body = {"referral_id": "r-1", "reason": "报送有误"}
    world.accept(world.court.sign("referral.withdrawn", body, now=world.now))
    assert send_again(world.context, [parked], who="运维", why="再试", now=world.now) == 0
    world.offices[CIVIL_AFFAIRS].fault = None
    world.deliver()
    assert [one.envelope.type for one in world.offices[CIVIL_AFFAIRS].received] == [WITHDRAWN_TYPE]


def test_no_log_line_of_a_delivery_names_anybody(world: World, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        office = queued(world)
        office.fault = status(500, "测试甲".encode())
        world.deliver()
    person = a_referral_body()["person"]
    shown = "".join(str(record.__dict__) for record in caplog.records)
    assert "message not relayed" in shown
    assert not [value for value in (person["name"], person["id_number"]) if value in shown]

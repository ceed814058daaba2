"""恢复: an older copy is restored, partners give back what they hold, and it goes on as if nothing had been lost."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from time import monotonic, sleep

import pytest

from gateway.client.recovery import line_of, statement_of
from gateway.domain.replies import ReplyCode
from gateway.envelope.algorithms import Algorithm
from gateway.envelope.compact import decode_segment, split
from gateway.envelope.keyring import SigningKey
from gateway.envelope.signing import verify
from gateway.errors import InRecovery, NotInRecovery, RecoveryIncomplete
from gateway.evidence.receipt import ReceiptVerdict, Rung, issue
from gateway.flows import account, operate
from gateway.flows.cutoff import cut_off
from gateway.flows.log import verify_log
from gateway.flows.recovery.resuming import rehearse
from gateway.flows.recovery.standing import standing
from gateway.flows.recovery.taking import holding, take
from gateway.flows.recovery.values import ObstacleKind, Took
from gateway.flows.sequence import guard
from gateway.store import directory
from gateway.store import tables as t
from gateway.worker import Worker
from tests.builders import an_id_number
from tests.flows.test_amend import amend
from tests.gateway_world import (
    CIVIL_AFFAIRS,
    COURT,
    DISABLED_PERSONS,
    GATEWAY,
    NEIGHBOUR,
    WOMENS_FEDERATION,
    a_referral_body,
)
from tests.recovery_world import Copy, KeepingWorld, code_of, with_mailbox

CIVIL_PARTY = "cn/agency/civil_affairs.520102"
FEDERATION_PARTY = "cn/agency/disabled_persons.520102"
MINUTE = timedelta(minutes=1)


@pytest.fixture
def world(database_url: str, tmp_path: Path) -> Iterator[KeepingWorld]:
    made = KeepingWorld(database_url, tmp_path)
    made.sign_log()
    yield made
    made.close()


@pytest.fixture
def sqlite_world(sqlite_url: str, tmp_path: Path) -> Iterator[KeepingWorld]:
    made = KeepingWorld(sqlite_url, tmp_path)
    made.sign_log()
    yield made
    made.close()


def test_a_restored_older_copy_signs_accepts_and_dispatches_nothing(world: KeepingWorld) -> None:
    world.refer_number(1)
    copy = world.copy()
    world.refer_number(2)
    world.sign_log()
    assert world.restore(copy) == "older_than_signed"
    assert world.head().recovering
    with pytest.raises(InRecovery):
        world.refer_number(3)
    with pytest.raises(InRecovery):
        world.sign_log()
    assert world.dispatch().handoffs == 0
    assert world.rows(t.handoffs) == []
    assert account.fate(world.context, "r-1", court=COURT, now=world.now).referral_id == "r-1"


def test_a_referral_that_was_lost_comes_back_with_the_very_first_receipt(world: KeepingWorld) -> None:
    copy = world.copy()
    world.refer_number(1)
    world.refer_number(2)
    world.sign_log()
    world.wait(MINUTE)
    first = world.first_receipts()
    world.restore(copy)
    resumed = world.recover()
    assert (resumed.placed.received, resumed.placed.unplaced, resumed.accepted) == (2, (), ())
    assert world.states("r-1") == world.states("r-2") == ["accepted"]
    assert world.repeat_all() == first
    assert world.dispatch().handoffs == 2


def test_no_agency_gets_a_second_handoff_for_a_need(world: KeepingWorld) -> None:
    copy = world.copy()
    handoff = world.hand_over(referral_id="r-1")
    world.sign_log()
    world.wait(MINUTE)
    assert world.states() == ["handed_off"]
    world.restore(copy)
    resumed = world.recover()
    assert (resumed.placed.received, resumed.placed.issued) == (1, 1)
    assert world.states() == ["handed_off"]
    assert (world.dispatch().handoffs, world.deliver().sent) == (0, 0)
    assert world.handoffs_by_need() == {"r-1:1": {handoff.envelope.data["xj_handoff"]}}
    (row,) = world.rows(t.outbox)
    assert (row["message_id"], row["digest"], row["state"]) == (handoff.envelope.id, handoff.digest, "relayed")


def test_rows_that_came_back_are_what_they_were(world: KeepingWorld) -> None:
    copy = world.copy()
    handoff = world.hand_over()
    world.say(CIVIL_AFFAIRS, handoff, ReplyCode.ACCEPTED)
    before = snapshot(world)
    world.sign_log()
    world.wait(MINUTE)
    world.restore(copy)
    world.recover()
    assert snapshot(world) == before


def snapshot(world: KeepingWorld) -> dict[str, list[dict[str, object]]]:
    """What counts of the rows; their own moments of recording and their seals aside."""
    left_out = {"row", "recorded_at", "reply_id", "reconcile_at", "attempts", "lease_fence", "wire", "jws"}
    tables = (t.inbox, t.referrals, t.needs, t.handoffs, t.outbox, t.replies, t.receipts, t.need_moves, t.counters)
    found = {
        table.name: [{k: v for k, v in row.items() if k not in left_out} for row in world.rows(table)]
        for table in tables
    }
    for row in found["need_moves"] + found["needs"]:  # when its receipt came is told by the office's clock
        row.pop("at", None)
    return found


def lose(world: KeepingWorld, copy: Copy) -> None:
    """What was signed since is lost; a minute later the older copy runs."""
    world.sign_log()
    world.wait(MINUTE)
    assert world.restore(copy) == "older_than_signed"


def others_first(world: KeepingWorld, first: str) -> list[str]:
    return [first, *(party_id for party_id in world.everybody() if party_id != first)]


# --- what comes back ---


@pytest.mark.parametrize("first", [COURT, CIVIL_PARTY])
def test_answers_come_back_and_move_their_needs_whoever_gives_back_first(world: KeepingWorld, first: str) -> None:
    copy = world.copy()
    handoff = world.hand_over()
    world.say(CIVIL_AFFAIRS, handoff, ReplyCode.ACCEPTED)
    world.say(CIVIL_AFFAIRS, handoff, ReplyCode.APPROVED)
    lose(world, copy)
    world.recover(others_first(world, first))
    assert world.states() == ["in_progress"]
    assert [row["applied"] for row in world.rows(t.replies)] == [True, True]
    world.say(CIVIL_AFFAIRS, handoff, ReplyCode.PAID)
    assert world.states() == ["assisted"]


@pytest.mark.parametrize("first", [COURT, CIVIL_PARTY])
def test_a_withdrawal_stands_between_the_answers_it_stood_between(world: KeepingWorld, first: str) -> None:
    copy = world.copy()
    handoff = world.hand_over()
    world.say(CIVIL_AFFAIRS, handoff, ReplyCode.ACCEPTED)
    world.withdraw()
    world.deliver()
    world.say(CIVIL_AFFAIRS, handoff, ReplyCode.CLOSED)
    assert world.states() == ["cancelled"]
    before = snapshot(world)
    lose(world, copy)
    resumed = world.recover(others_first(world, first))
    assert (world.states(), resumed.placed.notices) == (["cancelled"], 0)
    assert snapshot(world) == before
    assert world.deliver().sent == 0


def test_an_office_that_was_not_told_of_a_withdrawal_is_told_now_and_once(world: KeepingWorld) -> None:
    copy = world.copy()
    world.hand_over()
    world.withdraw()
    lose(world, copy)
    assert world.recover().placed.notices == 1
    assert world.deliver().relayed == 1
    assert types(world) == ["handoff.issued", "handoff.withdrawn"]
    assert world.deliver().sent == 0


def test_an_amendment_comes_back_and_its_office_hears_of_it_once(world: KeepingWorld) -> None:
    copy = world.copy()
    world.hand_over()
    world.wait(MINUTE)
    amend(world, person={"phone": "13800000009"})
    world.deliver()
    before = [(row["version"], row["message_id"]) for row in world.rows(t.referral_amendments)]
    lose(world, copy)
    assert world.recover().placed.notices == 0
    assert [(row["version"], row["message_id"]) for row in world.rows(t.referral_amendments)] == before
    assert world.deliver().sent == 0
    assert types(world) == ["handoff.issued", "handoff.amended"]
    assert cut_off(world.context, now=world.now).troubles == ()


def test_an_office_that_was_not_told_of_an_amendment_is_told_now_and_once(world: KeepingWorld) -> None:
    copy = world.copy()
    world.hand_over()
    world.wait(MINUTE)
    amend(world, person={"phone": "13800000009"})
    lose(world, copy)
    assert world.recover().placed.notices == 1
    assert world.deliver().relayed == 1
    assert types(world) == ["handoff.issued", "handoff.amended"]
    assert world.deliver().sent == 0


def test_an_amendment_whose_receipt_never_arrived_is_told_by_what_its_office_was_sent(world: KeepingWorld) -> None:
    copy = world.copy()
    world.hand_over()
    world.wait(MINUTE)
    amend(world, person={"phone": "13800000009"})
    world.deliver()
    raw = unheard(world, COURT, "referral.amended")
    lose(world, copy)
    resumed = world.recover()
    assert (resumed.placed.accepted, resumed.placed.notices) == (1, 0)
    world.accept(raw)
    assert [row["version"] for row in world.rows(t.referrals)] == [2]
    assert world.deliver().sent == 0


def types(world: KeepingWorld, party_id: str = CIVIL_PARTY) -> list[str]:
    """What the office holds of us, by number."""
    found = sorted(world.books[party_id].received.values())
    return [json.loads(decode_segment(split(jws.encode()).payload_segment))["type"] for _, jws, _ in found]


def test_a_serial_route_goes_on_at_the_organ_it_had_reached(world: KeepingWorld) -> None:
    copy = world.copy()
    handoff = world.hand_over(DISABLED_PERSONS, needs=[{"programme": "LSD"}])
    world.say(DISABLED_PERSONS, handoff, ReplyCode.APPROVED)
    world.dispatch()
    world.deliver()
    second = world.offices[CIVIL_AFFAIRS].received[-1]
    before = snapshot(world)
    lose(world, copy)
    world.recover()
    assert snapshot(world) == before
    assert world.dispatch().handoffs == 0
    assert {need: len(found) for need, found in world.handoffs_by_need().items()} == {"r-1:1": 2}
    world.say(CIVIL_AFFAIRS, second, ReplyCode.PAID)
    assert world.states() == ["assisted"]


def test_a_mailbox_holds_again_what_was_not_answered_and_not_what_was(world: KeepingWorld) -> None:
    for number in (1, 2):
        world.refer_number(number)
    with_mailbox(world, CIVIL_AFFAIRS)
    copy = world.copy()
    world.dispatch()
    answered, waiting = world.fetch(CIVIL_AFFAIRS)
    world.accept(world.reply(CIVIL_AFFAIRS, answered, "handoff.retrieved", None))
    lose(world, copy)
    world.recover()
    assert [message.envelope.id for message in world.fetch(CIVIL_AFFAIRS)] == [waiting.envelope.id]
    assert world.dispatch().handoffs == 0
    assert all(len(found) == 1 for found in world.handoffs_by_need().values())


def test_a_message_that_was_queued_in_the_copy_and_delivered_since_is_not_pushed_again(world: KeepingWorld) -> None:
    world.refer_number(1)
    world.dispatch()
    copy = world.copy()
    world.deliver()
    lose(world, copy)
    resumed = world.recover()
    assert (resumed.placed.received, resumed.placed.issued) == (0, 0)
    # the copy has the message, so nobody gave it back: the office gets the same bytes and gives its first receipt
    assert world.deliver().relayed == 1
    assert all(len(found) == 1 for found in world.handoffs_by_need().values())


def test_a_receipt_for_a_message_the_copy_has_shows_that_it_arrived(world: KeepingWorld) -> None:
    world.refer_number(1)
    world.dispatch()
    copy = world.copy()
    world.deliver()
    lose(world, copy)
    lines = world.books[CIVIL_PARTY].lines(closed_at=world.now)
    outcomes = take(world.context, lines, giver=CIVIL_PARTY, now=world.now)
    assert [outcome.took for outcome in outcomes] == [Took.TAKEN, Took.CLOSED]
    world.all_give_back([one for one in world.everybody() if one != CIVIL_PARTY])
    assert world.resume().placed.proven == 1
    assert (world.states("r-1"), world.deliver().sent) == (["handed_off"], 0)


def test_a_handoff_without_a_receipt_goes_again_with_the_same_bytes(world: KeepingWorld) -> None:
    copy = world.copy()
    handoff = world.hand_over()
    book = world.books[CIVIL_PARTY]
    book.received = {key: (seq, jws, None) for key, (seq, jws, _) in book.received.items()}
    lose(world, copy)
    world.recover()
    assert world.states() == ["routed"]
    assert world.deliver().relayed == 1
    assert world.offices[CIVIL_AFFAIRS].received[-1].digest == handoff.digest
    assert world.states() == ["handed_off"]


def test_an_office_that_had_refused_is_not_pushed_to_again(world: KeepingWorld) -> None:
    copy = world.copy()
    world.offices[CIVIL_AFFAIRS].verdict = ReceiptVerdict.REFUSED
    world.refer_number(1)
    world.dispatch()
    world.deliver()
    before = snapshot(world)
    lose(world, copy)
    world.recover()
    assert world.rows(t.outbox)[0]["state"] == "refused"
    assert [row["state"] for row in world.rows(t.handoffs)] == ["rejected"]
    assert before["receipts"] == snapshot(world)["receipts"]


def test_payments_come_back_once(world: KeepingWorld) -> None:
    copy = world.copy()
    world.refer_number(1)
    body = {"referral_id": "r-1", "payment_id": "p-1", "amount_fen": 1, "paid_on": "2026-03-03", "payee": "BENEFICIARY"}
    world.accept(world.court.sign("judicial_assistance.paid", body, now=world.now))
    lose(world, copy)
    world.recover()
    assert [row["payment_id"] for row in world.rows(t.court_payments)] == ["p-1"]


def test_what_was_held_is_held_and_what_a_person_let_go_is_gone(world: KeepingWorld) -> None:
    world.refer_number(1)
    copy = world.copy()
    same = {"original_case_group": "（2025）黔0102民初1号", "person": person(1)}
    for number in (2, 3):
        assert world.refer_number(number, **same).holds == ("D01",)
    operate.release(world.context, "r-3", who="张三", why="已核实", now=world.now)
    world.dispatch()
    while world.deliver().sent:
        world.wait(MINUTE)
    lose(world, copy)
    world.recover()
    assert (world.states("r-2"), world.states("r-3")) == (["held"], ["handed_off"])
    world.dispatch()
    assert world.states("r-2") == ["held"]


def person(serial: int) -> dict[str, object]:
    found: dict[str, object] = a_referral_body()["person"] | {"id_number": an_id_number(serial=serial)}
    return found


def test_what_its_receipt_promised_to_hold_is_held_though_the_reason_did_not_come_back(world: KeepingWorld) -> None:
    copy = world.copy()
    world.refer_number(1, world.neighbour)
    assert world.refer_number(2, original_case_group="（2025）黔0102民初1号", person=person(1)).holds == ("D01",)
    lose(world, copy)
    world.all_give_back([one for one in world.everybody() if one != NEIGHBOUR])
    world.resume(accept_gaps=True)
    assert world.states("r-2") == ["held"]
    assert world.rows(t.referrals)[0]["holds"] == "D01"


def test_an_answer_to_nothing_we_sent_keeps_its_receipt_and_stays_a_doubt(world: KeepingWorld) -> None:
    copy = world.copy()
    handoff = world.hand_over()
    reply = world.offices[WOMENS_FEDERATION].partner.sign(
        "handoff.delivered",
        {},
        now=world.now,
        in_reply_to=handoff.envelope.id,
        in_reply_to_digest=handoff.digest,
    )
    world.accept(reply)
    before = world.first_receipts()
    lose(world, copy)
    world.recover()
    assert [row["problem"] for row in world.rows(t.replies)] == ["unexpected"]
    assert world.repeat_all() == before


# --- what was accepted, though its receipt never arrived ---


def unheard(world: KeepingWorld, party_id: str, type_: str) -> bytes:
    """The last message of a type of a party's: its receipt was lost on the way."""
    book = world.books[party_id]
    message_id, (number, jws, _) = [
        (key, kept) for key, kept in book.sent.items() if type_ in payload_of(kept[1])["type"]
    ][-1]
    book.sent[message_id] = (number, jws, None)
    return jws.encode()


def payload_of(jws: str) -> dict[str, str]:
    found: dict[str, str] = json.loads(decode_segment(split(jws.encode()).payload_segment))
    return found


def test_a_referral_whose_receipt_never_arrived_is_not_handed_over_twice(world: KeepingWorld) -> None:
    copy = world.copy()
    world.hand_over()
    raw = unheard(world, COURT, "referral.submitted")
    lose(world, copy)
    placed = world.recover().placed
    assert (placed.received, placed.accepted, placed.issued) == (0, 1, 1)
    assert world.states() == ["handed_off"]
    receipt = world.accept(raw)  # the court tries again, as ever
    assert receipt.place is not None and receipt.place.origin == f"{GATEWAY}/2"
    assert world.accept(raw).jws == receipt.jws
    assert world.dispatch().handoffs == 0
    assert all(len(found) == 1 for found in world.handoffs_by_need().values())


def test_a_withdrawal_whose_receipt_never_arrived_is_told_by_the_notice_that_followed(world: KeepingWorld) -> None:
    copy = world.copy()
    handoff = world.hand_over()
    world.say(CIVIL_AFFAIRS, handoff, ReplyCode.ACCEPTED)
    world.withdraw()
    world.deliver()
    world.say(CIVIL_AFFAIRS, handoff, ReplyCode.CLOSED)
    raw = unheard(world, COURT, "referral.withdrawn")
    lose(world, copy)
    resumed = world.recover()
    assert (resumed.placed.accepted, resumed.placed.notices, world.states()) == (1, 0, ["cancelled"])
    world.accept(raw)
    assert world.deliver().sent == 0


def test_an_approval_whose_receipt_never_arrived_is_told_by_the_next_organs_handoff(world: KeepingWorld) -> None:
    copy = world.copy()
    handoff = world.hand_over(DISABLED_PERSONS, needs=[{"programme": "LSD"}])
    world.say(DISABLED_PERSONS, handoff, ReplyCode.APPROVED)
    world.dispatch()
    world.deliver()
    raw = unheard(world, FEDERATION_PARTY, "handoff.outcome")
    lose(world, copy)
    assert world.recover().placed.accepted == 1
    assert world.dispatch().handoffs == 0
    assert world.states() == ["handed_off"]
    world.accept(raw)
    assert [row["step"] for row in world.rows(t.handoffs)] == [0, 1]


def test_a_referral_that_a_withdrawal_with_a_receipt_speaks_of_had_been_accepted(world: KeepingWorld) -> None:
    copy = world.copy()
    world.refer_number(1)
    world.withdraw()
    raw = unheard(world, COURT, "referral.submitted")
    lose(world, copy)
    assert world.recover().placed.accepted == 1
    assert world.states("r-1") == ["withdrawn"]
    world.accept(raw)


def test_what_nothing_speaks_of_is_left_to_its_sender(world: KeepingWorld) -> None:
    copy = world.copy()
    world.refer_number(1)
    world.refer_number(2)
    raw = unheard(world, COURT, "referral.submitted")
    lose(world, copy)
    placed = world.recover().placed
    assert (placed.received, placed.accepted) == (1, 0)
    assert (world.states("r-1"), world.states("r-2")) == (["accepted"], [])
    world.accept(raw)
    assert world.states("r-2") == ["accepted"]
    assert [row["state"] for row in world.rows(t.given_back)] == ["placed"]


# --- what is left to a retry, what is refused, what is missing ---


def test_a_message_without_a_receipt_is_left_to_its_senders_retry(world: KeepingWorld) -> None:
    copy = world.copy()
    world.refer_number(1)
    raw = world.court.sign("referral.submitted", a_referral_body(referral_id="r-9"), now=world.now)
    book = world.books[COURT]
    book.sent["pending"] = (world.court.seq, raw.decode(), None)
    lose(world, copy)
    outcomes = take(world.context, [line_of(raw.decode(), None)], giver=COURT, now=world.now)
    assert [outcome.took for outcome in outcomes] == [Took.LEFT]
    world.recover()
    assert world.states("r-9") == []
    world.accept(raw)
    assert world.states("r-9") == ["accepted"]


def test_giving_back_twice_and_by_stick_changes_nothing(world: KeepingWorld) -> None:
    copy = world.copy()
    handoff = world.hand_over()
    world.say(CIVIL_AFFAIRS, handoff, ReplyCode.ACCEPTED)
    before = snapshot(world)
    lose(world, copy)
    world.all_give_back()
    again = world.give_back(CIVIL_PARTY)
    assert {outcome.took for outcome in again} == {Took.KNOWN, Took.CLOSED}
    stick = [line for party_id in world.everybody() for line in world.books[party_id].lines(closed_at=world.now)]
    take(world.context, stick, giver=None, now=world.now)
    world.resume()
    assert snapshot(world) == before
    late = world.give_back(CIVIL_PARTY)
    take(world.context, stick, giver=None, now=world.now)
    assert {outcome.took for outcome in late} == {Took.CLOSED}
    assert snapshot(world) == before


def test_nobody_gives_back_what_is_between_others(world: KeepingWorld) -> None:
    copy = world.copy()
    world.refer_number(1)
    lose(world, copy)
    stolen = world.books[COURT].lines()
    outcomes = take(world.context, stolen, giver=NEIGHBOUR, now=world.now)
    assert [(outcome.took, outcome.code) for outcome in outcomes] == [(Took.REFUSED, "forbidden")]
    found = standing(world.context, world.witness, now=world.now)
    assert ObstacleKind.LINE_REFUSED in {one.kind for one in found.obstacles}
    world.recover()  # given by its own party it counts, and is no obstacle any more
    assert world.states("r-1") == ["accepted"]


def broken_lines(world: KeepingWorld) -> dict[str, bytes]:
    """Lines made from honest ones with one thing wrong."""
    (_, jws, receipt), (_, _, other_receipt) = world.books[COURT].sent.values()
    assert receipt is not None and other_receipt is not None
    changed = jws[:-6] + ("AAAAAA" if not jws.endswith("AAAAAA") else "BBBBBB")
    own = issue(
        verify(jws.encode(), world.keyring, recipient=GATEWAY, now=world.now),
        key=world.court.key,
        now=world.now,
        rung=Rung.SUBMISSION,
    )
    return {
        "no JSON": b"{",
        "no line": b'{"message": 1}',
        "no JWS": line_of("abc", None),
        "a message with another signature": line_of(changed, receipt),
        "a receipt for another message": line_of(jws, other_receipt),
        "a receipt the court made itself": line_of(jws, own),
        "a receipt with another signature": line_of(jws, receipt[:-6] + "AAAAAA"),
        "a message as its own receipt": line_of(jws, jws),
    }


@pytest.mark.parametrize("what", ["no JSON", "no line", "no JWS", "a message with another signature",
    "a receipt for another message", "a receipt the court made itself", "a receipt with another signature",
    "a message as its own receipt"])  # fmt: skip
def test_a_line_that_proves_nothing_is_named_and_nothing_is_taken(sqlite_world: KeepingWorld, what: str) -> None:
    world = sqlite_world
    copy = world.copy()
    world.refer_number(1)
    world.refer_number(2)
    lines = broken_lines(world)
    lose(world, copy)
    (outcome,) = take(world.context, [lines[what]], giver=COURT, now=world.now)
    assert outcome.took is Took.REFUSED
    (row,) = world.rows(t.given_back)
    assert (row["state"], row["jws"], row["party_id"]) == ("refused", "", COURT)
    assert row["code"]
    world.all_give_back()
    left = {one.kind for one in standing(world.context, world.witness, now=world.now).obstacles}
    is_itself_back = row["digest"] in {one["digest"] for one in world.rows(t.given_back) if one["state"] == "waiting"}
    assert left == (set() if is_itself_back else {ObstacleKind.LINE_REFUSED})


def test_it_does_not_go_on_while_a_party_was_not_heard(world: KeepingWorld) -> None:
    copy = world.copy()
    world.refer_number(1)
    lose(world, copy)
    world.all_give_back([one for one in world.everybody() if one != CIVIL_PARTY])
    world.give_back(CIVIL_PARTY, close=False)
    with pytest.raises(RecoveryIncomplete) as caught:
        world.resume()
    assert [(one.pointer, one.code) for one in caught.value.problems] == [(CIVIL_PARTY, "not_heard")]
    assert world.head().recovering
    resumed = world.resume(accept_gaps=True, why="该单位机房停电,次日补交")
    assert [one.about for one in resumed.accepted] == [CIVIL_PARTY]
    found = [(row["what"], row["why"]) for row in world.rows(t.decisions) if row["what"].startswith("recovery")]
    assert found == [
        ("recovery_resumed", "该单位机房停电,次日补交"),
        ("recovery_gaps_accepted", f"not_heard {CIVIL_PARTY}"),
    ]


def test_a_number_that_nobody_shows_is_a_gap(world: KeepingWorld) -> None:
    copy = world.copy()
    for number in (1, 2, 3):
        world.refer_number(number)
    world.dispatch()
    while world.deliver().sent:
        world.wait(MINUTE)
    lose(world, copy)
    gone = list(world.books[CIVIL_PARTY].received)[1]
    number = world.books[CIVIL_PARTY].received.pop(gone)[0]
    sent = next(iter(world.books[COURT].sent))
    lost = world.books[COURT].sent.pop(sent)[0]
    world.all_give_back()
    found = standing(world.context, world.witness, now=world.now)
    assert [(one.kind, one.about) for one in found.obstacles] == [
        (ObstacleKind.NUMBERS_MISSING, f"{CIVIL_PARTY} from_gateway {number}"),
        (ObstacleKind.NUMBERS_MISSING, f"{COURT} to_gateway {lost}"),
    ]
    assert code_of(world.resume) == "recovery_incomplete"


def test_a_number_its_sender_says_is_still_open_is_no_gap(world: KeepingWorld) -> None:
    copy = world.copy()
    world.refer_number(1)
    open_one = world.court.sign("referral.submitted", a_referral_body(referral_id="r-5"), now=world.now)
    world.books[COURT].sent["open"] = (world.court.seq, open_one.decode(), None)
    world.refer_number(2)
    lose(world, copy)
    world.recover()
    world.accept(open_one)
    assert (world.states("r-2"), world.states("r-5")) == (["accepted"], ["accepted"])


def test_what_a_party_says_it_holds_and_does_not_give_is_missing(world: KeepingWorld) -> None:
    copy = world.copy()
    world.refer_number(1)
    lose(world, copy)
    told = statement_of(world.court.key, GATEWAY, sent=2**53 - 1, open_numbers=(), received=7, now=world.now)
    take(world.context, [line_of(told, None)], giver=COURT, now=world.now)
    world.all_give_back([one for one in world.everybody() if one != COURT])
    found = standing(world.context, world.witness, now=world.now)
    assert [one.about for one in found.obstacles] == [
        f"{COURT} to_gateway 1-9007199254740991",
        f"{COURT} from_gateway 1-7",
    ]


def test_a_statement_of_an_earlier_recovery_says_nothing_about_this_one(world: KeepingWorld) -> None:
    early = line_of(world.books[COURT].statement(world.now), None)
    world.wait(MINUTE)
    world.refer_number(1)
    copy = world.copy()
    world.wait(MINUTE)
    world.refer_number(2)
    lose(world, copy)
    (outcome,) = take(world.context, [early], giver=COURT, now=world.now)
    assert (outcome.took, outcome.code) == (Took.REFUSED, "stale_message")


def test_a_message_whose_key_was_lost_comes_back_once_the_key_is_registered_again(world: KeepingWorld) -> None:
    copy = world.copy()
    newer = SigningKey.generate(Algorithm.ED25519, COURT)
    public = newer.public_key(not_before=world.now)
    world.store.write(lambda c: directory.add_key(c, public, now=world.now))
    world.context.directory.forget()
    world.court.key = newer
    world.refer_number(1)
    lose(world, copy)
    lines = world.books[COURT].lines()
    (outcome,) = take(world.context, lines, giver=COURT, now=world.now)
    assert (outcome.took, outcome.code) == (Took.REFUSED, "not_trusted")
    assert [row["code"] for row in world.rows(t.given_back)] == ["unknown_kid"]
    again = newer.public_key(not_before=world.now)
    world.store.write(lambda c: directory.add_key(c, again, now=world.now))  # an administrator may, in recovery
    world.context.directory.forget()
    world.recover()
    assert world.states("r-1") == ["accepted"]
    assert world.dispatch().handoffs == 1


def test_what_has_no_place_is_an_obstacle_and_nothing_of_the_attempt_stays(world: KeepingWorld) -> None:
    copy = world.copy()
    world.hand_over()
    lose(world, copy)
    world.all_give_back([one for one in world.everybody() if one != COURT])
    take(world.context, [line_of(world.books[COURT].statement(world.now), None)], giver=COURT, now=world.now)
    before = world.head()
    with pytest.raises(RecoveryIncomplete):
        world.resume()
    found, placed = rehearse(world.context, world.witness, now=world.now)
    assert placed is not None and [one.code for one in placed.unplaced] == ["referral_missing"]
    assert ObstacleKind.NOT_PLACED in {one.kind for one in found.obstacles}
    assert (world.head(), world.rows(t.outbox), world.rows(t.inbox)) == (before, [], [])


def test_a_handoff_whose_referral_comes_late_is_put_in_its_place_then(world: KeepingWorld) -> None:
    copy = world.copy()
    world.hand_over()
    lose(world, copy)
    world.all_give_back([one for one in world.everybody() if one != COURT])
    world.resume(accept_gaps=True)
    assert world.states() == []
    world.wait(MINUTE)
    world.refer_number(7)
    assert (world.dispatch().handoffs, world.deliver().relayed) == (1, 1)
    assert [seq for seq, _, _ in world.books[CIVIL_PARTY].received.values()] == [1, 2]  # no number is given twice
    world.give_back(COURT)
    assert world.states() == ["handed_off"]
    assert (world.dispatch().handoffs, world.deliver().sent) == (0, 0)
    assert world.repeat_all() == world.first_receipts()


def test_a_party_that_comes_too_late_is_told_what_no_longer_fits(world: KeepingWorld) -> None:
    world.refer_number(1)
    copy = world.copy()
    world.dispatch()
    world.deliver()
    lose(world, copy)
    world.all_give_back([one for one in world.everybody() if one != CIVIL_PARTY])
    world.resume(accept_gaps=True)
    world.wait(MINUTE)
    world.dispatch()
    world.deliver()
    world.give_back(CIVIL_PARTY)
    found = standing(world.context, world.witness, now=world.now)
    assert found.since is None
    assert [row["code"] for row in world.rows(t.given_back) if row["state"] == "waiting"] == ["issued_otherwise"]


# --- how it goes on ---


def test_the_log_goes_on_under_another_name_and_says_what_was_lost(world: KeepingWorld) -> None:
    world.refer_number(1)
    copy = world.copy()
    world.refer_number(2)
    lost = world.sign_log()
    assert lost is not None
    lose(world, copy)
    restored = world.head()
    resumed = world.recover()
    assert (resumed.origin, resumed.epoch) == (f"{GATEWAY}/2", 2)
    (leaf,) = world.leaves("recovery")
    assert leaf == {
        "v": 1,
        "kind": "recovery",
        "id": leaf["id"],
        "at": leaf["at"],
        "size": restored.size,
        "root": restored.root.hex(),
        "epoch": 2,
        "origin": f"{GATEWAY}/2",
        "witnessed_size": lost.size,
        "witnessed_root": lost.root.hex(),
    }
    place = world.refer_number(3).place
    assert place is not None and place.origin == f"{GATEWAY}/2"
    assert guard(world.context, world.witness, now=world.now) is None
    signed = world.sign_log()
    assert signed is not None and signed.origin == f"{GATEWAY}/2"
    assert guard(world.context, world.witness, now=world.now) is None


def test_log_rows_and_signed_bytes_agree_after_a_recovery(world: KeepingWorld) -> None:
    copy = world.copy()
    handoff = world.hand_over()
    world.say(CIVIL_AFFAIRS, handoff, ReplyCode.ACCEPTED)
    world.withdraw()
    world.deliver()
    world.refer_number(2)
    lose(world, copy)
    world.recover()
    world.sign_log()
    verdict = verify_log(world.context, witness=world.witness)
    assert (verdict.troubles, verdict.proven) == ((), verdict.size)
    assert cut_off(world.context, now=world.now).troubles == ()


def test_no_name_is_used_for_two_logs_however_old_the_copy(world: KeepingWorld) -> None:
    copy = world.copy()
    world.refer_number(1)
    lose(world, copy)
    assert world.recover().epoch == 2
    world.sign_log()
    world.refer_number(2)
    world.sign_log()
    world.wait(MINUTE)
    assert world.restore(copy) == "older_than_signed"
    first = world.first_receipts()
    assert world.recover().epoch == 3
    world.sign_log()
    assert guard(world.context, world.witness, now=world.now) is None
    assert world.repeat_all() == first
    assert world.states("r-1") == world.states("r-2") == ["accepted"]


def test_without_a_witness_file_receipts_tell_which_names_were_used(world: KeepingWorld) -> None:
    copy = world.copy()
    world.refer_number(1)
    lose(world, copy)
    world.recover()
    world.refer_number(2)
    world.sign_log()
    world.wait(MINUTE)
    world.restore(copy)
    world.witness.set_aside("lost")
    assert world.recover().epoch == 3


def test_a_witness_file_that_cannot_be_read_stops_it_too(world: KeepingWorld, tmp_path: Path) -> None:
    world.refer_number(1)
    path = tmp_path / "state" / "checkpoint"
    path.write_bytes(b"\xff\xfe")
    assert guard(world.context, world.witness, now=world.now) == "witness_unreadable"
    assert world.head().recovering
    world.all_give_back()
    assert code_of(world.resume) == "recovery_incomplete"
    world.resume(accept_gaps=True)
    assert not path.exists()
    assert guard(world.context, world.witness, now=world.now) is None


def test_numbers_go_on_behind_everything_that_was_ever_given(world: KeepingWorld) -> None:
    copy = world.copy()
    for number in (1, 2, 3):
        world.refer_number(number)
    world.dispatch()
    while world.deliver().sent:
        world.wait(MINUTE)
    last = max(seq for seq, _, _ in world.books[CIVIL_PARTY].received.values())
    lose(world, copy)
    world.recover()
    world.refer_number(4)
    world.dispatch()
    world.deliver()
    assert max(seq for seq, _, _ in world.books[CIVIL_PARTY].received.values()) == last + 1


def test_a_gateway_that_lost_nothing_takes_nothing_back_and_resumes_nothing(world: KeepingWorld) -> None:
    world.refer_number(1)
    for asked in (
        lambda: holding(world.context, COURT, now=world.now),
        lambda: take(world.context, world.books[COURT].lines(), giver=COURT, now=world.now),
        world.resume,
    ):
        with pytest.raises(NotInRecovery):
            asked()
    found, placed = rehearse(world.context, world.witness, now=world.now)
    assert (found.since, placed) == (None, None)


def test_nobody_resumes_without_a_name_and_a_reason(world: KeepingWorld) -> None:
    copy = world.copy()
    world.refer_number(1)
    lose(world, copy)
    world.all_give_back()
    assert code_of(lambda: world.resume(who=" ")) == code_of(lambda: world.resume(why="")) == "input_refused"
    assert world.head().recovering


def test_an_empty_database_is_older_than_a_log_that_was_signed(world: KeepingWorld) -> None:
    world.refer_number(1)
    world.sign_log()
    empty = {name: [] for name in world.copy()}
    assert world.restore(empty) == "older_than_signed"
    assert world.head().recovering


# --- the worker ---


def test_a_worker_rests_with_one_line_and_goes_on_by_itself(
    sqlite_world: KeepingWorld, caplog: pytest.LogCaptureFixture
) -> None:
    world = sqlite_world
    world.refer_number(1)
    copy = world.copy()
    world.refer_number(2)
    lose(world, copy)
    caplog.set_level("INFO")
    worker = Worker(world.context, world.push, lambda: world.now, "w", witness=world.witness)
    worker.start()
    try:
        until(lambda: "worker rests in recovery" in caplog.messages)
        world.recover()
        until(lambda: "worker goes on" in caplog.messages)
        until(lambda: world.states("r-1") == world.states("r-2") == ["handed_off"])
    finally:
        worker.stop()
    said = Counter(caplog.messages)
    assert (said["worker rests in recovery"], said["worker goes on"]) == (1, 1)
    assert said["job stopped"] + said["job failed"] + said["lane stopped"] + said["lane failed"] == 0


def until(is_so: Callable[[], bool]) -> None:
    """Waits for another thread, at most half a minute."""
    give_up = monotonic() + 30
    while not is_so():
        assert monotonic() < give_up, "it never came to that"
        sleep(0.01)

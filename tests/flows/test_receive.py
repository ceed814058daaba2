"""反馈接收 What an office says is kept for ever, applied when it is newer and legal, and explained when it is not."""

import threading
from datetime import datetime, timedelta
from typing import Any

import pytest

from adapters.womens_federation.codes import TABLES
from gateway.domain.replies import ReplyCode
from gateway.envelope.signing import VerifiedMessage, verify
from gateway.errors import DeniedWithoutReason, MessageError, SchemaInvalid
from gateway.flows.accept import accept
from gateway.flows.mailbox import pull
from gateway.flows.reconcile import reconcile_all
from gateway.store import tables as t
from gateway.transport.answer import NoAnswer, NoAnswerReason
from schemas.fields import format_moment
from tests.builders import an_id_number
from tests.gateway_world import CIVIL_AFFAIRS, WOMENS_FEDERATION, World, a_referral_body

HOUR = timedelta(hours=1)
DENIED_WORD = TABLES.statuses.theirs(ReplyCode.DENIED)
PAID: dict[str, Any] = {"xj_amount": "650.00", "abaf0028": "202603", "abaf0029": "202603", "xj_payee": "1"}
APPROVED: dict[str, Any] = {"xj_amount": "650.00", "abaf0028": "202603", "abaf0029": "202702"}
DENIED: dict[str, Any] = {"xj_reason": "701", "xj_reason_text": "家庭人均收入超过标准"}


def replies(world: World) -> list[tuple[str | None, bool, str | None]]:
    return [(row["code"], row["applied"], row["problem"]) for row in world.rows(t.replies)]


def codes(world: World) -> list[str]:
    world.wait(timedelta(minutes=1))
    reconcile_all(world.context, now=world.now)
    return world.open_codes()


def need(world: World) -> dict[str, Any]:
    return world.rows(t.needs)[0]


def handoff_state(world: World) -> str:
    return str(world.rows(t.handoffs)[0]["state"])


def says(world: World, handoff: VerifiedMessage, type_: str, data: Any = None, **fields: Any) -> None:
    world.wait(timedelta(seconds=1))
    world.accept(world.reply(CIVIL_AFFAIRS, handoff, type_, data, **fields))


# --- the ladder upwards ---


def test_each_rung_moves_the_need_and_sets_its_clock(world: World) -> None:
    handoff = world.hand_over()
    seen = []
    says(world, handoff, "handoff.delivered")
    seen.append((world.states()[0], handoff_state(world)))
    for status, more in (("10", {}), ("20", {}), ("21", {}), ("30", APPROVED), ("40", PAID)):
        world.answer(handoff, status, **more)
        seen.append((world.states()[0], handoff_state(world)))
    assert seen == [
        ("received", "received"),
        ("accepted_by_agency", "answered"),
        ("in_progress", "answered"),
        ("in_progress", "answered"),
        ("in_progress", "answered"),
        ("assisted", "completed"),
    ]
    row = need(world)
    assert row["issued_at"] < row["received_at"] < row["disposition_at"] < row["decided_at"] < row["paid_at"]
    assert (row["approved_fen"], row["paid_fen"]) == (65_000, 65_000)


def test_every_move_names_the_message_that_caused_it(world: World) -> None:
    handoff = world.hand_over()
    raw = world.answer_bytes(handoff, "20")
    receipt = world.accept(raw)
    assert world.rows(t.need_moves)[-1] == world.rows(t.need_moves)[-1] | {
        "from_state": "handed_off",
        "to_state": "under_review",
        "cause": receipt.message_id,
    }


def test_an_office_may_skip_rungs(world: World) -> None:
    handoff = world.hand_over()
    world.answer(handoff, "40", **PAID)
    row = need(world)
    assert (row["state"], row["received_at"], row["disposition_at"]) == ("assisted", row["paid_at"], row["paid_at"])


def test_a_status_is_given_with_its_approval(world: World) -> None:
    handoff = world.hand_over(needs=[{"programme": "LIM"}])
    world.answer(handoff, "30")
    assert world.states() == ["assisted"]


def test_an_answer_about_the_whole_handoff_is_about_each_need(world: World) -> None:
    handoff = world.hand_over(needs=[{"programme": "MLG"}, {"programme": "EDU"}])
    world.answer(handoff, "10", xj_need=None)
    assert world.states() == ["accepted_by_agency", "accepted_by_agency"]


# --- late, early, twice ---


def test_the_same_answer_again_changes_nothing(world: World) -> None:
    handoff = world.hand_over()
    raw = world.answer_bytes(handoff, "40", **PAID)
    assert world.accept(raw).jws == world.accept(raw).jws
    assert (need(world)["paid_fen"], len(replies(world))) == (65_000, 1)


def test_an_older_answer_that_comes_late_is_recorded_and_not_applied(world: World) -> None:
    handoff = world.hand_over()
    earlier = world.now
    world.wait(HOUR)
    world.answer(handoff, "31", **DENIED)
    world.answer(handoff, "20", at=earlier)
    assert world.states() == ["not_assisted"]
    assert replies(world) == [("DENIED", True, None), ("IN_VERIFICATION", False, "superseded")]


def test_a_receipt_that_comes_after_the_answer_says_nothing_new(world: World) -> None:
    handoff = world.hand_over()
    world.answer(handoff, "20")
    says(world, handoff, "handoff.retrieved")
    assert (world.states(), handoff_state(world)) == (["under_review"], "answered")


def test_a_move_the_table_does_not_have_is_recorded_and_not_made(world: World) -> None:
    handoff = world.hand_over()
    world.answer(handoff, "40", **PAID)
    world.answer(handoff, "20")
    assert world.states() == ["assisted"]
    assert replies(world)[-1] == ("IN_VERIFICATION", False, "illegal_move")
    assert "MM_UNKNOWN_CODE" not in codes(world)


def test_a_denial_can_be_taken_back_by_the_office_that_gave_it(world: World) -> None:
    handoff = world.hand_over()
    world.answer(handoff, "31", **DENIED)
    world.answer(handoff, "30", **APPROVED)
    assert world.states() == ["in_progress"]


def test_an_office_whose_clock_runs_ahead_is_still_heard_later(world: World) -> None:
    handoff = world.hand_over()
    world.answer(handoff, "20", at=world.now + timedelta(days=3650))
    world.answer(handoff, "40", **PAID)
    assert world.states() == ["assisted"]
    assert world.rows(t.replies)[0]["at"] > world.rows(t.replies)[1]["at"]


@pytest.mark.parametrize("moment", ["0001-01-02T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_no_moment_is_too_strange_to_be_kept(world: World, moment: str) -> None:
    handoff = world.hand_over()
    world.answer(handoff, "20", at=datetime.fromisoformat(moment))
    assert len(replies(world)) == 1
    reconcile_all(world.context, now=world.now)


def test_an_answer_that_overtakes_the_relay_receipt_is_not_undone_by_it(world: World) -> None:
    world.refer()
    world.dispatch()
    office = world.offices[CIVIL_AFFAIRS]

    def answers_first(body: bytes) -> None:
        office.receipt(body)
        world.accept(world.answer_bytes(office.received[-1], "20"))

    office.fault = answers_first
    world.deliver()
    assert (world.states(), handoff_state(world)) == (["under_review"], "answered")
    assert need(world)["relayed_at"] is not None
    assert world.rows(t.outbox)[0]["state"] == "relayed"


def test_an_answer_to_a_message_we_think_unsent_is_believed(world: World) -> None:
    world.refer()
    world.dispatch()
    office = world.offices[CIVIL_AFFAIRS]

    def lost(body: bytes) -> None:
        office.receipt(body)
        raise NoAnswer(NoAnswerReason.ANSWER_TIMEOUT, may_have_arrived=True)

    office.fault = lost
    world.deliver()
    world.answer(office.received[-1], "40", **PAID)
    assert (world.states(), handoff_state(world)) == (["assisted"], "completed")
    office.fault = None
    world.wait(timedelta(minutes=5))
    world.deliver()
    assert (world.states(), handoff_state(world)) == (["assisted"], "completed")


# --- money ---


def test_money_told_twice_in_two_messages_is_kept_twice_and_pointed_at(world: World) -> None:
    handoff = world.hand_over()
    world.answer(handoff, "30", **APPROVED)
    world.answer(handoff, "40", **PAID)
    world.answer(handoff, "40", **PAID)
    assert [row["amount_fen"] for row in world.rows(t.replies)] == [65_000, 65_000, 65_000]
    assert "DUP_PAYMENT" in codes(world)


def test_a_payment_the_bank_returned_is_not_paid(world: World) -> None:
    handoff = world.hand_over()
    world.answer(handoff, "40", **PAID)
    world.answer(handoff, "41")
    assert (need(world)["paid_at"], need(world)["paid_fen"]) == (None, None)
    world.answer(handoff, "40", **PAID)
    assert need(world)["paid_fen"] == 65_000


@pytest.mark.parametrize("amount", ["650.001", "-1", "1e3", "六百五十", "100000000000.01"])
def test_an_amount_that_is_none_is_refused_and_nothing_is_kept(sqlite_world: World, amount: str) -> None:
    handoff = sqlite_world.hand_over()
    with pytest.raises(SchemaInvalid):
        sqlite_world.answer(handoff, "40", **(PAID | {"xj_amount": amount}))
    assert (replies(sqlite_world), sqlite_world.states()) == ([], ["handed_off"])


# --- what is in doubt ---


def test_a_code_nobody_knows_is_kept_and_becomes_a_finding(world: World) -> None:
    handoff = world.hand_over()
    world.answer(handoff, "77")
    assert world.states() == ["handed_off"]
    assert replies(world) == [(None, False, "unknown_code")]
    assert "MM_UNKNOWN_CODE" in codes(world)


def test_an_echo_of_another_number_is_a_finding_and_the_number_is_not_kept(world: World) -> None:
    handoff = world.hand_over()
    wrong = an_id_number(serial=8)
    world.answer(handoff, "20", axdf0004=wrong)
    assert [row["person_matches"] for row in world.rows(t.replies)] == [False]
    assert wrong not in str(world.rows(t.replies))
    assert "MM_PERSON" in codes(world)


def test_an_echo_of_the_right_number_is_in_no_doubt_however_its_x_is_written(world: World) -> None:
    number = next(n for serial in range(99) if (n := an_id_number(serial=serial)).endswith("X"))
    handoff = world.hand_over(person=a_referral_body()["person"] | {"id_number": number})
    world.answer(handoff, "20", axdf0004=number.lower())
    assert [row["person_matches"] for row in world.rows(t.replies)] == [True]
    assert "MM_PERSON" not in codes(world)


def test_words_longer_than_we_keep_are_cut_and_never_a_fault_of_ours(world: World) -> None:
    handoff = world.hand_over()
    world.answer(handoff, "14", xj_forwarded_to="转" * 200, xj_suggest_agency="办" * 200, xj_next_due="2026-04-01")
    (row,) = world.rows(t.replies)
    assert (len(row["forwarded_to"]), len(row["suggested_agency"])) == (100, 40)


# --- R09 ---


def denial(world: World, handoff: VerifiedMessage) -> bytes:
    return world.answer_bytes(handoff, "31")


def test_a_denial_without_reasons_is_refused_and_remembered_once(world: World) -> None:
    handoff = world.hand_over()
    raw = denial(world, handoff)
    for _ in range(2):
        with pytest.raises(DeniedWithoutReason) as caught:
            world.accept(raw)
    assert caught.value.status == 422
    assert replies(world) == [("DENIED", False, "denied_without_reason")]
    assert (world.states(), world.rows(t.inbox)[1:]) == (["handed_off"], [])


def test_a_refused_denial_is_a_finding_until_a_proper_decision_comes(world: World) -> None:
    handoff = world.hand_over()
    with pytest.raises(DeniedWithoutReason):
        world.accept(denial(world, handoff))
    before = set(codes(world))
    world.answer(handoff, "31", **DENIED)
    after = set(codes(world))
    assert len(before - after) == 1
    assert world.states() == ["not_assisted"]


def test_two_offices_denials_of_one_message_id_are_both_remembered(world: World) -> None:
    handoff = world.hand_over(needs=[{"programme": "MLG"}, {"programme": "PSY"}])
    with pytest.raises(DeniedWithoutReason):
        world.accept(world.answer_bytes(handoff, "31", envelope={"id": "m-1"}))
    letter = mail(world)
    answer = {"事项编号": "r-1:2", "办理结果": DENIED_WORD, "办理时间": format_moment(world.now)}
    body = {"转办编号": letter.envelope.data["转办编号"], "反馈": [answer]}
    with pytest.raises(DeniedWithoutReason):
        world.accept(world.reply(WOMENS_FEDERATION, letter, "handoff.outcome", body, id="m-1"))
    refused = [row["office"] for row in world.rows(t.replies) if row["problem"] == "denied_without_reason"]
    assert refused == [CIVIL_AFFAIRS, WOMENS_FEDERATION]


# --- whose answer is it ---


def test_a_reply_to_nothing_we_sent_is_kept_and_changes_no_need(world: World) -> None:
    world.hand_over()
    partner = world.offices[CIVIL_AFFAIRS].partner
    raw = partner.sign("handoff.outcome", {}, now=world.now, in_reply_to="never-sent", in_reply_to_digest="ab" * 32)
    world.accept(raw)
    assert replies(world) == [(None, False, "unexpected")]
    assert world.states() == ["handed_off"]
    assert "UNEXPECTED_REPLY" in codes(world)


def test_a_reply_that_names_our_message_with_another_digest_answers_nothing(world: World) -> None:
    handoff = world.hand_over()
    result = {"xj_need": "r-1:1", "xj_status": "40", "xj_at": format_moment(world.now), **PAID}
    body = {"xj_handoff": handoff.envelope.data["xj_handoff"], "xj_results": [result]}
    partner = world.offices[CIVIL_AFFAIRS].partner
    raw = partner.sign(
        "handoff.outcome", body, now=world.now, in_reply_to=handoff.envelope.id, in_reply_to_digest="ab" * 32
    )
    world.accept(raw)
    assert (world.states(), replies(world)) == (["handed_off"], [(None, False, "unexpected")])


def test_an_office_cannot_answer_anothers_handoff(world: World) -> None:
    handoff = world.hand_over()
    raw = world.answer_bytes(handoff, "40", office_id=WOMENS_FEDERATION, **PAID)
    world.accept(raw)
    assert (world.states(), replies(world)) == (["handed_off"], [(None, False, "unexpected")])
    assert world.rows(t.replies)[0]["referral_id"] is None


def test_a_reply_about_another_handoff_or_need_than_it_answers_is_refused(world: World) -> None:
    handoff = world.hand_over()
    with pytest.raises(SchemaInvalid):
        world.answer(handoff, "40", **(PAID | {"xj_need": "r-2:1"}))
    body = {"xj_handoff": "another", "xj_results": [{"xj_status": "20", "xj_at": format_moment(world.now)}]}
    with pytest.raises(SchemaInvalid):
        world.accept(world.reply(CIVIL_AFFAIRS, handoff, "handoff.outcome", body))
    assert replies(world) == []


def test_a_reply_that_answers_nothing_at_all_is_refused(world: World) -> None:
    partner = world.offices[CIVIL_AFFAIRS].partner
    with pytest.raises(SchemaInvalid) as caught:
        world.accept(partner.sign("handoff.outcome", {}, now=world.now))
    assert [problem.pointer for problem in caught.value.problems] == ["/in_reply_to"]


@pytest.mark.parametrize("data", [None, [], "text", {"xj_results": []}, {"xj_handoff": 1, "xj_results": [1]}])
def test_a_body_the_adapter_cannot_read_is_refused_and_keeps_nothing(sqlite_world: World, data: Any) -> None:
    handoff = sqlite_world.hand_over()
    with pytest.raises(MessageError):
        sqlite_world.accept(sqlite_world.reply(CIVIL_AFFAIRS, handoff, "handoff.outcome", data))
    assert replies(sqlite_world) == []


def test_a_format_the_office_rejects_can_be_sent_again_by_an_operator(world: World) -> None:
    handoff = world.hand_over()
    world.answer(handoff, "02")
    assert handoff_state(world) == "rejected"
    assert world.states() == ["handed_off"]


# --- the mailbox ---


def mail(world: World) -> VerifiedMessage:
    party = world.offices[WOMENS_FEDERATION].partner.party_id
    ((_, jws),) = pull(world.context, party, after=0, limit=9)
    return verify(jws.encode(), world.keyring, recipient=party, now=world.now)


def test_a_letter_stays_until_its_retrieval_is_sent(world: World) -> None:
    world.refer(needs=[{"programme": "PSY"}])
    world.dispatch()
    letter = mail(world)
    assert mail(world).digest == letter.digest
    world.wait(HOUR)
    world.accept(world.reply(WOMENS_FEDERATION, letter, "handoff.retrieved", None))
    assert world.states() == ["received"]
    assert pull(world.context, letter.envelope.recipient, after=0, limit=9) == []


def test_nobody_takes_a_letter_out_of_anothers_box(world: World) -> None:
    world.refer(needs=[{"programme": "PSY"}])
    world.dispatch()
    letter = mail(world)
    world.accept(world.reply(CIVIL_AFFAIRS, letter, "handoff.retrieved", None))
    assert mail(world).digest == letter.digest
    assert pull(world.context, world.offices[CIVIL_AFFAIRS].partner.party_id, after=0, limit=9) == []


def test_two_workers_applying_answers_at_once_lose_none(world: World) -> None:
    handoff = world.hand_over()
    raws = [world.answer_bytes(handoff, "40", **PAID) for _ in range(10)]
    twin = world.twin()
    now = world.now

    def work(context: Any, mine: list[bytes]) -> None:
        for raw in mine:
            accept(raw, context, now=now)

    threads = [threading.Thread(target=work, args=pair) for pair in ((world.context, raws[::2]), (twin, raws[1::2]))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    twin.store.close()
    applied = [row["amount_fen"] for row in world.rows(t.replies) if row["applied"]]
    assert len(world.rows(t.replies)) == 10
    assert need(world)["paid_fen"] == sum(applied)

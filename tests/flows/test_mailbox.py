"""信箱 What waits stays until an answer is accepted; two clerks of one office who answer the same thing count once.

The two clerks share the party's key and nothing else: each has a journal, so each gives the same answer in a message of
its own. What an office would expect is asked on both engines, with threads where it is about who comes first.
"""

import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from gateway.domain.agreement import Channel
from gateway.envelope.signing import VerifiedMessage, verify
from gateway.errors import DeniedWithoutReason
from gateway.evidence.receipt import Receipt, read
from gateway.flows.accept import Accepted, accept, accept_many
from gateway.flows.mailbox import pull
from gateway.flows.reconcile import reconcile_all
from gateway.store import mailbox, vault
from gateway.store import tables as t
from schemas.fields import format_moment
from tests.gateway_world import CIVIL_AFFAIRS, GATEWAY, WOMENS_FEDERATION, World

REPEATS = "repeats_earlier_answer"
OFFICE = "cn/agency/civil_affairs.520102"
FEDERATION = "cn/agency/womens_federation.520102"
PAID: dict[str, Any] = {"xj_amount": "650.00", "abaf0028": "202603", "abaf0029": "202603", "xj_payee": "1"}
APPROVED: dict[str, Any] = {"xj_amount": "650.00", "abaf0028": "202603", "abaf0029": "202702"}
DENIED: dict[str, Any] = {"xj_reason": "701", "xj_reason_text": "家庭人均收入超过标准"}


def says(world: World, handoff: VerifiedMessage, status: str, *, at: datetime, **more: Any) -> bytes:
    """One clerk's message: of its own id, saying what it was told to say."""
    result = {"xj_need": "r-1:1", "xj_status": status, "xj_at": format_moment(at), **more}
    body = {"xj_handoff": handoff.envelope.data["xj_handoff"], "xj_results": [result]}
    return world.reply(CIVIL_AFFAIRS, handoff, "handoff.outcome", body)


def tell(world: World, handoff: VerifiedMessage, status: str, *, at: datetime, **more: Any) -> list[str]:
    """The codes of the warnings on the receipt."""
    return warned(world.accept(says(world, handoff, status, at=at, **more)))


def warned(receipt: Receipt) -> list[str]:
    return [warning.code for warning in receipt.warnings]


def heard(world: World) -> list[tuple[str | None, str | None]]:
    """Every answer on file: its code, and why it was not applied."""
    return [(row["code"], row["problem"]) for row in world.rows(t.replies)]


def paid(world: World) -> int | None:
    found: int | None = world.rows(t.needs)[0]["paid_fen"]
    return found


def findings(world: World) -> list[str]:
    world.wait(timedelta(minutes=1))
    reconcile_all(world.context, now=world.now)
    return world.open_codes()


def letters(world: World, party_id: str = FEDERATION, **asked: Any) -> list[VerifiedMessage]:
    found = pull(world.context, party_id, **{"after": 0, "limit": 99, **asked})
    return [verify(wire.encode(), world.keyring, recipient=party_id, now=world.now) for _, wire in found]


def fill(world: World, count: int) -> None:
    """So many letters in the federation's mailbox."""
    for number in range(1, count + 1):
        world.refer(
            referral_id=f"r-{number}",
            needs=[{"programme": "PSY"}],
            case_number=f"（2026）黔01司救执{number}号",
            original_case_group=f"（2025）黔0102民初{number}号",
        )
    world.dispatch()


# --- told twice ---


def test_a_payment_told_by_two_clerks_is_paid_once_and_the_second_is_told_so(world: World) -> None:
    handoff = world.hand_over()
    at = world.now
    world.wait(timedelta(hours=1))
    assert tell(world, handoff, "40", at=at, **PAID) == []
    assert tell(world, handoff, "40", at=at, **PAID) == [REPEATS]
    assert heard(world) == [("PAID", None), ("PAID", REPEATS)]
    assert (paid(world), world.states()) == (65_000, ["assisted"])
    assert "DUP_PAYMENT" not in findings(world)


def test_the_warning_is_on_the_first_receipt_for_ever(world: World) -> None:
    handoff = world.hand_over()
    at = world.now
    tell(world, handoff, "40", at=at, **PAID)
    raw = says(world, handoff, "40", at=at, **PAID)
    first, again = world.accept(raw), world.accept(raw)
    assert (warned(first), again.jws) == ([REPEATS], first.jws)
    assert len(heard(world)) == 2


INSTALMENTS: dict[str, dict[str, Any]] = {
    "the next month": {"abaf0028": "202604", "abaf0029": "202604"},
    "a longer time": {"abaf0029": "202604"},
    "another amount": {"xj_amount": "650.01"},
    "another payee": {"xj_payee": "2"},
    "another day": {"xj_at": "2026-03-04T02:00:00.000Z"},
}


@pytest.mark.parametrize("change", INSTALMENTS.values(), ids=INSTALMENTS)
def test_an_instalment_differs_in_something_and_counts(sqlite_world: World, change: dict[str, Any]) -> None:
    world = sqlite_world
    handoff = world.hand_over()
    at = world.now
    world.wait(timedelta(days=3))
    tell(world, handoff, "40", at=at, **PAID)
    assert tell(world, handoff, "40", at=at, **(PAID | change)) == []
    assert heard(world) == [("PAID", None), ("PAID", None)]
    assert paid(world) == 65_000 + (65_001 if change.get("xj_amount") else 65_000)


@pytest.mark.parametrize(
    ("status", "more"),
    [("10", {"xj_next_due": "2026-03-20"}), ("20", {}), ("30", APPROVED), ("31", DENIED)],
    ids=["accepted", "in verification", "approved", "denied"],
)
def test_any_answer_told_twice_is_applied_once(sqlite_world: World, status: str, more: dict[str, Any]) -> None:
    world = sqlite_world
    handoff = world.hand_over()
    at = world.now
    tell(world, handoff, status, at=at, **more)
    state, moves = world.states(), len(world.rows(t.need_moves))
    assert tell(world, handoff, status, at=at, **more) == [REPEATS]
    assert [problem for _, problem in heard(world)] == [None, REPEATS]
    assert (world.states(), len(world.rows(t.need_moves))) == (state, moves)


def test_another_promise_under_the_same_code_is_another_answer(sqlite_world: World) -> None:
    world = sqlite_world
    handoff = world.hand_over()
    at = world.now
    tell(world, handoff, "10", at=at, xj_next_due="2026-03-20")
    assert tell(world, handoff, "10", at=at, xj_next_due="2026-03-30") == []
    assert heard(world) == [("ACCEPTED", None), ("ACCEPTED", None)]


def test_a_denial_for_another_reason_is_another_answer(sqlite_world: World) -> None:
    world = sqlite_world
    handoff = world.hand_over()
    at = world.now
    tell(world, handoff, "31", at=at, **DENIED)
    assert tell(world, handoff, "31", at=at, **(DENIED | {"xj_reason": "702"})) == []


def test_a_colleagues_old_answer_does_not_contradict_what_came_after_it(world: World) -> None:
    """It would be a move the table does not have, and so a finding, if it were taken for a new answer."""
    handoff = world.hand_over()
    at = world.now
    tell(world, handoff, "10", at=at)
    tell(world, handoff, "40", at=at, **PAID)
    assert tell(world, handoff, "10", at=at) == [REPEATS]
    assert "MM_STATUS" not in findings(world)


def test_a_copy_of_a_payment_the_bank_returned_does_not_pay_it_again(world: World) -> None:
    handoff = world.hand_over()
    at = world.now
    tell(world, handoff, "40", at=at, **PAID)
    tell(world, handoff, "41", at=at)
    assert tell(world, handoff, "40", at=at, **PAID) == [REPEATS]
    assert paid(world) is None
    world.wait(timedelta(hours=1))
    assert tell(world, handoff, "40", at=world.now, **PAID) == []
    assert paid(world) == 65_000


def test_one_message_that_tells_a_payment_twice_pays_once(sqlite_world: World) -> None:
    world = sqlite_world
    handoff = world.hand_over()
    result = {"xj_need": "r-1:1", "xj_status": "40", "xj_at": format_moment(world.now), **PAID}
    body = {"xj_handoff": handoff.envelope.data["xj_handoff"], "xj_results": [result, result]}
    assert warned(world.accept(world.reply(CIVIL_AFFAIRS, handoff, "handoff.outcome", body))) == [REPEATS]
    assert paid(world) == 65_000


def test_two_needs_answered_alike_are_two_answers(sqlite_world: World) -> None:
    world = sqlite_world
    handoff = world.hand_over(needs=[{"programme": "MLG"}, {"programme": "EDU"}])
    at = world.now
    tell(world, handoff, "40", at=at, **PAID)
    assert tell(world, handoff, "40", at=at, **(PAID | {"xj_need": "r-1:2"})) == []
    assert world.states() == ["assisted", "assisted"]


def test_an_answer_about_the_whole_repeats_what_was_said_of_a_part_and_adds_the_rest(sqlite_world: World) -> None:
    world = sqlite_world
    handoff = world.hand_over(needs=[{"programme": "MLG"}, {"programme": "EDU"}])
    at = world.now
    tell(world, handoff, "10", at=at)
    assert tell(world, handoff, "10", at=at, xj_need=None) == [REPEATS]
    assert world.states() == ["accepted_by_agency", "accepted_by_agency"]
    assert heard(world) == [("ACCEPTED", None), ("ACCEPTED", REPEATS), ("ACCEPTED", None)]


def test_what_was_not_applied_is_nothing_to_repeat(sqlite_world: World) -> None:
    """An answer that came too late to count may be told again; it is too late again, and is no echo."""
    world = sqlite_world
    handoff = world.hand_over()
    early = world.now
    world.wait(timedelta(hours=1))
    tell(world, handoff, "31", at=world.now, **DENIED)
    for _ in range(2):
        assert tell(world, handoff, "20", at=early) == []
    assert heard(world)[1:] == [("IN_VERIFICATION", "superseded")] * 2


# --- at once ---


def in_threads(contexts: Sequence[Any], raws: Sequence[bytes], now: datetime) -> list[Accepted]:
    """Each message by a thread of its own, over the gateway's processes in turn; all begin together."""
    found: list[Accepted] = []
    ready = threading.Barrier(len(raws))

    def work(context: Any, raw: bytes) -> None:
        ready.wait(30)
        found.append(accept(raw, context, now=now))

    threads = [threading.Thread(target=work, args=(contexts[at % len(contexts)], raw)) for at, raw in enumerate(raws)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return found


def test_of_many_clerks_at_once_over_two_gateways_one_counts(world: World) -> None:
    handoff = world.hand_over()
    twin = world.twin()
    raws = [says(world, handoff, "40", at=world.now, **PAID) for _ in range(8)]
    done = in_threads([world.context, twin], raws, world.now)
    twin.store.close()
    receipts = [
        read(one.receipt.encode(), world.keyring, recipient=OFFICE, issuer=GATEWAY, now=world.now) for one in done
    ]
    assert sorted(map(warned, receipts)) == [[], *[[REPEATS]] * 7]
    assert (paid(world), sum(row["applied"] for row in world.rows(t.replies))) == (65_000, 1)


def test_in_one_commit_too(world: World) -> None:
    handoff = world.hand_over()
    raws = [says(world, handoff, "40", at=world.now, **PAID) for _ in range(3)]
    done = accept_many(raws, world.context, now=world.now)
    assert [isinstance(one, Accepted) for one in done] == [True] * 3
    assert heard(world) == [("PAID", None), ("PAID", REPEATS), ("PAID", REPEATS)]
    assert paid(world) == 65_000


def test_instalments_told_at_once_all_count(world: World) -> None:
    handoff = world.hand_over()
    twin = world.twin()
    months = [f"2026{month:02d}" for month in range(3, 11)]
    raws = [
        says(world, handoff, "40", at=world.now, **(PAID | {"abaf0028": month, "abaf0029": month})) for month in months
    ]
    in_threads([world.context, twin], raws, world.now)
    twin.store.close()
    assert paid(world) == 65_000 * len(months)


# --- the mailbox ---


def test_a_message_is_pulled_again_and_again_until_an_answer_is_accepted(world: World) -> None:
    """The puller crashes between fetching and answering: what it had got comes again, to whoever asks next."""
    fill(world, 1)
    (first,), (again,) = letters(world), letters(world)
    assert again.jws == first.jws
    twin = world.twin()
    assert [wire for _, wire in pull(twin, FEDERATION, after=0, limit=9)] == [first.jws]
    world.accept(world.reply(WOMENS_FEDERATION, first, "handoff.retrieved", {}))
    assert (letters(world), pull(twin, FEDERATION, after=0, limit=9)) == ([], [])
    twin.store.close()


def test_any_answer_that_is_accepted_takes_it_out(world: World) -> None:
    fill(world, 1)
    (letter,) = letters(world)
    world.accept(world.reply(WOMENS_FEDERATION, letter, "handoff.outcome", answered(world, letter, "受理")))
    assert letters(world) == []


def test_a_refused_answer_takes_nothing_out(world: World) -> None:
    fill(world, 1)
    (letter,) = letters(world)
    with pytest.raises(DeniedWithoutReason):
        world.accept(world.reply(WOMENS_FEDERATION, letter, "handoff.outcome", answered(world, letter, "不予救助")))
    assert [one.digest for one in letters(world)] == [letter.digest]


def test_a_refused_answer_in_one_commit_with_a_good_one_does_not_hold_it_back(world: World) -> None:
    fill(world, 1)
    (letter,) = letters(world)
    words = ("不予救助", "受理")
    raws = [world.reply(WOMENS_FEDERATION, letter, "handoff.outcome", answered(world, letter, word)) for word in words]
    refused, good = accept_many(raws, world.context, now=world.now)
    assert (isinstance(refused, DeniedWithoutReason), isinstance(good, Accepted)) == (True, True)
    assert letters(world) == []


def answered(world: World, letter: VerifiedMessage, word: str) -> dict[str, Any]:
    data = letter.envelope.data
    answer = {"事项编号": data["事项"][0]["事项编号"], "办理结果": word, "办理时间": format_moment(world.now)}
    return {"转办编号": data["转办编号"], "反馈": [answer]}


def test_two_pullers_who_both_open_and_both_answer_have_one_effect(world: World) -> None:
    """Both hold the same letter; each signs for it and answers it, through a journal of its own."""
    fill(world, 1)
    (letter,) = letters(world)
    twin = world.twin()
    opened = [world.reply(WOMENS_FEDERATION, letter, "handoff.retrieved", {}) for _ in range(2)]
    body = answered(world, letter, "受理")
    told = [world.reply(WOMENS_FEDERATION, letter, "handoff.outcome", body) for _ in range(2)]
    for raws in (opened, told):
        in_threads([world.context, twin], raws, world.now)
    twin.store.close()
    assert sorted(heard(world), key=str) == [
        ("ACCEPTED", REPEATS),
        ("ACCEPTED", None),
        ("RECEIVED", None),
        ("RECEIVED", None),
    ]
    assert world.states() == ["accepted_by_agency"]
    assert letters(world) == []


def test_who_opens_it_later_changes_nothing_either(world: World) -> None:
    fill(world, 1)
    (letter,) = letters(world)
    world.accept(world.reply(WOMENS_FEDERATION, letter, "handoff.retrieved", {}))
    received = world.rows(t.needs)[0]["received_at"]
    world.wait(timedelta(days=1))
    assert warned(world.accept(world.reply(WOMENS_FEDERATION, letter, "handoff.retrieved", {}))) == []
    assert world.rows(t.needs)[0]["received_at"] == received


def test_a_withdrawal_is_signed_for_like_its_handoff_and_repeats_nothing(world: World) -> None:
    fill(world, 1)
    (letter,) = letters(world)
    world.accept(world.reply(WOMENS_FEDERATION, letter, "handoff.retrieved", {}))
    data = {"referral_id": "r-1", "reason": "报送有误"}
    world.accept(world.court.sign("referral.withdrawn", data, now=world.now))
    world.dispatch()
    (withdrawal,) = letters(world)
    assert warned(world.accept(world.reply(WOMENS_FEDERATION, withdrawal, "handoff.retrieved", {}))) == []
    assert letters(world) == []


def test_an_answer_dated_by_its_day_counts_though_the_letter_was_opened_that_noon(world: World) -> None:
    handoff = world.hand_over()
    morning = world.now.replace(hour=16, minute=0) - timedelta(days=1)
    world.wait(timedelta(hours=3))
    world.accept(world.reply(CIVIL_AFFAIRS, handoff, "handoff.retrieved", {}))
    tell(world, handoff, "40", at=morning, **PAID)
    assert (world.states(), heard(world)[-1]) == (["assisted"], ("PAID", None))


def test_letters_come_by_number_and_in_pages(world: World) -> None:
    fill(world, 5)
    numbers = [letter.envelope.seq for letter in letters(world)]
    assert numbers == sorted(numbers) == [1, 2, 3, 4, 5]
    pages, after = [], 0
    while page := letters(world, after=after, limit=2):
        pages.append([letter.envelope.seq for letter in page])
        after = page[-1].envelope.seq or 0
    assert pages == [[1, 2], [3, 4], [5]]


def test_a_letter_answered_between_two_pages_costs_no_other_its_place(world: World) -> None:
    fill(world, 4)
    first = letters(world, limit=2)
    world.accept(world.reply(WOMENS_FEDERATION, first[0], "handoff.retrieved", {}))
    assert [letter.envelope.seq for letter in letters(world, after=2, limit=2)] == [3, 4]
    assert [letter.envelope.seq for letter in letters(world)] == [2, 3, 4]


def test_a_page_ends_before_it_is_too_large_and_its_first_letter_always_fits(world: World) -> None:
    fill(world, 4)
    size = len(letters(world)[0].jws)  # a third more as it is stored
    with world.store.reading() as connection:
        for most_bytes, count in ((1, 1), (size * 3, 2), (size * 9, 4)):
            found = mailbox.pull(connection, FEDERATION, after=0, limit=9, most_bytes=most_bytes)
            assert [seq for seq, _, _ in found] == [1, 2, 3, 4][:count]


def test_letters_of_erased_cases_do_not_hide_those_behind_them(world: World) -> None:
    fill(world, 4)
    world.store.write(lambda c: [vault.erase(c, f"r-{number}", now=world.now) for number in (1, 2, 4)])
    assert [letter.envelope.seq for letter in letters(world, limit=1)] == [3]
    assert letters(world, after=3) == []


def test_what_was_queued_for_a_push_waits_in_the_mailbox_of_an_office_that_gets_one(world: World) -> None:
    world.refer()
    world.dispatch()
    assert letters(world, OFFICE) == []
    world.change_office(CIVIL_AFFAIRS, channel=Channel.MAILBOX, url=None)
    assert [letter.envelope.type for letter in letters(world, OFFICE)] == ["handoff.issued"]

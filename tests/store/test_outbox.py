"""发件 What must leave: numbered without a gap, leased to one worker, never made twice, each office in its own lane."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from gateway.domain.agreement import Channel, Office
from gateway.domain.lifecycle import MessageState
from gateway.errors import IllegalMove, LeaseLost
from gateway.store import counts, directory, mailbox, outbox, undelivered
from gateway.store import tables as t
from gateway.store.engine import Store
from gateway.store.outbox import Leased, Outbound, Settlement

NOW = datetime(2026, 3, 3, 1, 0, tzinfo=UTC)
LENGTH = timedelta(seconds=90)
GATEWAY = "cn/gateway/520000"


def an_office(name: str = "a", **changes: object) -> Office:
    honest = Office(
        office_id=f"office-{name}",
        party_id=f"cn/agency/{name}",
        agency="civil_affairs",
        region=f"52010{ord(name) % 10}",
        channel=Channel.PUSH,
        name_zh="测试单位",
        url="https://office.invalid/messages",
    )
    return replace(honest, **changes)  # type: ignore[arg-type]


def a_message(name: str, office: Office | None = None, **changes: object) -> Outbound:
    desk = office or an_office()
    honest = Outbound(
        message_id=name,
        effect_key=f"effect:{name}",
        recipient=desk.party_id,
        office=desk,
        type="handoff.issued",
        referral_id="r-1",
        handoff_id=f"h-{name}",
        priority=3,
        write=lambda seq: f"{name}.signed.{seq}",
    )
    return replace(honest, **changes)  # type: ignore[arg-type]


@pytest.fixture
def lane(store: Store) -> Store:
    """Two pushed-to offices and one with a mailbox."""
    for office in (an_office(), an_office("b"), an_office("m", channel=Channel.MAILBOX, url=None)):
        store.write(lambda c, office=office: directory.put_office(c, office, now=NOW))
    return store


def put(store: Store, *messages: Outbound, now: datetime = NOW) -> None:
    store.write(lambda connection: outbox.put(connection, GATEWAY, messages, now=now))


def lease(store: Store, office: str = "office-a", *, limit: int = 10, now: datetime = NOW) -> list[Leased]:
    return store.write(lambda c: outbox.lease(c, office, owner="w", limit=limit, now=now, length=LENGTH))


def settle(store: Store, leased: Leased, state: MessageState, *, now: datetime = NOW, **more: object) -> None:
    end = Settlement(leased=leased, state=state, outcome=state.value, **more)  # type: ignore[arg-type]
    store.write(lambda connection: outbox.settle(connection, [end], now=now))


def names(leased: list[Leased]) -> list[str]:
    return [one.message_id for one in leased]


def lanes(store: Store, now: datetime = NOW) -> list[str]:
    with store.reading() as connection:
        return outbox.lanes(connection, now=now)


def state_of(store: Store, message_id: str) -> str:
    with store.reading() as connection:
        return str(connection.scalar(sa.select(t.outbox.c.state).where(t.outbox.c.message_id == message_id)))


def numbers(store: Store, recipient: str) -> list[int]:
    o = t.outbox.c
    with store.reading() as connection:
        return list(connection.scalars(sa.select(o.seq).where(o.recipient == recipient).order_by(o.row)))


def in_threads(*works: Callable[[], None]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)


# --- numbering and effects ---


def test_numbers_are_contiguous_per_recipient_and_the_bytes_carry_them(lane: Store) -> None:
    put(lane, a_message("1"), a_message("2", an_office("b")), a_message("3"))
    put(lane, a_message("4"))
    assert numbers(lane, "cn/agency/a") == [1, 2, 3]
    assert [one.jws for one in lease(lane)] == ["1.signed.1", "3.signed.2", "4.signed.3"]


def test_an_effect_happens_once_for_ever(lane: Store) -> None:
    put(lane, a_message("1"))
    with pytest.raises(IntegrityError):
        put(lane, a_message("2"), a_message("3", effect_key="effect:1"))
    assert numbers(lane, "cn/agency/a") == [1]
    put(lane, a_message("4"))
    assert numbers(lane, "cn/agency/a") == [1, 2]


def test_a_message_that_cannot_be_signed_uses_no_number(lane: Store) -> None:
    def broken(_: int) -> str:
        raise ValueError("no key")

    with pytest.raises(ValueError, match="no key"):
        put(lane, a_message("1", write=broken))
    put(lane, a_message("2"))
    assert numbers(lane, "cn/agency/a") == [1]


def test_two_processes_number_one_recipient_without_gap_or_repetition(lane: Store, other: Store) -> None:
    def many(store: Store, name: str) -> Callable[[], None]:
        def work() -> None:
            for at in range(15):
                put(store, a_message(f"{name}{at}"), a_message(f"{name}{at}-b", an_office("b")))

        return work

    in_threads(many(lane, "x"), many(other, "y"))
    for recipient in ("cn/agency/a", "cn/agency/b"):
        assert sorted(numbers(lane, recipient)) == list(range(1, 31))


def test_two_processes_that_number_crosswise_do_not_wait_for_each_other(lane: Store, other: Store) -> None:
    def many(store: Store, name: str, first: str, second: str) -> Callable[[], None]:
        def work() -> None:
            for at in range(15):
                put(store, a_message(f"{name}{at}1", an_office(first)), a_message(f"{name}{at}2", an_office(second)))

        return work

    in_threads(many(lane, "x", "a", "b"), many(other, "y", "b", "a"))
    assert [len(numbers(lane, f"cn/agency/{name}")) for name in ("a", "b")] == [30, 30]


# --- leases ---


def test_minors_go_first_and_then_the_oldest(lane: Store) -> None:
    put(lane, a_message("adult"), a_message("child", priority=0), a_message("second-adult"))
    assert names(lease(lane)) == ["child", "adult", "second-adult"]


def test_a_leased_message_is_left_alone_until_the_lease_runs_out(lane: Store) -> None:
    put(lane, a_message("1"))
    assert names(lease(lane)) == ["1"]
    assert lease(lane, now=NOW + LENGTH - timedelta(seconds=1)) == []
    assert names(lease(lane, now=NOW + LENGTH)) == ["1"]


def test_an_attempt_is_on_file_before_it_is_made(lane: Store) -> None:
    put(lane, a_message("1"))
    (leased,) = lease(lane)
    with lane.reading() as connection:
        (row,) = connection.execute(sa.select(t.attempts)).mappings()
    assert (row["number"], row["fence"], row["finished_at"]) == (1, leased.fence, None)


def test_a_sleeper_cannot_settle_what_another_took_over(lane: Store, other: Store) -> None:
    put(lane, a_message("1"))
    (slept,) = lease(lane)
    later = NOW + LENGTH
    (taken,) = lease(other, now=later)
    assert taken.fence == slept.fence + 1
    assert taken.jws == slept.jws
    with pytest.raises(LeaseLost) as caught:
        settle(lane, slept, MessageState.REFUSED, now=later, error="http_400")
    assert caught.value.ids == {"message_id": "1"}
    settle(other, taken, MessageState.RELAYED, now=later)
    assert state_of(lane, "1") == "relayed"


def test_a_sleepers_whole_turn_is_refused_and_its_attempt_stays_unfinished(lane: Store) -> None:
    put(lane, a_message("1"), a_message("2"))
    slept = lease(lane)
    lease(lane, limit=1, now=NOW + LENGTH)
    ends = [Settlement(leased=one, state=MessageState.RELAYED, outcome="relayed") for one in slept]
    with pytest.raises(LeaseLost):
        lane.write(lambda connection: outbox.settle(connection, ends, now=NOW + LENGTH))
    assert [state_of(lane, name) for name in ("1", "2")] == ["sending", "sending"]
    with lane.reading() as connection:
        finished = connection.scalar(sa.select(sa.func.count(t.attempts.c.finished_at)))
    assert finished == 0


def test_a_late_worker_nobody_replaced_may_still_settle(lane: Store) -> None:
    put(lane, a_message("1"))
    (leased,) = lease(lane)
    settle(lane, leased, MessageState.RELAYED, now=NOW + 3 * LENGTH)
    assert state_of(lane, "1") == "relayed"


def test_settling_twice_is_refused(lane: Store) -> None:
    put(lane, a_message("1"))
    (leased,) = lease(lane)
    settle(lane, leased, MessageState.UNKNOWN, due_at=NOW)
    with pytest.raises(LeaseLost):
        settle(lane, leased, MessageState.RELAYED)


def test_attempts_are_facts_that_a_later_success_does_not_overwrite(lane: Store) -> None:
    put(lane, a_message("1"))
    settle(lane, lease(lane)[0], MessageState.UNKNOWN, due_at=NOW, http_status=500, error="http_500")
    settle(lane, lease(lane)[0], MessageState.RELAYED, http_status=200)
    with lane.reading() as connection:
        rows = connection.execute(sa.select(t.attempts).order_by(t.attempts.c.number)).mappings().all()
    assert [(row["number"], row["outcome"], row["http_status"]) for row in rows] == [
        (1, "unknown", 500),
        (2, "relayed", 200),
    ]


def test_only_moves_of_the_lifecycle_settle(lane: Store) -> None:
    put(lane, a_message("1"))
    (leased,) = lease(lane)
    with pytest.raises(IllegalMove):
        settle(lane, leased, MessageState.RETRIEVED)


def test_two_workers_never_lease_the_same_message(lane: Store, other: Store) -> None:
    put(lane, *(a_message(f"{at:02d}") for at in range(30)))
    taken: list[str] = []

    def empty(store: Store) -> Callable[[], None]:
        def work() -> None:
            while found := lease(store, limit=3):
                taken.extend(names(found))

        return work

    in_threads(empty(lane), empty(other))
    assert sorted(taken) == [f"{at:02d}" for at in range(30)]


# --- lanes ---


def test_a_paused_lane_is_neither_listed_nor_leased(lane: Store) -> None:
    put(lane, a_message("1"), a_message("2", an_office("b")))
    lane.write(lambda c: directory.set_paused(c, "office-a", paused=True, now=NOW))
    assert lanes(lane) == ["office-b"]
    assert lease(lane) == []
    lane.write(lambda c: directory.set_paused(c, "office-a", paused=False, now=NOW))
    assert lanes(lane) == ["office-a", "office-b"]


def test_a_blocked_lane_waits_until_its_moment_and_resuming_opens_it(lane: Store) -> None:
    put(lane, a_message("1"))
    until = NOW + timedelta(minutes=5)
    lane.write(lambda c: outbox.block_lane(c, "office-a", failures=5, until=until))
    assert (lanes(lane), lease(lane)) == ([], [])
    assert lanes(lane, until) == ["office-a"]
    lane.write(lambda c: directory.set_paused(c, "office-a", paused=False, now=NOW))
    assert lanes(lane) == ["office-a"]
    with lane.reading() as connection:
        assert outbox.failures_of(connection, "office-a") == 0


def test_a_lane_with_nothing_due_is_not_listed(lane: Store) -> None:
    put(lane, a_message("1"))
    settle(lane, lease(lane)[0], MessageState.UNKNOWN, due_at=NOW + timedelta(minutes=5))
    assert lanes(lane) == []
    assert lanes(lane, NOW + timedelta(minutes=5)) == ["office-a"]


def test_a_later_message_about_a_handoff_does_not_overtake_an_earlier_one(lane: Store) -> None:
    put(lane, a_message("issued", handoff_id="h"))
    put(lane, a_message("withdrawn", handoff_id="h", priority=0), a_message("another"))
    first = lease(lane)
    assert names(first) == ["issued", "another"]
    settle(lane, first[0], MessageState.UNKNOWN, due_at=NOW + timedelta(hours=1))
    settle(lane, first[1], MessageState.RELAYED)
    assert lease(lane) == []
    (again,) = lease(lane, now=NOW + timedelta(hours=1))
    settle(lane, again, MessageState.RELAYED)
    assert names(lease(lane)) == ["withdrawn"]


@pytest.mark.parametrize("end", [MessageState.REFUSED, MessageState.PARKED])
def test_a_message_that_goes_no_further_holds_up_nobody(lane: Store, end: MessageState) -> None:
    put(lane, a_message("issued", handoff_id="h"))
    put(lane, a_message("withdrawn", handoff_id="h"))
    settle(lane, lease(lane)[0], end, error="http_400")
    assert names(lease(lane)) == ["withdrawn"]


def test_what_was_refused_as_part_of_a_batch_goes_alone(lane: Store) -> None:
    put(lane, *(a_message(name) for name in "123"))
    for leased in lease(lane, limit=2):
        settle(lane, leased, MessageState.UNKNOWN, due_at=NOW, error=outbox.BATCH_REFUSED)
    assert [names(lease(lane)) for _ in range(3)] == [["1"], ["2"], ["3"]]


# --- the mailbox and people ---


def pulled(connection: sa.Connection, party: str, *, limit: int, after: int = 0) -> list[mailbox.Waiting]:
    return mailbox.pull(connection, party, after=after, limit=limit, most_bytes=10**6)


def test_a_mailbox_message_waits_until_its_party_answers_it(lane: Store) -> None:
    its_office = an_office("m", channel=Channel.MAILBOX, url=None)
    put(lane, a_message("1", its_office), a_message("2", its_office))
    assert lanes(lane) == []
    with lane.reading() as connection:
        assert [seq for seq, _, _ in pulled(connection, "cn/agency/m", limit=9)] == [1, 2]
        assert [seq for seq, _, _ in pulled(connection, "cn/agency/m", after=1, limit=9)] == [2]
        assert pulled(connection, "cn/agency/m", limit=1) == [(1, "1", "1.signed.1")]
        assert pulled(connection, "cn/agency/a", limit=9) == []
    lane.write(lambda c: mailbox.mark_retrieved(c, ["1", "no such message"]))
    assert [state_of(lane, name) for name in ("1", "2")] == ["retrieved", "available"]


def test_acknowledging_a_pushed_message_does_not_take_it_from_its_queue(lane: Store) -> None:
    put(lane, a_message("1"))
    lane.write(lambda c: mailbox.mark_retrieved(c, ["1"]))
    assert state_of(lane, "1") == "queued"


def test_what_waits_follows_an_office_that_changes_its_way(lane: Store) -> None:
    put(lane, a_message("1"))
    lane.write(lambda c: directory.put_office(c, an_office(channel=Channel.MAILBOX, url=None), now=NOW))
    with lane.reading() as connection:
        assert pulled(connection, "cn/agency/a", limit=9) == [(1, "1", "1.signed.1")]
    assert lanes(lane) == []
    lane.write(lambda c: directory.put_office(c, an_office(), now=NOW))
    assert names(lease(lane)) == ["1"]


def test_a_stuck_message_goes_again_from_the_first_rung_with_its_own_bytes(lane: Store) -> None:
    put(lane, a_message("1"), a_message("2"))
    parked, fine = lease(lane)
    settle(lane, parked, MessageState.PARKED, error="http_500")
    settle(lane, fine, MessageState.RELAYED)
    with lane.reading() as connection:
        (stuck,) = undelivered.listed(connection)
    assert (stuck.message_id, stuck.state, stuck.reason, stuck.attempts) == ("1", MessageState.PARKED, "http_500", 1)
    assert lane.write(lambda c: undelivered.requeue(c, ["1", "2"], now=NOW)) == 1
    (again,) = lease(lane)
    assert (again.jws, again.attempts, again.rung) == (parked.jws, 2, 1)


def test_an_office_without_a_server_finds_what_is_sent_again_in_its_mailbox(lane: Store) -> None:
    put(lane, a_message("1"))
    settle(lane, lease(lane)[0], MessageState.PARKED)
    lane.write(lambda c: directory.put_office(c, an_office(channel=Channel.MAILBOX, url=None), now=NOW))
    lane.write(lambda c: undelivered.requeue(c, ["1"], now=NOW))
    assert state_of(lane, "1") == "available"


def test_the_counts_say_what_waits_in_each_lane(lane: Store) -> None:
    put(lane, a_message("1"), a_message("2"), a_message("3", an_office("b")))
    settle(lane, lease(lane, limit=1)[0], MessageState.RELAYED)
    with lane.reading() as connection:
        assert {one.office_id: one.waiting for one in counts.lanes(connection)} == {
            "office-a": 1,
            "office-b": 1,
            "office-m": 0,
        }
        assert counts.outbox_by_state(connection) == {"queued": 2, "relayed": 1}

"""令牌与租约 A read token counts once; a job has one owner at a time; a dead one is followed, a sleeper refused."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection

from gateway.errors import LeaseLost
from gateway.store import leases, tokens
from gateway.store.engine import Store
from gateway.store.leases import Lease

NOW = datetime(2026, 3, 3, 1, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def use(store: Store, party: str = "cn/court/520100", jti: str = "j-1", expires: datetime = NOW + MINUTE) -> bool:
    return store.write(lambda connection: tokens.use(connection, party, jti, expires))


def take(store: Store, owner: str, *, now: datetime = NOW, name: str = "dispatch") -> Lease | None:
    return store.write(lambda connection: leases.take(connection, name, owner=owner, now=now, length=MINUTE))


def taken(store: Store, owner: str, *, now: datetime = NOW, name: str = "dispatch") -> Lease:
    lease = take(store, owner, now=now, name=name)
    assert lease is not None
    return lease


def write_under(store: Store, lease: Lease, jti: str) -> None:
    """A job that is only safe alone: writes, and asks for its lease in the same transaction."""

    def work(connection: Connection) -> None:
        tokens.use(connection, "cn/court/520100", jti, NOW)
        leases.require(connection, lease)

    store.write(work)


def free_at(store: Store, name: str) -> datetime | None:
    with store.reading() as connection:
        return leases.free_at(connection, name)


def give_back(store: Store, owner: str) -> None:
    store.write(lambda connection: leases.give_back(connection, owner=owner, now=NOW))


def plan(store: Store, name: str, at: datetime) -> None:
    store.write(lambda connection: leases.plan(connection, name, at=at))


def finish(store: Store, lease: Lease, next_at: datetime) -> None:
    store.write(lambda connection: leases.finish(connection, lease, next_at=next_at))


def test_a_token_is_used_once(store: Store) -> None:
    assert [use(store), use(store)] == [True, False]


def test_two_parties_may_choose_the_same_token_id(store: Store) -> None:
    assert [use(store), use(store, party="cn/court/520300")] == [True, True]


def test_of_two_processes_with_one_token_a_single_one_is_let_in(store: Store, other: Store) -> None:
    let_in: list[bool] = []

    def try_many(one: Store) -> None:
        for number in range(20):
            if use(one, jti=f"j-{number}"):
                let_in.append(True)

    threads = [threading.Thread(target=try_many, args=(one,)) for one in (store, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(let_in) == 20


def test_a_token_is_forgotten_only_after_no_clock_would_take_it(store: Store) -> None:
    use(store, jti="old", expires=NOW - MINUTE)
    use(store, jti="young", expires=NOW)
    assert store.write(lambda connection: tokens.forget(connection, now=NOW)) == 1
    assert not use(store, jti="young")


def test_a_lease_has_one_owner(store: Store) -> None:
    assert [take(store, owner) is not None for owner in ("a", "b", "a")] == [True, False, True]


def test_prolonging_a_lease_keeps_its_fence_and_a_new_owner_raises_it(store: Store) -> None:
    assert taken(store, "a").fence == 1
    again = taken(store, "a", now=NOW + MINUTE / 2)
    assert (again.fence, again.until) == (1, NOW + MINUTE / 2 + MINUTE)
    assert take(store, "b", now=NOW + MINUTE) is None
    assert taken(store, "b", now=NOW + 2 * MINUTE).fence == 2


def test_a_lease_that_was_given_back_is_free_at_once_and_its_last_owner_cannot_write_any_more(store: Store) -> None:
    lease = taken(store, "a")
    give_back(store, "a")
    with pytest.raises(LeaseLost):
        write_under(store, lease, "late")
    assert taken(store, "b").fence == 2


def test_nobody_gives_back_what_is_anothers(store: Store) -> None:
    taken(store, "a")
    give_back(store, "b")
    assert take(store, "b") is None


def test_an_owner_that_slept_past_its_lease_cannot_write_once_another_has_it(store: Store, other: Store) -> None:
    asleep = taken(store, "a")
    write_under(store, asleep, "in time")
    awake = taken(other, "b", now=NOW + 2 * MINUTE)
    with pytest.raises(LeaseLost, match="dispatch"):
        write_under(store, asleep, "late")
    write_under(other, awake, "by the new one")
    assert [use(store, jti=jti) for jti in ("in time", "late", "by the new one")] == [False, True, False]


def test_a_lease_that_ran_out_still_counts_while_nobody_took_it(store: Store) -> None:
    lease = taken(store, "a")
    write_under(store, lease, "j")
    assert not use(store, jti="j")
    assert taken(store, "a", now=NOW + 3 * MINUTE).fence == lease.fence


def test_a_lease_that_came_back_to_its_first_owner_is_another_one(store: Store, other: Store) -> None:
    asleep = taken(store, "a")
    taken(other, "b", now=NOW + 2 * MINUTE)
    again = taken(store, "a", now=NOW + 4 * MINUTE)
    with pytest.raises(LeaseLost):
        write_under(store, asleep, "late")
    write_under(store, again, "now")


def test_while_the_lease_is_required_nobody_takes_it_until_the_commit(store: Store, other: Store) -> None:
    lease = taken(store, "a")
    required, go_on, order = threading.Event(), threading.Event(), list[str]()

    def write_slowly(connection: Connection) -> None:
        leases.require(connection, lease)
        required.set()
        go_on.wait(10)
        order.append("written")

    def take_over() -> None:
        taken(other, "b", now=NOW + 2 * MINUTE)
        order.append("taken over")

    slow = threading.Thread(target=lambda: store.write(write_slowly))
    slow.start()
    assert required.wait(10)
    taker = threading.Thread(target=take_over)
    taker.start()
    taker.join(0.2)
    go_on.set()
    for thread in (slow, taker):
        thread.join(30)
    assert order == ["written", "taken over"]


def test_a_lease_nobody_ever_held_proves_nothing(store: Store) -> None:
    with pytest.raises(LeaseLost):
        write_under(store, Lease(name="never", owner="a", fence=0, until=NOW), "j")


def test_a_turn_is_nobodys_before_its_moment_and_again_when_it_is_done(store: Store) -> None:
    assert free_at(store, "nightly") is None
    plan(store, "nightly", at=NOW + MINUTE)
    plan(store, "nightly", at=NOW + 9 * MINUTE)
    assert free_at(store, "nightly") == NOW + MINUTE
    assert take(store, "a", name="nightly") is None
    lease = taken(store, "a", name="nightly", now=NOW + MINUTE)
    assert take(store, "b", name="nightly", now=NOW + MINUTE) is None
    finish(store, lease, NOW + 9 * MINUTE)
    assert [take(store, owner, name="nightly", now=NOW + 8 * MINUTE) for owner in ("a", "b")] == [None, None]
    assert taken(store, "b", name="nightly", now=NOW + 9 * MINUTE).fence == 2


def test_a_turn_whose_worker_died_is_taken_over_and_a_dead_ones_end_is_refused(store: Store) -> None:
    plan(store, "nightly", at=NOW)
    dead = taken(store, "a", name="nightly")
    alive = taken(store, "b", name="nightly", now=NOW + 2 * MINUTE)
    with pytest.raises(LeaseLost):
        finish(store, dead, NOW + 60 * MINUTE)
    finish(store, alive, NOW + 30 * MINUTE)
    assert free_at(store, "nightly") == NOW + 30 * MINUTE


def test_leases_of_different_names_do_not_meet(store: Store) -> None:
    assert {taken(store, "a", name="dispatch").fence, taken(store, "b", name="reconcile").fence} == {1}


def test_of_two_processes_that_take_a_new_lease_at_once_one_has_it(store: Store, other: Store) -> None:
    for number in range(10):
        got: list[str] = []

        def grab(one: Store, owner: str, number: int = number, got: list[str] = got) -> None:
            if take(one, owner, name=f"job-{number}") is not None:
                got.append(owner)

        threads = [threading.Thread(target=grab, args=pair) for pair in ((store, "a"), (other, "b"))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert len(got) == 1

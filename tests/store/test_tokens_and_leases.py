"""令牌与租约 A read token counts once; a job has one owner at a time, and a dead owner's job is taken over."""

import threading
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from gateway.store import leases, tokens
from gateway.store import tables as t
from gateway.store.engine import Store

NOW = datetime(2026, 3, 3, 1, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def use(store: Store, party: str = "cn/court/520100", jti: str = "j-1", expires: datetime = NOW + MINUTE) -> bool:
    return store.write(lambda connection: tokens.use(connection, party, jti, expires))


def take(store: Store, owner: str, *, now: datetime = NOW, name: str = "dispatch") -> bool:
    return store.write(lambda connection: leases.take(connection, name, owner=owner, now=now, length=MINUTE))


def fence(store: Store) -> int:
    with store.reading() as connection:
        return int(connection.scalar(sa.select(t.leases.c.fence)) or 0)


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
    assert [take(store, "a"), take(store, "b"), take(store, "a")] == [True, False, True]


def test_prolonging_a_lease_keeps_its_fence_and_a_new_owner_raises_it(store: Store) -> None:
    take(store, "a")
    take(store, "a", now=NOW + MINUTE / 2)
    assert fence(store) == 1
    assert not take(store, "b", now=NOW + MINUTE)
    assert take(store, "b", now=NOW + 2 * MINUTE)
    assert fence(store) == 2


def test_a_lease_that_was_given_back_is_free_at_once(store: Store) -> None:
    take(store, "a")
    store.write(lambda connection: leases.give_back(connection, "dispatch", owner="a", now=NOW))
    assert take(store, "b")


def test_nobody_gives_back_what_is_anothers(store: Store) -> None:
    take(store, "a")
    store.write(lambda connection: leases.give_back(connection, "dispatch", owner="b", now=NOW))
    assert not take(store, "b")


def test_leases_of_different_names_do_not_meet(store: Store) -> None:
    assert [take(store, "a", name="dispatch"), take(store, "b", name="reconcile")] == [True, True]


def test_of_two_processes_that_take_a_new_lease_at_once_one_has_it(store: Store, other: Store) -> None:
    for number in range(10):
        got: list[str] = []

        def grab(one: Store, owner: str, number: int = number, got: list[str] = got) -> None:
            if take(one, owner, name=f"job-{number}"):
                got.append(owner)

        threads = [threading.Thread(target=grab, args=pair) for pair in ((store, "a"), (other, "b"))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert len(got) == 1

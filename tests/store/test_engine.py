"""存储引擎 One commit for many, none pays for another, and nobody is told "done" before it is."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from itertools import count

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from gateway.errors import Busy, ConfigError, LeaseLost, StoreUnavailable
from gateway.store import tables as t
from gateway.store.engine import Store, open_engine

_IDS = (f"d-{number}" for number in count())


def a_decision(subject: str) -> dict[str, object]:
    return {
        "decision_id": next(_IDS),
        "at": 1,
        "who": "somebody",
        "what": "tested",
        "subject": subject,
        "why": "because",
    }


def keep(connection: Connection, subject: str) -> str:
    connection.execute(t.decisions.insert().values(a_decision(subject)))
    return subject


def subjects(store: Store) -> list[str]:
    with store.reading() as connection:
        return list(connection.scalars(sa.select(t.decisions.c.subject).order_by(t.decisions.c.row)))


class Gate:
    """Holds the writer inside a transaction, so that what is submitted meanwhile becomes one group."""

    def __init__(self, store: Store) -> None:
        self._entered, self._open = threading.Event(), threading.Event()
        self._held = store.submit(self._hold, [None])
        assert self._entered.wait(10)

    def _hold(self, _: Connection, items: list[None]) -> list[None]:
        self._entered.set()
        assert self._open.wait(10)
        return items

    def open(self) -> None:
        self._open.set()
        wait(self._held, timeout=10)


def test_a_write_returns_what_the_work_returned_and_is_on_file(store: Store) -> None:
    assert store.write(lambda connection: keep(connection, "a")) == "a"
    assert subjects(store) == ["a"]


def test_items_that_wait_together_are_given_to_their_flow_together(store: Store) -> None:
    seen: list[list[str]] = []

    def flow(connection: Connection, items: list[str]) -> list[str]:
        seen.append(items)
        return [keep(connection, item) for item in items]

    gate = Gate(store)
    futures = [future for word in ("a", "b", "c") for future in store.submit(flow, [word])]
    gate.open()
    assert [future.result(10) for future in futures] == ["a", "b", "c"]
    assert seen == [["a", "b", "c"]]
    assert subjects(store) == ["a", "b", "c"]


def test_an_item_that_breaks_the_group_is_alone_in_failing(store: Store) -> None:
    def flow(connection: Connection, items: list[str]) -> list[str]:
        for item in items:
            keep(connection, item)
            if item == "bad":
                raise LeaseLost
        return items

    gate = Gate(store)
    good, bad, also_good = store.submit(flow, ["good", "bad", "also good"])
    gate.open()
    assert (good.result(10), also_good.result(10)) == ("good", "also good")
    with pytest.raises(LeaseLost):
        bad.result(10)
    assert subjects(store) == ["good", "also good"]


def test_an_outcome_that_is_an_exception_undoes_nothing(store: Store) -> None:
    def flow(connection: Connection, items: list[str]) -> list[str | Exception]:
        kept = [keep(connection, item) for item in items]
        return [Busy() if word == "refused" else word for word in kept]

    gate = Gate(store)
    futures = store.submit(flow, ["refused", "taken"])
    gate.open()
    with pytest.raises(Busy):
        futures[0].result(10)
    assert futures[1].result(10) == "taken"
    assert subjects(store) == ["refused", "taken"]


def test_a_unique_key_taken_twice_in_a_group_costs_only_the_second(store: Store) -> None:
    def use(jti: str) -> Callable[[Connection], str]:
        def work(connection: Connection) -> str:
            connection.execute(t.used_tokens.insert().values(party_id="p", jti=jti, expires_at=1))
            return jti

        return work

    results: dict[int, str] = {}
    failures: list[Exception] = []

    def write(at: int, jti: str) -> None:
        try:
            results[at] = store.write(use(jti))
        except IntegrityError as error:
            failures.append(error)

    gate = Gate(store)
    threads = [threading.Thread(target=write, args=pair) for pair in enumerate(("one", "same", "same", "two"))]
    for thread in threads:
        thread.start()
    gate.open()
    for thread in threads:
        thread.join(10)
    assert sorted(results.values()) == ["one", "same", "two"]
    assert len(failures) == 1


def test_what_lost_a_race_is_run_once_more_and_sees_who_won(store: Store, other: Store) -> None:
    runs: list[bool] = []

    def work(connection: Connection) -> str:
        known = connection.scalar(sa.select(t.leases.c.owner).where(t.leases.c.name == "job"))
        if known is not None:
            return str(known)
        runs.append(True)
        if not store.is_sqlite and len(runs) == 1:
            # another process commits between our look and our write; SQLite's write lock shuts it out
            other.write(lambda c: c.execute(t.leases.insert().values(name="job", owner="other", fence=1, until=1)))
        connection.execute(t.leases.insert().values(name="job", owner="we", fence=1, until=1))
        return "we"

    assert store.write(work) == ("we" if store.is_sqlite else "other")
    assert len(runs) == 1


def test_a_lasting_conflict_is_told_after_one_more_try(store: Store) -> None:
    runs: list[bool] = []

    def work(connection: Connection) -> None:
        runs.append(True)
        for _ in range(2):
            connection.execute(t.leases.insert().values(name="job", owner="we", fence=1, until=1))

    with pytest.raises(IntegrityError):
        store.write(work)
    assert len(runs) == 2


def test_an_error_of_the_database_never_shows_what_was_to_be_written(store: Store) -> None:
    def work(connection: Connection) -> None:
        for _ in range(2):
            connection.execute(t.leases.insert().values(name="job", owner="measured-canary", fence=1, until=1))

    with pytest.raises(IntegrityError) as caught:
        store.write(work)
    assert "measured-canary" not in str(caught.value)


def test_nothing_is_answered_before_it_is_committed(store: Store, other: Store) -> None:
    seen: list[list[str]] = []
    future: Future[str] = store.submit(lambda c, items: [keep(c, item) for item in items], ["a"])[0]
    future.add_done_callback(lambda _: seen.append(subjects(other)))
    future.result(10)
    store.close()
    assert seen == [["a"]]


def test_a_flow_that_answers_too_few_keeps_nothing(store: Store) -> None:
    def flow(connection: Connection, items: list[str]) -> list[str]:
        keep(connection, items[0])
        return []

    with pytest.raises(ValueError, match="zip"):
        store.submit(flow, ["a"])[0].result(10)
    assert subjects(store) == []


def test_a_full_queue_says_busy_and_takes_nothing(sqlite_url: str) -> None:
    store = Store(sqlite_url, room=1, patience=0.05)
    gate = Gate(store)
    first, second = store.submit(lambda _, items: items, ["waits", "too much"])
    with pytest.raises(Busy) as caught:
        second.result(10)
    gate.open()
    assert caught.value.retry_after == 2
    assert first.result(10) == "waits"
    store.close()


def test_closing_commits_what_is_queued(store: Store, other: Store) -> None:
    gate = Gate(store)
    futures = [store.submit(lambda c, items: [keep(c, i) for i in items], [str(n)])[0] for n in range(5)]
    closing = threading.Thread(target=store.close)
    closing.start()
    gate.open()
    closing.join(10)
    assert [future.result(10) for future in futures] == list("01234")
    assert subjects(other) == list("01234")


def test_a_closed_store_refuses_at_once_and_keeps_nobody_waiting(store: Store, other: Store) -> None:
    store.close()
    (future,) = store.submit(lambda c, items: [keep(c, item) for item in items], ["late"])
    with pytest.raises(StoreUnavailable):
        future.result(1)
    assert subjects(other) == []


def test_closing_twice_is_harmless(store: Store) -> None:
    store.write(lambda connection: keep(connection, "a"))
    store.close()
    store.close()


def test_many_threads_lose_nothing(store: Store) -> None:
    def work(name: int) -> None:
        for number in range(10):
            store.write(lambda c, word=f"{name}-{number}": keep(c, word))

    threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(subjects(store)) == sorted(f"{name}-{number}" for name in range(8) for number in range(10))


def test_sqlite_is_durable_and_keeps_its_readers_free(sqlite_url: str) -> None:
    with open_engine(sqlite_url).connect() as connection:
        pragma = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert pragma == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_a_reader_sees_one_moment_however_long_it_reads(sqlite_url: str) -> None:
    store = Store(sqlite_url)
    with store.reading() as connection:
        before = connection.scalar(sa.select(sa.func.count()).select_from(t.decisions))
        store.write(lambda c: keep(c, "meanwhile"))
        after = connection.scalar(sa.select(sa.func.count()).select_from(t.decisions))
    assert (before, after) == (0, 0)
    assert subjects(store) == ["meanwhile"]
    store.close()


@pytest.mark.parametrize("url", ["mysql://somewhere/db", "postgresql://somewhere/db", "oracle://x", ""])
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(ConfigError):
        open_engine(url)


def test_a_database_that_is_away_is_a_retryable_error_without_its_address() -> None:
    store = Store("postgresql+psycopg://nobody:secret@127.0.0.1:1/none?connect_timeout=1")
    with pytest.raises(StoreUnavailable) as writing:
        store.write(lambda _: None)
    with pytest.raises(StoreUnavailable) as reading, store.reading():
        pass
    for caught in (writing, reading):
        assert caught.value.retryable
        assert "secret" not in str(caught.value)
    store.close()

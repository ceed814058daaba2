"""统一时钟 The database's clock is every node's; a process carries it on by itself, and through an outage."""

import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from gateway.errors import StoreUnavailable
from gateway.store.engine import Store
from gateway.store.shared_clock import ASK_EVERY_S, SharedClock, database_time

NOW = datetime(2026, 3, 3, 1, 0, tzinfo=UTC)


@dataclass
class Node:
    """What a process sees: seconds since it began, and a database that answers or does not."""

    seconds: float = 0.0
    database: datetime = NOW
    answer_takes: float = 0.0
    away: bool = False
    asked: int = 0

    def elapsed(self) -> float:
        return self.seconds

    def ask(self) -> datetime:
        self.asked += 1
        if self.away:
            raise StoreUnavailable("away")
        self.pass_(self.answer_takes / 2)
        answer = self.database
        self.pass_(self.answer_takes / 2)
        return answer

    def pass_(self, seconds: float) -> None:
        self.seconds += seconds
        self.database += timedelta(seconds=seconds)


def test_between_two_looks_the_time_is_carried_on_without_asking() -> None:
    node = Node()
    clock = SharedClock(node.ask, elapsed=node.elapsed)
    node.pass_(ASK_EVERY_S - 1)
    assert (clock(), node.asked) == (NOW + timedelta(seconds=ASK_EVERY_S - 1), 1)
    node.pass_(1)
    assert (clock(), node.asked) == (NOW + timedelta(seconds=ASK_EVERY_S), 2)


def test_a_database_that_is_set_right_sets_every_node_right() -> None:
    node = Node()
    clock = SharedClock(node.ask, elapsed=node.elapsed)
    node.database += timedelta(minutes=3)
    node.pass_(ASK_EVERY_S)
    assert clock() == node.database


def test_half_of_the_time_an_answer_takes_is_reckoned_with() -> None:
    node = Node(answer_takes=0.5)
    assert SharedClock(node.ask, elapsed=node.elapsed)() == node.database


def test_while_the_database_is_away_the_time_goes_on() -> None:
    node = Node()
    clock = SharedClock(node.ask, elapsed=node.elapsed)
    node.away = True
    for _ in range(4):
        node.pass_(ASK_EVERY_S)
        assert clock() == node.database
    assert node.asked == 5


def test_no_process_begins_with_a_time_it_made_up() -> None:
    with pytest.raises(StoreUnavailable):
        SharedClock(Node(away=True).ask)


def test_a_demonstration_is_moved_by_its_shift() -> None:
    node = Node()
    clock = SharedClock(node.ask, shift=timedelta(days=-500), elapsed=node.elapsed)
    assert clock() == NOW - timedelta(days=500)


def test_while_one_thread_asks_no_other_waits_for_the_answer() -> None:
    node = Node()
    asking, answer = threading.Event(), threading.Event()

    def ask() -> datetime:
        if node.seconds:
            asking.set()
            answer.wait(10)
        return node.database

    clock = SharedClock(ask, elapsed=node.elapsed)
    node.pass_(ASK_EVERY_S)
    first = threading.Thread(target=clock)
    first.start()
    assert asking.wait(10)
    assert clock() == node.database
    answer.set()
    first.join(10)
    assert not first.is_alive()


def test_postgres_says_its_own_time_in_utc(postgres_url: str) -> None:
    store = Store(postgres_url)
    try:
        assert database_time(store).tzinfo is UTC
        clock = SharedClock(lambda: database_time(store))
        assert abs(clock() - database_time(store)) < timedelta(seconds=ASK_EVERY_S)
    finally:
        store.close()

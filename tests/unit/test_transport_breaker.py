"""The breaker of one office: a row of failures opens it, one probe decides, an answer closes it."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.transport.breaker import Breaker, BreakerRule, BreakerState

NOW = datetime(2025, 3, 3, 9, 0, tzinfo=UTC)
RULE = BreakerRule(
    threshold=3,
    cool_down=timedelta(seconds=30),
    longest=timedelta(seconds=100),
    probe_limit=timedelta(seconds=60),
)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def opened(when: float = 0) -> Breaker:
    """Just opened by three failures in a row."""
    breaker = Breaker(RULE)
    for _ in range(3):
        breaker.failed(at(when))
    return breaker


def test_a_new_breaker_lets_everything_pass() -> None:
    breaker = Breaker(RULE)
    assert [True] * 5 == [breaker.allow(NOW) for _ in range(5)]
    assert (BreakerState.CLOSED, 0, None) == (breaker.state(NOW), breaker.failures, breaker.blocked_until)


def test_fewer_failures_than_the_threshold_leave_it_closed() -> None:
    breaker = Breaker(RULE)
    breaker.failed(NOW)
    breaker.failed(NOW)
    assert (True, 2) == (breaker.allow(NOW), breaker.failures)


def test_an_answer_between_failures_starts_the_count_again() -> None:
    breaker = Breaker(RULE)
    for _ in range(4):
        breaker.failed(NOW)
        breaker.failed(NOW)
        breaker.answered()
    assert BreakerState.CLOSED is breaker.state(NOW)


def test_the_threshold_opens_it_for_the_cool_down() -> None:
    breaker = opened()
    assert (BreakerState.OPEN, at(30)) == (breaker.state(NOW), breaker.blocked_until)
    assert [False, False] == [breaker.allow(NOW), breaker.allow(at(29.999))]


def test_after_the_cool_down_exactly_one_probe_passes() -> None:
    breaker = opened()
    assert BreakerState.HALF_OPEN is breaker.state(at(30))
    assert [True, False, False] == [breaker.allow(at(30 + second)) for second in range(3)]


def test_an_answered_probe_closes_it() -> None:
    breaker = opened()
    breaker.allow(at(30))
    breaker.answered()
    assert [True, True] == [breaker.allow(at(31)), breaker.allow(at(31))]
    assert (0, None) == (breaker.failures, breaker.blocked_until)


def test_each_failed_probe_doubles_the_cool_down_up_to_the_longest() -> None:
    breaker, moment, waits = opened(), NOW, []
    for _ in range(4):
        until = breaker.blocked_until
        assert until is not None
        waits.append((until - moment).total_seconds())
        moment = until
        assert breaker.allow(moment)
        breaker.failed(moment)
    assert [30, 60, 100, 100] == waits


def test_after_closing_the_cool_down_starts_small_again() -> None:
    breaker = opened()
    breaker.allow(at(30))
    breaker.failed(at(30))
    breaker.answered()
    for _ in range(3):
        breaker.failed(at(200))
    assert at(230) == breaker.blocked_until


def test_failures_of_pushes_under_way_when_it_opened_do_not_lengthen_it() -> None:
    breaker = opened()
    for second in range(5):
        breaker.failed(at(second))
    assert (3, at(30)) == (breaker.failures, breaker.blocked_until)


def test_an_answer_of_a_push_under_way_when_it_opened_closes_it() -> None:
    breaker = opened()
    breaker.answered()
    assert breaker.allow(at(1))


def test_a_probe_nobody_reports_gives_up_its_place() -> None:
    breaker = opened()
    assert breaker.allow(at(30))
    assert [False, True, False] == [breaker.allow(at(second)) for second in (89, 90, 91)]


def test_a_breaker_goes_on_from_what_was_kept() -> None:
    kept = opened()
    restored = Breaker(RULE, failures=kept.failures, blocked_until=kept.blocked_until)
    assert [False, True] == [restored.allow(at(29)), restored.allow(at(30))]
    restored.failed(at(30))
    assert at(90) == restored.blocked_until


def test_two_breakers_know_nothing_of_each_other() -> None:
    opened()
    assert Breaker(RULE).allow(NOW)


def test_many_threads_get_one_probe() -> None:
    breaker, together, passed = opened(), threading.Barrier(8), []

    def ask() -> None:
        together.wait(5)
        passed.append(breaker.allow(at(30)))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert [False] * 7 + [True] == sorted(passed)


def test_no_failure_of_many_threads_is_lost() -> None:
    breaker = Breaker(BreakerRule(threshold=10_000))

    def fail() -> None:
        for _ in range(500):
            breaker.failed(NOW)

    threads = [threading.Thread(target=fail) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert 2000 == breaker.failures


@pytest.mark.parametrize(
    "make",
    [
        lambda: BreakerRule(threshold=0),
        lambda: BreakerRule(cool_down=timedelta(0)),
        lambda: BreakerRule(cool_down=timedelta(minutes=2), longest=timedelta(minutes=1)),
        lambda: BreakerRule(probe_limit=timedelta(0)),
        lambda: Breaker(failures=-1),
    ],
)
def test_a_breaker_that_could_not_work_cannot_be_made(make: Callable[[], object]) -> None:
    with pytest.raises(ValueError):
        make()


@given(st.integers(0, 10**9))
def test_no_number_of_failures_breaks_the_cool_down(failures: int) -> None:
    rule = BreakerRule()
    assert timedelta(0) <= rule.cool_down_after(failures) <= rule.longest


@given(st.lists(st.tuples(st.sampled_from(["ask", "fail", "answer"]), st.integers(0, 40)), max_size=60))
def test_whatever_happens_an_open_breaker_lets_nothing_pass_and_its_wait_ends(moves: list[tuple[str, int]]) -> None:
    breaker, clock = Breaker(RULE), 0.0
    for move, seconds in moves:
        clock += seconds
        state = breaker.state(at(clock))
        if move == "ask":
            allowed = breaker.allow(at(clock))
            assert allowed or state is not BreakerState.CLOSED
            assert not allowed or state is not BreakerState.OPEN
        elif move == "fail":
            breaker.failed(at(clock))
        else:
            breaker.answered()
        until = breaker.blocked_until
        assert until is None or until <= at(clock) + RULE.longest

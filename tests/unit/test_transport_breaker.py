"""When an office's lane rests: not after a few failures, longer and longer after more, never for ever."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.transport.breaker import BreakerRule

RULE = BreakerRule(threshold=3, cool_down=timedelta(seconds=30), longest=timedelta(seconds=100))


@pytest.mark.parametrize(
    ("failures", "seconds"), [(0, 0), (2, 0), (3, 30), (4, 60), (5, 100), (6, 100), (1_000_000, 100)]
)
def test_the_pause_begins_at_the_threshold_and_doubles_up_to_the_longest(failures: int, seconds: int) -> None:
    assert timedelta(seconds=seconds) == RULE.cool_down_after(failures)


@given(st.integers(min_value=0, max_value=10**9))
def test_one_more_failure_never_shortens_the_pause(failures: int) -> None:
    assert RULE.cool_down_after(failures) <= RULE.cool_down_after(failures + 1) <= RULE.longest


@pytest.mark.parametrize(
    "make",
    [
        lambda: BreakerRule(threshold=0),
        lambda: BreakerRule(cool_down=timedelta(0)),
        lambda: BreakerRule(cool_down=timedelta(minutes=2), longest=timedelta(minutes=1)),
    ],
)
def test_a_rule_that_could_not_work_cannot_be_made(make: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match="breaker"):
        make()

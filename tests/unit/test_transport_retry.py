"""The retry ladder: ten attempts over three days, later when the partner asks for it, then a person."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import ConfigError
from gateway.transport.answer import RetryAfter
from gateway.transport.retry import delays_from_rows, load_delays, next_attempt, read_retry_after

NOW = datetime(2025, 3, 3, 9, 0, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
LADDER = (
    0 * SECOND,
    5 * SECOND,
    5 * MINUTE,
    30 * MINUTE,
    2 * HOUR,
    5 * HOUR,
    10 * HOUR,
    14 * HOUR,
    20 * HOUR,
    24 * HOUR,
)


def test_the_shipped_ladder_is_the_published_one() -> None:
    assert LADDER == load_delays()


@pytest.mark.parametrize(("made", "delay"), list(enumerate(LADDER)))
def test_each_attempt_waits_its_own_time(made: int, delay: timedelta) -> None:
    assert NOW + delay == next_attempt(made, NOW, 0.0)


@pytest.mark.parametrize("made", [10, 11, 1000])
def test_after_the_last_attempt_the_message_is_parked(made: int) -> None:
    assert next_attempt(made, NOW, 0.5) is None


def test_a_partner_s_wish_does_not_bring_a_parked_message_back() -> None:
    assert next_attempt(10, NOW, 0.0, retry_after=MINUTE) is None


def test_a_whole_ladder_takes_a_little_over_three_days() -> None:
    moment = NOW
    for made in range(1, 10):
        due = next_attempt(made, moment, 0.0)
        assert due is not None
        moment = due
    assert timedelta(days=3, hours=3, minutes=35, seconds=5) == moment - NOW


@given(st.integers(0, 9), st.floats(0, 1))
def test_jitter_only_delays_and_by_at_most_a_fifth(made: int, jitter: float) -> None:
    due = next_attempt(made, NOW, jitter)
    assert due is not None
    assert LADDER[made] <= due - NOW <= LADDER[made] * 1.2


@pytest.mark.parametrize(("made", "jitter"), [(-1, 0.0), (0, -0.1), (0, 1.1), (0, float("nan"))])
def test_numbers_out_of_range_are_a_programming_mistake(made: int, jitter: float) -> None:
    with pytest.raises(ValueError, match="counted from 0"):
        next_attempt(made, NOW, jitter)


@pytest.mark.parametrize(
    ("made", "retry_after", "expected"),
    [
        (1, 2 * MINUTE, 2 * MINUTE),
        (1, NOW + 2 * MINUTE, 2 * MINUTE),
        (1, SECOND, 5 * SECOND),
        (1, NOW - HOUR, 5 * SECOND),
        (4, 2 * MINUTE, 2 * HOUR),
        (1, DAY, DAY),
        (1, DAY + SECOND, DAY),
        (1, timedelta(seconds=10**9), DAY),
        (1, NOW + 40 * DAY, DAY),
        (9, 40 * DAY, DAY),
        (1, datetime(9999, 12, 31, tzinfo=UTC), DAY),
    ],
)
def test_a_partner_may_ask_for_later_but_not_for_sooner_nor_for_ever(
    made: int, retry_after: RetryAfter, expected: timedelta
) -> None:
    assert NOW + expected == next_attempt(made, NOW, 0.0, retry_after=retry_after)


@given(st.integers(0, 9), st.floats(0, 1), st.integers(0, 86_400))
def test_no_attempt_comes_before_the_moment_a_partner_asked_for(made: int, jitter: float, seconds: int) -> None:
    due = next_attempt(made, NOW, jitter, retry_after=timedelta(seconds=seconds))
    assert due is not None
    assert due >= NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", timedelta(0)),
        (" 120 ", 2 * MINUTE),
        ("9" * 500, timedelta(seconds=10**9)),
        ("Mon, 03 Mar 2025 09:00:00 GMT", NOW),
        ("Monday, 03-Mar-25 09:00:00 GMT", NOW),
        ("Mon, 03 Mar 2025 17:00:00 +0800", NOW),
        ("Mon, 03 Mar 2025 09:00:00", NOW),
        (None, None),
        ("", None),
        ("-5", None),
        ("1.5", None),
        ("５", None),
        ("soon", None),
        ("Mon, 31 Feb 2025 09:00:00 GMT", None),
        ("Mon, 03 Mar 99999999999999999999 09:00:00 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 -1200", None),
    ],
)
def test_a_retry_after_header_is_seconds_or_a_date_or_nothing(text: str | None, expected: RetryAfter | None) -> None:
    assert expected == read_retry_after(text)


@given(st.text(max_size=60))
def test_no_header_breaks_the_reader(text: str) -> None:
    found = read_retry_after(text)
    assert found is None or isinstance(found, timedelta) or found.tzinfo is not None


def rows(*delays: str) -> list[dict[str, str]]:
    return [{"attempt": str(number), "delay_seconds": delay} for number, delay in enumerate(delays, start=1)]


def test_another_ladder_may_be_given() -> None:
    ladder = delays_from_rows(rows("0", "7"))
    assert NOW + 7 * SECOND == next_attempt(1, NOW, 0.0, delays=ladder)
    assert next_attempt(2, NOW, 0.0, delays=ladder) is None


@pytest.mark.parametrize(
    "broken",
    [
        rows("0", "x"),
        rows("0", "-1"),
        rows("0", "1.5"),
        rows("5", "0"),
        rows("0", "5")[::-1],
        [{"attempt": "0", "delay_seconds": "0"}],
        [*rows("0"), {"attempt": "3", "delay_seconds": "5"}],
    ],
)
def test_a_broken_ladder_is_a_configuration_error(broken: list[dict[str, str]]) -> None:
    with pytest.raises(ConfigError):
        delays_from_rows(broken)

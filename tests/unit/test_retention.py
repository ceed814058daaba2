"""Rule P08: records of an exchange are kept three years at least, counted on the China calendar."""

from datetime import UTC, date, datetime, timedelta

import pytest

from gateway.domain.retention import EXCHANGE, load_retention, months_after


def test_exchange_records_are_kept_three_years_and_logs_six_months() -> None:
    floors = load_retention()
    assert {"exchange": ("P08", 36), "network_log": ("P08", 6)} == {
        name: (floor.rule, floor.months) for name, floor in floors.items()
    }


def test_the_last_day_counts_in_full_and_in_china() -> None:
    floor = load_retention()[EXCHANGE]
    last = datetime(2023, 3, 2, 17, 0, tzinfo=UTC)  # already the 3rd in China
    assert datetime(2026, 3, 3, 16, 0, tzinfo=UTC) == floor.ends(last)
    assert floor.ends(last) - last > timedelta(days=3 * 365)


@pytest.mark.parametrize(
    ("day", "months", "then"),
    [
        (date(2024, 2, 29), 36, date(2027, 2, 28)),
        (date(2024, 8, 31), 6, date(2025, 2, 28)),
        (date(2023, 12, 31), 1, date(2024, 1, 31)),
        (date(2023, 1, 31), 13, date(2024, 2, 29)),
    ],
)
def test_a_month_without_that_day_ends_on_its_last(day: date, months: int, then: date) -> None:
    assert then == months_after(day, months)

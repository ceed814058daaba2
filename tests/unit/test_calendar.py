"""Working days as the State Council's notices set them."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta

import chinese_calendar
import pytest

from gateway.domain.calendar import (
    WorkCalendar,
    calendar_from_rows,
    china_day,
    due_text,
    end_of_china_day,
    load_calendar,
)
from gateway.domain.rules import read_table
from gateway.errors import CalendarUnpublished, ConfigError

NOTICES = {
    "2023": "国办发明电〔2022〕16号",
    "2024": "国办发明电〔2023〕7号",
    "2025": "国办发明电〔2024〕12号",
    "2026": "国办发明电〔2025〕7号",
}


def days(first: date, last: date) -> Iterable[date]:
    return (first + timedelta(days=offset) for offset in range((last - first).days + 1))


def a_row(day: str, kind: str, year: str = "2027") -> Mapping[str, str]:
    return {"date": day, "kind": kind, "festival": "元旦", "notice_year": year, "source": "test"}


def a_calendar(
    years: Iterable[int] = (2027,), holidays: Iterable[date] = (), makeup_days: Iterable[date] = ()
) -> WorkCalendar:
    return WorkCalendar(
        published_years=frozenset(years), holidays=frozenset(holidays), makeup_days=frozenset(makeup_days)
    )


def test_every_day_from_2023_to_2026_agrees_with_chinesecalendar() -> None:
    calendar = load_calendar()
    differing = [
        day
        for day in days(date(2023, 1, 1), date(2026, 12, 31))
        if calendar.is_workday(day) is not chinese_calendar.is_workday(day)
    ]
    assert [] == differing


def test_counting_agrees_with_asking_day_by_day() -> None:
    calendar = load_calendar()
    start = date(2024, 12, 20)
    worked = 0
    for day in days(start + timedelta(days=1), date(2025, 2, 28)):
        worked += calendar.is_workday(day)
        assert worked == calendar.workdays_between(start, day)


def test_the_nth_working_day_is_the_day_on_which_n_have_been_worked() -> None:
    calendar = load_calendar()
    start = date(2025, 9, 20)
    for n in range(1, 40):
        found = calendar.add_workdays(start, n)
        assert calendar.is_workday(found)
        assert n == calendar.workdays_between(start, found)


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2025, 1, 26), True),
        (date(2025, 1, 28), False),
        (date(2025, 2, 8), True),
        (date(2025, 10, 6), False),
        (date(2026, 2, 14), True),
        (date(2026, 6, 20), False),
        (date(2026, 11, 24), True),
    ],
)
def test_a_make_up_sunday_is_worked_and_a_holiday_tuesday_is_not(day: date, expected: bool) -> None:
    assert expected is load_calendar().is_workday(day)


def test_a_limit_over_spring_festival_skips_it_and_counts_the_make_up_saturday() -> None:
    assert date(2025, 2, 8) == load_calendar().add_workdays(date(2025, 1, 24), 6)


def test_counting_starts_the_day_after_even_on_a_weekend() -> None:
    saturday = date(2026, 11, 21)
    assert date(2026, 11, 23) == load_calendar().add_workdays(saturday, 1)


def test_no_working_days_added_is_the_start_itself() -> None:
    assert date(2026, 11, 21) == load_calendar().add_workdays(date(2026, 11, 21), 0)


def test_working_days_are_never_counted_backwards() -> None:
    with pytest.raises(ValueError, match="forward"):
        load_calendar().add_workdays(date(2026, 11, 21), -1)


def test_nothing_lies_between_a_day_and_itself_or_an_earlier_one() -> None:
    calendar = load_calendar()
    assert [0, 0] == [
        calendar.workdays_between(date(2026, 11, 24), day) for day in (date(2026, 11, 24), date(2020, 1, 1))
    ]


def test_the_shipped_years_are_those_of_the_notices_and_each_names_its_number() -> None:
    assert {2023, 2024, 2025, 2026} == load_calendar().published_years
    assert set(NOTICES.items()) == {(row["notice_year"], row["source"]) for row in read_table("workdays")}


@pytest.mark.parametrize("day", [date(2022, 12, 30), date(2027, 1, 4)])
def test_a_day_of_an_unpublished_year_is_never_guessed(day: date) -> None:
    with pytest.raises(CalendarUnpublished) as caught:
        load_calendar().is_workday(day)
    assert {"year": day.year} == caught.value.ids


def test_a_limit_that_runs_into_an_unpublished_year_names_that_year() -> None:
    with pytest.raises(CalendarUnpublished, match="2027") as caught:
        load_calendar().add_workdays(date(2026, 12, 30), 5)
    assert {"year": 2027} == caught.value.ids


def test_a_start_on_the_last_day_before_the_published_years_needs_only_them() -> None:
    assert date(2023, 1, 3) == load_calendar().add_workdays(date(2022, 12, 31), 1)


def test_a_count_that_touches_an_unpublished_year_names_the_first_one() -> None:
    with pytest.raises(CalendarUnpublished) as caught:
        load_calendar().workdays_between(date(2026, 12, 1), date(2028, 1, 5))
    assert {"year": 2027} == caught.value.ids


def test_a_gap_between_published_years_is_not_jumped_over() -> None:
    calendar = a_calendar(years=(2025, 2027))
    with pytest.raises(CalendarUnpublished) as caught:
        calendar.add_workdays(date(2025, 12, 30), 5)
    assert {"year": 2026} == caught.value.ids


def test_an_administrator_loads_a_new_notice_beside_the_shipped_ones() -> None:
    rows = [*read_table("workdays"), a_row("2027-01-01", "holiday"), a_row("2026-12-26", "makeup")]
    calendar = calendar_from_rows(rows)
    assert [True, False, True] == [
        calendar.is_workday(day) for day in (date(2026, 12, 26), date(2027, 1, 1), date(2027, 1, 4))
    ]


def test_a_notice_that_touches_the_year_before_does_not_publish_that_year() -> None:
    assert {2027} == calendar_from_rows([a_row("2026-12-31", "holiday")]).published_years


@pytest.mark.parametrize(
    "row",
    [a_row("2027-02-30", "holiday"), a_row("2027-01-01", "maybe"), a_row("2027-01-01", "holiday", ""), {"date": "x"}],
    ids=["unreal date", "unknown kind", "no year", "columns missing"],
)
def test_a_row_that_cannot_be_read_is_refused(row: Mapping[str, str]) -> None:
    with pytest.raises(ConfigError):
        calendar_from_rows([row])


def test_a_make_up_day_on_a_weekday_is_refused() -> None:
    with pytest.raises(ConfigError):
        a_calendar(makeup_days=[date(2027, 1, 4)])


def test_a_day_cannot_be_worked_and_free() -> None:
    sunday = date(2027, 1, 3)
    with pytest.raises(ConfigError):
        a_calendar(holidays=[sunday], makeup_days=[sunday])


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (datetime(2026, 11, 23, 15, 59, 59, tzinfo=UTC), date(2026, 11, 23)),
        (datetime(2026, 11, 23, 16, 0, tzinfo=UTC), date(2026, 11, 24)),
    ],
)
def test_a_day_begins_at_midnight_in_china(moment: datetime, expected: date) -> None:
    assert expected == china_day(moment)


def test_a_moment_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        china_day(datetime(2026, 11, 23, 16, 0))


def test_a_china_day_ends_at_sixteen_hours_utc() -> None:
    assert datetime(2026, 11, 24, 16, 0, tzinfo=UTC) == end_of_china_day(date(2026, 11, 24))


@pytest.mark.parametrize(
    ("moment", "said"),
    [
        (datetime(2024, 8, 25, 16, 0, tzinfo=UTC), "2024-08-25"),  # 24:00 of the 25th
        (datetime(2024, 8, 25, 16, 30, tzinfo=UTC), "2024-08-26 00:30"),
        (datetime(2024, 12, 31, 16, 0, tzinfo=UTC), "2024-12-31"),
        (None, ""),
    ],
)
def test_a_deadline_is_told_by_its_last_day(moment: datetime | None, said: str) -> None:
    assert due_text(moment) == said

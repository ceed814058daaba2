"""Time limits: which governs, when it ends, whether it has passed."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

import pytest

from gateway.domain.calendar import WorkCalendar, load_calendar
from gateway.domain.deadlines import (
    Limit,
    LimitUnit,
    due,
    find_limit,
    is_past,
    limits_from_rows,
    load_limits,
    overdue_by,
)
from gateway.domain.programmes import load_programmes
from gateway.errors import CalendarUnpublished, ConfigError

CALENDAR = load_calendar()
MONDAY_MORNING = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
"""09:30 in China."""
INSTANT = timedelta(microseconds=1)


def a_limit(  # one keyword per field a test may break
    *,
    value: int = 5,
    unit: LimitUnit = LimitUnit.WORKDAY,
    minor_value: int = 3,
    agency: str = "any",
    programmes: tuple[str, ...] = ("*",),
) -> Limit:
    return Limit(
        limit_id="T1",
        agency=agency,
        programmes=programmes,
        from_step="handoff.issued",
        to_step="disposition",
        value=value,
        unit=unit,
        minor_value=minor_value,
    )


def a_row(**changes: str) -> Mapping[str, str]:
    row = {
        "limit_id": "T1",
        "agency": "any",
        "programme": "*",
        "from_step": "handoff.issued",
        "to_step": "disposition",
        "value": "5",
        "unit": "workday",
        "minor_value": "3",
        "source": "test",
    }
    return row | changes


def found_id(agency: str, programme: str, from_step: str, to_step: str) -> str | None:
    limit = find_limit(load_limits(), agency=agency, programme=programme, from_step=from_step, to_step=to_step)
    return limit.limit_id if limit else None


@pytest.mark.parametrize(
    ("agency", "programme", "from_step", "to_step", "expected"),
    [
        ("civil_affairs", "MLG", "disposition", "decision", "L04"),
        ("civil_affairs", "NSD", "disposition", "decision", "L08"),
        ("civil_affairs", "TMP_U", "disposition", "paid", "L06"),
        ("disabled_persons", "NSD", "disposition", "decision", "L10"),
        ("womens_federation", "CAN2", "handoff.issued", "receipt.relay", "L01"),
        ("medical_security", "MED", "decision", "paid", "L12"),
        ("civil_affairs", "MLG", "disposition", "paid", None),
        ("court", "MLG", "clue_received", "clue_answered", "L15"),
    ],
)
def test_the_sample_profile_governs_each_step(
    agency: str, programme: str, from_step: str, to_step: str, expected: str | None
) -> None:
    assert expected == found_id(agency, programme, from_step, to_step)


def test_every_programme_named_in_the_sample_profile_exists() -> None:
    named = {programme for limit in load_limits() for programme in limit.programmes} - {"*"}
    assert set() == named - set(load_programmes())


@pytest.mark.parametrize(
    ("agency", "programmes"),
    [("civil_affairs", ("*",)), ("any", ("MLG", "DST")), ("civil_affairs", ("MLG",))],
    ids=["agency", "programme", "both"],
)
def test_a_row_that_says_more_wins_over_one_that_says_less(agency: str, programmes: tuple[str, ...]) -> None:
    exact = a_limit(agency=agency, programmes=programmes, value=9)
    for limits in ((a_limit(), exact), (exact, a_limit())):
        assert exact == find_limit(
            limits, agency="civil_affairs", programme="MLG", from_step="handoff.issued", to_step="disposition"
        )


def test_naming_the_agency_says_more_than_naming_the_programme() -> None:
    of_agency, of_programme = a_limit(agency="civil_affairs"), a_limit(programmes=("MLG",))
    assert of_agency == find_limit(
        (of_programme, of_agency),
        agency="civil_affairs",
        programme="MLG",
        from_step="handoff.issued",
        to_step="disposition",
    )


def test_another_agencys_row_does_not_govern() -> None:
    limits = (a_limit(agency="disabled_persons"),)
    assert None is find_limit(
        limits, agency="civil_affairs", programme="MLG", from_step="handoff.issued", to_step="disposition"
    )


def test_working_days_end_at_midnight_in_china_after_the_last_one() -> None:
    expected = datetime(2026, 11, 30, 16, 0, tzinfo=UTC)
    assert expected == due(a_limit(), MONDAY_MORNING, minor=False, calendar=CALENDAR)


def test_a_minors_limit_is_the_shorter_one() -> None:
    expected = datetime(2026, 11, 26, 16, 0, tzinfo=UTC)
    assert expected == due(a_limit(), MONDAY_MORNING, minor=True, calendar=CALENDAR)


def test_a_start_late_in_the_utc_day_belongs_to_the_next_china_day() -> None:
    start = datetime(2026, 11, 23, 16, 30, tzinfo=UTC)
    assert datetime(2026, 12, 1, 16, 0, tzinfo=UTC) == due(a_limit(), start, minor=False, calendar=CALENDAR)


def test_hours_run_exactly_through_nights_and_weekends() -> None:
    limit = a_limit(value=48, unit=LimitUnit.HOUR, minor_value=24)
    friday = datetime(2026, 11, 20, 9, 17, 3, tzinfo=UTC)
    assert [friday + timedelta(hours=24), friday + timedelta(hours=48)] == [
        due(limit, friday, minor=minor, calendar=CALENDAR) for minor in (True, False)
    ]


def test_calendar_days_count_weekends_and_end_at_midnight() -> None:
    limit = a_limit(value=7, unit=LimitUnit.DAY, minor_value=7)
    assert datetime(2026, 11, 30, 16, 0, tzinfo=UTC) == due(limit, MONDAY_MORNING, minor=False, calendar=CALENDAR)


def test_a_limit_over_a_festival_follows_the_notice() -> None:
    start = datetime(2026, 9, 29, 2, 0, tzinfo=UTC)
    assert datetime(2026, 10, 12, 16, 0, tzinfo=UTC) == due(a_limit(), start, minor=False, calendar=CALENDAR)


@pytest.mark.parametrize(
    "limit",
    [
        a_limit(),
        a_limit(value=7, unit=LimitUnit.DAY),
        a_limit(value=48, unit=LimitUnit.HOUR, minor_value=24),
    ],
    ids=lambda limit: str(limit.unit),
)
@pytest.mark.parametrize("minor", [True, False])
@pytest.mark.parametrize("start", [MONDAY_MORNING, datetime(2026, 9, 30, 16, 0, tzinfo=UTC)])
def test_a_limit_is_past_after_its_last_moment_and_not_at_it(limit: Limit, minor: bool, start: datetime) -> None:
    end = due(limit, start, minor=minor, calendar=CALENDAR)
    moments = (end - timedelta(hours=8), end - INSTANT, end, end + INSTANT, end + timedelta(days=2))
    assert [False, False, False, True, True] == [
        is_past(limit, start, moment, minor=minor, calendar=CALENDAR) for moment in moments
    ]


def test_a_limit_is_not_past_before_it_began() -> None:
    assert not is_past(a_limit(), MONDAY_MORNING, MONDAY_MORNING - timedelta(days=40), minor=False, calendar=CALENDAR)


def test_an_unpublished_next_year_does_not_break_todays_check() -> None:
    start = datetime(2026, 12, 30, 1, 0, tzinfo=UTC)
    as_of = datetime(2026, 12, 31, 1, 0, tzinfo=UTC)
    with pytest.raises(CalendarUnpublished):
        due(a_limit(), start, minor=False, calendar=CALENDAR)
    assert not is_past(a_limit(), start, as_of, minor=False, calendar=CALENDAR)
    assert timedelta(0) == overdue_by(a_limit(), start, as_of, minor=False, calendar=CALENDAR)


def test_the_first_day_of_an_unpublished_year_still_needs_no_notice_of_it() -> None:
    start = datetime(2026, 12, 30, 1, 0, tzinfo=UTC)
    new_year = datetime(2027, 1, 1, 1, 0, tzinfo=UTC)
    one_day = a_limit(value=1, minor_value=1)
    assert is_past(one_day, start, new_year, minor=False, calendar=CALENDAR)
    assert timedelta(hours=9) == overdue_by(one_day, start, new_year, minor=False, calendar=CALENDAR)


def test_a_check_deep_in_an_unpublished_year_says_so() -> None:
    start = datetime(2026, 12, 30, 1, 0, tzinfo=UTC)
    with pytest.raises(CalendarUnpublished, match="2027"):
        is_past(a_limit(), start, datetime(2027, 1, 20, tzinfo=UTC), minor=False, calendar=CALENDAR)


def test_hours_and_calendar_days_need_no_notice_at_all() -> None:
    empty = WorkCalendar(published_years=frozenset(), holidays=frozenset(), makeup_days=frozenset())
    for unit in (LimitUnit.HOUR, LimitUnit.DAY):
        assert is_past(
            a_limit(unit=unit), MONDAY_MORNING, MONDAY_MORNING + timedelta(days=9), minor=False, calendar=empty
        )


def test_overdue_is_counted_from_the_last_moment() -> None:
    as_of = datetime(2026, 12, 2, 16, 0, tzinfo=UTC)
    assert timedelta(days=2) == overdue_by(a_limit(), MONDAY_MORNING, as_of, minor=False, calendar=CALENDAR)


def test_an_administrators_holiday_moves_the_deadline() -> None:
    changed = WorkCalendar(
        published_years=CALENDAR.published_years,
        holidays=CALENDAR.holidays | {date(2026, 11, 25)},
        makeup_days=CALENDAR.makeup_days,
    )
    assert datetime(2026, 12, 1, 16, 0, tzinfo=UTC) == due(a_limit(), MONDAY_MORNING, minor=False, calendar=changed)


def test_the_sample_profile_is_loaded_whole_with_its_sources() -> None:
    ids = [limit.limit_id for limit in load_limits()]
    assert [f"L{number:02d}" for number in range(1, 18)] == ids[:17]
    assert sorted(set(ids)) == sorted(ids)
    assert [] == [limit.limit_id for limit in load_limits() if not limit.source]


def test_a_row_without_a_minors_value_gives_minors_the_common_one() -> None:
    (limit,) = limits_from_rows([a_row(minor_value="")])
    assert [5, 5] == [limit.amount(minor=True), limit.amount(minor=False)]


@pytest.mark.parametrize(
    "changes",
    [
        {"value": "0", "minor_value": "0"},
        {"value": "five"},
        {"minor_value": "6"},
        {"minor_value": "0"},
        {"unit": "week"},
        {"programme": ""},
        {"agency": ""},
    ],
)
def test_a_limit_that_makes_no_sense_is_refused(changes: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        limits_from_rows([a_row(**changes)])


def test_two_rows_for_one_case_are_refused() -> None:
    with pytest.raises(ConfigError, match="T2 repeats T1"):
        limits_from_rows([a_row(programme="MLG|DST"), a_row(limit_id="T2", programme="DST")])

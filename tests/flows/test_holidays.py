"""放假安排 A notice that is loaded counts in every process at once; a published year is not overwritten by accident."""

from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from gateway.domain.holiday_notice import COLUMNS, read_notice
from gateway.errors import CalendarUnpublished, ConfigError
from gateway.flows.cutoff import cut_off
from gateway.flows.holidays import Load, calendar_as_known, load_notice, missing_years
from gateway.store import tables as t
from tests.gateway_world import World

MONDAY, SATURDAY = date(2027, 1, 4), date(2027, 1, 9)


def a_notice(year: int = 2027, *more: tuple[str, str]) -> str:
    """A whole file: the two days that never move, and what else is given."""
    days = [(f"{year}-01-01", "holiday"), (f"{year}-10-01", "holiday"), *more]
    lines = [f"{day},{kind},测试,{year},测试通知" for day, kind in days]
    return "\n".join([",".join(COLUMNS), *lines, ""])


def load(world: World, body: str, *, replace: bool = False) -> Load:
    return load_notice(world.context, body, who="管理员", why="年度安排", replace=replace, now=world.now).load


def test_an_unpublished_year_is_never_guessed_until_its_notice_is_loaded(sqlite_world: World) -> None:
    with pytest.raises(CalendarUnpublished):
        sqlite_world.context.calendar.is_workday(MONDAY)
    assert load(sqlite_world, a_notice(2027, ("2027-01-09", "makeup"))) is Load.ADDED
    assert sqlite_world.context.calendar.is_workday(MONDAY)
    assert sqlite_world.context.calendar.is_workday(SATURDAY)


def test_another_process_counts_by_a_new_notice_within_seconds(world: World) -> None:
    twin = world.twin()
    assert 2027 not in twin.calendar.published_years
    load(world, a_notice())
    world.wait(timedelta(seconds=3))
    twin.snapshot(world.now)
    assert 2027 in twin.calendar.published_years
    twin.store.close()


def test_the_same_days_again_change_nothing(sqlite_world: World) -> None:
    load(sqlite_world, a_notice())
    assert load(sqlite_world, a_notice()) is Load.SAME
    assert len(sqlite_world.rows(t.holiday_notices)) == 1


def test_a_published_year_is_replaced_only_on_purpose_and_both_notices_stay(sqlite_world: World) -> None:
    load(sqlite_world, a_notice())
    other = a_notice(2027, ("2027-01-04", "holiday"))
    with pytest.raises(ConfigError, match="--replace"):
        load(sqlite_world, other)
    sqlite_world.wait(timedelta(days=1))
    assert load(sqlite_world, other, replace=True) is Load.REPLACED
    assert not sqlite_world.context.calendar.is_workday(MONDAY)
    assert len(sqlite_world.rows(t.holiday_notices)) == 2
    assert [row["what"] for row in sqlite_world.rows(t.decisions)] == ["calendar_loaded", "calendar_replaced"]


def test_a_shipped_year_can_be_replaced_as_a_whole(sqlite_world: World) -> None:
    assert not sqlite_world.context.calendar.is_workday(date(2026, 10, 6))
    load(sqlite_world, a_notice(2026), replace=True)
    assert sqlite_world.context.calendar.is_workday(date(2026, 10, 6))
    assert not sqlite_world.context.calendar.is_workday(date(2025, 10, 6))


def test_a_past_morning_knows_only_the_notices_of_its_time(sqlite_world: World) -> None:
    before = sqlite_world.now
    sqlite_world.wait(timedelta(days=1))
    load(sqlite_world, a_notice())
    with sqlite_world.store.reading() as connection:
        then = calendar_as_known(connection, sqlite_world.context, before)
        today = calendar_as_known(connection, sqlite_world.context, sqlite_world.now)
    assert (2027 in then.published_years, 2027 in today.published_years) == (False, True)


@pytest.mark.parametrize(
    "body",
    [
        "date,kind\n2027-01-01,holiday\n",
        a_notice(2027, ("2028-01-03", "holiday")),
        a_notice(2027, ("2027-01-04", "makeup")),
        a_notice(2027, ("2027-01-01", "holiday")),
        a_notice(2027, ("2027-02-30", "holiday")),
        a_notice(2027).replace("2027-10-01", "2027-10-02"),
        a_notice(2027) + "2028-01-01,holiday,测试,2028,测试通知\n",
    ],
    ids=["columns", "other-year", "no-weekend", "twice", "no-day", "half-a-file", "two-years"],
)
def test_a_file_that_is_no_notice_is_refused(sqlite_world: World, body: str) -> None:
    with pytest.raises(ConfigError):
        load(sqlite_world, body)
    assert sqlite_world.rows(t.holiday_notices) == []


def test_a_notice_may_touch_the_last_days_of_the_year_before() -> None:
    notice = read_notice(a_notice(2027, ("2026-12-31", "holiday")))
    assert notice.calendar.published_years == {2027}


@pytest.mark.parametrize(
    ("month", "missing"), [(10, ()), (11, (2027,))], ids=["october: not yet", "november: it is time"]
)
def test_from_november_on_the_next_year_is_missed(sqlite_world: World, month: int, missing: tuple[int, ...]) -> None:
    now = datetime(2026, month, 2, tzinfo=UTC)
    assert missing_years(sqlite_world.context.calendar, now) == missing


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda: t.holiday_notices.update().values(body=a_notice(2027, ("2027-01-04", "holiday"))), "altered"),
        (lambda: t.holiday_notices.delete(), "missing"),
        (lambda: sa.update(t.holiday_notices).values(loaded_at=1), "altered"),
    ],
    ids=["changed", "deleted", "dated back"],
)
def test_a_notice_changed_by_hand_is_named_by_the_cut_off(sqlite_world: World, change: object, what: str) -> None:
    load(sqlite_world, a_notice())
    assert cut_off(sqlite_world.context, now=sqlite_world.now).troubles == ()
    sqlite_world.change(change())  # type: ignore[operator]
    found = cut_off(sqlite_world.context, now=sqlite_world.now).troubles
    assert [(one.table, one.what.value) for one in found] == [("holiday_notices", what)]

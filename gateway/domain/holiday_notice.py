"""放假安排通知 One year's holiday notice as an administrator loads it, and the calendar with it.

Rules: a file names one year and nothing else; its days lie in that year or the last days of the year before; the two
statutory days that no arrangement ever moves are holidays in it, so that half a file is not taken for a year. A notice
takes the place of an earlier one for its year as a whole, never day by day.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from hashlib import sha256

from gateway.domain.calendar import WorkCalendar, calendar_from_rows
from gateway.domain.rules import parse_table
from gateway.errors import ConfigError

COLUMNS = ("date", "kind", "festival", "notice_year", "source")
NEVER_MOVED = ((1, 1), (10, 1))
"""New Year's Day and National Day (全国年节及纪念日放假办法 art. 2)."""
_DECEMBER = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class HolidayNotice:
    """放假安排通知. body: the file as it was loaded."""

    year: int
    body: str
    calendar: WorkCalendar

    @property
    def sha256(self) -> str:
        """The digest of the file."""
        return sha256(self.body.encode()).hexdigest()

    def says_the_same(self, calendar: WorkCalendar) -> bool:
        """Whether the calendar has this year published with exactly these days."""
        if self.year not in calendar.published_years:
            return False
        return _days(calendar, self.year) == _days(self.calendar, self.year)


@lru_cache(maxsize=64)
def read_notice(body: str) -> HolidayNotice:
    """One notice from CSV in the shape of the shipped table. Raises ConfigError that names the row."""
    rows = parse_table("holiday notice", body.removeprefix("\ufeff"))
    if tuple(rows[0]) != COLUMNS:
        raise ConfigError(f"a holiday notice has the columns {','.join(COLUMNS)}")
    years = {row["notice_year"] for row in rows}
    if len(years) != 1:
        raise ConfigError("a holiday notice names one year, the same in every row")
    calendar = calendar_from_rows(rows)
    (year,) = calendar.published_years
    if len({row["date"] for row in rows}) < len(rows):
        raise ConfigError("a holiday notice names a day once", ids={"year": year})
    for day in calendar.holidays | calendar.makeup_days:
        if day.year != year and (day.year, day.month) != (year - 1, _DECEMBER):
            raise ConfigError(f"{day} is no day of the notice for {year}", ids={"day": day.isoformat()})
    for month, number in NEVER_MOVED:
        if date(year, month, number) not in calendar.holidays:
            raise ConfigError(f"{year}-{month:02d}-{number:02d} is a holiday every year; is the file whole?")
    return HolidayNotice(year=year, body=body, calendar=calendar)


@lru_cache(maxsize=64)
def with_notices(base: WorkCalendar, notices: tuple[HolidayNotice, ...]) -> WorkCalendar:
    """The calendar with these notices in the place of whatever it had for their years; of one year the last counts."""
    latest = {notice.year: notice for notice in notices}
    if not latest:
        return base
    kept = {day for day in base.holidays | base.makeup_days if base.notice_of.get(day, day.year) not in latest}
    loaded = [notice.calendar for notice in latest.values()]
    return WorkCalendar(
        published_years=frozenset((*base.published_years, *latest)),
        holidays=frozenset(_all(one.holidays for one in loaded) | (base.holidays & kept)),
        makeup_days=frozenset(_all(one.makeup_days for one in loaded) | (base.makeup_days & kept)),
        notice_of={day: base.notice_of.get(day, day.year) for day in kept}
        | {day: year for one in loaded for day, year in one.notice_of.items()},
    )


def _all(sets: Iterable[frozenset[date]]) -> set[date]:
    return {day for days in sets for day in days}


def _days(calendar: WorkCalendar, year: int) -> tuple[frozenset[date], frozenset[date]]:
    return (
        frozenset(day for day in calendar.holidays if calendar.notice_of.get(day, day.year) == year),
        frozenset(day for day in calendar.makeup_days if calendar.notice_of.get(day, day.year) == year),
    )

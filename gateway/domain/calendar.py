"""工作日历 Working days as the State Council's holiday notices set them: holidays 放假, make-up days 调休上班.

Rules: a make-up day counts as a working day though it is a weekend; a day is a China day (Asia/Shanghai, UTC+8). A
year whose notice is not loaded is never guessed: whatever needs it raises `CalendarUnpublished` naming the year. Public
notice periods are calendar days and do not come here. A notice may also touch the last days of the year before it.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from functools import cache

from gateway.domain.rules import read_table
from gateway.errors import CalendarUnpublished, ConfigError

CHINA = timezone(timedelta(hours=8), "Asia/Shanghai")
"""China Standard Time as a fixed offset: no summer time since 1991, and no time-zone database is needed for it."""

ONE_DAY = timedelta(days=1)
SATURDAY = 5


def china_day(moment: datetime) -> date:
    """The calendar day in China at that moment; ValueError for a datetime without a time zone."""
    if moment.tzinfo is None:
        raise ValueError("a moment needs a time zone")
    return moment.astimezone(CHINA).date()


def end_of_china_day(day: date) -> datetime:
    """24:00 China time of `day`, in UTC."""
    return datetime.combine(day + ONE_DAY, time(), tzinfo=CHINA).astimezone(UTC)


def due_text(moment: datetime | None) -> str:
    """A deadline as people read it, in China: the last day on which one is in time, with the minute where it does not
    end with the day; empty for None. What runs until 00:00 is due the day before."""
    if moment is None:
        return ""
    there = moment.astimezone(CHINA)
    if there.time() == time():
        return (there.date() - ONE_DAY).isoformat()
    return there.strftime("%Y-%m-%d %H:%M")


@dataclass(frozen=True, kw_only=True)
class WorkCalendar:
    """工作日历 of the published years. holidays may include weekends; makeup_days are weekends worked."""

    published_years: frozenset[int]
    holidays: frozenset[date]
    makeup_days: frozenset[date]
    notice_of: Mapping[date, int] = field(default_factory=dict, repr=False, compare=False)
    """Which year's notice says so of a day, where that is known: a notice may touch the year before its own."""
    _workdays: tuple[date, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """ConfigError when a day is both, or a make-up day is no weekend."""
        for day in sorted(self.makeup_days):
            if day in self.holidays or day.weekday() < SATURDAY:
                raise ConfigError(f"{day} cannot be a make-up day", ids={"day": day.isoformat()})
        listed = (day for year in sorted(self.published_years) for day in _days_of(year))
        object.__setattr__(self, "_workdays", tuple(day for day in listed if self._is_worked(day)))

    def is_workday(self, day: date) -> bool:
        """Whether the day is worked; CalendarUnpublished when its year's notice is not loaded."""
        self._require(day, day)
        return self._is_worked(day)

    def add_workdays(self, start: date, n: int) -> date:
        """The n-th working day after `start` (start itself never counts); n = 0 is `start`; ValueError below 0."""
        if n < 0:
            raise ValueError("working days are counted forward")
        if n == 0:
            return start
        index = bisect_right(self._workdays, start) + n - 1
        if index >= len(self._workdays):
            raise self._unpublished(self._first_gap(start + ONE_DAY))
        found = self._workdays[index]
        self._require(start + ONE_DAY, found)
        return found

    def workdays_between(self, start: date, end: date) -> int:
        """Working days in (start, end]; 0 when end is not after start. Needs the years from start+1 to end only."""
        if end <= start:
            return 0
        self._require(start + ONE_DAY, end)
        return bisect_right(self._workdays, end) - bisect_right(self._workdays, start)

    def _is_worked(self, day: date) -> bool:
        return day in self.makeup_days or (day.weekday() < SATURDAY and day not in self.holidays)

    def _require(self, first: date, last: date) -> None:
        for year in range(first.year, last.year + 1):
            if year not in self.published_years:
                raise self._unpublished(year)

    def _first_gap(self, day: date) -> int:
        year = day.year
        while year in self.published_years:
            year += 1
        return year

    @staticmethod
    def _unpublished(year: int) -> CalendarUnpublished:
        return CalendarUnpublished(f"no holiday notice for {year} is loaded", ids={"year": year})


@cache
def load_calendar() -> WorkCalendar:
    """The shipped notices; read once and shared."""
    return calendar_from_rows(read_table("workdays"))


def calendar_from_rows(rows: Iterable[Mapping[str, str]]) -> WorkCalendar:
    """A calendar from rows (date, kind `holiday`|`makeup`, notice_year, …); a year is published once a notice names it.

    Used for the shipped table and for what an administrator loads; ConfigError for a row that cannot be read.
    """
    days: dict[str, set[date]] = {"holiday": set(), "makeup": set()}
    notice_of: dict[date, int] = {}
    for row in rows:
        try:
            day = date.fromisoformat(row["date"])
            days[row["kind"]].add(day)
            notice_of[day] = int(row["notice_year"])
        except (KeyError, ValueError) as wrong:
            raise ConfigError("holiday table: a row cannot be read", ids={"date": row.get("date", "")}) from wrong
    return WorkCalendar(
        published_years=frozenset(notice_of.values()),
        holidays=frozenset(days["holiday"]),
        makeup_days=frozenset(days["makeup"]),
        notice_of=notice_of,
    )


def _days_of(year: int) -> Iterable[date]:
    first = date(year, 1, 1)
    return (first + timedelta(days=offset) for offset in range((date(year, 12, 31) - first).days + 1))

"""办理时限 Time limits between two steps, and whether one has passed.

Rules: working-day and day limits run from the China day of the start, which does not count, to 24:00 of the last day;
hours run exactly. Minors have their own, shorter value (R05). Of the rows that fit, the one naming the agency wins over
`any`, then the one naming the programme over `*`. A limit is past after its last moment, not at it. Whether it is past
today needs the holiday notices up to today only, so an unpublished next year never breaks today's check.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache

from gateway.domain.calendar import ONE_DAY, WorkCalendar, china_day, end_of_china_day
from gateway.domain.rules import read_table
from gateway.errors import ConfigError

ANY_AGENCY = "any"
ANY_PROGRAMME = "*"
INSTANT = timedelta(microseconds=1)
NOTHING = timedelta(0)


class LimitUnit(StrEnum):
    """时限单位: 工作日, 自然日, 小时."""

    WORKDAY = "workday"
    DAY = "day"
    HOUR = "hour"


@dataclass(frozen=True, kw_only=True, slots=True)
class Limit:
    """时限. Steps are names such as `handoff.issued` or `disposition`; source: the rule the value comes from."""

    limit_id: str
    agency: str
    programmes: tuple[str, ...]
    from_step: str
    to_step: str
    value: int
    unit: LimitUnit
    minor_value: int
    source: str = ""

    def __post_init__(self) -> None:
        if self.value < 1 or not 1 <= self.minor_value <= self.value:
            raise ConfigError(f"{self.limit_id}: a minor's limit is at least 1 and never longer", ids=self._ids)
        if not self.programmes or not self.agency:
            raise ConfigError(f"{self.limit_id}: a limit names an agency and programmes", ids=self._ids)

    @property
    def _ids(self) -> dict[str, str]:
        return {"limit": self.limit_id}

    def amount(self, *, minor: bool) -> int:
        """How many units this person's need may take."""
        return self.minor_value if minor else self.value

    def fits(self, *, agency: str, programme: str) -> bool:
        """Whether the limit speaks about this agency and programme."""
        named = programme in self.programmes or ANY_PROGRAMME in self.programmes
        return named and self.agency in (agency, ANY_AGENCY)

    @property
    def rank(self) -> tuple[bool, bool]:
        """How exactly the limit names its case: agency first, then programme."""
        return self.agency != ANY_AGENCY, ANY_PROGRAMME not in self.programmes


@cache
def load_limits() -> tuple[Limit, ...]:
    """The shipped *sample* profile: real agreements bring their own (DOMAIN §6)."""
    return limits_from_rows(read_table("limits_sample"))


def limits_from_rows(rows: Iterable[Mapping[str, str]]) -> tuple[Limit, ...]:
    """Limits from rows; ConfigError when one cannot be read or two say the same case."""
    limits = tuple(_from_row(row) for row in rows)
    seen: dict[tuple[str, str, str, str], str] = {}
    for limit in limits:
        for programme in limit.programmes:
            case = (limit.agency, programme, limit.from_step, limit.to_step)
            if case in seen:
                raise ConfigError(f"{limit.limit_id} repeats {seen[case]}", ids={"limit": limit.limit_id})
            seen[case] = limit.limit_id
    return limits


def find_limit(limits: Iterable[Limit], *, agency: str, programme: str, from_step: str, to_step: str) -> Limit | None:
    """The limit that governs the step, most exact row first; None when the profile sets none."""
    fitting = (
        limit
        for limit in limits
        if (limit.from_step, limit.to_step) == (from_step, to_step) and limit.fits(agency=agency, programme=programme)
    )
    return max(fitting, key=lambda limit: limit.rank, default=None)


def due(limit: Limit, start: datetime, *, minor: bool, calendar: WorkCalendar) -> datetime:
    """The last moment in time, in UTC; CalendarUnpublished when a working-day limit runs into an unpublished year."""
    amount = limit.amount(minor=minor)
    if limit.unit is LimitUnit.HOUR:
        return start.astimezone(UTC) + timedelta(hours=amount)
    first = china_day(start)
    if limit.unit is LimitUnit.DAY:
        return end_of_china_day(first + timedelta(days=amount))
    return end_of_china_day(calendar.add_workdays(first, amount))


def is_past(limit: Limit, start: datetime, as_of: datetime, *, minor: bool, calendar: WorkCalendar) -> bool:
    """Whether the limit had passed at `as_of`; asks the calendar for days before `as_of` only."""
    if limit.unit is not LimitUnit.WORKDAY:
        return as_of > due(limit, start, minor=minor, calendar=calendar)
    finished = china_day(as_of - INSTANT) - ONE_DAY
    return calendar.workdays_between(china_day(start), finished) >= limit.amount(minor=minor)


def overdue_by(limit: Limit, start: datetime, as_of: datetime, *, minor: bool, calendar: WorkCalendar) -> timedelta:
    """How long the limit had been past at `as_of`; zero when it had not."""
    if not is_past(limit, start, as_of, minor=minor, calendar=calendar):
        return NOTHING
    return as_of - due(limit, start, minor=minor, calendar=calendar)


def _from_row(row: Mapping[str, str]) -> Limit:
    try:
        value = int(row["value"])
        return Limit(
            limit_id=row["limit_id"],
            agency=row["agency"],
            programmes=tuple(part for part in row["programme"].split("|") if part),
            from_step=row["from_step"],
            to_step=row["to_step"],
            value=value,
            unit=LimitUnit(row["unit"]),
            minor_value=int(row["minor_value"]) if row.get("minor_value") else value,
            source=row.get("source", ""),
        )
    except (KeyError, ValueError) as wrong:
        raise ConfigError("limit table: a row cannot be read", ids={"limit": row.get("limit_id", "")}) from wrong

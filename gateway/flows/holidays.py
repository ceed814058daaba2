"""放假安排的载入 A holiday notice is loaded, and from then on every process counts by it.

Rules: a year that is published already stays as it is; whoever says otherwise says why, and both notices stay on file
with the moments they were loaded, so that a past morning is judged by what was known then.
"""

import logging
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection

from gateway.domain.calendar import WorkCalendar, china_day
from gateway.domain.holiday_notice import HolidayNotice, read_notice, with_notices
from gateway.errors import ConfigError
from gateway.flows.context import Context
from gateway.flows.operate import require_reason
from gateway.store import notices

logger = logging.getLogger(__name__)

NOVEMBER = 11
"""The State Council publishes next year's arrangement late in October or in November."""


class Load(StrEnum):
    """What loading a file did."""

    ADDED = "added"
    REPLACED = "replaced"
    SAME = "same"


@dataclass(frozen=True, kw_only=True, slots=True)
class Loaded:
    """The notice, and what became of it."""

    notice: HolidayNotice
    load: Load


def load_notice(context: Context, body: str, *, who: str, why: str, replace: bool, now: datetime) -> Loaded:
    """Loads one file. The same days again change nothing. Raises ConfigError for a file that is no notice, and for one
    that contradicts a published year unless it is to replace it."""
    require_reason(who, why)
    notice = read_notice(body)

    def write(connection: Connection) -> Load:
        calendar = calendar_as_known(connection, context, now)
        if notice.says_the_same(calendar):
            return Load.SAME
        stands = notice.year in calendar.published_years
        if stands and not replace:
            raise ConfigError(f"{notice.year} is published otherwise; give --replace and say why", ids=_ids(notice))
        with_notices(calendar, (notice,))  # refuses days that are both, before anything is written
        notices.put(connection, notice, replaces=stands, who=who, why=why, now=now)
        return Load.REPLACED if stands else Load.ADDED

    load = context.store.write(write)
    context.directory.forget()
    logger.info("holiday notice loaded", extra={"year": notice.year, "state": load.value})
    return Loaded(notice=notice, load=load)


def calendar_as_known(connection: Connection, context: Context, at: datetime) -> WorkCalendar:
    """The calendar by the notices that were loaded at that moment; what the version ships counts as known always."""
    return with_notices(context.shipped_calendar, notices.known(connection, at=at))


def missing_years(calendar: WorkCalendar, now: datetime) -> tuple[int, ...]:
    """Years that limits need and no notice is there for: this one, and from November on the next."""
    today = china_day(now)
    wanted = (today.year, today.year + 1) if today.month >= NOVEMBER else (today.year,)
    return tuple(year for year in wanted if year not in calendar.published_years)


def _ids(notice: HolidayNotice) -> dict[str, int]:
    return {"year": notice.year}

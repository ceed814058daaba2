"""遗漏清单 Everybody who waits longer than he may, or whom nobody has: which limit, how long, who has to act.

Rules: the list is what reconciliation has on file and nothing else, so that it says the same as the findings do; minors
come first (R05), then who waits longest. Age is in working days since the limit began to run, and left out where a year
without a holiday notice lies between.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cache
from typing import Any

from gateway.domain.calendar import WorkCalendar, china_day
from gateway.domain.rules import read_table
from gateway.errors import CalendarUnpublished
from gateway.flows.context import Context
from gateway.store import households, missed
from gateway.store.missed import OpenMiss

_BESIDES = frozenset({"PAYMENT_RETURNED_OPEN"})
"""Money that came back is help that did not arrive, whatever family its finding belongs to."""
MONTHS_AHEAD = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class MissedNeed:
    """遗漏 One line. age: working days; None where no calendar tells. must_act: a court, an office or `operator`."""

    code: str
    zh: str
    referral_id: str
    need_id: str
    court: str
    programme: str
    is_minor: bool
    limit: str
    since: datetime
    due_at: datetime | None
    age: int | None
    must_act: str
    reminders: int
    escalated: int


@cache
def missed_codes() -> dict[str, str]:
    """Code → Chinese name, of every finding that means somebody was not helped."""
    rows = read_table("findings")
    return {row["code"]: row["zh"] for row in rows if row["family"] == "missed" or row["code"] in _BESIDES}


def missed_needs(context: Context, *, now: datetime, court: str | None = None) -> list[MissedNeed]:
    """The list as of now; court: its own only."""
    with context.store.reading() as connection:
        found = missed.open_misses(connection, missed_codes(), court=court)
    calendar = context.calendar
    return sorted((_line(one, calendar, now) for one in found), key=lambda one: (not one.is_minor, one.since))


def coming_of_age(context: Context, *, now: datetime) -> list[tuple[str, str]]:
    """(referral, month) of minors who come of age this month or in the next ones: their allowance will end."""
    with context.store.reading() as connection:
        return households.coming_of_age(connection, months_from(now))


def months_from(now: datetime) -> list[str]:
    """This month and the following ones, `YYYY-MM`."""
    today = china_day(now)
    numbers = range(today.month - 1, today.month + MONTHS_AHEAD)
    return [f"{today.year + number // 12:04d}-{number % 12 + 1:02d}" for number in numbers]


def as_json(line: MissedNeed) -> dict[str, Any]:
    """One line for machines."""
    moments = {"since": line.since.isoformat(), "due_at": None if line.due_at is None else line.due_at.isoformat()}
    return asdict(line) | moments


def _line(one: OpenMiss, calendar: WorkCalendar, now: datetime) -> MissedNeed:
    said = one.evidence.get("since")
    since = one.opened_at if said is None else datetime.fromisoformat(said)
    return MissedNeed(
        code=one.code,
        zh=missed_codes()[one.code],
        referral_id=one.referral_id or "",
        need_id=one.need_id or "",
        court=one.court or "",
        programme=one.programme or "",
        is_minor=one.is_minor,
        limit=str(one.evidence.get("limit", "")),
        since=since,
        due_at=one.due_at,
        age=_age(since, calendar, now),
        must_act=one.must_act,
        reminders=int(one.evidence.get("reminders", 0)),
        escalated=int(one.evidence.get("escalated", 0)),
    )


def _age(since: datetime, calendar: WorkCalendar, now: datetime) -> int | None:
    try:
        return calendar.workdays_between(china_day(since), china_day(now))
    except CalendarUnpublished:
        return None

"""门户之件 What the pages of an agency share: whose offices, how long is left."""

from dataclasses import dataclass
from datetime import date, datetime

from gateway.domain.calendar import china_day
from gateway.domain.deadlines import INSTANT
from gateway.web.pages.visit import Visit


@dataclass(frozen=True, kw_only=True, slots=True)
class Due:
    """期限 A moment until which the office must act. last_day: the China day it lies in, the one before where it is
    that day's end; days: how many are left, below zero when it has passed."""

    at: datetime
    last_day: date
    days: int
    is_past: bool


def offices_of(visit: Visit) -> list[str]:
    """The ids of the offices whose work is his."""
    return [one.office_id for one in visit.offices]


def is_whole(visit: Visit) -> bool:
    """Whether he works for all of the party's offices, and so for the party itself."""
    return not visit.account.office_ids


def scope_of(visit: Visit) -> list[str] | None:
    """The offices his lists are narrowed to; None for all."""
    return None if is_whole(visit) else offices_of(visit)


def office_names(visit: Visit) -> dict[str, str]:
    """Offices as people call them."""
    return {one.office_id: one.name_zh or one.office_id for one in visit.offices}


def due_of(moment: datetime | None, now: datetime) -> Due | None:
    """How long is left."""
    if moment is None:
        return None
    last_day = china_day(moment - INSTANT)
    return Due(at=moment, last_day=last_day, days=(last_day - china_day(now)).days, is_past=moment < now)

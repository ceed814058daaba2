"""门户之件 What the pages of an agency share: whose offices, how long is left, what is wrong at which field."""

from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass
from datetime import date, datetime

from gateway.domain.calendar import china_day
from gateway.domain.deadlines import INSTANT
from gateway.errors import FieldProblem, XianjieError
from gateway.web.pages.shown import problem_text
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


def at_fields(
    problems: Iterable[FieldProblem], known: Container[str], said: Callable[[str, str], str] | None = None
) -> tuple[dict[str, str], list[FieldProblem]]:
    """What is wrong at each field of a form, in words, and what is at none of them. said: (field, code) → words."""
    wrong: dict[str, str] = {}
    others = []
    for one in problems:
        key = one.pointer.rpartition("/")[2]
        if key in known:
            wrong.setdefault(key, problem_text(one) if said is None else said(key, one.code))
        else:
            others.append(one)
    return wrong, others


def plain(error: XianjieError, problems: Iterable[FieldProblem] = ()) -> XianjieError:
    """The refusal with only what stands at no field. A fault of our own goes on as it is."""
    if error.status == 500:
        raise error
    return type(error)(error.note, problems=problems, ids=error.ids, retry_after=error.retry_after)

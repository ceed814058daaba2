"""回访 Whom a court still has to visit: the list with its days, and word to the court before a visit is due.

The court is told once for each visit (`follow_up.due`), so long before as `follow_up.csv` says, minors' visits first in
the list. What was visited stands in `court_money`; an overdue visit is a finding (MISS_FOLLOW_UP).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from sqlalchemy import Connection

from gateway.domain.reconciliation.clocks import Clock
from gateway.domain.reconciliation.court_money import follow_up_clock
from gateway.domain.reconciliation.values import Dossier, Rulebook
from gateway.domain.rules import read_table
from gateway.flows import notice
from gateway.flows.context import Context
from gateway.flows.notice import Notice
from gateway.flows.rules_of import with_rules
from gateway.store import dossiers
from schemas.fields import format_moment

DUE_TYPE = "follow_up.due"


@dataclass(frozen=True, kw_only=True, slots=True)
class DueVisit:
    """One visit that is still to be made. number: the how manieth of the referral; due_at None: it cannot be told."""

    referral_id: str
    court: str
    number: int
    due_at: datetime | None
    past: bool | None
    is_minor: bool


@cache
def told_before() -> timedelta:
    """How long before a visit is due its court is told."""
    (days,) = [int(row["value"]) for row in read_table("follow_up") if row["item"] == "told_before_days"]
    return timedelta(days=days)


def due_visit(dossier: Dossier, rulebook: Rulebook, now: datetime) -> tuple[DueVisit, Clock] | None:
    """The next visit of one referral with its clock; None when none is to be made."""
    clock = follow_up_clock(dossier, rulebook, now)
    if clock is None:
        return None
    referral = dossier.referral
    visit = DueVisit(
        referral_id=referral.referral_id,
        court=referral.court,
        number=len(dossier.court_money.visits) + 1,
        due_at=clock.due_at,
        past=clock.past,
        is_minor=referral.is_minor,
    )
    return visit, clock


def due_visits(context: Context, *, now: datetime, court: str | None = None) -> list[DueVisit]:
    """Every visit that is still to be made: overdue first, then minors, then by day."""
    found: list[DueVisit] = []
    with context.store.reading() as connection:
        for page in dossiers.pages(connection, court=court):
            for dossier, rulebook in with_rules(connection, context, page, now):
                visit = due_visit(dossier, rulebook, now)
                if visit is not None:
                    found.append(visit[0])
    never = datetime.max.replace(tzinfo=now.tzinfo)
    return sorted(found, key=lambda one: (one.past is not True, not one.is_minor, one.due_at or never, one.referral_id))


def look_again(dossier: Dossier, rulebook: Rulebook, now: datetime) -> Iterator[datetime]:
    """When time alone makes something of the next visit: its court is told, and it is overdue."""
    visit = due_visit(dossier, rulebook, now)
    if visit is not None and visit[0].due_at is not None:
        yield visit[0].due_at - told_before()
        yield visit[0].due_at


def notices(pairs: Sequence[tuple[Dossier, Rulebook]], now: datetime) -> list[Notice]:
    """What courts are to be told of visits that come due; each once for ever."""
    before, found = told_before(), []
    for dossier, rulebook in pairs:
        visit = due_visit(dossier, rulebook, now)
        if visit is None or visit[0].due_at is None or visit[0].due_at - before > now:
            continue
        one, clock = visit
        found.append(
            Notice(
                to=one.court,
                type=DUE_TYPE,
                subject=one.referral_id,
                effect=f"{one.referral_id}:visit-{one.number}",
                data={
                    "referral_id": one.referral_id,
                    "visit": one.number,
                    "due_at": format_moment(visit[0].due_at),
                    "limit": clock.limit_id,
                },
                reply_by=one.due_at,
                priority=0 if one.is_minor else 1,
            )
        )
    return found


def tell(connection: Connection, context: Context, told: Sequence[Notice], *, now: datetime) -> int:
    """Queues them; how many were new."""
    return sum(message_id is not None for message_id in notice.send(connection, context, list(told), now=now))

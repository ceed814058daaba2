"""今日 What the console's first page counts: the balance, who is late, what is in doubt, what is due, what is stuck.

Counted by the database over everything a scope may see, which takes a moment with a million referrals: so it is
counted at most once a minute for each scope, and says when. Counts only, but for the deadlines that pass next.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TypeGuard

from gateway.domain.calendar import ONE_DAY, china_day, end_of_china_day
from gateway.domain.reconciliation.balance import BalanceLine
from gateway.domain.rules import read_table
from gateway.flows.context import Context
from gateway.store import books, need_clocks
from gateway.store.books import LaneAway, OpenDoubts
from gateway.store.need_clocks import Deadline

KEPT = timedelta(minutes=1)
AHEAD_DAYS = 7
MOST_DEADLINES = 12
FAMILIES = ("duplicate", "missed", "mismatch", "payment")
Scope = tuple[str, ...] | None
"""The courts whose referrals are counted; None: all."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FamilyOfDoubts:
    """Open findings of one family by code. new: of those opened since yesterday's beginning."""

    family: str
    codes: tuple[OpenDoubts, ...]

    @property
    def count(self) -> int:
        """How many."""
        return sum(one.count for one in self.codes)

    @property
    def stake_fen(self) -> int:
        """The money at stake."""
        return sum(one.stake_fen for one in self.codes)

    @property
    def new(self) -> int:
        """Those that came since yesterday's beginning."""
        return sum(one.new for one in self.codes)


@dataclass(frozen=True, kw_only=True, slots=True)
class Today:
    """Everything the page shows, as of `at`. overdue: (who must act, needs, minors' among them); days: (day, needs
    whose limit passes with it, minors' among them); waiting: referrals reconciliation has not come to."""

    at: datetime
    balance: BalanceLine
    overdue: tuple[tuple[str, int, int], ...]
    doubts: tuple[FamilyOfDoubts, ...]
    due_doubts: int
    stuck: dict[str, int]
    lanes: tuple[LaneAway, ...]
    days: tuple[tuple[date, int, int], ...]
    deadlines: tuple[Deadline, ...]
    accepted_today: int
    accepted_yesterday: int
    waiting: int


class Board:
    """What was counted at most a minute ago, by scope. While one visitor counts, the others get what was there."""

    def __init__(self) -> None:
        self._kept: dict[Scope, Today] = {}
        self._lock = threading.Lock()

    def today(self, context: Context, courts: Sequence[str] | None, *, now: datetime) -> Today:
        """Of these courts. Raises StoreUnavailable."""
        scope = None if courts is None else tuple(sorted(courts))
        kept = self._kept.get(scope)
        if _is_fresh(kept, now):
            return kept
        if not self._lock.acquire(blocking=kept is None) and kept is not None:
            return kept
        try:
            again = self._kept.get(scope)
            if not _is_fresh(again, now):
                again = self._kept[scope] = count(context, scope, now=now)
            return again
        finally:
            self._lock.release()


def count(context: Context, courts: Scope, *, now: datetime) -> Today:
    """All of it, as it is now."""
    today_began = end_of_china_day(china_day(now) - ONE_DAY)
    yesterday_began = end_of_china_day(china_day(now) - 2 * ONE_DAY)
    until = end_of_china_day(china_day(now) + AHEAD_DAYS * ONE_DAY)
    with context.store.reading() as connection:
        standing = need_clocks.standing(connection, now=now, until=until, courts=courts)
        doubts = books.doubts(connection, since=yesterday_began, until=until, courts=courts)
        return Today(
            at=now,
            balance=books.balance(connection, courts=courts, standing=standing),
            overdue=standing.overdue,
            doubts=_doubts(doubts),
            due_doubts=sum(one.due for one in doubts),
            stuck=books.stuck(connection),
            lanes=tuple(books.lanes_away(connection, now=now)),
            days=standing.days,
            deadlines=tuple(
                need_clocks.next_deadlines(connection, since=now, until=until, courts=courts, limit=MOST_DEADLINES)
            ),
            accepted_today=books.accepted_between(connection, today_began, now, courts=courts),
            accepted_yesterday=books.accepted_between(connection, yesterday_began, today_began, courts=courts),
            waiting=books.waiting_for_a_look(connection, now=now),
        )


def _is_fresh(kept: Today | None, now: datetime) -> TypeGuard[Today]:
    return kept is not None and kept.at <= now < kept.at + KEPT


def _codes() -> dict[str, str]:
    """Code → family."""
    return {row["code"]: row["family"] for row in read_table("findings") if row["family"] in FAMILIES}


def _doubts(found: Sequence[OpenDoubts]) -> tuple[FamilyOfDoubts, ...]:
    family = _codes()
    return tuple(
        FamilyOfDoubts(family=name, codes=tuple(one for one in found if family.get(one.code) == name))
        for name in FAMILIES
    )

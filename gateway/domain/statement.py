"""对账单 What a statement's manifest and its lines say, as values; months are `YYYY-MM`, money integer fen.

Rules: a statement covers either what was paid to the persons a court referred (PAID), or whoever is on the roster
(ROSTER); of what it does not list something may be said only where it calls itself complete. A line that names neither
a need nor a person it may be matched by is kept and compared with nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Any

from gateway.domain.calendar import CHINA


class Covers(StrEnum):
    """对账范围."""

    PAID = "PAID"
    ROSTER = "ROSTER"


class LineStatus(StrEnum):
    """对账单行状态."""

    PAID = "PAID"
    APPROVED = "APPROVED"
    ACTIVE = "ACTIVE"
    STOPPED = "STOPPED"
    RETURNED = "RETURNED"
    DECEASED = "DECEASED"


GRANTING = frozenset({LineStatus.PAID, LineStatus.APPROVED, LineStatus.ACTIVE})
"""A line that says the person has the help."""

FIELDS = (
    *("line", "need_id", "person_key", "person_matches", "programme", "status", "amount_fen", "paid_on"),
    *("month_from", "month_until", "payee", "account_key", "office_id", "problem", "pointer"),
)
"""What of a line its mark and its batch are made over, in this order."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Statement:
    """对账单 as its manifest says it. row: its number with us; programmes empty: every one."""

    row: int
    statement_id: str
    party: str
    document: str
    agency: str
    office_id: str | None
    region: str | None
    period_from: str
    period_to: str
    covers: Covers
    complete: bool
    programmes: frozenset[str]
    format: str
    lines: int
    size: int
    sha256: str
    replaces: str | None = None

    @property
    def first_day(self) -> date:
        """Of its first month."""
        return date(int(self.period_from[:4]), int(self.period_from[5:7]), 1)

    @property
    def day_after(self) -> date:
        """The first day that it covers no more."""
        year, month = int(self.period_to[:4]), int(self.period_to[5:7])
        return date(year + month // 12, month % 12 + 1, 1)

    @property
    def begins(self) -> datetime:
        """Its first moment in China."""
        return datetime.combine(self.first_day, time.min, CHINA)

    @property
    def ends(self) -> datetime:
        """The first moment it covers no more."""
        return datetime.combine(self.day_after, time.min, CHINA)

    def covers_programme(self, code: str) -> bool:
        """Whether the ledger is one of this programme too."""
        return not self.programmes or code in self.programmes


@dataclass(frozen=True, kw_only=True, slots=True)
class StatementLine:
    """对账单行 as it is kept: ids, keys, codes, amounts, days. problem: why it is compared with nothing."""

    line: int
    need_id: str | None = None
    person_key: str | None = None
    person_matches: bool | None = None
    programme: str | None = None
    status: str | None = None
    amount_fen: int | None = None
    paid_on: str | None = None
    month_from: str | None = None
    month_until: str | None = None
    payee: str | None = None
    account_key: str | None = None
    office_id: str | None = None
    problem: str | None = None
    pointer: str | None = None

    @property
    def first_month(self) -> str | None:
        """The month it is for, or it was paid in."""
        return self.month_from or (self.paid_on[:7] if self.paid_on else None)

    @property
    def last_month(self) -> str | None:
        """The last month it is for."""
        return self.month_until or self.first_month

    @property
    def months(self) -> int:
        """How many months it is for; 1 where it names none."""
        first, last = self.month_from, self.month_until or self.month_from
        if first is None or last is None:
            return 1
        return max(1, (int(last[:4]) - int(first[:4])) * 12 + int(last[5:7]) - int(first[5:7]) + 1)


def text_of(row: Mapping[str, Any]) -> str:
    """A kept line as one text; a flag is written the same whichever engine gave it."""
    said = [row[name] for name in FIELDS]
    matches = row["person_matches"]
    said[3] = None if matches is None else bool(matches)
    return "\x1f".join("" if value is None else str(value) for value in said)


def mark_of(text: str) -> str:
    """Tells whether a row still says what was read."""
    return sha256(text.encode()).hexdigest()[:16]


def chained(chain: str, digest: str) -> str:
    """The digest over this batch and all before it."""
    return sha256(f"{chain}\n{digest}".encode()).hexdigest()


NO_LINES = sha256(b"xianjie statement").hexdigest()
"""The chain before the first batch."""


def days_apart(one: date, other: date) -> int:
    """Whole days between two days."""
    return abs(one - other) // timedelta(days=1)

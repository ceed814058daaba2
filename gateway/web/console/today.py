"""今日 The console's front page: the balance as one picture that adds up, who is late, what is in doubt or stuck.

Rules: every number leads to where it can be acted on, for whoever may go there. Who may see counts and no cases gets
counts: no id of a case, no way into one. What a region's account sees is counted over that region's courts alone, and
queues, which belong to no court, are shown by office as everywhere.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from werkzeug.wrappers import Response

from gateway.domain.access import Right
from gateway.domain.reconciliation.balance import COLUMNS, BalanceLine
from gateway.flows.today import AHEAD_DAYS, Board, Today
from gateway.store.books import MOST_WAITING
from gateway.web.console.whose import name_of
from gateway.web.desk import Desk
from gateway.web.pages.routes import Pages
from gateway.web.pages.visit import Visit

REFERRALS, FINDINGS = "/console/referrals", "/console/findings"
PICTURE_WIDTH, LEAST_WIDTH, LABEL_FROM = 1000.0, 3.0, 46.0
_LOOKS: dict[str, tuple[str, bool]] = {
    "assisted": ("#0b6b36", True),
    "not_assisted": ("#5b6774", True),
    "unexplained": ("#8a3ffc", True),
    "withdrawn": ("#c3cbd3", False),
    "open_in_time": ("#0b4f8a", True),
    "overdue": ("#9d1c1c", True),
    "clock_unknown": ("#7a4b00", True),
    "held": ("#f2c14e", False),
}
"""Fill of each part, and whether that is dark; the numbers stand beside it, so no colour alone says anything."""
_WHERE: dict[str, str] = {
    "assisted": f"{REFERRALS}?state=assisted",
    "not_assisted": f"{REFERRALS}?state=not_assisted",
    "unexplained": f"{FINDINGS}?code=MISS_DENIED_NO_REASON",
    "withdrawn": f"{REFERRALS}?state=withdrawn",
    "open_in_time": f"{REFERRALS}?state=open",
    "overdue": f"{REFERRALS}?state=overdue",
    "clock_unknown": f"{FINDINGS}?code=MISS_CLOCK_UNKNOWN",
    "held": f"{REFERRALS}?state=held",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One part of the picture: a column of the balance."""

    column: str
    count: int
    share: float
    x: float
    width: float
    fill: str
    is_dark: bool
    address: str

    @property
    def has_room(self) -> bool:
        """Whether its number fits into it."""
        return self.width >= LABEL_FROM


@dataclass(frozen=True, kw_only=True, slots=True)
class Late:
    """Who must act on overdue needs. address: where they are, None where nothing leads there."""

    name: str
    code: str
    count: int
    minors: int
    address: str


def pages(desk: Desk) -> Pages:
    """One page."""
    found, board = Pages(desk, "today", "/console"), Board()

    @found.get("", Right.SEE_COUNTS)
    def today(visit: Visit) -> Response:
        return visit.page(
            "console/today.html", **_shown(visit, board.today(visit.context, visit.courts, now=visit.now))
        )

    return found


def _shown(visit: Visit, today: Today) -> dict[str, Any]:
    return {
        "today": today,
        "line": today.balance,
        "parts": parts_of(today.balance),
        "late": [_late(visit, *one) for one in today.overdue],
        "stuck": sum(today.stuck.values()),
        "lanes": [(one, name_of(visit, one.office_id)) for one in today.lanes],
        "deadlines": [(one, name_of(visit, one.clock.must_act), name_of(visit, one.court)) for one in today.deadlines],
        "due_total": sum(count for _, count, _ in today.days),
        "into_cases": visit.may(Right.SEE_CASES),
        "ahead": AHEAD_DAYS,
        "most_waiting": MOST_WAITING,
    }


def _late(visit: Visit, code: str, count: int, minors: int) -> Late:
    address = f"{REFERRALS}?{urlencode({'state': 'overdue', 'must_act': code})}"
    return Late(name=name_of(visit, code), code=code, count=count, minors=minors, address=address)


def parts_of(line: BalanceLine) -> list[Part]:
    """The right side as parts of one bar as wide as the left side, or as the right one where that is more. What is
    there at all is wide enough to be seen."""
    whole = max(line.accepted, line.accounted, 1)
    counts = {column: getattr(line, column) for column in COLUMNS}
    widths = {
        column: max(LEAST_WIDTH, PICTURE_WIDTH * count / whole) if count > 0 else 0.0
        for column, count in counts.items()
    }
    shrink = min(1.0, PICTURE_WIDTH / max(1.0, sum(widths.values())))
    found, x = [], 0.0
    for column, count in counts.items():
        width = widths[column] * shrink
        fill, is_dark = _LOOKS[column]
        part = Part(
            column=column,
            count=count,
            share=count / whole,
            x=x,
            width=width,
            fill=fill,
            is_dark=is_dark,
            address=_WHERE[column],
        )
        found.append(part)
        x += width
    return found

"""移送清单 The court's referrals, newest first: what is held, what is late, and counts on top.

Rules: looked for by case number or referral id, state and day of acceptance alone, never by a person: what is asked
stands in the address and in the log. An id number typed into the box is refused and kept nowhere.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from werkzeug.wrappers import Response

from gateway.domain.access import Right
from gateway.domain.calendar import ONE_DAY, end_of_china_day
from gateway.domain.lifecycle import NeedState
from gateway.domain.values import InvalidValue
from gateway.errors import InvalidQuery
from gateway.flows.court_desk import listed
from gateway.store import court_desk
from gateway.store.court_desk import OVERDUE, WITHDRAWN, Wanted
from gateway.web.court.parts import parts_of
from gateway.web.desk import Desk
from gateway.web.pages.clerk import MOST, can_send, party_of
from gateway.web.pages.routes import Pages
from gateway.web.pages.shown import t, words
from gateway.web.pages.visit import Visit
from gateway.workbook.spellings import read_day

SEARCHED = "referrals_searched"
_CASE = re.compile(r"[（(]?[0-9]{4}[）)]?[\w（）()-]{0,55}|[A-Za-z0-9._:-]{1,64}")
_PERSONAL = re.compile(r"[0-9]{15}|[0-9]{17}[0-9Xx]|1[3-9][0-9]{9}")
_BRACKETS = str.maketrans("()", "（）")
_DAYS = (date(1970, 1, 2), date(9998, 12, 30))


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """As it stands in the address."""

    case: str
    state: str
    since: str
    until: str

    @property
    def is_search(self) -> bool:
        """Whether anything was asked for."""
        return bool(self.case or self.state or self.since or self.until)

    def wanted(self) -> Wanted:
        """As the store understands it. Raises InvalidQuery."""
        if self.state and self.state not in {code for code, _ in states()}:
            raise InvalidQuery("state")
        since, until = _day(self.since, "since"), _day(self.until, "until")
        return Wanted(
            case=_case(self.case),
            state=self.state,
            since=None if since is None else end_of_china_day(since - ONE_DAY),
            until=None if until is None else end_of_china_day(until),
        )


def states() -> list[tuple[str, str]]:
    """What a list may be narrowed to."""
    named = dict(words("need"))
    own = [(OVERDUE, t("超期", "overdue")), (WITHDRAWN, t("移送已撤回", "referral withdrawn"))]
    return own + [(s.value, named.get(s.value, s.value)) for s in NeedState if s is not NeedState.WITHDRAWN]


def _case(text: str) -> str:
    if text and (not _CASE.fullmatch(text) or _PERSONAL.fullmatch(text)):
        raise InvalidQuery("case_number_or_referral_id_only")
    return text if text.isascii() and text[:1] not in "(" else text.translate(_BRACKETS)


def _day(text: str, name: str) -> date | None:
    if not text:
        return None
    try:
        found = read_day(text)
    except InvalidValue as wrong:
        raise InvalidQuery(f"{name}:{wrong.code}") from wrong
    if not _DAYS[0] <= found <= _DAYS[1]:
        raise InvalidQuery(f"{name}:out_of_range")
    return found


def pages(desk: Desk) -> Pages:
    """The list."""
    found = Pages(desk, "court_list", "/court")

    @found.get("", Right.COURT_WORK)
    def court_list(visit: Visit) -> Response:
        asked = Asked(
            case=visit.asked("case", 64),
            state=visit.asked("state", 40),
            since=visit.asked("since", 20),
            until=visit.asked("until", 20),
        )
        try:
            wanted = asked.wanted()
        except InvalidQuery as refused:
            return visit.page("court/list.html", refused=refused, asked=asked, states=states(), lines=[], **_top(visit))
        after = parts_of(visit.asked("after", 40))
        if asked.is_search and after is None:
            visit.log(SEARCHED, party_of(visit), _said(asked, wanted))
        lines, more = listed(visit.context, party_of(visit), wanted, after=after, most=MOST, now=visit.now)
        return visit.page(
            "court/list.html",
            asked=asked,
            states=states(),
            lines=lines,
            after=after,
            more=None if more is None else f"{more[0]}.{more[1]}",
            **_top(visit),
        )

    return found


def _said(asked: Asked, wanted: Wanted) -> str:
    parts = {"case": wanted.case, "state": wanted.state, "since": asked.since, "until": asked.until}
    return " ".join(f"{name}={value}" for name, value in parts.items() if value)


def _top(visit: Visit) -> dict[str, Any]:
    with visit.context.store.reading() as connection:
        counts = court_desk.counts(connection, party_of(visit), now=visit.now)
    return {"counts": counts, "can_send": can_send(visit), "States": NeedState, "age": _age(visit)}


def _age(visit: Visit) -> Callable[[datetime], int]:
    """Whole days since a moment."""
    return lambda moment: (visit.now - moment) // timedelta(days=1)

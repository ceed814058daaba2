"""移送检索 The list of referrals and the search in it: case number, court, office, state, group, kind, time.

Rules: nothing personal can be asked for, so nothing personal stands in an address; a search is on file by the codes it
named before its result is shown; somebody's region is part of what the database is asked. Fifty a page, newest first;
overdue ones by what passed first.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from werkzeug.wrappers import Response

from gateway.domain.access import Right
from gateway.domain.calendar import china_day
from gateway.domain.case_number import parse_case_number
from gateway.domain.lifecycle import OPEN_NEEDS, NeedState
from gateway.domain.original_case import numbers_of
from gateway.domain.person import SpecificGroup
from gateway.domain.values import InvalidValue
from gateway.errors import FieldProblem, InvalidQuery
from gateway.store import referral_search
from gateway.store.referral_search import Asked, Place
from gateway.web.console.whose import courts_of, name_of, offices_of
from gateway.web.desk import Desk
from gateway.web.pages.asked import as_kept, moment_of
from gateway.web.pages.routes import Pages
from gateway.web.pages.shown import t, words
from gateway.web.pages.visit import Visit

HOME = "/console/referrals"
OVERDUE, OPEN = "overdue", "open"
"""Asked as a state, though neither is one."""
FIELDS = ("case_number", "original_case", "court", "office", "state", "must_act", "from", "to", "group", "case_type")
_NUMBERS = ("case_number", "original_case")
"""Of these the log only says that one was asked for."""
_BRACKETS = str.maketrans("()", "（）", " \u3000\t")


@dataclass(frozen=True, kw_only=True)
class Form:
    """What somebody asked, as typed."""

    values: dict[str, str]

    def __getitem__(self, name: str) -> str:
        return self.values[name]

    @property
    def is_search(self) -> bool:
        """Whether anything is asked."""
        return any(self.values.values())

    @property
    def said(self) -> str:
        """What goes on file of it."""
        return as_kept(self.values, unsaid=_NUMBERS)


def pages(desk: Desk) -> Pages:
    """The list."""
    found = Pages(desk, "referrals", HOME)

    @found.get("", Right.SEE_CASES)
    def referrals(visit: Visit) -> Response:
        return _list(visit)

    return found


def _list(visit: Visit) -> Response:
    form = Form(values={name: visit.asked(name, 120) for name in FIELDS})
    try:
        asked, after = read_asked(visit, form), read_place(visit.asked("after"))
    except InvalidQuery as error:
        return visit.page("console/referrals.html", refused=error, form=form, page=None, **_choices(visit))
    if form.is_search:
        visit.log("searched", "referrals", form.said)
    with visit.context.store.reading() as connection:
        page = referral_search.search(connection, asked, now=visit.now, after=after)
    return visit.page(
        "console/referrals.html",
        form=form,
        page=page,
        older=None if page.next is None else f"{page.next[0]}-{page.next[1]}",
        after=after,
        today=china_day(visit.now),
        names={one.court: name_of(visit, one.court) for one in page.referrals},
        offices={n.office_id: name_of(visit, n.office_id) for one in page.referrals for n in one.needs},
        age=lambda moment: (china_day(visit.now) - china_day(moment)).days,
        **_choices(visit),
    )


def _choices(visit: Visit) -> dict[str, Any]:
    return {
        "courts": courts_of(visit),
        "all_offices": offices_of(visit),
        "states": [
            (OVERDUE, t("超期", "overdue")),
            (OPEN, t("在办（全部）", "open (all)")),
            *words("need"),
        ],
        "groups": words("group"),
        "case_types": words("case_type"),
    }


def read_asked(visit: Visit, form: Form) -> Asked:
    """What is looked for, within what somebody sees. Raises InvalidQuery, naming every field that cannot be read."""
    wrong: list[FieldProblem] = []
    state, court = form["state"], form["court"]
    if state and state not in (OVERDUE, OPEN) and state not in set(NeedState):
        wrong.append(FieldProblem(pointer="/state", code="unknown_code"))
    if form["group"] and form["group"] not in set(SpecificGroup):
        wrong.append(FieldProblem(pointer="/group", code="unknown_code"))
    if form["case_type"] and form["case_type"] not in dict(words("case_type")):
        wrong.append(FieldProblem(pointer="/case_type", code="unknown_code"))
    first, last = _day(form, "from", wrong), _day(form, "to", wrong)
    if first is not None and last is not None and last < first:
        wrong.append(FieldProblem(pointer="/to", code="out_of_range"))
    if wrong:
        raise InvalidQuery(problems=wrong)
    courts = visit.courts
    if court:
        courts = (court,) if visit.sees_court(court) else ()
    return Asked(
        courts=courts,
        case_number=_case_number(form["case_number"]),
        original_cases=tuple(dict.fromkeys(numbers_of(form["original_case"]))),
        office=form["office"] or None,
        states=_states(state),
        overdue=state == OVERDUE,
        must_act=(form["must_act"] or None) if state == OVERDUE else None,
        accepted_from=first,
        accepted_until=None if last is None else last + timedelta(days=1),
        group=SpecificGroup(form["group"]) if form["group"] else None,
        case_type=form["case_type"] or None,
    )


def _states(state: str) -> tuple[NeedState, ...]:
    if state == OPEN:
        return tuple(one for one in NeedState if one in OPEN_NEEDS)
    return (NeedState(state),) if state and state != OVERDUE else ()


def _day(form: Form, name: str, wrong: list[FieldProblem]) -> datetime | None:
    """The beginning of a China day."""
    if not form[name]:
        return None
    try:
        date.fromisoformat(form[name])
        return moment_of(form[name], name)
    except (ValueError, InvalidQuery):
        wrong.append(FieldProblem(pointer=f"/{name}", code="not_a_day"))
        return None


def _case_number(text: str) -> str | None:
    """As it is stored; what is no case number is looked for as it was typed, and not found."""
    if not text:
        return None
    plain = text.translate(_BRACKETS)
    try:
        return parse_case_number(plain).text
    except InvalidValue:
        return plain


def read_place(text: str) -> Place | None:
    """From where a page goes on. Raises InvalidQuery."""
    if not text:
        return None
    moment, _, row = text.partition("-")
    if not all(one.isascii() and one.isdigit() and len(one) <= 15 for one in (moment, row)):
        raise InvalidQuery(problems=[FieldProblem(pointer="/after", code="out_of_range")])
    return int(moment), int(row)

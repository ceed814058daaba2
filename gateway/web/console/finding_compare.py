"""两日对照页 Two days side by side: what was open, what came, what went, and what was decided between.

A day stands for its last moment in China; the present day for this moment. Numbers lead to the findings they count.
"""

from datetime import datetime, timedelta
from typing import Any

from werkzeug.wrappers import Response

from gateway.domain.access import Right
from gateway.domain.calendar import CHINA, china_day
from gateway.domain.values import InvalidValue
from gateway.errors import FieldProblem, InvalidQuery
from gateway.store import finding_days, runs
from gateway.store.finding_days import Days, Part
from gateway.web.console.finding_filter import HOME, every_code, families, family_of
from gateway.web.console.findings import line
from gateway.web.desk import Desk
from gateway.web.pages.asked import row_of
from gateway.web.pages.routes import Pages
from gateway.web.pages.visit import Visit
from gateway.workbook.spellings import read_day

DAYS_BACK = 7


def pages(desk: Desk) -> Pages:
    """The comparison."""
    found = Pages(desk, "finding_compare", HOME)

    @found.get("/compare", Right.SEE_CASES)
    def compare_findings(visit: Visit) -> Response:
        return _page(visit)

    return found


def _page(visit: Visit) -> Response:
    today = china_day(visit.now)
    typed = {
        "from": visit.asked("from", 10) or (today - timedelta(days=DAYS_BACK)).isoformat(),
        "to": visit.asked("to", 10) or today.isoformat(),
        "code": visit.asked("code", 40),
        "part": visit.asked("part", 10),
    }
    shown: dict[str, Any] = {"typed": typed, "groups": None, "lines": None}
    try:
        since, until = _moment(visit, typed["from"], "from"), _moment(visit, typed["to"], "to")
        if since >= until:
            raise InvalidQuery(problems=[FieldProblem(pointer="/to", code="days_reversed")])
        after = row_of(visit.asked("after"), "after") or 0
        code, part = _listed(typed)
    except InvalidQuery as error:
        return visit.page("console/finding_compare.html", refused=error, **shown)
    with visit.context.store.reading() as connection:
        if part is not None:
            found, older = finding_days.listed(connection, part, code, since, until, visit.courts, after=after)
            shown |= {"lines": [line(visit, one) for one in found], "older": older, "after": after}
        else:
            days = finding_days.compare(connection, since, until, visit.courts)
            shown |= {"groups": _groups(days), "total": _sum("", days)}
            shown["doubtful"] = finding_days.doubtful(connection, since, visit.courts)
        whole = visit.courts is None
        shown["runs"] = [runs.last_by(connection, moment) if whole else None for moment in (since, until)]
    return visit.page("console/finding_compare.html", **shown)


def _moment(visit: Visit, text: str, field: str) -> datetime:
    """The end of that day, or now where it is not over. Raises InvalidQuery."""
    try:
        day = read_day(text)
        end = datetime(day.year, day.month, day.day, tzinfo=CHINA) + timedelta(days=1) - timedelta(milliseconds=1)
    except (InvalidValue, OverflowError) as error:
        raise InvalidQuery(problems=[FieldProblem(pointer=f"/{field}", code="not_a_day")]) from error
    if day > china_day(visit.now):
        raise InvalidQuery(problems=[FieldProblem(pointer=f"/{field}", code="day_in_future")])
    return min(end, visit.now)


def _listed(typed: dict[str, str]) -> tuple[str, Part | None]:
    """Whose findings are listed. Raises InvalidQuery."""
    code, part = typed["code"], typed["part"]
    if not part:
        return code, None
    wrong = [
        *([] if part in set(Part) else ["part"]),
        *([] if code in every_code() else ["code"]),
    ]
    if wrong:
        raise InvalidQuery(problems=[FieldProblem(pointer=f"/{name}", code="unknown_code") for name in wrong])
    return code, Part(part)


def _groups(days: list[Days]) -> list[tuple[str, list[Days], Days]]:
    """(family, its codes, their sum)."""
    found = []
    for family in (*families(), ""):
        mine = [one for one in days if family_of(one.code) == family]
        if mine:
            found.append((family, mine, _sum(family, mine)))
    return found


def _sum(name: str, days: list[Days]) -> Days:
    counted = ("then", "opened", "closed", "cured", "later", "decided", "again")
    return Days(code=name, **{column: sum(getattr(one, column) for one in days) for column in counted})

"""对账单页 Every party's statements, what became of each of them, and a file that came to the operator on a disk.

Rules: whose part of the exchange is a region sees the statements of its offices; fifty a page, newest first. While a
statement is under way its page looks again by itself, for some minutes and no longer, so that nobody stays signed in by
a page that was left open. Lines are told by number and code, never by what stands in them.
"""

import re
from collections.abc import Mapping, Sequence
from functools import partial
from http import HTTPStatus
from io import BytesIO, StringIO
from typing import Any

from werkzeug.wrappers import Response

from gateway.domain.access import Right
from gateway.domain.agreement import Office
from gateway.domain.lifecycle import FindingState, StatementState
from gateway.domain.statement import Statement
from gateway.errors import FieldProblem, InvalidQuery, NotFound, TrustError, XianjieError
from gateway.flows.statement_intake import status_of
from gateway.store import statement_desk, statements
from gateway.store.statement_desk import Asked, Part
from gateway.web.console import finding_filter, statement_upload
from gateway.web.console.statement_upload import Upload, column_of
from gateway.web.console.whose import name_of
from gateway.web.desk import Desk
from gateway.web.pages.asked import row_of
from gateway.web.pages.carried import XLSX, attachment
from gateway.web.pages.routes import Pages
from gateway.web.pages.shown import code_text, words
from gateway.web.pages.visit import Visit
from gateway.workbook.statement_columns import COLUMNS, write_statement_template
from gateway.workbook.writing import write_csv

HOME = "/console/statements"
PAGE = 50
BAD_LINES = 100
SECONDS, MOST_TURNS = 5, 60
"""How often, and how many times, a page looks again by itself."""
_LINE_DIGITS = 9
OPEN = (FindingState.OPEN, FindingState.ASSIGNED)
MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")


def pages(desk: Desk) -> Pages:
    """The list with the form for a file, the templates, one statement."""
    found = Pages(desk, "console_statements", HOME)

    @found.get("", Right.SEE_STATEMENTS)
    def statements_page(visit: Visit) -> Response:
        return _list(visit)

    @found.post("", Right.TAKE_STATEMENTS)
    def take_statement(visit: Visit) -> Response:
        upload = Upload(values=statement_upload.typed(visit))
        statement = statement_upload.taken(visit, upload, offices_of(visit))
        if statement is None:
            return _list(visit, upload)
        return visit.back(_address(statement), upload.said)

    @found.get("/template/xlsx", Right.SEE_STATEMENTS)
    def statement_template_xlsx(_visit: Visit) -> Response:
        target = BytesIO()
        write_statement_template(target)
        return attachment(target.getvalue(), XLSX, "xianjie-statement.xlsx")

    @found.get("/template/csv", Right.SEE_STATEMENTS)
    def statement_template_csv(_visit: Visit) -> Response:
        stream = StringIO(newline="")
        write_csv(stream, [(key, f"{zh} {english}") for key, zh, english, _ in COLUMNS], [])
        return attachment(stream.getvalue().encode(), "text/csv; charset=utf-8", "xianjie-statement.csv")

    @found.get("/<statement_id>", Right.SEE_STATEMENTS)
    def statement_page(visit: Visit, statement_id: str) -> Response:
        return _one(visit, statement_id)

    return found


def _address(one: Statement) -> str:
    return f"{HOME}/{one.statement_id}?of={one.party.replace('/', '~')}"


def offices_of(visit: Visit) -> Mapping[str, Office]:
    """The offices somebody sees, by id."""
    every = visit.snapshot.offices.items()
    return {office_id: one for office_id, one in sorted(every) if one.region.startswith(visit.account.region)}


def _part(visit: Visit) -> Part | None:
    region = visit.account.region
    if not region:
        return None
    parties = visit.snapshot.parties.values()
    return Part(
        region=region,
        offices=tuple(offices_of(visit)),
        parties=tuple(one.party_id for one in parties if one.region.startswith(region)),
    )


# --- the list ---


def _list(visit: Visit, upload: Upload | None = None) -> Response:
    typed = {name: visit.asked(name, 100) for name in ("office", "month", "state")}
    refused: XianjieError | None = None if upload is None else upload.refused
    shown: dict[str, Any] = {"typed": typed, "rows": [], "more": None, "before": None}
    try:
        before, asked = row_of(visit.asked("before", 20)), _asked(visit, typed)
        shown |= _rows(visit, asked, before)
    except InvalidQuery as error:
        refused = refused or error
    offices = [(one.office_id, f"{one.name_zh} {one.office_id}") for one in offices_of(visit).values()]
    return visit.page(
        "console/statements.html",
        status=200 if refused is None else _status(refused),
        refused=refused,
        upload=upload or Upload(values=statement_upload.beginning(visit)),
        is_tried=upload is not None,
        offices=offices,
        states=words("statement"),
        most_megabytes=statement_upload.MOST_BYTES // 2**20,
        **shown,
    )


def _status(refused: XianjieError) -> int:
    """A manifest nobody can prove does not sign out who brought it."""
    return HTTPStatus.UNPROCESSABLE_ENTITY if isinstance(refused, TrustError) else refused.status


def _asked(visit: Visit, typed: Mapping[str, str]) -> Asked:
    wrong = []
    if typed["month"] and MONTH.fullmatch(typed["month"]) is None:
        wrong.append(FieldProblem(pointer="/month", code="pattern"))
    if typed["state"] and typed["state"] not in set(StatementState):
        wrong.append(FieldProblem(pointer="/state", code="unknown_code"))
    if wrong:
        raise InvalidQuery(problems=wrong)
    return Asked(
        part=_part(visit),
        office=typed["office"] or None,
        month=typed["month"] or None,
        state=StatementState(typed["state"]) if typed["state"] else None,
    )


def _rows(visit: Visit, asked: Asked, before: int | None) -> dict[str, Any]:
    with visit.context.store.reading() as connection:
        found = statement_desk.listed(connection, asked, before=before, limit=PAGE + 1)
        page = found[:PAGE]
        every = [one for one, _ in page]
        names = {one.row: statement_desk.name_of(connection, one) for one in every}
        doubts = statement_desk.doubts(connection, sorted(set(names.values())), visit.courts)
        replaced = statement_desk.replaced(connection, every)
        received = statement_desk.received(connection, every)
    rows = [
        {
            "one": one,
            "seen": seen,
            "address": _address(one),
            "whose": _whose(visit, one),
            "doubts_at": finding_filter.address(statement=names[one.row]),
            "doubts": sum(count for (_, state), count in doubts[names[one.row]].items() if state in OPEN),
            "replaced": one.row in replaced,
            "received": received.get(one.row),
        }
        for one, seen in page
    ]
    return {"rows": rows, "before": before, "more": page[-1][0].row if len(found) > PAGE else None}


def _whose(visit: Visit, one: Statement) -> str:
    """The office it is of, else the party."""
    return name_of(visit, one.office_id or one.party)


# --- one statement ---


def _one(visit: Visit, statement_id: str) -> Response:
    party = visit.asked("of", 100).replace("~", "/") or None
    with visit.context.store.reading() as connection:
        found = statement_desk.named(connection, statement_id, Asked(part=_part(visit), party=party))
    if not found:
        raise NotFound
    if len(found) > 1:
        several = [(_address(one), _whose(visit, one), one) for one in found]
        return visit.page("console/statement_which.html", statement_id=statement_id, several=several)
    return _told(visit, found[0])


def _told(visit: Visit, one: Statement) -> Response:
    after, turn = (
        row_of(visit.asked("line", 20), "line", digits=_LINE_DIGITS) or 0,
        row_of(visit.asked("turn", 20), "turn") or 0,
    )
    with visit.context.store.reading() as connection:
        seen, name = statements.progress(connection, one.row), statement_desk.name_of(connection, one)
        said = status_of(connection, one, seen, limit=0)
        bad = statement_desk.bad_lines(connection, one.row, after=after, limit=BAD_LINES + 1)
        doubts = statement_desk.doubts(connection, [name], visit.courts)[name]
        matched = statement_desk.matched(connection, one, name) if seen.state is StatementState.READ else None
        received = statement_desk.received(connection, [one]).get(one.row)
    under_way = _is_under_way(said)
    return visit.page(
        "console/statement.html",
        one=one,
        seen=seen,
        said=said,
        whose=_whose(visit, one),
        address=_address(one),
        received=received,
        matched=matched,
        doubts=_by_code(doubts),
        doubts_at=partial(finding_filter.address, statement=name),
        bad=[
            (line["line"], column_of(line["pointer"]), code_text(line["code"]), line["code"])
            for line in bad[:BAD_LINES]
        ],
        after=after,
        more=bad[BAD_LINES - 1]["line"] if len(bad) > BAD_LINES else None,
        under_way=under_way,
        turn=turn + 1 if under_way and turn < MOST_TURNS else None,
        seconds=SECONDS,
    )


def _is_under_way(said: Mapping[str, Any]) -> bool:
    """Whether something of it changes by itself in a moment."""
    if said["replaced"]:
        return False
    match said["state"]:
        case StatementState.AWAITING_LINES:
            return bool(said["received"])
        case StatementState.RECEIVED:
            return True
    return said["reconciled_at"] is None


def _by_code(doubts: Mapping[tuple[str, FindingState], int]) -> Sequence[tuple[str, int, int]]:
    """(code, open, done), most open first."""
    found: dict[str, list[int]] = {}
    for (code, state), count in doubts.items():
        found.setdefault(code, [0, 0])[state not in OPEN] += count
    return sorted(((code, still, done) for code, (still, done) in found.items()), key=lambda one: (-one[1], one[0]))

"""对账单页 An agency's clerk sends a month's statement as a file, and sees what became of it, line by line.

1. the file is read first, in memory: what cannot be read of it is named by line and column, nothing is sent;
2. sent: the manifest is signed for the party and its id made from all it says, the file's SHA-256 among it, so that the
   same file for the same months is one statement however often it is pressed; then the lines follow in pieces;
3. what was cut off goes on with the same file; a worker reads the lines and compares them.
Lines hold people's data: a page shows their numbers and codes, never what stands in them.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from typing import Any
from urllib.parse import quote

from flask import request
from werkzeug.wrappers import Response

from gateway.domain.access import Right
from gateway.domain.calendar import china_day
from gateway.domain.statement import Covers
from gateway.errors import FieldProblem, FileUnreadable, MessageError, SchemaInvalid, TooLarge, XianjieError
from gateway.flows.statement import SUBMITTED
from gateway.flows.statement_intake import MOST_PIECE, status_of, take
from gateway.store import own_statements, statements
from gateway.web.agency.parts import is_whole, office_names, offices_of, scope_of
from gateway.web.agency.sheets import agencies_of
from gateway.web.desk import Desk
from gateway.web.pages.asked import row_of
from gateway.web.pages.carried import XLSX, attachment, uploaded
from gateway.web.pages.clerk import MOST, agreements_of, can_send, name_of, party_of, send
from gateway.web.pages.filled import at_fields, plain
from gateway.web.pages.routes import Pages
from gateway.web.pages.said import tells
from gateway.web.pages.shown import code_text, t
from gateway.web.pages.visit import Visit, require_found
from gateway.workbook.statement_columns import COLUMNS, write_statement_template
from gateway.workbook.statement_file import LedgerLine, read_ledger

SENT = tells(
    "agency_statement_sent",
    "对账单已送达，系统读取后在此显示结果。",
    "The statement is here; what was read shows soon.",
)
SENT_BEFORE = tells(
    "agency_statement_before",
    "同样的对账单此前已报送，未重复报送。",
    "The same statement was sent before; nothing was sent twice.",
)
MOST_BYTES = 15 * 2**20
SHOWN = 100
FORMS = {"ndjson": "NDJSON", "jsonl": "NDJSON", "csv": "CSV", "xlsx": "XLSX"}
FIELDS = (
    *("agency", "office", "agreement_document", "period_from", "period_to", "covers", "complete", "replaces"),
    *("programmes", "with_bad"),
)
_MONTH = re.compile(r"(20[0-9]{2})[-/.年]?(0?[1-9]|1[0-2])月?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Ledger:
    """A file that was read: how many lines, and those that cannot be read."""

    raw: bytes
    form: str
    lines: int
    bad: tuple[LedgerLine, ...]


def pages(desk: Desk) -> Pages:
    """The list with its form, the template, one statement."""
    found = Pages(desk, "agency_statements", "/agency/statements")

    @found.get("", Right.AGENCY_WORK)
    def own_statements_page(visit: Visit) -> Response:
        return _page(visit)

    @found.get("/template/xlsx", Right.AGENCY_WORK)  # two parts: no statement has such an id
    def statement_template(_visit: Visit) -> Response:
        target = BytesIO()
        write_statement_template(target)
        return attachment(target.getvalue(), XLSX, "xianjie-statement.xlsx")

    @found.post("", Right.AGENCY_WORK)
    def send_statement(visit: Visit) -> Response:
        return _sent(visit)

    @found.get("/<statement_id>", Right.AGENCY_WORK)
    def own_statement(visit: Visit, statement_id: str) -> Response:
        with visit.context.store.reading() as connection:
            one, seen = require_found(own_statements.find(connection, party_of(visit), scope_of(visit), statement_id))
            said = status_of(connection, one, seen, limit=SHOWN)
        bad = [
            (line["line"], _column(line["pointer"]), code_text(line["code"]), line["code"])
            for line in said["bad_lines"]
        ]
        return visit.page(
            "agency/statement.html", one=one, said=said, compared_at=seen.reconciled_at, bad=bad, shown=SHOWN
        )

    return found


def _page(
    visit: Visit,
    *,
    refused: XianjieError | None = None,
    typed: Mapping[str, Any] | None = None,
    wrong: Mapping[str, str] | None = None,
    ledger: Ledger | None = None,
) -> Response:
    before = row_of(visit.asked("before", 20))
    with visit.context.store.reading() as connection:
        rows = own_statements.listed(connection, party_of(visit), scope_of(visit), before=before, limit=MOST + 1)
        replaced = {one.row for one, _ in rows if statements.is_replaced(connection, one)}
    listed = rows[:MOST]
    return visit.page(
        "agency/statements.html",
        status=200 if refused is None else refused.status,
        refused=refused,
        listed=listed,
        replaced=replaced,
        before=before,
        more=listed[-1][0].row if len(rows) > MOST else None,
        typed=typed or _beginning(visit),
        wrong=wrong or {},
        checked=ledger,
        bad=[] if ledger is None else list(_bad_lines(ledger.bad[:SHOWN])),
        agencies=agencies_of(visit),
        offices=office_names(visit),
        is_whole=is_whole(visit),
        agreements=agreements_of(visit),
        programmes=_programmes(visit),
        correctable=[one for one, _ in listed if one.row not in replaced],
        can_send=can_send(visit),
    )


def _programmes(visit: Visit) -> list[str]:
    """Those the clerk's agencies lead."""
    mine = set(agencies_of(visit))
    return [code for code, one in visit.context.programmes.items() if one.lead_agency in mine]


def _beginning(visit: Visit) -> dict[str, Any]:
    """The month before this one, complete, of the only office there is."""
    today = china_day(visit.now)
    month = f"{today.year - (today.month == 1)}-{(today.month - 2) % 12 + 1:02d}"
    offices, agreements = offices_of(visit), agreements_of(visit)
    return {
        "period_from": month,
        "period_to": month,
        "covers": Covers.PAID.value,
        "complete": "1",
        "office": offices[0] if len(offices) == 1 else "",
        "agreement_document": agreements[0] if len(agreements) == 1 else "",
        "programmes": [],
    }


# --- sending ---


def _sent(visit: Visit) -> Response:
    typed: dict[str, Any] = {name: visit.text(name, 100) for name in FIELDS if name != "programmes"}
    typed["programmes"] = request.form.getlist("programmes")[:100]
    try:
        ledger = _ledger()
    except (FileUnreadable, TooLarge) as error:
        return _page(visit, refused=error, typed=typed)
    if visit.text("step") == "check" or not can_send(visit):
        return _page(visit, typed=typed, ledger=ledger)
    if ledger.bad and typed["with_bad"] != "1":
        return _page(visit, refused=SchemaInvalid("bad_lines"), typed=typed, ledger=ledger)
    try:
        data = _manifest(visit, typed, ledger)
        done = send(visit, SUBMITTED, data, form=name_of(data))
        _send_lines(visit, data["statement_id"], ledger.raw)
    except MessageError as error:
        wrong, others = at_fields(error.problems, FIELDS)
        return _page(visit, refused=plain(error, others), typed=typed, wrong=wrong, ledger=ledger)
    return visit.back(_address(data["statement_id"]), SENT_BEFORE if done.replayed else SENT)


def _address(statement_id: str) -> str:
    return f"/agency/statements/{quote(statement_id, safe='')}"


def _ledger() -> Ledger:
    """The uploaded file, read to its end. Raises FileUnreadable."""
    name, raw = uploaded(MOST_BYTES)
    form = FORMS.get(name.rpartition(".")[2].lower())
    if form is None:
        raise FileUnreadable("neither .ndjson, .jsonl, .csv nor .xlsx")
    count, bad = 0, []
    for line in read_ledger([raw], form):
        count += 1
        if line.problem is not None:
            bad.append(line)
    return Ledger(raw=raw, form=form, lines=count, bad=tuple(bad))


def _manifest(visit: Visit, typed: Mapping[str, Any], ledger: Ledger) -> dict[str, Any]:
    """What is signed for. Raises SchemaInvalid for an office that is not the clerk's and for months that are none."""
    problems = []
    office = typed["office"]
    mine = {one.office_id: one for one in visit.offices}
    if office and office not in mine:
        problems.append(FieldProblem(pointer="/data/office", code="unknown_code"))
    elif not office and not is_whole(visit):
        problems.append(FieldProblem(pointer="/data/office", code="required"))
    known = agencies_of(visit)
    agency = mine[office].agency if office in mine else typed["agency"] or (known[0] if len(known) == 1 else "")
    if not agency:
        problems.append(FieldProblem(pointer="/data/agency", code="required"))
    months = {name: _month(typed[name]) for name in ("period_from", "period_to")}
    problems += [FieldProblem(pointer=f"/data/{name}", code="pattern") for name, month in months.items() if not month]
    if problems:
        raise SchemaInvalid(problems=problems)
    said = {
        "agreement_document": typed["agreement_document"],
        "agency": agency,
        "office": office,
        **months,
        "covers": typed["covers"],
        "programmes": sorted(typed["programmes"]),
        "format": ledger.form,
        "sha256": sha256(ledger.raw).hexdigest(),
        "replaces": typed["replaces"],
    }
    given = {name: value for name, value in said.items() if value} | {
        "complete": typed["complete"] == "1",
        "lines": ledger.lines,
        "size": len(ledger.raw),
    }
    return {**given, "statement_id": f"{months['period_from']}-{agency}-{name_of(given)[:16]}"}


def _month(text: str) -> str:
    found = _MONTH.fullmatch(text)
    return "" if found is None else f"{found[1]}-{int(found[2]):02d}"


def _send_lines(visit: Visit, statement_id: str, raw: bytes) -> None:
    """In pieces, from the beginning: what is there already changes nothing."""
    for at in range(0, len(raw), MOST_PIECE):
        take(visit.context, party_of(visit), statement_id, at, raw[at : at + MOST_PIECE], now=visit.now)


# --- words ---


def _bad_lines(lines: Sequence[LedgerLine]) -> Iterator[tuple[int, str, str, str]]:
    """(line, column, what is wrong and how to mend it, code)."""
    for line in lines:
        pointer, code = line.problem or ("", "")
        yield line.number, _column(pointer), code_text(code), code


def _column(pointer: str) -> str:
    key = pointer.rpartition("/")[2]
    return next((t(zh, english) for name, zh, english, _ in COLUMNS if name == key), key)

"""导入移送 A file of the court's, read and shown row by row with what is wrong where, then sent as far as it is good.

1. check: the file is read in memory; every row stands in a table, its problems beside it; nothing is sent or kept;
2. send: the same file is chosen once more; its SHA-256 must be the one that was checked, so that what was seen is what
   is sent. Between the two nothing of it lies at the gateway, on disk or in a session.
A row's message id is made from what stands in it: the same row, in whichever file, is sent once. All or nothing means
that one bad row keeps all others back; what only acceptance itself can refuse is told row by row.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from io import BytesIO
from typing import Any

from werkzeug.wrappers import Response

from gateway.domain.access import Right
from gateway.errors import FieldProblem, FileUnreadable, MalformedJson, XianjieError
from gateway.flows.on_behalf import SentOnBehalf, message_id_of
from gateway.flows.rehearse import Rehearsal, rehearse
from gateway.store import inbox
from gateway.web.court.form_fields import wrong_text
from gateway.web.court.parts import Told, told
from gateway.web.desk import Desk
from gateway.web.pages.carried import XLSX, attachment, uploaded
from gateway.web.pages.clerk import can_send, name_of, party_of, send
from gateway.web.pages.routes import Pages
from gateway.web.pages.shown import mask_name, refusal_text, rule_text, t
from gateway.web.pages.visit import Visit
from gateway.workbook.court_files import read_court_bytes
from gateway.workbook.court_form import heading_at
from gateway.workbook.court_template import write_court_template
from gateway.workbook.rows import REFERRAL_SUBMITTED, RowProblem, RowResult

MOST_BYTES = 16 * 2**20
MOST_ROWS = 500
"""Of one file here; what is larger goes through `xianjie send`."""
_SUBJECTS = {"inquiry.asked": "inquiry_id", "clue.answered": "clue_id"}
"""What a message is about where that is no referral."""
READY, BEFORE, WRONG, ACCEPTED, REFUSED, KEPT_BACK = "ready", "before", "wrong", "accepted", "refused", "kept_back"


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One row of the table. state: of the six words above."""

    row: int
    sheet: str
    type: str
    subject: str
    case_number: str
    name: str
    state: str
    wrong: Sequence[Told] = ()
    warnings: Sequence[Told] = ()
    holds: Sequence[tuple[str, str]] = ()
    data: Any = None


def pages(desk: Desk) -> Pages:
    """The template, the check, the sending."""
    found = Pages(desk, "court_import", "/court/import")

    @found.get("", Right.COURT_WORK)
    def import_page(visit: Visit) -> Response:
        return _page(visit)

    @found.get("/template.xlsx", Right.COURT_WORK)
    def template(_visit: Visit) -> Response:
        target = BytesIO()
        write_court_template(target)
        return attachment(target.getvalue(), XLSX, "xianjie-referrals.xlsx")

    @found.post("", Right.COURT_WORK)
    def import_file(visit: Visit) -> Response:
        whole = visit.text("whole") == "1"
        try:
            name, raw = uploaded(MOST_BYTES)
            rows = _checked(visit, _read(name, raw))
        except FileUnreadable as error:
            return _page(visit, refused=error, whole=whole)
        digest = sha256(raw).hexdigest()
        if visit.text("step") != "send" or not can_send(visit):
            return _page(visit, rows=rows, digest=digest, whole=whole)
        if visit.text("digest", 64) != digest:
            another = FileUnreadable("not the file that was checked: it was checked anew, nothing was sent")
            return _page(visit, refused=another, rows=rows, digest=digest, whole=whole)
        return _page(visit, rows=_sent(visit, rows, whole=whole), whole=whole, done=True)

    return found


def _page(
    visit: Visit,
    *,
    refused: XianjieError | None = None,
    rows: Sequence[Row] = (),
    digest: str = "",
    whole: bool = False,
    done: bool = False,
) -> Response:
    # what became of hundreds of rows fits into no address, so the answer to the form is the page itself: loaded again
    # it sends nothing twice
    counts = {
        state: sum(one.state == state for one in rows) for state in (READY, BEFORE, WRONG, ACCEPTED, REFUSED, KEPT_BACK)
    }
    return visit.page(
        "court/import.html",
        status=200 if refused is None else refused.status,
        refused=refused,
        rows=rows,
        counts=counts,
        digest=digest,
        whole=whole,
        done=done,
        can_send=can_send(visit),
        most_rows=MOST_ROWS,
    )


def _read(name: str, raw: bytes) -> list[RowResult]:
    """Every row. Raises FileUnreadable, also for more of them than are sent from here."""
    found: list[RowResult] = []
    try:
        for row in read_court_bytes(raw, name):
            if len(found) == MOST_ROWS:
                raise FileUnreadable(t(f"超过 {MOST_ROWS} 行，请拆分", f"more than {MOST_ROWS} rows: split it"))
            found.append(row)
    except MalformedJson as error:
        raise FileUnreadable(f"not acceptable as JSON: {error.note}") from error
    if not found:
        raise FileUnreadable("no row is filled in")
    return found


def _checked(visit: Visit, results: Sequence[RowResult]) -> list[Row]:
    """Every row with what is wrong with it, as far as that can be known before it is sent."""
    before = _sent_before(visit, results)
    fresh = [at for at, one in enumerate(results) if _is_referral(one) and not before[at]]
    bodies = [results[at].data or {} for at in fresh]
    said = dict(zip(fresh, rehearse(visit.context, bodies, court=party_of(visit), now=visit.now), strict=True))
    return [_row(one, said.get(at), before=before[at]) for at, one in enumerate(results)]


def _is_referral(one: RowResult) -> bool:
    return one.data is not None and one.type == REFERRAL_SUBMITTED


def _form_of(one: RowResult) -> str:
    return f"import:{name_of(one.data)}"


def _sent_before(visit: Visit, results: Sequence[RowResult]) -> list[bool]:
    court = party_of(visit)
    ids = [None if one.data is None else message_id_of(court, one.type, _form_of(one)) for one in results]
    with visit.context.store.reading() as connection:
        known = inbox.earlier(connection, [(court, one) for one in ids if one is not None])
    return [one is not None and (court, one) in known for one in ids]


def _row(one: RowResult, said: Rehearsal | None, *, before: bool) -> Row:
    data = one.data or {}
    wrong = [_cell(one, problem) for problem in one.problems] + told(() if said is None else said.problems)
    person = data.get("person")
    return Row(
        row=one.row,
        sheet=one.sheet,
        type=one.type,
        subject=str(data.get(_SUBJECTS.get(one.type, "referral_id"), "")),
        case_number=str(data.get("case_number", "")),
        name=mask_name(str(person.get("name", ""))) if isinstance(person, dict) else "",
        state=BEFORE if before else WRONG if wrong else READY,
        wrong=wrong,
        warnings=told(() if said is None else said.warnings),
        holds=[(code, rule_text(code)) for code in (() if said is None else said.holds)],
        data=one.data,
    )


def _cell(one: RowResult, problem: RowProblem) -> Told:
    """A problem of the file: under the heading the clerk sees, which holds both languages, else the field's name."""
    named = t(*heading_at(problem.pointer)) if one.type == REFERRAL_SUBMITTED else problem.pointer
    place = problem.column.replace("\n", " ") or named
    note = f"（{problem.note}）" if problem.note else ""
    return Told(where=place, what=wrong_text(problem.code) + note, code=problem.code)


def _sent(visit: Visit, rows: Sequence[Row], *, whole: bool) -> list[Row]:
    """What became of each; with `whole` nothing is sent while one is wrong."""
    if whole and any(one.state == WRONG for one in rows):
        return [replace(one, state=KEPT_BACK) if one.state == READY else one for one in rows]
    return [_send(visit, one) if one.state == READY else one for one in rows]


def _send(visit: Visit, one: Row) -> Row:
    try:
        sent = send(visit, one.type, one.data, form=f"import:{name_of(one.data)}", subject=one.subject)
    except XianjieError as error:
        if error.status == 500:
            raise
        return replace(one, state=REFUSED, wrong=_refusal(error), warnings=(), holds=())
    return _accepted(one, sent)


def _refusal(error: XianjieError) -> list[Told]:
    title, what_to_do = refusal_text(error)
    first = Told(where=title, what=what_to_do, code=error.code)
    return [first, *told(FieldProblem(pointer=one.pointer, code=one.code) for one in error.problems)]


def _accepted(one: Row, sent: SentOnBehalf) -> Row:
    return replace(
        one,
        state=BEFORE if sent.replayed else ACCEPTED,
        warnings=told(sent.warnings),
        holds=[(code, rule_text(code)) for code in sent.holds],
    )

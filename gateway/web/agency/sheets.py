"""办理表 The sheet an office works in: downloaded with what is to be done, uploaded when it is filled.

1. downloaded: one row a need, the reply columns empty; each referral's log says who took its data out, first;
2. uploaded: each filled row is judged alone; a row that is right is sent at once, a row that is wrong is told with its
   column and how to mend it, and costs no other row its way;
3. a row's message is named after what stands in it: the same sheet uploaded twice sends nothing twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from io import BytesIO

from werkzeug.wrappers import Response

from gateway.domain.access import Right
from gateway.errors import FieldProblem, FileUnreadable, MessageError, XianjieError
from gateway.flows.agency_desk import log_export, to_export
from gateway.flows.receive import sent_handoff
from gateway.ports import Adapter
from gateway.store import agency_desk, handoffs
from gateway.store.agency_desk import ListedHandoff, Tab
from gateway.store.handoffs import SentRow
from gateway.web.agency.answer_fields import wrong_text
from gateway.web.agency.handoff import OUTCOME
from gateway.web.agency.parts import offices_of
from gateway.web.desk import Desk
from gateway.web.pages.carried import XLSX, attachment, uploaded
from gateway.web.pages.clerk import can_send, party_of, send
from gateway.web.pages.routes import Pages
from gateway.web.pages.shown import code_text, refusal_text, t, word
from gateway.web.pages.visit import Visit
from gateway.workbook.answers import PROOF_KEYS, effect_of, judged, proof_cells, row_problems, write_office_sheet
from gateway.workbook.sheets import REPLY_COLUMNS, ReplyRow, read_reply_sheet

MOST_HANDOFFS = 500
"""Of one sheet, the most pressing first."""
MOST_ROWS = 1000
MOST_SENT = 200
"""Newly sent in one go, so that a page is answered in time; the same sheet uploaded again goes on behind them."""
MOST_BYTES = 8 * 2**20
_HEADINGS = {key: heading.replace("*", "").split("\n") for key, heading in REPLY_COLUMNS}


class Fate(StrEnum):
    """What became of a row."""

    SENT = "sent"
    BEFORE = "before"
    KEPT_ONLY = "kept_only"
    WRONG = "wrong"
    NOT_YET = "not_yet"


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """One row of the table. wrong: (column, what is wrong and how to mend it, code)."""

    row: int
    handoff_id: str
    need_id: str
    fate: Fate
    wrong: Sequence[tuple[str, str, str]] = ()


def pages(desk: Desk) -> Pages:
    """The page, the download, the upload."""
    found = Pages(desk, "agency_sheets", "/agency/sheets")

    @found.get("", Right.AGENCY_WORK)
    def sheets(visit: Visit) -> Response:
        return _page(visit)

    @found.post("/download", Right.AGENCY_WORK)
    def download(visit: Visit) -> Response:
        return _sheet(visit, visit.text("agency", 40), in_hand=visit.text("in_hand") == "1")

    @found.post("", Right.AGENCY_WORK)
    def upload(visit: Visit) -> Response:
        try:
            rows = _rows(uploaded(MOST_BYTES)[1])
        except FileUnreadable as error:
            return _page(visit, refused=error)
        return _page(visit, told=_send_all(visit, rows), is_done=True)

    return found


def agencies_of(visit: Visit) -> list[str]:
    """The agencies whose formats the clerk's offices speak."""
    return sorted({one.agency for one in visit.offices if one.agency in visit.context.adapters})


def _page(
    visit: Visit, *, refused: XianjieError | None = None, told: Sequence[Told] = (), is_done: bool = False
) -> Response:
    with visit.context.store.reading() as connection:
        counts = agency_desk.counts(connection, offices_of(visit))
    return visit.page(
        "agency/sheets.html",
        status=200 if refused is None else refused.status,
        refused=refused,
        counts=counts,
        Tab=Tab,
        agencies=agencies_of(visit),
        told=told,
        is_done=is_done,
        fates=[(fate, sum(one.fate is fate for one in told)) for fate in Fate],
        Fate=Fate,
        can_send=can_send(visit),
        most=MOST_HANDOFFS,
    )


# --- out ---


def _sheet(visit: Visit, agency: str, *, in_hand: bool) -> Response:
    known = agencies_of(visit)
    agency = agency or (known[0] if len(known) == 1 else "")
    if agency not in known:
        return _page(visit, refused=FileUnreadable("no such agency"))
    mine = [one.office_id for one in visit.offices if one.agency == agency]
    tabs = (Tab.WAITING, Tab.IN_HAND) if in_hand else (Tab.WAITING,)
    found, _ = to_export(visit.context, mine, tabs, party=party_of(visit), most=MOST_HANDOFFS, now=visit.now)
    target = BytesIO()
    write_office_sheet(
        target,
        visit.context.adapters[agency],
        (
            {**row, **proof_cells(one.message.envelope.id, one.message.digest, one.message.envelope.subject)}
            for one in found
            for row in one.rows
        ),
    )
    log_export(visit.context, found, who=visit.who, now=visit.now)
    return attachment(target.getvalue(), XLSX, f"handoffs-{agency}-{visit.now:%Y%m%d}.xlsx")


# --- back ---


def _rows(raw: bytes) -> list[ReplyRow]:
    found: list[ReplyRow] = []
    for row in read_reply_sheet(raw, extra=PROOF_KEYS):
        if len(found) == MOST_ROWS:
            raise FileUnreadable(f"more than {MOST_ROWS} filled rows")
        found.append(row)
    return found


def _send_all(visit: Visit, rows: Sequence[ReplyRow]) -> list[Told]:
    """Each row, in order. What stops one row as a whole system stops (busy, in recovery) stops the others too."""
    with visit.context.store.reading() as connection:
        named = {row.cells["message_id"] for row in rows}
        known = agency_desk.by_message(connection, named, offices_of(visit))
        sent = handoffs.sent(connection, known)
    told: list[Told] = []
    stopped = False
    for row in rows:
        fresh = sum(one.fate in (Fate.SENT, Fate.KEPT_ONLY) for one in told)
        if stopped or fresh >= MOST_SENT:
            told.append(_told(row, Fate.NOT_YET))
            continue
        try:
            told.append(_send_row(visit, row, known, sent))
        except XianjieError as error:
            if not error.retryable:
                raise
            stopped = True
            told.append(_told(row, Fate.NOT_YET, [("", *_refusal(error))]))
    return told


def _send_row(visit: Visit, row: ReplyRow, known: dict[str, ListedHandoff], sent: dict[str, SentRow]) -> Told:
    problems = row_problems(row)
    if problems:
        return _told(row, Fate.WRONG, [_words(where, code) for where, code, _ in problems])
    cells, handoff = row.cells, known.get(row.cells["message_id"])
    if (
        handoff is None
        or (handoff.handoff_id, handoff.referral_id) != (cells["handoff_id"], cells["referral_id"])
        or sent[handoff.message_id].digest != cells["message_digest"]
        or cells["need_id"] not in {need for need, _ in handoff.needs}
    ):
        # another office's, none at all, and a grey part that was changed are answered alike
        text = t(
            "灰色部分与本单位收到的转办不符；请从本页重新下载办理表后填写",
            "the grey part fits no handoff of your offices; download the sheet anew and fill that in",
        )
        return _told(row, Fate.WRONG, [(_heading("handoff_id"), text, "handoff_unknown")])
    try:
        return _answered(visit, row, handoff, sent[handoff.message_id], visit.context.adapters[handoff.agency])
    except MessageError as error:
        if error.retryable:
            raise
        return _told(row, Fate.WRONG, [_at(one) for one in error.problems] or [("", *_refusal(error))])


def _answered(visit: Visit, row: ReplyRow, handoff: ListedHandoff, sent: SentRow, adapter: Adapter) -> Told:
    cells = row.cells
    done = send(
        visit,
        OUTCOME,
        judged(adapter, cells, sent_handoff(sent)),
        form=effect_of(cells),
        subject=handoff.referral_id,
        in_reply_to=handoff.message_id,
        in_reply_to_digest=sent.digest,
        content_type=adapter.content_type,
    )
    if done.replayed:
        return _told(row, Fate.BEFORE)
    with visit.context.store.reading() as connection:
        problems = agency_desk.problems_of(connection, handoff.handoff_id, done.message_id)
    kept = [("", word(one, "reply_problem"), one) for one in sorted(problems)]
    return _told(row, Fate.KEPT_ONLY if kept else Fate.SENT, kept)


def _told(row: ReplyRow, fate: Fate, wrong: Sequence[tuple[str, str, str]] = ()) -> Told:
    handoff_id, need_id = row.cells["handoff_id"], row.cells["need_id"]
    return Told(row=row.row, handoff_id=handoff_id, need_id=need_id, fate=fate, wrong=wrong)


def _at(problem: FieldProblem) -> tuple[str, str, str]:
    key = problem.pointer.rpartition("/")[2]
    return _heading(key), wrong_text(key, problem.code), problem.code


def _words(where: str, code: str) -> tuple[str, str, str]:
    return _heading(where), code_text(code), code


def _heading(where: str) -> str:
    """A column's heading in the reader's language, by its key or by the heading itself."""
    parts = _HEADINGS.get(where) or where.replace("*", "").split("\n")
    return t(parts[0], parts[-1])


def _refusal(error: XianjieError) -> tuple[str, str]:
    title, next_step = refusal_text(error)
    return f"{title}{t('；', '. ')}{next_step}", error.code

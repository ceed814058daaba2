"""更正移送 What may be put right of a referral that was sent: those fields alone, shown as they will change, then sent.

1. opened with a reason, which goes along as the amendment's own; what stood there is personal, so it is on file;
2. typed: what is wrong stands at its field, what was typed stays; the version it began from travels in the page;
3. previewed: each field as it was and as it will be, and what intake says of it;
4. sent: signed with the key the gateway holds; where the referral was amended meanwhile, that is told instead.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from werkzeug.wrappers import Response

from gateway.domain.access import Right
from gateway.domain.amendment import overlaid, row_of
from gateway.errors import CaseErased, FieldProblem, SchemaInvalid, XianjieError
from gateway.flows import own_referral as own
from gateway.flows.amend import rehearse
from gateway.flows.own_referral import OwnReferral
from gateway.flows.recall import AMENDED
from gateway.web.court.case import case_page
from gateway.web.court.entry import placed, said_at
from gateway.web.court.form_fields import shown_sections
from gateway.web.court.parts import (
    Cells,
    back_to_case,
    reason_of,
    require_own,
    sent_cells,
    told,
    typed_cells,
    without_list,
)
from gateway.web.desk import Desk
from gateway.web.pages.clerk import act_of, can_send, form_of, new_form, party_of, send
from gateway.web.pages.routes import Pages
from gateway.web.pages.said import tells
from gateway.web.pages.visit import Visit
from gateway.workbook.court_cells import cells_of
from gateway.workbook.court_form import FormProblem, FormSection, form_sections, read_form
from gateway.workbook.court_template import TemplateColumn

SENT = tells(
    "court_amended",
    "更正已报送并接收；正在办理的部门会收到其可见内容的更正。",
    "The amendment was sent and accepted; offices at work are told what they may see of it.",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Typed:
    """What stands in the form. amends: the message it was filled in from."""

    form: str
    cells: Cells
    amends: str
    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One field as it was and as it will be."""

    column: TemplateColumn
    before: str
    after: str


def pages(desk: Desk) -> Pages:
    """One address for every step, since each carries what is personal."""
    found = Pages(desk, "court_amend", "/court/referrals")

    @found.post("/<referral_id>/amend", Right.COURT_WORK)
    def amend(visit: Visit, referral_id: str) -> Response:
        require_own(visit, referral_id)
        try:
            why = reason_of(visit)
            before = own.own_referral(visit.context, referral_id, court=party_of(visit), now=visit.now)
            cells, members = sent_cells(before.data)
        except (SchemaInvalid, CaseErased) as error:
            return case_page(visit, referral_id, refused=error)
        match visit.text("step"):
            case "":
                visit.log(own.AMENDING, referral_id, why)
                fresh = Typed(form=new_form(), cells=cells, amends=before.message_id, why=why)
                return _form(visit, referral_id, fresh, cells)
            case "edit":
                return _form(visit, referral_id, _typed(visit, why), cells)
            case "send":
                return _checked(visit, before, cells, members, _typed(visit, why), sending=True)
        visit.log(own.AMENDING, referral_id, why)
        return _checked(visit, before, cells, members, _typed(visit, why), sending=False)

    return found


def _sections(cells: Cells) -> list[FormSection]:
    """The columns that may be amended; of needs those there are, of a guardian where there is one."""
    found = []
    for section in form_sections():
        kept = tuple(column for column in section.columns if _may_change(column, cells))
        if kept:
            found.append(FormSection(code=section.code, zh=section.zh, en=section.en, columns=kept))
    return found


def _may_change(column: TemplateColumn, cells: Cells) -> bool:
    if column.need_group is not None:
        is_there = f"need_{column.need_group}" in cells
        return is_there and row_of(f"/needs/{column.need_group - 1}{column.pointer}") is not None
    row = row_of(column.pointer)
    if row is None:
        return False
    beside = row["pointer"].rpartition("/")[0].strip("/").replace("/", ".")
    return any(key.startswith(beside) for key in cells)


def _typed(visit: Visit, why: str) -> Typed:
    return Typed(form=form_of(visit), cells=typed_cells(), amends=visit.text("amends", 64), why=why)


def _checked(
    visit: Visit, before: OwnReferral, cells: Cells, members: Sequence[Cells], typed: Typed, *, sending: bool
) -> Response:
    referral_id = before.referral.referral_id
    mine = {column.key: typed.cells[column.key] for section in _sections(cells) for column in section.columns}
    reading = read_form({**cells, **mine}, members)
    if reading.data is None:
        return _form(visit, referral_id, typed, cells, problems=reading.problems, refused=SchemaInvalid())
    after = overlaid(before.data, reading.data)
    data = {**after, "amends": typed.amends, "amendment_reason": typed.why}
    try:
        if not sending:
            warnings = rehearse(visit.context, data, before, now=visit.now)
            return _preview(visit, referral_id, typed, _changes(cells, after), warnings)
        if not can_send(visit):
            return _form(visit, referral_id, typed, cells)
        sent = send(visit, AMENDED, data, form=act_of(typed.form, data), subject=referral_id)
    except XianjieError as error:
        if error.status == 500:
            raise
        problems = placed(reading, error.problems)
        return _form(visit, referral_id, typed, cells, problems=problems, refused=without_list(error))
    return back_to_case(visit, referral_id, sent, SENT)


def _changes(cells: Cells, after: Mapping[str, Any]) -> list[Change]:
    now = cells_of(after)
    return [
        Change(column=column, before=cells.get(column.key, ""), after=now.get(column.key, ""))
        for section in _sections(cells)
        for column in section.columns
        if cells.get(column.key, "") != now.get(column.key, "")
    ]


def _form(
    visit: Visit,
    referral_id: str,
    typed: Typed,
    cells: Cells,
    *,
    problems: Sequence[FormProblem] = (),
    refused: XianjieError | None = None,
) -> Response:
    return visit.page(
        "court/amend.html",
        status=200 if refused is None else refused.status,
        refused=None if problems else refused,
        referral_id=referral_id,
        typed=typed,
        sections=shown_sections(typed.cells, problems, _sections(cells)),
        problems=[said_at(one) for one in problems],
        can_send=can_send(visit),
    )


def _preview(
    visit: Visit, referral_id: str, typed: Typed, changes: Sequence[Change], warnings: Sequence[FieldProblem]
) -> Response:
    return visit.page(
        "court/amend_preview.html",
        referral_id=referral_id,
        typed=typed,
        changes=changes,
        warnings=told(warnings),
        hidden=[(key, value) for key, value in typed.cells.items() if value],
        can_send=can_send(visit),
    )

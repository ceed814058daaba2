"""录入移送 A referral entered by form: typed, checked as the workbook is, shown as it will be sent, then sent.

1. typed: what is wrong stands at its field, what was typed stays, nothing is sent;
2. previewed: the cells as they were understood, and what intake would say of them (`flows.rehearse`);
3. sent: signed with the key the gateway holds (`flows.on_behalf`); pressed twice it is one message, for its id is made
   from the form's own name and from what stands in it.
Between the two steps the cells travel in the page itself: nothing typed is kept at the gateway before it is signed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from flask import request
from werkzeug.wrappers import Response

from gateway.domain.access import Right
from gateway.errors import FieldProblem, SchemaInvalid, XianjieError
from gateway.flows.rehearse import Rehearsal, rehearse, within
from gateway.store import court_desk
from gateway.web.court.form_fields import LONGEST, label_of, shown_members, shown_sections, suggestions, wrong_text
from gateway.web.court.parts import Cells, Told, back_to_case, sent_cells, told, typed_cells, without_list
from gateway.web.desk import Desk
from gateway.web.pages.clerk import act_of, agreements_of, can_send, form_of, new_form, party_of, send
from gateway.web.pages.routes import Pages
from gateway.web.pages.said import tells
from gateway.web.pages.shown import rule_text
from gateway.web.pages.visit import Visit
from gateway.workbook.court_cells import cells_of, member_cells
from gateway.workbook.court_form import (
    MOST_MEMBERS,
    FormProblem,
    FormReading,
    form_sections,
    member_columns,
    member_field,
    read_form,
)
from gateway.workbook.rows import REFERRAL_SUBMITTED

SENT = tells("court_sent", "移送已报送并接收。", "The referral was sent and accepted.")
ROWS = 3
"""Empty rows for household members, to begin with and each time more are asked for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Typed:
    """What stands in the form."""

    form: str
    cells: Cells
    members: Sequence[Cells]


def pages(desk: Desk) -> Pages:
    """The empty form, and the form as it was typed."""
    found = Pages(desk, "court_entry", "/court")

    @found.get("/new", Right.COURT_WORK)
    def new_referral(visit: Visit) -> Response:
        return form_page(visit, Typed(form=new_form(), cells=_beginning(visit), members=[{}] * ROWS))

    @found.post("/new", Right.COURT_WORK)
    def enter_referral(visit: Visit) -> Response:
        typed = _typed(visit)
        match visit.text("step"):
            case "more":
                count = min(len(typed.members) + ROWS, MOST_MEMBERS)
                more = [*typed.members, *({} for _ in range(count - len(typed.members)))]
                return form_page(visit, Typed(form=typed.form, cells=typed.cells, members=more))
            case "edit":
                return form_page(visit, typed)
            case "send":
                return _checked(visit, typed, sending=True)
        return _checked(visit, typed, sending=False)

    return found


def filled_from(before: Mapping[str, Any]) -> Typed:
    """A fresh form with what a referral that was sent said, under another id. Raises SchemaInvalid for one with more
    needs than the form has room for."""
    cells, members = sent_cells(before)
    fresh = {**cells, "referral_id": str(uuid4())}
    return Typed(form=new_form(), cells=fresh, members=[*members, *[{}] * ROWS][:MOST_MEMBERS])


def _beginning(visit: Visit) -> dict[str, str]:
    """A fresh id, the agreement where only one is in force for the court, and the inquiry of its own that is cited."""
    fitting = agreements_of(visit)
    known = {"agreement_document": fitting[0]} if len(fitting) == 1 else {}
    with visit.context.store.reading() as connection:
        cited = court_desk.inquiry_of(connection, party_of(visit), visit.asked("inquiry", 64))
    if cited is not None:
        known |= {"inquiry_ref": cited.inquiry_id, "case_number": cited.case_number}
    return {"referral_id": str(uuid4()), **known}


def _typed(visit: Visit) -> Typed:
    count = max(ROWS, sum(1 for name in request.form if name.endswith(f"-{member_columns()[0].key}")))
    members = [
        {one.key: visit.text(member_field(at, one.key), LONGEST) for one in member_columns()}
        for at in range(min(count, MOST_MEMBERS))
    ]
    return Typed(form=form_of(visit), cells=typed_cells(), members=members)


def _checked(visit: Visit, typed: Typed, *, sending: bool) -> Response:
    reading = read_form(typed.cells, typed.members)
    if reading.data is None:
        return form_page(visit, typed, problems=reading.problems, refused=SchemaInvalid())
    if sending:
        return _sent(visit, typed, reading, reading.data)
    (said,) = rehearse(visit.context, [reading.data], court=party_of(visit), now=visit.now)
    if said.problems:
        return form_page(visit, typed, problems=placed(reading, said.problems), refused=SchemaInvalid())
    return _preview(visit, typed, reading.data, said)


def _sent(visit: Visit, typed: Typed, reading: FormReading, data: dict[str, Any]) -> Response:
    if not can_send(visit):
        return form_page(visit, typed)
    referral_id = str(data["referral_id"])
    # another content is another message: what was sent is never taken for what was changed since
    form = act_of(typed.form, data)
    try:
        sent = send(visit, REFERRAL_SUBMITTED, data, form=form, subject=referral_id)
    except XianjieError as error:
        if error.status == 500:
            raise
        return form_page(visit, typed, problems=placed(reading, error.problems), refused=without_list(error))
    return back_to_case(visit, referral_id, sent, SENT)


def placed(reading: FormReading, problems: Sequence[FieldProblem]) -> list[FormProblem]:
    """Problems of a message's data at the form's fields."""
    found = [within(one) for one in problems]
    return [FormProblem(field=reading.field_at(one.pointer), pointer=one.pointer, code=one.code) for one in found]


def form_page(
    visit: Visit,
    typed: Typed,
    *,
    problems: Sequence[FormProblem] = (),
    refused: XianjieError | None = None,
    anew: str | None = None,
) -> Response:
    """The form with what stands in it. anew: the referral it was filled in from."""
    return visit.page(
        "court/entry.html",
        status=200 if refused is None else refused.status,
        refused=None if problems else refused,  # each problem stands at its field, and in the list on top
        form_id=typed.form,
        sections=shown_sections(typed.cells, problems),
        members=shown_members(typed.members, problems),
        lists=suggestions(),
        problems=[said_at(one) for one in problems],
        can_send=can_send(visit),
        most_members=MOST_MEMBERS,
        anew=anew,
    )


def said_at(one: FormProblem) -> Told:
    """In the list on top, leading to the field."""
    where = label_of(one.field) if one.field else _heading(one.pointer)
    return Told(where=where, what=wrong_text(one.code), code=one.code, field=one.field)


def _heading(pointer: str) -> str:
    """The column's name in the reader's language."""
    (found,) = told([FieldProblem(pointer=pointer, code="")])
    return found.where


def _preview(visit: Visit, typed: Typed, data: dict[str, Any], said: Rehearsal) -> Response:
    cells = cells_of(data)
    return visit.page(
        "court/preview.html",
        form_id=typed.form,
        hidden=_hidden(typed),
        sections=[
            (one, [(column, cells[column.key]) for column in one.columns if column.key in cells])
            for one in form_sections()
        ],
        members=member_cells(data),
        member_columns=member_columns(),
        holds=[(code, rule_text(code)) for code in said.holds],
        warnings=told(said.warnings),
        can_send=can_send(visit),
    )


def _hidden(typed: Typed) -> list[tuple[str, str]]:
    """Every cell as it was typed, to come back with the next step."""
    rows = [(member_field(at, key), value) for at, member in enumerate(typed.members) for key, value in member.items()]
    return [*((key, value) for key, value in typed.cells.items() if value), *rows]

"""门户之件 What the pages of a court share: whose case it is, cells of a form, what was told, places of an address."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from flask import request
from werkzeug.wrappers import Response

from gateway.errors import FieldProblem, SchemaInvalid, XianjieError
from gateway.flows.on_behalf import SentOnBehalf, sent_before
from gateway.flows.rehearse import within
from gateway.store import court_desk
from gateway.web.court.form_fields import LONGEST, wrong_text
from gateway.web.pages.clerk import party_of
from gateway.web.pages.said import tells
from gateway.web.pages.shown import t
from gateway.web.pages.visit import Visit, require_found
from gateway.workbook.court_cells import cells_of, member_cells
from gateway.workbook.court_form import form_sections, heading_at

SENT_BEFORE = tells(
    "court_sent_before", "此表单此前已报送，未重复报送。", "This form was sent before; nothing was sent twice."
)
Cells = Mapping[str, str]
"""What stands in a form or a row of it, by column."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """One thing in words. field: the form's, where there is one."""

    where: str
    what: str
    code: str
    field: str = ""


def require_own(visit: Visit, referral_id: str) -> None:
    """Raises NotFound for another court's referral and for none alike."""
    with visit.context.store.reading() as connection:
        found = court_desk.line_of(connection, party_of(visit), referral_id)
    require_found(found)


def reason_of(visit: Visit) -> str:
    """Why somebody looks or takes out. Raises SchemaInvalid for a form that does not say so."""
    found = visit.text("why")
    if not found:
        raise SchemaInvalid(problems=[FieldProblem(pointer="/why", code="required")])
    return found


def sent_cells(data: Mapping[str, Any]) -> tuple[dict[str, str], list[dict[str, str]]]:
    """What a referral that was sent said, as the form has it: its own cells, and a row for each household member.
    Raises SchemaInvalid for one with more needs than the form has room for."""
    try:
        return cells_of(data), member_cells(data)
    except ValueError as error:
        raise SchemaInvalid("more_needs_than_the_form") from error


def typed_cells() -> dict[str, str]:
    """What came back from the form, household members aside; what is too long is kept long enough to be refused."""
    columns = [column for section in form_sections() for column in section.columns]
    return {one.key: "、".join(request.form.getlist(one.key))[: LONGEST + 1] for one in columns}


def without_list(error: XianjieError) -> XianjieError:
    """The refusal without its list: each problem stands at its field."""
    return type(error)(error.note)


def back_to_case(visit: Visit, referral_id: str, sent: SentOnBehalf, said: str) -> Response:
    """To the referral, where that it was sent is said, or that it had been before."""
    here = f"/court/referrals/{quote(referral_id, safe='')}"
    return visit.back(here, SENT_BEFORE if sent.replayed else said, message=sent.message_id)


def receipt_of(visit: Visit, message_id: str) -> SentOnBehalf | None:
    """What a message of this court's was told."""
    return sent_before(visit.context, party_of(visit), message_id, visit.now) if message_id else None


def told(problems: Iterable[FieldProblem]) -> list[Told]:
    """Problems and warnings of a referral, each with the column's heading."""
    found = []
    for one in problems:
        pointer = within(one).pointer
        found.append(Told(where=t(*heading_at(pointer)), what=wrong_text(one.code), code=one.code))
    return found


def parts_of(places: str) -> tuple[int, int] | None:
    """`milliseconds.row` of an address; None for anything else."""
    at, dot, row = places.partition(".")
    fits = dot and at.isascii() and row.isascii() and at.isdigit() and row.isdigit() and len(at) < 16 and len(row) < 16
    return (int(at), int(row)) if fits else None


def row_of(text: str) -> int | None:
    """A row number of an address; None for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None

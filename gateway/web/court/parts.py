"""门户之件 What the pages of a court share: whose case it is, what was told in words, places of an address."""

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.errors import FieldProblem, SchemaInvalid
from gateway.flows.on_behalf import SentOnBehalf, sent_before
from gateway.flows.rehearse import within
from gateway.store import court_desk
from gateway.web.court.form_fields import wrong_text
from gateway.web.pages.clerk import party_of
from gateway.web.pages.shown import t
from gateway.web.pages.visit import Visit, require_found
from gateway.workbook.court_form import heading_at


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

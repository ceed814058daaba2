"""门户之件 What the pages of a court share: whose case it is, whether anything can be sent, what was told in words."""

import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from gateway.domain.reconciliation.explain import rules
from gateway.errors import FieldProblem, FormExpired, SchemaInvalid
from gateway.flows.on_behalf import SentOnBehalf, can_sign_for, send_on_behalf, sent_before
from gateway.flows.rehearse import within
from gateway.store import court_desk
from gateway.web.court.form_fields import wrong_text
from gateway.web.pages.shown import t, word
from gateway.web.pages.visit import Visit, require_found
from gateway.workbook.court_form import heading_at

MOST = 50
"""Rows of a page."""
FORM = "form"
"""The hidden field that makes a form the same one again, however often it is pressed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """One thing in words. field: the form's, where there is one."""

    where: str
    what: str
    code: str
    field: str = ""


def court_of(visit: Visit) -> str:
    """Whose clerk it is; an account of a court always has one."""
    return visit.account.party_id or ""


def can_send(visit: Visit) -> bool:
    """Whether the gateway holds the court's key."""
    return can_sign_for(visit.context, visit.account.party_id)


def require_own(visit: Visit, referral_id: str) -> None:
    """Raises NotFound for another court's referral and for none alike."""
    with visit.context.store.reading() as connection:
        found = court_desk.line_of(connection, court_of(visit), referral_id)
    require_found(found)


def new_form() -> str:
    """A form's own name."""
    return secrets.token_urlsafe(18)


def form_of(visit: Visit) -> str:
    """The form's name as it came back. Raises FormExpired for a form without."""
    found = visit.text(FORM, 60)
    if not found:
        raise FormExpired
    return found


def reason_of(visit: Visit) -> str:
    """Why somebody looks or takes out. Raises SchemaInvalid for a form that does not say so."""
    found = visit.text("why")
    if not found:
        raise SchemaInvalid(problems=[FieldProblem(pointer="/why", code="required")])
    return found


def name_of(data: Any) -> str:
    """What stands in a form or a row, as a name: the same content has the same one."""
    return sha256(json.dumps(data, ensure_ascii=False, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()


def send(visit: Visit, type_: str, data: Mapping[str, Any], *, form: str, subject: str) -> SentOnBehalf:
    """One message of the clerk's court. Raises as `send_on_behalf`."""
    return send_on_behalf(visit.context, visit.account, type_, dict(data), form=form, now=visit.now, subject=subject)


def receipt_of(visit: Visit, message_id: str) -> SentOnBehalf | None:
    """What a message of this court's was told."""
    return sent_before(visit.context, court_of(visit), message_id, visit.now) if message_id else None


def hold_text(code: str) -> str:
    """What a hold waits for, in words."""
    found = rules().get(code)
    if found is None:
        return word(code, "hold")
    return t(found["zh"], found["en"])


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

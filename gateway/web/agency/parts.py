"""门户之件 What the pages of an agency share: whose offices, whether anything can be sent, forms that are one act."""

import json
import secrets
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from typing import Any

from gateway.domain.calendar import china_day
from gateway.domain.deadlines import INSTANT
from gateway.errors import FieldProblem, FormExpired, XianjieError
from gateway.flows.on_behalf import SentOnBehalf, can_sign_for, send_on_behalf
from gateway.web.pages.shown import problem_text
from gateway.web.pages.visit import Visit

MOST = 50
"""Rows of a page."""
FORM = "form"
"""The hidden field that makes a form the same one again, however often it is pressed."""
FILE_FIELD = "file"


@dataclass(frozen=True, kw_only=True, slots=True)
class Due:
    """期限 A moment until which the office must act. last_day: the China day it lies in, the one before where it is
    that day's end; days: how many are left, below zero when it has passed."""

    at: datetime
    last_day: date
    days: int
    is_past: bool


def party_of(visit: Visit) -> str:
    """Whose clerk it is; an account of an agency always has one."""
    return visit.account.party_id or ""


def offices_of(visit: Visit) -> list[str]:
    """The ids of the offices whose work is his."""
    return [one.office_id for one in visit.offices]


def is_whole(visit: Visit) -> bool:
    """Whether he works for all of the party's offices, and so for the party itself."""
    return not visit.account.office_ids


def scope_of(visit: Visit) -> list[str] | None:
    """The offices his lists are narrowed to; None for all."""
    return None if is_whole(visit) else offices_of(visit)


def can_send(visit: Visit) -> bool:
    """Whether the gateway holds the party's key."""
    return can_sign_for(visit.context, visit.account.party_id)


def office_names(visit: Visit) -> dict[str, str]:
    """Offices as people call them."""
    return {one.office_id: one.name_zh or one.office_id for one in visit.offices}


def new_form() -> str:
    """A form's own name."""
    return secrets.token_urlsafe(18)


def form_of(visit: Visit, content: Any) -> str:
    """The act a form stands for: its own name with what stands in it, so that pressed twice it is one message and
    changed it is another. Raises FormExpired for a form without a name."""
    found = visit.text(FORM, 60)
    if not found:
        raise FormExpired
    return f"{found}:{name_of(content)}"


def name_of(content: Any) -> str:
    """The same content has the same name."""
    return sha256(json.dumps(content, ensure_ascii=False, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()


def send(visit: Visit, type_: str, data: Any, *, form: str, **more: Any) -> SentOnBehalf:
    """One message of the clerk's party. Raises as `send_on_behalf`."""
    return send_on_behalf(visit.context, visit.account, type_, data, form=form, now=visit.now, **more)


def due_of(moment: datetime | None, now: datetime) -> Due | None:
    """How long is left."""
    if moment is None:
        return None
    last_day = china_day(moment - INSTANT)
    return Due(at=moment, last_day=last_day, days=(last_day - china_day(now)).days, is_past=moment < now)


def at_fields(
    problems: Iterable[FieldProblem], known: Container[str], said: Callable[[str, str], str] | None = None
) -> tuple[dict[str, str], list[FieldProblem]]:
    """What is wrong at each field of a form, in words, and what is at none of them. said: (field, code) → words."""
    wrong: dict[str, str] = {}
    others = []
    for one in problems:
        key = one.pointer.rpartition("/")[2]
        if key in known:
            wrong.setdefault(key, problem_text(one) if said is None else said(key, one.code))
        else:
            others.append(one)
    return wrong, others


def plain(error: XianjieError, problems: Iterable[FieldProblem] = ()) -> XianjieError:
    """The refusal with only what stands at no field. A fault of our own goes on as it is."""
    if error.status == 500:
        raise error
    return type(error)(error.note, problems=problems, ids=error.ids, retry_after=error.retry_after)

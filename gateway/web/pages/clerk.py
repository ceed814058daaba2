"""经办 What both portals share: whose clerk it is, whether anything can be sent, forms that are one act however often
they are pressed."""

import json
import secrets
from hashlib import sha256
from typing import Any

from gateway.domain.calendar import china_day
from gateway.errors import FormExpired
from gateway.flows.on_behalf import SentOnBehalf, can_sign_for, send_on_behalf
from gateway.web.pages.visit import Visit

MOST = 50
"""Rows of a page."""
FORM = "form"
"""The hidden field that makes a form the same one again."""


def party_of(visit: Visit) -> str:
    """Whose clerk it is; a clerk's account always has one."""
    return visit.account.party_id or ""


def can_send(visit: Visit) -> bool:
    """Whether the gateway holds a key of the party that counts."""
    return can_sign_for(visit.context, visit.account.party_id, visit.now)


def agreements_of(visit: Visit) -> list[str]:
    """The documents in force today that name the party."""
    today = china_day(visit.now)
    newest = {one.document: one for _, one in sorted(visit.snapshot.agreements.items())}
    return [name for name, one in newest.items() if one.is_valid_on(today) and one.names(party_of(visit))]


def new_form() -> str:
    """A form's own name."""
    return secrets.token_urlsafe(18)


def form_of(visit: Visit) -> str:
    """The form's name as it came back. Raises FormExpired for a form without."""
    found = visit.text(FORM, 60)
    if not found:
        raise FormExpired
    return found


def name_of(content: Any) -> str:
    """What stands in a form or a row, as a name: the same content has the same one."""
    return sha256(json.dumps(content, ensure_ascii=False, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()


def act_of(form: str, content: Any) -> str:
    """The act a form stands for: pressed twice it is one message, with other content another."""
    return f"{form}:{name_of(content)}"


def send(visit: Visit, type_: str, data: Any, *, form: str, **more: Any) -> SentOnBehalf:
    """One message of the clerk's party. Raises as `send_on_behalf`."""
    return send_on_behalf(visit.context, visit.account, type_, data, form=form, now=visit.now, **more)

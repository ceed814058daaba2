"""A court's clerk at the portal, whose key the gateway holds, and a neighbour's clerk who must see nothing of it."""

import re
from dataclasses import replace
from typing import Any

from flask import Flask

from gateway.domain.access import Role
from gateway.flows.context import Context
from gateway.store import directory
from gateway.web.site import create_site
from tests.builders import an_id_number
from tests.gateway_world import COURT, NEIGHBOUR, World
from tests.web.people import Somebody, somebody

FORM = re.compile(r'name="form" value="([^"]+)"')
HOSTILE = ("<script>alert(1)</script>", "\"'><img src=x onerror=alert(1)>")


def holding(world: World, context: Context | None = None) -> Flask:
    """The site of a gateway that holds both courts' keys."""
    held = {COURT: world.court.key, NEIGHBOUR: world.neighbour.key}
    world.context = replace(context or world.context, held=held)
    return create_site(world.context, lambda: world.now, public_url=None)


def clerk_of(world: World, site: Flask, party: str = COURT) -> Somebody:
    """Signed in."""
    name = party.rpartition("/")[2]
    return somebody(world, site, Role.COURT_CLERK, name=f"clerk-{name}", party_id=party)


def end_our_key(world: World) -> None:
    """The gateway's own: what it signed before stays proven."""
    kid = world.context.key.kid
    world.store.write(lambda connection: directory.end_key(connection, kid, at=world.now, now=world.now))
    world.context.directory.forget()


def form_name(page: str) -> str:
    """The hidden name of the page's form."""
    found = FORM.search(page)
    assert found is not None, page
    return found[1]


def typed(**changes: str) -> dict[str, str]:
    """A referral as a clerk types it; `__` in a name stands for the dot of a key."""
    honest = {
        "referral_id": "r-1",
        "agreement_document": "黔高法〔2022〕98号",
        "recipient_region": "520102",
        "case_number": "(2026)黔01司救执1号",
        "original_case_group": "（2025）黔0102民初1号",
        "concluded_on": "2026-03-02",
        "decision": "ASSIST 予以救助",
        "decided_amount_yuan": "20,000.00",
        "ground_code": "G6",
        "assessment": "REFER 需要社会救助，移送",
        "person.name": "测试甲",
        "person.id_type": "111 居民身份证",
        "person.id_number": an_id_number(),
        "person.sex": "2 女",
        "person.birth_date": "1986-01-01",
        "person.household_registration_region": "520102 南明区",
        "person.residence": "测试路1号",
        "need_1": "MLG 最低生活保障",
        "need_1_note": "无固定收入",
        "survey.mode": "ON_SITE 实地走访",
        "survey.date": "2026年2月20日",
        "survey.investigators": "测试法官、测试书记员",
        "survey.summary": "入户核实，收入低。",
        "verification_authorization.ref": "测试授权1号",
        "verification_authorization.signed_at": "2026-02-20",
        "verification_authorization.scope": "家庭经济状况核对",
        "legal_basis": "STATUTORY_DUTY 履行法定职责",
        "notice_given_at": "2026-03-02",
        "contact.name": "测试法官",
        "contact.phone": "0851-00000000",
    }
    return honest | {name.replace("__", "."): value for name, value in changes.items()}


def enter(person: Somebody, step: str = "send", **changes: str) -> Any:
    """One step of the form, not followed."""
    form = changes.pop("form", None) or form_name(person.get("/court/new").text)
    return person.post("/court/new", {**typed(**changes), "form": form, "step": step}, follow=False)

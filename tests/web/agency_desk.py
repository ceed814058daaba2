"""An agency's clerk at the portal, whose party's key the gateway holds, and another office's clerk who sees nothing."""

import re
from dataclasses import replace
from typing import Any

from flask import Flask

from gateway.domain.access import Role
from gateway.domain.agreement import Channel
from gateway.envelope.signing import VerifiedMessage
from gateway.web.site import create_site
from tests.gateway_world import CIVIL_AFFAIRS, World
from tests.web.people import Somebody, somebody

CIVIL, DISABLED, WOMEN = (
    f"cn/agency/{one}.520102" for one in ("civil_affairs", "disabled_persons", "womens_federation")
)
FORM = re.compile(r'name="form" value="([^"]+)"')
HOSTILE = ("<script>alert(1)</script>", "\"'><img src=x onerror=alert(1)>")


def holding(world: World, *parties: str) -> Flask:
    """The site of a gateway that holds these parties' keys; every agency's where none is named."""
    named = parties or (CIVIL, DISABLED, WOMEN)
    world.context = replace(world.context, held={one: world.partners[one].key for one in named})
    return create_site(world.context, lambda: world.now, public_url=None)


def clerk_of(world: World, site: Flask, party: str = CIVIL, **more: Any) -> Somebody:
    """Signed in."""
    name = more.pop("name", party.rpartition("/")[2].replace(".", "-"))
    return somebody(world, site, Role.AGENCY_CLERK, name=name, party_id=party, **more)


def second_office(world: World, region: str = "520103", party: str = CIVIL, agency: str = "civil_affairs") -> str:
    """Another office of the same party; its id."""
    office = world.context.snapshot(world.now).offices[CIVIL_AFFAIRS]
    made = replace(
        office,
        office_id=f"{agency}-{region}",
        party_id=party,
        agency=agency,
        region=region,
        channel=Channel.MAILBOX,
        url=None,
    )
    world.put_office(made)
    return made.office_id


def handoff_id(message: VerifiedMessage) -> str:
    """Of civil affairs' format."""
    return str(message.envelope.data["xj_handoff"])


def form_name(page: str) -> str:
    """The hidden name of the page's form."""
    found = FORM.search(page)
    assert found is not None, page
    return found[1]


def answer(person: Somebody, handoff: str, result: str, **fields: str) -> Any:
    """The form of the handoff's first need, filled and sent, not followed."""
    path = f"/agency/handoffs/{handoff}"
    form = fields.pop("form", None) or form_name(person.get(path).text)
    need = fields.pop("need_id", "r-1:1")
    filled = {"form": form, "need_id": need, "result": result, "at": "2026-03-03 09:00", **fields}
    return person.post(f"{path}/answer", filled, follow=False)

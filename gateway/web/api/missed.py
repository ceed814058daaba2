"""遗漏清单接口 Who waits longer than he may, for a court (its own) or an auditor (all); by one-use token."""

import json

from flask import Blueprint, Response

from gateway.domain.agreement import PartyKind
from gateway.flows.missed import as_json, missed_needs
from gateway.web.desk import Desk


def blueprint(desk: Desk) -> Blueprint:
    """The one route."""
    routes = Blueprint("missed", __name__)

    @routes.get("/v1/missed")
    def get_missed() -> Response:
        party_id = desk.caller(PartyKind.COURT, PartyKind.AUDITOR)
        now = desk.clock()
        is_court = desk.context.snapshot(now).keyring.kind_of(party_id) == PartyKind.COURT
        lines = missed_needs(desk.context, now=now, court=party_id if is_court else None)
        body = {"as_of": now.isoformat(), "missed": [as_json(line) for line in lines]}
        return Response(json.dumps(body, ensure_ascii=False), content_type="application/json")

    return routes

"""证据接口 `GET /v1/referrals/{referral_id}/evidence`: one referral's sealed bundle, for its court or an auditor.

Each answer is kept on file as a decision with its leaf, under the asking party's id; the address carries no reason,
since addresses are recorded. `witnessed` names the size of a checkpoint the asker holds, for the bundle to link to.
"""

import re

from flask import Blueprint, Response, request

from gateway.domain.agreement import PartyKind
from gateway.errors import FieldProblem, InvalidQuery, ReferralUnknown
from gateway.flows.evidence import OVER_HTTP, asking_court, export
from gateway.web.desk import Desk
from schemas.fields import MessageId

ZIP = "application/zip"
_REFERRAL_ID = re.compile(MessageId.PATTERN)
_NUMBER = re.compile(r"[0-9]{1,16}")


def blueprint(desk: Desk) -> Blueprint:
    """The route."""
    routes = Blueprint("evidence", __name__)

    @routes.get("/v1/referrals/<referral_id>/evidence")
    def get_evidence(referral_id: str) -> Response:
        party_id = desk.caller(PartyKind.COURT, PartyKind.AUDITOR)
        if not _REFERRAL_ID.fullmatch(referral_id):  # no id of ours: neither looked up nor repeated
            raise ReferralUnknown
        now, witnessed = desk.clock(), _witnessed()
        court = asking_court(desk.context, party_id, now=now)
        made = export(desk.context, referral_id, who=party_id, why=OVER_HTTP, now=now, court=court, witnessed=witnessed)
        response = Response(made, content_type=ZIP)
        response.headers["Content-Disposition"] = f'attachment; filename="{referral_id.replace(":", "_")}.zip"'
        return response

    return routes


def _witnessed() -> list[int]:
    texts = request.args.getlist("witnessed")
    if not all(_NUMBER.fullmatch(text) for text in texts):
        raise InvalidQuery(problems=[FieldProblem(pointer="/witnessed", code="not_integer")])
    return [int(text) for text in texts]

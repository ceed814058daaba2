"""双人审批页 What waits for a second person, and what one asked for oneself."""

from werkzeug.wrappers import Response

from gateway.errors import ConfigError, IllegalMove
from gateway.flows import approve
from gateway.web.desk import Desk
from gateway.web.pages.routes import ANYBODY, Pages
from gateway.web.pages.said import tells
from gateway.web.pages.visit import Visit

GRANTED = tells("granted", "已批准，申请人可在期限内使用一次。", "Granted: who asked may use it once, in time.")
REFUSED = tells("refused", "已不予批准。", "Refused.")


def pages(desk: Desk) -> Pages:
    """The list, and the form on each line."""
    found = Pages(desk, "approvals", "/console/approvals")

    @found.get("", ANYBODY)
    def approvals(visit: Visit) -> Response:
        return _listed(visit)

    @found.post("/<approval_id>", ANYBODY, confirmed=True)
    def decide_approval(visit: Visit, approval_id: str) -> Response:
        grant = visit.text("verdict") == "grant"
        try:
            approve.decide(visit.context, visit.account, approval_id, grant=grant, why=visit.text("why"), now=visit.now)
        except (ConfigError, IllegalMove) as error:
            return _listed(visit, refused=error)
        return visit.back("/console/approvals", GRANTED if grant else REFUSED)

    return found


def _listed(visit: Visit, refused: ConfigError | IllegalMove | None = None) -> Response:
    return visit.page(
        "console/approvals.html",
        refused=refused,
        waiting=approve.waiting_for(visit.context, visit.account, now=visit.now),
        own=approve.asked_by(visit.context, visit.account),
        rules=approve.load_approval_rules(),
    )

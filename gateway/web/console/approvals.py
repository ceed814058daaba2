"""双人审批页 What waits for a second person, and what one asked for oneself.

Rules: a look at a sealed case is granted by who sees the case; to anybody else the request is not there.
"""

from collections.abc import Sequence

from werkzeug.wrappers import Response

from gateway.errors import ConfigError, IllegalMove, NotFound
from gateway.flows import approve
from gateway.store import approvals as stored
from gateway.store import referrals
from gateway.store.approvals import Approval
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
        _require_seen(visit, approval_id)
        grant = visit.text("verdict") == "grant"
        try:
            approve.decide(visit.context, visit.account, approval_id, grant=grant, why=visit.text("why"), now=visit.now)
        except (ConfigError, IllegalMove) as error:
            return _listed(visit, refused=error)
        return visit.back("/console/approvals", GRANTED if grant else REFUSED)

    return found


def _require_seen(visit: Visit, approval_id: str) -> None:
    with visit.context.store.reading() as connection:
        one = stored.find(connection, approval_id)
    if one is None or not _seen(visit, [one]):
        raise NotFound


def _seen(visit: Visit, every: Sequence[Approval]) -> list[Approval]:
    """Those about a case of somebody's part, and those about no case."""
    looks = [one for one in every if one.what == approve.REVEAL_SEALED]
    with visit.context.store.reading() as connection:
        courts = referrals.court_of(connection, [one.subject for one in looks])
    return [one for one in every if one not in looks or visit.sees_court(courts.get(one.subject, ""))]


def _listed(visit: Visit, refused: ConfigError | IllegalMove | None = None) -> Response:
    return visit.page(
        "console/approvals.html",
        refused=refused,
        waiting=_seen(visit, approve.waiting_for(visit.context, visit.account, now=visit.now)),
        own=approve.asked_by(visit.context, visit.account),
        rules=approve.load_approval_rules(),
    )

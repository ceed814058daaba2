"""申诉 A side does not accept how its match was resolved: the form of `match.appealed`, in both portals the same.

Rules: only of a match that is resolved; the reason is signed and kept, papers are named by reference. What was decided
stays on file, the doubt is open again and both sides are heard in another round (`flows.match_resolve`).
"""

from typing import Any

from gateway.domain.adjudication import UNRESOLVED
from gateway.flows.match_said import APPEALED
from gateway.flows.on_behalf import SentOnBehalf
from gateway.store.matches import KeptMatch
from gateway.web.pages.clerk import act_of, send
from gateway.web.pages.filled import Typed, require_shape
from gateway.web.pages.said import tells
from gateway.web.pages.visit import Visit
from schemas.match import MATCH_APPEAL

APPEAL_SENT = tells(
    "match_appeal_sent", "申诉已报送，双方将重新被听取。", "The appeal was sent: both sides will be heard again."
)
APPEAL_FIELDS = ("reason", "evidence")


def may_appeal(kept: KeptMatch) -> bool:
    """Whether there is a resolution not to accept."""
    return kept.match.state not in UNRESOLVED


def send_appeal(visit: Visit, side: dict[str, Any], typed: Typed, *, form: str, **answers: str) -> SentOnBehalf:
    """side: match, side and case as the notice names them; answers: the message that is answered. Raises SchemaInvalid,
    and whatever refuses the message."""
    evidence = [line.strip() for line in typed["evidence"].split("\n") if line.strip()]
    data = {name: value for name, value in {**side, "reason": typed["reason"], "evidence": evidence}.items() if value}
    require_shape(MATCH_APPEAL, data)
    return send(visit, APPEALED, data, form=act_of(form, data), subject=side["referral_id"], **answers)

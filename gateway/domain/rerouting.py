"""改派 A need that an office declined goes on at another: its new id, and which office the answer itself points at.

Rules: the answer's suggestion is followed where the law already names the place: an agency of the programme's own route
(not our part), or the same agency in the region that was named (not our region, moved). Anything else is for a person.
A need is sent on by itself once; what opened from it and is declined again waits for a person.
"""

from dataclasses import dataclass

from gateway.domain.programmes import Programme
from gateway.domain.reconciliation.clocks import BOUNCES, applied_to
from gateway.domain.reconciliation.values import Dossier, NeedRow, ReplyRow
from gateway.domain.replies import ReplyCode
from gateway.domain.routing import steps_of

MOST_ID = 64
_SEPARATOR = "-"


@dataclass(frozen=True, kw_only=True, slots=True)
class Suggestion:
    """Where the declining office points. region None: the declining office's own."""

    reply_id: str
    agency: str
    step: int
    region: str | None


def asked_number(need_id: str, referral_id: str) -> str:
    """The number under which the court asked for it, of a need and of those it opened."""
    return need_id.removeprefix(f"{referral_id}:").partition(_SEPARATOR)[0]


def is_sent_on(need_id: str, referral_id: str) -> bool:
    """Whether the need was opened by another that an office declined."""
    return _SEPARATOR in need_id.removeprefix(f"{referral_id}:")


def next_need_id(need_id: str, referral_id: str) -> str | None:
    """The id of the need it opens: `r-1:2` → `r-1:2-1` → `r-1:2-2`; None where ids may not be that long."""
    number, _, last = need_id.removeprefix(f"{referral_id}:").partition(_SEPARATOR)
    found = f"{referral_id}:{number}{_SEPARATOR}{int(last or 0) + 1}"
    return found if len(found) <= MOST_ID else None


def before_of(need_id: str, referral_id: str) -> str | None:
    """The id of the need that opened it; None for one the court asked for."""
    number, _, last = need_id.removeprefix(f"{referral_id}:").partition(_SEPARATOR)
    if not last.isdigit():
        return None
    return f"{referral_id}:{number}" + (f"{_SEPARATOR}{int(last) - 1}" if int(last) > 1 else "")


def last_bounce(need: NeedRow, dossier: Dossier) -> ReplyRow | None:
    """The answer that left the need with nobody."""
    said = [reply for reply in applied_to(need, dossier.replies) if reply.code in BOUNCES]
    return said[-1] if said else None


def suggestion(need: NeedRow, reply: ReplyRow, programme: Programme) -> Suggestion | None:
    """Where the answer lawfully points; None: a person has to look."""
    steps = steps_of(programme)
    if reply.code == ReplyCode.NOT_IN_SCOPE:
        agency = reply.suggested_agency
        if agency is None or agency == need.agency or agency not in steps:
            return None
        return Suggestion(reply_id=reply.reply_id, agency=agency, step=steps.index(agency), region=None)
    if reply.suggested_region is None or need.agency is None:
        return None
    return Suggestion(reply_id=reply.reply_id, agency=need.agency, step=need.step, region=reply.suggested_region)

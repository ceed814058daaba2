"""家庭遗漏 Who of the household was not thought of, and what the agency cannot do without the family's authorisation.

Rules: a child or an elder at home is thought of by a need for the household, a child also by a need for children, and
by any referral of his own; where the agreement authorises no matching nobody can tell, and nothing is said (P06). The
court has assessed a household it refers nothing for. An authorisation that is missing is in doubt until the agency
checks or decides all the same.
"""

from collections.abc import Iterator
from datetime import datetime

from gateway.domain.lifecycle import OPEN_NEEDS, NeedState
from gateway.domain.programmes import Serves
from gateway.domain.reconciliation.clocks import DECISIONS, answer_clock, applied_to
from gateway.domain.reconciliation.findings import doubt
from gateway.domain.reconciliation.rows_household import MemberRow
from gateway.domain.reconciliation.values import Check, Dossier, Finding, NeedRow, Rulebook
from gateway.domain.referral import ReferralAssessment
from gateway.domain.replies import DenialReason, ReplyCode

_REFERS = frozenset({ReferralAssessment.REFER, ReferralAssessment.PERSON_DECLINES})
"""A person may decline for himself, not for a child at home."""
_NOT_ASKED = frozenset({NeedState.WITHDRAWN, NeedState.CANCELLED, NeedState.ENTERED_IN_ERROR})
_CHECKED = DECISIONS | {ReplyCode.IN_VERIFICATION, ReplyCode.IN_PUBLIC_NOTICE}


def member_missed(dossier: Dossier, rulebook: Rulebook, as_of: datetime) -> Iterator[Finding]:
    """应救尽救: a child or an elder at home for whom nothing is on file; each is a finding of his own."""
    referral = dossier.referral
    if referral.withdrawn or referral.assessment not in _REFERS:
        return
    served = {_serves(need, rulebook) for need in dossier.needs if need.state not in _NOT_ASKED}
    for member in dossier.household:
        if member.is_on_file is not False or _is_thought_of(member, served):
            continue
        yield doubt(
            "MISS_MEMBER",
            "R04" if member.is_minor else "R01",
            referral_id=referral.referral_id,
            subject=f"member-{member.number}",
            must_act=referral.court,
            clock=answer_clock(dossier, rulebook, referral.accepted_at, as_of),
            member=member.number,
            is_minor=member.is_minor,
            is_elder=member.is_elder,
        )


def no_authorisation(dossier: Dossier, rulebook: Rulebook, as_of: datetime) -> Iterator[Finding]:
    """R12: programmes that need the economic check were asked for and the referral brings no authorisation for it."""
    facts, referral = dossier.circumstances, dossier.referral
    if facts is None or facts.has_authorisation or referral.withdrawn:
        return
    stuck = [need for need in dossier.needs if _is_checked(need, rulebook) and _waits_for_leave(need, dossier)]
    if stuck:
        yield doubt(
            "MISS_NO_AUTHORISATION",
            "R12",
            referral_id=referral.referral_id,
            must_act=referral.court,
            clock=answer_clock(dossier, rulebook, referral.accepted_at, as_of),
            needs=[need.need_id for need in stuck],
            programmes=sorted({need.programme for need in stuck}),
        )


HOUSEHOLD: tuple[Check, ...] = (member_missed, no_authorisation)


def _serves(need: NeedRow, rulebook: Rulebook) -> Serves:
    programme = rulebook.programmes.get(need.programme)
    return Serves.PERSON if programme is None else programme.serves


def _is_thought_of(member: MemberRow, served: set[Serves]) -> bool:
    return Serves.HOUSEHOLD in served or (member.is_minor and Serves.CHILD in served)


def _is_checked(need: NeedRow, rulebook: Rulebook) -> bool:
    programme = rulebook.programmes.get(need.programme)
    return programme is not None and programme.economic_check


def _waits_for_leave(need: NeedRow, dossier: Dossier) -> bool:
    """Open and not yet checked or decided; or refused for want of this very paper."""
    said = [reply for reply in applied_to(need, dossier.replies) if reply.code in _CHECKED]
    if said and said[-1].code == ReplyCode.DENIED:
        return need.state is NeedState.NOT_ASSISTED and said[-1].reason == DenialReason.AUTHORISATION_MISSING
    return not said and need.state in OPEN_NEEDS

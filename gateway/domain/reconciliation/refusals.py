"""不予救助依据 A refusal as "already assisted" (X6) rests on what an agency answered; UNKNOWN and NEVER prove nothing.

Rules: a court that says why it made no inquiry is believed (it answers for it); one that cites an inquiry must cite one
of its own, about the same person, in which somebody answered ACTIVE or ENDED. The message was never refused for it.
"""

from collections.abc import Iterator
from datetime import datetime

from gateway.domain.reconciliation.clocks import answer_clock
from gateway.domain.reconciliation.findings import doubt
from gateway.domain.reconciliation.values import Check, Dossier, Finding, Rulebook

ALREADY_ASSISTED = "X6"


def not_supported(dossier: Dossier, rulebook: Rulebook, as_of: datetime) -> Iterator[Finding]:
    """X6 whose inquiry is not there, another's, about another person, or says nothing of help."""
    referral, cited = dossier.referral, dossier.cited_inquiry
    if referral.refusal_code != ALREADY_ASSISTED or referral.withdrawn or referral.inquiry_waived:
        return
    why = _why(dossier)
    if why is None:
        return
    yield doubt(
        "X6_NOT_SUPPORTED",
        "X6",
        referral_id=referral.referral_id,
        subject=referral.inquiry_ref or "",
        must_act=referral.court,
        clock=answer_clock(dossier, rulebook, referral.accepted_at, as_of),
        reason=why,
        answers=None if cited is None else [f"{programme} {answer}" for programme, answer in cited.answers],
    )


def _why(dossier: Dossier) -> str | None:
    referral, cited = dossier.referral, dossier.cited_inquiry
    if referral.inquiry_ref is None:
        return "no_inquiry"
    if cited is None or cited.court != referral.court:
        return "not_on_file"
    if None not in (cited.person_key, referral.person_key) and cited.person_key != referral.person_key:
        return "another_person"
    return None if cited.supports else "says_nothing_of_help"


REFUSALS: tuple[Check, ...] = (not_supported,)

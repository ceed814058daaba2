"""身份重复 Two records are one person's, or may be: the number was upgraded, the name written in other characters, a
guardian's number used for the child, one number for two, two numbers for one.

Rules: found once, on the later referral, with the points the comparison gave; a twin, a namesake or a relative whom the
comparison told apart is nobody's doubt. Only where the agreement authorises matching is there anything to read (P06).
A referral that was withdrawn raises nothing. Operators bring the records in line, or put both sides before a person.
"""

from collections.abc import Iterator
from datetime import datetime

from gateway.domain.reconciliation.clocks import answer_clock
from gateway.domain.reconciliation.findings import OPERATOR, doubt
from gateway.domain.reconciliation.values import Check, Dossier, Finding, Rulebook


def two_records(dossier: Dossier, rulebook: Rulebook, as_of: datetime) -> Iterator[Finding]:
    """P06: each earlier record that is this person's, or may be, and says something else."""
    if dossier.referral.withdrawn:
        return
    for match in dossier.possible_matches:
        if match.other_withdrawn:
            continue
        yield doubt(
            "DUP_IDENTITY",
            "P06",
            referral_id=dossier.referral.referral_id,
            subject=match.other_referral_id,
            must_act=OPERATOR,
            clock=answer_clock(dossier, rulebook, match.at, as_of),
            other_referral=match.other_referral_id,
            verdict=match.verdict,
            kind=match.kind,
            score=match.score,
            waterfall=[f"{field}:{outcome}:{points:+d}" for field, outcome, points in match.waterfall],
            weights=match.version,
        )


IDENTITY: tuple[Check, ...] = (two_records,)

"""对账 The whole list of checks, and one run of them over one referral.

Rules: findings are values, never exceptions (Law 8): one run reports every doubt with its evidence, in the order of the
list, each key once. The same facts give the same findings, whenever they are looked at within the same limits.
"""

from datetime import datetime

from gateway.domain.reconciliation.court_money import COURT_MONEY
from gateway.domain.reconciliation.duplicates import DUPLICATES
from gateway.domain.reconciliation.household import HOUSEHOLD
from gateway.domain.reconciliation.identity import IDENTITY
from gateway.domain.reconciliation.lapsed import LAPSED
from gateway.domain.reconciliation.mismatches import MISMATCHES
from gateway.domain.reconciliation.missed import MISSED
from gateway.domain.reconciliation.refusals import REFUSALS
from gateway.domain.reconciliation.same_help import SAME_HELP
from gateway.domain.reconciliation.values import Check, Dossier, Finding, Rulebook

CHECKS: tuple[Check, ...] = (
    *MISSED,
    *HOUSEHOLD,
    *LAPSED,
    *DUPLICATES,
    *SAME_HELP,
    *IDENTITY,
    *MISMATCHES,
    *COURT_MONEY,
    *REFUSALS,
)


def run(dossier: Dossier, rulebook: Rulebook, as_of: datetime) -> tuple[Finding, ...]:
    """Every finding about the referral at that moment; pure."""
    found: dict[str, Finding] = {}
    for check in CHECKS:
        for finding in check(dossier, rulebook, as_of):
            found.setdefault(finding.key, finding)
    return tuple(found.values())

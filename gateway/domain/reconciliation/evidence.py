"""疑点证据 What of a finding's evidence matters: other evidence reopens what was decided, the same never does.

Left out of the comparison: where a thing stands on its way, how far a stream has come, which limit counts, for they
change without anything being learned about the doubt itself. The money at stake and the rule are part of it.
"""

import json
from collections.abc import Mapping
from enum import StrEnum
from hashlib import sha256
from typing import Any

from gateway.domain.reconciliation.values import Finding

PASSING = frozenset(
    {
        *("calendar_unpublished", "limit", "since", "waits_for"),
        *("escalated", "escalated_to", "reminders"),
        # where in a ledger it stands: a correction that says the same elsewhere says nothing new
        *("statement", "line", "lines", "other_statement", "other_line"),
        *("cutoff", "high_water", "last", "last_reply", "other_office", "other_state", "rule_table"),
    }
)
"""Members of evidence that say where things stand, not what is in doubt."""


class FindingDecision(StrEnum):
    """疑点决定: what a person found the doubt to be (DOMAIN §6)."""

    CONFIRMED = "CONFIRMED"
    EXPLAINED = "EXPLAINED"
    FALSE_MATCH = "FALSE_MATCH"
    CORRECTED = "CORRECTED"
    RECOVERED = "RECOVERED"
    WRITTEN_OFF = "WRITTEN_OFF"


DECISION_NAMES: Mapping[FindingDecision, tuple[str, str]] = {
    FindingDecision.CONFIRMED: ("属实", "confirmed"),
    FindingDecision.EXPLAINED: ("已说明", "explained"),
    FindingDecision.FALSE_MATCH: ("误配", "false match"),
    FindingDecision.CORRECTED: ("已更正", "corrected"),
    FindingDecision.RECOVERED: ("已追回", "recovered"),
    FindingDecision.WRITTEN_OFF: ("已核销", "written off"),
}


def evidence_digest(rule_id: str, evidence: Mapping[str, Any], stake_fen: int) -> str:
    """SHA-256 of what matters, hex."""
    said = {key: value for key, value in evidence.items() if key not in PASSING}
    whole = [rule_id, stake_fen, said]
    return sha256(json.dumps(whole, ensure_ascii=False, sort_keys=True, default=str).encode()).hexdigest()


def digest_of(finding: Finding) -> str:
    """The same of a finding."""
    return evidence_digest(finding.rule_id, finding.evidence, finding.stake_fen)

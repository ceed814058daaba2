"""匹配复核 A match is put before both sides; only what they agree on, or what a person decides, resolves it (Law 6).

Rules: two dispositions are required; which pairs are compatible is data (`rules/disposition_pairs.csv`), every pair has
its row, and what is not compatible goes before a person. Nobody judges its own cause alone: where both sides are one
party, only its giving way on one of them counts without a person. `NEED_INFORMATION` is no disposition: the time runs.
Left out on purpose: doubts with one side alone (one payer paid twice), which are decided as findings.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from hashlib import sha256
from typing import Any

from gateway.domain.lifecycle import MatchState
from gateway.domain.reconciliation.evidence import FindingDecision
from gateway.domain.reconciliation.findings import OPERATOR
from gateway.domain.reconciliation.values import Finding
from gateway.domain.rules import read_table
from gateway.errors import ConfigError

NOTICE, DISPOSITION = "match.notice", "match.disposition"
"""The steps between which a side's time runs."""
SIDES = ("A", "B")
HOLD = "MATCH"
"""The hold of a need whose person may be somebody on file."""
POSSIBLE = "POSSIBLE_MATCH"
"""The code of a match that no finding opened: two referrals may be one person's."""
IDENTITY_CODES = ("DUP_IDENTITY", POSSIBLE)
ONE_SIDED = frozenset({"DUP_PAYMENT", "DUP_ADVANCE_NOT_NETTED"})
UNRESOLVED = frozenset(
    {
        *(MatchState.OPEN, MatchState.NOTIFIED, MatchState.AWAITING_DISPOSITIONS),
        *(MatchState.ESCALATED, MatchState.APPEALED),
    }
)
HEARING = frozenset({MatchState.NOTIFIED, MatchState.AWAITING_DISPOSITIONS, MatchState.ESCALATED})
"""States in which a side may say something."""


class DispositionCode(StrEnum):
    """处置意见: what one side says of a match."""

    SAME_HELP_KEEP_MINE = "SAME_HELP_KEEP_MINE"
    STOP_MINE = "STOP_MINE"
    LAWFUL_BOTH = "LAWFUL_BOTH"
    NOT_SAME_PERSON = "NOT_SAME_PERSON"
    NOT_SAME_HELP = "NOT_SAME_HELP"
    NEED_INFORMATION = "NEED_INFORMATION"


FINAL = frozenset(DispositionCode) - {DispositionCode.NEED_INFORMATION}
APPEAL = "APPEAL"
"""Kept beside the dispositions: a side does not accept how the match was resolved."""


class StopsBy(StrEnum):
    """停止方式: how a side that gives way ends its help."""

    WITHDRAWAL = "WITHDRAWAL"
    STOP = "STOP"
    REPAYMENT = "REPAYMENT"


class Resolution(StrEnum):
    """复核结论."""

    LAWFUL = "LAWFUL"
    DUPLICATE = "DUPLICATE"
    NOT_SAME_PERSON = "NOT_SAME_PERSON"
    NOT_SAME_HELP = "NOT_SAME_HELP"
    NO_LONGER_SEEN = "NO_LONGER_SEEN"


STATE_OF: Mapping[Resolution, MatchState] = {
    Resolution.LAWFUL: MatchState.RESOLVED_LAWFUL,
    Resolution.DUPLICATE: MatchState.RESOLVED_DUPLICATE,
    Resolution.NOT_SAME_PERSON: MatchState.INVALID_MATCH,
    Resolution.NOT_SAME_HELP: MatchState.INVALID_MATCH,
    Resolution.NO_LONGER_SEEN: MatchState.INVALID_MATCH,
}
DECIDED_AS: Mapping[Resolution, FindingDecision] = {
    Resolution.LAWFUL: FindingDecision.EXPLAINED,
    Resolution.DUPLICATE: FindingDecision.CONFIRMED,
    Resolution.NOT_SAME_PERSON: FindingDecision.FALSE_MATCH,
    Resolution.NOT_SAME_HELP: FindingDecision.FALSE_MATCH,
}
"""What becomes of the finding; one that no run sees any more was closed by that run."""
RESOLUTION_NAMES: Mapping[Resolution, tuple[str, str]] = {
    Resolution.LAWFUL: ("可以并存", "both are lawful"),
    Resolution.DUPLICATE: ("重复成立", "a duplicate"),
    Resolution.NOT_SAME_PERSON: ("误配：不是同一人", "no match: not the same person"),
    Resolution.NOT_SAME_HELP: ("误配：不是同一救助", "no match: not the same help"),
    Resolution.NO_LONGER_SEEN: ("疑点已消除", "the doubt is gone"),
}


class DoubtKind(StrEnum):
    """疑点性质, as much as a side is told of it."""

    SAME_HELP = "same_help"
    SAME_CASE = "same_case"
    SAME_PERSON = "same_person"


_KINDS = {
    "DUP_IDENTITY": DoubtKind.SAME_PERSON,
    POSSIBLE: DoubtKind.SAME_PERSON,
    "DUP_SAME_ORIGINAL_CASE": DoubtKind.SAME_CASE,
    "DUP_RELATIVES_SPLIT": DoubtKind.SAME_CASE,
}


def kind_of(code: str) -> DoubtKind:
    """What is in doubt."""
    return _KINDS.get(code, DoubtKind.SAME_HELP)


@dataclass(frozen=True, kw_only=True, slots=True)
class MatchSide:
    """一方: who is heard about which case of its own. party: `operator` speaks for one that is not connected."""

    side: str
    party: str
    referral_id: str
    office_id: str | None = None
    need_id: str | None = None
    programme: str | None = None
    due_at: datetime | None = None
    notice_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Match:
    """匹配复核: two sides and what is in doubt between them. round: how often it was begun."""

    match_id: str
    cause: str
    code: str
    finding_key: str | None
    referral_id: str
    other_referral_id: str | None
    state: MatchState
    round: int
    opened_at: datetime
    resolution: Resolution | None = None

    @property
    def kind(self) -> DoubtKind:
        """What is in doubt."""
        return kind_of(self.code)


@dataclass(frozen=True, kw_only=True, slots=True)
class PairRule:
    """What two dispositions come to. resolution None: a person decides."""

    rule_id: str
    resolution: Resolution | None
    zh: str = ""


@cache
def duplicates() -> tuple[str, ...]:
    """Every code of a doubt about help given twice."""
    return tuple(row["code"] for row in read_table("findings") if row["family"] == "duplicate")


@cache
def load_pairs() -> Mapping[frozenset[DispositionCode], PairRule]:
    """Every pair of final dispositions, in either order; ConfigError where one is missing or twice."""
    found: dict[frozenset[DispositionCode], PairRule] = {}
    for row in read_table("disposition_pairs"):
        pair = frozenset({DispositionCode(row["first"]), DispositionCode(row["second"])})
        if pair in found:
            raise ConfigError(f"{row['rule_id']} repeats a pair", ids={"rule": row["rule_id"]})
        outcome = None if row["outcome"] == "ESCALATE" else Resolution(row["outcome"])
        found[pair] = PairRule(rule_id=row["rule_id"], resolution=outcome, zh=row["zh"])
    missing = [(one, other) for one in FINAL for other in FINAL if frozenset({one, other}) not in found]
    if missing:
        raise ConfigError("a pair of dispositions without a rule")
    return found


ONE_PARTY = PairRule(rule_id="DP90", resolution=None, zh="两方同属一单位，不自行裁断，交人决定")


def judge(first: DispositionCode, second: DispositionCode, *, one_party: bool) -> PairRule:
    """What the two final dispositions come to."""
    rule = load_pairs()[frozenset({first, second})]
    if one_party and rule.resolution not in (None, Resolution.DUPLICATE):
        return ONE_PARTY
    return rule


def match_id_of(cause: str) -> str:
    """The same match gets the same id, also when it is opened anew after a loss."""
    return f"m-{sha256(cause.encode()).hexdigest()[:32]}"


def cause_of(code: str, finding_key: str | None, referral_id: str, other_referral_id: str | None) -> str:
    """What a match is about, for ever: the pair of referrals where the person is in doubt, else the finding."""
    if kind_of(code) is DoubtKind.SAME_PERSON and other_referral_id is not None:
        return "identity|" + "|".join(sorted((referral_id, other_referral_id)))
    return f"finding|{finding_key}"


def sides_of(finding: Finding, courts: Mapping[str, str], offices: Mapping[str, str]) -> tuple[MatchSide, MatchSide]:
    """Both sides of a doubt: the two offices it names, else the courts of the two referrals; the operator speaks for
    whoever is not connected. courts: by referral; offices: party by office."""
    mine, said = finding.referral_id or "", finding.evidence
    other, other_need = other_referral_of(finding), _text(said, "other_need")
    named, programmes = said.get("offices"), said.get("programmes")
    if isinstance(named, list) and len(named) == len(SIDES):
        pair = programmes if isinstance(programmes, list) and len(programmes) == len(SIDES) else [None, None]
        cases = ((mine, finding.need_id), (other or mine, other_need))
        found = [
            MatchSide(
                side=side,
                party=offices.get(office, OPERATOR),
                office_id=office if office in offices else None,
                referral_id=referral,
                need_id=need,
                programme=programme,
            )
            for side, office, programme, (referral, need) in zip(SIDES, named, pair, cases, strict=True)
        ]
        return found[0], found[1]
    programme = _text(said, "programme")
    first = MatchSide(
        side="A", party=courts.get(mine, OPERATOR), referral_id=mine, need_id=finding.need_id, programme=programme
    )
    second = MatchSide(
        side="B",
        party=courts.get(other or "", OPERATOR),
        referral_id=other if other is not None and other in courts else mine,
        need_id=other_need,
        programme=programme,
    )
    return first, second


def other_referral_of(finding: Finding) -> str | None:
    """The other case the doubt is about, as far as it is one of ours."""
    need = _text(finding.evidence, "other_need")
    return _text(finding.evidence, "other_referral") or (need.rpartition(":")[0] if need is not None else None)


def _text(said: Mapping[str, Any], name: str) -> str | None:
    value = said.get(name)
    return value if isinstance(value, str) else None

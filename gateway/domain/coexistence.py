"""互斥与衔接 The rule table of same help: which aids may stand together (D01, D03, D07, D08), `rules/coexistence.csv`.

Rules: a pair has no order. Of the rows in force that fit, the one naming both sides wins over one with `*`, which wins
over `ANY`/`SAME` (one programme granted twice). No row means nothing is known against the pair. `*name` is a class of
allowances outside our programme list: it fits the pseudo-code `NAME` alone and is never guessed from a programme. A row
has an id and a version; it is in force on days within its validity, and a blank day is open. Rows of scope `household`
speak of two people of one household and are asked apart. Whether months, office, cause or original case coincide is
what `conditions` ask; `domain.same_help` answers them from inputs.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cache
from hashlib import sha256

from gateway.domain.rules import read_table
from gateway.errors import ConfigError

JUDICIAL = "JUDICIAL"
"""The judicial assistance itself, which is no programme of an agency."""
SIMILAR_ALLOWANCE = "SIMILAR_ALLOWANCE"
"""An allowance a statement names that is like a disability subsidy and not in our list."""

ANYTHING = "*"
ANY = "ANY"
SAME = "SAME"


class CoexistenceVerdict(StrEnum):
    """并存关系."""

    COMPLEMENT = "complement"
    FORBIDDEN_SAME_ORIGINAL_CASE = "forbidden_same_original_case"
    EXCLUDE = "exclude"
    TOP_UP = "top_up"
    ASK_SAME_CAUSE_WITHIN_YEAR = "ask_same_cause_within_year"
    EXCLUDE_FOR_LIFE = "exclude_for_life"
    CHOOSE_HIGHER = "choose_higher"
    ONE_JOINT_CASE = "one_joint_case"


class RuleScope(StrEnum):
    """适用范围: one person's two aids, or two people of one household."""

    PERSON = "person"
    HOUSEHOLD = "household"


class RuleMatch(StrEnum):
    """By what two aids are held against each other."""

    NEED = "need"
    PROGRAMME = "programme"
    PERIOD = "period"
    ORIGINAL_CASE = "original_case"


class RuleCondition(StrEnum):
    """条件: what must be so, all of it, before a row says its verdict."""

    SAME_MONTH = "same_month"
    WITHIN_YEAR = "within_year"
    FOR_LIFE = "for_life"
    OTHER_OFFICE = "other_office"
    CONTINUING = "continuing"
    SAME_CAUSE = "same_cause"
    SAME_ORIGINAL_CASE = "same_original_case"
    NOT_JOINT = "not_joint"
    GROUND_DEATH = "ground_death"
    OTHER_PERSON = "other_person"
    OTHER_CASE = "other_case"
    RELATED = "related"
    HOUSEHOLD_PROGRAMME = "household_programme"
    ONE_HOUSEHOLD = "one_household"


class FundMatch(StrEnum):
    """资金来源: whether both must be paid from one source of money."""

    ANY = "any"
    SAME = "same"


@dataclass(frozen=True, kw_only=True, slots=True)
class CoexistenceRule:
    """One row; the patterns are as written in the table. status: `found`, `known`, `design` (see `rules/SOURCES.md`);
    valid_from, valid_to: first and last day, both included, None: open."""

    rule_id: str
    programme_a: str
    programme_b: str
    verdict: CoexistenceVerdict
    condition: str
    basis: str
    status: str
    version: int = 1
    valid_from: date | None = None
    valid_to: date | None = None
    scope: RuleScope = RuleScope.PERSON
    match: tuple[RuleMatch, ...] = ()
    conditions: tuple[RuleCondition, ...] = ()
    fund_source: FundMatch = FundMatch.ANY

    def __post_init__(self) -> None:
        if (self.programme_a == ANY) is not (self.programme_b == SAME):
            raise ConfigError(f"{self.rule_id}: ANY goes with SAME", ids={"rule": self.rule_id})
        if self.version < 1 or (self.valid_from and self.valid_to and self.valid_to < self.valid_from):
            raise ConfigError(f"{self.rule_id}: version or validity", ids={"rule": self.rule_id})

    def fits(self, a: str, b: str) -> bool:
        """Whether the rule speaks about this pair, in either order."""
        if self.programme_a == ANY:
            return a == b
        left, right = self.programme_a, self.programme_b
        return (_names(left, a) and _names(right, b)) or (_names(left, b) and _names(right, a))

    def is_in_force(self, on: date | None) -> bool:
        """On that day; None: in force still."""
        if on is None:
            return self.valid_to is None
        return (self.valid_from is None or self.valid_from <= on) and (self.valid_to is None or on <= self.valid_to)

    @property
    def rank(self) -> int:
        """How exactly the row names its pair: 2 both sides, 1 one side, 0 any programme with itself."""
        if self.programme_a == ANY:
            return 0
        return 1 if ANYTHING in (self.programme_a, self.programme_b) else 2

    def as_row(self) -> dict[str, str]:
        """The row as the table has it, so that a finding and an evidence bundle can carry it."""
        return {
            "rule_id": self.rule_id,
            "version": str(self.version),
            "valid_from": "" if self.valid_from is None else self.valid_from.isoformat(),
            "valid_to": "" if self.valid_to is None else self.valid_to.isoformat(),
            "scope": self.scope.value,
            "programme_a": self.programme_a,
            "programme_b": self.programme_b,
            "verdict": self.verdict.value,
            "match": "|".join(self.match),
            "conditions": "|".join(self.conditions),
            "fund_source": self.fund_source.value,
            "condition": self.condition,
            "basis": self.basis,
            "status": self.status,
        }


@cache
def load_coexistence() -> tuple[CoexistenceRule, ...]:
    """The shipped table in file order; read once."""
    return coexistence_from_rows(read_table("coexistence"))


def coexistence_from_rows(rows: Iterable[Mapping[str, str]]) -> tuple[CoexistenceRule, ...]:
    """Rules from table rows; ConfigError for an unknown word, and where two versions of one rule are in force at once.

    Only the columns of the pair and its verdict are needed; what is left out takes its default.
    """
    rules = tuple(_from_row(row) for row in rows)
    for number, rule in enumerate(rules):
        for other in rules[:number]:
            same = rule.rule_id == other.rule_id
            if same and (rule.version == other.version or _overlap(rule, other)):
                raise ConfigError(f"{rule.rule_id}: two versions at once", ids={"rule": rule.rule_id})
    return rules


def verdict(
    a: str,
    b: str,
    *,
    rules: tuple[CoexistenceRule, ...] | None = None,
    on: date | None = None,
    scope: RuleScope = RuleScope.PERSON,
) -> CoexistenceRule | None:
    """The most exact rule in force about programmes a and b (earlier row on a tie), or None; `rules` defaults to the
    shipped. on: the day the later of both was given."""
    fitting = [
        rule
        for rule in (load_coexistence() if rules is None else rules)
        if rule.scope is scope and rule.is_in_force(on) and rule.fits(a, b)
    ]
    return max(fitting, key=lambda rule: rule.rank, default=None)


@cache
def table_digest(rules: tuple[CoexistenceRule, ...]) -> str:
    """规则表摘要 SHA-256 over the rows (one JSON line each, members sorted), hex."""
    lines = (json.dumps(rule.as_row(), ensure_ascii=False, sort_keys=True) + "\n" for rule in rules)
    return sha256("".join(lines).encode()).hexdigest()


@cache
def load_fund_sources() -> Mapping[str, str]:
    """资金来源 of each programme; a programme without a row has an unknown one, which is like no other."""
    return {row["programme"]: row["fund_source"] for row in read_table("fund_sources")}


def _names(pattern: str, code: str) -> bool:
    if pattern == ANYTHING:
        return True
    if pattern.startswith(ANYTHING):
        return code == pattern.removeprefix(ANYTHING).upper()
    return code in pattern.split("|")


def _overlap(one: CoexistenceRule, other: CoexistenceRule) -> bool:
    first, second = sorted((one, other), key=lambda rule: rule.valid_from or date.min)
    return first.valid_to is None or (second.valid_from or date.min) <= first.valid_to


def _from_row(row: Mapping[str, str]) -> CoexistenceRule:
    try:
        return CoexistenceRule(
            rule_id=row["rule_id"],
            programme_a=row["programme_a"],
            programme_b=row["programme_b"],
            verdict=CoexistenceVerdict(row["verdict"]),
            condition=row["condition"],
            basis=row["basis"],
            status=row["status"],
            version=int(row.get("version") or 1),
            valid_from=_day(row.get("valid_from")),
            valid_to=_day(row.get("valid_to")),
            scope=RuleScope(row.get("scope") or RuleScope.PERSON),
            match=tuple(RuleMatch(word) for word in (row.get("match") or "").split("|") if word),
            conditions=tuple(RuleCondition(word) for word in (row.get("conditions") or "").split("|") if word),
            fund_source=FundMatch(row.get("fund_source") or FundMatch.ANY),
        )
    except ValueError as wrong:
        raise ConfigError(f"{row['rule_id']}: {wrong}", ids={"rule": row["rule_id"]}) from wrong


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None

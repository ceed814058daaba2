"""互斥与衔接 Which programmes may stand together (rule D08), read from `rules/coexistence.csv`.

Rules: a pair has no order. Of the rows that fit, the one naming both sides wins over one with `*`, which wins over
`ANY`/`SAME` (one programme granted twice). No row means nothing is known against the pair. `*name` is a class of
allowances outside our programme list: it fits the pseudo-code `NAME` alone and is never guessed from a programme.
This module says what the rule is; whether months, cause or original case coincide is for `domain.reconciliation`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

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


@dataclass(frozen=True, kw_only=True, slots=True)
class CoexistenceRule:
    """One row; the patterns are as written in the table. status: `found` or `known` (see `rules/SOURCES.md`)."""

    rule_id: str
    programme_a: str
    programme_b: str
    verdict: CoexistenceVerdict
    condition: str
    basis: str
    status: str

    def __post_init__(self) -> None:
        if (self.programme_a == ANY) is not (self.programme_b == SAME):
            raise ConfigError(f"{self.rule_id}: ANY goes with SAME", ids={"rule": self.rule_id})

    def fits(self, a: str, b: str) -> bool:
        """Whether the rule speaks about this pair, in either order."""
        if self.programme_a == ANY:
            return a == b
        left, right = self.programme_a, self.programme_b
        return (_names(left, a) and _names(right, b)) or (_names(left, b) and _names(right, a))

    @property
    def rank(self) -> int:
        """How exactly the row names its pair: 2 both sides, 1 one side, 0 any programme with itself."""
        if self.programme_a == ANY:
            return 0
        return 1 if ANYTHING in (self.programme_a, self.programme_b) else 2


@cache
def load_coexistence() -> tuple[CoexistenceRule, ...]:
    """The shipped matrix in file order; read once."""
    return coexistence_from_rows(read_table("coexistence"))


def coexistence_from_rows(rows: Iterable[Mapping[str, str]]) -> tuple[CoexistenceRule, ...]:
    """Rules from table rows; ConfigError for an unknown verdict."""
    return tuple(_from_row(row) for row in rows)


def verdict(a: str, b: str, *, rules: tuple[CoexistenceRule, ...] | None = None) -> CoexistenceRule | None:
    """The most exact rule about programmes a and b (earlier row on a tie), or None; `rules` defaults to the shipped."""
    fitting = [rule for rule in (load_coexistence() if rules is None else rules) if rule.fits(a, b)]
    return max(fitting, key=lambda rule: rule.rank, default=None)


def _names(pattern: str, code: str) -> bool:
    if pattern == ANYTHING:
        return True
    if pattern.startswith(ANYTHING):
        return code == pattern.removeprefix(ANYTHING).upper()
    return code in pattern.split("|")


def _from_row(row: Mapping[str, str]) -> CoexistenceRule:
    try:
        relation = CoexistenceVerdict(row["verdict"])
    except ValueError as wrong:
        raise ConfigError(f"{row['rule_id']}: unknown verdict", ids={"rule": row["rule_id"]}) from wrong
    return CoexistenceRule(
        rule_id=row["rule_id"],
        programme_a=row["programme_a"],
        programme_b=row["programme_b"],
        verdict=relation,
        condition=row["condition"],
        basis=row["basis"],
        status=row["status"],
    )

"""应享未请 Programmes that a person's circumstances point at and nobody asked for: suggestions, never findings.

Rules: a rule of `rules/entitlements.csv` names conditions that all must hold and the clause they come from; whether the
person gets anything is the office's to decide. What the court assessed otherwise (no need, declined) is left out,
nor what is asked for in any referral of the person. Ages count on the day the case was concluded.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache

from gateway.domain.person import ELDERLY_FROM, MINOR_BELOW
from gateway.domain.referral import Referral, ReferralAssessment
from gateway.domain.rules import read_table
from gateway.errors import ConfigError

SEVERE, SCHOOL_FROM, SMALL_BELOW = 2, 6, 7


@dataclass(frozen=True, kw_only=True, slots=True)
class EntitlementRule:
    """应享规则. conditions: codes of `_PLAIN`, or `ground:`, `women:` with alternatives; valid_to None: without end."""

    rule_id: str
    programme: str
    conditions: tuple[str, ...]
    zh: str
    source: str
    valid_from: date
    valid_to: date | None

    def __post_init__(self) -> None:
        """ConfigError for a rule without conditions, or with one nobody knows."""
        for condition in self.conditions:
            kind, _, values = condition.partition(":")
            if condition not in _PLAIN and not (kind in _NAMED and values):
                raise ConfigError(f"{self.rule_id}: unknown condition {condition}", ids={"rule": self.rule_id})
        if not self.conditions:
            raise ConfigError(f"{self.rule_id}: a rule without conditions speaks of everybody")

    def is_valid_on(self, day: date) -> bool:
        """Whether the rule was in force."""
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)

    def speaks_of(self, referral: Referral) -> bool:
        """Whether every condition holds."""
        return self.is_valid_on(referral.concluded_on) and all(_holds(one, referral) for one in self.conditions)


@cache
def load_entitlements() -> tuple[EntitlementRule, ...]:
    """The shipped rules."""
    return entitlements_from_rows(read_table("entitlements"))


def entitlements_from_rows(rows: Sequence[Mapping[str, str]]) -> tuple[EntitlementRule, ...]:
    """Rules from rows; ConfigError when one cannot be read."""
    found = []
    for row in rows:
        try:
            found.append(
                EntitlementRule(
                    rule_id=row["rule_id"],
                    programme=row["programme"],
                    conditions=tuple(row["conditions"].split()),
                    zh=row["zh"],
                    source=row["source"],
                    valid_from=date.fromisoformat(row["valid_from"]),
                    valid_to=date.fromisoformat(row["valid_to"]) if row["valid_to"] else None,
                )
            )
        except (KeyError, ValueError) as wrong:
            raise ConfigError("entitlement table: a row cannot be read") from wrong
    return tuple(found)


def suggested(
    referral: Referral, asked: Collection[str], programmes: Collection[str], rules: Sequence[EntitlementRule]
) -> Iterator[EntitlementRule]:
    """Rules that speak of the person and of a programme nobody asked for. asked: programmes of all his needs;
    programmes: those of the agreement."""
    if referral.assessment not in (None, ReferralAssessment.REFER):
        return
    taken = set(asked)
    for rule in rules:
        if rule.programme in programmes and rule.programme not in taken and rule.speaks_of(referral):
            taken.add(rule.programme)
            yield rule


def _holds(condition: str, referral: Referral) -> bool:
    plain = _PLAIN.get(condition)
    if plain is not None:
        return plain(referral)
    kind, _, values = condition.partition(":")
    return _NAMED[kind](referral) in values.split("|")


def _age(referral: Referral) -> int | None:
    return referral.person.age_on(referral.concluded_on)


def _aged(least: int, below: int) -> Callable[[Referral], bool]:
    def holds(referral: Referral) -> bool:
        age = _age(referral)
        return age is not None and least <= age < below

    return holds


def _grade(referral: Referral) -> int | None:
    return referral.person.disability.grade if referral.person.disability else None


_OLDEST = 200
_PLAIN: Mapping[str, Callable[[Referral], bool]] = {
    "minor": lambda referral: referral.is_minor,
    "school_age": _aged(SCHOOL_FROM, MINOR_BELOW),
    "child_under_7": _aged(0, SMALL_BELOW),
    "elder": _aged(ELDERLY_FROM, _OLDEST),
    "disabled": lambda referral: referral.person.disability is not None,
    "severe": lambda referral: (_grade(referral) or SEVERE + 1) <= SEVERE,
}
_NAMED: Mapping[str, Callable[[Referral], str | None]] = {
    "ground": lambda referral: referral.ground_code,
    "women": lambda referral: referral.person.women_class.value if referral.person.women_class else None,
}

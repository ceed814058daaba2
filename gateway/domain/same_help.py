"""同一救助 Whether two aids are the same help: one row of the rule table asked of written inputs, nothing else.

Rules: `judge` answers from the row and the inputs alone, so whoever has both (a court, an auditor, the verifier of an
evidence bundle) comes to the same answer as the check did. Inputs are JSON: two sides `a` and `b`, the day `on`, and
what joins them (`links`, `related`, `one_household`, `same_person`). A condition that the inputs do not answer is not
met: nothing is ever held against a person for want of a fact. A verdict that only orders two aids (complement, top-up)
is shown and never a doubt.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from gateway.domain.coexistence import (
    CoexistenceRule,
    CoexistenceVerdict,
    FundMatch,
    RuleCondition,
    coexistence_from_rows,
)
from gateway.domain.original_case import matter_of
from gateway.errors import ConfigError

Inputs = Mapping[str, Any]

IN_DOUBT = frozenset(
    {
        CoexistenceVerdict.FORBIDDEN_SAME_ORIGINAL_CASE,
        CoexistenceVerdict.EXCLUDE,
        CoexistenceVerdict.EXCLUDE_FOR_LIFE,
        CoexistenceVerdict.CHOOSE_HIGHER,
        CoexistenceVerdict.ASK_SAME_CAUSE_WITHIN_YEAR,
        CoexistenceVerdict.ONE_JOINT_CASE,
    }
)
"""Verdicts under which two aids are in doubt once every condition is met; the others are shown."""
MONTHS_IN_YEAR = 12
DEATH_GROUND = "G3"


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """判定: whether the row speaks of the two, which of its conditions they do not meet, and what follows."""

    rule: CoexistenceRule
    speaks: bool
    unmet: tuple[str, ...]

    @property
    def in_doubt(self) -> bool:
        """Whether it must be a finding."""
        return self.speaks and not self.unmet and self.rule.verdict in IN_DOUBT


def judge(rule: CoexistenceRule, inputs: Inputs) -> Judged:
    """The row, asked of the inputs."""
    a, b = inputs["a"], inputs["b"]
    speaks = rule.fits(a["programme"], b["programme"]) and rule.is_in_force(_day(inputs))
    unmet = [str(condition) for condition in rule.conditions if not _ANSWERS[condition](inputs)]
    if rule.fund_source is FundMatch.SAME and (a.get("fund") is None or a.get("fund") != b.get("fund")):
        unmet.append("fund_source")
    return Judged(rule=rule, speaks=speaks, unmet=tuple(unmet))


def recompute(rule_row: Mapping[str, str], inputs: Inputs) -> bool:
    """Whether the row and the inputs a finding carries make a doubt. ConfigError for what is no row or no inputs."""
    try:
        (rule,) = coexistence_from_rows([rule_row])
        return judge(rule, inputs).in_doubt
    except (KeyError, TypeError, ValueError, AttributeError) as wrong:
        raise ConfigError(f"not a rule and its inputs: {wrong}") from wrong


def one_matter(inputs: Inputs) -> bool:
    """Whether both sides' original case numbers are joined, directly or by what others stated together."""
    return not matter_of(inputs["a"].get("numbers", ()), inputs.get("links", ())).isdisjoint(
        matter_of(inputs["b"].get("numbers", ()), ())
    )


def _day(inputs: Inputs) -> date | None:
    on = inputs.get("on")
    return None if on is None else date.fromisoformat(on)


def _same_month(inputs: Inputs) -> bool:
    a, b = inputs["a"], inputs["b"]
    if not a.get("from") or not b.get("from"):
        return False
    return bool(
        (b.get("until") is None or a["from"] <= b["until"]) and (a.get("until") is None or b["from"] <= a["until"])
    )


def _within_year(inputs: Inputs) -> bool:
    a, b = inputs["a"].get("from"), inputs["b"].get("from")
    return bool(a and b) and abs(_month(a) - _month(b)) < MONTHS_IN_YEAR


def _month(text: str) -> int:
    return int(text[:4]) * MONTHS_IN_YEAR + int(text[5:7])


def _granted_by_both(inputs: Inputs) -> bool:
    """Who was told "already covered" granted nothing himself."""
    return not inputs["a"].get("told") and not inputs["b"].get("told")


def _other_office(inputs: Inputs) -> bool:
    return bool(inputs["a"].get("office") != inputs["b"].get("office")) and _granted_by_both(inputs)


def _both(member: str) -> Callable[[Inputs], bool]:
    return lambda inputs: inputs["a"].get(member) is True and inputs["b"].get(member) is True


def _between(member: str, wanted: bool = True) -> Callable[[Inputs], bool]:
    return lambda inputs: inputs.get(member) is wanted


def _not_joint(inputs: Inputs) -> bool:
    joint = inputs["a"].get("joint_id")
    return bool(joint is None or joint != inputs["b"].get("joint_id"))


def _other_case(inputs: Inputs) -> bool:
    return bool(inputs["a"].get("case_number") != inputs["b"].get("case_number"))


def _ground_death(inputs: Inputs) -> bool:
    return bool(inputs["a"].get("ground") == DEATH_GROUND == inputs["b"].get("ground"))


_ANSWERS: Mapping[RuleCondition, Callable[[Inputs], bool]] = {
    RuleCondition.SAME_MONTH: _same_month,
    RuleCondition.WITHIN_YEAR: _within_year,
    RuleCondition.FOR_LIFE: _granted_by_both,
    RuleCondition.OTHER_OFFICE: _other_office,
    RuleCondition.CONTINUING: _both("continuing"),
    RuleCondition.SAME_CAUSE: one_matter,
    RuleCondition.SAME_ORIGINAL_CASE: one_matter,
    RuleCondition.NOT_JOINT: _not_joint,
    RuleCondition.GROUND_DEATH: _ground_death,
    RuleCondition.OTHER_PERSON: _between("same_person", wanted=False),
    RuleCondition.OTHER_CASE: _other_case,
    RuleCondition.RELATED: _between("related"),
    RuleCondition.HOUSEHOLD_PROGRAMME: _both("household_programme"),
    RuleCondition.ONE_HOUSEHOLD: _between("one_household"),
}

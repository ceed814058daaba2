"""名册核对的规则 What the definition needs of the rule tables: programmes that exclude each other, one-time ones."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import permutations

from gateway.domain.coexistence import CoexistenceRule, CoexistenceVerdict, verdict
from gateway.domain.programmes import Programme


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleRows:
    """规则行. exclusive: (a, b, rule) in both orders; one_time: (programme, rule)."""

    exclusive: tuple[tuple[str, str, str], ...]
    one_time: tuple[tuple[str, str], ...]


def rule_rows(programmes: Mapping[str, Programme], rules: tuple[CoexistenceRule, ...]) -> RuleRows:
    """The rows of every pair of known programmes."""
    return RuleRows(
        exclusive=tuple(_exclusive(programmes, rules)),
        one_time=tuple((one.code, "D07") for one in programmes.values() if one.one_time),
    )


def _exclusive(programmes: Iterable[str], rules: tuple[CoexistenceRule, ...]) -> Iterable[tuple[str, str, str]]:
    for a, b in permutations(sorted(programmes), 2):
        found = verdict(a, b, rules=rules)
        if found is not None and found.verdict is CoexistenceVerdict.EXCLUDE:
            yield a, b, found.rule_id

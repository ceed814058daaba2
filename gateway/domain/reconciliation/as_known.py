"""重算比对 What a run found, as one digest, and how two runs over the same cases differ.

Rules: a finding is compared by all it says (code, rule, evidence, money, who must act, due day, rulebook version), not
by its key alone; the order in which findings were found says nothing. The rules themselves are data and program: each
file that takes part has its SHA-256, so a rerun says whether it was judged by the same ones, and names those that are
not. It cannot bring back rules that are no longer shipped: it says so instead.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from importlib.resources import files

from gateway.domain.reconciliation.values import Finding

_DATA, _PROGRAM = ("gateway.domain.rules", ".csv"), ("gateway.domain.reconciliation", ".py")


@dataclass(kw_only=True)
class Seen:
    """What a run has found so far; memory grows by 32 bytes a finding."""

    counts: dict[str, int] = field(default_factory=dict)
    _lines: list[bytes] = field(default_factory=list)

    def add(self, found: Iterable[tuple[Finding, str]]) -> None:
        """(finding, rulebook version) each."""
        for finding, version in found:
            self.counts[finding.code] = self.counts.get(finding.code, 0) + 1
            self._lines.append(sha256(said_by(finding, version).encode()).digest())

    @property
    def digest(self) -> str:
        """Of everything found, in whatever order; hex."""
        return sha256(b"".join(sorted(self._lines))).hexdigest()


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """What a later run finds otherwise: (then, now) where both found it and say it differently."""

    appeared: tuple[Finding, ...]
    cured: tuple[Finding, ...]
    changed: tuple[tuple[Finding, Finding], ...]
    unchanged: int


def said_by(finding: Finding, version: str) -> str:
    """All a finding says, as one line of JSON."""
    said = {
        "key": finding.key,
        "rule": finding.rule_id,
        "rulebook": version,
        "evidence": dict(finding.evidence),
        "stake_fen": finding.stake_fen,
        "must_act": finding.must_act,
        "due_at": finding.due_at,
    }
    return json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str)


def difference(then: Iterable[tuple[Finding, str]], now: Iterable[tuple[Finding, str]]) -> Difference:
    """Of two runs, in the order of the one that has it."""
    before = {finding.key: (finding, version) for finding, version in then}
    after = {finding.key: (finding, version) for finding, version in now}
    both = [key for key in before if key in after]
    changed = [key for key in both if said_by(*before[key]) != said_by(*after[key])]
    return Difference(
        appeared=tuple(finding for key, (finding, _) in after.items() if key not in before),
        cured=tuple(finding for key, (finding, _) in before.items() if key not in after),
        changed=tuple((before[key][0], after[key][0]) for key in changed),
        unchanged=len(both) - len(changed),
    )


@cache
def rules_in_force() -> Mapping[str, str]:
    """`rules/<table>` and `checks/<module>` → SHA-256 of each file that judges, as this process loaded them."""
    found: dict[str, str] = {}
    for (package, ending), label in ((_DATA, "rules"), (_PROGRAM, "checks")):
        for one in files(package).iterdir():
            if one.name.endswith(ending):
                found[f"{label}/{one.name.removesuffix(ending)}"] = sha256(one.read_bytes()).hexdigest()
    return dict(sorted(found.items()))


def digest_of_rules(rules: Mapping[str, str]) -> str:
    """One digest of them all; hex."""
    return sha256("".join(f"{name}={value}\n" for name, value in sorted(rules.items())).encode()).hexdigest()


def changed_rules(then: Mapping[str, str], now: Mapping[str, str]) -> tuple[str, ...]:
    """Names of the rules that are not the same any more, of those that are gone, and of those that came."""
    return tuple(sorted(name for name in then.keys() | now.keys() if then.get(name) != now.get(name)))

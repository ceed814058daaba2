"""Bundles for an auditor: with findings that are computed again."""

from typing import Any

from gateway.domain.coexistence import load_coexistence
from tests.bundle_builder import REFERRAL, Scene, brief, minutes
from tests.bundle_vectors.registry import fails, passes

NUMBER = "（2024）黔0102民初1号"
_SIDE = {"programme": "JUDICIAL", "from": "2026-03", "until": "2026-03", "numbers": [NUMBER]}
_INPUTS = {"on": "2026-03-01", "a": _SIDE | {"referral": REFERRAL}, "b": _SIDE | {"referral": "r-2026-0007"}}


def in_doubt(**changes: Any) -> Scene:
    """Two courts aid one person in one original case: the doubt as the gateway keeps it."""
    rule = next(rule for rule in load_coexistence() if rule.rule_id == "CX02")
    scene = brief()
    row: dict[str, Any] = {
        "key": f"DUP_SAME_ORIGINAL_CASE:{REFERRAL}:r-2026-0007",
        "code": "DUP_SAME_ORIGINAL_CASE",
        "rule_id": "D01",
        "state": "OPEN",
        "opened_at": minutes(10),
        "rule_row": rule.as_row(),
        "inputs": _INPUTS,
    }
    scene.judgements.append(row | changes)
    return scene


@passes("所附疑点可以复算", "a finding that follows from what it carries", "rung_open")
def judgement_follows() -> bytes:
    return in_doubt().build()


@passes("所附规则行是另一版本的", "a finding by a row of another version's table", "judgement_rule_other")
def judgement_by_another_table() -> bytes:
    scene = in_doubt()
    scene.judgements[0]["rule_row"] |= {"version": "7", "basis": "另一版本的规则表"}
    return scene.build()


@fails(
    "judgement_not_reproduced",
    "DUP_SAME_ORIGINAL_CASE D01",
    "疑点的输入并非同一原案",
    "a finding whose inputs are two different original cases",
)
def judgement_of_other_inputs() -> bytes:
    apart = _INPUTS["b"] | {"numbers": ["（2020）黔0102民初9号"]}
    return in_doubt(inputs=_INPUTS | {"b": apart}).build()


@fails(
    "judgement_unreadable",
    "DUP_SAME_ORIGINAL_CASE D01",
    "疑点所附规则行读不出来",
    "a finding whose rule row cannot be read",
)
def judgement_by_no_rule() -> bytes:
    return in_doubt(rule_row={"rule_id": "CX02"}).build()

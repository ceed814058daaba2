"""The matrix of programmes that may, may not or need not stand together."""

from collections.abc import Mapping

import pytest

from gateway.domain.coexistence import (
    ANY,
    JUDICIAL,
    SAME,
    SIMILAR_ALLOWANCE,
    CoexistenceVerdict,
    coexistence_from_rows,
    load_coexistence,
    verdict,
)
from gateway.domain.programmes import load_programmes
from gateway.errors import ConfigError


def a_row(**changes: str) -> Mapping[str, str]:
    row = {
        "rule_id": "T1",
        "programme_a": "MLG",
        "programme_b": "DST",
        "verdict": "exclude",
        "condition": "",
        "basis": "test",
        "status": "known",
    }
    return row | changes


def rule_id(a: str, b: str) -> str | None:
    rule = verdict(a, b)
    return rule.rule_id if rule else None


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (JUDICIAL, "MLG", "CX01"),
        (JUDICIAL, JUDICIAL, "CX02"),
        ("MLG", "DST", "CX03"),
        ("DST", "REH", "CX04"),
        ("DST", "NSD", "CX05"),
        ("ORP", "LSD", "CX06"),
        ("ORP", "NSD", "CX07"),
        ("ORP", "DFU", "CX08"),
        ("DFU", "MLG", "CX09"),
        ("MLG", "LSD", "CX10"),
        ("TMP_U", "TMP_E", "CX11"),
        ("TMP_U", "TMP_U", "CX11"),
        ("CAN2", "CAN2", "CX12"),
        ("LSD", SIMILAR_ALLOWANCE, "CX13"),
        ("EDU", "EDU", "CX14"),
        ("LSD", "NSD", None),
        ("EDU", "MED", None),
    ],
)
def test_a_pair_finds_its_rule_in_either_order(a: str, b: str, expected: str | None) -> None:
    assert (expected, expected) == (rule_id(a, b), rule_id(b, a))


def test_judicial_aid_followed_by_any_programme_is_a_complement() -> None:
    found = {code: rule.verdict for code in load_programmes() if (rule := verdict(JUDICIAL, code))}
    assert dict.fromkeys(load_programmes(), CoexistenceVerdict.COMPLEMENT) == found


def test_every_programme_twice_has_a_rule() -> None:
    assert [] == [code for code in load_programmes() if verdict(code, code) is None]


def test_the_two_disability_subsidies_may_stand_together() -> None:
    assert verdict("LSD", "NSD") is None


def test_every_code_named_in_the_matrix_is_a_programme() -> None:
    named = {
        part for rule in load_coexistence() for side in (rule.programme_a, rule.programme_b) for part in side.split("|")
    }
    assert {JUDICIAL, ANY, SAME, "*", "*similar_allowance"} == named - set(load_programmes())


def test_a_row_that_names_both_sides_wins_over_a_star_whatever_their_order() -> None:
    star = a_row(rule_id="STAR", programme_b="*")
    exact = a_row(rule_id="EXACT", verdict="complement")
    for rows in ([star, exact], [exact, star]):
        rule = verdict("DST", "MLG", rules=coexistence_from_rows(rows))
        assert rule is not None
        assert "EXACT" == rule.rule_id


def test_the_earlier_of_two_equal_rows_wins() -> None:
    rule = verdict("MLG", "DST", rules=coexistence_from_rows([a_row(rule_id="ONE"), a_row(rule_id="TWO")]))
    assert rule is not None
    assert "ONE" == rule.rule_id


def test_without_rules_nothing_is_known_against_a_pair() -> None:
    assert verdict("MLG", "DST", rules=()) is None


def test_an_unknown_verdict_is_refused() -> None:
    with pytest.raises(ConfigError):
        coexistence_from_rows([a_row(verdict="perhaps")])


@pytest.mark.parametrize("changes", [{"programme_a": ANY}, {"programme_b": SAME}])
def test_any_without_same_is_refused(changes: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        coexistence_from_rows([a_row(**changes)])

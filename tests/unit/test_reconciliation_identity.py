"""身份重复 Two records of one person are told once, on the later referral, by points and nothing of the person."""

from dataclasses import replace

from gateway.domain.reconciliation.checks import run
from gateway.domain.reconciliation.rows_identity import PossibleMatchRow
from gateway.domain.reconciliation.values import Dossier, Finding
from tests.builders import a_dossier, a_rulebook, at

MATCH = PossibleMatchRow(
    match_id="match-1",
    other_referral_id="r-0",
    other_withdrawn=False,
    verdict="POSSIBLE",
    kind="relatives_number",
    score=89,
    waterfall=(("name", "exact", 43), ("birth", "different", -25)),
    version="abc",
    at=at("2026-03-03 09:00"),
)


def found_in(dossier: Dossier) -> list[Finding]:
    return [one for one in run(dossier, a_rulebook(), at("2026-03-04")) if one.code == "DUP_IDENTITY"]


def test_a_possible_person_is_told_with_its_points_and_waits_for_the_operator() -> None:
    """r-0 came first; this referral gives the child the number of its guardian there."""
    (found,) = found_in(a_dossier(possible_matches=(MATCH,)))
    assert (found.rule_id, found.subject, found.must_act) == ("P06", "r-0", "operator")
    assert found.evidence["waterfall"] == ["name:exact:+43", "birth:different:-25"]
    assert (found.evidence["other_referral"], found.evidence["kind"]) == ("r-0", "relatives_number")
    assert found.due_at is not None


def test_a_withdrawn_referral_on_either_side_is_no_doubt() -> None:
    assert found_in(a_dossier(possible_matches=(replace(MATCH, other_withdrawn=True),))) == []
    assert found_in(a_dossier(referral={"withdrawn": True}, possible_matches=(MATCH,))) == []


def test_nothing_was_compared_and_nothing_is_told() -> None:
    assert found_in(a_dossier()) == []

"""One help under several numbers, to relatives, a household, or before the gateway; beside each doubt its neighbour."""

import json
from datetime import date
from typing import Any

import pytest

from gateway.domain.coexistence import JUDICIAL, RuleScope, coexistence_from_rows, load_coexistence, verdict
from gateway.domain.lifecycle import NeedState
from gateway.domain.original_case import matter_of, numbers_of, path_between
from gateway.domain.reconciliation.checks import run
from gateway.domain.reconciliation.rows_same_help import (
    AccountRow,
    KinRow,
    Kinship,
    LedgerAidRow,
    OrganKind,
    SameHelp,
)
from gateway.domain.reconciliation.values import Dossier, Finding
from gateway.domain.referral import Decision
from gateway.domain.same_help import recompute
from gateway.errors import ConfigError
from tests.builders import a_court_payment, a_dossier, a_need, a_relative, a_reply, a_rulebook, at

RULES = a_rulebook()
AS_OF = at("2026-03-13")
FIRST, FINAL, ENFORCED = "（2025）黔0102民初1号", "（2025）黔01民终9号", "（2025）黔0102执3号"
EARLIER = at("2026-01-05 09:00")


def found_in(dossier: Dossier) -> list[Finding]:
    """Without the limits that merely run."""
    return [finding for finding in run(dossier, RULES, AS_OF) if not finding.code.startswith("MISS_")]


def codes(dossier: Dossier) -> list[str]:
    return [finding.code for finding in found_in(dossier)]


def old(**changes: Any) -> LedgerAidRow:
    honest: dict[str, Any] = {
        "line_id": "ledger-1:2",
        "organ": "贵阳市人民检察院",
        "organ_kind": OrganKind.PROCURATORATE,
        "case_number": "筑检救助〔2015〕3号",
        "numbers": (FIRST,),
        "decided_on": date(2015, 4, 1),
        "amount_fen": 800_000,
    }
    return LedgerAidRow(**(honest | changes))


def kin(
    kinship: Kinship = Kinship.RELATED, *needs: Any, replies: tuple[Any, ...] = (), **changes: Any
) -> dict[str, Any]:
    row = a_relative(*needs, replies=replies, **({"accepted_at": EARLIER, "person_key": "k-2"} | changes))
    return {"kin": (row,), "same_help": SameHelp(kin=(KinRow(referral_id="r-2", kinship=kinship),))}


# --- original case numbers ---


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, ()),
        ("(2023)黔0102刑初012号；［2023］", ("（2023）黔0102刑初12号",)),
        ("（2023）黔0102刑初12号、（2023）黔01刑终9号", ("（2023）黔0102刑初12号", "（2023）黔01刑终9号")),
        ("[2024]黔0102执恢33号之一", ("（2024）黔0102执恢33号之1",)),
        ("（2010）筑民一终字第00123号", ("（2010）筑民一终123号",)),
        ("黔检刑申救〔2015〕3号", ("黔检刑申救（2015）3号",)),
        ("张某，李某案", ("张某，李某案",)),
        ("（2023）黔0102民初12号、13号", ("（2023）黔0102民初12号",)),
    ],
)
def test_a_field_states_numbers_in_one_spelling(text: str | None, expected: tuple[str, ...]) -> None:
    assert expected == numbers_of(text)


def test_what_shares_a_number_is_one_matter_and_likeness_joins_nothing() -> None:
    stated = [(FIRST, FINAL), (FINAL, ENFORCED), ("（2025）黔0102民初11号",)]
    assert {FIRST, FINAL, ENFORCED} == matter_of([FIRST], stated)
    assert [(FIRST, FINAL), (FINAL, ENFORCED)] == path_between((FIRST,), (ENFORCED,), stated)
    assert [] == path_between((FIRST,), ("（2025）黔0102民初11号",), stated)


# --- one aid per person and original case (D01) ---


def test_the_final_instance_number_hides_no_second_aid() -> None:
    """
    2026-01-05  Zunyi aids, citing the final instance
    2026-03-02  Guiyang aids, citing the first; a third court stated both together
    """
    dossier = a_dossier(
        referral={"original_case_group": FIRST},
        others=(a_relative(accepted_at=EARLIER, original_case_group=FINAL),),
        same_help=SameHelp(statements=((FIRST, FINAL),)),
    )
    (found,) = found_in(dossier)
    assert ("DUP_SAME_ORIGINAL_CASE", [[FIRST, FINAL]]) == (found.code, found.evidence["inputs"]["links"])
    apart = a_dossier(
        referral={"original_case_group": FIRST},
        others=(a_relative(accepted_at=EARLIER, original_case_group=FINAL),),
    )
    assert [] == codes(apart)


def test_aid_of_an_old_ledger_is_seen_for_ever() -> None:
    """2015-04-01 the procuratorate aids; 2026-03-02 the court aids for the same original case."""
    (found,) = found_in(a_dossier(same_help=SameHelp(ledger=(old(),))))
    assert ("DUP_SAME_ORIGINAL_CASE", "ledger-1:2", 800_000) == (found.code, found.subject, found.stake_fen)


@pytest.mark.parametrize(
    "honest",
    [
        {"numbers": (FINAL,)},
        {"case_number": "(2026)黔01司救执1号"},
        {"joint_id": "j-1"},
        {"programme": "CAN2"},
    ],
    ids=["another matter", "this very aid", "its share of joint aid", "no aid of courts"],
)
def test_what_is_no_second_aid_in_an_old_ledger(honest: dict[str, Any]) -> None:
    dossier = a_dossier(referral={"joint_id": "j-1"}, same_help=SameHelp(ledger=(old(**honest),)))
    assert [] == codes(dossier)


# --- relatives and households (D03, D08) ---

DEATH = {"ground_code": "G3", "original_case_group": FIRST}


def test_relatives_of_one_dead_victim_in_cases_of_their_own_are_in_doubt() -> None:
    """2026-01-05 the widow; 2026-03-02 the daughter: one killing, two assistance cases."""
    (found,) = found_in(a_dossier(referral=DEATH, **kin(**DEATH)))
    assert ("DUP_RELATIVES_SPLIT", "D03", "r-2") == (found.code, found.rule_id, found.subject)


@pytest.mark.parametrize(
    "honest",
    [
        {"case_number": "（2026）黔01司救执1号"},
        {"ground_code": "G4"},
        {"original_case_group": FINAL},
        {"decision": Decision.NOT_ASSIST},
    ],
    ids=["one joint case", "no death", "another matter", "refused"],
)
def test_what_is_no_split_of_relatives(honest: dict[str, Any]) -> None:
    assert [] == codes(a_dossier(referral=DEATH, **kin(**(DEATH | honest))))


def granted(need_id: str, office: str, programme: str = "MLG") -> tuple[Any, Any]:
    need = a_need(
        need_id=need_id,
        programme=programme,
        state=NeedState.ASSISTED,
        received_at=at("2026-03-03 11:00"),
        disposition_at=at("2026-03-05 10:00"),
        decided_at=at("2026-03-05 10:00"),
        paid_at=at("2026-03-06 10:00"),
    )
    reply = a_reply("APPROVED", need_id=need_id, reply_id=f"g-{need_id}", office=office, amount_fen=60_000)
    return need, reply


@pytest.mark.parametrize(
    ("programme", "office", "kinship", "expected"),
    [
        ("MLG", "civil_affairs-520103", Kinship.HOUSEHOLD, ["DUP_SAME_PROGRAMME_PERIOD"]),
        ("MLG", "civil_affairs-520102", Kinship.HOUSEHOLD, []),
        ("MLG", "civil_affairs-520103", Kinship.RELATED, []),
        ("NSD", "civil_affairs-520103", Kinship.HOUSEHOLD, []),
    ],
    ids=["two offices", "one office", "another household", "a programme of persons"],
)
def test_a_benefit_of_the_household_is_granted_once(
    programme: str, office: str, kinship: Kinship, expected: list[str]
) -> None:
    mine, reply = granted("n-1", "civil_affairs-520102", programme)
    theirs, their_reply = granted("n-9", office, programme)
    dossier = a_dossier(needs=(mine,), replies=(reply,), **kin(kinship, theirs, replies=(their_reply,)))
    assert expected == [code for code in codes(dossier) if code.startswith("DUP_")]


# --- money ---


def test_shares_of_joint_aid_come_to_no_more_than_its_decision() -> None:
    joint: dict[str, Any] = {"joint_id": "j-1", "joint_decided_fen": 3_000_000, "original_case_group": FIRST}
    partner = {"accepted_at": EARLIER, "joint_id": "j-1", "original_case_group": FIRST}
    (found,) = found_in(a_dossier(referral=joint, others=(a_relative(**partner, decided_amount_fen=1_500_000),)))
    assert ("MM_AMOUNT", "D04", 500_000) == (found.code, found.rule_id, found.stake_fen)
    assert [] == codes(a_dossier(referral=joint, others=(a_relative(**partner, decided_amount_fen=1_000_000),)))


def test_an_advance_that_another_court_gave_is_netted() -> None:
    """2026-01-05 Zunyi gives 5,000 yuan in advance and terminates; 2026-03-02 Guiyang decides the whole."""
    gave = a_relative(
        accepted_at=EARLIER,
        original_case_group=FIRST,
        decision=Decision.TERMINATED,
        decided_amount_fen=0,
        advance_fen=500_000,
    )
    (found,) = found_in(a_dossier(others=(gave,)))
    assert ("DUP_ADVANCE_NOT_NETTED", "D05", 500_000) == (found.code, found.rule_id, found.stake_fen)
    netted = a_dossier(
        referral={"advance_fen": 500_000}, others=(gave,), court_payments=(a_court_payment(amount_fen=1_500_000),)
    )
    assert [] == codes(netted)


def test_money_after_a_death_that_another_office_told_is_in_doubt() -> None:
    mine, reply = granted("n-1", "civil_affairs-520102")
    paid = a_reply("PAID", "2026-03-08 10:00", need_id="n-1", amount_fen=60_000)
    died = a_reply("DECEASED", "2026-03-07 10:00", need_id="n-9")
    other = a_relative(
        a_need(need_id="n-9", programme="LEG", state=NeedState.CLOSED), replies=(died,), accepted_at=EARLIER
    )
    assert ["PAID_DECEASED"] == codes(a_dossier(needs=(mine,), replies=(reply, paid), others=(other,)))
    assert [] == codes(a_dossier(needs=(mine,), replies=(reply, paid)))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [({}, ["SHARED_ACCOUNT"]), ({"related": True}, []), ({"is_earlier": False}, [])],
    ids=["strangers", "siblings with their guardian's account", "told on the later one"],
)
def test_one_account_for_strangers_is_in_doubt(changes: dict[str, Any], expected: list[str]) -> None:
    honest: dict[str, Any] = {
        "key": "abc",
        "referral_id": "r-2",
        "payment_id": "p-9",
        "mine": "p-1",
        "amount_fen": 1,
        "person_key": "k-2",
        "related": False,
        "is_earlier": True,
    }
    row = AccountRow(**(honest | changes))
    assert expected == codes(a_dossier(same_help=SameHelp(accounts=(row,))))


# --- the rule table ---


def test_a_finding_is_computed_again_from_what_it_carries() -> None:
    (found,) = found_in(a_dossier(same_help=SameHelp(ledger=(old(),))))
    evidence = json.loads(json.dumps(found.evidence, default=str))
    assert ("CX02", 1) == (evidence["coexistence"], evidence["rule_version"])
    assert recompute(evidence["rule_row"], evidence["inputs"])
    elsewhere = evidence["inputs"] | {"b": evidence["inputs"]["b"] | {"numbers": [FINAL]}}
    assert not recompute(evidence["rule_row"], elsewhere)
    assert not recompute(evidence["rule_row"] | {"verdict": "complement"}, evidence["inputs"])
    with pytest.raises(ConfigError):
        recompute(evidence["rule_row"], {})


def test_a_rule_speaks_of_days_within_its_validity() -> None:
    assert verdict("ORP", "DFU", on=date(2019, 12, 31)) is None
    rule = verdict("ORP", "DFU", on=date(2020, 1, 1))
    assert rule is not None
    assert "CX08" == rule.rule_id


def test_two_versions_of_a_rule_are_never_in_force_at_once() -> None:
    row = next(rule for rule in load_coexistence() if rule.rule_id == "CX08").as_row()
    ended = row | {"valid_to": "2024-12-31"}
    later = row | {"version": "2", "valid_from": "2025-01-01", "verdict": "complement"}
    rules = coexistence_from_rows([ended, later])
    assert [1, 2] == [rule.version for day in ("2024-06-01", "2025-06-01") if (rule := _on(rules, day))]
    with pytest.raises(ConfigError):
        coexistence_from_rows([row, later])


def _on(rules: Any, day: str) -> Any:
    return verdict("ORP", "DFU", rules=rules, on=date.fromisoformat(day))


def test_households_are_asked_apart() -> None:
    rule = verdict(JUDICIAL, JUDICIAL, scope=RuleScope.HOUSEHOLD)
    assert rule is not None
    assert "CX15" == rule.rule_id

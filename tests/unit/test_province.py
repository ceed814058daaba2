"""The synthetic province: it adds up to what was published, keeps every rule, and holds what was planted in it."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest

from gateway.domain.case_number import agrees_with_court, parse_case_number
from gateway.domain.identifiers import is_synthetic
from gateway.domain.intake_rules import IntakeVerdict, assess
from gateway.domain.programmes import load_programmes
from gateway.domain.referral import Decision, Referral, ReferralAssessment, Urgency
from gateway.domain.regions import load_regions
from gateway.domain.report.build import ReportRow, build_report, facts_of, press_paragraph
from gateway.domain.routing import programme_of, steps_of
from gateway.flows.read_referral import read_referral
from gateway.sandbox.province import (
    PUBLISHED,
    Scenario,
    SyntheticReferral,
    courts,
    referrals,
    split_exactly,
)
from gateway.sandbox.province_files import WrittenFile, write_files
from gateway.sandbox.sequel import SyntheticSequel, court_payments, withdrawals
from gateway.workbook.court_files import read_court_file
from schemas.referral import COURT_PAYMENT, WITHDRAWAL
from tests.builders import a_profile

PERIOD = (date(2023, 1, 1), date(2024, 7, 31))
TODAY = date(2024, 8, 1)
SEEDS = (2024, 7)


@cache
def province(seed: int = 2024) -> tuple[SyntheticReferral, ...]:
    return tuple(referrals(seed))


@cache
def understood(seed: int = 2024) -> tuple[Referral, ...]:
    return tuple(read_referral(json.loads(json.dumps(sent.data)), court=sent.court) for sent in province(seed))


def verdict(referral: Referral) -> IntakeVerdict:
    return assess(
        referral,
        profile=a_profile(),
        regions=load_regions(),
        programmes=load_programmes(),
        today=TODAY,
        court_region=referral.court.rpartition("/")[2],
    )


def a_row(referral: Referral, **changes: Any) -> ReportRow:
    """As a query over the ledger would give it."""
    known: dict[str, Any] = {
        "referral_id": referral.referral_id,
        "court": referral.court,
        "case_number": referral.case_number,
        "case_type": referral.case_type,
        "decision": referral.decision,
        "decided_amount_fen": referral.decided_amount_fen,
        "concluded_on": referral.concluded_on,
        "ground_code": referral.ground_code,
        "refusal_code": referral.refusal_code,
        "assessment": referral.assessment,
        "groups": referral.person.groups_on(referral.concluded_on),
        "is_minor": referral.is_minor,
        "paid_on": referral.paid_at,
        "person_ref": referral.person.id_number,
        "synthetic": is_synthetic(referral.person.id_number or ""),
    }
    return ReportRow(**{**known, **changes})


def planted(scenario: Scenario) -> list[Referral]:
    return [mine for sent, mine in zip(province(), understood(), strict=True) if sent.scenario is scenario]


# --- what was published ---


@pytest.mark.parametrize("seed", SEEDS)
def test_the_ledger_counts_to_the_published_figures(seed: int) -> None:
    cases: dict[str, list[Referral]] = defaultdict(list)
    for referral in understood(seed):
        cases[referral.case_number].append(referral)
    aided = [referral for referral in understood(seed) if referral.decision is Decision.ASSIST]
    special = [referral for referral in aided if referral.person.groups_on(referral.concluded_on)]
    assert len(cases) == PUBLISHED.concluded == 808
    assert sum(any(r.decision is Decision.ASSIST for r in found) for found in cases.values()) == 665
    assert sum(referral.decided_amount_fen for referral in aided) == 2_777_620_000
    assert len({referral.person.id_number for referral in special}) == len(special) == 354
    assert sum(referral.decided_amount_fen for referral in special) == 813_620_000


@pytest.mark.parametrize("matched", [True, False])
def test_the_report_prints_the_published_paragraph_with_and_without_matching(matched: bool) -> None:
    rows = [a_row(r) if matched else a_row(r, person_ref=None) for r in understood()]
    report = build_report(facts_of(rows, period=PERIOD, region="520000"))
    assert press_paragraph(report) == (
        "【合成数据，非真实案件】2023年1月至2024年7月，贵州省法院共审结司法救助案件808件，其中予以救助665件，"
        "救助金额2777.62万元；救助未成年人、老年人、妇女、残疾人等特定群体354人，救助金额813.62万元。"
    )


def test_the_figures_stand_when_the_withdrawn_ones_are_marked_withdrawn() -> None:
    gone = {sequel.data["referral_id"] for sequel in withdrawals()}
    rows = [a_row(referral, withdrawn=referral.referral_id in gone) for referral in understood()]
    report = build_report(facts_of(rows, period=PERIOD, region="520000"))
    assert report.line("quality.withdrawn").value == len(gone) == 4
    assert report.line("concluded.assisted").value == 665
    assert report.line("amount.total").value == 2_777_620_000


def test_one_case_more_in_the_ledger_is_one_case_more_in_the_report() -> None:
    """The figures are counted, not copied."""
    rows = [a_row(referral) for referral in understood()][:-1]
    assert build_report(facts_of(rows, period=PERIOD, region="520000")).line("concluded.cases").value == 807


def test_the_held_duplicate_is_counted_as_the_decision_it_is() -> None:
    pair = planted(Scenario.DUPLICATE)
    report = build_report(facts_of([a_row(referral) for referral in pair], period=PERIOD, region="520000"))
    assert report.line("concluded.assisted").value == 2
    assert report.line("amount.persons").value == 1
    assert report.line("amount.total").value == sum(referral.decided_amount_fen for referral in pair)


# --- every message is a good one ---


@pytest.mark.parametrize("seed", SEEDS)
def test_no_rule_blocks_or_holds_a_referral_by_itself(seed: int) -> None:
    assert [r.referral_id for r in understood(seed) if verdict(r).blocks or verdict(r).holds] == []


def test_everybody_is_marked_as_synthetic() -> None:
    numbers = [text for sent in province() for text in _id_numbers(sent.data["person"])]
    assert [text for text in numbers if not text.startswith("529999")] == []
    assert len(numbers) > len(province())


def _id_numbers(person: Mapping[str, Any]) -> Iterator[str]:
    yield person["id_number"]
    if "guardian" in person:
        yield person["guardian"]["id_number"]
    yield from (member["id_number"] for member in person.get("household", ()))


def test_every_case_number_is_of_its_court_and_its_year() -> None:
    for referral in understood():
        number = parse_case_number(referral.case_number)
        assert number.text == referral.case_number
        assert number.year == referral.concluded_on.year
        assert agrees_with_court(number.court_prefix, referral.court.rpartition("/")[2])


def test_a_case_has_one_court_one_day_and_one_decision_whoever_benefits() -> None:
    seen: dict[str, set[tuple[str, date, Decision]]] = defaultdict(set)
    for r in understood():
        seen[r.case_number].add((r.court, r.concluded_on, r.decision))
    assert {len(found) for found in seen.values()} == {1}
    assert max(Counter(r.case_number for r in understood()).values()) == 4


def test_cases_are_spread_over_every_month_and_court_of_the_period() -> None:
    months = {(r.concluded_on.year, r.concluded_on.month) for r in understood()}
    assert months == {(2023, m) for m in range(1, 13)} | {(2024, m) for m in range(1, 8)}
    assert {r.court for r in understood()} == {court.party_id for court in courts()}
    assert all(PERIOD[0] <= r.concluded_on <= PERIOD[1] for r in understood())


def test_the_same_seed_gives_the_same_province_and_another_seed_another() -> None:
    again = [sent.data for sent in referrals(2024)]
    assert again == [sent.data for sent in province()]
    assert {sent.data["referral_id"] for sent in province(7)}.isdisjoint(data["referral_id"] for data in again)


def test_every_agency_serial_route_and_urgency_occurs() -> None:
    programmes = load_programmes()
    asked = [programme_of(need, programmes) for referral in understood() for need in referral.needs]
    routes = [steps_of(programme) for programme in asked if programme is not None]
    assert len(routes) == len(asked)
    assert {route[0] for route in routes} == {"civil_affairs", "disabled_persons", "womens_federation"}
    assert ("disabled_persons", "civil_affairs") in routes
    assert {referral.urgency for referral in understood()} == set(Urgency)
    assert sum(referral.is_minor for referral in understood()) > 50
    assert [r for r in understood() if r.decision is Decision.NOT_ASSIST and r.needs] != []
    assert {bool(need.programme) for r in understood() for need in r.needs} == {True, False}


# --- what was planted ---


def test_the_planted_duplicate_is_one_person_aided_by_two_courts_for_one_original_case() -> None:
    first, second = planted(Scenario.DUPLICATE)
    assert first.person.id_number == second.person.id_number
    assert first.original_case_group == second.original_case_group
    assert (first.decision, second.decision) == (Decision.ASSIST, Decision.ASSIST)
    assert first.court != second.court
    assert first.case_number != second.case_number
    assert first.concluded_on < second.concluded_on
    assert second.joint_id is None
    assert second.paid_at is None


def test_nobody_else_is_aided_twice_for_one_original_case() -> None:
    aided = Counter((r.person.id_number, r.original_case_group) for r in understood() if r.decision is Decision.ASSIST)
    assert [pair for pair, count in aided.items() if count > 1] == [
        (planted(Scenario.DUPLICATE)[0].person.id_number, planted(Scenario.DUPLICATE)[0].original_case_group)
    ]


def test_the_open_pair_asks_two_courts_for_the_same_programme_and_is_no_double_aid() -> None:
    first, second = planted(Scenario.OPEN_NEED)
    assert first.person.id_number == second.person.id_number
    assert [need.programme for need in first.needs] == [need.programme for need in second.needs] == ["MLG"]
    assert second.decision is not Decision.ASSIST
    assert first.original_case_group != second.original_case_group


def test_three_cases_were_concluded_without_an_assessment() -> None:
    assert [(r.assessment, r.needs) for r in planted(Scenario.NO_ASSESSMENT)] == [(None, ())] * 3
    assert sum(referral.assessment is None for referral in understood()) == 3


def test_one_need_belongs_where_no_office_can_be() -> None:
    (away,) = planted(Scenario.UNROUTABLE)
    assert len(away.needs) == 1
    assert not load_regions().contains("520000", away.person.household_registration_region or "")
    assert verdict(away) == IntakeVerdict()


# --- what follows ---


def test_every_paid_aid_is_paid_once_and_whole() -> None:
    paid = {p.data["referral_id"]: COURT_PAYMENT.load(p.data) for p in court_payments()}
    due = {r.referral_id: r for r in understood() if r.paid_at is not None}
    assert paid.keys() == due.keys()
    assert len({payment["payment_id"] for payment in paid.values()}) == len(paid) > 800
    for referral_id, payment in paid.items():
        assert payment["amount_fen"] == due[referral_id].decided_amount_fen
        assert payment["paid_on"] == due[referral_id].paid_at
        assert payment["payee"] == ("GUARDIAN" if due[referral_id].is_minor else "BENEFICIARY")


def test_the_second_aid_of_the_pair_is_never_paid() -> None:
    second = planted(Scenario.DUPLICATE)[1].referral_id
    assert second not in {payment.data["referral_id"] for payment in court_payments()}


def test_withdrawals_are_of_ordinary_referrals_by_their_own_court() -> None:
    of = {sent.data["referral_id"]: sent for sent in province()}
    found = list(withdrawals())
    assert len({one.data["referral_id"] for one in found}) == 4
    for one in found:
        assert WITHDRAWAL.load(one.data)["reason"]
        sent = of[one.data["referral_id"]]
        assert (sent.court, sent.scenario) == (one.court, Scenario.ORDINARY)
        assert sent.data["assessment"] == ReferralAssessment.REFER
        assert date.fromisoformat(sent.data["concluded_on"]) < one.on


# --- files ---


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> tuple[WrittenFile, ...]:
    return tuple(write_files(tmp_path_factory.mktemp("province")))


def content(file: WrittenFile) -> list[Any]:
    """What one file holds, as the court's own command reads it."""
    found = list(read_court_file(file.path))
    assert {(one.type, one.problems) for one in found} == {(file.type, ())}
    return [one.data for one in found]


def test_the_files_hold_every_referral_exactly_once_in_whatever_format(folder: Sequence[WrittenFile]) -> None:
    mine = [file for file in folder if file.type == "referral.submitted"]
    assert {file.path.suffix for file in mine} == {".json", ".ndjson", ".xlsx"}
    written = {data["referral_id"]: data for file in mine for data in content(file)}
    assert written == {sent.data["referral_id"]: sent.data for sent in province()}
    assert sum(file.count for file in mine) == len(province())


def test_a_file_holds_one_court_and_one_type_and_says_how_many(folder: Sequence[WrittenFile]) -> None:
    of = {sent.data["referral_id"]: sent.court for sent in province()}
    for file in folder:
        rows = content(file)
        assert len(rows) == file.count > 0
        assert {of[row["referral_id"]] for row in rows} == {file.court}
        assert file.path.parent.name == file.court.rpartition("/")[2]


def test_payments_and_withdrawals_lie_beside_them(folder: Sequence[WrittenFile]) -> None:
    def of(kind: str) -> list[Any]:
        return [row for file in folder if file.type == kind for row in content(file)]

    def sent(found: Iterator[SyntheticSequel]) -> list[Any]:
        return sorted((one.data for one in found), key=lambda data: str(data["referral_id"]))

    for kind, sequels in (("judicial_assistance.paid", court_payments()), ("referral.withdrawn", withdrawals())):
        assert sorted(of(kind), key=lambda data: str(data["referral_id"])) == sent(sequels)


def test_without_workbooks_the_same_referrals_are_text_only(tmp_path: Path) -> None:
    files = [file for file in write_files(tmp_path, workbooks=False) if file.type == "referral.submitted"]
    assert {file.path.suffix for file in files} == {".json", ".ndjson"}
    assert sum(file.count for file in files) == len(province())


# --- splitting a sum ---


def test_a_sum_is_split_exactly_within_its_bounds() -> None:
    found = split_exactly(1_000, 30, 5, 90, Random(1))
    assert sum(found) == 1_000
    assert min(found) >= 5
    assert max(found) <= 90


@pytest.mark.parametrize("total", [149, 2_701])
def test_a_sum_out_of_reach_is_refused(total: int) -> None:
    with pytest.raises(ValueError, match="cannot be reached"):
        split_exactly(total, 30, 5, 90, Random(1))

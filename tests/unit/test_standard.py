"""量化标准 The recommended amount and its working."""

from dataclasses import replace
from datetime import date

import pytest

from gateway.domain.standard import (
    Circumstance,
    find_standard,
    load_standards,
    recommend,
    standards_from_rows,
)
from gateway.errors import ConfigError

STANDARD = load_standards()[0]
WAGE = 600_000
GIVEN = Circumstance(
    ground="G6", hardship="ORDINARY", dependants=0, loss_fen=100_000_000, recovered_fen=0, wage_fen=WAGE
)


def amount(**changes: object) -> int:
    return recommend(STANDARD, replace(GIVEN, **changes)).amount_fen  # type: ignore[arg-type]


def test_months_of_wage_for_the_ground() -> None:
    assert amount() == 6 * WAGE


def test_hardship_and_dependants_add_and_dependants_have_a_bound() -> None:
    assert amount(hardship="EXTREME") == 9 * WAGE
    assert amount(dependants=1) == 8 * WAGE
    assert amount(dependants=9) == 12 * WAGE


def test_never_above_the_share_of_the_open_loss_the_cap_and_the_balance() -> None:
    assert amount(loss_fen=4_000_000, recovered_fen=1_000_000) == 1_500_000
    assert amount(cap_fen=3_000_000) == 3_000_000
    assert amount(balance_fen=2_999_950) == 2_999_900
    assert amount(loss_fen=1_000_000, recovered_fen=2_000_000) == 0


def test_the_working_names_every_row_and_ends_at_the_amount() -> None:
    said = recommend(STANDARD, replace(GIVEN, dependants=1, cap_fen=1_000_000))
    assert [line.code for line in said.lines] == ["base,G6", "hardship,ORDINARY", "dependant", "A01"]
    assert said.lines[-1].amount_fen == said.amount_fen


@pytest.mark.parametrize(
    ("decided", "needed"), [(3_600_000, False), (4_320_000, False), (4_320_001, True), (2_800_000, True)]
)
def test_a_reason_is_needed_beyond_the_tolerance(decided: int, needed: bool) -> None:
    assert recommend(STANDARD, GIVEN).needs_reason(decided) is needed


def test_the_newest_version_in_force_is_taken() -> None:
    rows = [
        {
            "standard": "S",
            "version": v,
            "valid_from": since,
            "valid_to": until,
            "item": "base",
            "code": "G1",
            "value": "1",
        }
        for v, since, until in (("1", "2020-01-01", "2021-12-31"), ("2", "2022-01-01", ""))
    ]
    found = standards_from_rows(rows)
    assert [find_standard("S", day, standards=found) is not None for day in (date(2019, 1, 1), date(2021, 1, 1))] == [
        False,
        True,
    ]
    newest = find_standard("S", date(2025, 1, 1), standards=found)
    assert newest is not None
    assert newest.version == 2


@pytest.mark.parametrize("broken", [{"value": "much"}, {"version": ""}, {"valid_from": "soon"}])
def test_a_row_that_cannot_be_read_is_named(broken: dict[str, str]) -> None:
    row = {"standard": "S", "version": "1", "valid_from": "2020-01-01", "valid_to": "", "item": "base", "code": "G1"}
    with pytest.raises(ConfigError):
        standards_from_rows([{**row, "value": "1", **broken}])


def test_a_row_that_is_missing_is_named() -> None:
    with pytest.raises(ConfigError, match="base,G9"):
        recommend(STANDARD, replace(GIVEN, ground="G9"))

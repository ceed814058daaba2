"""Every code a field problem may carry has its texts."""

import re
from inspect import getsource

import pytest

from gateway.domain import case_number, identifiers, intake_identity, intake_rules
from gateway.domain.field_codes import FieldCode, Severity, field_codes_from_rows, load_field_codes
from gateway.domain.rules import read_table
from gateway.errors import ConfigError
from schemas.fields import CODES

IDENTITY_WARNINGS = {"normalised", "legacy_15_digits", "region_unknown", "region_abolished"}
IDENTITY_ERRORS = {
    "identity_form",
    "identity_check_digit",
    "number_not_expected",
    "synthetic_identity",
    "uscc_form",
    "uscc_check_character",
}
OTHER_REFERRALS = {"open_elsewhere", "possible_same_person", "relatives_number", "reserved_elsewhere"}
"""Warnings of rules that look at other referrals (D09) and reservations, given by intake itself."""
EXCHANGES = {"inquiry_not_on_file", "inquiry_other_person", "inquiry_not_supporting", "nobody_to_ask", "no_court"}
"""Given to whoever cites an inquiry or asks one, and to an agency whose clue has no court."""
OTHER_ANSWERS = {"repeats_earlier_answer"}
"""Given to an office whose colleague said the same before."""
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def every_code() -> list[FieldCode]:
    return list(load_field_codes().values())


def raised_by(source: str) -> set[str]:
    return set(re.findall(r'InvalidValue\("(\w+)"\)', source))


def said_by_rules(how: str) -> set[str]:
    """Codes written in the intake rules as `block(pointer, "code")` or `warn(pointer, "code")`."""
    source = getsource(intake_rules) + getsource(intake_identity)
    return set(re.findall(rf'\b{how}\([^,\n]+, "(\w+)"\)', source))


def test_every_code_raised_by_the_parsers_has_a_row() -> None:
    raised = raised_by(getsource(identifiers)) | raised_by(getsource(case_number))
    assert "certificate_grade" in raised
    assert set() == raised - set(load_field_codes())


def test_every_code_of_a_verdict_and_of_the_schemas_has_a_row() -> None:
    assert set() == ({*CODES} | IDENTITY_WARNINGS | IDENTITY_ERRORS) - set(load_field_codes())


def test_every_code_of_the_intake_rules_has_a_row() -> None:
    blocks, warnings = said_by_rules("block"), said_by_rules("warn")
    assert {"survey_missing", "day_in_future", "birth_date_differs"} <= blocks
    assert {"sex_differs", "children_not_considered"} <= warnings
    assert set() == (blocks | warnings) - set(load_field_codes())


def test_what_does_not_refuse_a_message_is_a_warning() -> None:
    expected = IDENTITY_WARNINGS | OTHER_REFERRALS | OTHER_ANSWERS | EXCHANGES | said_by_rules("warn")
    assert expected == {row.code for row in every_code() if row.severity is Severity.WARNING}


def test_what_a_rule_blocks_for_is_an_error() -> None:
    assert set() == {code for code in said_by_rules("block") if load_field_codes()[code].severity is Severity.WARNING}


@pytest.mark.parametrize("row", every_code(), ids=lambda row: row.code)
def test_every_code_says_what_is_wrong_and_how_to_mend_it_in_both_languages(row: FieldCode) -> None:
    assert CHINESE.search(row.zh)
    assert CHINESE.search(row.fix_zh)
    assert re.match(r"[A-Z]", row.en)
    assert re.match(r"[A-Z]", row.fix_en)


@pytest.mark.parametrize("row", every_code(), ids=lambda row: row.code)
def test_a_code_is_a_plain_word_and_its_fix_a_sentence(row: FieldCode) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*", row.code)
    assert row.fix_zh.endswith("。")
    assert row.fix_en.endswith(".")


def test_no_code_is_listed_twice() -> None:
    assert len(read_table("field_codes")) == len(load_field_codes())


@pytest.mark.parametrize("rows", [["error", "error"], ["grave"]], ids=["listed twice", "unknown severity"])
def test_a_table_that_makes_no_sense_is_refused(rows: list[str]) -> None:
    texts = {"code": "required", "zh": "缺", "en": "Missing", "fix_zh": "补。", "fix_en": "Add."}
    with pytest.raises(ConfigError):
        field_codes_from_rows([texts | {"severity": severity} for severity in rows])

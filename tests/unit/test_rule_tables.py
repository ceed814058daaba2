"""The shipped tables can be read, say what the code says, and name their source."""

from importlib.resources import files

import pytest

from gateway.domain.rules import parse_table, read_table
from gateway.errors import ConfigError

TABLES = sorted(
    item.name.removesuffix(".csv") for item in files("gateway.domain.rules").iterdir() if item.name.endswith(".csv")
)
EXPECTED = [
    "agencies",
    "approvals",
    "case_types",
    "coexistence",
    "disposition_pairs",
    "dispositions",
    "evidence_words",
    "explanations",
    "field_codes",
    "findings",
    "limits_sample",
    "mask_default",
    "mask_floor",
    "person_notices",
    "programmes",
    "regions",
    "replies",
    "retention",
    "roles",
    "rule_texts",
    "words",
    "workdays",
]
FINDING_FAMILIES = {"duplicate", "missed", "mismatch", "payment"}


def test_every_table_is_shipped() -> None:
    assert set(EXPECTED) <= set(TABLES)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_shipped_table_has_rows_and_its_source_is_named(name: str) -> None:
    assert read_table(name)
    assert f"`{name}.csv`" in files("gateway.domain.rules").joinpath("SOURCES.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", EXPECTED)
def test_no_cell_has_stray_spaces(name: str) -> None:
    assert [] == [cell for row in read_table(name) for cell in row.values() if cell != cell.strip()]


def test_finding_codes_are_unique_and_of_a_known_family() -> None:
    rows = read_table("findings")
    assert len(rows) == len({row["code"] for row in rows})
    assert FINDING_FAMILIES == {row["family"] for row in rows}


def test_a_missing_table_is_an_error_of_configuration_that_names_it() -> None:
    with pytest.raises(ConfigError) as caught:
        read_table("no_such_table")
    assert {"table": "no_such_table"} == caught.value.ids


def test_a_ragged_line_is_refused_with_its_number() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_table("sample", "a,b\n1,2\n3\n")
    assert {"table": "sample", "line": 3} == caught.value.ids


@pytest.mark.parametrize("text", ["", "a,b\n"])
def test_a_table_without_rows_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_table("sample", text)


def test_a_column_named_twice_is_refused() -> None:
    with pytest.raises(ConfigError):
        parse_table("sample", "a,a\n1,2\n")


def test_quoted_cells_may_hold_commas_and_line_breaks() -> None:
    assert [{"a": "1,2", "b": "x\ny"}] == parse_table("sample", 'a,b\n"1,2","x\ny"\n')

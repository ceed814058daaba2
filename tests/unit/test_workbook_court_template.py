"""移送模板 The court's empty workbook: a place for every field of a referral, lists to choose from, an example."""

from io import BytesIO
from pathlib import Path
from typing import Any

import openpyxl
from marshmallow import fields as base

from gateway.workbook.court_template import (
    EXAMPLE_SHEET,
    HOUSEHOLD_SHEET,
    NEED_GROUPS,
    REFERRAL_SHEET,
    columns_of,
    template_columns,
    write_court_template,
)
from gateway.workbook.court_workbook import read_court_workbook
from gateway.workbook.reading import read_sheet
from gateway.workbook.writing import CHOICES_SHEET
from schemas.fields import Nest
from schemas.referral import REFERRAL


def a_template() -> bytes:
    target = BytesIO()
    write_court_template(target)
    return target.getvalue()


TEMPLATE = a_template()


def heading(key: str) -> str:
    return next(column.heading for column in columns_of("referral") if column.key == key)


def leaves(schema: Any, above: str = "") -> set[str]:
    """Pointers of every field of the wire's shape, lists counted as one."""
    found: set[str] = set()
    for name, field in schema.fields.items():
        if isinstance(field, Nest):
            found |= leaves(field.schema, f"{above}/{name}")
        else:
            found.add(f"{above}/{name}")
    return found


def test_every_field_of_a_referral_has_a_place_in_the_template() -> None:
    plain = {column.pointer for column in columns_of("referral") if column.need_group is None and column.key != "line"}
    assert plain | {"/needs", "/person/household"} == leaves(REFERRAL)


def test_every_field_of_a_household_member_has_a_column() -> None:
    household = REFERRAL.fields["person"].schema.fields["household"]  # type: ignore[attr-defined]
    assert isinstance(household, base.List)
    member = household.inner.schema  # type: ignore[attr-defined]
    assert {column.pointer for column in columns_of("household")} == leaves(member) | {"/line"}


def test_there_is_a_column_pair_for_every_need() -> None:
    groups = [column.need_group for column in columns_of("referral") if column.need_group]
    assert groups == [number for number in range(1, NEED_GROUPS + 1) for _ in range(2)]


def test_headings_are_in_both_languages_and_star_what_the_wire_requires() -> None:
    assert heading("person.id_number") == "证件号码*\nDocument number"
    assert heading("person.phone") == "联系电话\nPhone"
    assert all(column.zh and column.en for column in template_columns())
    starred = {column.pointer for column in columns_of("referral") if column.need == "required"}
    required = {"/referral_id", "/agreement_document", "/case_number", "/concluded_on", "/decision", "/legal_basis"}
    assert required | {"/person/name", "/person/id_type"} <= starred


def test_cells_are_text_and_codes_are_chosen_from_lists() -> None:
    book = openpyxl.load_workbook(BytesIO(TEMPLATE))
    assert book.sheetnames == [REFERRAL_SHEET, HOUSEHOLD_SHEET, EXAMPLE_SHEET, CHOICES_SHEET]
    page = book[REFERRAL_SHEET]
    text = [span for span in page.column_dimensions.values() if span.number_format == "@"]
    columns = {number for span in text for number in range(span.min or 0, (span.max or 0) + 1)}
    assert columns == {cell.column for cell in page[1]}
    coded = [column for column in columns_of("referral") if column.words]
    assert len(page.data_validations.dataValidation) == len(coded)


def test_the_example_sheet_explains_every_column() -> None:
    rows = list(read_sheet(TEMPLATE, sheet=EXAMPLE_SHEET))
    assert [row.cells["heading"] for row in rows] == [f"{column.zh} {column.en}" for column in template_columns()]
    assert {row.cells["need"] for row in rows} == {"必填 required", "视情况 when it applies", "选填 optional"}


def test_an_empty_template_holds_no_row() -> None:
    assert list(read_court_workbook(TEMPLATE)) == []


def test_a_template_may_be_written_to_a_path(tmp_path: Path) -> None:
    write_court_template(tmp_path / "移送.xlsx")
    assert list(read_court_workbook(tmp_path / "移送.xlsx")) == []

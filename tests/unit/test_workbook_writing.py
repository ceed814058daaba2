"""工作簿写出 What a spreadsheet program finds in our files: text, lists to choose from, nothing that calculates."""

import csv
import sys
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import openpyxl
import pytest

from gateway.errors import MissingExtra, TooLarge
from gateway.workbook.writing import CELL_LIMIT, CHOICES_SHEET, NOTES_SHEET, Sheet, letters, write_workbook
from gateway.workbook.xlsx import read_sheet, write_csv, write_sheet

COLUMNS = (("id_number", "证件号码\nIdentity number"), ("note", "说明\nNote"))
LIVE = [
    "=1+1",
    "+86 13800000001",
    "-5",
    "@SUM(A1)",
    "＝1+1",
    "＋1",
    "－1",
    "＠x",
    " =1+1",
    "\u200b=1+1",
    "\ufeff=1",
    "\t=1",
    "\rx",
    "\nx",
]


def written(rows: list[dict[str, str]], **options: Any) -> bytes:
    target = BytesIO()
    write_sheet(target, title="表", columns=COLUMNS, rows=rows, **options)
    return target.getvalue()


def opened(raw: bytes) -> Any:
    return openpyxl.load_workbook(BytesIO(raw))


def test_an_identity_number_stays_text_with_every_digit() -> None:
    cell = opened(written([{"id_number": "529999199001010019"}]))["表"]["A3"]
    assert (cell.value, cell.data_type, cell.number_format) == ("529999199001010019", "s", "@")


def test_keys_are_hidden_above_headings_that_stay_in_sight() -> None:
    page = opened(written([]))["表"]
    assert [cell.value for cell in page[1]] == ["id_number", "note"]
    assert [cell.value for cell in page[2]] == ["证件号码\nIdentity number", "说明\nNote"]
    assert (page.row_dimensions[1].hidden, page.freeze_panes) == (True, "A3")


def test_cells_below_the_rows_are_text_too_so_that_a_typed_number_is_not_mangled() -> None:
    page = opened(written([]))["表"]
    assert page.column_dimensions["A"].number_format == "@"


@pytest.mark.parametrize("text", LIVE)
def test_a_live_text_keeps_its_characters_and_is_never_a_formula(text: str) -> None:
    raw = written([{"note": text}])
    cell = opened(raw)["表"]["B3"]
    assert (cell.data_type, cell.quotePrefix) == ("s", True)
    (row,) = read_sheet(raw)
    assert row.cells["note"] == text.replace("\r", "\n").strip()


def test_a_plain_text_is_not_marked() -> None:
    assert opened(written([{"note": "低保"}]))["表"]["B3"].quotePrefix is False


def test_a_web_address_is_no_link() -> None:
    with ZipFile(BytesIO(written([{"note": "http://example.invalid/x"}]))) as archive:
        assert [name for name in archive.namelist() if "worksheets/_rels" in name] == []


def test_a_list_longer_than_a_cell_rule_can_hold_is_offered_from_a_hidden_sheet() -> None:
    words = [f"G{number} 事由{number}" for number in range(100)]
    book = opened(written([], choices={"note": words}))
    assert book[CHOICES_SHEET].sheet_state == "hidden"
    assert [cell.value for cell in book[CHOICES_SHEET]["A"]] == words
    (rule,) = book["表"].data_validations.dataValidation
    assert (rule.type, rule.formula1, str(rule.sqref)) == ("list", f"{CHOICES_SHEET}!$A$1:$A$100", "B3:B5002")
    assert rule.errorStyle == "warning"


def test_an_empty_list_offers_nothing() -> None:
    assert CHOICES_SHEET not in opened(written([], choices={"note": []})).sheetnames


def test_notes_have_a_line_each_on_a_sheet_of_their_own() -> None:
    book = opened(written([], notes=["第一条", "=第二条"]))
    assert [cell.value for cell in book[NOTES_SHEET]["A"]] == ["第一条", "=第二条"]


def test_locked_columns_are_protected_without_a_password_and_the_others_are_open() -> None:
    target = BytesIO()
    sheet = Sheet(title="表", columns=COLUMNS, rows=[{"id_number": "1", "note": "2"}], locked=frozenset({"id_number"}))
    write_workbook(target, [sheet])
    page = opened(target.getvalue())["表"]
    assert page.protection.sheet
    assert (page["A3"].protection.locked, page["B3"].protection.locked) == (True, False)


def test_without_locked_columns_the_sheet_is_not_protected() -> None:
    assert not opened(written([]))["表"].protection.sheet


def test_a_text_too_long_for_a_cell_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    target = tmp_path / "out.xlsx"
    with pytest.raises(TooLarge) as refusal:
        write_sheet(target, title="表", columns=COLUMNS, rows=[{"note": "长" * (CELL_LIMIT + 1)}])
    assert refusal.value.ids == {"row": 3, "column": "note"}
    assert not target.exists()


def test_the_longest_text_that_fits_comes_back_whole() -> None:
    (row,) = read_sheet(written([{"note": "长" * CELL_LIMIT}]))
    assert len(row.cells["note"]) == CELL_LIMIT


def test_a_rare_character_and_a_line_break_survive() -> None:
    (row,) = read_sheet(written([{"id_number": "𡈽𠮷", "note": "第一行\n_x000D_第二行"}]))
    assert row.cells == {"id_number": "𡈽𠮷", "note": "第一行\n_x000D_第二行"}


def test_rows_may_be_a_stream() -> None:
    rows = [{"id_number": str(number)} for number in range(3)]
    target = BytesIO()
    write_sheet(target, title="表", columns=COLUMNS, rows=iter(rows))
    assert [row.cells["id_number"] for row in read_sheet(target.getvalue())] == ["0", "1", "2"]


def test_letters_are_those_of_a_spreadsheet() -> None:
    assert [letters(column) for column in (0, 25, 26, 51, 52, 701, 702)] == ["A", "Z", "AA", "AZ", "BA", "ZZ", "AAA"]


def test_without_the_extra_the_writer_says_which_one_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    with pytest.raises(MissingExtra) as missing:
        written([])
    assert missing.value.ids == {"extra": "export"}


# --- CSV ---


def as_csv(*rows: dict[str, str]) -> list[list[str]]:
    """What another program reads."""
    stream = StringIO(newline="")
    write_csv(stream, COLUMNS, rows)
    return list(csv.reader(StringIO(stream.getvalue().removeprefix("\ufeff"), newline="")))


@pytest.mark.parametrize("text", LIVE)
def test_a_live_text_in_csv_gets_an_apostrophe(text: str) -> None:
    assert as_csv({"note": text})[1:] == [["", f"'{text}"]]


@pytest.mark.parametrize("text", ["低保", "a=b", "1-2", "x@y", '"引"', "甲,乙", "甲\n乙", "'=1"])
def test_any_other_text_in_csv_stays_as_it_is(text: str) -> None:
    assert as_csv({"note": text})[1:] == [["", text]]


def test_csv_begins_with_a_byte_order_mark_and_the_headings_in_one_line() -> None:
    stream = StringIO(newline="")
    write_csv(stream, COLUMNS, [])
    assert stream.getvalue() == "\ufeff证件号码 Identity number,说明 Note\r\n"

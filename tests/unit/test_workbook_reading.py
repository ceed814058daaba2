"""工作簿读入 What is taken from a stranger's workbook, and every file that is turned away before a library reads it."""

import sys
from datetime import date, datetime, time, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import openpyxl
import pytest

from gateway.errors import FileUnreadable, MissingExtra
from gateway.workbook import archive
from gateway.workbook.archive import PART_LIMIT, STRINGS_LIMIT, TREE_LIMIT, safe_bytes
from gateway.workbook.reading import COLUMN_LIMIT, ROW_LIMIT, SheetRow
from gateway.workbook.xlsx import read_sheet

KEYS = ["a", "b"]


def a_book(*rows: list[Any], keys: list[Any] | None = None, title: str = "表") -> bytes:
    """A workbook as a spreadsheet program would save it: keys, headings, rows."""
    book = openpyxl.Workbook()
    page = book.active
    assert page is not None
    page.title = title
    for row in (KEYS if keys is None else keys, ["甲", "乙"], *rows):
        page.append(row)
    return saved(book)


def saved(book: openpyxl.Workbook) -> bytes:
    target = BytesIO()
    book.save(target)
    return target.getvalue()


def rezipped(raw: bytes, **parts: bytes) -> bytes:
    """The same archive with these parts put in or replaced; `__` in a name stands for `/`."""
    made = BytesIO()
    new = {name.replace("__", "/"): content for name, content in parts.items()}
    with ZipFile(BytesIO(raw)) as old, ZipFile(made, "w", ZIP_DEFLATED) as target:
        for name in old.namelist():
            if name not in new:
                target.writestr(name, old.read(name))
        for name, content in new.items():
            target.writestr(name, content)
    return made.getvalue()


def part(raw: bytes, name: str) -> bytes:
    with ZipFile(BytesIO(raw)) as book:
        return book.read(name)


def with_sheet(raw: bytes, old: bytes, new: bytes) -> bytes:
    """The workbook with these bytes of its first sheet replaced."""
    name = "xl/worksheets/sheet1.xml"
    content = part(raw, name)
    assert old in content
    return rezipped(raw, **{name: content.replace(old, new)})


def refusal(raw: bytes | Path) -> str:
    with pytest.raises(FileUnreadable) as refused:
        list(read_sheet(raw))
    return refused.value.note


def cells(*row: Any) -> dict[str, str]:
    (found,) = read_sheet(a_book(list(row)))
    assert found.problems == ()
    return found.cells


def problems(*row: Any) -> tuple[tuple[str, str], ...]:
    (found,) = read_sheet(a_book(list(row)))
    return found.problems


# --- cells ---


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("低保", "低保"),
        ("  低保 \n", "低保"),
        ("\u3000低保\xa0", "低保"),
        ("一\r\n二\r三", "一\n二\n三"),
        (650, "650"),
        (0, "0"),
        (-5, "-5"),
        (650.5, "650.5"),
        (0.1 + 0.2, "0.3"),
        (1e3, "1000"),
        (13800000001, "13800000001"),
        (999_999_999_999_999, "999999999999999"),
        (True, "是"),
        (False, "否"),
        (date(2024, 9, 1), "2024-09-01"),
        (datetime(2024, 9, 1, 10, 30), "2024-09-01 10:30:00"),
        (time(10, 30), "10:30:00"),
        (timedelta(hours=26), "1 day, 2:00:00"),
    ],
)
def test_a_cell_becomes_its_exact_text(value: Any, text: str) -> None:
    assert cells(value)["a"] == text


@pytest.mark.parametrize("value", [529999199001010019, 1e15, -(10**15), 5.29999199001010e17])
def test_a_number_that_may_have_lost_digits_is_a_problem_and_no_value(value: Any) -> None:
    assert problems(value, "乙") == (("a", "number_not_text"),)


def test_a_number_beyond_all_bounds_is_a_problem() -> None:
    (row,) = read_sheet(with_sheet(a_book([1]), b"<v>1</v>", b"<v>1e999</v>"))
    assert row.problems == (("a", "number_not_text"),)


def test_a_day_beyond_all_calendars_is_a_problem() -> None:
    (row,) = read_sheet(with_sheet(a_book([date(2024, 9, 1)]), b"<v>45536</v>", b"<v>20240901</v>"))
    assert [key for key, _ in row.problems] == ["a"]


@pytest.mark.parametrize("value", ["=1+1", "=HYPERLINK(A1)", "#REF!", "#N/A"])
def test_a_formula_or_its_error_is_refused_by_row_and_column(value: str) -> None:
    book = a_book(["一", "一"], ["二", value])
    assert list(read_sheet(book))[1] == SheetRow(
        row=4, cells={"a": "二", "b": ""}, problems=(("b", "formula_not_value"),)
    )


def test_a_text_that_only_looks_like_a_formula_is_text() -> None:
    book = openpyxl.load_workbook(BytesIO(a_book()))
    cell = book["表"].cell(3, 1, "x")
    cell.value, cell.data_type = "=1+1", "s"
    assert [row.cells["a"] for row in read_sheet(saved(book))] == ["=1+1"]


# --- rows and columns ---


def test_rows_have_the_numbers_a_clerk_sees_and_blank_ones_are_passed_over() -> None:
    rows = list(read_sheet(a_book(["一"], [None, "  "], [None, "二"])))
    assert [(row.row, row.cells) for row in rows] == [(3, {"a": "一", "b": ""}), (5, {"a": "", "b": "二"})]


def test_a_bad_row_does_not_stop_the_others() -> None:
    rows = list(read_sheet(a_book(["一"], ["=1"], ["三"])))
    assert [bool(row.problems) for row in rows] == [False, True, False]


def test_columns_are_found_by_their_keys_wherever_they_were_moved() -> None:
    (row,) = read_sheet(a_book(["乙", "甲"], keys=["b", "a"]))
    assert row.cells == {"a": "甲", "b": "乙"}


def test_what_stands_in_a_column_without_a_key_is_named_by_its_letters() -> None:
    (row,) = read_sheet(a_book(["甲", "旁注", "乙"], keys=["a", None, "b"]))
    assert (row.cells, row.problems) == ({"a": "甲", "b": "乙"}, (("?B", "unknown_field"),))


def test_a_sheet_is_found_by_its_title_or_is_the_first() -> None:
    raw = a_book(["一"], title="甲表")
    assert [row.cells["a"] for row in read_sheet(raw, sheet="甲表")] == ["一"]
    with pytest.raises(FileUnreadable):
        list(read_sheet(raw, sheet="乙表"))


@pytest.mark.parametrize("keys", [["a", "a"], [None, None], [" ", ""]])
def test_a_first_row_that_holds_no_keys_or_one_twice_is_another_kind_of_file(keys: list[Any]) -> None:
    assert refusal(a_book(["一", "二"], keys=keys)) == "the first row does not hold the template's keys"


def test_a_column_that_was_deleted_is_noticed_before_any_row() -> None:
    with pytest.raises(FileUnreadable):
        next(read_sheet(a_book(["一"]), required=["a", "b", "c"]))


def test_an_empty_workbook_is_another_kind_of_file() -> None:
    assert refusal(saved(openpyxl.Workbook())) == "the first row does not hold the template's keys"


def test_more_columns_than_allowed_are_refused() -> None:
    keys = [f"k{number}" for number in range(COLUMN_LIMIT + 1)]
    assert refusal(a_book(keys=keys)) == f"more than {COLUMN_LIMIT} columns"
    assert len(next(read_sheet(a_book(["一"], keys=keys[:-1]))).cells) == COLUMN_LIMIT


def test_more_rows_than_allowed_are_refused_whatever_the_sheet_says_of_its_size() -> None:
    raw = with_sheet(a_book(["一"]), b'r="A3"', f'r="A{ROW_LIMIT + 3}"'.encode())
    raw = with_sheet(raw, b'<row r="3"', f'<row r="{ROW_LIMIT + 3}"'.encode())
    assert refusal(raw) == f"more than {ROW_LIMIT} rows"


# --- files that are turned away ---


@pytest.mark.parametrize(
    "raw", [b"", b"PK", b"id,name\n1,2\n", b"\xd0\xcf\x11\xe0" + b"\0" * 600, b"PK\x05\x06" + b"\0" * 18]
)
def test_another_kind_of_file_is_refused(raw: bytes) -> None:
    assert refusal(raw) != ""


def test_a_zip_that_is_no_workbook_is_refused() -> None:
    made = BytesIO()
    with ZipFile(made, "w") as target:
        target.writestr("readme.txt", "x")
    assert refusal(made.getvalue()).startswith("not readable as XLSX")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.xlsx") == "the file cannot be opened"
    assert refusal(tmp_path) == "the file cannot be opened"


def test_a_file_cut_short_is_refused() -> None:
    raw = a_book(["一"])
    assert refusal(raw[: len(raw) // 2]) == "not an XLSX file"


def test_a_sheet_cut_short_is_refused_after_the_rows_before_it() -> None:
    raw = a_book(["一"], ["二"])
    name = "xl/worksheets/sheet1.xml"
    content = part(raw, name)
    rows = read_sheet(rezipped(raw, **{name: content[: content.index(b'<row r="4"') + 8]}))
    assert next(rows).cells["a"] == "一"
    with pytest.raises(FileUnreadable):
        list(rows)


def test_a_zip_bomb_is_refused_by_its_stated_sizes_alone() -> None:
    zeros = b" " * (archive.UNPACKED_LIMIT // 2 + 1)
    raw = rezipped(a_book(), xl__media__a=zeros, xl__media__b=zeros)
    assert len(raw) < archive.FILE_LIMIT
    assert refusal(raw) == f"larger than {archive.UNPACKED_LIMIT} bytes when unpacked"


@pytest.mark.parametrize(("name", "most"), [("xl/styles.xml", TREE_LIMIT), ("xl/sharedStrings.xml", STRINGS_LIMIT)])
def test_a_part_that_would_fill_memory_is_refused(name: str, most: int) -> None:
    raw = rezipped(a_book(), **{name: b"<x>" + b"<y/>" * (most // 4) + b"</x>"})
    assert refusal(raw) == f"a part is larger than {most} bytes when unpacked"


def test_more_parts_than_allowed_are_refused() -> None:
    raw = rezipped(a_book(), **{f"xl__media__{number}": b"" for number in range(PART_LIMIT)})
    assert refusal(raw) == f"more than {PART_LIMIT} parts"


def test_a_file_larger_than_allowed_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "large.xlsx"
    with path.open("wb") as stream:
        stream.truncate(archive.FILE_LIMIT + 1)
    assert refusal(path) == f"larger than {archive.FILE_LIMIT} bytes"


@pytest.mark.parametrize("name", ["xl/vbaProject.bin", "xl/VBAPROJECT.BIN", "elsewhere/vbaData.xml"])
def test_macros_are_refused(name: str) -> None:
    assert refusal(rezipped(a_book(), **{name: b"<x/>"})) == "holds macros; save it as .xlsx"


def test_a_macro_workbook_without_its_macros_is_refused_too() -> None:
    name = "[Content_Types].xml"
    types = part(a_book(), name).replace(b"spreadsheetml.sheet.main", b"sheet.macroEnabled.main")
    assert refusal(rezipped(a_book(), **{name: types})) == "holds macros; save it as .xlsx"


@pytest.mark.parametrize("name", ["xl/externalLinks/externalLink1.xml", "xl/connections.xml", "xl/queryTables/q1.xml"])
def test_links_to_other_files_and_data_sources_are_refused(name: str) -> None:
    assert refusal(rezipped(a_book(), **{name: b"<x/>"})).startswith("holds links to other files")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_document_type_is_refused_in_whatever_encoding(encoding: str) -> None:
    text = '<!DOCTYPE x [<!ENTITY e "boom">]><x>&e;</x>'.encode(encoding)
    for name in ("xl/sharedStrings.xml", "xl/worksheets/sheet9.xml", "xl/worksheets/_rels/sheet1.xml.rels"):
        assert refusal(rezipped(a_book(), **{name: text})) == "holds a document type declaration"


def test_a_document_type_across_two_reads_is_still_seen() -> None:
    start = b"<x>" + b" " * (2**20 - 3 - 4)
    assert refusal(rezipped(a_book(), **{"xl/worksheets/s.xml": start + b"<!DOCTYPE x>"})).startswith(
        "holds a document"
    )


@pytest.mark.parametrize(
    "text",
    [
        b'<?xml version="1.0" encoding="UTF-7"?>+ADwAIQ-DOCTYPE x+AD4-<x/>',
        '<?xml version="1.0"?><x/>'.encode("utf-32"),
        '<?xml version="1.0" encoding="cp037"?><x/>'.encode("cp037"),
        b"<?xml version='1.0' encoding = 'gb18030'?><x/>",
    ],
)
def test_markup_nobody_can_look_through_is_refused(text: bytes) -> None:
    assert refusal(rezipped(a_book(), **{"xl/worksheets/s.xml": text})) == "a part is not in UTF-8 or UTF-16"


def test_an_encrypted_archive_is_refused() -> None:
    raw = bytearray(a_book())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = raw.find(mark)
        while at >= 0:
            raw[at + offset] |= 1
            at = raw.find(mark, at + 4)
    assert refusal(bytes(raw)) == "encrypted"


def test_a_part_that_unpacks_to_more_than_it_states_is_refused() -> None:
    raw = bytearray(a_book(["一"] * 2))
    name = b"xl/worksheets/sheet1.xml"
    at = raw.rfind(name)
    raw[at - 46 + 24 : at - 46 + 28] = (10).to_bytes(4, "little")
    assert refusal(bytes(raw)) == "not an XLSX file"


def test_a_sound_file_passes_unchanged() -> None:
    raw = a_book(["一"])
    assert safe_bytes(raw) is raw


def test_an_error_never_quotes_a_cell() -> None:
    raw = with_sheet(a_book([1]), b"<v>1</v>", "<v>王示例</v>".encode())
    assert "王示例" not in refusal(raw)


def test_without_the_extra_the_reader_says_which_one_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = a_book(["一"])
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(MissingExtra) as missing:
        list(read_sheet(raw))
    assert missing.value.ids == {"extra": "export"}

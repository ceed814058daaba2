"""工作簿写出 XLSX and CSV out: every cell is text, nothing in a cell is ever calculated.

A sheet's first row holds machine keys and is hidden, the second bilingual headings and is frozen, data starts in the
third. Drop-downs refer to a hidden sheet, because a list written into the cell may not exceed 255 characters. Text
that a spreadsheet program would read as a formula keeps its characters and is marked as quoted in XLSX; CSV knows no
marks, so there it gets an apostrophe. A text too long for a cell is refused, never cut.
"""

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from gateway.errors import MissingExtra, TooLarge

Columns = Sequence[tuple[str, str]]
"""(machine key, bilingual heading), left to right."""

FIRST_DATA_ROW = 3
"""Row number, as a spreadsheet shows it, of the first data row."""
FILLABLE_ROWS = 5_000
"""How many rows get drop-downs; rows below may be filled all the same."""
CELL_LIMIT = 32_767
CHOICES_SHEET = "_codes"
NOTES_SHEET = "说明 Notes"
DEFAULT_WIDTH = 18
NOTES_WIDTH = 60
LIVE_TEXT = re.compile("[\\s\u200b-\u200f\ufeff]*[=+\\-@＝＋－＠]|[\t\r\n]")
"""Texts a spreadsheet program may take for a formula: the signs, their full-width forms, also behind blanks."""


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """One sheet to write. choices: allowed words by column key; locked: keys the reader of the sheet may not change.

    An empty `locked` leaves the sheet unprotected. Protection has no password: it keeps a hand from slipping, no more.
    """

    title: str
    columns: Columns
    rows: Iterable[Mapping[str, str]] = ()
    choices: Mapping[str, Sequence[str]] = field(default_factory=dict)
    widths: Mapping[str, int] = field(default_factory=dict)
    locked: frozenset[str] = frozenset()
    freeze_columns: int = 0


def write_sheet(
    target: Path | str | BinaryIO,
    *,
    title: str,
    columns: Columns,
    rows: Iterable[Mapping[str, str]],
    notes: Sequence[str] = (),
    choices: Mapping[str, Sequence[str]] | None = None,
    widths: Mapping[str, int] | None = None,
) -> None:
    """One sheet and, where there are notes, a second one with a line each. Rows may be a stream of any length.

    MissingExtra without xlsxwriter; TooLarge for a text that does not fit into a cell.
    """
    sheet = Sheet(title=title, columns=columns, rows=rows, choices=choices or {}, widths=widths or {})
    write_workbook(target, [sheet], notes=notes)


def write_workbook(target: Path | str | BinaryIO, sheets: Sequence[Sheet], *, notes: Sequence[str] = ()) -> None:
    """The sheets in order, then the notes. The target is written only once every row has been."""
    made = BytesIO()
    book = _workbook(made)
    try:
        looks = _Looks.of(book)
        places = _write_choices(book, sheets, before=[sheet.title for sheet in sheets])
        for sheet in sheets:
            _write(book.get_worksheet_by_name(sheet.title), sheet, looks, places)
        if notes:
            _write_notes(book.add_worksheet(NOTES_SHEET), notes, looks)
    finally:
        book.close()
    if isinstance(target, str | Path):
        Path(target).write_bytes(made.getvalue())
    else:
        target.write(made.getvalue())


def write_csv(stream: TextIO, columns: Columns, rows: Iterable[Mapping[str, str]]) -> None:
    """Headings in one line each and rows, as RFC 4180 with the byte order mark without which some programs misread it.

    Open the stream as UTF-8 with `newline=""`.
    """
    stream.write("\ufeff")
    writer = csv.writer(stream)
    writer.writerow([heading.replace("\n", " ") for _, heading in columns])
    writer.writerows([_quoted(row.get(key, "")) for key, _ in columns] for row in rows)


def _quoted(text: str) -> str:
    return f"'{text}" if LIVE_TEXT.match(text) else text


@dataclass(frozen=True, kw_only=True)
class _Looks:
    """The few cell formats of a workbook."""

    key: Any
    heading: Any
    locked_heading: Any
    text: Any
    quoted: Any
    locked: Any
    locked_quoted: Any
    note: Any

    @classmethod
    def of(cls, book: Any) -> "_Looks":
        head = {"bold": True, "text_wrap": True, "valign": "top", "border": 1, "num_format": "@"}
        text = {"num_format": "@", "text_wrap": True, "valign": "top", "locked": False}
        grey = {**text, "locked": True, "bg_color": "#E7E6E6"}
        return cls(
            key=book.add_format({"num_format": "@"}),
            heading=book.add_format({**head, "bg_color": "#DDEBF7"}),
            locked_heading=book.add_format({**head, "bg_color": "#D0CECE"}),
            text=book.add_format(text),
            quoted=book.add_format({**text, "quote_prefix": True}),
            locked=book.add_format(grey),
            locked_quoted=book.add_format({**grey, "quote_prefix": True}),
            note=book.add_format({"text_wrap": True, "valign": "top", "num_format": "@"}),
        )

    def cell(self, text: str, *, locked: bool) -> Any:
        if LIVE_TEXT.match(text):
            return self.locked_quoted if locked else self.quoted
        return self.locked if locked else self.text


def _workbook(target: BytesIO) -> Any:
    try:
        import xlsxwriter
    except ImportError as missing:
        raise MissingExtra("xlsxwriter: pip install 'xianjie[export]'", ids={"extra": "export"}) from missing
    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_numbers": False,
        "strings_to_urls": False,
    }
    return xlsxwriter.Workbook(target, options)


def _write_choices(book: Any, sheets: Sequence[Sheet], *, before: Sequence[str]) -> dict[tuple[str, str], str]:
    """Write every list of words down one column of the hidden sheet; (sheet, key) → its range."""
    for title in before:
        book.add_worksheet(title)
    lists = [(sheet.title, key, words) for sheet in sheets for key, words in sheet.choices.items() if words]
    if not lists:
        return {}
    hidden = book.add_worksheet(CHOICES_SHEET)
    hidden.hide()
    for row in range(max(len(words) for *_, words in lists)):
        for column, (*_, words) in enumerate(lists):
            if row < len(words):
                hidden.write_string(row, column, words[row])
    return {
        (title, key): f"={CHOICES_SHEET}!{_cell(0, column)}:{_cell(len(words) - 1, column)}"
        for column, (title, key, words) in enumerate(lists)
    }


def _cell(row: int, column: int) -> str:
    return f"${letters(column)}${row + 1}"


def letters(column: int) -> str:
    """What a spreadsheet calls a column counted from 0: A … Z, AA, …"""
    found = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        found = chr(ord("A") + rest) + found
    return found


def _write(page: Any, sheet: Sheet, looks: _Looks, places: Mapping[tuple[str, str], str]) -> None:
    page.freeze_panes(FIRST_DATA_ROW - 1, sheet.freeze_columns)
    if sheet.locked:
        page.protect("", {"format_columns": True, "format_rows": True, "select_locked_cells": True})
    page.set_row(0, None, None, {"hidden": True})
    page.set_row(1, 48)
    for column, (key, _) in enumerate(sheet.columns):
        locked = key in sheet.locked
        blank = looks.locked if locked else looks.text
        page.set_column(column, column, sheet.widths.get(key, DEFAULT_WIDTH), blank)
        if place := places.get((sheet.title, key)):
            _offer(page, column, place)
        page.write_string(0, column, key, looks.key)
    for column, (key, heading) in enumerate(sheet.columns):
        page.write_string(1, column, heading, looks.locked_heading if key in sheet.locked else looks.heading)
    for number, row in enumerate(sheet.rows, start=FIRST_DATA_ROW):
        _write_row(page, number, row, sheet, looks)


def _write_row(page: Any, number: int, row: Mapping[str, str], sheet: Sheet, looks: _Looks) -> None:
    for column, (key, _) in enumerate(sheet.columns):
        text = row.get(key, "")
        if len(text) > CELL_LIMIT:
            raise TooLarge(f"row {number}, column {key}: text too long for a cell", ids={"row": number, "column": key})
        if text:
            page.write_string(number - 1, column, text, looks.cell(text, locked=key in sheet.locked))


def _offer(page: Any, column: int, place: str) -> None:
    """A list that suggests and does not force: what is not in it is judged when the sheet is read."""
    rule = {"validate": "list", "source": place, "error_type": "warning", "ignore_blank": True}
    page.data_validation(FIRST_DATA_ROW - 1, column, FIRST_DATA_ROW - 2 + FILLABLE_ROWS, column, rule)


def _write_notes(page: Any, notes: Sequence[str], looks: _Looks) -> None:
    page.set_column(0, 0, NOTES_WIDTH * 2, looks.note)
    for row, line in enumerate(notes):
        page.write_string(row, 0, line, looks.note)

"""工作簿读入 XLSX in, as text cells by machine key, within fixed limits.

Rules: the first row holds keys, the second headings, blank rows are passed over. A formula is refused, because what it
shows depends on the program that opened it last. A date becomes ISO text, a number the shortest exact text; a number
of 16 digits or more has already lost digits in the spreadsheet program, so it is a problem and not a value. Limits on
the file are `workbook.archive`; here: 100,000 rows, 200 columns.
"""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from io import BytesIO
from math import isfinite
from pathlib import Path
from typing import Any

from gateway.errors import FileUnreadable, MissingExtra
from gateway.workbook.archive import safe_bytes
from gateway.workbook.writing import letters

ROW_LIMIT = 100_000
COLUMN_LIMIT = 200
EXACT_DIGITS = 15
HEADER_ROWS = 2
NO_KEY = "?"

NUMBER_NOT_TEXT = "number_not_text"
FORMULA = "formula_not_value"
UNKNOWN_FIELD = "unknown_field"


@dataclass(frozen=True, kw_only=True, slots=True)
class SheetRow:
    """One row that is not blank. row: its number; cells: text by key, "" where blank or not readable.

    problems: (key, code) of the cells that could not be read; the key of a column without one is `?` and its letters.
    """

    row: int
    cells: dict[str, str]
    problems: tuple[tuple[str, str], ...] = ()


class _CellProblem(ValueError):
    """A cell that has no exact text; its message is the code."""


def read_sheet(
    source: Path | str | bytes, *, sheet: str | None = None, required: Iterable[str] = ()
) -> Iterator[SheetRow]:
    """Every row that is not blank, with the cells that could not be read named; `sheet` by title, else the first.

    required: keys without which the sheet is not of the expected shape. FileUnreadable for a file that is no XLSX of
    that shape, at the latest where its rows cannot be read any further; MissingExtra without openpyxl.
    """
    raw = safe_bytes(source)
    openpyxl = _openpyxl()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about styles and extensions that no value depends on
        book = _or_unreadable(lambda: openpyxl.load_workbook(BytesIO(raw), read_only=True, keep_links=False))
        try:
            rows = _or_unreadable(lambda: _page(book, sheet))
            keys = _keys(_next(rows), required)
            _next(rows)
            yield from _sheet_rows(rows, keys)
        finally:
            book.close()


def _openpyxl() -> Any:
    try:
        import openpyxl
    except ImportError as missing:
        raise MissingExtra("openpyxl: pip install 'xianjie[export]'", ids={"extra": "export"}) from missing
    return openpyxl


def _or_unreadable(step: Any) -> Any:
    """Whatever the library makes of a broken file becomes FileUnreadable, without the library's words: they may quote
    a cell."""
    try:
        return step()
    except Exception as wrong:
        if isinstance(wrong, FileUnreadable):
            raise
        raise FileUnreadable(f"not readable as XLSX ({type(wrong).__name__})") from None


def _page(book: Any, title: str | None) -> Iterator[Sequence[Any]]:
    pages = {page.title: page for page in book.worksheets}
    if not pages or (title is not None and title not in pages):
        raise FileUnreadable("the sheet is missing")
    page = pages[title] if title is not None else next(iter(pages.values()))
    # one more than allowed, so that too many are noticed; the stated dimensions are the sender's claim and not used
    rows: Iterator[Sequence[Any]] = page.iter_rows(
        min_row=1, min_col=1, max_row=ROW_LIMIT + HEADER_ROWS + 1, max_col=COLUMN_LIMIT + 1
    )
    return rows


def _next(rows: Iterator[Sequence[Any]]) -> Sequence[Any] | None:
    found: Sequence[Any] | None = _or_unreadable(lambda: next(rows, None))
    return found


def _keys(header: Sequence[Any] | None, required: Iterable[str]) -> list[str]:
    cells = [cell.value for cell in header or ()]
    keys = ["" if value is None else str(value).strip() for value in cells]
    if len(keys) > COLUMN_LIMIT and keys[COLUMN_LIMIT]:
        raise FileUnreadable(f"more than {COLUMN_LIMIT} columns")
    named = [key for key in keys if key]
    if not named or len(set(named)) != len(named) or not set(required) <= set(named):
        raise FileUnreadable("the first row does not hold the template's keys")
    return keys


def _sheet_rows(rows: Iterator[Sequence[Any]], keys: Sequence[str]) -> Iterator[SheetRow]:
    number = HEADER_ROWS
    while (cells := _next(rows)) is not None:
        number += 1
        row = _sheet_row(number, cells, keys)
        if row is None:
            continue
        if number > ROW_LIMIT + HEADER_ROWS:
            raise FileUnreadable(f"more than {ROW_LIMIT} rows")
        yield row


def _sheet_row(number: int, cells: Sequence[Any], keys: Sequence[str]) -> SheetRow | None:
    texts = {key: "" for key in keys if key}
    problems: list[tuple[str, str]] = []
    for column, (key, cell) in enumerate(zip(keys, cells, strict=False)):
        try:
            text = cell_text(cell)
        except _CellProblem as wrong:
            problems.append((key or NO_KEY + letters(column), str(wrong)))
            continue
        if key:
            texts[key] = text
        elif text:
            problems.append((NO_KEY + letters(column), UNKNOWN_FIELD))
    if not problems and not any(texts.values()):
        return None
    return SheetRow(row=number, cells=texts, problems=tuple(problems))


def cell_text(cell: Any) -> str:
    """The exact text of a cell, without blanks around it; `_CellProblem` where there is none."""
    value = cell.value
    if value is None:
        return ""
    if cell.data_type in ("f", "e"):
        raise _CellProblem(FORMULA)
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, int | float | Decimal):
        return _number_text(value)
    if isinstance(value, datetime | date | time | timedelta):
        return _time_text(value)
    return _unescaped(str(value)).replace("\r\n", "\n").replace("\r", "\n").strip()


def _unescaped(text: str) -> str:
    """`_x000D_` and its like, which XLSX writes for characters XML cannot hold."""
    if "_x" not in text:
        return text
    from openpyxl.utils.escape import unescape

    plain: str = unescape(text)
    return plain


def _number_text(value: int | float | Decimal) -> str:
    if isinstance(value, float) and not isfinite(value):
        raise _CellProblem(NUMBER_NOT_TEXT)
    # spreadsheet programs keep 15 digits; what comes after them is noise of binary fractions
    exact = Decimal(value) if isinstance(value, int) else Decimal(f"{value:.{EXACT_DIGITS}g}")
    if abs(exact) >= 10**EXACT_DIGITS:
        raise _CellProblem(NUMBER_NOT_TEXT)
    text = f"{exact:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _time_text(value: datetime | date | time | timedelta) -> str:
    """A day as `YYYY-MM-DD`, a day with a time as `YYYY-MM-DD HH:MM:SS`, a time of day as it stands."""
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ", "seconds")
    if isinstance(value, timedelta):
        return str(value)
    return value.isoformat()

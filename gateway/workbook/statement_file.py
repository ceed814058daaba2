"""对账单文件 The lines of a ledger, one after the other, from NDJSON, CSV or XLSX, in constant memory.

Rules: a line of text is a line of the ledger: none may go on in the next, so that a quote nobody closed costs one line
and not the rest. CSV is UTF-8 (with or without a byte order mark) or GB 18030, whichever its beginning is; a cell that
a spreadsheet program would calculate is refused. A bad line is one with a problem; it never stops the others.
"""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from marshmallow import ValidationError

from gateway.domain.values import InvalidValue
from gateway.envelope import strict_json
from gateway.errors import FileUnreadable, MalformedJson, TooLarge
from gateway.workbook.archive import FILE_LIMIT
from gateway.workbook.reading import NO_KEY, read_sheet
from gateway.workbook.statement_columns import COLUMNS, SHEET, fields_of, key_of
from schemas.problems import flatten
from schemas.statement import STATEMENT_LINE

LINE_LIMIT = 64 * 1024
_BOM = b"\xef\xbb\xbf"
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t")


@dataclass(frozen=True, kw_only=True, slots=True)
class LedgerLine:
    """One line. number: as the program that made the file counts; fields: the wire's, as far as it could be read."""

    number: int
    fields: dict[str, Any]
    problem: tuple[str, str] | None = None
    """(pointer, code) of the first thing wrong."""


def read_ledger(chunks: Iterable[bytes], form: str, *, after: int = 0) -> Iterator[LedgerLine]:
    """Every line that is not blank, in order; those up to number `after` are passed over unread. FileUnreadable for a
    file that is not of the form."""
    match form:
        case "NDJSON":
            return _ndjson(chunks, after)
        case "CSV":
            return _csv(chunks, after)
        case "XLSX":
            return _xlsx(chunks, after)
    raise FileUnreadable(f"no form {form}")


def text_lines(chunks: Iterable[bytes]) -> Iterator[tuple[int, bytes | None]]:
    """(number, line) without line ends; None for one above the limit, which is never held."""
    kept, number, dropped = b"", 0, False
    for chunk in chunks:
        *whole, rest = (kept + chunk).split(b"\n")
        for line in whole:
            number += 1
            yield number, None if dropped or len(line) > LINE_LIMIT else line.removesuffix(b"\r")
            dropped = False
        kept = rest
        if len(kept) > LINE_LIMIT:
            kept, dropped = b"", True
    if kept or dropped:
        yield number + 1, None if dropped else kept.removesuffix(b"\r")


def checked(number: int, fields: dict[str, Any], problem: tuple[str, str] | None = None) -> LedgerLine:
    """The line held against the wire's shape; what is wrong with one field leaves the others."""
    if problem is None:
        try:
            return LedgerLine(number=number, fields=STATEMENT_LINE.load(fields))
        except ValidationError as wrong:
            (pointer, code), *_ = flatten(wrong.messages)
            problem = (pointer, code)
            return LedgerLine(number=number, fields=_good(wrong.valid_data), problem=problem)
    try:
        loaded = STATEMENT_LINE.load(fields)
    except ValidationError as wrong:
        loaded = _good(wrong.valid_data)
    return LedgerLine(number=number, fields=loaded, problem=problem)


def _good(found: Any) -> dict[str, Any]:
    return found if isinstance(found, dict) else {}


def _ndjson(chunks: Iterable[bytes], after: int) -> Iterator[LedgerLine]:
    for number, line in text_lines(chunks):
        if number <= after:
            continue
        if line is None:
            yield LedgerLine(number=number, fields={}, problem=("", "too_large"))
            continue
        if number == 1:
            line = line.removeprefix(_BOM)
        if not line.strip():
            continue
        try:
            value = strict_json.loads(line, max_bytes=LINE_LIMIT)
        except (MalformedJson, TooLarge):
            yield LedgerLine(number=number, fields={}, problem=("", "malformed_json"))
            continue
        if isinstance(value, dict):
            yield checked(number, value)
        else:
            yield LedgerLine(number=number, fields={}, problem=("", "not_object"))


def _csv(chunks: Iterable[bytes], after: int) -> Iterator[LedgerLine]:
    keys: list[str | None] | None = None
    encoding = ""
    for number, line in text_lines(chunks):
        if keys is None:
            if line is None:
                raise FileUnreadable("the first line is no heading")
            line = line.removeprefix(_BOM)
            if not line.strip():
                continue
            encoding = _encoding(line)
            keys = _keys(line.decode(encoding, "replace"))
            continue
        if number <= after or (line is not None and not line.strip(b" ,\t")):
            continue
        if line is None:
            yield LedgerLine(number=number, fields={}, problem=("", "too_large"))
        else:
            yield _csv_line(number, line, keys, encoding)
    if keys is None:
        raise FileUnreadable("the file is empty")


def _encoding(heading: bytes) -> str:
    """What the heading is written in; one of ASCII alone says nothing, and each line is tried as both."""
    try:
        heading.decode("utf-8")
    except UnicodeDecodeError:
        return "gb18030"
    return "utf-8"


def _keys(heading: str) -> list[str | None]:
    try:
        cells = next(csv.reader([heading], strict=True))
    except (csv.Error, StopIteration) as wrong:
        raise FileUnreadable("the first line is no heading") from wrong
    keys = [key_of(cell) if cell.strip() else None for cell in cells]
    known = [key for key in keys if key]
    if "status" not in known or len(set(known)) != len(known):
        raise FileUnreadable("the first line does not hold the template's headings")
    if any(key is None and cell.strip() for key, cell in zip(keys, cells, strict=True)):
        raise FileUnreadable("the first line holds a heading that is not of the template")
    return keys


def _csv_line(number: int, line: bytes, keys: list[str | None], encoding: str) -> LedgerLine:
    try:
        text = _decoded(line, encoding)
        if "\0" in text:
            raise InvalidValue("control_character")
        cells = next(csv.reader([text], strict=True))
    except InvalidValue as wrong:
        return LedgerLine(number=number, fields={}, problem=("", wrong.code))
    except (csv.Error, StopIteration):
        return LedgerLine(number=number, fields={}, problem=("", "malformed_line"))
    problem = None if len(cells) <= len(keys) else ("", "too_many")
    filled: dict[str, str] = {}
    for key, cell in zip(keys, cells, strict=False):
        plain = cell.strip()
        if plain.startswith("'") and plain[1:2] in _FORMULA:
            plain = plain[1:]
        elif plain.startswith(_FORMULA):
            problem = problem or (f"/{key or NO_KEY}", "formula_not_value")
            continue
        if key is None and plain:
            problem = problem or (f"/{NO_KEY}", "unknown_field")
        elif key is not None:
            filled[key] = plain
    fields, wrong_cell = fields_of(filled)
    return checked(number, fields, problem or wrong_cell)


def _decoded(line: bytes, encoding: str) -> str:
    """A heading of plain letters may stand over lines in either encoding."""
    try:
        return line.decode(encoding)
    except UnicodeDecodeError:
        if encoding != "utf-8":
            raise InvalidValue("not_text") from None
    try:
        return line.decode("gb18030")
    except UnicodeDecodeError:
        raise InvalidValue("not_text") from None


def _xlsx(chunks: Iterable[bytes], after: int) -> Iterator[LedgerLine]:
    raw = bytearray()
    for chunk in chunks:
        raw += chunk
        if len(raw) > FILE_LIMIT:
            raise FileUnreadable(f"larger than {FILE_LIMIT} bytes; use CSV or NDJSON")
    keys = {key for key, *_ in COLUMNS}
    for row in read_sheet(bytes(raw), sheet=SHEET, required=["status"]):
        if row.row <= after:
            continue
        problem = next(((f"/{key}", code) for key, code in row.problems), None)
        unknown = next((key for key, text in row.cells.items() if text and key not in keys), None)
        if unknown is not None:
            problem = problem or (f"/{unknown}", "unknown_field")
        fields, wrong_cell = fields_of({key: text for key, text in row.cells.items() if key in keys})
        yield checked(row.row, fields, problem or wrong_cell)

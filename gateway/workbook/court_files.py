"""报送文件 What a court hands in as files: JSON, NDJSON or the filled workbook, told apart by the file's ending.

A plain object is the data of one message; its type is `referral.submitted`, unless the file's name ends in another
(`judicial_assistance.paid.ndjson`). An object may carry its own: `{"type": …, "data": {…}}`. The JSON is the wire's
strict one; a byte order mark is passed over. NDJSON is streamed, so a file of any length may be read; a line is at most
256 KiB. One bad line never stops the others.
"""

from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from marshmallow import ValidationError

from gateway.envelope import strict_json
from gateway.errors import FileUnreadable, MalformedJson, TooLarge
from gateway.workbook.archive import FILE_LIMIT
from gateway.workbook.court_workbook import read_court_workbook
from gateway.workbook.reading import ROW_LIMIT
from gateway.workbook.rows import REFERRAL_SUBMITTED, RowResult, as_problems, shape_problems, unreadable
from schemas.court_money import PLAN, QUANTIFICATION, USE_REPORT, VISIT
from schemas.exchanges import CLUE_ANSWER, INQUIRY
from schemas.fields import Code, OpenObject, StrictSchema
from schemas.problems import flatten
from schemas.referral import AMENDMENT, COURT_PAYMENT, REFERRAL, WITHDRAWAL

SHAPES = {
    REFERRAL_SUBMITTED: REFERRAL,
    "referral.amended": AMENDMENT,
    "referral.withdrawn": WITHDRAWAL,
    "judicial_assistance.paid": COURT_PAYMENT,
    "disbursement.planned": PLAN,
    "fund_use.reported": USE_REPORT,
    "follow_up.recorded": VISIT,
    "amount.quantified": QUANTIFICATION,
    "inquiry.asked": INQUIRY,
    "clue.answered": CLUE_ANSWER,
}
"""The message types a file may hold, and the shape of each."""

LINE_LIMIT = 256 * 1024

_BOM = b"\xef\xbb\xbf"
_BLANK = b" \t\r\n"
_CHUNK = 64 * 1024


class _TypedSchema(StrictSchema):
    type = Code(SHAPES, required=True)
    data = OpenObject(required=True)


_TYPED = _TypedSchema()


def read_court_file(path: Path | str) -> Iterator[RowResult]:
    """One result per row, line or array item, in order; each names the file and counts from 1 as its format does.

    FileUnreadable for another ending, a file that cannot be opened, a JSON file that is no array and no object, a
    workbook that is not the template.
    """
    path = Path(path)
    return _rows(path, path, lambda: _open(path))


def read_court_bytes(raw: bytes, name: str) -> Iterator[RowResult]:
    """The same for a file that is in memory alone. Raises as `read_court_file`."""
    return _rows(Path(name), raw, lambda: BytesIO(raw))


def _rows(path: Path, source: Path | bytes, opened: Callable[[], BinaryIO]) -> Iterator[RowResult]:
    match path.suffix.lower():
        case ".json":
            return _json(path, opened)
        case ".ndjson" | ".jsonl":
            return _ndjson(path, opened)
        case ".xlsx":
            return read_court_workbook(source, file=path.name)
    raise FileUnreadable("neither .json, .ndjson, .jsonl nor .xlsx")


def _json(path: Path, opened: Callable[[], BinaryIO]) -> Iterator[RowResult]:
    with opened() as stream:
        raw = stream.read(FILE_LIMIT + 1).removeprefix(_BOM)
    try:
        value = strict_json.loads(raw, max_bytes=FILE_LIMIT)
    except TooLarge as wrong:
        raise FileUnreadable(f"larger than {FILE_LIMIT} bytes") from wrong
    except MalformedJson as wrong:
        raise FileUnreadable(f"not acceptable as JSON: {wrong.note}") from wrong
    if not isinstance(value, list | dict):
        raise FileUnreadable("neither an array nor an object")
    items = value if isinstance(value, list) else [value]
    if len(items) > ROW_LIMIT:
        raise FileUnreadable(f"more than {ROW_LIMIT} items; use NDJSON")
    for number, item in enumerate(items, start=1):
        yield _row(item, number, path)


def _ndjson(path: Path, opened: Callable[[], BinaryIO]) -> Iterator[RowResult]:
    with opened() as stream:
        for number, line in enumerate(_lines(stream), start=1):
            if line is None:
                yield _refused(path, number, TooLarge("line"))
            elif line.strip(_BLANK):
                yield _line(line, number, path)


def _line(line: bytes, number: int, path: Path) -> RowResult:
    try:
        value = strict_json.loads(line, max_bytes=LINE_LIMIT)
    except (MalformedJson, TooLarge) as wrong:
        return _refused(path, number, wrong)
    return _row(value, number, path)


def _lines(stream: BinaryIO) -> Iterator[bytes | None]:
    """Every line without its end; None for one that is too long, which is never held in memory."""
    most = LINE_LIMIT + len(_BOM) + len(b"\r\n")
    start = _BOM
    while line := stream.readline(most):
        if len(line) == most and not line.endswith(b"\n"):
            _pass_over(stream)
            yield None
        else:
            yield line.removeprefix(start).rstrip(b"\r\n")
        start = b""


def _pass_over(stream: BinaryIO) -> None:
    """The rest of a line."""
    while (rest := stream.readline(_CHUNK)) and not rest.endswith(b"\n"):
        pass


def _row(value: Any, number: int, path: Path) -> RowResult:
    """One object, checked against the shape of its type."""
    kind, data = _type_by_name(path), value
    if isinstance(value, dict) and ("type" in value or "data" in value):
        try:
            typed = _TYPED.load(value)
        except ValidationError as wrong:
            problems = as_problems(number, flatten(wrong.messages))
            return RowResult(row=number, data=None, problems=problems, type=kind, file=path.name)
        kind, data = typed["type"], typed["data"]
    problems = as_problems(number, shape_problems(SHAPES[kind], data))
    return RowResult(row=number, data=None if problems else data, problems=problems, type=kind, file=path.name)


def _refused(path: Path, number: int, wrong: MalformedJson | TooLarge) -> RowResult:
    problems = unreadable(number, wrong.code, note=wrong.note)
    return RowResult(row=number, data=None, problems=problems, type=_type_by_name(path), file=path.name)


def _type_by_name(path: Path) -> str:
    return next((kind for kind in SHAPES if path.stem.endswith(kind)), REFERRAL_SUBMITTED)


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as wrong:
        raise FileUnreadable("the file cannot be opened") from wrong

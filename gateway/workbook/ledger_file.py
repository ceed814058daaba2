"""旧台账文件 The lines of an old ledger of aid, from CSV, XLSX or NDJSON, and its empty template.

Rules: headings are machine keys or their Chinese; amounts are in yuan, days as clerks write them; CSV is UTF-8 or
GB 18030. A bad line has a problem and stops no other; nothing of what it says leaves with the problem but its field.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.domain.values import InvalidValue
from gateway.envelope import strict_json
from gateway.errors import FileUnreadable, MalformedJson, TooLarge
from gateway.workbook.reading import read_sheet
from gateway.workbook.spellings import read_day, read_yuan
from gateway.workbook.writing import Sheet, write_workbook

SHEET = "旧台账 Ledger"
COLUMNS: tuple[tuple[str, str, bool], ...] = (
    ("organ", "救助机关", True),
    ("organ_kind", "机关类别", True),
    ("case_number", "救助案号", True),
    ("original_cases", "原案件案号", True),
    ("name", "姓名", True),
    ("id_type", "证件类型", False),
    ("id_number", "证件号码", True),
    ("decided_on", "决定日期", True),
    ("amount_yuan", "金额（元）", True),
    ("joint_id", "联动救助编号", False),
    ("programme", "项目", False),
)
"""(key, Chinese, required)."""
KIND_WORDS = {"法院": "COURT", "检察院": "PROCURATORATE", "公安": "POLICE", "部门": "AGENCY", "其他": "OTHER"}
_KINDS = frozenset(KIND_WORDS.values())
_MOST = {"organ": 100, "case_number": 120, "original_cases": 400, "name": 100, "joint_id": 64, "programme": 20}
_LINE_BYTES = 64 * 1024
_FORMULA = ("=", "+", "@", "\t")


@dataclass(frozen=True, kw_only=True, slots=True)
class OldLine:
    """One line. problem: (field, code) of the first thing wrong; then `fields` is empty."""

    number: int
    fields: Mapping[str, str | int]
    problem: tuple[str, str] | None = None


def read_old_ledger(raw: bytes, name: str) -> Iterator[OldLine]:
    """Every line that is not blank; the form is told by the name's ending. FileUnreadable for another file."""
    match Path(name).suffix.lower():
        case ".csv":
            rows = _csv(raw)
        case ".xlsx":
            rows = ((row.row, dict(row.cells)) for row in read_sheet(raw, sheet=SHEET, required=["case_number"]))
        case ".ndjson" | ".jsonl":
            rows = _ndjson(raw)
        case other:
            raise FileUnreadable(f"no form {other}: csv, xlsx or ndjson")
    return (_line(number, cells) for number, cells in rows)


def _csv(raw: bytes) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("gb18030", "replace")
    rows = csv.reader(io.StringIO(text, newline=""))
    keys = {word: key for key, zh, _ in COLUMNS for word in (key, zh, zh.partition("（")[0])}
    try:
        heading = [keys.get(cell.strip(), "") for cell in next(rows)]
        if "case_number" not in heading or "id_number" not in heading:
            raise FileUnreadable("the first line does not hold the template's headings")
        for row in rows:
            if any(cell.strip() for cell in row):
                yield rows.line_num, {key: cell for key, cell in zip(heading, row, strict=False) if key}
    except (csv.Error, StopIteration) as wrong:
        raise FileUnreadable("the file is no CSV with a heading") from wrong


def _ndjson(raw: bytes) -> Iterator[tuple[int, dict[str, str]]]:
    for number, line in enumerate(raw.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            value = strict_json.loads(line, max_bytes=_LINE_BYTES)
        except (MalformedJson, TooLarge):
            value = None
        known = value if isinstance(value, dict) else {}
        yield number, {key: str(said) for key, said in known.items() if said is not None}


def _line(number: int, cells: Mapping[str, str]) -> OldLine:
    fields: dict[str, str | int] = {}
    for key, _, required in COLUMNS:
        text = cells.get(key, "").strip()
        try:
            if required and not text:
                raise InvalidValue("required")
            if text:
                fields[key] = _read(key, text)
        except InvalidValue as wrong:
            return OldLine(number=number, fields={}, problem=(key, wrong.code))
    return OldLine(number=number, fields=fields)


def _read(key: str, text: str) -> str | int:
    if text.startswith(_FORMULA):
        raise InvalidValue("formula_not_value")
    if len(text) > _MOST.get(key, 60):
        raise InvalidValue("too_long")
    match key:
        case "amount_yuan":
            return read_yuan(text)
        case "decided_on":
            return read_day(text).isoformat()
        case "organ_kind":
            kind = KIND_WORDS.get(text, text.upper())
            if kind not in _KINDS:
                raise InvalidValue("unknown_code")
            return kind
        case _:
            return text


def csv_template() -> str:
    """The headings alone."""
    return ",".join(key for key, _, _ in COLUMNS) + "\n"


def write_ledger_template(target: Path | str) -> None:
    """The empty workbook. MissingExtra without xlsxwriter."""
    columns = [(key, f"{zh}{'*' if required else ''}") for key, zh, required in COLUMNS]
    write_workbook(target, [Sheet(title=SHEET, columns=columns, choices={"organ_kind": list(KIND_WORDS)})])


def texts(fields: Mapping[str, str | int], names: Iterable[str]) -> dict[str, str]:
    """Those fields as text, those not given as empty text."""
    return {name: str(fields.get(name, "")) for name in names}

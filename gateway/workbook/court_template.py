"""移送模板 The court's workbook: one row per person, every field of a referral, household members on a second sheet.

The columns are the table `court_columns.csv`. Reading gives the wire's own dict per row and every problem of the row at
once; whether the dict is a good referral is the wire schema's and the rules' question. A blank cell is an absent field.
Amounts are typed in yuan and become fen; a moment without an offset is China time. The notes sheet explains each column
with an example of an invented person.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, BinaryIO

from gateway.domain.values import InvalidValue
from gateway.errors import FieldProblem
from gateway.workbook.court_codes import choices, need_of, read_code
from gateway.workbook.reading import SheetRow, read_rows
from gateway.workbook.spellings import read_day, read_flag, read_moment, read_texts, read_whole, read_yuan
from gateway.workbook.writing import NOTES_SHEET, Sheet, write_workbook

REFERRAL_SHEET = "移送 Referrals"
HOUSEHOLD_SHEET = "家庭成员 Household"
NEED_GROUPS = 5
LINE = "line"

_NEED = re.compile(r"need_([0-9]+)(_note)?")

_REQUIREMENT = {"required": "必填 required", "conditional": "视情况 when it applies", "optional": "选填 optional"}
_WIDE = frozenset({"survey.summary", "person.residence", "attachments", "cap_exceeded_reason", "custody"})
_NOTES_COLUMNS = (
    ("sheet", "工作表 Sheet"),
    ("heading", "栏目 Column"),
    ("need", "是否必填 Required"),
    ("note", "说明 Explanation"),
    ("example", "示例（虚构） Example (synthetic)"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class TemplateColumn:
    """One column. kind: `text`, `day`, `yuan`, …, or `code:<list>`; need: required, conditional or optional."""

    sheet: str
    key: str
    kind: str
    need: str
    zh: str
    en: str
    note_zh: str
    note_en: str
    example: str

    @property
    def heading(self) -> str:
        """Both languages; a star marks what is required."""
        return f"{self.zh}{'*' if self.need == 'required' else ''}\n{self.en}"

    @property
    def words(self) -> str | None:
        """Name of the list of codes the column takes, if it takes one."""
        if self.kind in ("need", "flag"):
            return self.kind
        return self.kind.partition(":")[2] or None

    @property
    def pointer(self) -> str:
        """JSON pointer of the field within the row's data."""
        if found := _NEED.fullmatch(self.key):
            return f"/needs/{int(found[1]) - 1}/{'note' if found[2] else 'programme'}"
        return "/" + self.key.removesuffix("_yuan").replace(".", "/") + ("_fen" if self.kind == "yuan" else "")


@dataclass(frozen=True, kw_only=True, slots=True)
class RowResult:
    """One row of the template. data: the wire's dict, None where there are problems; sheet: the one `row` counts in."""

    row: int
    data: dict[str, Any] | None
    problems: tuple[FieldProblem, ...] = ()
    sheet: str = REFERRAL_SHEET


@cache
def template_columns() -> tuple[TemplateColumn, ...]:
    """Every column of both sheets, left to right."""
    text = files(__package__).joinpath("court_columns.csv").read_text(encoding="utf-8")
    return tuple(TemplateColumn(**row) for row in csv.DictReader(text.splitlines(), strict=True))


def write_template(target: Path | str | BinaryIO) -> None:
    """An empty template with drop-downs and notes."""
    notes = Sheet(
        title=NOTES_SHEET,
        columns=_NOTES_COLUMNS,
        rows=[_note(column) for column in template_columns()],
        widths={"sheet": 20, "heading": 32, "need": 24, "note": 70, "example": 44},
    )
    write_workbook(
        target,
        [
            _sheet(REFERRAL_SHEET, _of("referral"), freeze_columns=2),
            _sheet(HOUSEHOLD_SHEET, _of("household"), freeze_columns=1),
            notes,
        ],
    )


def read_template(source: Path | str | bytes) -> Iterator[RowResult]:
    """One result per filled row, in order; last the household rows that belong to no referral.

    FileUnreadable for a file that is not a filled template.
    """
    raw = source if isinstance(source, bytes) else Path(source)
    households = _households(raw)
    seen: set[str] = set()
    for row in read_rows(raw, sheet=REFERRAL_SHEET, required=[column.key for column in _of("referral")]):
        line = row.cells[LINE]
        problems = [FieldProblem(pointer="/line", code="repeated")] if line and line in seen else []
        seen.add(line)
        yield _referral(row, households.get(line, []) if line else [], problems)
    for line, members in households.items():
        if not line or line not in seen:
            yield from (_orphan(member) for member in members)


def _of(sheet: str) -> tuple[TemplateColumn, ...]:
    return tuple(column for column in template_columns() if column.sheet == sheet)


def _sheet(title: str, columns: Sequence[TemplateColumn], *, freeze_columns: int) -> Sheet:
    return Sheet(
        title=title,
        columns=[(column.key, column.heading) for column in columns],
        choices={column.key: choices(column.words) for column in columns if column.words},
        widths={column.key: 40 for column in columns if column.key in _WIDE or column.key.endswith("_note")},
        freeze_columns=freeze_columns,
    )


def _note(column: TemplateColumn) -> dict[str, str]:
    return {
        "sheet": REFERRAL_SHEET if column.sheet == "referral" else HOUSEHOLD_SHEET,
        "heading": f"{column.zh} {column.en}",
        "need": _REQUIREMENT[column.need],
        "note": f"{column.note_zh}\n{column.note_en}".strip(),
        "example": column.example,
    }


def _households(source: Path | bytes) -> dict[str, list[SheetRow]]:
    found: dict[str, list[SheetRow]] = {}
    for row in read_rows(source, sheet=HOUSEHOLD_SHEET, required=[column.key for column in _of("household")]):
        found.setdefault(row.cells[LINE], []).append(row)
    return found


def _referral(row: SheetRow, members: Sequence[SheetRow], problems: list[FieldProblem]) -> RowResult:
    data, found = _values(row, _of("referral"))
    problems = problems + found
    _join_needs(data)
    for at, member in enumerate(members):
        values, found = _values(member, _of("household"))
        problems += [FieldProblem(pointer=f"/person/household/{at}{one.pointer}", code=one.code) for one in found]
        data.setdefault("person", {}).setdefault("household", []).append(values)
    return RowResult(row=row.row, data=None if problems else data, problems=tuple(problems))


def _orphan(member: SheetRow) -> RowResult:
    problem = FieldProblem(pointer="/line", code="invalid" if member.cells[LINE] else "required")
    return RowResult(row=member.row, data=None, problems=(problem,), sheet=HOUSEHOLD_SHEET)


def _values(row: SheetRow, columns: Sequence[TemplateColumn]) -> tuple[dict[str, Any], list[FieldProblem]]:
    """The row as a nested dict, and what is wrong with it."""
    by_key = {column.key: column for column in columns}
    data: dict[str, Any] = {}
    problems = [
        FieldProblem(pointer=by_key[key].pointer if key in by_key else "/?", code=code) for key, code in row.problems
    ]
    problems += [
        FieldProblem(pointer="/?", code="unknown_field")
        for key, cell in row.cells.items()
        if cell and key not in by_key
    ]
    for column in columns:
        cell = row.cells.get(column.key, "")
        if not cell or column.kind == "line":
            continue
        try:
            value = _value(column, cell)
        except InvalidValue as wrong:
            problems.append(FieldProblem(pointer=column.pointer, code=wrong.code))
        else:
            _place(data, column, value)
    return data, problems


def _value(column: TemplateColumn, cell: str) -> Any:
    kind, _, words = column.kind.partition(":")
    match kind:
        case "day":
            return read_day(cell).isoformat()
        case "moment":
            return read_moment(cell)
        case "yuan":
            return read_yuan(cell)
        case "flag":
            return read_flag(cell)
        case "code":
            return read_code(words, cell)
        case "codes":
            return [read_code(words, part) for part in read_texts(cell)]
        case "number":
            return int(read_code(words, cell))
        case "texts":
            return read_texts(cell)
        case "need":
            return need_of(cell)
        case "attachments":
            return [_attachment(line) for line in cell.splitlines() if line.strip()]
        case _:
            return cell


def _attachment(line: str) -> dict[str, Any]:
    parts = line.split()
    if len(parts) != 3:
        raise InvalidValue("pattern")
    return {"sha256": parts[0].lower(), "media_type": parts[1], "size": read_whole(parts[2])}


def _place(data: dict[str, Any], column: TemplateColumn, value: Any) -> None:
    *outer, last = column.key.split(".")
    for name in outer:
        data = data.setdefault(name, {})
    data[f"{last.removesuffix('_yuan')}_fen" if column.kind == "yuan" else last] = value


def _join_needs(data: dict[str, Any]) -> None:
    """The column groups `need_1`, `need_1_note`, … as the list the wire has; a note alone is a need that says so."""
    needs = []
    for number in range(1, NEED_GROUPS + 1):
        need = data.pop(f"need_{number}", {})
        note = data.pop(f"need_{number}_note", None)
        if need or note is not None:
            needs.append({**need, **({} if note is None else {"note": note})})
    if needs:
        data["needs"] = needs

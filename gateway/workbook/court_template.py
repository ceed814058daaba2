"""移送模板 The court's empty workbook: a row per person, household members on a second sheet, an example on a third.

The columns are the table `court_columns.csv`, every field of a referral (DOMAIN §3). What repeats: needs have five
pairs of columns, household members a sheet of their own tied by the line number, investigators and groups share a cell
with 、 between them, attachments have a line each. The third sheet explains each column; its example is invented.
"""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import BinaryIO

from gateway.workbook.court_codes import choices
from gateway.workbook.writing import Sheet, write_workbook

REFERRAL_SHEET = "移送 Referrals"
HOUSEHOLD_SHEET = "家庭成员 Household"
EXAMPLE_SHEET = "说明与示例 Example"
NEED_GROUPS = 5
LINE = "line"

NEED_KEY = re.compile(r"need_([0-9]+)(_note)?")

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
        """JSON pointer of the field; of a need column within its own need."""
        if found := NEED_KEY.fullmatch(self.key):
            return "/note" if found[2] else "/programme"
        return "/" + self.key.removesuffix("_yuan").replace(".", "/") + ("_fen" if self.kind == "yuan" else "")

    @property
    def need_group(self) -> int | None:
        """Which of the repeated pairs of need columns it belongs to, from 1."""
        found = NEED_KEY.fullmatch(self.key)
        return int(found[1]) if found else None


@cache
def template_columns() -> tuple[TemplateColumn, ...]:
    """Every column of both sheets, left to right."""
    text = files(__package__).joinpath("court_columns.csv").read_text(encoding="utf-8")
    return tuple(TemplateColumn(**row) for row in csv.DictReader(text.splitlines(), strict=True))


def write_court_template(target: Path | str | BinaryIO) -> None:
    """The template with its drop-downs and its explanations. MissingExtra without xlsxwriter."""
    notes = Sheet(
        title=EXAMPLE_SHEET,
        columns=_NOTES_COLUMNS,
        rows=[_note(column) for column in template_columns()],
        widths={"sheet": 20, "heading": 32, "need": 24, "note": 70, "example": 44},
    )
    write_workbook(
        target,
        [
            _sheet(REFERRAL_SHEET, columns_of("referral"), freeze_columns=2),
            _sheet(HOUSEHOLD_SHEET, columns_of("household"), freeze_columns=1),
            notes,
        ],
    )


def columns_of(sheet: str) -> tuple[TemplateColumn, ...]:
    """The columns of one sheet: `referral` or `household`."""
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

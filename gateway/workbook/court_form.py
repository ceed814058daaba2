"""移送表单 The court's template as a form: the same columns, words and spellings, in sections; typed cells become data.

Rules: the form is the table `court_columns.csv` and nothing else, cut into sections where the table begins a new
matter; what is typed goes through the workbook's own row reader and the same wire shape, so that form and workbook say
the same of the same cell. A problem names the field it stands at; one that belongs to no field names none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from gateway.workbook.court_cells import HOUSEHOLD, REFERRAL
from gateway.workbook.court_template import LINE, TemplateColumn, columns_of
from gateway.workbook.court_workbook import read_referral_row
from gateway.workbook.reading import SheetRow

MOST_MEMBERS = 30
_MEMBERS = "/person/household"
_SECTIONS = (
    ("case", "案件", "Case", "referral_id"),
    ("decision", "救助决定", "Decision", "decision"),
    ("person", "被救助人", "Person", "person.name"),
    ("guardian", "监护人", "Guardian", "person.guardian.name"),
    ("groups", "特定群体", "Specific groups", "person.specific_groups"),
    ("needs", "救助需求", "Needs", "need_1"),
    ("survey", "调查", "Survey", "survey.mode"),
    ("authorisation", "核对授权", "Leave to check means", "verification_authorization.ref"),
    ("basis", "处理依据与告知", "Basis and notice", "legal_basis"),
    ("contact", "联系与附件", "Contact and attachments", "contact.name"),
)
"""Code, Chinese, English, and the column with which it begins."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FormSection:
    """分组: columns that belong together."""

    code: str
    zh: str
    en: str
    columns: tuple[TemplateColumn, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class FormProblem:
    """One thing wrong. field: the form's name for where; "" where no field is to blame alone."""

    field: str
    pointer: str
    code: str


@dataclass(frozen=True, kw_only=True, slots=True)
class FormReading:
    """What was typed, read. data: None exactly where there are problems; places: field by pointer."""

    data: dict[str, Any] | None
    problems: tuple[FormProblem, ...]
    places: Mapping[str, str]

    def field_at(self, pointer: str) -> str:
        """The field of a pointer into the referral, of what it is part of, or the first one within it; else ""."""
        if not pointer:
            return ""
        above = pointer
        while above:
            if above in self.places:
                return self.places[above]
            above = above.rpartition("/")[0]
        within = f"{pointer}/"
        return next((name for known, name in self.places.items() if known.startswith(within)), "")


@cache
def form_sections() -> tuple[FormSection, ...]:
    """Every column of the referral's sheet but the line number, in the table's order."""
    begins = {first: (code, zh, en) for code, zh, en, first in _SECTIONS}
    found: list[FormSection] = []
    for column in columns_of(REFERRAL):
        if column.key == LINE:
            continue
        if column.key in begins:
            code, zh, en = begins[column.key]
            found.append(FormSection(code=code, zh=zh, en=en, columns=()))
        last = found[-1]
        found[-1] = FormSection(code=last.code, zh=last.zh, en=last.en, columns=(*last.columns, column))
    return tuple(found)


@cache
def member_columns() -> tuple[TemplateColumn, ...]:
    """The columns of one household member."""
    return tuple(column for column in columns_of(HOUSEHOLD) if column.key != LINE)


def member_field(at: int, key: str) -> str:
    """The form's name of a household member's field, members counted from 0."""
    return f"household-{at}-{key}"


def read_form(cells: Mapping[str, str], members: Sequence[Mapping[str, str]]) -> FormReading:
    """cells: typed text by column; members: the same for each household row, blank ones among them."""
    typed = {column.key: _text(cells.get(column.key, "")) for column in columns_of(REFERRAL)}
    rows = [(at, _member(at, one)) for at, one in enumerate(members[:MOST_MEMBERS])]
    filled = [(at, row) for at, row in rows if any(row.cells.values())]
    result = read_referral_row(SheetRow(row=0, cells=typed | {LINE: ""}), [row for _, row in filled])
    headings = _headings()
    return FormReading(
        data=result.data,
        problems=tuple(
            FormProblem(
                field=_field_of(headings, one.row, one.column),
                pointer=one.pointer,
                code=one.code,
            )
            for one in result.problems
        ),
        places=_places(typed, [at for at, _ in filled]),
    )


def _text(typed: str) -> str:
    """As a cell's text is taken: without blanks around it, its lines ended alike."""
    return typed.replace("\r\n", "\n").replace("\r", "\n").strip()


def _member(at: int, typed: Mapping[str, str]) -> SheetRow:
    cells = {column.key: _text(typed.get(column.key, "")) for column in member_columns()}
    return SheetRow(row=at + 1, cells=cells | {LINE: ""})


@cache
def _headings() -> Mapping[tuple[bool, str], str]:
    """(of the household, heading) → key: a problem names the heading, as the workbook's does."""
    return {(sheet == HOUSEHOLD, column.heading): column.key for sheet in _SHEETS for column in columns_of(sheet)}


_SHEETS = (REFERRAL, HOUSEHOLD)


def _field_of(headings: Mapping[tuple[bool, str], str], row: int, heading: str) -> str:
    key = headings.get((row > 0, heading))
    if key is None or key == LINE:
        return ""
    return member_field(row - 1, key) if row else key


def _places(typed: Mapping[str, str], members: Sequence[int]) -> dict[str, str]:
    """Where each pointer of the data stands in the form; of needs only the filled ones count, in order."""
    found: dict[str, str] = {}
    groups = sorted({c.need_group for c in columns_of(REFERRAL) if c.need_group is not None and typed[c.key]})
    for column in columns_of(REFERRAL):
        if column.need_group is None:
            found[column.pointer] = column.key
        elif column.need_group in groups:
            found[f"/needs/{groups.index(column.need_group)}{column.pointer}"] = column.key
    if not groups:
        found["/needs"] = "need_1"
    for number, at in enumerate(members):
        for column in member_columns():
            found[f"{_MEMBERS}/{number}{column.pointer}"] = member_field(at, column.key)
    return found


def heading_at(pointer: str) -> tuple[str, str]:
    """(Chinese, English) of the column a pointer into a referral's data leads to; the pointer where none does. What is
    said of the whole referral, or of the version it amends, stands at the referral."""
    if pointer in ("", "/amends"):
        return "移送", "The referral"
    parts = pointer.strip("/").split("/")
    number = f" {int(parts[1]) + 1}" if len(parts) > 1 and parts[1].isdigit() else ""
    if parts[0] == "needs":
        return f"救助需求{number}", f"Need{number}"
    if parts[:2] == ["person", "household"]:
        at = f" {int(parts[2]) + 1}" if len(parts) > 2 and parts[2].isdigit() else ""
        inner = {column.pointer: column for column in member_columns()}.get("/" + "/".join(parts[3:]))
        said = ("", "") if inner is None else (f" · {inner.zh}", f" · {inner.en}")
        return f"家庭成员{at}{said[0]}", f"Household member{at}{said[1]}"
    column = {column.pointer: column for column in columns_of(REFERRAL)}.get(pointer)
    return (pointer, pointer) if column is None else (column.zh, column.en)

"""移送工作簿 The court's filled workbook, row by row: the data of a referral, or every problem of the row at once.

A blank cell is an absent field; amounts are typed in yuan and become fen; a moment without an offset is China time.
What comes out has the wire's shape (`schemas.referral`); whether it is a good referral is the rules' question. A
problem names sheet, row and heading. One bad row never stops the others; only a file that cannot be read does.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.domain.values import InvalidValue
from gateway.workbook.archive import safe_bytes
from gateway.workbook.court_codes import need_of, read_code
from gateway.workbook.court_template import HOUSEHOLD_SHEET, LINE, REFERRAL_SHEET, TemplateColumn, columns_of
from gateway.workbook.reading import NO_KEY, UNKNOWN_FIELD, SheetRow, read_sheet
from gateway.workbook.rows import RowProblem, RowResult, shape_problems
from gateway.workbook.spellings import read_day, read_flag, read_moment, read_texts, read_whole, read_yuan
from schemas.referral import REFERRAL

NEEDS = "/needs"
HOUSEHOLD = "/person/household"
UNKNOWN = "/?"


def read_court_workbook(source: Path | str | bytes, *, file: str = "") -> Iterator[RowResult]:
    """One result per filled row, in order; last the household rows that belong to no referral.

    file: what the results call the file. FileUnreadable for a file that is not a filled template; MissingExtra without
    openpyxl.
    """
    raw = safe_bytes(source)
    households = _households(raw)
    seen: set[str] = set()
    for row in read_sheet(raw, sheet=REFERRAL_SHEET, required=[column.key for column in columns_of("referral")]):
        line = row.cells[LINE]
        reading = _Reading()
        if line and line in seen:
            reading.refuse(REFERRAL_SHEET, row, _line_column("referral"), "repeated")
        seen.add(line)
        reading.referral(row, households.get(line, []) if line else [])
        yield reading.result(row, file)
    for line, members in households.items():
        if not line or line not in seen:
            yield from (_orphan(member, file) for member in members)


def read_referral_row(row: SheetRow, members: Sequence[SheetRow]) -> RowResult:
    """The same for one row and its household's rows that stand in no file, as typed into a form."""
    reading = _Reading()
    reading.referral(row, members)
    return reading.result(row, "")


def _households(source: bytes) -> dict[str, list[SheetRow]]:
    found: dict[str, list[SheetRow]] = {}
    for row in read_sheet(source, sheet=HOUSEHOLD_SHEET, required=[column.key for column in columns_of("household")]):
        found.setdefault(row.cells[LINE], []).append(row)
    return found


def _orphan(member: SheetRow, file: str) -> RowResult:
    reading = _Reading()
    code = dict(member.problems).get(LINE) or ("invalid" if member.cells[LINE] else "required")
    reading.refuse(HOUSEHOLD_SHEET, member, _line_column("household"), code)
    return reading.result(member, file, sheet=HOUSEHOLD_SHEET)


def _line_column(sheet: str) -> TemplateColumn:
    return next(column for column in columns_of(sheet) if column.key == LINE)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Place:
    """Where a field stands for the clerk."""

    sheet: str
    row: int
    column: str


@dataclass(kw_only=True, slots=True)
class _Reading:
    """One referral being put together from its row and its household's rows. places: by pointer."""

    data: dict[str, Any] = field(default_factory=dict)
    places: dict[str, _Place] = field(default_factory=dict)
    problems: list[RowProblem] = field(default_factory=list)

    def referral(self, row: SheetRow, members: Sequence[SheetRow]) -> None:
        """Everything that is in the cells, then what the wire's shape says of it."""
        groups = _need_groups(row)
        for column in columns_of("referral"):
            if column.need_group is None:
                self._take(row, column, self.data, column.pointer, REFERRAL_SHEET)
            elif column.need_group in groups:
                self._take_need(row, column, groups.index(column.need_group))
        for at, member in enumerate(members):
            self._member(member, at)
        self._strangers(row, "referral", REFERRAL_SHEET)
        self._judge(row)

    def refuse(self, sheet: str, row: SheetRow, column: TemplateColumn, code: str) -> None:
        """A problem of a row's own line number."""
        pointer = f"/{column.key}"
        self.problems.append(RowProblem(row=row.row, sheet=sheet, column=column.heading, pointer=pointer, code=code))

    def result(self, row: SheetRow, file: str, *, sheet: str = REFERRAL_SHEET) -> RowResult:
        """The data, or the problems."""
        data = None if self.problems else self.data
        return RowResult(row=row.row, data=data, problems=tuple(self.problems), file=file, sheet=sheet)

    def _member(self, row: SheetRow, at: int) -> None:
        member: dict[str, Any] = {}
        self.data.setdefault("person", {}).setdefault("household", []).append(member)
        for column in columns_of("household"):
            if column.key != LINE:
                self._take(row, column, member, f"{HOUSEHOLD}/{at}{column.pointer}", HOUSEHOLD_SHEET)
        self._strangers(row, "household", HOUSEHOLD_SHEET)

    def _take_need(self, row: SheetRow, column: TemplateColumn, at: int) -> None:
        needs = self.data.setdefault("needs", [])
        if len(needs) == at:
            needs.append({})
        self._take(row, column, needs[at], f"{NEEDS}/{at}{column.pointer}", REFERRAL_SHEET)

    def _take(self, row: SheetRow, column: TemplateColumn, into: dict[str, Any], pointer: str, sheet: str) -> None:
        """One cell's value into its place, or its problem."""
        place = self.places[pointer] = _Place(sheet=sheet, row=row.row, column=column.heading)
        cell = row.cells[column.key]
        code = dict(row.problems).get(column.key)
        if code is None and (not cell or column.key == LINE):
            return
        if code is None:
            try:
                _put(into, column, _value(column, cell))
            except InvalidValue as wrong:
                code = wrong.code
        if code is not None:
            self.problems.append(_problem(place, pointer, code))

    def _strangers(self, row: SheetRow, name: str, sheet: str) -> None:
        """Filled columns that are not the template's: what stands there would be lost, so the row is not taken."""
        known = {column.key for column in columns_of(name)}
        found = dict(row.problems) | {key: UNKNOWN_FIELD for key, cell in row.cells.items() if cell}
        for key, code in found.items():
            if key not in known:
                letters = key.removeprefix(NO_KEY) if key.startswith(NO_KEY) else ""
                self.problems.append(_problem(_Place(sheet=sheet, row=row.row, column=letters), UNKNOWN, code))

    def _judge(self, row: SheetRow) -> None:
        """The wire's own verdict, without what follows only from a cell already complained about."""
        complained = {(problem.sheet, problem.row, problem.column) for problem in self.problems}
        for pointer, code in shape_problems(REFERRAL, self.data):
            place = self._place(pointer) or _Place(sheet=REFERRAL_SHEET, row=row.row, column="")
            if (place.sheet, place.row, place.column) not in complained:
                self.problems.append(_problem(place, pointer, code))

    def _place(self, pointer: str) -> _Place | None:
        """The cell of a field, of what it is part of, or the first one within it."""
        above = pointer
        while above:
            if above in self.places:
                return self.places[above]
            above = above.rpartition("/")[0]
        return next((place for known, place in self.places.items() if known.startswith(f"{pointer}/")), None)


def _problem(place: _Place, pointer: str, code: str) -> RowProblem:
    return RowProblem(row=place.row, sheet=place.sheet, column=place.column, pointer=pointer, code=code)


def _need_groups(row: SheetRow) -> list[int]:
    """The pairs of need columns that hold anything; a clerk may leave one out between two others."""
    unread = dict(row.problems)
    filled = {
        column.need_group
        for column in columns_of("referral")
        if column.need_group is not None and (row.cells[column.key] or column.key in unread)
    }
    return sorted(filled)


def _put(into: dict[str, Any], column: TemplateColumn, value: Any) -> None:
    if column.kind == "need":
        into.update(value)
        return
    *outer, last = column.pointer.removeprefix("/").split("/")
    for name in outer:
        into = into.setdefault(name, {})
    into[last] = value


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

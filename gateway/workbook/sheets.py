"""转办表与反馈列 The sheet an office without a server works in: the handoff on the left, its answer on the right.

The handoff part is grey and locked, so that what was asked cannot be changed by a slip; the reply columns are the same
for every agency and their words come from drop-downs. Only rows whose result is filled are read back.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from gateway.domain.replies import COMMON_DENIALS, denial_reasons_for, load_replies
from gateway.domain.values import InvalidValue
from gateway.workbook.reading import SheetRow, read_sheet
from gateway.workbook.rows import RowProblem
from gateway.workbook.spellings import read_day
from gateway.workbook.writing import Columns, Sheet, write_workbook

HANDOFF_SHEET = "转办与反馈 Handoffs"
IDENTITY_KEYS = ("handoff_id", "need_id")
RESULT = "result"
CASE_LAYER = "case"

REPLY_COLUMNS: tuple[tuple[str, str], ...] = (
    ("handoff_id", "转办编号\nHandoff"),
    ("need_id", "事项编号\nNeed"),
    ("result", "办理结果*\nResult"),
    ("at", "办理时间*\nDone at"),
    ("amount_yuan", "金额（元）\nAmount (yuan)"),
    ("starts_on", "起始日期\nFrom"),
    ("ends_on", "截止日期\nUntil"),
    ("reason", "不予救助理由\nReason of denial"),
    ("text", "书面说明\nWritten explanation"),
    ("next_due", "下次反馈日期\nNext answer due"),
    ("forwarded_to", "转往单位\nForwarded to"),
    ("suggested_agency", "建议部门\nSuggested agency"),
    ("suggested_region", "建议地区（六位代码）\nSuggested region"),
    ("missing", "需补材料\nMissing papers"),
    ("service", "服务内容\nService"),
    ("payee", "领款人\nPayee"),
    ("officer", "经办人\nOfficer"),
)
"""(key, bilingual heading) of every reply; `adapters` read rows keyed like this."""

PAYEE_WORDS = ("本人", "监护人", "代理人", "其他")
_DAYS = ("starts_on", "ends_on", "next_due")
_MOMENT = "at"

NOTES = (
    "灰色部分是转办内容，请勿改动；请在右侧各栏填写办理结果。",
    "The grey part is what was handed off and stays as it is; fill in the columns on its right.",
    "每行一个救助需求。未办理的行把“办理结果”留空，系统不会读取。",
    "One row per need. Leave the result blank where there is nothing to say yet: that row is not read.",
    "“不予救助”必须同时填写理由和书面说明。",
    "A denial needs both a reason and a written explanation.",
    "办理时间按北京时间填写，例如 2024-08-26 或 2024-08-26 10:00。",
    "Times are China time, such as 2024-08-26 or 2024-08-26 10:00.",
    "办理结果未终结的，请填写“下次反馈日期”。",
    "Where the result is not final, say when the next answer will come.",
    "请不要删除隐藏的第一行，也不要合并单元格或使用公式。",
    "Keep the hidden first row; merge no cells and use no formulas.",
)


def write_handoff_sheet(
    target: Path | str | BinaryIO,
    columns: Columns,
    rows: Iterable[Mapping[str, str]],
    *,
    agency: str,
) -> None:
    """The agency's columns locked, then the reply columns empty, with the results and reasons it may give to choose
    from.

    ValueError where an agency's column has the key of a reply column, since its cell would be read as an answer.
    """
    own = {key for key, _ in columns}
    clash = own & {key for key, _ in REPLY_COLUMNS} - set(IDENTITY_KEYS)
    if clash:
        raise ValueError(f"handoff columns use keys of the reply: {', '.join(sorted(clash))}")
    missing = [(key, heading) for key, heading in REPLY_COLUMNS if key in IDENTITY_KEYS and key not in own]
    locked = [*missing, *columns]
    write_workbook(
        target,
        [
            Sheet(
                title=HANDOFF_SHEET,
                columns=[*locked, *(pair for pair in REPLY_COLUMNS if pair[0] not in IDENTITY_KEYS)],
                rows=({key: row.get(key, "") for key, _ in locked} for row in rows),
                choices={"result": result_words(), "reason": reason_words(agency), "payee": PAYEE_WORDS},
                widths={"text": 40, "missing": 30, "service": 30},
                locked=frozenset(key for key, _ in locked),
            )
        ],
        notes=NOTES,
    )


def result_words() -> list[str]:
    """办理结果 in the words of the common vocabulary."""
    return [entry.zh for entry in load_replies() if entry.layer == CASE_LAYER]


def reason_words(agency: str) -> list[str]:
    """不予救助理由 this agency may give."""
    allowed = denial_reasons_for(agency)
    return [entry.zh for entry in load_replies() if entry.layer.startswith(COMMON_DENIALS) and entry.code in allowed]


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplyRow:
    """反馈行 as it was filled. cells: text by key of `REPLY_COLUMNS`, blank ones ""; problems: what cannot be read."""

    row: int
    cells: dict[str, str]
    problems: tuple[RowProblem, ...] = ()


def read_reply_sheet(source: Path | str | bytes, *, extra: Sequence[str] = ()) -> Iterator[ReplyRow]:
    """Each row whose result is filled, or whose answer holds a cell that cannot be read.

    extra: keys of further columns the sheet must have and whose cells come along.

    Days become `YYYY-MM-DD` however they were typed. Whether the handoff and the need are known is the caller's
    question. FileUnreadable for another kind of file.
    """
    keys = [*(key for key, _ in REPLY_COLUMNS), *extra]
    for row in read_sheet(source, required=keys):
        problems = tuple(_problems(row))
        if problems or row.cells[RESULT]:
            yield ReplyRow(row=row.row, cells=_reply(row, keys), problems=problems)


def _problems(row: SheetRow) -> Iterator[RowProblem]:
    headings = dict(REPLY_COLUMNS)
    for key, code in row.problems:
        if key in headings:
            yield RowProblem(row=row.row, column=headings[key], pointer=f"/{key}", code=code, sheet=HANDOFF_SHEET)


def _reply(row: SheetRow, keys: Sequence[str]) -> dict[str, str]:
    return with_iso_days({key: row.cells[key] for key in keys})


def with_iso_days(cells: Mapping[str, str]) -> dict[str, str]:
    """An answer's cells, its days as the adapters read them however they were typed."""
    day, blank, clock = cells[_MOMENT].partition(" ")
    return {**cells, **{key: _iso(cells[key]) for key in _DAYS}, _MOMENT: f"{_iso(day)}{blank}{clock}"}


def _iso(text: str) -> str:
    """The day as the adapters read it; what is no day stays as typed, so that the adapter can refuse it by its key."""
    try:
        return read_day(text).isoformat()
    except InvalidValue:
        return text

"""移送表 A court's filled workbook: the `data` of referrals as a clerk would have typed it into the template.

The inverse of `gateway.workbook.court_workbook`: reading the file gives back the same data. A code is
written with its word, money in yuan, several words with 、 between; who has household members gets a line number.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gateway.workbook.court_codes import words_of
from gateway.workbook.court_template import (
    HOUSEHOLD_SHEET,
    LINE,
    NEED_GROUPS,
    REFERRAL_SHEET,
    TemplateColumn,
    columns_of,
)
from gateway.workbook.writing import Sheet, write_workbook


def write_court_sheet(target: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """The workbook of these referrals. MissingExtra without the `export` extra; ValueError for what has no column."""
    lines = list(enumerate(rows, start=1))
    members = [
        {LINE: str(line), **_cells(member, "household")}
        for line, data in lines
        for member in data["person"].get("household", ())
    ]
    write_workbook(
        target,
        [
            _sheet(
                REFERRAL_SHEET,
                "referral",
                [{LINE: str(line), **_cells(_flat(data), "referral")} for line, data in lines],
            ),
            _sheet(HOUSEHOLD_SHEET, "household", members),
        ],
    )


def _sheet(title: str, name: str, rows: Iterable[Mapping[str, str]]) -> Sheet:
    columns = [(column.key, column.heading) for column in columns_of(name)]
    return Sheet(title=title, columns=columns, rows=rows, freeze_columns=1)


def _flat(data: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted keys as the columns have them; needs become the numbered column groups."""
    found: dict[str, Any] = {}
    for name, value in data.items():
        key = prefix + name
        if name == "needs":
            found |= _needs(value)
        elif name != "household":
            found |= _flat(value, f"{key}.") if isinstance(value, dict) else {key: value}
    return found


def _needs(needs: Sequence[Mapping[str, str]]) -> dict[str, str]:
    if len(needs) > NEED_GROUPS:
        raise ValueError("more needs than the template has columns for")
    found = {}
    for number, need in enumerate(needs, start=1):
        found[f"need_{number}"] = need.get("programme") or need["need_code"]
        if "note" in need:
            found[f"need_{number}_note"] = need["note"]
    return found


def _cells(fields: Mapping[str, Any], sheet: str) -> dict[str, str]:
    columns = {_field(column): column for column in columns_of(sheet)}
    if unknown := fields.keys() - columns.keys():
        raise ValueError(f"no column for {sorted(unknown)}")
    return {columns[name].key: _cell(columns[name], value) for name, value in fields.items()}


def _field(column: TemplateColumn) -> str:
    return f"{column.key.removesuffix('_yuan')}_fen" if column.kind == "yuan" else column.key


def _cell(column: TemplateColumn, value: Any) -> str:
    match column.kind.partition(":")[0]:
        case "yuan":
            return f"{value // 100}.{value % 100:02d}"
        case "flag":
            return "是" if value else "否"
        case "code" | "need" | "number":
            return f"{value} {words_of(column.words or '').get(str(value), '')}".strip()
        case "codes" | "texts":
            return "、".join(value)
        case "attachments":
            return "\n".join(f"{paper['sha256']} {paper['media_type']} {paper['size']}" for paper in value)
        case _:
            return str(value)

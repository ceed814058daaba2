"""移送单元格 The cells of a referral as a clerk would have typed them: the inverse of `workbook.court_workbook`.

Reading what is written here gives back the same data. A code is written with its word, money in yuan, several words
with 、 between; needs fill their numbered pairs of columns, and what there is no cell for is refused, never left out.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.workbook.court_codes import words_of
from gateway.workbook.court_template import NEED_GROUPS, TemplateColumn, columns_of

REFERRAL, HOUSEHOLD = "referral", "household"


def cells_of(data: Mapping[str, Any]) -> dict[str, str]:
    """The cells of the referral's own row. ValueError for what has no column."""
    return _cells(_flat(data), REFERRAL)


def member_cells(data: Mapping[str, Any]) -> list[dict[str, str]]:
    """A row for each household member, without the line number that ties it."""
    return [_cells(member, HOUSEHOLD) for member in data["person"].get("household", ())]


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

"""移送表 A court's filled workbook: the `data` of referrals as a clerk would have typed it into the template.

Reading the file gives back the same data; who has household members gets a line number.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gateway.workbook.court_cells import cells_of, member_cells
from gateway.workbook.court_template import HOUSEHOLD_SHEET, LINE, REFERRAL_SHEET, columns_of
from gateway.workbook.writing import Sheet, write_workbook


def write_court_sheet(target: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """The workbook of these referrals. MissingExtra without the `export` extra; ValueError for what has no column."""
    lines = list(enumerate(rows, start=1))
    members = [{LINE: str(line), **member} for line, data in lines for member in member_cells(data)]
    write_workbook(
        target,
        [
            _sheet(
                REFERRAL_SHEET,
                "referral",
                [{LINE: str(line), **cells_of(data)} for line, data in lines],
            ),
            _sheet(HOUSEHOLD_SHEET, "household", members),
        ],
    )


def _sheet(title: str, name: str, rows: Iterable[Mapping[str, str]]) -> Sheet:
    columns = [(column.key, column.heading) for column in columns_of(name)]
    return Sheet(title=title, columns=columns, rows=rows, freeze_columns=1)

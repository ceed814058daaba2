"""工作簿 The front door of XLSX and CSV: what goes out is text only, what comes in is capped and never calculated."""

from gateway.workbook.reading import SheetRow, read_sheet
from gateway.workbook.writing import Sheet, write_csv, write_sheet, write_workbook

__all__ = ["Sheet", "SheetRow", "read_sheet", "write_csv", "write_sheet", "write_workbook"]

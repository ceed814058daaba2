"""统计报表文件 The report as a file: CSV, XLSX or PDF, each with every line, its denominator, and the press paragraph.

Rules: every cell is text and nothing is calculated (`workbook.writing`); a PDF names only the Chinese face every reader
of PDF has, so no font is shipped; its bytes say nothing of when they were made. Who was given it, and why, is the
caller's to keep.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from io import TextIOWrapper
from itertools import groupby
from typing import Any, BinaryIO
from xml.sax.saxutils import escape

from gateway.domain.report.build import (
    Language,
    Report,
    ReportLine,
    press_paragraph,
    report_columns,
    report_table,
)
from gateway.domain.report.text import LEFT_OUT, SYNTHETIC, TITLE, denominator_of, place_of, shown_value
from gateway.domain.report.values import SECTION_NAMES, UNIT_NAMES
from gateway.errors import MissingExtra
from gateway.workbook.writing import write_csv, write_sheet

PRESS = ("新闻稿", "Press paragraph")
PUBLIC = ("公开版：不足5的数字已略去", "Public version: figures under five are left out")
SHEET = "统计报表 Report"
FACE = "STSong-Light"
_HEADINGS = (("项目", "Item"), ("数值", "Value"), ("单位", "Unit"), ("分母", "Denominator"), ("涉及人数", "Persons"))
_WIDTHS = (215, 80, 70, 120, 50)
_MARGIN, _WITH_HEADING = 30, 90
"""Points; a heading stays with so much of what follows it."""


def write_report(report: Report, form: str, target: BinaryIO) -> None:
    """form: csv, xlsx or pdf. MissingExtra without the extra `export` for the last two; KeyError for another form."""
    _FORMS[form](report, target)


def _csv(report: Report, target: BinaryIO) -> None:
    stream = TextIOWrapper(target, encoding="utf-8", newline="", write_through=True)
    write_csv(stream, report_columns(), [_press_row(report), *report_table(report)])
    stream.detach()


def _press_row(report: Report) -> Mapping[str, str]:
    zh, en = _press(report)
    return {"section": " ".join(PRESS), "key": "press", "label_zh": zh, "label_en": en}


def _xlsx(report: Report, target: BinaryIO) -> None:
    notes = [*_head(report), "", *_press(report)]
    widths = {"label_zh": 30, "label_en": 34, "denominator_label": 26, "note": 26}
    write_sheet(target, title=SHEET, columns=report_columns(), rows=report_table(report), notes=notes, widths=widths)


def _press(report: Report) -> tuple[str, str]:
    return press_paragraph(report), press_paragraph(report, Language.ENGLISH)


def _head(report: Report) -> list[str]:
    """Title, period and place, and what must be said of the whole."""
    said = [f"{report.period_from.isoformat()} – {report.period_to.isoformat()}  {place_of(report)}"]
    said += [f"仅 only: {' '.join(dict.fromkeys(report.within))}"] if report.within[0] else []
    said += [" ".join(PUBLIC)] if report.public else []
    said += [" ".join(SYNTHETIC)] if report.synthetic else []
    return [" ".join(TITLE), *said]


# --- PDF ---


def _pdf(report: Report, target: BinaryIO) -> None:
    try:
        from reportlab.lib.pagesizes import A4
        from reportlab.pdfbase import pdfmetrics
        from reportlab.pdfbase.cidfonts import UnicodeCIDFont
        from reportlab.platypus import SimpleDocTemplate
    except ImportError as missing:
        raise MissingExtra("reportlab: pip install 'xianjie[export]'", ids={"extra": "export"}) from missing
    pdfmetrics.registerFont(UnicodeCIDFont(FACE))
    title, *_ = _head(report)
    document = SimpleDocTemplate(
        target,
        pagesize=A4,
        title=title,
        author="",
        invariant=1,
        **{f"{side}Margin": _MARGIN for side in ("left", "right", "top", "bottom")},
    )
    document.build(list(_story(report)), onFirstPage=_footed(report), onLaterPages=_footed(report))


def _footed(report: Report) -> Callable[[Any, Any], None]:
    """Page number and place at the foot of each page."""

    def foot(canvas: Any, document: Any) -> None:
        canvas.setFont(FACE, 8)
        canvas.drawString(_MARGIN, _MARGIN / 2, f"{place_of(report)}  {report.period_from} – {report.period_to}")
        canvas.drawRightString(document.pagesize[0] - _MARGIN, _MARGIN / 2, str(document.page))

    return foot


def _story(report: Report) -> Iterator[Any]:
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.platypus import CondPageBreak, Paragraph, Spacer

    text = ParagraphStyle("text", fontName=FACE, fontSize=9, leading=13, wordWrap="CJK")
    latin = ParagraphStyle("latin", parent=text, wordWrap=None)
    large = ParagraphStyle("large", parent=text, fontSize=14, leading=20)
    heading = ParagraphStyle("heading", parent=text, fontSize=11, leading=18, spaceBefore=8)
    title, *said = _head(report)
    yield Paragraph(escape(title), large)
    for one in said:
        yield Paragraph(escape(one), text)
    yield Spacer(1, 6)
    for style, one in zip((text, latin), _press(report), strict=True):
        yield Paragraph(escape(one), style)
    for section, lines in groupby(report.lines, key=lambda line: line.section):
        yield CondPageBreak(_WITH_HEADING)
        yield Paragraph(escape(" ".join(SECTION_NAMES[section])), heading)
        yield _table(list(lines), text)


def _table(lines: Sequence[ReportLine], text: Any) -> Any:
    from reportlab.lib import colors
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.platypus import Paragraph, Table, TableStyle

    small = ParagraphStyle("small", parent=text, fontSize=7.5, leading=9.5)
    right = ParagraphStyle("right", parent=small, alignment=2)
    looks = (small, right, small, small, right)
    cells = [" ".join(one) for one in _HEADINGS], *(_cells(line) for line in lines)
    rows = [[Paragraph(escape(cell), look) for cell, look in zip(row, looks, strict=True)] for row in cells]
    style = TableStyle(
        [
            ("LINEBELOW", (0, 0), (-1, -1), 0.25, colors.grey),
            ("LINEBELOW", (0, 0), (-1, 0), 0.8, colors.black),
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("TOPPADDING", (0, 0), (-1, -1), 1.5),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 1.5),
        ]
    )
    return Table(rows, colWidths=_WIDTHS, repeatRows=1, style=style)


def _cells(line: ReportLine) -> tuple[str, ...]:
    label = f"{line.label_zh} {line.label_en}" if line.label_zh != line.label_en else line.label_zh
    if line.suppressed:
        return label, " ".join(LEFT_OUT), "", "", ""
    unit = " ".join(dict.fromkeys(UNIT_NAMES[line.unit]))
    of = "" if line.denominator is None else f"{line.denominator} {' '.join(denominator_of(line))}".strip()
    return label, shown_value(line), unit, of, "" if line.persons is None else str(line.persons)


_FORMS: Mapping[str, Callable[[Report, BinaryIO], None]] = {"csv": _csv, "xlsx": _xlsx, "pdf": _pdf}
FORMS = tuple(_FORMS)

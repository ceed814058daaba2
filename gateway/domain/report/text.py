"""报表文本 The report printed: the press paragraph in the courts' own layout, a table for CSV and XLSX, plain text.

Figures that were left out are said to be left out, never shown as nothing; a report of invented people says so first.
"""

from calendar import monthrange
from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from itertools import groupby
from unicodedata import east_asian_width

from gateway.domain.report.values import SECTION_NAMES, UNIT_NAMES, Report, ReportLine, Unit
from gateway.domain.values import yuan

SYNTHETIC = ("合成数据，非真实案件", "Synthetic data, no real case")
LEFT_OUT = ("<5 略", "left out (<5)")
LABEL_WIDTH, VALUE_WIDTH = 46, 18


class Language(StrEnum):
    """Language of printed text."""

    CHINESE = "zh"
    ENGLISH = "en"


def press_paragraph(report: Report) -> str:
    """The paragraph courts publish: concluded, assisted, amount, and the specific groups with theirs."""
    cases, assisted, total, persons, special = (
        _press_figure(report.line(key))
        for key in ("concluded.cases", "concluded.assisted", "amount.total", "group.any.persons", "group.any.amount")
    )
    text = (
        f"{_period(report)}，{report.region_zh}法院共审结司法救助案件{cases}件，其中予以救助{assisted}件，"
        f"救助金额{total}万元；救助未成年人、老年人、妇女、残疾人等特定群体{persons}人，救助金额{special}万元。"
    )
    return f"【{SYNTHETIC[0]}】{text}" if report.synthetic else text


def report_columns() -> Sequence[tuple[str, str]]:
    """Key and heading of each column of `report_table`."""
    return (
        ("section", "章节 Section"),
        ("key", "代码 Key"),
        ("label_zh", "项目"),
        ("label_en", "Item"),
        ("value", "数值 Value"),
        ("unit", "单位 Unit"),
        ("denominator", "分母 Denominator"),
        ("denominator_label", "分母含义 Denominator of"),
        ("persons", "涉及人数 Distinct persons"),
        ("period", "期间 Period"),
        ("region", "地区 Region"),
        ("note", "备注 Note"),
    )


def report_table(report: Report) -> list[dict[str, str]]:
    """One row a line, every cell text; money in yuan with two decimals and no separators."""
    common = {
        "period": f"{report.period_from.isoformat()}/{report.period_to.isoformat()}",
        "region": f"{report.region} {report.region_zh}".strip(),
    }
    return [{**_row(line), **common, "note": _note(report, line)} for line in report.lines]


def _row(line: ReportLine) -> dict[str, str]:
    return {
        "section": " ".join(SECTION_NAMES[line.section]),
        "key": line.key,
        "label_zh": line.label_zh,
        "label_en": line.label_en,
        "value": _shown(line).replace(",", ""),
        "unit": " ".join(dict.fromkeys(UNIT_NAMES[line.unit])),
        "denominator": "" if line.denominator is None else str(line.denominator),
        "denominator_label": line.denominator_label,
        "persons": "" if line.persons is None else str(line.persons),
    }


def _note(report: Report, line: ReportLine) -> str:
    notes = [" ".join(LEFT_OUT)] if line.suppressed else []
    return "; ".join(notes + ([" ".join(SYNTHETIC)] if report.synthetic else []))


def render_text(report: Report, language: Language | str = Language.CHINESE) -> str:
    """The report as lines of text, section by section; ends with a line break. ValueError for another language."""
    at = list(Language).index(Language(language))
    title = ("司法救助与社会救助衔接统计", "Judicial and social assistance: statistics")[at]
    period = f"{report.period_from.isoformat()} – {report.period_to.isoformat()}"
    lines = [title, f"{period}  {report.region} {report.region_zh}"]
    if report.synthetic:
        lines.append(SYNTHETIC[at])
    for section, found in groupby(report.lines, key=lambda line: line.section):
        lines += ["", SECTION_NAMES[section][at]]
        lines += [_text_line(line, at) for line in found]
    return "\n".join(lines) + "\n"


def _text_line(line: ReportLine, at: int) -> str:
    label = (line.label_zh, line.label_en)[at]
    if line.suppressed:
        return f"  {_padded(label, LABEL_WIDTH)}{LEFT_OUT[at]:>{VALUE_WIDTH}}"
    value = f"{_shown(line):>{VALUE_WIDTH}} {UNIT_NAMES[line.unit][at]}"
    more = []
    if line.denominator is not None:
        said = line.denominator_label.partition(" ")
        more.append(f"{(said[0], said[2])[at]} {line.denominator}".strip())
    if line.persons is not None and line.unit is not Unit.PERSON:
        more.append(f"{line.persons} {UNIT_NAMES[Unit.PERSON][at]}")
    return f"  {_padded(label, LABEL_WIDTH)}{value}" + (f"  ({'; '.join(more)})" if more else "")


def _shown(line: ReportLine) -> str:
    if line.value is None:
        return "" if line.suppressed else "–"
    return yuan(line.value) if line.unit is Unit.FEN and isinstance(line.value, int) else str(line.value)


def _press_figure(line: ReportLine) -> str:
    if line.suppressed or line.value is None:
        return "（不足5，略）"
    return ten_thousand_yuan(line.value) if line.unit is Unit.FEN and isinstance(line.value, int) else str(line.value)


def ten_thousand_yuan(fen: int) -> str:
    """万元 to two decimals, rounded half up: 2777620000 → `2777.62`."""
    hundredths = (fen + 5_000) // 10_000
    return f"{hundredths // 100}.{hundredths % 100:02d}"


def _period(report: Report) -> str:
    """Whole months by month, else by day."""
    first, last = report.period_from, report.period_to
    if first.day == 1 and last.day == monthrange(last.year, last.month)[1]:
        start, end = f"{first.year}年{first.month}月", f"{last.year}年{last.month}月"
        return start if start == end else f"{start}至{end}"
    return f"{_day(first)}至{_day(last)}"


def _day(day: date) -> str:
    return f"{day.year}年{day.month}月{day.day}日"


def _padded(text: str, width: int) -> str:
    """A Chinese character takes two columns on a terminal."""
    used = sum(2 if east_asian_width(character) in "WF" else 1 for character in text)
    return text + " " * max(width - used, 1)

"""报表文本 The report printed: the press paragraph in the courts' own layout, a table for CSV and XLSX, plain text.

Figures that were left out are said to be left out, never shown as nothing; a report of invented people says so first,
one of part of the cases names the part.
"""

from calendar import monthrange
from collections.abc import Mapping, Sequence
from datetime import date
from enum import StrEnum
from itertools import groupby
from unicodedata import east_asian_width

from gateway.domain.report import words as words
from gateway.domain.report.facts import Label
from gateway.domain.report.values import SECTION_NAMES, UNIT_NAMES, Narrowed, Report, ReportLine, Unit
from gateway.domain.values import yuan

SYNTHETIC = ("合成数据，非真实案件", "Synthetic data, no real case")
LEFT_OUT = ("<5 略", "left out (<5)")
LABEL_WIDTH, VALUE_WIDTH = 46, 18
TITLE = ("司法救助与社会救助衔接统计", "Judicial and social assistance: statistics")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)


class Language(StrEnum):
    """Language of printed text."""

    CHINESE = "zh"
    ENGLISH = "en"


def press_paragraph(report: Report, language: Language | str = Language.CHINESE) -> str:
    """The paragraph courts publish: concluded, assisted, amount, and the specific groups with theirs."""
    lines = [
        report.line(key)
        for key in ("concluded.cases", "concluded.assisted", "amount.total", "group.any.persons", "group.any.amount")
    ]
    if Language(language) is Language.ENGLISH:
        return _press_in_english(report, lines)
    cases, assisted, total, persons, special = (_press_figure(line) for line in lines)
    whose = report.court_zh or f"{report.region_zh}法院"
    only = f"（仅{report.within[0]}）" if report.within[0] else ""
    text = (
        f"{_period(report)}，{whose}{only}共审结司法救助案件{cases}件，其中予以救助{assisted}件，"
        f"救助金额{total}万元；救助未成年人、老年人、妇女、残疾人等特定群体{persons}人，救助金额{special}万元。"
    )
    return f"【{SYNTHETIC[0]}】{text}" if report.synthetic else text


def _press_in_english(report: Report, lines: Sequence[ReportLine]) -> str:
    cases, assisted, total, persons, special = (_press_figure_in_english(line) for line in lines)
    whose = report.court_zh or (f"the courts of {report.region_zh}" if report.region else "all courts")
    only = f" ({report.within[1]} only)" if report.within[1] else ""
    text = (
        f"{_period_in_english(report)}, {whose}{only} concluded {cases} cases of judicial assistance, of which "
        f"{assisted} were assisted, with {total}; {persons} persons of specific groups (minors, elderly people, women, "
        f"disabled people) were aided with {special}."
    )
    return f"[{SYNTHETIC[1]}] {text}" if report.synthetic else text


def within(narrowed: Narrowed, agency_names: Mapping[str, Label]) -> Label:
    """What part of the cases counts, in words; empty where all do."""
    named: list[Label] = []
    if narrowed.case_type is not None:
        named.append(words.worded(words.case_types(), narrowed.case_type))
    if narrowed.group is not None:
        named.append(words.GROUPS[narrowed.group])
    if narrowed.agency is not None:
        named.append(agency_names.get(narrowed.agency, (narrowed.agency, narrowed.agency)))
    return "、".join(zh for zh, _ in named), ", ".join(en for _, en in named)


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
        "region": place_of(report),
    }
    return [{**_row(line), **common, "note": _note(report, line)} for line in report.lines]


def _row(line: ReportLine) -> dict[str, str]:
    return {
        "section": " ".join(SECTION_NAMES[line.section]),
        "key": line.key,
        "label_zh": line.label_zh,
        "label_en": line.label_en,
        "value": shown_value(line).replace(",", ""),
        "unit": " ".join(dict.fromkeys(UNIT_NAMES[line.unit])),
        "denominator": "" if line.denominator is None else str(line.denominator),
        "denominator_label": line.denominator_label,
        "persons": "" if line.persons is None else str(line.persons),
    }


def _note(report: Report, line: ReportLine) -> str:
    notes = [" ".join(LEFT_OUT)] if line.suppressed else []
    notes += [f"仅 only: {' '.join(dict.fromkeys(report.within))}"] if report.within[0] else []
    return "; ".join(notes + ([" ".join(SYNTHETIC)] if report.synthetic else []))


def place_of(report: Report) -> str:
    """Region and, where it is of one, court."""
    return " ".join(one for one in (report.region, report.region_zh, report.court_zh) if one)


def render_text(report: Report, language: Language | str = Language.CHINESE) -> str:
    """The report as lines of text, section by section; ends with a line break. ValueError for another language."""
    at = list(Language).index(Language(language))
    period = f"{report.period_from.isoformat()} – {report.period_to.isoformat()}"
    lines = [TITLE[at], f"{period}  {place_of(report)}", *([report.within[at]] if report.within[at] else [])]
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
    value = f"{shown_value(line):>{VALUE_WIDTH}} {UNIT_NAMES[line.unit][at]}"
    more = []
    if line.denominator is not None:
        more.append(f"{denominator_of(line)[at]} {line.denominator}".strip())
    if line.persons is not None and line.unit is not Unit.PERSON:
        more.append(f"{line.persons} {UNIT_NAMES[Unit.PERSON][at]}")
    return f"  {_padded(label, LABEL_WIDTH)}{value}" + (f"  ({'; '.join(more)})" if more else "")


def denominator_of(line: ReportLine) -> Label:
    """What the denominator counts."""
    zh, _, en = line.denominator_label.partition(" ")
    return zh, en


def shown_value(line: ReportLine) -> str:
    """A line's value as it is printed; nothing for what was left out, a dash for what could not be computed."""
    if line.value is None:
        return "" if line.suppressed else "–"
    return yuan(line.value) if line.unit is Unit.FEN and isinstance(line.value, int) else str(line.value)


def _press_figure(line: ReportLine) -> str:
    if line.suppressed or line.value is None:
        return "（不足5，略）"
    return ten_thousand_yuan(line.value) if line.unit is Unit.FEN and isinstance(line.value, int) else str(line.value)


def _press_figure_in_english(line: ReportLine) -> str:
    if line.suppressed or line.value is None:
        return "(fewer than 5, left out)"
    if line.unit is Unit.FEN and isinstance(line.value, int):
        return f"{yuan(line.value)} yuan ({ten_thousand_yuan(line.value)}万元)"
    return str(line.value)


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


def _period_in_english(report: Report) -> str:
    first, last = report.period_from, report.period_to
    if first.day == 1 and last.day == monthrange(last.year, last.month)[1]:
        start, end = (f"{_MONTHS[day.month - 1]} {day.year}" for day in (first, last))
        return f"In {start}" if start == end else f"From {start} to {end}"
    return "From {} to {}".format(*(f"{day.day} {_MONTHS[day.month - 1]} {day.year}" for day in (first, last)))


def _day(day: date) -> str:
    return f"{day.year}年{day.month}月{day.day}日"


def _padded(text: str, width: int) -> str:
    """A Chinese character takes two columns on a terminal."""
    used = sum(2 if east_asian_width(character) in "WF" else 1 for character in text)
    return text + " " * max(width - used, 1)

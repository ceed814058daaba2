"""报表图表 Which sections of a report are drawn, and how: a picture shows figures that stand in the table below it."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from markupsafe import Markup

from gateway.domain.report.build import Report, ReportLine, Section
from gateway.domain.report.text import LEFT_OUT, shown_value
from gateway.domain.report.values import COUNTS, SECTION_NAMES, UNIT_NAMES, Unit
from gateway.web.pages import charts
from gateway.web.pages.charts import Bar, Series, Stack
from gateway.web.pages.shown import t

MOST_BARS = 40
FEN_OF_WAN = 1_000_000
_CONCLUDED = ("concluded.assisted", "concluded.not_assist", "concluded.suspended", "concluded.terminated")


def charts_of(report: Report) -> Mapping[Section, Sequence[Markup]]:
    """The pictures of each section that has some; none of nothing."""
    found: dict[Section, list[Markup]] = {}
    for section, draw in _DRAWN.items():
        lines = [line for line in report.lines if line.section is section]
        pictures = [one for one in draw(section, lines) if one is not None]
        if pictures:
            found[section] = pictures
    return found


def label_of(line: ReportLine) -> str:
    """In the reader's language."""
    return t(line.label_zh, line.label_en)


def figure_of(line: ReportLine) -> str:
    """With its unit, or that it was left out."""
    if line.suppressed:
        return t(*LEFT_OUT)
    return f"{shown_value(line)} {t(*UNIT_NAMES[line.unit])}"


def _title(section: Section) -> str:
    return t(*SECTION_NAMES[section])


def _desc(lines: Iterable[ReportLine]) -> str:
    return t("；", "; ").join(f"{label_of(line)} {figure_of(line)}" for line in lines)


def _number(line: ReportLine) -> float | None:
    return None if line.suppressed or line.value is None else float(line.value)


def _bars(section: Section, lines: Sequence[ReportLine]) -> Markup | None:
    chosen = lines[:MOST_BARS]
    if not any(_number(line) for line in chosen):
        return None
    bars = [Bar(label=label_of(line), value=_number(line), shown=figure_of(line)) for line in chosen]
    return charts.bars(f"chart-{section.value}", _title(section), _desc(chosen), bars)


def _concluded(section: Section, lines: Sequence[ReportLine]) -> Iterable[Markup | None]:
    parts = [line for key in _CONCLUDED for line in lines if line.key == key]
    if not any(_number(line) for line in parts):
        return
    stack = Stack(
        label=t("审结", "Concluded"),
        values=[_number(line) for line in parts],
        shown=[figure_of(line) if line.suppressed else shown_value(line) for line in parts],
    )
    names = [label_of(line) for line in parts]
    yield charts.stacked(f"chart-{section.value}", _title(section), _desc(parts), names, [stack])


def _months(_section: Section, lines: Sequence[ReportLine]) -> Iterable[Markup | None]:
    if not any(_number(line) for line in lines):
        return
    of = {kind: [line for line in lines if line.key.endswith(kind)] for kind in ("cases", "assisted", "amount")}
    months = [line.key.split(".")[1] for line in of["cases"]]
    counts = [
        Series(label=t("审结（件）", "concluded (cases)"), values=[_number(line) for line in of["cases"]]),
        Series(label=t("救助（件）", "assisted (cases)"), values=[_number(line) for line in of["assisted"]]),
    ]
    desc = _desc([*of["cases"], *of["assisted"]])
    yield charts.lines(
        "chart-month-cases", t("按月审结与救助", "Concluded and assisted by month"), desc, months, counts
    )
    money = [None if (fen := _number(line)) is None else fen / FEN_OF_WAN for line in of["amount"]]
    series = [Series(label=t("救助金额（万元）", "amount (10,000 yuan)"), values=money)]
    yield charts.lines("chart-month-amount", t("按月救助金额", "Amount by month"), _desc(of["amount"]), months, series)


def _case_types(section: Section, lines: Sequence[ReportLine]) -> Iterable[Markup | None]:
    of = {line.key: line for line in lines}
    kinds = [key.removesuffix(".cases") for key in of if key.endswith(".cases")]
    stacks = []
    for kind in kinds:
        every, helped = _number(of[f"{kind}.cases"]), _number(of[f"{kind}.assisted"])
        others = None if every is None or helped is None else every - helped
        left_out = t(*LEFT_OUT)
        shown = [left_out if value is None else f"{value:g}" for value in (helped, others)]
        label = label_of(of[f"{kind}.cases"]).replace("·审结", "").replace(", concluded", "")
        stacks.append(Stack(label=label, values=[helped, others], shown=shown))
    if not any(value for one in stacks for value in one.values):
        return
    names = [t("予以救助（件）", "assisted (cases)"), t("其他审结（件）", "other concluded (cases)")]
    desc = _desc([of[f"{kind}.{part}"] for kind in kinds for part in ("cases", "assisted")])
    yield charts.stacked(f"chart-{section.value}", _title(section), desc, names, stacks)


def _people(section: Section, lines: Sequence[ReportLine]) -> Iterable[Markup | None]:
    yield _bars(section, [line for line in lines if line.unit is Unit.PERSON])


def _counts(section: Section, lines: Sequence[ReportLine]) -> Iterable[Markup | None]:
    yield _bars(section, [line for line in lines if line.unit in COUNTS])


def _days(section: Section, lines: Sequence[ReportLine]) -> Iterable[Markup | None]:
    yield _bars(section, [line for line in lines if line.unit is Unit.DAY])


def _agencies(section: Section, lines: Sequence[ReportLine]) -> Iterable[Markup | None]:
    """The funnel of each agency; programmes stand in the table."""
    yield _bars(section, [line for line in lines if line.key.startswith("exchange.") and line.key.count(".") > 1])


def _doubts(section: Section, lines: Sequence[ReportLine]) -> Iterable[Markup | None]:
    """What became of them; statements and lines are of another size and stand in the table."""
    yield _bars(section, [line for line in lines if line.key.startswith("statement.doubts.")])


def _visits(section: Section, lines: Sequence[ReportLine]) -> Iterable[Markup | None]:
    """How the referrals to be visited stand."""
    yield _bars(section, [line for line in lines if line.key.startswith("follow_up.end.")])


def _by_agency(section: Section, lines: Sequence[ReportLine]) -> Iterable[Markup | None]:
    """Each agency's lines alone."""
    yield _bars(section, [line for line in lines if line.key.count(".") > 1 and not line.key.startswith(_NO_AGENCY)])


_NO_AGENCY = ("inquiry.came.", "inquiry.answer.", "clue.end.")
_DRAWN: Mapping[Section, Callable[[Section, Sequence[ReportLine]], Iterable[Markup | None]]] = {
    Section.CONCLUDED: _concluded,
    Section.MONTH: _months,
    Section.CASE_TYPE: _case_types,
    Section.GROUND: _people,
    Section.REFUSAL: _counts,
    Section.GROUP: _people,
    Section.INQUIRY: _by_agency,
    Section.ASSESSMENT: _counts,
    Section.EXCHANGE: _agencies,
    Section.DENIAL: _counts,
    Section.PACE: _days,
    Section.CLUE: _by_agency,
    Section.DUPLICATE: _counts,
    Section.MISSED: _counts,
    Section.STATEMENT: _doubts,
    Section.FOLLOW_UP: _visits,
}

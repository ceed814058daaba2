"""小格抑制 What public output leaves out: every count under five, and whatever would give such a count away.

Rules: a line whose value, denominator or people are one to four is left out, and one that lacks so few of its total;
zero is not. A line of the same family is left out with it. Where lines add up to a printed total, enough further ones
are left out, smallest first, that what is missing stands for five or more and for two lines or more. What is left out
keeps its place in the report, so that a reader sees that something is missing.
"""

from collections.abc import Sequence
from dataclasses import replace

from gateway.domain.report.values import COUNTS, OF_ONE_PERSON, Report, ReportLine

SMALLEST_SHOWN = 5


def for_the_public(report: Report) -> Report:
    """The report with small cells left out."""
    hidden = {line.key for line in report.lines if _is_small(line)}
    while True:
        more = _families(report.lines, hidden) | _partitions(report.lines, hidden)
        if more <= hidden:
            break
        hidden |= more
    lines = tuple(_left_out(line) if line.key in hidden else line for line in report.lines)
    return replace(report, lines=lines, public=True)


def _is_small(line: ReportLine) -> bool:
    behind = (line.cell, line.persons, line.denominator, line.value if line.unit in COUNTS else None)
    return any(isinstance(count, int) and 0 < count < SMALLEST_SHOWN for count in (*behind, _rest(line)))


def _rest(line: ReportLine) -> int:
    """The cases, people or questions of the total that this line does not count."""
    if line.unit not in OF_ONE_PERSON or line.denominator is None or not isinstance(line.value, int):
        return 0
    return line.denominator - line.value


def _left_out(line: ReportLine) -> ReportLine:
    return replace(line, value=None, denominator=None, persons=None, cell=None, suppressed=True)


def _families(lines: Sequence[ReportLine], hidden: set[str]) -> set[str]:
    families = {line.family for line in lines if line.key in hidden and line.family}
    return {line.key for line in lines if line.family in families}


def _partitions(lines: Sequence[ReportLine], hidden: set[str]) -> set[str]:
    """The smallest further line of each partition whose missing part could still be worked out."""
    more: set[str] = set()
    for name in {name for line in lines for name in line.partitions}:
        parts = [line for line in lines if name in line.partitions and _size(line)]
        missing = [line for line in parts if line.key in hidden]
        shown = sorted((line for line in parts if line.key not in hidden), key=_size)
        exposed = len(missing) == 1 or sum(_size(line) for line in missing) < SMALLEST_SHOWN
        if missing and exposed and shown:
            more.add(shown[0].key)
    return more


def _size(line: ReportLine) -> int:
    if line.cell is not None:
        return line.cell
    return line.value if isinstance(line.value, int) else 0

"""按月统计 The section that counts month by month: cases concluded, cases assisted, amount decided.

A case is of the month of its first decision, and so is its money. A period within one month has no such section.
"""

from collections.abc import Iterator, Sequence
from datetime import date

from gateway.domain.report.facts import ReportFacts, distinct_persons, line, total_fen
from gateway.domain.report.values import ReportLine, ReportRow, Section, Unit

CONCLUDED, PERSONS = "审结案件 concluded", "被救助人 assisted persons"


def months_between(first: date, last: date) -> list[str]:
    """2023-11 … 2024-02, both included."""
    start, end = first.year * 12 + first.month - 1, last.year * 12 + last.month - 1
    return [f"{number // 12:04d}-{number % 12 + 1:02d}" for number in range(start, end + 1)]


def by_month(facts: ReportFacts) -> Iterator[ReportLine]:
    """Three lines a month, months without a case among them."""
    months = months_between(*facts.period)
    if len(months) < 2:
        return
    of_month: dict[str, list[Sequence[ReportRow]]] = {name: [] for name in months}
    for rows in facts.cases.values():
        of_month[f"{min(row.concluded_on for row in rows):%Y-%m}"].append(rows)
    for name, cases in of_month.items():
        yield from _of_month(facts, name, cases)


def _of_month(facts: ReportFacts, name: str, cases: Sequence[Sequence[ReportRow]]) -> Iterator[ReportLine]:
    aided = [row for rows in cases for row in rows if row.is_assisted]
    helped, people = len({row.case_number for row in aided}), distinct_persons(aided)
    key = f"month.{name}"
    yield line(
        Section.MONTH,
        f"{key}.cases",
        (f"{name}·审结", f"{name}, concluded"),
        len(cases),
        Unit.CASE,
        denominator=len(facts.cases),
        denominator_label=CONCLUDED,
        persons=distinct_persons(row for rows in cases for row in rows),
        partitions=("month.cases",),
        family=key,
    )
    yield line(
        Section.MONTH,
        f"{key}.assisted",
        (f"{name}·救助", f"{name}, assisted"),
        helped,
        Unit.CASE,
        denominator=len(cases),
        denominator_label=CONCLUDED,
        persons=people,
        partitions=("month.assisted",),
        family=key,
    )
    yield line(
        Section.MONTH,
        f"{key}.amount",
        (f"{name}·金额", f"{name}, amount"),
        total_fen(aided),
        Unit.FEN,
        denominator=people,
        denominator_label=PERSONS,
        persons=people,
        cell=people,
        partitions=("month.amount",),
        family=key,
    )

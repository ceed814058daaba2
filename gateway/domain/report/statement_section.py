"""对账单统计 The section that counts statements received within the period: how far, lines, matched, doubts, decided.

Rules: a line that was read names a need of ours, or is another good one (of a roster, or told by its person), or is bad
and compared with nothing. A doubt counts once however many statements replace each other. A statement is of an agency's
office and of no court, case type or group, so a report of one court or narrowed by these has no such section.
"""

from collections.abc import Iterator, Sequence

from gateway.domain.lifecycle import StatementState
from gateway.domain.report import words
from gateway.domain.report.exchange_counts import StatementCount
from gateway.domain.report.facts import Label, ReportFacts, grouped, line, of_agency
from gateway.domain.report.values import ReportLine, Section, Unit

STATEMENTS, LINES, DOUBTS = "对账单 statements", "已读明细 lines read", "对账单疑点 doubts"


def statements(facts: ReportFacts) -> Iterator[ReportLine]:
    """Statements by state, their lines, the doubts they led to, and each agency's."""
    if not facts.narrowed.tells_statements:
        return
    every = facts.statements
    yield _line("received", ("收到", "Received"), len(every), Unit.STATEMENT, len(every), STATEMENTS)
    names = words.named("statement")
    for state in StatementState:
        found = sum(one.state is state for one in every)
        key, label = f"state.{state.value}", words.worded(names, state.value)
        yield _line(key, label, found, Unit.STATEMENT, len(every), STATEMENTS, "statement")
    replaced = sum(one.is_replaced for one in every)
    yield _line("replaced", ("已被更替", "Replaced by a later one"), replaced, Unit.STATEMENT, len(every), STATEMENTS)
    yield from _lines(every)
    yield from _doubts(every)
    for agency, mine in sorted(grouped(every, lambda one: one.agency).items()):
        yield from _agency(agency, facts.agency_names.get(agency, (agency, agency)), mine)


def _lines(every: Sequence[StatementCount]) -> Iterator[ReportLine]:
    kept, announced = sum(one.kept for one in every), sum(one.announced for one in every)
    named, bad = sum(one.named for one in every), sum(one.bad for one in every)
    yield _line("lines", ("已读明细", "Lines read"), kept, Unit.LINE, announced, "清单所报明细 lines announced")
    for key, label, found in (
        ("matched", ("对应需求", "Naming a need"), named),
        ("others", ("其他可用", "Other good ones"), kept - named - bad),
        ("bad", ("无法使用", "Bad, compared with nothing"), bad),
    ):
        yield _line(f"lines.{key}", label, found, Unit.LINE, kept, LINES, "statement.lines")


def _doubts(every: Sequence[StatementCount]) -> Iterator[ReportLine]:
    whole = sum(one.doubts for one in every)
    yield _line("doubts", ("疑点", "Doubts"), whole, Unit.FINDING, whole, DOUBTS)
    for key, label, found in (
        ("undecided", ("待认定", "Not yet decided"), sum(one.undecided for one in every)),
        ("decided", ("已认定", "Decided"), sum(one.decided for one in every)),
        ("gone", ("未经认定而消除", "Gone without a decision"), sum(one.gone for one in every)),
    ):
        yield _line(f"doubts.{key}", label, found, Unit.FINDING, whole, DOUBTS, "statement.doubts")


def _agency(agency: str, name: Label, mine: Sequence[StatementCount]) -> Iterator[ReportLine]:
    kept, doubts = sum(one.kept for one in mine), sum(one.doubts for one in mine)
    steps: tuple[tuple[str, Label, int, Unit, int, str], ...] = (
        ("received", ("对账单", "statements"), len(mine), Unit.STATEMENT, len(mine), STATEMENTS),
        (
            "lines",
            ("已读明细", "lines read"),
            kept,
            Unit.LINE,
            sum(one.announced for one in mine),
            "清单所报明细 lines announced",
        ),
        ("matched", ("对应需求", "naming a need"), sum(one.named for one in mine), Unit.LINE, kept, LINES),
        ("doubts", ("疑点", "doubts"), doubts, Unit.FINDING, doubts, DOUBTS),
        ("undecided", ("待认定", "not yet decided"), sum(one.undecided for one in mine), Unit.FINDING, doubts, DOUBTS),
    )
    for step, label, found, unit, of, of_label in steps:
        yield _line(f"{agency}.{step}", of_agency(name, label), found, unit, of, of_label, f"statement.agency.{step}")


def _line(key: str, label: Label, value: int, unit: Unit, of: int, of_label: str, *partitions: str) -> ReportLine:
    return line(
        Section.STATEMENT,
        f"statement.{key}",
        label,
        value,
        unit,
        denominator=of,
        denominator_label=of_label,
        partitions=partitions,
    )

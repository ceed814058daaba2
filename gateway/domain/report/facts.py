"""统计口径 The rows of one report, cut to its period and counted the one way every section counts.

Rules: what a court concluded is counted whether or not a hold stopped its message: a hold undoes no decision. A case is
its case number and counts as assisted when one of its beneficiaries is. A withdrawn referral takes back the request,
not the decision, so it counts until another referral of the same case and person stands in its place. Averages and
rates are rounded half up from whole numbers; a median of an even count is the middle of the two.

One query each fills the rows: referrals (`ReportRow`), needs (`NeedRow`), replies (`ReplyRow`), findings. What stands
in no referral comes with the period it was chosen by (`report.exchange_counts`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from typing import Any, Protocol

from gateway.domain.reconciliation.values import NeedRow, ReplyRow
from gateway.domain.report.exchange_counts import ClueCount, FollowUpCount, InquiryCount, StatementCount
from gateway.domain.report.values import FindingCount, Narrowed, ReportLine, ReportRow, Section, Unit

SECONDS_OF_DAY = 86_400
Label = tuple[str, str]
"""(Chinese, English)."""


class OfSomebody(Protocol):
    """What is of one person, as far as anybody may say which."""

    @property
    def person_ref(self) -> str | None:
        """An opaque hash; None where nobody may match."""


@dataclass(frozen=True, kw_only=True)
class ReportFacts:
    """Everything one report counts; needs and replies of other periods' referrals are already cut off."""

    rows: Sequence[ReportRow]
    period: tuple[date, date]
    region: str
    needs: Sequence[NeedRow] = ()
    replies: Sequence[ReplyRow] = ()
    findings: Sequence[FindingCount] = ()
    inquiries: Sequence[InquiryCount] = ()
    clues: Sequence[ClueCount] = ()
    statements: Sequence[StatementCount] = ()
    follow_ups: Sequence[FollowUpCount] = ()
    agency_names: Mapping[str, Label] = field(default_factory=dict)
    court_zh: str = ""
    narrowed: Narrowed = field(default_factory=Narrowed)

    @cached_property
    def assisted(self) -> Sequence[ReportRow]:
        """Referrals with a decision to assist."""
        return [row for row in self.rows if row.is_assisted]

    @cached_property
    def cases(self) -> Mapping[str, Sequence[ReportRow]]:
        """Referrals by case number."""
        return grouped(self.rows, lambda row: row.case_number)

    @cached_property
    def assisted_cases(self) -> Mapping[str, Sequence[ReportRow]]:
        """Cases with at least one beneficiary aided."""
        return {number: rows for number, rows in self.cases.items() if any(row.is_assisted for row in rows)}

    @cached_property
    def codes_of_need(self) -> Mapping[str, frozenset[str]]:
        """Common reply codes that were applied to each need."""
        applied = [reply for reply in self.replies if reply.applied and reply.need_id and reply.code]
        by_need = grouped(applied, lambda reply: reply.need_id)
        return {need: frozenset(reply.code or "" for reply in replies) for need, replies in by_need.items()}

    @cached_property
    def row_of(self) -> Mapping[str, ReportRow]:
        """Referrals by id."""
        return {row.referral_id: row for row in self.rows}

    @cached_property
    def needs_of_agency(self) -> Mapping[str, Sequence[NeedRow]]:
        """Needs an office was found for, by agency."""
        return grouped((need for need in self.needs if need.agency), lambda need: need.agency)

    def persons_of(self, needs: Iterable[NeedRow]) -> int:
        """Distinct people behind needs."""
        return distinct_persons(self.row_of[need.referral_id] for need in needs)


def facts_of(
    rows: Iterable[ReportRow],
    needs: Iterable[NeedRow] = (),
    replies: Iterable[ReplyRow] = (),
    findings: Iterable[FindingCount] = (),
    *,
    inquiries: Iterable[InquiryCount] = (),
    clues: Iterable[ClueCount] = (),
    statements: Iterable[StatementCount] = (),
    follow_ups: Iterable[FollowUpCount] = (),
    period: tuple[date, date],
    region: str,
    agency_names: Mapping[str, Label] | None = None,
    court_zh: str = "",
    narrowed: Narrowed | None = None,
) -> ReportFacts:
    """What was concluded within the period (both days included), with what became of it until now.

    region: GB/T 2260 code the rows were chosen for; findings: those of the period's referrals; court_zh: the one court
    the rows are of; narrowed: what else they were chosen by; inquiries, clues, statements: those of the period.
    """
    chosen = counted(row for row in rows if period[0] <= row.concluded_on <= period[1])
    known = {row.referral_id for row in chosen}
    return ReportFacts(
        rows=chosen,
        period=period,
        region=region,
        needs=[need for need in needs if need.referral_id in known],
        replies=[reply for reply in replies if reply.referral_id in known],
        findings=list(findings),
        inquiries=list(inquiries),
        clues=list(clues),
        statements=list(statements),
        follow_ups=[one for one in follow_ups if one.referral_id in known],
        agency_names=agency_names or {},
        court_zh=court_zh,
        narrowed=narrowed or Narrowed(),
    )


def counted(rows: Iterable[ReportRow]) -> list[ReportRow]:
    """Without the withdrawn referrals in whose place another stands: same case, and same or unknown person."""
    every = list(rows)
    standing = grouped((row for row in every if not row.withdrawn), lambda row: row.case_number)
    return [row for row in every if not row.withdrawn or not _is_replaced(row, standing.get(row.case_number, []))]


def _is_replaced(row: ReportRow, standing: Iterable[ReportRow]) -> bool:
    return any(None in (row.person_ref, other.person_ref) or row.person_ref == other.person_ref for other in standing)


def distinct_persons(rows: Iterable[OfSomebody]) -> int:
    """Distinct people: by reference, and every row without one for itself."""
    references = [row.person_ref for row in rows]
    known = {reference for reference in references if reference is not None}
    return len(known) + sum(reference is None for reference in references)


def grouped(items: Iterable[Any], key: Callable[[Any], Any]) -> dict[Any, list[Any]]:
    """Items by key, keys in the order they first came."""
    found: dict[Any, list[Any]] = {}
    for item in items:
        found.setdefault(key(item), []).append(item)
    return found


def total_fen(rows: Iterable[ReportRow]) -> int:
    """Decided amounts together."""
    return sum(row.decided_amount_fen for row in rows)


def average(total: int, count: int) -> int | None:
    """Whole units, rounded half up; None of nothing."""
    return (2 * total + count) // (2 * count) if count else None


def tenths(numerator: int, denominator: int) -> str:
    """numerator / denominator to one decimal, rounded half up."""
    whole = (20 * numerator + denominator) // (2 * denominator)
    return f"{whole // 10}.{whole % 10}"


def percent(part: int, whole: int) -> str | None:
    """Per cent with one decimal; None of nothing."""
    return tenths(100 * part, whole) if whole else None


def median(values: Iterable[int]) -> tuple[int, int] | None:
    """The median as a fraction (numerator, denominator 1 or 2); None of nothing."""
    ordered = sorted(values)
    if not ordered:
        return None
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle], 1
    return ordered[middle - 1] + ordered[middle], 2


def median_days(spans: Iterable[int]) -> str | None:
    """Median of spans in seconds as days with one decimal."""
    found = median(spans)
    return None if found is None else tenths(found[0], found[1] * SECONDS_OF_DAY)


def seconds_between(start: datetime | None, end: datetime | None) -> int | None:
    """Whole seconds from start to end; None when either is unknown or the order is wrong."""
    if start is None or end is None or end < start:
        return None
    return int((end - start).total_seconds())


def of_agency(name: Label, label: Label) -> Label:
    """A line's label among those of one agency."""
    return f"{name[0]}·{label[0]}", f"{name[1]}, {label[1]}"


def line(section: Section, key: str, label: Label, value: int | str | None, unit: Unit, **more: Any) -> ReportLine:
    """A line; `more` as `ReportLine` names it."""
    return ReportLine(section=section, key=key, label_zh=label[0], label_en=label[1], value=value, unit=unit, **more)

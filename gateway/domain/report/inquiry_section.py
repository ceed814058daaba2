"""协查统计 The section that counts inquiries asked within the period: answered, overdue, and what came of them.

Rules: an inquiry stands in one place: nobody could be asked, answered to the last question, or else overdue, in time,
or its time cannot be told. A question counts by its newest answer and by the moment of its first; silence is neither
UNKNOWN nor NEVER. An inquiry tells no case type and no group, so a report narrowed by these has no such section.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from gateway.domain.referral import Decision
from gateway.domain.report import words
from gateway.domain.report.exchange_counts import InquiryCount, QuestionCount
from gateway.domain.report.facts import (
    Label,
    ReportFacts,
    distinct_persons,
    grouped,
    line,
    median_days,
    of_agency,
    percent,
    seconds_between,
)
from gateway.domain.report.values import ReportLine, Section, Unit

INQUIRIES, QUESTIONS, ANSWERED = "协查 inquiries", "协查事项 questions", "已答复事项 questions answered"
NOT_ANSWERED = "NOT_ANSWERED"
HITS = frozenset({"ACTIVE", "ENDED"})
Asked = tuple[InquiryCount, QuestionCount]
"""A question with the inquiry it belongs to."""

STANDINGS: dict[str, Label] = {
    "answered": ("已全部答复", "Answered in full"),
    "waiting": ("期限内待答复", "Not yet answered, in time"),
    "overdue": ("逾期未答复", "Overdue"),
    "untold": ("期限无法计算", "Time cannot be told"),
    "nobody": ("无可查部门", "Nobody to ask"),
}
CAME: dict[str, Label] = {
    "cited": ("据以不予救助", "Refused because of it"),
    "assisted": ("案件予以救助", "Case assisted"),
    "other": ("案件其他审结", "Case concluded otherwise"),
    "none": ("案件尚未移送", "No referral yet"),
}


def inquiries(facts: ReportFacts) -> Iterator[ReportLine]:
    """Inquiries by how they stand and by what came of their cases; questions by answer, hits and days; each agency."""
    if facts.narrowed.is_of_cases:
        return
    every = facts.inquiries
    yield _inquiries_line("asked", ("发起协查", "Asked"), every, every)
    by_standing, by_outcome = grouped(every, standing_of), grouped(every, outcome_of)
    for key, label in STANDINGS.items():
        yield _inquiries_line(key, label, by_standing.get(key, ()), every, partitions=("inquiry",))
    for key, label in CAME.items():
        yield _inquiries_line(f"came.{key}", label, by_outcome.get(key, ()), every, partitions=("inquiry.came",))
    asked = [(one, question) for one in every for question in one.questions if question.agency is not None]
    yield from _questions(asked)
    for agency, mine in sorted(grouped(asked, lambda one: one[1].agency).items()):
        yield from _agency(f"inquiry.{agency}", facts.agency_names.get(agency, (agency, agency)), mine)


def standing_of(inquiry: InquiryCount) -> str:
    """A key of `STANDINGS`."""
    asked = [one for one in inquiry.questions if one.agency is not None]
    if not asked:
        return "nobody"
    if all(one.answer is not None for one in asked):
        return "answered"
    if inquiry.past is None:
        return "untold"
    return "overdue" if inquiry.past else "waiting"


def outcome_of(inquiry: InquiryCount) -> str:
    """A key of `CAME`."""
    if inquiry.cited:
        return "cited"
    if inquiry.decision is None:
        return "none"
    return "assisted" if inquiry.decision is Decision.ASSIST else "other"


def _questions(asked: Sequence[Asked]) -> Iterator[ReportLine]:
    answered = [one for one in asked if one[1].answer is not None]
    hits = [one for one in answered if one[1].answer in HITS]
    late = [one for one in answered if _is_late(one)]
    by_answer = grouped(asked, lambda one: one[1].answer or NOT_ANSWERED)
    yield _question_line("questions", ("协查事项", "Questions asked"), asked, asked)
    for answer, label in words.named("inquiry_answer").items():
        family = "inquiry.hits" if answer in HITS else ""
        found = by_answer.get(answer, ())
        key = f"answer.{answer.lower()}"
        yield _question_line(key, label, found, asked, partitions=("inquiry.answer",), family=family)
    yield _question_line("late", ("逾期答复", "Answered late"), late, answered, of=ANSWERED)
    yield _question_line("hits", ("查有救助", "Help found"), hits, answered, of=ANSWERED, family="inquiry.hits")
    rate, of = percent(len(hits), len(answered)), {"denominator": len(answered), "denominator_label": ANSWERED}
    label = ("查有率", "Help found, share")
    yield line(Section.INQUIRY, "inquiry.rate", label, rate, Unit.PERCENT, cell=len(hits), family="inquiry.hits", **of)
    spans = [seconds_between(one.asked_at, question.answered_at) for one, question in answered]
    people = _persons(answered)
    yield line(
        Section.INQUIRY,
        "inquiry.days",
        ("发起→首次答复", "asked → first answered"),
        median_days(span for span in spans if span is not None),
        Unit.DAY,
        denominator=len(answered),
        denominator_label="中位数样本 median of",
        persons=people,
        cell=people,
    )


def _agency(key: str, name: Label, asked: Sequence[Asked]) -> Iterator[ReportLine]:
    answered = [one for one in asked if one[1].answer is not None]
    steps: tuple[tuple[str, Label, Sequence[Asked], Sequence[Asked], str], ...] = (
        ("asked", ("查询", "asked"), asked, asked, QUESTIONS),
        ("answered", ("答复", "answered"), answered, asked, QUESTIONS),
        ("overdue", ("逾期未答复", "overdue"), [one for one in asked if _is_overdue(one)], asked, QUESTIONS),
        ("hits", ("查有救助", "help found"), [one for one in answered if one[1].answer in HITS], answered, ANSWERED),
    )
    for step, label, found, whole, of in steps:
        full = f"{key.removeprefix('inquiry.')}.{step}"
        yield _question_line(full, of_agency(name, label), found, whole, of=of, partitions=(f"inquiry.agency.{step}",))


def _is_late(asked: Asked) -> bool:
    due_at, answered_at = asked[0].due_at, asked[1].answered_at
    return due_at is not None and answered_at is not None and answered_at > due_at


def _is_overdue(asked: Asked) -> bool:
    return asked[1].answer is None and asked[0].past is True


def _persons(asked: Sequence[Asked]) -> int:
    """Distinct people; two questions about one person nobody may match are of one inquiry."""
    return distinct_persons({inquiry.inquiry_id: inquiry for inquiry, _ in asked}.values())


def _inquiries_line(
    key: str, label: Label, found: Sequence[InquiryCount], every: Sequence[InquiryCount], **more: Any
) -> ReportLine:
    return line(
        Section.INQUIRY,
        f"inquiry.{key}",
        label,
        len(found),
        Unit.INQUIRY,
        denominator=len(every),
        denominator_label=INQUIRIES,
        persons=distinct_persons(found),
        **more,
    )


def _question_line(
    key: str, label: Label, found: Sequence[Asked], whole: Sequence[Asked], *, of: str = QUESTIONS, **more: Any
) -> ReportLine:
    return line(
        Section.INQUIRY,
        f"inquiry.{key}",
        label,
        len(found),
        Unit.QUESTION,
        denominator=len(whole),
        denominator_label=of,
        persons=_persons(found),
        **more,
    )

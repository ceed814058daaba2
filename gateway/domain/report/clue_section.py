"""线索统计 The section that counts clues received within the period: forwarded, answered, overdue, become referrals.

Rules: a clue stands in one place: no court could be told, answered to the end (R14), or else overdue, in time, or its
time cannot be told; informed or filed is not the end. It became a referral where one of that court stands under a case
number the court answered with. Nobody may say that two clues are about one person, so each is of a person of its own.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from gateway.domain.replies import ClueAnswer, is_terminal
from gateway.domain.report.exchange_counts import ClueCount
from gateway.domain.report.facts import Label, ReportFacts, grouped, line, of_agency, percent
from gateway.domain.report.values import ReportLine, Section, Unit

CLUES, FORWARDED = "线索 clues", "已转法院线索 clues forwarded"
STANDINGS: dict[str, Label] = {
    "assisted": ("予以救助", "Assisted"),
    "not_assisted": ("不予救助", "Not assisted"),
    "not_court": ("非法院管辖", "Not a court's"),
    "waiting": ("期限内待办结", "Not yet answered to the end, in time"),
    "overdue": ("逾期未办结", "Overdue"),
    "untold": ("期限无法计算", "Time cannot be told"),
    "no_court": ("无对应法院", "No court to tell"),
}


def clues(facts: ReportFacts) -> Iterator[ReportLine]:
    """Clues on their way, by how they stand, and of each agency."""
    if facts.narrowed.is_of_cases:
        return
    every = facts.clues
    forwarded = [one for one in every if one.forwarded]
    became = [one for one in forwarded if one.became_referral]
    yield _line("submitted", ("提交", "Submitted"), every, every, of=CLUES)
    yield _line("forwarded", ("转法院", "Forwarded"), forwarded, every, of=CLUES)
    yield _line("answered", ("法院已反馈", "Answered"), [one for one in forwarded if one.answers], forwarded)
    filed = [one for one in forwarded if ClueAnswer.FILED in one.answers]
    yield _line("filed", ("已立案", "Filed"), filed, forwarded)
    yield _line("referral", ("转为移送", "Became a referral"), became, forwarded, family="clue.referral")
    share, of = percent(len(became), len(forwarded)), {"denominator": len(forwarded), "denominator_label": FORWARDED}
    label = ("转化率", "Became a referral, share")
    yield line(Section.CLUE, "clue.rate", label, share, Unit.PERCENT, cell=len(became), family="clue.referral", **of)
    by_standing = grouped(every, standing_of)
    for key, label in STANDINGS.items():
        yield _line(f"end.{key}", label, by_standing.get(key, ()), every, of=CLUES, partitions=("clue",))
    for agency, mine in sorted(grouped(every, lambda one: one.agency).items()):
        yield from _agency(agency, facts.agency_names.get(agency, (agency, agency)), mine)


def standing_of(clue: ClueCount) -> str:
    """A key of `STANDINGS`."""
    if not clue.forwarded:
        return "no_court"
    if clue.answers and is_terminal(clue.answers[-1]):
        return clue.answers[-1].value.lower()
    if clue.past is None:
        return "untold"
    return "overdue" if clue.past else "waiting"


def _agency(agency: str, name: Label, mine: Sequence[ClueCount]) -> Iterator[ReportLine]:
    forwarded = [one for one in mine if one.forwarded]
    overdue = [one for one in mine if standing_of(one) == "overdue"]
    became = [one for one in forwarded if one.became_referral]
    steps: tuple[tuple[str, Label, Sequence[ClueCount], Sequence[ClueCount], str], ...] = (
        ("submitted", ("提交", "submitted"), mine, mine, CLUES),
        ("forwarded", ("转法院", "forwarded"), forwarded, mine, CLUES),
        ("answered", ("已反馈", "answered"), [one for one in forwarded if one.answers], forwarded, FORWARDED),
        ("overdue", ("逾期未办结", "overdue"), overdue, forwarded, FORWARDED),
        ("referral", ("转为移送", "became a referral"), became, forwarded, FORWARDED),
    )
    for step, label, found, whole, of in steps:
        yield _line(
            f"{agency}.{step}", of_agency(name, label), found, whole, of=of, partitions=(f"clue.agency.{step}",)
        )


def _line(
    key: str, label: Label, found: Sequence[ClueCount], whole: Sequence[ClueCount], *, of: str = FORWARDED, **more: Any
) -> ReportLine:
    return line(
        Section.CLUE,
        f"clue.{key}",
        label,
        len(found),
        Unit.CLUE,
        denominator=len(whole),
        denominator_label=of,
        persons=len(found),
        **more,
    )

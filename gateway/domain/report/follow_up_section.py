"""回访统计 The section that counts return visits of the referrals a report is of: due, done, overdue.

Rules: a referral is to be visited once help was given or a visit was made, unless it was withdrawn; it then stands in
one place: visited with no further visit awaited, or else overdue, in time, or its time cannot be told. Its time is that
of the finding MISS_FOLLOW_UP (`reconciliation.court_money`), so that report and findings never disagree.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from gateway.domain.reconciliation.court_money import follow_up_clock, helped
from gateway.domain.reconciliation.values import Dossier, Rulebook
from gateway.domain.report.exchange_counts import FollowUpCount
from gateway.domain.report.facts import Label, ReportFacts, distinct_persons, grouped, line, percent
from gateway.domain.report.values import ReportLine, Section, Unit

REFERRALS, OWED = "移送 referrals", "应回访移送 referrals to be visited"
STANDINGS: dict[str, Label] = {
    "done": ("已回访，无待办", "Visited, none awaited"),
    "waiting": ("期限内待回访", "Awaited, in time"),
    "overdue": ("逾期未回访", "Overdue"),
    "untold": ("期限无法计算", "Time cannot be told"),
}


def follow_up_of(dossier: Dossier, rulebook: Rulebook, as_of: datetime) -> FollowUpCount | None:
    """How one referral stands; None where nothing is to be visited."""
    visits, clock = len(dossier.court_money.visits), follow_up_clock(dossier, rulebook, as_of)
    if dossier.referral.withdrawn or not (visits or any(helped(dossier))):
        return None
    return FollowUpCount(
        referral_id=dossier.referral.referral_id,
        visits=visits,
        is_awaited=clock is not None or not visits,
        past=None if clock is None else clock.past,
    )


def follow_ups(facts: ReportFacts) -> Iterator[ReportLine]:
    """Referrals to be visited, visited or not, how they stand, and the visits made."""
    every, made = facts.follow_ups, [one for one in facts.follow_ups if one.visits]
    yield _line(facts, "owed", ("应回访", "To be visited"), every, len(facts.rows), of=REFERRALS)
    never, family = [one for one in every if not one.visits], "follow_up.visited"
    yield _line(facts, "visited", ("已回访", "Visited"), made, len(every), family=family)
    yield _line(facts, "unvisited", ("未回访", "Not yet visited"), never, len(every), family=family)
    share, of = percent(len(made), len(every)), {"denominator": len(every), "denominator_label": OWED}
    label = ("回访率", "Visited, share")
    yield line(Section.FOLLOW_UP, "follow_up.rate", label, share, Unit.PERCENT, cell=len(made), family=family, **of)
    visits, people = sum(one.visits for one in made), _persons(facts, made)
    yield line(Section.FOLLOW_UP, "follow_up.visits", ("回访次数", "Visits made"), visits, Unit.VISIT, persons=people)
    by_standing = grouped(every, standing_of)
    for key, label in STANDINGS.items():
        found = by_standing.get(key, ())
        yield _line(facts, f"end.{key}", label, found, len(every), partitions=("follow_up",))


def standing_of(one: FollowUpCount) -> str:
    """A key of `STANDINGS`."""
    if not one.is_awaited:
        return "done"
    if one.past is None:
        return "untold"
    return "overdue" if one.past else "waiting"


def _persons(facts: ReportFacts, found: Sequence[FollowUpCount]) -> int:
    return distinct_persons(facts.row_of[one.referral_id] for one in found)


def _line(
    facts: ReportFacts,
    key: str,
    label: Label,
    found: Sequence[FollowUpCount],
    whole: int,
    *,
    of: str = OWED,
    **more: Any,
) -> ReportLine:
    return line(
        Section.FOLLOW_UP,
        f"follow_up.{key}",
        label,
        len(found),
        Unit.REFERRAL,
        denominator=whole,
        denominator_label=of,
        persons=_persons(facts, found),
        **more,
    )

"""平衡 The books (Law 7): needs accepted = what became of them, counted from independent rows, by several dimensions.

Rules: the left side is what intake counted when it accepted the referral (by agency: what our handoffs name), the right
side the need rows as they stand; a difference is shown, never hidden. A rerouted need lives on in the need it opened
and is not counted twice. A refusal without a recorded reason and a clock that cannot be told have columns of their own,
so nothing passes as in order. Specific groups overlap: what is counted in more than one line stands in `overlap`, so
that the lines of every dimension less their overlap are the total.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from gateway.domain.calendar import china_day
from gateway.domain.lifecycle import OPEN_NEEDS, NeedState
from gateway.domain.reconciliation.clocks import BOUNCES, REFUSALS, Clock, applied_to, running_clocks, worst_of
from gateway.domain.reconciliation.findings import must_act_on
from gateway.domain.reconciliation.values import Dossier, NeedRow, ReferralRow, Rulebook
from gateway.domain.replies import ReplyCode

HELPED = frozenset({NeedState.ASSISTED, NeedState.PARTIALLY_ASSISTED, NeedState.FOLLOWED_UP})
TAKEN_BACK = frozenset({NeedState.WITHDRAWN, NeedState.CANCELLED, NeedState.ENTERED_IN_ERROR})
_REASONS = (REFUSALS - {ReplyCode.DENIED}) | BOUNCES | {ReplyCode.STOPPED}
"""Answers that are a reason in themselves; a denial needs its reason and text besides (R09)."""
UNEXPLAINED = "unexplained"
NONE = "-"
"""No agency yet, no specific group, no case type."""


class Dimension(StrEnum):
    """维度 by which the books are drawn up."""

    COURT_AND_PERIOD = "court_and_period"
    COURT = "court"
    PERIOD = "period"
    AGENCY = "agency"
    GROUP = "group"
    CASE_TYPE = "case_type"

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of a line, in the order they are printed."""
        return ("court", "period") if self is Dimension.COURT_AND_PERIOD else (self.value,)


@dataclass(frozen=True, kw_only=True, slots=True)
class BalanceLine:
    """One line of the books; period is a month (`2026-03`). accepted is counted by intake, every other column from
    need rows; of the labels only those of its dimension are filled.

    unexplained: ended without help and without a recorded reason; clock_unknown: open, and no calendar to tell whether
    in time.
    """

    court: str = ""
    period: str = ""
    agency: str = ""
    group: str = ""
    case_type: str = ""
    referrals: int = 0
    accepted: int = 0
    assisted: int = 0
    not_assisted: int = 0
    unexplained: int = 0
    withdrawn: int = 0
    open_in_time: int = 0
    overdue: int = 0
    clock_unknown: int = 0
    held: int = 0

    @property
    def accounted(self) -> int:
        """The right side."""
        return sum(getattr(self, column) for column in COLUMNS)

    @property
    def difference(self) -> int:
        """Accepted less accounted for: positive when needs are missing, negative when there are too many."""
        return self.accepted - self.accounted

    @property
    def balances(self) -> bool:
        """Whether both sides are equal."""
        return self.difference == 0


COLUMNS = (
    "assisted",
    "not_assisted",
    "unexplained",
    "withdrawn",
    "open_in_time",
    "overdue",
    "clock_unknown",
    "held",
)
"""The right side, in the order it is printed."""
_COUNTED = ("referrals", "accepted", *COLUMNS)


@dataclass(frozen=True, kw_only=True, slots=True)
class BalanceSheet:
    """平衡表 by one dimension. total: counted by itself, not from the lines; overlap: what stands in several lines,
    once less than it stands there."""

    by: Dimension
    lines: tuple[BalanceLine, ...]
    total: BalanceLine
    overlap: BalanceLine

    @property
    def reconciles(self) -> bool:
        """Whether the lines, less what they count again, are the total, column by column."""
        return all(
            sum(getattr(line, name) for line in self.lines) - getattr(self.overlap, name) == getattr(self.total, name)
            for name in _COUNTED
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class OverdueNeed:
    """One need with its first limit that has passed, or (`past` None) that no published calendar can tell."""

    need_id: str
    referral_id: str
    court: str
    programme: str
    must_act: str
    waits_for: str
    limit_id: str
    started_at: datetime
    due_at: datetime | None
    past: bool | None
    unpublished_year: int | None = None


@dataclass(kw_only=True)
class _Column:
    """One line while it is counted."""

    referrals: int = 0
    accepted: int = 0
    counts: dict[str, int] = field(default_factory=dict)

    def line(self, labels: Mapping[str, str] | None = None) -> BalanceLine:
        """As it stands."""
        names: dict[str, Any] = {**(labels or {}), **self.counts}
        return BalanceLine(referrals=self.referrals, accepted=self.accepted, **names)


Labels = tuple[str, ...]
"""Of one line, in the order of `Dimension.labels`."""


class _Count:
    """The books while they are drawn up: each referral and each need goes into every line it belongs to."""

    def __init__(self) -> None:
        self.lines: dict[Labels, _Column] = {}
        self.total, self.overlap = _Column(), _Column()

    def referral(self, labels: Collection[Labels]) -> None:
        """One referral."""
        for column in self._columns(labels):
            column.referrals += 1
        self.overlap.referrals += len(labels) - 1
        self.total.referrals += 1

    def accepted(self, labels: Collection[Labels], count: int) -> None:
        """The left side."""
        for column in self._columns(labels):
            column.accepted += count
        self.overlap.accepted += (len(labels) - 1) * count
        self.total.accepted += count

    def need(self, labels: Collection[Labels], where: str) -> None:
        """The right side."""
        times = [(column, 1) for column in self._columns(labels)]
        for column, count in (*times, (self.overlap, len(labels) - 1), (self.total, 1)):
            column.counts[where] = column.counts.get(where, 0) + count

    def _columns(self, labels: Collection[Labels]) -> list[_Column]:
        return [self.lines.setdefault(one, _Column()) for one in labels]


def draw_up(
    dossiers: Iterable[tuple[Dossier, Rulebook]],
    as_of: datetime,
    *,
    by: Dimension = Dimension.COURT_AND_PERIOD,
    offices: Collection[str] | None = None,
) -> BalanceSheet:
    """The books of these referrals, each with the rules of its own agreement. offices: of needs handed to these alone.

    A referral given twice is counted twice: the caller gives each once.
    """
    count = _Count()
    for dossier, rulebook in dossiers:
        handed = _handed(dossier, offices)
        if offices is not None and not handed:
            continue
        accepted = _accepted(dossier, handed, by, offices)
        needs = [need for need in dossier.needs if offices is None or need.office_id in offices]
        labels = {label for of_one, _ in accepted for label in of_one}
        count.referral(labels or set(_labels(dossier.referral, by, None)))
        for of_one, number in accepted:
            count.accepted(of_one, number)
        for need in needs:
            column = where(need, dossier, rulebook, as_of)
            if column is not None:
                count.need(_labels(dossier.referral, by, need.agency), column)
    lines = tuple(
        column.line(dict(zip(by.labels, labels, strict=True))) for labels, column in sorted(count.lines.items())
    )
    return BalanceSheet(by=by, lines=lines, total=count.total.line(), overlap=count.overlap.line())


def tally(dossiers: Iterable[tuple[Dossier, Rulebook]], as_of: datetime) -> tuple[BalanceLine, ...]:
    """One line per court and China month of acceptance, sorted."""
    return draw_up(dossiers, as_of).lines


def _handed(dossier: Dossier, offices: Collection[str] | None) -> dict[str, str]:
    """Need id → agency, as our newest handoff of its present step has it; counted apart from what the need says."""
    steps = {need.need_id: need.step for need in dossier.needs}
    rerouted = {need.need_id for need in dossier.needs if need.state is NeedState.REROUTED}
    found: dict[str, str] = {}
    for handoff in dossier.handoffs:
        if offices is None or handoff.office_id in offices:
            mine = [one for one in handoff.need_ids if one not in rerouted and handoff.step >= steps.get(one, 0)]
            found.update(dict.fromkeys(mine, handoff.agency))
    return found


def _accepted(
    dossier: Dossier, handed: Mapping[str, str], by: Dimension, offices: Collection[str] | None
) -> list[tuple[list[Labels], int]]:
    """The left side: what intake counted; by agency or for some offices, what our handoffs name of it."""
    referral = dossier.referral
    if by is not Dimension.AGENCY:
        count = referral.needs_accepted if offices is None else len(handed)
        return [(_labels(referral, by, None), count)]
    counts = {agency: list(handed.values()).count(agency) for agency in handed.values()}
    found = [(_labels(referral, by, agency), count) for agency, count in counts.items()]
    waiting = referral.needs_accepted - len(handed)
    return found if offices is not None or not waiting else [*found, (_labels(referral, by, None), waiting)]


def _labels(referral: ReferralRow, by: Dimension, agency: str | None) -> list[Labels]:
    """The lines that a referral, or a need of it that an agency has, belongs to."""
    values = {
        "court": [referral.court],
        "period": [period_of(referral.accepted_at)],
        "agency": [agency or NONE],
        "group": list(referral.groups) or [NONE],
        "case_type": [referral.case_type or NONE],
    }
    if by is Dimension.COURT_AND_PERIOD:
        return [(referral.court, period_of(referral.accepted_at))]
    return [(value,) for value in values[by.value]]


def total(lines: Iterable[BalanceLine], *, court: str = "", period: str = "") -> BalanceLine:
    """All lines as one; `court` and `period` are its labels."""
    every = list(lines)
    sums = {name: sum(getattr(line, name) for line in every) for name in _COUNTED}
    return BalanceLine(court=court, period=period, **sums)


def overdue_needs(dossier: Dossier, rulebook: Rulebook, as_of: datetime) -> tuple[OverdueNeed, ...]:
    """Open needs that passed a limit, and those whose limit no published calendar can tell, in the rows' order."""
    found = []
    for need in dossier.needs:
        clock = worst_of(running_clocks(need, dossier, rulebook, as_of))
        if clock is not None and clock.past is not False and _is_open(need):
            found.append(_overdue(need, clock, dossier))
    return tuple(found)


def period_of(moment: datetime) -> str:
    """The China month, `2026-03`."""
    return china_day(moment).isoformat()[:7]


def where(need: NeedRow, dossier: Dossier, rulebook: Rulebook, as_of: datetime) -> str | None:
    """The column of the right side; None for a need that lives on in another."""
    if need.state is NeedState.REROUTED:
        return None
    if need.state is NeedState.HELD:
        return "held"
    if need.state in TAKEN_BACK:
        return "withdrawn"
    if need.state in HELPED or (need.state is NeedState.CLOSED and need.paid_at is not None):
        return "assisted"
    if need.state in (NeedState.NOT_ASSISTED, NeedState.CLOSED):
        return "not_assisted" if _is_explained(need, dossier) else UNEXPLAINED
    clock = worst_of(running_clocks(need, dossier, rulebook, as_of))
    if clock is None or clock.past is False:
        return "open_in_time"
    return "overdue" if clock.past else "clock_unknown"


def _is_open(need: NeedRow) -> bool:
    return need.state in OPEN_NEEDS


def _is_explained(need: NeedRow, dossier: Dossier) -> bool:
    for reply in applied_to(need, dossier.replies):
        if reply.code in _REASONS:
            return True
        if reply.code == ReplyCode.DENIED and reply.reason is not None and reply.has_text:
            return True
    return False


def _overdue(need: NeedRow, clock: Clock, dossier: Dossier) -> OverdueNeed:
    return OverdueNeed(
        need_id=need.need_id,
        referral_id=need.referral_id,
        court=dossier.referral.court,
        programme=need.programme,
        must_act=must_act_on(clock, need, dossier.referral),
        waits_for=clock.waits_for.value,
        limit_id=clock.limit_id,
        started_at=clock.started_at,
        due_at=clock.due_at,
        past=clock.past,
        unpublished_year=clock.unpublished_year,
    )

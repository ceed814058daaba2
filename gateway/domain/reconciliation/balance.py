"""平衡 The books (Law 7): per court and month, needs accepted = what became of them, counted from independent rows.

Rules: the left side is what intake counted when it accepted the referral, the right side the need rows as they stand;
a difference is shown, never hidden. A rerouted need lives on in the need it opened and is not counted twice. A refusal
without a recorded reason and a clock that cannot be told have columns of their own, so nothing passes as in order.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from gateway.domain.calendar import china_day
from gateway.domain.lifecycle import OPEN_NEEDS, NeedState
from gateway.domain.reconciliation.clocks import BOUNCES, REFUSALS, Clock, applied_to, running_clocks
from gateway.domain.reconciliation.findings import must_act_on
from gateway.domain.reconciliation.values import Dossier, NeedRow, Rulebook
from gateway.domain.replies import ReplyCode

_HELPED = frozenset({NeedState.ASSISTED, NeedState.PARTIALLY_ASSISTED, NeedState.FOLLOWED_UP})
_TAKEN_BACK = frozenset({NeedState.WITHDRAWN, NeedState.CANCELLED, NeedState.ENTERED_IN_ERROR})
_REASONS = (REFUSALS - {ReplyCode.DENIED}) | BOUNCES | {ReplyCode.STOPPED}
"""Answers that are a reason in themselves; a denial needs its reason and text besides (R09)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BalanceLine:
    """One court and period (`2026-03`). accepted is counted by intake; every other column from need rows.

    unexplained: ended without help and without a recorded reason; clock_unknown: open, and no calendar to tell whether
    in time.
    """

    court: str
    period: str
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


def tally(dossiers: Iterable[tuple[Dossier, Rulebook]], as_of: datetime) -> tuple[BalanceLine, ...]:
    """One line per court and China month of acceptance, sorted; each dossier with the rules of its own agreement.

    A referral given twice is counted twice: the caller gives each once.
    """
    found: dict[tuple[str, str], _Column] = {}
    for dossier, rulebook in dossiers:
        referral = dossier.referral
        column = found.setdefault((referral.court, period_of(referral.accepted_at)), _Column())
        column.referrals += 1
        column.accepted += referral.needs_accepted
        for need in dossier.needs:
            where = _where(need, dossier, rulebook, as_of)
            if where is not None:
                column.counts[where] = column.counts.get(where, 0) + 1
    return tuple(
        BalanceLine(court=court, period=period, referrals=column.referrals, accepted=column.accepted, **column.counts)
        for (court, period), column in sorted(found.items())
    )


def total(lines: Iterable[BalanceLine], *, court: str = "", period: str = "") -> BalanceLine:
    """All lines as one; `court` and `period` are its labels."""
    every = list(lines)
    sums = {name: sum(getattr(line, name) for line in every) for name in ("referrals", "accepted", *COLUMNS)}
    return BalanceLine(court=court, period=period, **sums)


def overdue_needs(dossier: Dossier, rulebook: Rulebook, as_of: datetime) -> tuple[OverdueNeed, ...]:
    """Open needs that passed a limit, and those whose limit no published calendar can tell, in the rows' order."""
    found = []
    for need in dossier.needs:
        clock = _worst(running_clocks(need, dossier, rulebook, as_of))
        if clock is not None and clock.past is not False and _is_open(need):
            found.append(_overdue(need, clock, dossier))
    return tuple(found)


def period_of(moment: datetime) -> str:
    """The China month, `2026-03`."""
    return china_day(moment).isoformat()[:7]


def _where(need: NeedRow, dossier: Dossier, rulebook: Rulebook, as_of: datetime) -> str | None:
    """The column of the right side; None for a need that lives on in another."""
    if need.state is NeedState.REROUTED:
        return None
    if need.state is NeedState.HELD:
        return "held"
    if need.state in _TAKEN_BACK:
        return "withdrawn"
    if need.state in _HELPED or (need.state is NeedState.CLOSED and need.paid_at is not None):
        return "assisted"
    if need.state in (NeedState.NOT_ASSISTED, NeedState.CLOSED):
        return "not_assisted" if _is_explained(need, dossier) else "unexplained"
    clock = _worst(running_clocks(need, dossier, rulebook, as_of))
    if clock is None or clock.past is False:
        return "open_in_time"
    return "overdue" if clock.past else "clock_unknown"


def _is_open(need: NeedRow) -> bool:
    return need.state in OPEN_NEEDS


def _worst(clocks: Iterable[Clock]) -> Clock | None:
    """The first that has passed, else the first that cannot be told, else the first."""
    return min(clocks, key=lambda clock: {True: 0, None: 1, False: 2}[clock.past], default=None)


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

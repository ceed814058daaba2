"""需求时限 The one limit of each open need that lists and counts go by: the first that passed, else the next to pass.

Rules: it is what the balance goes by (`clocks.worst_of`), so that counting rows gives what drawing up the books gives;
a limit that no published calendar can tell is marked and never guessed. A need that ended without help and without a
recorded reason has no limit and is told too, for somebody must give the reason; every other need has nothing here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from gateway.domain.lifecycle import OPEN_NEEDS
from gateway.domain.reconciliation.balance import UNEXPLAINED, where
from gateway.domain.reconciliation.clocks import Clock, running_clocks, worst_of
from gateway.domain.reconciliation.findings import must_act_on
from gateway.domain.reconciliation.values import Dossier, NeedRow, ReferralRow, Rulebook


@dataclass(frozen=True, kw_only=True, slots=True)
class StandingClock:
    """One need's limit. due_at: when it passes or passed, None where nobody can tell; is_unknown: some limit of the
    need cannot be told; is_unexplained: there is none, the need ended without a reason."""

    need_id: str
    referral_id: str
    court: str
    must_act: str
    waits_for: str
    limit_id: str
    is_minor: bool
    due_at: datetime | None
    is_unknown: bool
    is_unexplained: bool = False


def standing_clocks(dossier: Dossier, rulebook: Rulebook, as_of: datetime) -> Iterator[StandingClock]:
    """Of every open need with a limit that runs, and of those that ended unexplained, in the rows' order."""
    referral = dossier.referral
    for need in dossier.needs:
        if need.state not in OPEN_NEEDS:
            if where(need, dossier, rulebook, as_of) == UNEXPLAINED:
                yield _unexplained(need, referral)
            continue
        clocks = running_clocks(need, dossier, rulebook, as_of)
        worst = worst_of(clocks)
        if worst is None:
            continue
        shown = worst if worst.past else _next(clocks) or worst
        yield StandingClock(
            need_id=need.need_id,
            referral_id=referral.referral_id,
            court=referral.court,
            must_act=must_act_on(shown, need, referral),
            waits_for=shown.waits_for.value,
            limit_id=shown.limit_id,
            is_minor=referral.is_minor,
            due_at=shown.due_at,
            is_unknown=worst.past is None,
        )


def _next(clocks: tuple[Clock, ...]) -> Clock | None:
    known = [(clock.due_at, at) for at, clock in enumerate(clocks) if clock.due_at is not None]
    return clocks[min(known)[1]] if known else None


def _unexplained(need: NeedRow, referral: ReferralRow) -> StandingClock:
    return StandingClock(
        need_id=need.need_id,
        referral_id=referral.referral_id,
        court=referral.court,
        must_act=need.office_id or need.agency or referral.court,
        waits_for="",
        limit_id="",
        is_minor=referral.is_minor,
        due_at=None,
        is_unknown=False,
        is_unexplained=True,
    )

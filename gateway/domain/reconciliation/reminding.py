"""催办与上报 Which reminders a need calls for now, and who has to act once they stayed without an answer.

Rules: only an office that itself has to act is reminded; a need that is held, ended, withdrawn or waits for the court
is not. Of several numbers that fell due meanwhile only the last is said. A limit that passed goes up one office at a
time (county, prefecture, province), each after its own time without an answer; above the last stands the operator.
What was said is read from our own signed messages, so that a second run says nothing twice.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from gateway.domain.deadlines import LimitUnit
from gateway.domain.reconciliation.clocks import Clock, running_clocks
from gateway.domain.reconciliation.findings import OPERATOR, must_act_on
from gateway.domain.reconciliation.rows_reminders import ReminderRow
from gateway.domain.reconciliation.values import Dossier, NeedRow, Rulebook
from gateway.domain.reminders import ReminderRule, load_reminder_rules


@dataclass(frozen=True, kw_only=True, slots=True)
class Reminding:
    """One message that is due. level 0: the office itself, with its number; from 1: the office so many above it."""

    need: NeedRow
    clock: Clock
    office_id: str
    level: int
    number: int
    is_minor: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """催办情况 of one need. level: how far up it went. holder: who has to act by now, None while the office has."""

    reminders: int = 0
    level: int = 0
    holder: str | None = None


def due_reminders(dossier: Dossier, rulebook: Rulebook, as_of: datetime) -> Iterator[Reminding]:
    """What has to be said now, offices in the order of their needs."""
    for need, clock, rule in _reminded(dossier, rulebook, as_of):
        number = _number_due(need, clock, rule, dossier, rulebook, as_of)
        if number is not None:
            yield _reminding(need, clock, need.office_id or "", 0, number, dossier)
        level = _level(need, clock, dossier)
        above = dossier.offices_above.get(need.office_id or "", ())
        moment = _next_level_at(need, clock, rule, dossier, rulebook)
        if level < len(above) and moment is not None and moment <= as_of:
            yield _reminding(need, clock, above[level], level + 1, 1, dossier)


def next_moments(dossier: Dossier, rulebook: Rulebook, as_of: datetime) -> Iterator[datetime]:
    """When time alone calls for the next reminder, or puts somebody else in charge."""
    for need, clock, rule in _reminded(dossier, rulebook, as_of):
        last = max((row.number for row in _said(need, clock, dossier) if row.level == 0), default=0)
        for number in range(last + 1, rule.most + 1):
            moment = _remind_at(number, clock, rule, dossier, rulebook)
            if moment is not None and moment > as_of:
                yield moment
                break
        up = _next_level_at(need, clock, rule, dossier, rulebook)
        if up is not None and up > as_of:
            yield up


def standing(need: NeedRow, dossier: Dossier, rulebook: Rulebook, as_of: datetime) -> Standing:
    """How often the office was reminded of the need's running limits, and who was told in its stead."""
    found = Standing()
    for one, clock, rule in _reminded(dossier, rulebook, as_of):
        if one.need_id != need.need_id:
            continue
        level, holder = _raised(need, clock, rule, dossier, rulebook, as_of)
        reminders = found.reminders + sum(row.level == 0 for row in _said(need, clock, dossier))
        higher = level > found.level
        found = Standing(
            reminders=reminders,
            level=level if higher else found.level,
            holder=holder if higher else found.holder,
        )
    return found


def _raised(
    need: NeedRow, clock: Clock, rule: ReminderRule, dossier: Dossier, rulebook: Rulebook, as_of: datetime
) -> tuple[int, str | None]:
    """How far up one limit went, and to whom: above the last office stands the operator."""
    level = _level(need, clock, dossier)
    above = dossier.offices_above.get(need.office_id or "")
    if above is None:
        return level, None
    moment = _next_level_at(need, clock, rule, dossier, rulebook)
    if level >= len(above) and moment is not None and moment <= as_of:
        return level + 1, OPERATOR
    return level, above[level - 1] if 0 < level <= len(above) else None


def number_of(need: NeedRow) -> str:
    """The need's place in its referral, as its id says it."""
    return need.need_id.removeprefix(f"{need.referral_id}:")


def _reminded(dossier: Dossier, rulebook: Rulebook, as_of: datetime) -> Iterator[tuple[NeedRow, Clock, ReminderRule]]:
    """Each limit of which its office is to be reminded: the first that runs of every kind."""
    rules = load_reminder_rules()
    for need in dossier.needs:
        if need.office_id is None or need.handoff_id is None or dossier.referral.withdrawn:
            continue
        seen: set[str] = set()
        for clock in sorted(running_clocks(need, dossier, rulebook, as_of), key=_soonest):
            rule = rules.get(clock.waits_for)
            if rule is None or clock.waits_for in seen or clock.due_at is None:
                continue
            seen.add(clock.waits_for)
            if must_act_on(clock, need, dossier.referral) == need.office_id:
                yield need, clock, rule


def _soonest(clock: Clock) -> float:
    return float("inf") if clock.due_at is None else clock.due_at.timestamp()


def _number_due(
    need: NeedRow, clock: Clock, rule: ReminderRule, dossier: Dossier, rulebook: Rulebook, as_of: datetime
) -> int | None:
    """The highest number that is due, where it was not said yet."""
    last = max((row.number for row in _said(need, clock, dossier) if row.level == 0), default=0)
    fallen = None
    for number in range(last + 1, rule.most + 1):
        moment = _remind_at(number, clock, rule, dossier, rulebook)
        if moment is None or moment > as_of:
            break
        fallen = number
    return fallen


def _remind_at(number: int, clock: Clock, rule: ReminderRule, dossier: Dossier, rulebook: Rulebook) -> datetime | None:
    if clock.due_at is None:
        return None
    return rule.remind_at(
        number,
        clock.started_at,
        clock.due_at,
        minor=dossier.referral.is_minor,
        urgent=_is_urgent(clock, rulebook),
        calendar=rulebook.calendar,
    )


def _next_level_at(
    need: NeedRow, clock: Clock, rule: ReminderRule, dossier: Dossier, rulebook: Rulebook
) -> datetime | None:
    """After which moment the next one up is told: counted from the last who was, and never without a reminder."""
    said = _said(need, clock, dossier)
    if clock.due_at is None or not said:
        return None
    raised = [row.at for row in said if row.level > 0]
    since = max(raised) if raised else max(clock.due_at, min(row.at for row in said))
    return rule.escalate_at(
        since,
        minor=dossier.referral.is_minor,
        urgent=_is_urgent(clock, rulebook),
        calendar=rulebook.calendar,
    )


def _is_urgent(clock: Clock, rulebook: Rulebook) -> bool:
    return any(limit.limit_id == clock.limit_id and limit.unit is LimitUnit.HOUR for limit in rulebook.limits)


def _said(need: NeedRow, clock: Clock, dossier: Dossier) -> list[ReminderRow]:
    return [
        row
        for row in dossier.reminders
        if (row.handoff_id, row.need_number, row.waits_for) == (need.handoff_id, number_of(need), clock.waits_for)
    ]


def _level(need: NeedRow, clock: Clock, dossier: Dossier) -> int:
    return max((row.level for row in _said(need, clock, dossier)), default=0)


def _reminding(need: NeedRow, clock: Clock, office_id: str, level: int, number: int, dossier: Dossier) -> Reminding:
    return Reminding(
        need=need,
        clock=clock,
        office_id=office_id,
        level=level,
        number=number,
        is_minor=dossier.referral.is_minor,
    )

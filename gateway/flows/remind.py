"""催办 An office is reminded before its limit runs out and when it has; without an answer its superior office is told.

1. reconciliation, which looks at a referral exactly when time or a fact may change something, asks which reminders are
   due, minors' first; an office that is paused is not reminded of what it cannot have got;
2. each is one `handoff.reminder` of ours, once for ever by its effect, in the commit of that look;
3. the superior office may be another party: it is told ids, the limit and the office, and nothing of the person.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from gateway.domain.agreement import AgreementProfile, Office
from gateway.domain.reconciliation.reminding import Reminding, due_reminders, number_of
from gateway.domain.reconciliation.rows_reminders import effect_of
from gateway.domain.reconciliation.values import Dossier, Rulebook
from gateway.domain.referral import Urgency
from gateway.domain.routing import OfficeIndex, priority
from gateway.flows.context import Context
from gateway.flows.notice import Notice, send
from gateway.store import handoffs, referrals
from gateway.store.handoffs import SentRow
from gateway.store.reminders import REMINDER_TYPE
from schemas.fields import format_moment

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reminded:
    """What was sent: to offices themselves, and to offices above them."""

    reminded: int = 0
    escalated: int = 0


class Superiors:
    """上级单位: the offices above each office, nearest first, as one directory and one agreement have them."""

    def __init__(self, context: Context, *, now: datetime) -> None:
        self._context, self._offices = context, context.snapshot(now).offices
        self._index = OfficeIndex(self._offices.values())
        self._known: dict[tuple[str, str, int], tuple[str, ...]] = {}

    def place(self, dossier: Dossier, profile: AgreementProfile) -> Dossier:
        """The dossier with what stands above the offices of its needs."""
        mine = {need.office_id for need in dossier.needs if need.office_id is not None}
        above = {office_id: self._above(office_id, profile) for office_id in sorted(mine)}
        return replace(dossier, offices_above=above) if above else dossier

    def _above(self, office_id: str, profile: AgreementProfile) -> tuple[str, ...]:
        office = self._offices.get(office_id)
        if office is None:
            return ()
        key = (office_id, profile.document, profile.version)
        if key not in self._known:
            found = self._index.above(office, self._context.regions, named=profile.names)
            self._known[key] = tuple(one.office_id for one in found)
        return self._known[key]


def wanted(context: Context, pairs: Sequence[tuple[Dossier, Rulebook]], *, now: datetime) -> list[Reminding]:
    """What is due in these dossiers and can be said now, minors' first."""
    offices = context.snapshot(now).offices
    due = [one for dossier, book in pairs for one in due_reminders(dossier, book, now)]
    reachable = [one for one in due if one.office_id in offices and not offices[one.office_id].paused]
    return sorted(reachable, key=lambda one: not one.is_minor)


def remind(connection: Connection, context: Context, due: Sequence[Reminding], *, now: datetime) -> Reminded:
    """Queues what was not said yet, and has their referrals looked at again."""
    if not due:
        return Reminded()
    offices = context.snapshot(now).offices
    issued = {row.handoff_id: row for row in handoffs.by_id(connection, {one.need.handoff_id or "" for one in due})}
    sayable = [one for one in due if one.need.handoff_id in issued]
    notices = [_notice(one, offices[one.office_id], issued[one.need.handoff_id or ""]) for one in sayable]
    sent = send(connection, context, notices, now=now)
    fresh = [one for one, message_id in zip(sayable, sent, strict=True) if message_id is not None]
    referrals.touch(connection, {one.need.referral_id for one in fresh}, now=now)
    raised = sum(one.level > 0 for one in fresh)
    done = Reminded(reminded=len(fresh) - raised, escalated=raised)
    if fresh:
        logger.info("reminders sent", extra={"reminded": done.reminded, "escalated": done.escalated})
    return done


def _notice(one: Reminding, office: Office, issued: SentRow) -> Notice:
    need = one.need
    effect = effect_of(issued.handoff_id, number_of(need), one.clock.waits_for, level=one.level, number=one.number)
    return Notice(
        to=office,
        type=REMINDER_TYPE,
        subject=need.referral_id,
        effect=effect,
        data=_body(one),
        answers=(issued.message_id, issued.digest) if one.level == 0 else None,
        # what goes up does not wait for what the office below has not taken
        handoff_id=issued.handoff_id if one.level == 0 else None,
        priority=priority(one.is_minor, Urgency.NORMAL),
    )


def _body(one: Reminding) -> Mapping[str, Any]:
    """Ids, codes and moments only."""
    body: dict[str, Any] = {
        "handoff_id": one.need.handoff_id,
        "need": one.need.need_id,
        "programme": one.need.programme,
        "waits_for": one.clock.waits_for.value,
        "limit": one.clock.limit_id,
        "since": format_moment(one.clock.started_at),
        "number": one.number,
    }
    if one.clock.due_at is not None:
        body["due_at"] = format_moment(one.clock.due_at)
    if one.level > 0:
        body |= {"escalated_from": one.need.office_id, "level": one.level}
    return body

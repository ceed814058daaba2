"""平衡与救助链 What a court or an auditor may ask about: the balance (Law 7), one referral's fate, a household's chain.

Reads only. A court sees its own referrals and nothing of another's: a stranger's id gets the same answer as none. The
household's chain crosses courts and agencies, so it is for the operator's desk alone.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection

from gateway.domain.lifecycle import NeedState
from gateway.domain.reconciliation.balance import BalanceLine, tally
from gateway.domain.reconciliation.chain import HouseholdChain, household_chain
from gateway.domain.reconciliation.clocks import running_clocks
from gateway.domain.reconciliation.values import Dossier, NeedRow, Rulebook
from gateway.errors import ReferralUnknown
from gateway.flows.balance import Scope, dossiers_of
from gateway.flows.context import Context
from gateway.flows.ladder import Step, ladders
from gateway.flows.operate import require_reason
from gateway.flows.rules_of import with_rules
from gateway.store import amendments, decisions, dossiers, exchanges, handoffs, referrals
from gateway.store.dossiers import Days
from gateway.store.exchanges import KeptInquiry


@dataclass(frozen=True, kw_only=True, slots=True)
class NeedFate:
    """Where one need stands. deadline: the first limit that runs, None when none does or no calendar can tell."""

    need_id: str
    programme: str
    state: NeedState
    since: datetime
    agency: str | None
    deadline: datetime | None
    overdue: bool | None
    unroutable: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class HandoffFate:
    """One handoff and how far its evidence reaches."""

    message_id: str
    agency: str
    office_id: str
    ladder: tuple[Step, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class CitedInquiry:
    """The inquiry the referral cites, as its court was told of it. kept: None where this court made none of that id."""

    inquiry_id: str
    kept: KeptInquiry | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Version:
    """One version of a referral: the submission is the first, each amendment another."""

    number: int
    message_id: str
    accepted_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Fate:
    """去向 of one referral. versions: in order, the one in force last."""

    referral_id: str
    case_number: str
    accepted_at: datetime
    withdrawn: bool
    holds: tuple[str, ...]
    needs: tuple[NeedFate, ...]
    handoffs: tuple[HandoffFate, ...]
    versions: tuple[Version, ...]
    inquiry: CitedInquiry | None = None


def balance(
    context: Context, *, as_of: datetime, now: datetime, court: str | None = None, accepted: Days | None = None
) -> tuple[BalanceLine, ...]:
    """One line per court and month of what was accepted within these China days (all, when none are given)."""
    with context.store.reading() as connection:
        return tally(dossiers_of(connection, context, Scope(court=court, accepted=accepted), now=now), as_of)


def fate(context: Context, referral_id: str, *, court: str, now: datetime) -> Fate:
    """One referral as its court may see it. Raises ReferralUnknown."""
    with context.store.reading() as connection:
        pairs = with_rules(connection, context, [referral_id], now)
        holds = dossiers.holds_of(connection, referral_id)
        sent = handoffs.of_referral(connection, referral_id)
        steps = ladders(connection, [row.message_id for row in sent])
        versions = _versions(connection, referral_id)
        cited = _cited(connection, pairs[0][0].referral.inquiry_ref if pairs else None, court)
    if not pairs or pairs[0][0].referral.court != court:
        raise ReferralUnknown(ids={"referral_id": referral_id})
    dossier, rulebook = pairs[0]
    return Fate(
        referral_id=referral_id,
        case_number=dossier.referral.case_number,
        accepted_at=dossier.referral.accepted_at,
        withdrawn=dossier.referral.withdrawn,
        holds=holds,
        needs=tuple(_need_fate(need, dossier, rulebook, now) for need in dossier.needs),
        handoffs=tuple(
            HandoffFate(
                message_id=row.message_id,
                agency=row.agency,
                office_id=row.office_id,
                ladder=tuple(steps[row.message_id]),
            )
            for row in sent
        ),
        versions=versions,
        inquiry=cited,
    )


def _versions(connection: Connection, referral_id: str) -> tuple[Version, ...]:
    kept = referrals.where_kept(connection, referral_id)
    if kept is None:
        return ()
    first = Version(number=1, message_id=kept.message_id, accepted_at=kept.received_at)
    later = [
        Version(number=one.version, message_id=one.message_id, accepted_at=one.accepted_at)
        for one in amendments.all_of(connection, referral_id)
    ]
    return (first, *later)


def _cited(connection: Connection, inquiry_id: str | None, court: str) -> CitedInquiry | None:
    if inquiry_id is None:
        return None
    kept = exchanges.inquiries(connection, [inquiry_id]).get(inquiry_id)
    return CitedInquiry(inquiry_id=inquiry_id, kept=kept if kept is not None and kept.court == court else None)


def _need_fate(need: NeedRow, dossier: Dossier, rulebook: Rulebook, now: datetime) -> NeedFate:
    clocks = running_clocks(need, dossier, rulebook, now)
    known = [clock for clock in clocks if clock.due_at is not None]
    worst = [clock.past for clock in clocks]
    return NeedFate(
        need_id=need.need_id,
        programme=need.programme,
        state=need.state,
        since=need.state_at or need.accepted_at,
        agency=need.agency,
        deadline=min((clock.due_at for clock in known if clock.due_at is not None), default=None),
        overdue=True if True in worst else None if None in worst else False,
        unroutable=need.unroutable,
    )


def chain(context: Context, referral_id: str, *, who: str, why: str, now: datetime) -> HouseholdChain:
    """The time line of the household behind a referral; correlating is a use that is logged (P06), before it is shown.
    Raises ReferralUnknown, ConfigError."""
    require_reason(who, why)
    with context.store.reading() as connection:
        found = dossiers.read(connection, dossiers.household(connection, referral_id))
    if not found:
        raise ReferralUnknown(ids={"referral_id": referral_id})
    context.store.write(
        lambda connection: decisions.put(
            connection, who=who, what="chain_viewed", subject=referral_id, why=why, now=now
        )
    )
    return household_chain(found)


def as_json(fate_: Fate) -> dict[str, Any]:
    """The fate as WIRE §4's `GET /v1/referrals/{id}` answers it."""
    return {
        "referral_id": fate_.referral_id,
        "case_number": fate_.case_number,
        "accepted_at": fate_.accepted_at.isoformat(),
        "withdrawn": fate_.withdrawn,
        "versions": [
            {"version": one.number, "message_id": one.message_id, "accepted_at": one.accepted_at.isoformat()}
            for one in fate_.versions
        ],
        "holds": list(fate_.holds),
        "needs": [
            {
                "need_id": need.need_id,
                "programme": need.programme,
                "state": need.state.value,
                "since": need.since.isoformat(),
                "agency": need.agency,
                "deadline": need.deadline.isoformat() if need.deadline else None,
                "overdue": need.overdue,
                "unroutable": need.unroutable,
            }
            for need in fate_.needs
        ],
        "handoffs": [
            {
                "message_id": handoff.message_id,
                "agency": handoff.agency,
                "office_id": handoff.office_id,
                "ladder": [_step_json(step) for step in handoff.ladder],
            }
            for handoff in fate_.handoffs
        ],
        "inquiry": None if fate_.inquiry is None else _inquiry_json(fate_.inquiry),
    }


def _inquiry_json(cited: CitedInquiry) -> dict[str, Any]:
    kept = cited.kept
    return {
        "inquiry_id": cited.inquiry_id,
        "on_file": kept is not None,
        "complete": kept is not None and kept.is_answered,
        "answers": [
            {
                "programme": one.programme,
                "agency": one.agency,
                "answer": exchanges.NOT_ANSWERED if one.answered is None else one.answered.answer,
                "as_of": None if one.answered is None else one.answered.as_of.isoformat(),
            }
            for one in (() if kept is None else kept.questions)
        ],
    }


def _step_json(step: Step) -> dict[str, Any]:
    return {
        "rung": step.rung.value,
        "verdict": step.verdict.value,
        "code": step.code,
        "issuer": step.issuer,
        "at": step.at.isoformat(),
        "superseded_at": step.superseded_at.isoformat() if step.superseded_at else None,
    }


def period(from_day: date | None, to_day: date | None) -> Days | None:
    """Two days as a period; an open end reaches as far as days do."""
    return None if from_day is None and to_day is None else (from_day or date(1970, 1, 1), to_day or date(9998, 12, 31))

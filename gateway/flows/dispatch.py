"""转办分派 Accepted needs become signed handoffs in the offices' queues (hops 4-7).

1. take the needs that are due, minors first (R05), and recall their referrals from the signed bytes;
2. route each need's step to an office, with its reason; what has no office waits and is tried again, visibly;
3. needs of one referral for one office at one step are one handoff: masked (DOMAIN §4), then translated by the
   agency's adapter, outside the database;
4. in one commit, with the needs locked: those still waiting get their handoff, their message is numbered, signed and
   queued. What somebody else took meanwhile is dropped, and what its court amended is planned anew by the next run.
"""

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from gateway.domain.agreement import AgreementProfile
from gateway.domain.lifecycle import NeedState
from gateway.domain.programmes import Programme
from gateway.domain.referral import Referral
from gateway.domain.rerouting import asked_number
from gateway.domain.routing import (
    OfficeIndex,
    Place,
    PlaceRule,
    Routed,
    Unroutable,
    UnroutableCode,
    next_step,
    place_for,
    programme_of,
    route_step,
    steps_of,
)
from gateway.errors import Busy, StoreUnavailable, XianjieError
from gateway.failpoints import failpoint
from gateway.flows.context import Context
from gateway.flows.issue import Issue, message_of, prepare, row_of
from gateway.flows.needs import NeedInHand
from gateway.flows.recall import newest, recall_these
from gateway.store import amendments, handoffs, outbox, referrals, reroutes
from gateway.store.clock import to_ms
from gateway.store.referrals import Waiting

logger = logging.getLogger(__name__)

TRY_AGAIN = timedelta(minutes=10)
NOT_PROVEN, NOT_TRANSLATED = "message_not_proven", "not_translated"
_WAITING_STATES = frozenset({NeedState.ACCEPTED, NeedState.ROUTED})


@dataclass(frozen=True, kw_only=True, slots=True)
class Dispatched:
    """What one run did."""

    handoffs: int = 0
    unroutable: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class _Plan:
    """What shall happen to some needs of one referral: a handoff, or a reason why there is none."""

    context: Context
    referral_id: str
    need_ids: tuple[str, ...]
    now: datetime
    reasons: Mapping[str, str]
    """need id → because (routed) or code (unroutable)."""
    issue: Issue | None = None
    read_from: str = ""
    """The message of the version it was made from."""


def dispatch(context: Context, *, now: datetime, limit: int = 200) -> Dispatched:
    """One run over at most `limit` needs; what a run leaves the next one takes."""
    with context.store.reading() as connection:
        due_now = referrals.waiting(connection, now=now, limit=limit)
        rows = referrals.needs_of(connection, [item.referral_id for item in due_now])
        placed = newest(connection, due_now)
        recalled = recall_these(connection, placed, context, now=now)
        sent_on = reroutes.targets(connection, [item.referral_id for item in due_now])
    offices = OfficeIndex(context.snapshot(now).offices.values())
    plans: list[_Plan] = []
    for item in placed:
        needs = [dict(row) | {"sent_on_to": sent_on.get(row["need_id"])} for row in rows[item.referral_id]]
        plans += _plan_safely(item, needs, recalled[item.referral_id], offices, context, now)
    failpoint("dispatch.planned")
    written = [_outcome(future, plan) for future, plan in zip(context.store.submit(_write, plans), plans, strict=True)]
    failpoint("dispatch.done")
    return Dispatched(handoffs=written.count("handoff"), unroutable=written.count("unroutable"))


def _plan_safely(
    item: Waiting,
    needs: Sequence[Mapping[str, Any]],
    referral: Referral | XianjieError,
    offices: OfficeIndex,
    context: Context,
    now: datetime,
) -> list[_Plan]:
    """A referral that cannot be translated waits visibly; it never stops the others."""
    try:
        return _plan(item, needs, referral, offices, context, now)
    except Exception as error:  # the log names the kind only: the text may hold what was sent
        ids = {"referral_id": item.referral_id, "error": type(error).__name__}
        logger.error("referral not translated", extra=ids)
        return [_without_office(item, dict.fromkeys(item.need_ids, NOT_TRANSLATED), context, now)]


def _outcome(future: Future[str], plan: _Plan) -> str:
    """What was written for one plan; a plan that fails is tried again, the others stand. Raises StoreUnavailable."""
    failure = future.exception()
    if failure is None:
        return future.result()
    if isinstance(failure, StoreUnavailable | Busy):
        raise failure
    logger.error("plan not written", extra={"referral_id": plan.referral_id, "error": type(failure).__name__})
    return "failed"


def _plan(
    item: Waiting,
    needs: Sequence[Mapping[str, Any]],
    referral: Referral | XianjieError,
    offices: OfficeIndex,
    context: Context,
    now: datetime,
) -> list[_Plan]:
    if isinstance(referral, XianjieError):
        logger.error("referral not proven", extra={"referral_id": item.referral_id, "code": referral.code})
        return [_without_office(item, dict.fromkeys(item.need_ids, NOT_PROVEN), context, now)]
    profile = context.snapshot(now).agreements[item.agreement_row]
    groups: dict[tuple[str, int], dict[str, Routed]] = {}
    stuck: dict[str, str] = {}
    for row in needs:
        if row["need_id"] not in item.need_ids:
            continue
        if not _is_asked_for(row, referral, context):
            stuck[row["need_id"]] = NOT_PROVEN
            continue
        routed = _route(row, referral, profile, offices, context, now)
        if isinstance(routed, Unroutable):
            stuck[row["need_id"]] = routed.code.value
        else:
            groups.setdefault((routed.office_id, routed.step), {})[row["need_id"]] = routed
    plans = [_handoff_plan(item, referral, profile, key, group, context, now) for key, group in groups.items()]
    return [*plans, _without_office(item, stuck, context, now)] if stuck else plans


def _is_asked_for(row: Mapping[str, Any], referral: Referral, context: Context) -> bool:
    """Whether the signed bytes ask for this very need: a row alone sends nobody's case anywhere."""
    number = asked_number(row["need_id"], referral.referral_id)
    asked = {str(at): programme_of(need, context.programmes) for at, need in enumerate(referral.needs, start=1)}
    programme = asked.get(number)
    return programme is not None and programme.code == row["programme"]


def _route(
    row: Mapping[str, Any],
    referral: Referral,
    profile: AgreementProfile,
    offices: OfficeIndex,
    context: Context,
    now: datetime,
) -> Routed | Unroutable:
    """The office of the need's present step; an organ without an adapter is passed over (R08: it is forwarded to)."""
    programme = context.programmes[row["programme"]]
    reachable = frozenset(context.adapters)
    before = row["step"] - 1 if row["step"] > 0 else None
    place = place_for(
        referral.person,
        urgency=referral.urgency,
        place_of_event=referral.place_of_event,
        regions=context.regions,
    )
    if row["sent_on_to"] is not None:
        sent_on = _sent_on(row, programme, profile, context, now)
        if not isinstance(sent_on, Place):
            return sent_on
        place = sent_on
    return route_step(
        programme,
        next_step(programme, before, reachable),
        place=place,
        profile=profile,
        regions=context.regions,
        offices=offices,
        agencies_with_adapter=reachable,
    )


def _sent_on(
    row: Mapping[str, Any], programme: Programme, profile: AgreementProfile, context: Context, now: datetime
) -> Routed | Unroutable | Place:
    """The very office a declined need was sent on to; for the steps after it, the region of that office."""
    office_id, step = row["sent_on_to"]
    office = context.snapshot(now).offices.get(office_id)
    if office is None or office.agency not in context.adapters or not profile.names(office.party_id):
        return Unroutable(programme=programme.code, code=UnroutableCode.NO_OFFICE)
    if row["step"] != step:
        return Place(region=office.region, by=PlaceRule.SENT_ON)
    return Routed(
        programme=programme.code,
        agency=office.agency,
        office_id=office_id,
        step=step,
        steps=steps_of(programme),
        because=f"programme={programme.code};agency={office.agency};by={PlaceRule.SENT_ON}",
    )


def _without_office(item: Waiting, codes: Mapping[str, str], context: Context, now: datetime) -> _Plan:
    return _Plan(context=context, referral_id=item.referral_id, need_ids=tuple(codes), now=now, reasons=codes)


def _handoff_plan(
    item: Waiting,
    referral: Referral,
    profile: AgreementProfile,
    key: tuple[str, int],
    group: Mapping[str, Routed],
    context: Context,
    now: datetime,
) -> _Plan:
    office = context.snapshot(now).offices[key[0]]
    return _Plan(
        context=context,
        referral_id=item.referral_id,
        need_ids=tuple(group),
        now=now,
        reasons={need_id: routed.because for need_id, routed in group.items()},
        issue=prepare(referral, profile, office, key[1], group, context, now=now),
        read_from=item.message_id,
    )


def _write(connection: Connection, plans: list[_Plan]) -> list[str]:
    """The commit: `handoff`, `unroutable` or `dropped` for each plan."""
    rows = referrals.needs_of(connection, {plan.referral_id for plan in plans}, lock=True)
    in_hand = {row["need_id"]: NeedInHand(row=dict(row)) for found in rows.values() for row in found}
    amended = amendments.newest(connection, rows)
    written: list[str] = []
    issued: list[tuple[_Plan, Issue]] = []
    for plan in plans:
        needs = [in_hand[need_id] for need_id in plan.need_ids]
        if not all(need.state in _WAITING_STATES and need.row["dispatch_at"] is not None for need in needs):
            written.append("dropped")
        elif plan.issue is None:
            _keep_waiting(needs, plan)
            written.append("unroutable")
        elif plan.referral_id in amended and amended[plan.referral_id].message_id != plan.read_from:
            written.append("dropped")
        else:
            _hand_over(needs, plan, plan.issue)
            issued.append((plan, plan.issue))
            written.append("handoff")
    _save(connection, plans, issued, in_hand)
    return written


def _keep_waiting(needs: Sequence[NeedInHand], plan: _Plan) -> None:
    for need in needs:
        need.set(unroutable=plan.reasons[need.row["need_id"]], dispatch_at=to_ms(plan.now + TRY_AGAIN))


def _hand_over(needs: Sequence[NeedInHand], plan: _Plan, issue: Issue) -> None:
    for need in needs:
        if need.state is not NeedState.ROUTED:
            need.move(NeedState.ROUTED, at=plan.now, now=plan.now, cause=issue.handoff.handoff_id)
        need.set(
            agency=issue.office.agency,
            office_id=issue.office.office_id,
            handoff_id=issue.handoff.handoff_id,
            step=issue.step,
            because=plan.reasons[need.row["need_id"]],
            unroutable=None,
            issued_at=to_ms(plan.now),
            dispatch_at=None,
        )


def _save(
    connection: Connection,
    plans: Sequence[_Plan],
    issued: Sequence[tuple[_Plan, Issue]],
    in_hand: Mapping[str, NeedInHand],
) -> None:
    messages = [message_of(issue, plan.context) for plan, issue in issued]
    if messages:
        outbox.put(connection, plans[0].context.party_id, messages, now=plans[0].now)
        failpoint("dispatch.queued")
        rows = [row_of(issue, message.message_id) for (_, issue), message in zip(issued, messages, strict=True)]
        handoffs.put(connection, rows)
    changed = [need for need in in_hand.values() if need.changed]
    referrals.save_needs(connection, [need.row for need in changed], [move for need in changed for move in need.moves])
    referrals.touch(connection, {need.row["referral_id"] for need in changed}, now=plans[0].now)

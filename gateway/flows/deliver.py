"""投递 One office's queue is pushed to its address (hops 8-9). A lane is one office: nobody waits for another's fault.

1. lease due messages, an attempt row each, before the attempt; no transaction is open while HTTP runs;
2. push the same bytes as ever: one JWS (or JWE), or several as NDJSON where the office takes them;
3. judge each message by what came back: a receipt that names its id and digest is `relayed`; a refusal is `refused`;
   everything else is `unknown` (or `queued` when the bytes certainly never left) and goes again by the retry table;
4. settle in one commit under the fence; the table's end parks the message with a negative receipt.

The lane's breaker opens after failures in a row, so a dead office costs one probe now and then.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from gateway.domain.agreement import Office
from gateway.domain.lifecycle import HANDOFF, HandoffState, MessageState, NeedState
from gateway.envelope import webhook
from gateway.errors import StoreUnavailable, XianjieError
from gateway.evidence.receipt import Receipt, Rung
from gateway.failpoints import failpoint
from gateway.flows.answers import Judged, judge
from gateway.flows.context import Context
from gateway.flows.ladder import row_of_receipt, timeout
from gateway.flows.needs import NeedInHand
from gateway.store import handoffs, log, outbox, receipts, referrals
from gateway.store.clock import to_ms
from gateway.store.outbox import Leased, Settlement
from gateway.transport.answer import Answer, NoAnswer
from gateway.transport.breaker import BreakerRule
from gateway.transport.retry import next_attempt

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)
REST_SECONDS = 0.5
BREAKER = BreakerRule()
JOSE, NDJSON = "application/jose", "application/x-ndjson"

Push = Callable[[str, bytes, str, Mapping[str, str]], Answer]
"""(url, body, content type, headers) → answer; raises NoAnswer, or AddressRefused before anything was sent."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Courier:
    """How to push, and what decides besides the message: who we are among the workers, the clock, the dice."""

    push: Push
    owner: str
    clock: Callable[[], datetime]
    jitter: Callable[[], float]
    rest: Callable[[float], bool] = lambda _: False
    """Waits so many seconds; False where there is no time for it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivered:
    """What became of one lane's turn."""

    sent: int = 0
    relayed: int = 0
    refused: int = 0
    open: int = 0
    """Unknown or queued again."""
    parked: int = 0


def deliver(context: Context, office_id: str, courier: Courier) -> Delivered:
    """One turn of one lane: at most one request."""
    now = courier.clock()
    office = context.snapshot(now).offices.get(office_id)
    if office is None or office.url is None:
        return Delivered()
    leased = context.store.write(lambda connection: _lease(connection, office, courier, now))
    if not leased:
        return Delivered()
    failpoint("deliver.leased")
    judged = _push(context, office, leased, courier, now)
    failpoint("deliver.answered")
    after = courier.clock()
    ends = [_end(item, courier, after) for item in judged]
    _record(context, office, ends, courier, after, until=now + LEASE)
    failpoint("deliver.settled")
    _log(office_id, ends)
    return _count(ends)


def _lease(connection: Connection, office: Office, courier: Courier, now: datetime) -> list[Leased]:
    """Nothing while the gateway recovers: what an older copy has queued may have arrived long ago."""
    log.require_signing(connection)
    return outbox.lease(connection, office.office_id, owner=courier.owner, limit=office.batch, now=now, length=LEASE)


def _record(
    context: Context, office: Office, ends: Sequence["_End"], courier: Courier, now: datetime, *, until: datetime
) -> None:
    """One commit. While the database is away what the office said is kept in hand: until the lease ends nobody else
    asks for it, and the office need not be asked again. Raises LeaseLost, StoreUnavailable."""
    while True:
        try:
            context.store.write(lambda connection: _settle(connection, context, office, ends, now))
            return
        except StoreUnavailable:
            if courier.clock() >= until or not courier.rest(REST_SECONDS):
                raise


def _push(context: Context, office: Office, leased: Sequence[Leased], courier: Courier, now: datetime) -> list[Judged]:
    body = "\n".join(message.wire for message in leased).encode()
    content_type = JOSE if len(leased) == 1 else NDJSON
    headers = webhook.headers(context.key, message_id=leased[0].message_id, timestamp=now, body=body)
    try:
        answer = courier.push(office.url or "", body, content_type, headers)
    except NoAnswer as failure:
        state = MessageState.UNKNOWN if failure.may_have_arrived else MessageState.QUEUED
        return [Judged(leased=message, state=state, error=failure.reason.value, no_contact=True) for message in leased]
    except XianjieError as error:
        return [Judged(leased=m, state=MessageState.QUEUED, error=error.code, no_contact=True) for m in leased]
    except Exception as error:  # a mistake of our own: what became of the bytes is not known, and others must go on
        logger.error("push failed", extra={"office_id": office.office_id, "type": type(error).__name__})
        return [Judged(leased=m, state=MessageState.UNKNOWN, error="internal", no_contact=True) for m in leased]
    return judge(answer, leased, context, office, now=courier.clock())


@dataclass(frozen=True, kw_only=True, slots=True)
class _End:
    judged: Judged
    settlement: Settlement


def _end(judged: Judged, courier: Courier, now: datetime) -> _End:
    state, due_at = judged.state, None
    if state in (MessageState.UNKNOWN, MessageState.QUEUED):
        due_at = next_attempt(judged.leased.rung, now, courier.jitter(), retry_after=judged.retry_after)
        if due_at is None:
            state = MessageState.PARKED
    settlement = Settlement(
        leased=judged.leased,
        state=state,
        outcome=state.value,
        http_status=judged.http_status,
        error=judged.error,
        due_at=due_at,
    )
    return _End(judged=judged, settlement=settlement)


def _settle(connection: Connection, context: Context, office: Office, ends: Sequence[_End], now: datetime) -> None:
    outbox.settle(connection, [end.settlement for end in ends], now=now)
    failpoint("deliver.settling")
    evidence = [_evidence(connection, end, context, now) for end in ends]
    receipts.put(connection, [row_of_receipt(receipt, now) for receipt in evidence if receipt is not None])
    _move(connection, ends, now)
    failed = all(end.judged.no_contact for end in ends)
    failures = outbox.failures_of(connection, office.office_id)
    if failed or failures:
        failures = failures + 1 if failed else 0
        pause = BREAKER.cool_down_after(failures)
        outbox.block_lane(connection, office.office_id, failures=failures, until=now + pause if pause else None)


def _evidence(connection: Connection, end: _End, context: Context, now: datetime) -> Receipt | None:
    if end.settlement.state is not MessageState.PARKED:
        return end.judged.receipt
    leased = end.judged.leased
    return timeout(
        connection,
        context,
        message_id=leased.message_id,
        digest=leased.digest,
        subject=leased.referral_id,
        reason_code=end.settlement.error or "no_receipt",
        rung=Rung.RELAY,
        now=now,
    )


_HANDOFF_AFTER = {
    MessageState.RELAYED: HandoffState.RELAYED,
    MessageState.REFUSED: HandoffState.REJECTED,
    MessageState.PARKED: HandoffState.PARKED,
}


def _move(connection: Connection, ends: Sequence[_End], now: datetime) -> None:
    """Handoffs and needs follow their issuing message; an answer that overtook the receipt is not undone."""
    settled = {end.judged.leased.message_id: end.settlement for end in ends if end.settlement.state in _HANDOFF_AFTER}
    named = {s.leased.handoff_id for s in settled.values() if s.leased.handoff_id is not None}
    # the needs' lock guards their handoffs too: what an answer changes meanwhile is read after it
    about = {s.leased.referral_id for s in settled.values() if s.leased.referral_id is not None}
    referrals.needs_of(connection, about, lock=True)
    found = [row for row in handoffs.by_id(connection, named) if row.message_id in settled]
    if not found:
        return
    states, reasons = {}, {}
    for row in found:
        settlement = settled[row.message_id]
        there = _HANDOFF_AFTER[settlement.state]
        if HANDOFF.may(HandoffState(row.state), there):
            states[row.handoff_id] = there
        if settlement.state is not MessageState.RELAYED:
            reasons[row.handoff_id] = settlement.error or settlement.state.value
    handoffs.save_states(connection, states)
    handoffs.park(connection, reasons)
    relayed = {row.handoff_id for row in found if settled[row.message_id].state is MessageState.RELAYED}
    _hand_off(connection, {row.referral_id for row in found}, relayed, now)


def _hand_off(connection: Connection, referral_ids: set[str], relayed: set[str], now: datetime) -> None:
    rows = referrals.needs_of(connection, referral_ids, lock=True)
    needs = [NeedInHand(row=dict(row)) for of_one in rows.values() for row in of_one if row["handoff_id"] in relayed]
    for need in needs:
        if need.state is NeedState.ROUTED:
            need.move(NeedState.HANDED_OFF, at=now, now=now, cause=need.row["handoff_id"])
        need.set(relayed_at=need.row["relayed_at"] or to_ms(now))
    referrals.save_needs(connection, [need.row for need in needs], [move for need in needs for move in need.moves])
    referrals.touch(connection, referral_ids, now=now)


def _log(office_id: str, ends: Sequence[_End]) -> None:
    """One line for what arrived, one for each message that did not."""
    relayed = sum(end.settlement.state is MessageState.RELAYED for end in ends)
    if relayed:
        logger.info("messages relayed", extra={"office_id": office_id, "relayed": relayed})
    for end in ends:
        if end.settlement.state is MessageState.RELAYED:
            continue
        logger.warning(
            "message not relayed",
            extra={
                "state": end.settlement.state.value,
                "message_id": end.judged.leased.message_id,
                "handoff_id": end.judged.leased.handoff_id,
                "office_id": office_id,
                "attempt": end.judged.leased.attempts,
                "http_status": end.judged.http_status,
                "reason": end.settlement.error,
            },
        )


def _count(ends: Sequence[_End]) -> Delivered:
    states = [end.settlement.state for end in ends]
    return Delivered(
        sent=len(states),
        relayed=states.count(MessageState.RELAYED),
        refused=states.count(MessageState.REFUSED),
        open=states.count(MessageState.UNKNOWN) + states.count(MessageState.QUEUED),
        parked=states.count(MessageState.PARKED),
    )

"""坏样 Gateways with one law broken each, to see that the simulation and its judge can fail.

Each is what somebody might really write: a retry under a fresh id (Law 2), an answer before the commit (Law 4), an end
of an attempt written without asking for the fence, a bare 200 taken for a receipt, a receipt made anew for a repeat.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from gateway.domain.lifecycle import MessageState
from gateway.envelope import strict_json
from gateway.envelope.compact import decode_segment, split
from gateway.envelope.message import new_id
from gateway.envelope.signing import MESSAGE_TYP, sign, verify
from gateway.errors import XianjieError
from gateway.evidence.receipt import Rung, issue
from gateway.flows import accept, deliver
from gateway.flows.accept import Accepted
from gateway.flows.context import Context
from gateway.flows.deliver import LEASE, Courier, Delivered
from gateway.store import outbox
from gateway.store import tables as t
from gateway.transport.answer import Answer
from tests.faults.nodes import I, InlineStore, O


def deliver_with_fresh_ids(context: Context, office_id: str, courier: Courier) -> Delivered:
    """Every attempt is a message of its own."""

    def push(url: str, body: bytes, content_type: str, headers: Mapping[str, str]) -> Answer:
        lines = [_under_a_fresh_id(line, context, courier.clock()) for line in body.split(b"\n")]
        return courier.push(url, b"\n".join(lines), content_type, headers)

    return deliver.deliver(context, office_id, replace(courier, push=push))


def _under_a_fresh_id(raw: bytes, context: Context, now: datetime) -> bytes:
    payload = strict_json.loads(decode_segment(split(raw).payload_segment))
    return sign(strict_json.dumps(payload | {"id": new_id(now)}), context.key, MESSAGE_TYP).encode()


class AnswersBeforeCommit(InlineStore):
    """Outcomes are handed out first and committed with whatever comes next: what a write-behind cache does."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._behind: list[tuple[Callable[..., Any], Any]] = []

    def submit(self, flow: Callable[[Connection, list[I]], Sequence[O]], items: Sequence[I]) -> list[Future[O]]:
        """Computed in a transaction that is undone."""
        behind, self._behind = self._behind, []
        for flow_before, item in behind:
            super().submit(flow_before, [item])
        done: list[Future[O]] = [Future() for _ in items]
        if not items:
            return done
        outcomes: Sequence[Any]
        try:
            with self.engine.connect() as connection:
                outcomes = flow(connection, list(items))
                connection.rollback()
        except SQLAlchemyError as error:
            outcomes = [error] * len(items)
        for future, outcome in zip(done, outcomes, strict=True):
            if isinstance(outcome, Exception):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)
        self._behind = [(flow, item) for item in items]
        return done

    def forget(self) -> None:
        """The process ended."""
        self._behind = []


def deliver_without_fence(context: Context, office_id: str, courier: Courier) -> Delivered:
    """Whoever comes last writes how the attempt ended."""
    now = courier.clock()
    office = context.snapshot(now).offices[office_id]
    leased = context.store.write(
        lambda c: outbox.lease(c, office_id, owner=courier.owner, limit=office.batch, now=now, length=LEASE)
    )
    if not leased:
        return Delivered()
    judged = deliver._push(context, office, leased, courier, now)
    after = courier.clock()
    ends = [deliver._end(item, courier, after) for item in judged]

    def settle(connection: Connection) -> None:
        for message in leased:
            connection.execute(
                t.outbox.update()
                .where(t.outbox.c.message_id == message.message_id)
                .values(state=MessageState.SENDING.value, lease_fence=message.fence)
            )
        deliver._settle(connection, context, office, ends, after)

    context.store.write(settle)
    return deliver._count(ends)


def deliver_believing_any_200(context: Context, office_id: str, courier: Courier) -> Delivered:
    """An HTTP status is taken for a receipt."""
    now = courier.clock()
    office = context.snapshot(now).offices[office_id]
    leased = context.store.write(
        lambda c: outbox.lease(c, office_id, owner=courier.owner, limit=office.batch, now=now, length=LEASE)
    )
    if not leased:
        return Delivered()
    judged = [
        replace(one, state=MessageState.RELAYED) if one.http_status == 200 else one
        for one in deliver._push(context, office, leased, courier, now)
    ]
    after = courier.clock()
    ends = [deliver._end(item, courier, after) for item in judged]
    context.store.write(lambda connection: deliver._settle(connection, context, office, ends, after))
    return deliver._count(ends)


def accept_with_new_receipts(raws: Sequence[bytes], context: Context, *, now: datetime) -> list[Accepted | Exception]:
    """A repeat is acknowledged again instead of being given the first receipt."""
    outcomes = accept.accept_many(raws, context, now=now)
    return [_acknowledged_anew(raw, one, context, now) for raw, one in zip(raws, outcomes, strict=True)]


def _acknowledged_anew(
    raw: bytes, outcome: Accepted | Exception, context: Context, now: datetime
) -> Accepted | Exception:
    if isinstance(outcome, Exception) or not outcome.replayed:
        return outcome
    try:
        message = verify(raw, context.snapshot(now).keyring, recipient=context.party_id, now=now)
    except XianjieError:
        return outcome
    return replace(outcome, receipt=issue(message, key=context.key, now=now, rung=Rung.SUBMISSION))

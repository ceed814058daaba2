"""报文接收 One message in, one signed receipt out (hops 1-3): the entry of everything a party sends.

1. prove: opened where it is encrypted; signature, key, source, recipient, times (`flows.prove`);
2. prepare: the flow of the message's type reads it, outside the database;
3. commit: what was sent before under the same id gets the first receipt's very bytes, or is refused when its bytes
   differ (Law 2); the rest is recorded, logged, and its receipt signed and stored in the same commit (Law 4);
4. only then the answer.

A group goes through the same steps together: one lookup, one commit, an outcome for each, in order. A message that is
stale by now, or whose key has ended, but was accepted then is a replay and gets its receipt.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from gateway.envelope.message import digest
from gateway.envelope.signing import VerifiedMessage
from gateway.errors import MessageError, SameIdDifferentBytes, UnknownMessageType, XianjieError
from gateway.evidence.entry import message_entry, receipt_entry
from gateway.evidence.receipt import ReceiptVerdict, Rung, issue
from gateway.failpoints import failpoint
from gateway.flows import receive
from gateway.flows.amend import Amendment
from gateway.flows.context import Context
from gateway.flows.court import Withdrawal
from gateway.flows.intake import Submission
from gateway.flows.kinds import BY_TYPE, KINDS
from gateway.flows.message_kind import Item, Noted
from gateway.flows.prove import earlier, prove
from gateway.flows.recent import ProvenReferral
from gateway.store import inbox, log
from gateway.store.inbox import Earlier, Inbound
from gateway.store.log import Tail

logger = logging.getLogger(__name__)

Key = tuple[str, str]
_RECORDERS = tuple(dict.fromkeys(kind.record for kind in KINDS))


@dataclass(frozen=True, kw_only=True, slots=True)
class Accepted:
    """The receipt's bytes; replayed when the message had been accepted before."""

    message_id: str
    party_id: str
    type: str
    receipt: str
    replayed: bool


def accept(raw: bytes, context: Context, *, now: datetime) -> Accepted:
    """One message; raises the error that refuses it."""
    outcome = accept_many([raw], context, now=now)[0]
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def accept_many(raws: Sequence[bytes], context: Context, *, now: datetime) -> list[Accepted | Exception]:
    """An outcome for each message, in order; returns after the commit."""
    proven = [_prove(raw, context, now) for raw in raws]
    failpoint("accept.proven")
    prepared = _prepare_all(proven, context, now)
    waiting = [item for item in prepared if not isinstance(item, Accepted | Exception)]
    failpoint("accept.prepared")
    futures = iter(context.store.submit(_commit, waiting))
    outcomes: list[Accepted | Exception] = []
    for item in prepared:
        if isinstance(item, Accepted | Exception):
            outcomes.append(item)
            continue
        future = next(futures)
        failure = future.exception()
        outcomes.append(future.result() if failure is None else _as_outcome(failure, item.message))
    _log(outcomes)
    failpoint("accept.answering")
    return outcomes


def _log(outcomes: Sequence[Accepted | Exception]) -> None:
    """One line for what was taken, one for each that was refused: who, which message, why."""
    taken = [outcome for outcome in outcomes if isinstance(outcome, Accepted)]
    if len(outcomes) > 1 and taken:  # a message alone stands in its request's record
        replayed = sum(outcome.replayed for outcome in taken)
        extra = {"party_id": taken[0].party_id, "accepted": len(taken) - replayed, "replayed": replayed}
        logger.info("messages accepted", extra=extra)
    for outcome in outcomes:
        if isinstance(outcome, XianjieError):
            named: dict[str, object] = {
                name: outcome.ids[name] for name in ("message_id", "party_id", "kid") if name in outcome.ids
            }
            logger.warning("message refused", extra={"code": outcome.code, "reason": outcome.note, **named})


def _as_outcome(failure: BaseException, message: VerifiedMessage) -> XianjieError:
    """A mistake of our own costs its message only; the log names its kind, its text may hold what was sent."""
    if isinstance(failure, XianjieError):
        return failure
    ids = {"message_id": message.envelope.id, "type": message.envelope.type}
    logger.error("message failed", extra={**ids, "error": type(failure).__name__})
    return XianjieError(ids=ids)


def _prove(raw: bytes, context: Context, now: datetime) -> VerifiedMessage | XianjieError:
    try:
        return prove(raw, context, now=now)
    except XianjieError as error:
        return error


def _prepare_all(
    proven: Sequence[VerifiedMessage | XianjieError], context: Context, now: datetime
) -> list[Item | Accepted | Exception]:
    messages = [message for message in proven if isinstance(message, VerifiedMessage)]
    sent = receive.look_up(messages, context)
    prepared: list[Item | Accepted | Exception] = []
    for message in proven:
        if isinstance(message, Exception):
            prepared.append(message)
            continue
        try:
            prepared.append(_prepare(message, context, sent.get(message.envelope.in_reply_to or ""), now))
        except MessageError as error:
            # rules and agreements may have changed since it was accepted: a replay is answered all the same
            before = earlier(message, context)
            error.ids.setdefault("message_id", message.envelope.id)
            prepared.append(error if before is None else _again(message, before))
        except Exception as error:  # a message nobody thought of must not cost its neighbours theirs
            prepared.append(_as_outcome(error, message))
    return prepared


def _prepare(message: VerifiedMessage, context: Context, sent: Any, now: datetime) -> Item:
    type_ = message.envelope.type
    kind = BY_TYPE.get(type_)
    if kind is None or context.snapshot(now).keyring.kind_of(message.party_id) not in kind.senders:
        raise UnknownMessageType(ids={"message_id": message.envelope.id, "type": type_})
    prepared: Item = (
        kind.prepare(message, context, sent, now=now)
        if kind.answers_handoff
        else kind.prepare(message, context, now=now)
    )
    return prepared


def _commit(connection: Connection, items: list[Item]) -> list[Accepted | Exception]:
    """The group's transaction: replays first, then each kind with its own recorder, then inbox rows with receipts."""
    found = inbox.earlier(connection, [_key(item.message) for item in items])
    outcomes: list[Accepted | Exception | None] = [None] * len(items)
    first: dict[Key, int] = {}
    behind = _behind_an_amendment(items)
    for at, item in enumerate(items):
        key = _key(item.message)
        if key in found:
            outcomes[at] = _again(item.message, found[key])
        elif at not in behind:
            first.setdefault(key, at)
    fresh = [at for at in first.values() if outcomes[at] is None]
    noted = _record(connection, items, fresh)
    failpoint("accept.recorded")
    # what refuses a message may be itself: taken by another process since we looked, its rows and receipt together
    refused = [_key(items[at].message) for at in fresh if isinstance(noted[at], Exception)]
    found = inbox.earlier(connection, refused)
    kept: dict[Key, Inbound] = {}
    tail = log.open_tail(connection)
    for at in fresh:
        message = items[at].message
        before = found.get(_key(message))
        outcomes[at] = _keep(items[at], noted[at], kept, tail) if before is None else _again(message, before)
    inbox.put(connection, list(kept.values()))
    tail.save(connection)
    failpoint("accept.kept")
    second = [at for at, outcome in enumerate(outcomes) if outcome is None]
    if second:
        # the same id twice in one group, or an amendment with what it amends: the second comes as a later message would
        for at, outcome in zip(second, _commit(connection, [items[at] for at in second]), strict=True):
            outcomes[at] = outcome
    return [outcome for outcome in outcomes if outcome is not None]


def _record(connection: Connection, items: Sequence[Item], fresh: Sequence[int]) -> dict[int, Noted | Exception]:
    noted: dict[int, Noted | Exception] = {}
    for part in _parts(items, fresh):
        for recorder in _RECORDERS:
            places = [at for at in part if BY_TYPE[items[at].message.envelope.type].record is recorder]
            if places:
                noted |= zip(places, recorder(connection, [items[at] for at in places]), strict=True)
    return noted


def _parts(items: Sequence[Item], fresh: Sequence[int]) -> Iterator[list[int]]:
    """Cut where a referral follows a withdrawal: a court that withdraws and sends anew means it in that order."""
    part: list[int] = []
    withdrawn = False
    for at in fresh:
        if withdrawn and isinstance(items[at], Submission):
            yield part
            part, withdrawn = [], False
        part.append(at)
        withdrawn = withdrawn or isinstance(items[at], Withdrawal)
    yield part


def _behind_an_amendment(items: Sequence[Item]) -> set[int]:
    """Places of amendments of what came in the same group, and of whatever follows them about the same referral: what
    is amended is read from its bytes, so it must be on file first."""
    here: set[str | None] = set()
    behind: dict[str | None, set[int]] = {}
    for at, item in enumerate(items):
        if item.subject in behind or (isinstance(item, Amendment) and item.subject in here):
            behind.setdefault(item.subject, set()).add(at)
        if isinstance(item, Submission | Amendment):
            here.add(item.subject)
    return {at for places in behind.values() for at in places}


def _keep(item: Item, noted: Noted | Exception, kept: dict[Key, Inbound], tail: Tail) -> Accepted | Exception:
    if isinstance(noted, Exception):
        return noted
    message, context = item.message, item.context
    if isinstance(item, Submission):
        proven = ProvenReferral(court=message.party_id, message_id=message.envelope.id, referral=item.referral)
        context.recent.keep(message.digest, proven)
    kept[_key(message)] = inbound = _inbound(item, noted, tail)
    return _accepted(message, inbound.receipt, replayed=False)


def _inbound(item: Item, noted: Noted, tail: Tail) -> Inbound:
    """The message's row with its receipt, each with its leaf; the receipt names the message's."""
    message, context, subject = item.message, item.context, item.subject
    index = tail.add(
        message_entry(
            message_id=message.envelope.id,
            source=message.party_id,
            recipient=context.party_id,
            message_type=message.envelope.type,
            digest=message.digest,
            about=subject,
            at=item.now,
        )
    )
    receipt = issue(
        message,
        key=context.key,
        now=item.now,
        rung=Rung.SUBMISSION,
        warnings=noted.warnings,
        holds=noted.holds,
        place=context.place(tail, index),
        answer=noted.answer,
    )
    tail.add(
        receipt_entry(
            message_id=message.envelope.id,
            rung=Rung.SUBMISSION.value,
            verdict=ReceiptVerdict.ACCEPTED.value,
            issuer=context.party_id,
            digest=digest(receipt),
            at=item.now,
        )
    )
    return Inbound(
        source=message.party_id,
        message_id=message.envelope.id,
        type=message.envelope.type,
        digest=message.digest,
        subject=subject,
        seq=message.envelope.seq,
        received_at=item.now,
        kid=message.kid,
        jws=message.jws,
        receipt=receipt,
    )


def _again(message: VerifiedMessage, before: Earlier) -> Accepted | Exception:
    if before.digest != message.digest:
        return SameIdDifferentBytes(ids={"message_id": message.envelope.id})
    return _accepted(message, before.receipt, replayed=True)


def _accepted(message: VerifiedMessage, receipt: str, *, replayed: bool) -> Accepted:
    return Accepted(
        message_id=message.envelope.id,
        party_id=message.party_id,
        type=message.envelope.type,
        receipt=receipt,
        replayed=replayed,
    )


def _key(message: VerifiedMessage) -> Key:
    return message.party_id, message.envelope.id

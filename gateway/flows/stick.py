"""离线介质收发 An office without a network gets its mailbox on a stick, and its replies come back on another.

1. export: all that waits for the office, as it would be pulled, under one signed list; that it left is on file with who
   made the stick; nothing leaves the mailbox by it;
2. take: the stick is proven as a whole, then each message goes the way of every message (`accept`): same checks, same
   receipts, in the stick's order; the answers, receipts and refusals, are signed together as a stick of receipts.

A stick taken twice gives the first receipts again. While a single outcome is not known nothing is answered: the whole
stick is taken again later (Law 3). A stick older than one of the same journal is refused; the newer one holds all that
was still unanswered.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection

from gateway.domain.agreement import Channel, Office
from gateway.envelope import stick, strict_json
from gateway.envelope.message import new_id
from gateway.envelope.stick import Stick, StickItem, StickKind
from gateway.errors import ConfigError, FieldProblem, StickRefused, XianjieError
from gateway.flows.accept import Accepted, accept_many
from gateway.flows.context import Context
from gateway.flows.operate import require_reason
from gateway.flows.prove import prove
from gateway.store import decisions, log, mailbox
from schemas.fields import format_moment
from schemas.stick import MAX_ITEMS

EXPORTED, TAKEN = "stick_exported", "stick_taken"
GROUP = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Exported:
    """A mailbox stick's file. left: messages that did not fit and go onto the next, once these are answered."""

    file: bytes
    stick_id: str
    recipient: str
    messages: int
    left: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """What became of a stick of replies. file: its stick of receipts; refused: (message id, why)."""

    file: bytes
    source: str
    accepted: int
    replayed: int
    refused: tuple[tuple[str, XianjieError], ...]


def export(
    context: Context, office_id: str, *, who: str, now: datetime, most_bytes: int = stick.MAX_ITEMS_BYTES
) -> Exported:
    """Raises ConfigError for an office that is unknown or pushed to, InRecovery as pulling does. most_bytes: what one
    medium may carry."""
    office = _office(context, office_id, now)
    require_reason(who, EXPORTED)

    with context.store.reading() as connection:
        log.require_signing(connection)
        found = mailbox.waiting(connection, office_id, limit=MAX_ITEMS, most_bytes=most_bytes)
        left = mailbox.count_waiting(connection, office_id, after=found[-1][0]) if found else 0
    made = Stick(
        id=new_id(now),
        kind=StickKind.MAILBOX,
        source=context.party_id,
        recipient=office.party_id,
        series=_series(office_id),
        made_at=now,
        items=tuple(StickItem(id=message_id, line=wire.encode("ascii")) for _, message_id, wire in found),
    )
    file = stick.write(made, context.key)
    why = f"{len(found)} {made.id}"
    context.store.write(lambda c: decisions.put(c, who=who, what=EXPORTED, subject=office_id, why=why, now=now))
    return Exported(file=file, stick_id=made.id, recipient=office.party_id, messages=len(found), left=left)


def take(context: Context, raw: bytes, *, who: str, now: datetime) -> Taken:
    """Raises StickRefused for a stick that is not whole, proven and for us; any retryable error when an outcome is not
    known: nothing is answered then, and the same stick may be taken again."""
    require_reason(who, TAKEN)
    keyring = context.keyring_for(raw.partition(b"\n")[0], now)
    found = stick.read(raw, keyring, kind=StickKind.REPLIES, recipient=context.party_id, now=now)
    with context.store.reading() as connection:
        stick.require_not_older(found, _newest(connection, found))
    _require_own_messages(found, context, now)
    outcomes = _accept_all(found, context, now)
    receipts = Stick(
        id=new_id(now),
        kind=StickKind.RECEIPTS,
        source=context.party_id,
        recipient=found.source,
        series=found.series,
        made_at=now,
        answers=found.id,
        items=tuple(
            StickItem(id=item.id, line=_line(outcome)) for item, outcome in zip(found.items, outcomes, strict=True)
        ),
    )
    context.store.write(lambda connection: _remember(connection, found, who, now))
    accepted = [outcome for outcome in outcomes if isinstance(outcome, Accepted)]
    replayed = sum(outcome.replayed for outcome in accepted)
    return Taken(
        file=stick.write(receipts, context.key),
        source=found.source,
        accepted=len(accepted) - replayed,
        replayed=replayed,
        refused=tuple(
            (item.id, outcome)
            for item, outcome in zip(found.items, outcomes, strict=True)
            if isinstance(outcome, XianjieError)
        ),
    )


def _office(context: Context, office_id: str, now: datetime) -> Office:
    offices = context.snapshot(now).offices
    office = offices.get(office_id)
    if office is None:
        raise ConfigError(f"no office {office_id}; known are {', '.join(sorted(offices))}")
    if office.channel is Channel.PUSH:
        raise ConfigError(f"{office_id} is pushed to; give it a mailbox first: xianjie office put … --channel mailbox")
    return office


def _series(office_id: str) -> str:
    """Sticks for one office follow each other; an id on the wire has fewer signs than an office's may."""
    return sha256(office_id.encode()).hexdigest()[:32]


def _require_own_messages(found: Stick, context: Context, now: datetime) -> None:
    """What can be proven to be somebody else's, or another message than listed, is no part of this stick. What cannot
    be proven at all is refused by itself, with its own receipt line."""
    for item in found.items:
        try:
            message = prove(item.line, context, now=now)
        except XianjieError:
            continue
        if message.party_id != found.source or message.envelope.id != item.id:
            code = "stick_of_others" if message.party_id != found.source else "stick_altered"
            raise StickRefused(problems=[FieldProblem(pointer=item.id, code=code)])


def _accept_all(found: Stick, context: Context, now: datetime) -> list[Accepted | Exception]:
    outcomes: list[Accepted | Exception] = []
    for at in range(0, len(found.items), GROUP):
        lines = [item.line for item in found.items[at : at + GROUP]]
        for outcome in accept_many(lines, context, now=now):
            if not isinstance(outcome, Accepted) and not _is_final(outcome):
                raise outcome
            outcomes.append(outcome)
    return outcomes


def _is_final(outcome: Exception) -> bool:
    """Whether the message itself was refused, and not only this attempt."""
    return isinstance(outcome, XianjieError) and not outcome.retryable and outcome.status < 500


def _line(outcome: Accepted | Exception) -> bytes:
    """The receipt, or what an HTTP answer would say of the refusal (WIRE §4), in both languages."""
    if isinstance(outcome, Accepted):
        return outcome.receipt.encode("ascii")
    assert isinstance(outcome, XianjieError)  # noqa: S101 - `_is_final` said so
    return strict_json.dumps(problem_of(outcome))


def problem_of(error: XianjieError) -> dict[str, Any]:
    """A problem document's members, as partners read them from a stick."""
    return {
        "title": " ".join(error.title),
        "status": error.status,
        "detail": " ".join(error.next_step),
        "code": error.code,
        "fault": error.fault.value,
        "retryable": error.retryable,
        "errors": [{"pointer": one.pointer, "code": one.code} for one in error.problems],
    }


def _remembered(found: Stick) -> str:
    return f"{found.source} {found.series}"


def _remember(connection: Connection, found: Stick, who: str, now: datetime) -> None:
    why = f"{format_moment(found.made_at)} {len(found.items)} {found.id}"
    decisions.put(connection, who=who, what=TAKEN, subject=_remembered(found), why=why, now=now)


def _newest(connection: Connection, found: Stick) -> datetime | None:
    """When the newest stick of the same journal was made that was taken here; the record of taking says so."""
    rows: Sequence[Any] = decisions.about(connection, _remembered(found))
    moments = [datetime.fromisoformat(row["why"].split()[0]) for row in rows if row["what"] == TAKEN]
    return max(moments, default=None)

"""通知报文 One message of ours that is not a handoff: a reminder, an inquiry passed on, word to a court.

Rules: it names its effect (`data.effect`), which with the type is unique for ever, so a re-run never says a thing
twice, and a recovery finds from the bytes alone which effect had been had (Law 2). To an office it takes the office's
channel; to a court, which has no office, it lies in the mailbox.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from gateway.domain.agreement import Office
from gateway.envelope.message import Envelope, new_id
from gateway.envelope.signing import MESSAGE_TYP, sign
from gateway.flows.context import Context
from gateway.store import outbox, vault
from gateway.store.outbox import Outbound

EFFECT = "effect"


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """What is to be said. to: an office, or the party id of a court. subject: the matter (referral, inquiry, clue).

    effect: what it stands for, for ever, within its type; at most 120 characters. answers: id and digest of the message
    it answers or speaks of.
    """

    to: Office | str
    type: str
    subject: str | None
    effect: str
    data: Mapping[str, Any]
    answers: tuple[str, str] | None = None
    handoff_id: str | None = None
    reply_by: datetime | None = None
    purpose: str | None = None
    legal_basis: str | None = None
    priority: int = 0


def effect_key(type_: str, effect: str) -> str:
    """The key under which a notice is kept once for ever."""
    return f"{type_}:{effect}"


def said_before(connection: Connection, keys: list[str]) -> set[str]:
    """Those of the effect keys that a message of ours stands for already."""
    return outbox.effects_on_file(connection, keys)


def send(connection: Connection, context: Context, notices: list[Notice], *, now: datetime) -> list[str | None]:
    """Numbers, signs and queues them in this transaction; the message id of each. None for what was said before and
    for a matter that was erased: nothing is added to it."""
    keys = [effect_key(notice.type, notice.effect) for notice in notices]
    said = outbox.effects_on_file(connection, keys)
    erased = vault.erased_among(connection, {notice.subject for notice in notices if notice.subject is not None})
    made: list[Outbound] = []
    ids: list[str | None] = []
    for notice, key in zip(notices, keys, strict=True):
        if key in said or notice.subject in erased:
            ids.append(None)
            continue
        said.add(key)
        made.append(_outbound(context, notice, key, now))
        ids.append(made[-1].message_id)
    outbox.put(connection, context.party_id, made, now=now)
    return ids


def _outbound(context: Context, notice: Notice, key: str, now: datetime) -> Outbound:
    message_id = new_id(now)
    office = notice.to if isinstance(notice.to, Office) else None
    recipient = notice.to.party_id if isinstance(notice.to, Office) else notice.to
    answers = notice.answers or (None, None)

    def write(seq: int) -> str:
        envelope = Envelope(
            id=message_id,
            source=context.party_id,
            type=notice.type,
            time=now,
            recipient=recipient,
            subject=notice.subject,
            conversation_id=notice.subject,
            in_reply_to=answers[0],
            in_reply_to_digest=answers[1],
            seq=seq,
            reply_by=notice.reply_by,
            purpose=notice.purpose,
            legal_basis=notice.legal_basis,
            data={**notice.data, EFFECT: notice.effect},
        )
        return sign(envelope.to_payload(), context.key, MESSAGE_TYP)

    return Outbound(
        message_id=message_id,
        effect_key=key,
        recipient=recipient,
        office=office,
        type=notice.type,
        referral_id=notice.subject,
        handoff_id=notice.handoff_id,
        priority=notice.priority,
        write=write,
    )

"""取信确认 `message.retrieved`: a court or an agency took a notice of the gateway's out of its mailbox.

It names the notice by id and digest (Law 4); what was never sent to this party gets one answer, whatever it is.
Handoffs are taken with `handoff.retrieved`, which says more. Taking one twice changes nothing.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from gateway.envelope.signing import VerifiedMessage
from gateway.errors import NoticeUnknown, SchemaInvalid
from gateway.flows.context import Context
from gateway.flows.message_kind import PARTNERS, MessageKind, Noted
from gateway.flows.reading import problem, read_body
from gateway.store import exchanges, mailbox
from schemas.exchanges import RETRIEVAL

TYPE = "message.retrieved"


@dataclass(frozen=True, kw_only=True, slots=True)
class Retrieval:
    """取信确认, read. subject: as its sender labelled it; it decides nothing."""

    context: Context
    message: VerifiedMessage
    now: datetime

    @property
    def subject(self) -> None:
        """It is about a message, not about a case."""
        return None


def prepare(message: VerifiedMessage, context: Context, *, now: datetime) -> Retrieval:
    """Reads `message.retrieved`. Raises SchemaInvalid."""
    read_body(message, RETRIEVAL)
    if message.envelope.in_reply_to is None:
        missing = [problem("in_reply_to", "required")]
        raise SchemaInvalid(problems=missing, ids={"message_id": message.envelope.id})
    return Retrieval(context=context, message=message, now=now)


def record(connection: Connection, items: Sequence[Retrieval]) -> list[Noted | Exception]:
    """One outcome each."""
    outcomes: list[Noted | Exception] = []
    for item in items:
        envelope = item.message.envelope
        sent = exchanges.sent_notice(connection, item.message.party_id, envelope.in_reply_to or "")
        if sent is None or not hmac.compare_digest(sent[0], envelope.in_reply_to_digest or ""):
            outcomes.append(NoticeUnknown(ids={"message_id": envelope.id}))
            continue
        mailbox.mark_retrieved(connection, [envelope.in_reply_to or ""])
        outcomes.append(Noted())
    return outcomes


KINDS = (MessageKind(type=TYPE, senders=PARTNERS, prepare=prepare, record=record),)

"""协查答复 `inquiry.answered`: an office says what it knows, with the day it is true of.

It answers the message that asked it, by id and digest, and of those programmes alone; a stranger's inquiry and none at
all get the same answer. Earlier answers stay; the newest counts. The court is told by `inquiry_result`.
"""

import hmac
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from gateway.domain.calendar import china_day
from gateway.envelope.signing import VerifiedMessage
from gateway.errors import InquiryUnknown, SchemaInvalid
from gateway.flows import inquiry_result
from gateway.flows.context import Context
from gateway.flows.message_kind import AGENCIES, MessageKind, Noted, Told
from gateway.flows.reading import problem, read_body
from gateway.store import exchanges, mailbox, vault
from gateway.store import tables as t
from gateway.store.clock import to_ms
from schemas.exchanges import INQUIRY_ANSWER

ANSWERED = "inquiry.answered"


@dataclass(frozen=True, kw_only=True, slots=True)
class InquiryAnswer:
    """协查答复, read."""

    context: Context
    message: VerifiedMessage
    inquiry_id: str
    answers: tuple[Mapping[str, Any], ...]
    now: datetime

    @property
    def subject(self) -> str:
        """The inquiry."""
        return self.inquiry_id


def prepare_answer(message: VerifiedMessage, context: Context, *, now: datetime) -> InquiryAnswer:
    """Reads `inquiry.answered`. Raises SchemaInvalid, also for a day that is still to come."""
    fields, ids = read_body(message, INQUIRY_ANSWER), {"message_id": message.envelope.id}
    today = china_day(now)
    problems = [
        problem(f"answers/{at}/as_of", "day_in_future")
        for at, one in enumerate(fields["answers"])
        if one["as_of"] > today
    ]
    if message.envelope.in_reply_to is None:
        problems.append(problem("inquiry_id", "required"))
    if problems:
        raise SchemaInvalid(problems=problems, ids=ids)
    return InquiryAnswer(
        context=context, message=message, inquiry_id=fields["inquiry_id"], answers=tuple(fields["answers"]), now=now
    )


def record_answers(connection: Connection, items: Sequence[InquiryAnswer]) -> list[Noted | Exception]:
    """One outcome each; a stranger's inquiry and none at all get the same answer."""
    outcomes: list[Noted | Exception] = []
    for item in items:
        try:
            outcomes.append(_answer(connection, item))
        except (InquiryUnknown, SchemaInvalid) as refusal:
            outcomes.append(refusal)
    return outcomes


def _answer(connection: Connection, item: InquiryAnswer) -> Noted:
    ids, envelope, party = {"message_id": item.message.envelope.id}, item.message.envelope, item.message.party_id
    sent = exchanges.sent_notice(connection, party, envelope.in_reply_to or "")
    asked = exchanges.asked_by(connection, [envelope.in_reply_to or ""])
    kept = exchanges.inquiries(connection, [item.inquiry_id]).get(item.inquiry_id)
    if (
        sent is None
        or kept is None
        or asked.get(envelope.in_reply_to or "") != item.inquiry_id
        or vault.erased_among(connection, [item.inquiry_id])
        or not hmac.compare_digest(sent[0], envelope.in_reply_to_digest or "")
    ):
        raise InquiryUnknown(ids=ids)
    mine = {question.programme for question in kept.questions if question.forwarded_id == envelope.in_reply_to}
    strange = [
        problem(f"answers/{at}/programme", "not_asked")
        for at, one in enumerate(item.answers)
        if one["programme"] not in mine
    ]
    if strange:
        raise SchemaInvalid(problems=strange, ids=ids)
    exchanges.put_answers(connection, _answer_rows(item))
    now_there = exchanges.inquiries(connection, [item.inquiry_id])[item.inquiry_id]
    if now_there.is_answered or (now_there.due_at is not None and now_there.due_at < item.now):
        inquiry_result.tell(connection, item.context, now_there, envelope.id, now=item.now, newest=item.message.digest)
    if all(one.answered is not None for one in now_there.questions if one.forwarded_id == envelope.in_reply_to):
        mailbox.mark_retrieved(connection, [envelope.in_reply_to or ""])
    return Noted()


def _answer_rows(item: InquiryAnswer) -> list[dict[str, Any]]:
    return [
        {
            "message_id": item.message.envelope.id,
            "party": item.message.party_id,
            "inquiry_id": item.inquiry_id,
            "programme": one["programme"],
            "answer": one["answer"],
            "as_of": one["as_of"].isoformat(),
            "since": one["since"].isoformat() if "since" in one else None,
            "until": one["until"].isoformat() if "until" in one else None,
            "amount_fen": one.get("amount_fen"),
            "at": to_ms(item.now),
        }
        for one in item.answers
    ]


def told_answer(item: InquiryAnswer) -> Iterator[Told]:
    """The whole rows."""
    yield from (Told(table=t.inquiry_answers, row=row) for row in _answer_rows(item))


KINDS = (
    MessageKind(
        type=ANSWERED,
        senders=AGENCIES,
        prepare=prepare_answer,
        record=record_answers,
        told=told_answer,
        tables=(t.inquiry_answers,),
    ),
)

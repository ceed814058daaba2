"""协查结果 `inquiry.result`: what the court is told, signed, per programme with the message that says so.

It is told when everybody answered, when the time is over, and again with whatever comes later; a later one names the
one it takes the place of (`supersedes`). Who said nothing is NOT_ANSWERED, which is neither UNKNOWN nor NEVER.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from gateway.domain.reconciliation.findings import doubt
from gateway.domain.reconciliation.values import Finding
from gateway.flows import notice
from gateway.flows.context import Context
from gateway.flows.notice import Notice
from gateway.store import exchanges, vault
from gateway.store.exchanges import NOT_ANSWERED, KeptInquiry, Question
from schemas.fields import format_moment

RESULT = "inquiry.result"
NOBODY, DUE = "nobody", "due"
LOOK_BACK = timedelta(days=30)


def tell(
    connection: Connection,
    context: Context,
    kept: KeptInquiry,
    because: str,
    *,
    now: datetime,
    newest: str | None = None,
) -> bool:
    """The court is told what there is by now; False where it was told because of this already. because: the answer it
    follows, DUE or NOBODY; newest: that answer's digest, which is on file when this is committed."""
    before = exchanges.last_notice(connection, RESULT, kept.inquiry_id)
    sent = notice.send(connection, context, [_result(kept, because, before, newest)], now=now)
    return sent[0] is not None


def _result(kept: KeptInquiry, because: str, before: str | None, newest: str | None) -> Notice:
    return Notice(
        to=kept.court,
        type=RESULT,
        subject=kept.inquiry_id,
        effect=f"{kept.inquiry_id}:{because}",
        data={
            "inquiry_id": kept.inquiry_id,
            "case_number": kept.case_number,
            "complete": kept.is_answered,
            "answers": [_answer_json(one, because, newest) for one in kept.questions],
            **({} if before is None else {"supersedes": before}),
        },
    )


def _answer_json(question: Question, because: str, newest: str | None) -> dict[str, Any]:
    said = question.answered
    known: dict[str, Any] = {"programme": question.programme, "agency": question.agency, "reason": question.unroutable}
    if said is None:
        known["answer"] = NOT_ANSWERED
    else:
        known |= {
            "answer": said.answer,
            "as_of": said.as_of.isoformat(),
            "since": None if said.since is None else said.since.isoformat(),
            "until": None if said.until is None else said.until.isoformat(),
            "amount_fen": said.amount_fen,
            "message_id": said.message_id,
            "digest": newest if said.message_id == because else said.digest,
            "answered_at": format_moment(said.at),
        }
    return {name: value for name, value in known.items() if value is not None}


def tell_due(context: Context, *, now: datetime) -> int:
    """Courts whose inquiries' time is over get what there is; how many were told. Writes nothing when none is due."""
    with context.store.reading() as connection:
        due_now = exchanges.overdue(connection, now=now, since=now - LOOK_BACK)
        keys = {one: notice.effect_key(RESULT, f"{one}:{DUE}") for one in due_now}
        said = notice.said_before(connection, list(keys.values()))
        gone = vault.erased_among(connection, due_now)
        wanted = [one for one in due_now if keys[one] not in said and one not in gone]
    if not wanted:
        return 0

    def write(connection: Connection) -> int:
        kept = exchanges.inquiries(connection, wanted)
        return sum(tell(connection, context, one, DUE, now=now) for one in kept.values() if not one.is_answered)

    return context.store.write(write)


def unanswered(connection: Connection, _context: Context, as_of: datetime) -> Iterator[Finding]:
    """Questions whose time is over: one doubt an inquiry and office."""
    late: dict[tuple[str, str], tuple[KeptInquiry, list[str]]] = {}
    for kept, question in exchanges.unanswered(connection, as_of=as_of):
        late.setdefault((kept.inquiry_id, question.office_id or ""), (kept, []))[1].append(question.programme)
    for (inquiry_id, office_id), (kept, programmes) in sorted(late.items()):
        yield doubt(
            "MISS_INQUIRY_UNANSWERED",
            "L17",
            referral_id=None,
            subject=f"{inquiry_id}:{office_id}",
            must_act=office_id,
            court=kept.court,
            asked_at=kept.asked_at,
            due_at=kept.due_at,
            programmes=programmes,
        )

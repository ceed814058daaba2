"""对方应答 What a partner's HTTP answer proves about each message that was pushed.

Rules: an HTTP status alone is no receipt (WIRE §3). A receipt counts for the message whose id and digest it names and
for no other. A refusal is believed when the partner signed it, or when the status says the request itself is wrong and
another try cannot help; all else leaves the outcome unknown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.domain.agreement import Office
from gateway.domain.lifecycle import MessageState
from gateway.errors import ReceiptMismatch, XianjieError
from gateway.evidence.receipt import Receipt, ReceiptVerdict, read, require_answer
from gateway.flows.context import Context
from gateway.store.outbox import BATCH_REFUSED, Leased
from gateway.transport.answer import Answer, RetryAfter

_RETRY_CLIENT_ERRORS = frozenset({401, 403, 404, 408, 409, 425, 429})
"""A wrong address or a key not registered yet is mended by somebody; the bytes stay right."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """One message after its attempt. no_contact: the office as a whole failed, which its breaker counts."""

    leased: Leased
    state: MessageState
    receipt: Receipt | None = None
    error: str | None = None
    http_status: int | None = None
    retry_after: RetryAfter | None = None
    no_contact: bool = False


def judge(answer: Answer, leased: Sequence[Leased], context: Context, office: Office, *, now: datetime) -> list[Judged]:
    """One verdict a message, in their order."""
    proven, trouble = _receipts(answer, context, office, now) if answer.body else ({}, None)
    alone = len(leased) == 1
    return [_judge_one(message, proven.get(message.message_id), answer, trouble, alone=alone) for message in leased]


def _receipts(
    answer: Answer, context: Context, office: Office, now: datetime
) -> tuple[Mapping[str, Receipt], str | None]:
    """Receipts by the message they name, and the last reason a line was not one."""
    found: dict[str, Receipt] = {}
    trouble: str | None = None
    for line in answer.body.split(b"\n"):
        text = line.strip()
        if not text:
            continue
        if text.startswith(b"{"):
            trouble = "problem_document"
            continue
        try:
            keyring = context.keyring_for(text, now)
            receipt = read(text, keyring, recipient=context.party_id, issuer=office.party_id, now=now)
        except XianjieError as error:
            trouble = error.note if isinstance(error, ReceiptMismatch) and error.note else error.code
            continue
        found[receipt.message_id] = receipt
    return found, trouble


def _judge_one(message: Leased, receipt: Receipt | None, answer: Answer, trouble: str | None, *, alone: bool) -> Judged:
    if receipt is not None:
        try:
            require_answer(receipt, message_id=message.message_id, message_digest=message.digest)
        except ReceiptMismatch as error:
            return Judged(leased=message, state=MessageState.UNKNOWN, error=error.code, http_status=answer.status)
        if receipt.verdict is ReceiptVerdict.TIMEOUT:
            return Judged(leased=message, state=MessageState.UNKNOWN, error="timeout", http_status=answer.status)
        refused = receipt.verdict is ReceiptVerdict.REFUSED
        return Judged(
            leased=message,
            state=MessageState.REFUSED if refused else MessageState.RELAYED,
            receipt=receipt,
            error=(receipt.reason_code or "refused_by_office") if refused else None,
            http_status=answer.status,
        )
    if 400 <= answer.status < 500 and answer.status not in _RETRY_CLIENT_ERRORS:
        # of a batch nobody knows which message was meant: each is asked again alone
        state = MessageState.REFUSED if alone else MessageState.UNKNOWN
        why = f"http_{answer.status}" if alone else BATCH_REFUSED
        return Judged(leased=message, state=state, error=why, http_status=answer.status)
    ok = 200 <= answer.status < 300
    return Judged(
        leased=message,
        state=MessageState.UNKNOWN,
        error=(trouble or "no_receipt") if ok else f"http_{answer.status}",
        http_status=answer.status,
        retry_after=answer.retry_after,
        no_contact=not ok,
    )

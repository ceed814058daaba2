"""回执核验 Which receipt counts (Law 4): the gateway's, proven, for submission, naming our id and our digest.

Anything else in the place of a receipt, whoever made it, is `ReceiptMismatch`: it proves nothing, and the same bytes go
again. A receipt on file was proven before it was filed; it is read without its keys, which may be long gone.
"""

from datetime import datetime
from typing import Any

from gateway.client.journal import Entry
from gateway.client.outcome import Outgoing, Sent
from gateway.envelope.compact import decode_segment, split
from gateway.envelope.keyring import Keyring
from gateway.envelope.message import Envelope
from gateway.errors import FieldProblem, ReceiptMismatch, XianjieError
from gateway.evidence.receipt import Receipt, ReceiptVerdict, Rung, read, require_answer
from schemas.receipt import RECEIPT

ACCEPTED = (ReceiptVerdict.ACCEPTED, ReceiptVerdict.DUPLICATE)


def prove_receipt(entry: Entry, raw: bytes, keyring: Keyring, *, now: datetime, recipient: str, issuer: str) -> Receipt:
    """The receipt of this very message. Raises `ReceiptMismatch`, whose note says what did not fit."""
    ids = {"message_id": entry.message_id}
    try:
        receipt = read(raw, keyring, recipient=recipient, issuer=issuer, now=now)
        require_answer(receipt, message_id=entry.message_id, message_digest=entry.digest)
    except ReceiptMismatch:
        raise
    except XianjieError as error:
        raise ReceiptMismatch(error.note or error.code, ids=ids) from error
    if receipt.rung is not Rung.SUBMISSION or receipt.verdict not in ACCEPTED:
        raise ReceiptMismatch(f"{receipt.rung} {receipt.verdict}", ids=ids)
    return receipt


def receipt_on_file(jws: str) -> Receipt:
    """A receipt out of our own journal."""
    envelope, body = _contents(jws)
    return Receipt(
        message_id=envelope.in_reply_to or "",
        message_digest=envelope.in_reply_to_digest or "",
        issuer=envelope.source,
        rung=Rung(body["rung"]),
        verdict=ReceiptVerdict(body["verdict"]),
        reason_code=body.get("reason_code"),
        at=body["at"],
        jws=jws,
    )


def sent_by(receipt: Receipt, outgoing: Outgoing, *, replayed: bool) -> Sent:
    """What a proven receipt tells the caller."""
    _, body = _contents(receipt.jws)
    return Sent(
        message_id=receipt.message_id,
        digest=receipt.message_digest,
        receipt=receipt,
        warnings=tuple(FieldProblem(pointer=one["pointer"], code=one["code"]) for one in body.get("warnings", ())),
        holds=tuple(body.get("holds", ())),
        replayed=replayed,
        effect=outgoing.effect,
        reference=outgoing.reference,
    )


def _contents(jws: str) -> tuple[Envelope, dict[str, Any]]:
    envelope = Envelope.from_payload(decode_segment(split(jws.encode()).payload_segment))
    body: dict[str, Any] = RECEIPT.load(envelope.data)
    return envelope, body

"""回执 Receipts: signed, each naming the id and the digest of what it answers (Law 4), one per rung of WIRE §3.

`issue` makes ours; `read` believes a partner's only when it names our message id and our digest. An HTTP status alone
is no receipt. Ours name the message's place in the log and the tree before it: whoever keeps one is a witness.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from marshmallow import ValidationError

from gateway.envelope.keyring import Keyring, SigningKey
from gateway.envelope.message import Envelope, field_problems, new_id
from gateway.envelope.signing import RECEIPT_TYP, VerifiedMessage, sign, verify
from gateway.errors import FieldProblem, ReceiptMismatch, SchemaInvalid
from schemas.fields import format_moment
from schemas.receipt import RECEIPT


class Rung(StrEnum):
    """The ladder of evidence (WIRE §3)."""

    SUBMISSION = "submission"
    RELAY = "relay"
    DELIVERY = "delivery"
    RETRIEVAL = "retrieval"
    DISPOSITION = "disposition"
    OUTCOME = "outcome"


class ReceiptVerdict(StrEnum):
    """What a receipt says."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    DUPLICATE = "duplicate"
    TIMEOUT = "timeout"

    @property
    def is_positive(self) -> bool:
        """Whether it shows that the rung was reached; a rung has at most one that does and one that does not."""
        return self in (ReceiptVerdict.ACCEPTED, ReceiptVerdict.DUPLICATE)


@dataclass(frozen=True, kw_only=True, slots=True)
class LogPlace:
    """Where the acknowledged message stands in the log, and the committed tree before it (tree_size ≤ index)."""

    origin: str
    index: int
    tree_size: int
    root: str

    def as_json(self) -> dict[str, Any]:
        """As receipts carry it."""
        return {"origin": self.origin, "index": self.index, "tree_size": self.tree_size, "root": self.root}


@dataclass(frozen=True, kw_only=True, slots=True)
class Receipt:
    """回执, proven. `message_id` and `message_digest` are of the message it answers."""

    message_id: str
    message_digest: str
    issuer: str
    rung: Rung
    verdict: ReceiptVerdict
    reason_code: str | None
    at: datetime
    jws: str
    warnings: tuple[FieldProblem, ...] = ()
    holds: tuple[str, ...] = ()
    place: LogPlace | None = None
    answer: Mapping[str, Any] | None = None
    """What the message asked for, answered; its moments are values."""


def issue(
    message: VerifiedMessage,
    *,
    key: SigningKey,
    now: datetime,
    rung: Rung,
    verdict: ReceiptVerdict = ReceiptVerdict.ACCEPTED,
    warnings: Sequence[FieldProblem] = (),
    holds: Sequence[str] = (),
    place: LogPlace | None = None,
    answer: Mapping[str, Any] | None = None,
) -> str:
    """A signed receipt for one proven message, as compact JWS. place: given by the gateway, who keeps the log; answer:
    what the message asked for, as JSON."""
    body: dict[str, Any] = {"rung": rung.value, "verdict": verdict.value, "at": format_moment(now)}
    if warnings:
        body["warnings"] = [{"pointer": warning.pointer, "code": warning.code} for warning in warnings]
    if holds:
        body["holds"] = list(holds)
    if place is not None:
        body["log"] = place.as_json()
    if answer is not None:
        body["answer"] = dict(answer)
    envelope = Envelope(
        id=new_id(now),
        source=key.party_id,
        type=f"receipt.{rung.value}",
        time=now,
        recipient=message.party_id,
        subject=message.envelope.subject,
        in_reply_to=message.envelope.id,
        in_reply_to_digest=message.digest,
        data=body,
    )
    return sign(envelope.to_payload(), key, RECEIPT_TYP)


def issue_timeout(
    *,
    message_id: str,
    message_digest: str,
    subject: str | None,
    reason_code: str,
    key: SigningKey,
    now: datetime,
    rung: Rung = Rung.RELAY,
    place: LogPlace | None = None,
) -> Receipt:
    """Our own negative receipt for a message nobody acknowledged in time; later evidence stands beside it."""
    body: dict[str, Any] = {
        "rung": rung.value,
        "verdict": ReceiptVerdict.TIMEOUT.value,
        "reason_code": reason_code,
        "at": format_moment(now),
    }
    if place is not None:
        body["log"] = place.as_json()
    envelope = Envelope(
        id=new_id(now),
        source=key.party_id,
        type=f"receipt.{rung.value}",
        time=now,
        recipient=key.party_id,
        subject=subject,
        in_reply_to=message_id,
        in_reply_to_digest=message_digest,
        data=body,
    )
    return Receipt(
        message_id=message_id,
        message_digest=message_digest,
        issuer=key.party_id,
        rung=rung,
        verdict=ReceiptVerdict.TIMEOUT,
        reason_code=reason_code,
        at=now,
        jws=sign(envelope.to_payload(), key, RECEIPT_TYP),
        place=place,
    )


def read(raw: bytes, keyring: Keyring, *, recipient: str, issuer: str, now: datetime) -> Receipt:
    """A partner's receipt, proven to be `issuer`'s. Raises TrustError, SchemaInvalid, ReceiptMismatch."""
    proven = verify(raw, keyring, recipient=recipient, now=now, typ=RECEIPT_TYP)
    if proven.party_id != issuer:
        raise ReceiptMismatch("issuer", ids={"message_id": proven.envelope.in_reply_to})
    try:
        body = RECEIPT.load(proven.envelope.data)
    except ValidationError as error:
        raise SchemaInvalid("receipt", problems=field_problems(error, prefix="/data")) from error
    return Receipt(
        message_id=proven.envelope.in_reply_to or "",
        message_digest=proven.envelope.in_reply_to_digest or "",
        issuer=proven.party_id,
        rung=Rung(body["rung"]),
        verdict=ReceiptVerdict(body["verdict"]),
        reason_code=body.get("reason_code"),
        at=body["at"],
        jws=proven.jws,
        warnings=tuple(FieldProblem(**warning) for warning in body.get("warnings", ())),
        holds=tuple(body.get("holds", ())),
        place=LogPlace(**body["log"]) if "log" in body else None,
        answer=body.get("answer"),
    )


def require_answer(receipt: Receipt, *, message_id: str, message_digest: str) -> None:
    """Law 4: the receipt names exactly this message; else it proves nothing and ReceiptMismatch is raised."""
    if receipt.message_id != message_id or receipt.message_digest != message_digest:
        raise ReceiptMismatch("names another message", ids={"message_id": message_id})

"""报送 What a partner sends and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.envelope import strict_json
from gateway.envelope.compact import decode_segment, split
from gateway.errors import FieldProblem
from schemas.envelope import JSON_TYPE


@dataclass(frozen=True, kw_only=True, slots=True)
class Outgoing:
    """One message to send. effect: what makes it the same again, e.g. the referral's id; reference: the caller's own
    place for it (`file:row`), handed back with the outcome."""

    type: str
    data: Any
    effect: str
    subject: str | None = None
    in_reply_to: str | None = None
    in_reply_to_digest: str | None = None
    content_type: str = JSON_TYPE
    reference: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """The gateway has it: `receipt` is its signed receipt. replayed: it had it before."""

    message_id: str
    digest: str
    receipt: str
    effect: str
    reference: str = ""
    warnings: tuple[FieldProblem, ...] = ()
    holds: tuple[str, ...] = ()
    replayed: bool = False

    @property
    def answer(self) -> Mapping[str, Any] | None:
        """What the message asked for, as the receipt answers it (a reservation); None where nothing was asked."""
        body = strict_json.loads(decode_segment(split(self.receipt.encode()).payload_segment))
        data = body.get("data") if isinstance(body, dict) else None
        found = data.get("answer") if isinstance(data, dict) else None
        return found if isinstance(found, dict) else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Refused:
    """The gateway will not take it as it is: a problem document (WIRE §4). After mending, the same effect may be sent
    again and becomes a new message."""

    code: str
    status: int
    fault: str
    title: str
    next_step: str
    effect: str
    reference: str = ""
    errors: tuple[Mapping[str, str], ...] = ()

"""归还件的证实 What a line that was given back proves, by its signatures alone; who gave it counts for nothing.

Rules: a partner's message counts with our own receipt for it, which says when we accepted it; its key must have counted
at that moment. A message of ours counts by our signature; the receipt its recipient gave stands beside it. A key that
had to be registered again after the loss is taken to have been registered then: our receipt is there because it was.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from marshmallow import ValidationError

from gateway.domain.agreement import PartyKind
from gateway.envelope import encryption, strict_json
from gateway.envelope.compact import decode_segment, split
from gateway.envelope.keyring import Keyring
from gateway.envelope.message import digest
from gateway.envelope.signing import VerifiedMessage, verify
from gateway.errors import MalformedJson, ReceiptMismatch, SchemaInvalid, TrustError, XianjieError
from gateway.evidence.receipt import Receipt, Rung, read, require_answer
from gateway.flows.context import Context
from gateway.store.log import FIRST_EPOCH
from schemas.fields import MessageId, Moment
from schemas.recovery import GIVEN_BACK_TYPE, LINE, STATEMENT

MAX_LINE = 2 * 1024 * 1024
_MOMENT = Moment(required=True)
_ID = re.compile(MessageId.PATTERN)


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One line, taken apart and opened; nothing in it is proven. name: the message's digest; claimed: its id."""

    name: str
    claimed: str | None
    message: bytes
    receipt: bytes | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Theirs:
    """A partner's message and our receipt for it. accepted_at: the moment at which it is taken in again."""

    message: VerifiedMessage
    receipt: Receipt
    accepted_at: datetime
    epoch: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Ours:
    """A message of ours, and what its recipient signed about it. code: why a receipt that was given is none."""

    message: VerifiedMessage
    recipient: str
    receipt: Receipt | None
    code: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Unanswered:
    """A partner's message that has no receipt. message: None where it proves nothing, as it will when it is sent
    again; message_id: as it names itself."""

    message_id: str | None
    message: VerifiedMessage | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Closing:
    """A party's statement that it has given everything."""

    message: VerifiedMessage


class Prover:
    """Proves lines with the keys registered by now, and with our own, whether or not the copy knows it."""

    def __init__(self, context: Context, now: datetime) -> None:
        self._context, self._now = context, now
        self._keyring = self._with_own(context.snapshot(now).keyring)

    def _with_own(self, keyring: Keyring) -> Keyring:
        own = self._context.key
        if keyring.find(own.kid) is not None and keyring.kind_of(own.party_id) is not None:
            return keyring
        snapshot = self._context.snapshot(self._now)
        active = {party.party_id: party.kind.value for party in snapshot.parties.values() if party.active}
        beginning = min((key.not_before for key in snapshot.keys), default=self._now)
        keys = {key.kid: key for key in snapshot.keys} | {own.kid: own.public_key(not_before=beginning)}
        return Keyring(keys.values(), {**active, own.party_id: PartyKind.GATEWAY.value})

    def read(self, raw: bytes) -> Line:
        """One line, opened where it is encrypted to us. Raises MalformedJson, TooLarge, SchemaInvalid, NotJose,
        TrustError."""
        try:
            members = LINE.load(strict_json.loads(raw, max_bytes=MAX_LINE))
        except ValidationError as error:
            raise SchemaInvalid("line") from error
        jws, receipt = members["message"].encode("ascii"), members["receipt"]
        if encryption.is_encrypted(jws):
            jws = encryption.decrypt(jws, self._context.decryption)
        claimed = _claims(jws)[0].get("id")
        return Line(
            name=digest(jws),
            claimed=claimed if isinstance(claimed, str) and _ID.fullmatch(claimed) else None,
            message=jws,
            receipt=None if receipt is None else receipt.encode("ascii"),
        )

    def prove(self, line: Line) -> Theirs | Ours | Unanswered | Closing:
        """What the line is. Raises TrustError and every error of a message or receipt that is not what it says."""
        claimed, kid = _claims(line.message)
        key = self._keyring.find(kid)
        if key is None:
            raise TrustError("unknown_kid")
        if key.party_id == self._context.party_id:
            return self.ours(line.message, line.receipt)
        if line.receipt is not None:
            return self.theirs(line.message, line.receipt)
        if claimed.get("type") == GIVEN_BACK_TYPE:
            return self._closing(line.message)
        return Unanswered(message_id=line.claimed, message=self._unanswered(line.message))

    def _unanswered(self, raw: bytes) -> VerifiedMessage | None:
        try:
            return self.pending(raw)
        except XianjieError:
            return None

    def pending(self, raw: bytes) -> VerifiedMessage:
        """A partner's message as if it were sent now."""
        return verify(raw, self._keyring, recipient=self._context.party_id, now=self._now)

    def theirs(self, raw: bytes, receipt: bytes) -> Theirs:
        """A partner's message with our receipt."""
        claimed, _ = _claims(receipt)
        issued_at = _moment(claimed)
        recipient = claimed.get("recipient")
        proven = read(
            receipt,
            self._keyring,
            recipient=recipient if isinstance(recipient, str) else "",
            issuer=self._context.party_id,
            now=self._usable(receipt, issued_at),
        )
        if proven.rung is not Rung.SUBMISSION or not proven.verdict.is_positive:
            raise ReceiptMismatch("another_rung")
        accepted_at = self._usable(raw, proven.at)
        message = verify(raw, self._keyring, recipient=self._context.party_id, now=accepted_at, check_time=False)
        if message.party_id != recipient:
            raise ReceiptMismatch("recipient")
        require_answer(proven, message_id=message.envelope.id, message_digest=message.digest)
        epoch = self.epoch_of(proven.place.origin) if proven.place is not None else FIRST_EPOCH
        return Theirs(message=message, receipt=proven, accepted_at=accepted_at, epoch=epoch)

    def ours(self, raw: bytes, receipt: bytes | None) -> Ours:
        """A message of ours, with its recipient's receipt."""
        claimed, _ = _claims(raw)
        named = claimed.get("recipient")
        recipient = named if isinstance(named, str) else ""
        message = verify(
            raw, self._keyring, recipient=recipient, now=self._usable(raw, _moment(claimed)), check_time=False
        )
        if receipt is None:
            return Ours(message=message, recipient=recipient, receipt=None)
        try:
            proven = self._of_recipient(receipt, message, recipient)
        except XianjieError as error:
            return Ours(message=message, recipient=recipient, receipt=None, code=error.note or error.code)
        return Ours(message=message, recipient=recipient, receipt=proven)

    def _of_recipient(self, raw: bytes, message: VerifiedMessage, recipient: str) -> Receipt:
        claimed, _ = _claims(raw)
        now = self._usable(raw, _moment(claimed))
        proven = read(raw, self._keyring, recipient=self._context.party_id, issuer=recipient, now=now)
        require_answer(proven, message_id=message.envelope.id, message_digest=message.digest)
        return proven

    def _closing(self, raw: bytes) -> Closing:
        message = verify(raw, self._keyring, recipient=self._context.party_id, now=self._now)
        try:
            STATEMENT.load(message.envelope.data)
        except ValidationError as error:
            raise SchemaInvalid("statement") from error
        return Closing(message=message)

    def epoch_of(self, origin: str) -> int:
        """The epoch of one of our logs' names; the first for a name that is none of ours."""
        rest = origin.removeprefix(f"{self._context.party_id}/")
        return int(rest) if rest != origin and rest.isascii() and rest.isdigit() and len(rest) < 9 else FIRST_EPOCH

    def _usable(self, raw: bytes, moment: datetime) -> datetime:
        key = self._keyring.find(split(raw).header.kid)
        return moment if key is None else max(moment, key.not_before)


def _claims(raw: bytes) -> tuple[dict[str, Any], str]:
    """What a compact JWS says of itself and which key it names; believed only once `verify` has held."""
    parts = split(raw)
    payload = strict_json.loads(decode_segment(parts.payload_segment))
    if not isinstance(payload, dict):
        raise MalformedJson("not_object")
    return payload, parts.header.kid


def _moment(claimed: dict[str, Any]) -> datetime:
    try:
        return _MOMENT.read(claimed.get("time"))
    except ValidationError as error:
        raise SchemaInvalid("time") from error

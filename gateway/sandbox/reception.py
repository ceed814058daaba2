"""收件 The receiving half of a simulated agency: pushed bytes in, one signed receipt or one problem for each message.

1. the push: Standard Webhooks headers, signed by the gateway over the whole body;
2. each message: opened where it is encrypted; its signature, key, source and recipient (`envelope.signing.verify`);
3. the same id with the same bytes gets the first receipt's very bytes, with other bytes a problem;
4. a new message is written down with its receipt, a handoff with the replies that will follow, before the answer.

A message from a mailbox takes the same path without the headers.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.domain.agreement import Channel
from gateway.envelope import encryption, strict_json
from gateway.envelope.compact import decode_segment, split
from gateway.envelope.message import Envelope, new_id
from gateway.envelope.signing import RECEIPT_TYP, VerifiedMessage, sign, verify
from gateway.envelope.webhook import verify_headers
from gateway.errors import MessageError, SameIdDifferentBytes, TrustError, WrongRecipient, XianjieError
from gateway.failpoints import failpoint
from gateway.sandbox import adjudicator, inquired
from gateway.sandbox.agency_config import AgencyConfig
from gateway.sandbox.behaviour import FETCHED, PUSHED, Step
from gateway.sandbox.formats import FORMATS, AskedHandoff
from gateway.sandbox.notebook import Kept, Notebook, OpenHandoff
from schemas.fields import format_moment

ISSUED, WITHDRAWN = "handoff.issued", "handoff.withdrawn"
RELAY, RETRIEVAL = "relay", "retrieval"
JOSE, NDJSON, PROBLEM = "application/jose", "application/x-ndjson", "application/problem+json"
OTHER_DIGEST = "0" * 64

Clock = Callable[[], datetime]


@dataclass(frozen=True, kw_only=True, slots=True)
class HttpAnswer:
    """What goes back over HTTP."""

    status: int
    body: bytes = b""
    content_type: str = JOSE


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """One message that was taken in. receipt is None where the behaviour keeps it back this time."""

    message: VerifiedMessage
    receipt: str | None
    is_new: bool


class Reception:
    """收件. Any number of threads."""

    def __init__(self, config: AgencyConfig, notebook: Notebook, clock: Clock) -> None:
        self._config, self._notebook, self._clock = config, notebook, clock

    def push(self, headers: Mapping[str, str], body: bytes, content_type: str) -> HttpAnswer:
        """One POST: a single JWS, or NDJSON answered line by line in order."""
        config = self._config
        try:
            verify_headers(headers, body, config.keyring, party_id=config.gateway, now=self._clock())
            if content_type != NDJSON:
                taken = self.take(body.strip())
                return HttpAnswer(status=200, body=(taken.receipt or "").encode())
        except XianjieError as error:
            return HttpAnswer(status=error.status, body=_problem(error), content_type=PROBLEM)
        lines = [self._line(line) for line in body.split(b"\n") if line.strip()]
        return HttpAnswer(status=200, body=b"".join(line + b"\n" for line in lines if line), content_type=NDJSON)

    def _line(self, raw: bytes) -> bytes:
        try:
            return (self.take(raw.strip()).receipt or "").encode()
        except XianjieError as error:
            return _problem(error)

    def take(self, raw: bytes, *, rung: str = RELAY) -> Taken:
        """One message, proven and written down. Raises what refuses it; nothing is kept then."""
        config, now = self._config, self._clock()
        jws = self._opened(raw)
        message = verify(jws, config.keyring, recipient=self._addressee(jws), now=now)
        failpoint("agency.proven")
        kept = self._notebook.kept(message.envelope.id)
        if kept is not None:
            return _again(message, kept)
        receipt = self._receipt(message, rung=rung, digest=message.digest, now=now)
        handoff, plan = self._plan(message, now)
        if message.envelope.type == WITHDRAWN and isinstance(message.envelope.data, dict):
            # first, as it may be done twice: once it is kept the message is never looked into again
            self._notebook.withdraw(str(message.envelope.data.get("handoff_id")), due=now.timestamp())
        kept = self._notebook.keep(
            message_id=message.envelope.id,
            digest=message.digest,
            receipt=receipt,
            party=message.envelope.recipient,
            seq=message.envelope.seq,
            handoff=handoff,
            plan=plan,
            jws=message.jws,
        )
        failpoint("agency.kept")
        if kept is not None:
            return _again(message, kept)
        return Taken(message=message, receipt=self._first_answer(message, receipt, rung, now), is_new=True)

    def _opened(self, raw: bytes) -> bytes:
        """The JWS inside; a receipt names that, not what it was wrapped in."""
        if not encryption.is_encrypted(raw):
            return raw
        return encryption.decrypt(raw, [desk.decryption for desk in self._config.desks.values() if desk.decryption])

    def _addressee(self, raw: bytes) -> str:
        """Which of our desks the message says it is for; believed only once `verify` has held."""
        payload = strict_json.loads(decode_segment(split(raw).payload_segment))
        named = payload.get("recipient") if isinstance(payload, dict) else None
        if not isinstance(named, str) or named not in self._config.desks:
            raise WrongRecipient()
        return named

    def _plan(self, message: VerifiedMessage, now: datetime) -> tuple[OpenHandoff | None, Iterable[tuple[Step, float]]]:
        """The handoff and when each step of it will be told; an unreadable body raises and gets no receipt."""
        config, envelope = self._config, message.envelope
        if envelope.type == adjudicator.NOTICE:
            return self._plan_one(message, adjudicator.remembered(envelope.data), Step.MATCH, now)
        if envelope.type == inquired.FORWARDED:
            return self._plan_one(message, inquired.remembered(envelope.data), Step.INQUIRY, now)
        if envelope.type != ISSUED:
            return None, ()
        asked = FORMATS[config.agency].read(envelope.data)
        handoff = OpenHandoff(
            asked=asked,
            message_id=envelope.id,
            digest=message.digest,
            party=envelope.recipient,
            referral=envelope.subject or "",
        )
        if config.behaviour.hits("silent", asked.handoff_id):
            return handoff, ()
        start, by_push = now.timestamp(), config.desks[envelope.recipient].channel is Channel.PUSH
        steps = PUSHED if by_push else FETCHED
        return handoff, [(step, start + config.behaviour.delay(step, asked.handoff_id)) for step in steps]

    def _plan_one(
        self, message: VerifiedMessage, remembered: str, step: Step, now: datetime
    ) -> tuple[OpenHandoff, Iterable[tuple[Step, float]]]:
        """A match or an inquiry stands in the notebook as a handoff without needs; it is answered once."""
        envelope, asked = message.envelope, AskedHandoff(handoff_id=remembered, needs=())
        found = OpenHandoff(
            asked=asked,
            message_id=envelope.id,
            digest=message.digest,
            party=envelope.recipient,
            referral=envelope.subject or "",
        )
        if self._config.behaviour.hits("silent", asked.handoff_id):
            return found, ()
        return found, [(step, now.timestamp() + self._config.behaviour.delay(step, asked.handoff_id))]

    def _first_answer(self, message: VerifiedMessage, receipt: str, rung: str, now: datetime) -> str | None:
        """The receipt, unless the behaviour spoils the first answer to this message; the next one is honest."""
        behaviour, message_id = self._config.behaviour, message.envelope.id
        if behaviour.hits("no_receipt", message_id):
            return None
        if behaviour.hits("wrong_digest", message_id):
            return self._receipt(message, rung=rung, digest=OTHER_DIGEST, now=now)
        return receipt

    def _receipt(self, message: VerifiedMessage, *, rung: str, digest: str, now: datetime) -> str:
        envelope = Envelope(
            id=new_id(now),
            source=message.envelope.recipient,
            type=f"receipt.{rung}",
            time=now,
            recipient=message.party_id,
            subject=message.envelope.subject,
            conversation_id=message.envelope.conversation_id,
            in_reply_to=message.envelope.id,
            in_reply_to_digest=digest,
            data={"rung": rung, "verdict": "accepted", "at": format_moment(now)},
        )
        return sign(envelope.to_payload(), self._config.desks[message.envelope.recipient].key, RECEIPT_TYP)


def _again(message: VerifiedMessage, kept: Kept) -> Taken:
    """The first receipt's very bytes, for the very same message only."""
    if kept.digest != message.digest:
        raise SameIdDifferentBytes(ids={"message_id": message.envelope.id})
    return Taken(message=message, receipt=kept.receipt, is_new=False)


def _problem(error: XianjieError) -> bytes:
    """A problem document (RFC 9457); trust failures tell nothing but that they are one."""
    problem: dict[str, Any] = {"title": error.title[1], "status": error.status, "code": error.code}
    if isinstance(error, MessageError) and not isinstance(error, TrustError):
        problem["errors"] = [{"pointer": found.pointer, "code": found.code} for found in error.problems]
    return json.dumps(problem).encode()

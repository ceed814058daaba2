"""当事方 The courts and agencies of the simulation, each with a journal of its own: the only witnesses the judge hears.

Rules: a message is journalled before it leaves and keeps its bytes until its outcome is known; only a proven receipt
that names it, or a refusal that no retry helps, ends it (as `gateway.client` does). An agency keeps what it received by
message id, gives the first receipt's very bytes again, and does the work a message asks for when it first sees it: two
messages for one need are two effects. Journals are never lost: a party's crash is a call that never comes back.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from gateway.domain.replies import DenialReason, ReplyCode
from gateway.envelope.keyring import Keyring, SigningKey
from gateway.envelope.message import Envelope, digest, new_id
from gateway.envelope.signing import MESSAGE_TYP, VerifiedMessage, sign, verify
from gateway.errors import SameIdDifferentBytes, XianjieError
from gateway.evidence.receipt import ReceiptVerdict, Rung, issue, read, require_answer
from gateway.sandbox.formats import FORMATS, AskedHandoff, OfficeAnswer
from tests.gateway_world import GATEWAY

Clock = Callable[[], datetime]
Post = Callable[["Sending"], tuple[int, bytes]]
"""Sends a message's bytes to the gateway: (status, body), or raises `Lost`."""
OFTEN_REFUSED = 4
"""A message that the gateway refused for its time is written anew so often."""
TICK = timedelta(milliseconds=1)


class Lost(Exception):
    """No answer came. arrived: what only the network knows, for the trace."""


@dataclass(kw_only=True)
class Sending:
    """One message of a party to the gateway, as its journal holds it."""

    about: str
    kind: str
    message_id: str
    digest: str
    raw: bytes
    attempts: int = 0
    doubts: int = 0
    """Attempts after which the sender did not know."""
    receipt: str | None = None
    other_receipts: int = 0
    """Receipts for the same bytes with bytes other than the first one's."""
    refusal: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether its outcome is still unknown."""
        return self.receipt is None and self.refusal is None


@dataclass(kw_only=True)
class Party:
    """What courts and agencies have in common."""

    party_id: str
    key: SigningKey
    keyring: Keyring
    clock: Clock
    seq: int = 0
    sendings: list[Sending] = field(default_factory=list)

    def write(self, kind: str, about: str, data: Any, **fields: Any) -> Sending:
        """A new message, journalled."""
        self.seq += 1
        now = self.clock()
        envelope = Envelope(
            id=new_id(now),
            source=self.party_id,
            type=kind,
            time=now,
            recipient=GATEWAY,
            seq=self.seq,
            data=data,
            **fields,
        )
        return self.journal(kind, about, envelope.id, sign(envelope.to_payload(), self.key, MESSAGE_TYP))

    def journal(self, kind: str, about: str, message_id: str, jws: str) -> Sending:
        """Keeps a message that was written."""
        sending = Sending(about=about, kind=kind, message_id=message_id, digest=digest(jws), raw=jws.encode())
        self.sendings.append(sending)
        return sending

    def send(self, sending: Sending, post: Post) -> None:
        """One attempt; what it proves is journalled."""
        sending.attempts += 1
        try:
            status, body = post(sending)
        except Lost:
            sending.doubts += sending.is_open
            return
        self.hear(sending, status, body)

    def hear(self, sending: Sending, status: int, body: bytes) -> None:
        """A receipt for exactly this message, a refusal that no retry helps, or still unknown."""
        if status in (200, 202):
            self._hear_receipt(sending, body.strip())
        elif 400 <= status < 500 and sending.is_open and (problem := _problem(body)) and not problem["retryable"]:
            sending.refusal = problem["code"]
        else:
            sending.doubts += sending.is_open

    def _hear_receipt(self, sending: Sending, body: bytes) -> None:
        try:
            receipt = read(body, self.keyring, recipient=self.party_id, issuer=GATEWAY, now=self.clock())
            require_answer(receipt, message_id=sending.message_id, message_digest=sending.digest)
        except XianjieError:
            sending.doubts += sending.is_open
            return
        if sending.receipt is None:
            sending.receipt, sending.refusal = receipt.jws, None
        sending.other_receipts += sending.receipt != receipt.jws


def _problem(body: bytes) -> dict[str, Any] | None:
    """A problem document of the gateway; None for anything else, such as a proxy's page."""
    try:
        found = json.loads(body)
    except ValueError:
        return None
    return found if isinstance(found, dict) and "code" in found and "retryable" in found else None


@dataclass(kw_only=True)
class Court(Party):
    """法院: what it asked for, by referral, and what it was told at the end."""

    asked: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """referral id → programmes."""
    withdrawn: dict[str, Sending] = field(default_factory=dict)
    told: dict[str, dict[str, str]] = field(default_factory=dict)
    """referral id → need id → state, read after everything was healed."""

    def of(self, referral_id: str) -> list[Sending]:
        """Every message that submitted the referral."""
        return [one for one in self.sendings if one.about == referral_id and one.kind == "referral.submitted"]


@dataclass(kw_only=True)
class Effect:
    """承办: one need the agency was asked to see to, under one message."""

    need_id: str
    handoff_id: str
    message_id: str


@dataclass(kw_only=True)
class Kept:
    """One message the agency received."""

    message: VerifiedMessage
    receipt: str
    times: int = 1


@dataclass(kw_only=True)
class Matter:
    """One handoff on the agency's desk: what it was asked, and what it will say, in order."""

    asked: AskedHandoff
    message: VerifiedMessage
    plan: list[str]
    said: list[tuple[datetime, str, Sending]] = field(default_factory=list)
    """(moment of the answer, what it says, its message), also those whose message was refused and written anew."""
    refused: int = 0

    @property
    def waiting(self) -> Sending | None:
        """The answer whose outcome is not known yet."""
        return self.said[-1][2] if self.said and self.said[-1][2].is_open else None


@dataclass(kw_only=True)
class Agency(Party):
    """承办单位: a desk that keeps what it received, works, and answers."""

    agency: str
    office_id: str
    plans: Callable[[str], list[str]] = lambda _: []
    """referral id → what it will say."""
    opened: Callable[["Matter"], None] = lambda _: None
    """Told of each new matter on the desk."""
    kept: dict[str, Kept] = field(default_factory=dict)
    effects: list[Effect] = field(default_factory=list)
    matters: dict[str, Matter] = field(default_factory=dict)

    def receive(self, raw: bytes) -> tuple[int, bytes]:
        """One pushed or fetched message: (status, receipt or problem)."""
        try:
            message = verify(raw, self.keyring, recipient=self.party_id, now=self.clock())
            return 200, self._take(message).receipt.encode()
        except XianjieError as error:
            return error.status, problem(error)

    def _take(self, message: VerifiedMessage) -> Kept:
        kept = self.kept.get(message.envelope.id)
        if kept is not None:
            if kept.message.digest != message.digest:
                raise SameIdDifferentBytes
            kept.times += 1
            return kept
        receipt = issue(message, key=self.key, now=self.clock(), rung=Rung.RELAY, verdict=ReceiptVerdict.ACCEPTED)
        self.kept[message.envelope.id] = kept = Kept(message=message, receipt=receipt)
        if message.envelope.type == "handoff.issued":
            self._work(message)
        return kept

    def withdrawals_of(self, handoff_id: str) -> int:
        """How many messages took this handoff back."""
        found = [kept.message.envelope for kept in self.kept.values()]
        return sum(one.type == "handoff.withdrawn" and one.data["handoff_id"] == handoff_id for one in found)

    def _work(self, message: VerifiedMessage) -> None:
        asked = FORMATS[self.agency].read(message.envelope.data)
        for need in asked.needs:
            self.effects.append(
                Effect(need_id=need.need_id, handoff_id=asked.handoff_id, message_id=message.envelope.id)
            )
        if asked.handoff_id not in self.matters:
            matter = Matter(asked=asked, message=message, plan=self.plans(message.envelope.subject or ""))
            self.matters[asked.handoff_id] = matter
            self.opened(matter)

    def next_answer(self, matter: Matter) -> Sending | None:
        """The message to send now: one whose outcome is unknown, one refused for its time again, or the next."""
        if (waiting := matter.waiting) is not None:
            return waiting
        if matter.said and matter.said[-1][2].refusal is not None:
            matter.refused += 1
            if matter.refused > OFTEN_REFUSED:
                return None
            return self._say(matter, matter.said[-1][1])
        return self._say(matter, matter.plan.pop(0)) if matter.plan else None

    def forgive(self) -> None:
        """The clocks were mended: what was refused for its time may be written anew."""
        for matter in self.matters.values():
            matter.refused = 0

    def _say(self, matter: Matter, what: str) -> Sending:
        """An agency's records of one matter never run backwards, whatever its clock does."""
        last = max((at for at, _, _ in matter.said), default=None)
        at = self.clock() if last is None else max(self.clock(), last + TICK)
        asked = matter.message
        if what in ("delivered", "retrieved"):
            kind, content_type, data = f"handoff.{what}", "application/json", {"handoff_id": matter.asked.handoff_id}
        else:
            form = FORMATS[self.agency]
            kind, content_type = "handoff.outcome", form.content_type
            data = form.write(matter.asked, _answers(matter.asked, ReplyCode(what), at))
        sending = self.write(
            kind,
            matter.asked.handoff_id,
            data,
            subject=asked.envelope.subject,
            conversation_id=asked.envelope.conversation_id,
            in_reply_to=asked.envelope.id,
            in_reply_to_digest=asked.digest,
            datacontenttype=content_type,
        )
        matter.said.append((at, what, sending))
        return sending


def _answers(asked: AskedHandoff, code: ReplyCode, at: datetime) -> Sequence[OfficeAnswer]:
    month = date(at.year, at.month, 1)
    facts: dict[str, Any] = {}
    if code in (ReplyCode.PAID, ReplyCode.APPROVED):
        facts = {"amount_fen": 65_000, "first_month": month, "last_month": month}
    elif code is ReplyCode.SERVICE_DELIVERED:
        facts = {"service": "已提供"}
    elif code is ReplyCode.DENIED:
        facts = {"reason": DenialReason.NOT_CONFIRMED, "text": "经核查不属实。"}
    elif code is ReplyCode.ACCEPTED:
        facts = {"next_due": at.date() + timedelta(days=14)}
    return [OfficeAnswer(need=need, code=code, at=at, **facts) for need in asked.needs]


def problem(error: XianjieError) -> bytes:
    """The problem document of a refusal, as far as a party reads it."""
    return json.dumps({"code": error.code, "status": error.status, "retryable": error.retryable}).encode()

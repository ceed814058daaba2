"""线路 The wires of the simulation: every call between a party and the gateway, and what goes wrong with it.

A call is honest unless the schedule names it. What is lost may have arrived; what is late arrives when its sender has
long given up; what an office answers may be half, empty, another's, or forged.
"""

import json
from base64 import urlsafe_b64decode
from collections import Counter
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from random import Random

from gateway.envelope.message import Envelope, new_id
from gateway.envelope.signing import RECEIPT_TYP, sign, verify
from gateway.evidence.receipt import ReceiptVerdict, Rung, issue
from gateway.transport.answer import Answer, NoAnswer, NoAnswerReason
from schemas.fields import format_moment
from tests.faults.parties import Agency, Lost
from tests.faults.schedule import Leg, Mischief, Place
from tests.gateway_world import GATEWAY

Serve = Callable[[bytes], tuple[int, bytes]]
"""The gateway's web process: one message in, (status, body) out; raises `Lost` when it dies at it."""
ServeBatch = Callable[[list[bytes]], list[tuple[int, bytes]] | None]
Hear = Callable[[int, bytes], None]
LATEST_COPY_S = 20.0
PAGE = b"<html>bad gateway</html>"


@dataclass(kw_only=True)
class Network:
    """The wires of one run. later(seconds, what): does something later; stall(): time passes, others go on."""

    serve: Serve
    agencies: Mapping[str, Agency]
    """By office id."""
    random: Random
    mischief: MutableMapping[Place, Mischief]
    later: Callable[[float, Callable[[], object]], None]
    stall: Callable[[], None]
    met: Callable[[str], None]
    """Told of every mischief that was met."""
    calls: Counter[str] = field(default_factory=Counter)
    heard: list[bytes] = field(default_factory=list)
    """Receipts that went over the wire: what a confused answer is made of."""
    doubtful: set[str] = field(default_factory=set)
    """Messages of the gateway of which at least one push had no honest answer."""
    is_healed: bool = False

    def heal(self) -> None:
        """Nothing goes wrong any more."""
        self.is_healed = True

    def _next(self, leg: Leg) -> Mischief | None:
        self.calls[leg.value] += 1
        kind = None if self.is_healed else self.mischief.pop((leg.value, self.calls[leg.value]), None)
        if kind is not None:
            self.met(f"{leg.value}:{kind.value}")
        return kind

    # --- to the gateway ---

    def to_gateway(self, leg: Leg, raw: bytes, hear: Hear) -> tuple[int, bytes]:
        """One message of a party; raises `Lost`. hear: gets answers that come besides, to copies of it."""
        kind = self._next(leg)
        if kind is Mischief.DROP_REQUEST:
            raise Lost
        if kind is Mischief.LATE:
            self._later_copy(raw, hear)
            raise Lost
        if kind is Mischief.SWALLOWED_OK:
            return 200, b""
        status, body = self.serve(raw)
        if kind is Mischief.TWICE:
            hear(*self.serve(raw))
        if kind is Mischief.LATE_COPY:
            self._later_copy(raw, hear)
        return self._spoilt(kind, status, body)

    def batch_to_gateway(self, raws: list[bytes], serve: ServeBatch) -> list[tuple[int, bytes] | None]:
        """Several messages in one request, answered line by line; None for a line that never came."""
        kind = self._next(Leg.COURT)
        nothing: list[tuple[int, bytes] | None] = [None] * len(raws)
        if kind in (Mischief.DROP_REQUEST, Mischief.SWALLOWED_OK):
            return nothing
        if kind is Mischief.LATE:
            self.later(self.random.uniform(0.5, LATEST_COPY_S), lambda: serve(raws))
            return nothing
        if kind is Mischief.TWICE:
            serve(raws)
        if kind is Mischief.LATE_COPY:
            self.later(self.random.uniform(0.5, LATEST_COPY_S), lambda: serve(raws))
        answers = serve(raws)
        if answers is None or kind in (Mischief.DROP_ANSWER, Mischief.EMPTY_OK, Mischief.PROXY_ERROR):
            return nothing
        if kind is Mischief.HALF_ANSWER:
            half = len(raws) // 2
            return [*answers[:half], *nothing[half:]]
        return list(reversed(answers)) if kind is Mischief.ANOTHERS_ANSWER else list(answers)

    def _later_copy(self, raw: bytes, hear: Hear) -> None:
        def arrive() -> None:
            try:
                answer = self.serve(raw)
            except Lost:
                return
            hear(*answer)

        self.later(self.random.uniform(0.5, LATEST_COPY_S), arrive)

    def _spoilt(self, kind: Mischief | None, status: int, body: bytes) -> tuple[int, bytes]:
        """The answer as it comes back."""
        if kind is Mischief.DROP_ANSWER:
            raise Lost
        if kind is Mischief.HALF_ANSWER:
            return status, body[: len(body) // 2]
        if kind is Mischief.EMPTY_OK:
            return 200, b""
        if kind is Mischief.PROXY_ERROR:
            return 502, PAGE
        if kind is Mischief.ANOTHERS_ANSWER:
            return 200, self.heard[-1] if self.heard else body[::-1]
        if status in (200, 202):
            self.heard.append(body)
        return status, body

    # --- from the gateway ---

    def push(self, url: str, body: bytes, content_type: str, headers: Mapping[str, str]) -> Answer:
        """One request of a worker to an office; a `deliver.Push`."""
        office_id = url.removeprefix("https://").partition(".invalid")[0]
        agency, lines = self.agencies[office_id], body.split(b"\n")
        kind = self._next(Leg.PUSH)
        if kind is not None:
            self.doubtful |= {message_id_of(line) for line in lines}
        if kind is Mischief.NOT_SENT:
            raise NoAnswer(NoAnswerReason.NO_CONNECTION, may_have_arrived=False)
        if kind is Mischief.DROP_REQUEST:
            raise NoAnswer(NoAnswerReason.CONNECTION_LOST, may_have_arrived=True)
        if kind is Mischief.SWALLOWED_OK:
            return Answer(status=200, body=b"")
        if kind in (Mischief.LATE, Mischief.LATE_COPY):
            self.later(self.random.uniform(0.5, LATEST_COPY_S), lambda: [agency.receive(line) for line in lines])
        if kind is Mischief.LATE:
            raise NoAnswer(NoAnswerReason.ANSWER_TIMEOUT, may_have_arrived=True)
        if kind in _REFUSED_BEFORE_ARRIVAL and self.random.random() < 0.5:
            return self._spoilt_push(kind, agency, lines, 200, b"")
        status, answer = _taken(agency, lines)
        if kind is Mischief.TWICE:
            status, answer = _taken(agency, lines)
        if kind is Mischief.STALL:
            self.stall()
            if self.random.random() < 0.5:
                raise NoAnswer(NoAnswerReason.ANSWER_TIMEOUT, may_have_arrived=True)
        return self._spoilt_push(kind, agency, lines, status, answer)

    def _spoilt_push(
        self, kind: Mischief | None, agency: Agency, lines: Sequence[bytes], status: int, body: bytes
    ) -> Answer:
        if kind is Mischief.PROXY_REFUSAL:
            return Answer(status=self.random.choice((400, 404, 413, 429)), body=PAGE)
        if kind in (Mischief.WRONG_DIGEST, Mischief.OTHER_OFFICE, Mischief.FORGED_REFUSAL):
            return Answer(status=200, body=b"\n".join(self._forged(kind, agency, line) for line in lines))
        try:
            status, body = self._spoilt(kind, status, body)
        except Lost:
            raise NoAnswer(NoAnswerReason.ANSWER_TIMEOUT, may_have_arrived=True) from None
        return Answer(status=status, body=body)

    def _forged(self, kind: Mischief, agency: Agency, raw: bytes) -> bytes:
        """A receipt that looks right and is not: another digest, another office's, or a refusal nobody gave."""
        message = verify(raw, agency.keyring, recipient=agency.party_id, now=agency.clock(), check_time=False)
        if kind is Mischief.WRONG_DIGEST:
            digest = message.digest[::-1]
            return _receipt(agency, message.envelope.id, digest, ReceiptVerdict.ACCEPTED)
        other = next(one for one in self.agencies.values() if one is not agency)
        if kind is Mischief.OTHER_OFFICE:
            return issue(message, key=other.key, now=agency.clock(), rung=Rung.RELAY).encode()
        if self.random.random() < 0.5:
            return json.dumps({"code": "schema_invalid", "status": 422, "retryable": False}).encode()
        refused = issue(message, key=agency.key, now=agency.clock(), rung=Rung.RELAY, verdict=ReceiptVerdict.REFUSED)
        head, payload, signature = refused.split(".")
        return f"{head}.{payload}.{'A' * (len(signature) - 2)}AA".encode()


_REFUSED_BEFORE_ARRIVAL = (
    Mischief.PROXY_REFUSAL,
    Mischief.PROXY_ERROR,
    Mischief.WRONG_DIGEST,
    Mischief.OTHER_OFFICE,
    Mischief.FORGED_REFUSAL,
)
"""The message may have reached the office or not: either is tried."""


def _taken(agency: Agency, lines: Sequence[bytes]) -> tuple[int, bytes]:
    """An office's honest answer: to one message with its status, to several line by line."""
    if len(lines) == 1:
        return agency.receive(lines[0])
    return 200, b"\n".join(agency.receive(line)[1] for line in lines)


def _receipt(agency: Agency, message_id: str, digest: str, verdict: ReceiptVerdict) -> bytes:
    now = agency.clock()
    envelope = Envelope(
        id=new_id(now),
        source=agency.party_id,
        type="receipt.relay",
        time=now,
        recipient=GATEWAY,
        in_reply_to=message_id,
        in_reply_to_digest=digest,
        data={"rung": Rung.RELAY.value, "verdict": verdict.value, "at": format_moment(now)},
    )
    return sign(envelope.to_payload(), agency.key, RECEIPT_TYP).encode()


def message_id_of(raw: bytes) -> str:
    """The id a compact JWS says it has."""
    payload = raw.split(b".")[1]
    found: str = json.loads(urlsafe_b64decode(payload + b"=" * (-len(payload) % 4)))["id"]
    return found

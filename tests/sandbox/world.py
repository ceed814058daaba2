"""The other side of a simulated agency: a gateway with a key that pushes, keeps a mailbox and receipts what it is sent.

Everything is signed and verified with the real envelope; nothing of the simulator is replaced. Break one thing only.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import parse_qs, urlsplit

from adapters.civil_affairs.adapter import CivilAffairs
from adapters.disabled_persons.adapter import DisabledPersons
from adapters.womens_federation.adapter import WomensFederation
from gateway.domain.agreement import Channel
from gateway.domain.handoff import Handoff, HandoffNeed, Outcome, SentHandoff, SentNeed
from gateway.envelope import webhook
from gateway.envelope.compact import decode_segment, split
from gateway.envelope.encryption import EncryptionKey, decrypt
from gateway.envelope.keyring import Algorithm, Keyring, PublicKey, SigningKey
from gateway.envelope.message import Envelope
from gateway.envelope.signing import MESSAGE_TYP, VerifiedMessage, sign, verify
from gateway.envelope.token import verify_token
from gateway.evidence.receipt import Receipt, Rung, issue, read
from gateway.ports import Adapter
from gateway.sandbox.agency import Agency
from gateway.sandbox.agency_config import AgencyConfig, Desk, gateway_keyring
from gateway.sandbox.behaviour import Behaviour
from gateway.sandbox.postman import Postman
from gateway.sandbox.reception import JOSE, HttpAnswer
from tests.builders import a_handoff

NOW = datetime(2026, 3, 3, 2, 0, tzinfo=UTC)
GATEWAY, GATEWAY_URL = "cn/gateway/520000", "http://gateway.example:8600"
HOUR = timedelta(hours=1)
ADAPTERS: dict[str, Adapter] = {
    "civil_affairs": CivilAffairs(),
    "disabled_persons": DisabledPersons(),
    "womens_federation": WomensFederation(),
}


def party(agency: str = "civil_affairs") -> str:
    return f"cn/agency/{agency}-520102"


@cache
def key_of(party_id: str) -> SigningKey:
    return SigningKey.generate(Algorithm.ED25519, party_id)


def registered(party_id: str) -> PublicKey:
    return key_of(party_id).public_key(not_before=NOW - timedelta(days=365))


@dataclass
class Clock:
    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Gateway:
    """Both directions of the wire, as `Http` and as the one who pushes. down: nothing answers; refuses: a status."""

    clock: Clock
    agency: str = "civil_affairs"
    down: bool = False
    refuses: int | None = None
    mailbox: list[bytes] = field(default_factory=list)
    received: list[VerifiedMessage] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    answer_with: bytes | None = None
    decryption: EncryptionKey | None = None

    @property
    def keyring(self) -> Keyring:
        parties = [GATEWAY, *(party(agency) for agency in ADAPTERS)]
        return Keyring((registered(one) for one in parties), dict.fromkeys(parties, "agency"))

    def post(self, url: str, body: bytes, content_type: str) -> tuple[int, bytes]:
        assert (url, content_type) == (f"{GATEWAY_URL}/v1/messages", JOSE)
        self.raw.append(body)
        if self.down:
            raise ConnectionError("down")
        if self.refuses is not None:
            return self.refuses, b"{}"
        jws = decrypt(body, [self.decryption]) if self.decryption else body
        message = verify(jws, self.keyring, recipient=GATEWAY, now=self.clock())
        known = message.envelope.id in {one.envelope.id for one in self.received}
        if not known:
            self.received.append(message)
        receipt = issue(message, key=key_of(GATEWAY), now=self.clock(), rung=Rung.SUBMISSION)
        return (200 if known else 202), receipt.encode() if self.answer_with is None else self.answer_with

    def get(self, url: str, token: str, *, timeout: float) -> tuple[int, bytes]:
        if self.down:
            raise ConnectionError("down")
        proven = verify_token(token, self.keyring, audience=GATEWAY, method="GET", url=url, now=self.clock())
        after = int(parse_qs(urlsplit(url).query)["after"][0])
        waiting = [raw for raw in self.mailbox if seq_of(raw) > after and recipient_of(raw) == proven.party_id]
        return 200, b"\n".join(waiting)

    def answers(self) -> Iterator[tuple[str, Outcome]]:
        """Message type and outcome of everything the real adapter reads out of what came."""
        for message in self.received:
            if message.envelope.type in ("handoff.disposition", "handoff.outcome"):
                for outcome in ADAPTERS[self.agency].interpret(message.envelope.data, sent_handoff(self.agency)):
                    yield message.envelope.type, outcome


def members(raw: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(decode_segment(split(raw).payload_segment))
    return found


def seq_of(raw: bytes) -> int:
    return int(members(raw)["seq"])


def recipient_of(raw: bytes) -> str:
    return str(members(raw)["recipient"])


PROGRAMMES = {
    "civil_affairs": ("MLG", "MED", "LIM"),
    "disabled_persons": ("ASD", "LSD"),
    "womens_federation": ("CAN2", "PSY"),
}


def the_handoff(agency: str = "civil_affairs", handoff_id: str = "h-1") -> Handoff:
    needs = tuple(
        HandoffNeed(need_id=f"n-{number}", programme=programme)
        for number, programme in enumerate(PROGRAMMES[agency], start=1)
    )
    return a_handoff(agency=agency, handoff_id=handoff_id, needs=needs, office_id=f"{agency}-520102")


def sent_handoff(agency: str = "civil_affairs", handoff_id: str = "h-1") -> SentHandoff:
    handoff = the_handoff(agency, handoff_id)
    return SentHandoff(
        handoff_id=handoff_id,
        referral_id=handoff.referral_id,
        agency=agency,
        office_id=handoff.office_id,
        needs=tuple(SentNeed(need_id=need.need_id, programme=need.programme) for need in handoff.needs),
    )


def a_message(agency: str = "civil_affairs", handoff_id: str = "h-1", **changes: Any) -> bytes:
    """A handoff as the gateway sends it: the real adapter's draft, signed."""
    draft = ADAPTERS[agency].translate(the_handoff(agency, handoff_id))
    known: dict[str, Any] = {
        "id": f"m-{handoff_id}",
        "source": GATEWAY,
        "type": "handoff.issued",
        "time": NOW,
        "recipient": party(agency),
        "subject": "r-1",
        "conversation_id": "r-1",
        "seq": 1,
        "datacontenttype": draft.content_type,
        "data": draft.body,
    }
    return sign(Envelope(**{**known, **changes}).to_payload(), key_of(GATEWAY), MESSAGE_TYP).encode()


@dataclass
class World:
    """One simulated agency and the gateway beside it, at one moment."""

    clock: Clock
    gateway: Gateway
    agency: Agency

    @property
    def postman(self) -> Postman:
        return self.agency.postman(self.gateway)

    def push(self, body: bytes, content_type: str = JOSE, **headers: str) -> HttpAnswer:
        signed = webhook.headers(key_of(GATEWAY), message_id="push-1", timestamp=self.clock(), body=body)
        return self.agency.reception.push({**signed, **headers}, body, content_type)

    def receipt(self, raw: bytes) -> Receipt:
        return read(raw, self.gateway.keyring, recipient=GATEWAY, issuer=party(self.gateway.agency), now=self.clock())

    def later(self, length: timedelta = HOUR) -> None:
        """Time passes, and every reply that is due is sent."""
        self.clock.now += length
        self.postman.send_due()


def a_config(agency: str = "civil_affairs", channel: Channel = Channel.PUSH, **changes: Any) -> AgencyConfig:
    desk = Desk(key=key_of(party(agency)), channel=channel)
    honest = AgencyConfig(
        agency=agency,
        gateway=GATEWAY,
        gateway_url=GATEWAY_URL,
        keyring=gateway_keyring([key_of(GATEWAY).public_jwk()], GATEWAY),
        desks={desk.party_id: desk},
    )
    return replace(honest, **changes)


def a_world(agency: str = "civil_affairs", *, channel: Channel = Channel.PUSH, **behaviour: Any) -> World:
    clock = Clock()
    config = a_config(agency, channel, behaviour=Behaviour(**behaviour))
    return World(clock=clock, gateway=Gateway(clock=clock, agency=agency), agency=Agency.of(config, clock))

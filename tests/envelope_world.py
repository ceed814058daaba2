"""A court, the gateway and an agency with keys, and the means to break one thing about a message.

`signed()` makes an honest message; `forge` signs any header and payload bytes as they are given, so that a test can be
an attacker who holds a registered key.
"""

import json
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from gateway.envelope.keyring import Algorithm, Keyring, PublicKey, SigningKey
from gateway.envelope.message import Envelope
from gateway.envelope.signing import MESSAGE_TYP, VerifiedMessage, sign, verify

NOW = datetime(2025, 3, 3, 9, 0, tzinfo=UTC)
COURT = "cn/court/520100"
GATEWAY = "cn/gateway/520000"
AGENCY = "cn/civil_affairs/520102"
ACTIVE = {COURT: "court", GATEWAY: "gateway", AGENCY: "civil_affairs"}
DIGEST = "ab" * 32


@cache
def key_of(party_id: str = COURT, alg: Algorithm = Algorithm.ED25519) -> SigningKey:
    return SigningKey.generate(alg, party_id)


def registered(key: SigningKey, **changes: Any) -> PublicKey:
    return PublicKey(
        **{
            "kid": key.kid,
            "party_id": key.party_id,
            "alg": key.alg,
            "jwk": key.public_jwk(),
            "not_before": NOW - timedelta(days=30),
            "not_after": NOW + timedelta(days=335),
            **changes,
        }
    )


def a_keyring(keys: Iterable[PublicKey] | None = None, active: Mapping[str, str] = ACTIVE) -> Keyring:
    return Keyring([registered(key_of())] if keys is None else keys, active)


def an_envelope(**changes: Any) -> Envelope:
    return Envelope(
        **{
            "id": "0195-referral-1",
            "source": COURT,
            "type": "referral.submitted",
            "time": NOW - timedelta(seconds=2),
            "recipient": GATEWAY,
            "subject": "R-2025-0001",
            "conversation_id": "R-2025-0001",
            "seq": 1,
            "expires_at": NOW + timedelta(days=3),
            "purpose": "judicial assistance referral",
            "legal_basis": "STATUTORY_DUTY",
            "data": {"case_number": "（2024）黔01司救执1号", "decided_amount_fen": 3_000_000},
            **changes,
        }
    )


def payload_of(**members: Any) -> bytes:
    """An honest payload with members replaced (or dropped, when None), written without any of our checks."""
    honest = json.loads(an_envelope().to_payload())
    return json.dumps({name: value for name, value in {**honest, **members}.items() if value is not None}).encode()


def b64(raw: bytes) -> bytes:
    return urlsafe_b64encode(raw).rstrip(b"=")


def honest_header(key: SigningKey, **changes: Any) -> dict[str, Any]:
    header = {"alg": key.alg.value, "kid": key.kid, "typ": MESSAGE_TYP, **changes}
    return {name: value for name, value in header.items() if value is not None}


def forge(header: dict[str, Any] | bytes, payload: bytes, key: SigningKey) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    signing_input = b64(text) + b"." + b64(payload)
    return signing_input + b"." + b64(key.sign(signing_input))


def signed(key: SigningKey | None = None, **changes: Any) -> bytes:
    return sign(an_envelope(**changes).to_payload(), key or key_of(), MESSAGE_TYP).encode()


def received(raw: bytes, keyring: Keyring | None = None, **changes: Any) -> VerifiedMessage:
    return verify(raw, keyring or a_keyring(), **{"recipient": GATEWAY, "now": NOW, **changes})

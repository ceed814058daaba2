"""推送签名 Standard Webhooks headers, asymmetric form v1a (Ed25519), on what the gateway pushes to an agency.

Signed is `id.timestamp.body`; the id therefore holds no full stop. The receiver tries the sender's registered Ed25519
keys, as the headers name none, and refuses a timestamp more than five minutes off. These headers prove the push; the
JWS in the body proves the message.
"""

import re
from base64 import b64encode
from binascii import Error, a2b_base64
from collections.abc import Mapping
from datetime import datetime, timedelta

from gateway.envelope.keyring import Algorithm, Keyring, SigningKey
from gateway.errors import ConfigError, TrustError

TOLERANCE = timedelta(minutes=5)
MAX_SIGNATURES = 8
ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"

_ID = re.compile(r"[A-Za-z0-9_:-]{1,64}")
_SECONDS = re.compile(r"[0-9]{1,12}")


def headers(key: SigningKey, *, message_id: str, timestamp: datetime, body: bytes) -> dict[str, str]:
    """The three headers. Raises `ConfigError` for a key that is not Ed25519, ValueError for a malformed id."""
    if key.alg is not Algorithm.ED25519:
        raise ConfigError("webhook_needs_ed25519", ids={"kid": key.kid})
    if not _ID.fullmatch(message_id):
        raise ValueError("a webhook id is 1 to 64 letters, digits, _ : -")
    seconds = str(int(timestamp.timestamp()))
    signature = b64encode(key.sign(_signed(message_id, seconds, body))).decode("ascii")
    return {ID: message_id, TIMESTAMP: seconds, SIGNATURE: f"v1a,{signature}"}


def verify_headers(received: Mapping[str, str], body: bytes, keyring: Keyring, *, party_id: str, now: datetime) -> str:
    """The webhook id, if one of the party's usable Ed25519 keys signed exactly this. Raises `TrustError`."""
    named = {name.lower(): value for name, value in received.items()}
    message_id, seconds = named.get(ID, ""), named.get(TIMESTAMP, "")
    if not _ID.fullmatch(message_id) or not _SECONDS.fullmatch(seconds):
        raise TrustError("webhook_headers", ids={"party_id": party_id})
    if abs(int(seconds) - now.timestamp()) > TOLERANCE.total_seconds():
        raise TrustError("webhook_timestamp", ids={"party_id": party_id})
    if keyring.kind_of(party_id) is None:
        raise TrustError("party_suspended", ids={"party_id": party_id})
    message = _signed(message_id, seconds, body)
    kids = [k.kid for k in keyring.keys_of(party_id) if k.alg is Algorithm.ED25519 and k.usable_at(now)]
    signatures = _signatures(named.get(SIGNATURE, ""))
    if not any(keyring.signature_is_of(kid, signature, message) for signature in signatures for kid in kids):
        raise TrustError("bad_signature", ids={"party_id": party_id})
    return message_id


def _signed(message_id: str, seconds: str, body: bytes) -> bytes:
    return f"{message_id}.{seconds}.".encode("ascii") + body


def _signatures(header: str) -> list[bytes]:
    """The v1a signatures of a space-separated list; other versions are passed over as the standard asks."""
    found = []
    for entry in header.split(" ")[:MAX_SIGNATURES]:
        version, _, text = entry.partition(",")
        if version != "v1a":
            continue
        try:
            found.append(a2b_base64(text.encode("ascii"), strict_mode=True))
        except (Error, UnicodeEncodeError):
            continue
    return found

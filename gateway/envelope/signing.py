"""签名与验签 Signing a message, and the one place where a message becomes trusted (Law 1).

`verify` asks in this order and stops at the first no: size and form, header, registered key, its algorithm, its
validity, its party, the signature; only then is the payload read: schema, source, recipient, times. Nothing is fetched
and no key comes from the message. Every trust failure is a `TrustError` that looks alike outside; its `note` is for
the log. The bytes received are kept (`jws`); nothing signed is ever written anew.
"""

from dataclasses import InitVar, dataclass
from datetime import datetime, timedelta

from gateway.envelope.algorithms import Algorithm
from gateway.envelope.compact import Header, Parts, decode_segment, encode_header, encode_segment, split
from gateway.envelope.keyring import Keyring, PublicKey, SigningKey
from gateway.envelope.message import Envelope, digest
from gateway.errors import FieldProblem, SchemaInvalid, StaleMessage, TrustError, WrongRecipient

MESSAGE_TYP = "xianjie-message+jws"
RECEIPT_TYP = "xianjie-receipt+jws"
PARTICIPANTS_TYP = "xianjie-participants+jws"
FUTURE_TOLERANCE = timedelta(minutes=5)

# RFC 9864 deprecates the spelling EdDSA; many libraries still write it, and here it can only mean Ed25519.
_SPELLINGS = {"EdDSA": Algorithm.ED25519.value}
_PROOF = object()


@dataclass(frozen=True, kw_only=True, slots=True)
class VerifiedMessage:
    """A message whose signature, key and source were proven. Only `verify` can make one."""

    envelope: Envelope
    jws: str
    digest: str
    kid: str
    party_id: str
    alg: Algorithm
    proof: InitVar[object]

    def __post_init__(self, proof: object) -> None:
        if proof is not _PROOF:
            raise TypeError("a VerifiedMessage comes from signing.verify only")


def sign(payload: bytes, key: SigningKey, typ: str) -> str:
    """The compact JWS of these payload bytes; protected header exactly alg, kid, typ."""
    header = encode_header(Header(alg=key.alg.value, kid=key.kid, typ=typ))
    signing_input = header + b"." + encode_segment(payload)
    return (signing_input + b"." + encode_segment(key.sign(signing_input))).decode("ascii")


def verify(
    raw: bytes,
    keyring: Keyring,
    *,
    recipient: str,
    now: datetime,
    typ: str = MESSAGE_TYP,
    check_time: bool = True,
) -> VerifiedMessage:
    """One received compact JWS, proven.

    check_time=False is for a message already accepted: `now` is then the moment it was received, at which the key must
    have been usable, and its deadlines are not asked again. Raises `TooLarge`, `NotJose`, `TrustError`, and after the
    signature held `MalformedJson`, `SchemaInvalid`, `WrongRecipient`, `StaleMessage`.
    """
    parts = split(raw)
    key = prove(parts, keyring, typ=typ, now=now)
    envelope = Envelope.from_payload(decode_segment(parts.payload_segment))
    _check_envelope(envelope, key, recipient=recipient, typ=typ)
    if check_time:
        _check_times(envelope, now)
    return VerifiedMessage(
        envelope=envelope,
        jws=raw.decode("ascii"),
        digest=digest(raw),
        kid=key.kid,
        party_id=key.party_id,
        alg=Algorithm(key.alg),  # `prove` let no key for encryption pass
        proof=_PROOF,
    )


def prove(parts: Parts, keyring: Keyring, *, typ: str, now: datetime) -> PublicKey:
    """The registered key that signed these parts. Raises `TrustError` with a note for the log; reads no payload."""
    header = parts.header
    if header.typ != typ:
        raise TrustError("wrong_typ")
    key = keyring.find(header.kid)
    if key is None:
        raise TrustError("unknown_kid")
    ids = {"kid": key.kid, "party_id": key.party_id}
    if _SPELLINGS.get(header.alg, header.alg) != key.alg.value:
        raise TrustError("alg_mismatch", ids=ids)
    refusal = key.refusal_at(now)
    if refusal is not None:
        raise TrustError(refusal, ids=ids)
    if keyring.kind_of(key.party_id) is None:
        raise TrustError("party_suspended", ids=ids)
    if not keyring.signature_is_of(key.kid, parts.signature, parts.signing_input):
        raise TrustError("bad_signature", ids=ids)
    return key


def _check_envelope(envelope: Envelope, key: PublicKey, *, recipient: str, typ: str) -> None:
    """The payload says the same as the key and the header do, and it is for us."""
    if envelope.source != key.party_id:
        raise TrustError("source_mismatch", ids={"kid": key.kid, "party_id": key.party_id, "message_id": envelope.id})
    if envelope.recipient != recipient:
        raise WrongRecipient(ids={"message_id": envelope.id, "party_id": key.party_id})
    if typ == RECEIPT_TYP and envelope.in_reply_to is None:
        raise SchemaInvalid("receipt", problems=[FieldProblem(pointer="/in_reply_to", code="required")])


def _check_times(envelope: Envelope, now: datetime) -> None:
    """There is no lower bound on `time`: the retry ladder sends the same bytes for days; `expires_at` is the bound."""
    ids = {"message_id": envelope.id, "party_id": envelope.source}
    if envelope.time > now + FUTURE_TOLERANCE:
        raise StaleMessage("time_in_future", ids=ids)
    if envelope.expires_at is not None and envelope.expires_at <= now:
        raise StaleMessage("expired", ids=ids)

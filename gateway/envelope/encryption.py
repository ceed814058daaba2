"""加密 A signed message wrapped for its recipient alone: compact JWE, ECDH-ES on X25519 with A256GCM (WIRE §1).

The protected header holds exactly `alg`, `enc`, `epk`, `kid`, `typ`, `cty`; so `zip`, `crit`, `apu`, `apv`, `jku` and
their like are refused unread, and no algorithm is chosen by a message. base64url has one spelling (`compact`). The key
is the recipient's registered one, named by its thumbprint; an ephemeral point of low order is refused. Encryption
proves nothing about the sender: what comes out is a JWS, and `signing.verify` decides whom to believe. Whatever cannot
be opened is one `TrustError`; its `note` is for the log.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, Self, cast

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from gateway.envelope import algorithms, strict_json
from gateway.envelope.compact import MAX_HEADER_CHARACTERS, MAX_JWS_BYTES, decode_segment
from gateway.envelope.keyring import ENCRYPTION, KeyAgreement, PublicKey
from gateway.errors import ConfigError, MalformedJson, NotJose, TooLarge, TrustError

ENC, TYP, CTY = "A256GCM", "JOSE", "xianjie-message+jws"
IV_BYTES, TAG_BYTES = 12, 16
MAX_CIPHERTEXT = -(-MAX_JWS_BYTES * 4 // 3)
MAX_JWE_BYTES = MAX_CIPHERTEXT + MAX_HEADER_CHARACTERS + 64
"""A JWS of the largest size, encoded once more, with header, nonce, tag and the four full stops."""

_FIXED = {"alg": KeyAgreement.ECDH_ES.value, "enc": ENC, "typ": TYP, "cty": CTY}
_MEMBERS = {*_FIXED, "kid", "epk"}


class _Registry(jwe.JWERegistry):
    max_ciphertext_length = MAX_CIPHERTEXT


_REGISTRY = _Registry(algorithms=[KeyAgreement.ECDH_ES.value, ENC])


@dataclass(frozen=True, kw_only=True, slots=True)
class EncryptionKey:
    """A party's own key that others encrypt to, loaded once."""

    kid: str
    party_id: str
    private: OKPKey = field(repr=False, compare=False)

    @classmethod
    def generate(cls, party_id: str) -> Self:
        return cls._of(X25519PrivateKey.generate(), party_id)

    @classmethod
    def load_pem(cls, pem: bytes, party_id: str, password: bytes | None = None) -> Self:
        """From PKCS#8 PEM. Raises `ConfigError` for what is no X25519 key."""
        try:
            key = serialization.load_pem_private_key(pem, password)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise ConfigError("private_key_unreadable") from error
        if not isinstance(key, X25519PrivateKey):
            raise ConfigError("private_key_kind")
        return cls._of(key, party_id)

    @classmethod
    def _of(cls, key: X25519PrivateKey, party_id: str) -> Self:
        private = OKPKey.import_key(key)
        return cls(kid=private.thumbprint(), party_id=party_id, private=private)

    def to_pem(self) -> bytes:
        """Unencrypted PKCS#8; who may read the file is the caller's business."""
        return self.private.as_pem(private=True)

    def public_jwk(self) -> dict[str, str]:
        return cast("dict[str, str]", self.private.as_dict(private=False))

    def public_key(self, *, not_before: datetime, not_after: datetime | None = None) -> PublicKey:
        """The public half as it is registered."""
        return PublicKey(
            kid=self.kid,
            party_id=self.party_id,
            alg=KeyAgreement.ECDH_ES,
            jwk=self.public_jwk(),
            use=ENCRYPTION,
            not_before=not_before,
            not_after=not_after,
        )


def is_encrypted(raw: bytes) -> bool:
    """Whether these bytes have a JWE's five segments; a JWS has three."""
    return raw.count(b".") == 4


def encrypt(jws: str | bytes, key: PublicKey) -> str:
    """The compact JWE of a compact JWS for the holder of the key. Raises `ConfigError` for a key that signs,
    ValueError for more than a JWS may hold: our own mistake."""
    if not isinstance(key.alg, KeyAgreement):
        raise ConfigError("key_not_for_encryption", ids={"kid": key.kid})
    if len(jws) > MAX_JWS_BYTES:
        raise ValueError("a JWS this long is none")
    return jwe.encrypt_compact({**_FIXED, "kid": key.kid}, jws, _loaded(key.jwk["x"]), registry=_REGISTRY)


def decrypt(raw: bytes, keys: Iterable[EncryptionKey]) -> bytes:
    """The compact JWS inside, not yet proven. keys: the recipient's own, one of which the header must name.

    Raises `TooLarge`, `NotJose`, `TrustError`.
    """
    header = _read(raw)
    key = next((key for key in keys if key.kid == header["kid"]), None)
    if key is None:
        raise TrustError("unknown_encryption_kid")
    _check_epk(header["epk"])
    try:
        opened = jwe.decrypt_compact(raw, key.private, registry=_REGISTRY).plaintext
    except (JoseError, ValueError) as error:
        raise TrustError("not_decrypted", ids={"kid": key.kid}) from error
    return opened or b""


def _read(raw: bytes) -> dict[str, Any]:
    """The protected header, once the whole is spelt and measured as it must be."""
    if len(raw) > MAX_JWE_BYTES:
        raise TooLarge("jwe")
    segments = raw.split(b".", 5)
    if len(segments) != 5:
        raise NotJose("segments")
    header_segment, wrapped_key, iv, ciphertext, tag = segments
    if not 0 < len(header_segment) <= MAX_HEADER_CHARACTERS:
        raise NotJose("header_size")
    if wrapped_key:  # ECDH-ES agrees on the key itself, so none travels
        raise NotJose("encrypted_key")
    if len(decode_segment(iv)) != IV_BYTES or len(decode_segment(tag)) != TAG_BYTES or not decode_segment(ciphertext):
        raise NotJose("segment_size")
    try:
        header = strict_json.loads(decode_segment(header_segment))
    except MalformedJson as error:
        raise NotJose("header_json") from error
    if type(header) is not dict:
        raise NotJose("header_json")
    if header.keys() != _MEMBERS or any(header[name] != value for name, value in _FIXED.items()):
        raise TrustError("header_not_allowed")
    return header


def _check_epk(epk: Any) -> None:
    """A public X25519 point and nothing beside it. One of low order is refused by the agreement itself."""
    if type(epk) is not dict:
        raise TrustError("epk")
    try:
        algorithms.check_jwk(KeyAgreement.ECDH_ES, epk)
    except ConfigError as error:
        raise TrustError("epk") from error


@lru_cache(maxsize=256)
def _loaded(x: str) -> OKPKey:
    return OKPKey.import_key({"kty": "OKP", "crv": "X25519", "x": x})

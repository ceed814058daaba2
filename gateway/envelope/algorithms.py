"""密钥算法 The three signature algorithms a registered key may have, each as a private half and a verifier; and X25519.

Ed25519 (RFC 8032) is the default, ES256 (RFC 7518 §3.4) is accepted, SM2 is the national profile (`sm2`). There is no
`none` and no shared secret to choose. JWKs are read by joserfc, signatures are made and checked by `cryptography`
directly: a header is parsed once, by our own strict reader, and SM2 takes the same path as the others.
"""

import re
from binascii import Error, a2b_base64, b2a_base64
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import Protocol, cast

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, x25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey

from gateway.envelope import sm2, strict_json
from gateway.envelope.compact import decode_segment, encode_segment
from gateway.errors import ConfigError, NotJose


class Algorithm(StrEnum):
    """The `alg` names of RFC 7518 and RFC 9864; SM2 is ours until a registry has one."""

    ED25519 = "Ed25519"
    ES256 = "ES256"
    SM2 = "SM2"


class KeyAgreement(StrEnum):
    """The `alg` name (RFC 7518 §4.6, RFC 8037 §3.2) of a key that others encrypt to: X25519. It signs nothing."""

    ECDH_ES = "ECDH-ES"


_CURVES = {
    Algorithm.ED25519: ("OKP", "Ed25519"),
    Algorithm.ES256: ("EC", "P-256"),
    Algorithm.SM2: ("EC", "SM2"),
    KeyAgreement.ECDH_ES: ("OKP", "X25519"),
}
_SIGN_WITH_SHA256 = ec.ECDSA(SHA256())
_ANYBODY = x25519.X25519PrivateKey.from_private_bytes(bytes(32))
"""A private key that guards nothing: whether a point is of low order shows with any."""
_PEM = re.compile(rb"-----BEGIN PRIVATE KEY-----\s+([A-Za-z0-9+/=\s]+)-----END PRIVATE KEY-----\s*")


class PrivateKey(Protocol):
    """What signs."""

    def sign(self, message: bytes) -> bytes: ...
    def public_jwk(self) -> dict[str, str]: ...
    def to_der(self) -> bytes: ...


class Verifier(Protocol):
    """What checks one registered key's signatures; False for any signature that is not this key's."""

    def verify(self, signature: bytes, message: bytes) -> bool: ...


@dataclass(frozen=True, slots=True)
class Ed25519PrivateKey:
    key: ed25519.Ed25519PrivateKey = field(repr=False)

    def sign(self, message: bytes) -> bytes:
        return self.key.sign(message)

    def public_jwk(self) -> dict[str, str]:
        return cast("dict[str, str]", OKPKey.import_key(self.key.public_key()).as_dict(private=False))

    def to_der(self) -> bytes:
        return _pkcs8(self.key)


@dataclass(frozen=True, slots=True)
class Es256PrivateKey:
    key: ec.EllipticCurvePrivateKey = field(repr=False)

    def sign(self, message: bytes) -> bytes:
        r, s = decode_dss_signature(self.key.sign(message, _SIGN_WITH_SHA256))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def public_jwk(self) -> dict[str, str]:
        return cast("dict[str, str]", ECKey.import_key(self.key.public_key()).as_dict(private=False))

    def to_der(self) -> bytes:
        return _pkcs8(self.key)


@dataclass(frozen=True, slots=True)
class Ed25519Verifier:
    key: ed25519.Ed25519PublicKey

    def verify(self, signature: bytes, message: bytes) -> bool:
        try:
            self.key.verify(signature, message)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Es256Verifier:
    key: ec.EllipticCurvePublicKey

    def verify(self, signature: bytes, message: bytes) -> bool:
        if len(signature) != 64:
            return False
        der = encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
        try:
            self.key.verify(der, message, _SIGN_WITH_SHA256)
        except InvalidSignature:
            return False
        return True


def _pkcs8(key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def generate(alg: Algorithm) -> PrivateKey:
    """A new private key; its randomness comes from the library that makes it."""
    match alg:
        case Algorithm.ED25519:
            return Ed25519PrivateKey(ed25519.Ed25519PrivateKey.generate())
        case Algorithm.ES256:
            return Es256PrivateKey(ec.generate_private_key(ec.SECP256R1()))
        case Algorithm.SM2:
            return sm2.generate()


def load_pem(pem: bytes, password: bytes | None) -> tuple[Algorithm, PrivateKey]:
    """A PKCS#8 private key and the algorithm it is for. Raises `ConfigError`; an SM2 key cannot have a password."""
    found = _PEM.fullmatch(pem.strip())
    if found is not None:
        try:
            der = a2b_base64(found[1])
        except Error as error:
            raise ConfigError("private_key_unreadable") from error
        if sm2.is_pkcs8(der):
            return Algorithm.SM2, sm2.load_der(der)
    try:
        key = serialization.load_pem_private_key(pem, password)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigError("private_key_unreadable") from error
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return Algorithm.ED25519, Ed25519PrivateKey(key)
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return Algorithm.ES256, Es256PrivateKey(key)
    raise ConfigError("private_key_kind")


def pem_of(key: PrivateKey) -> bytes:
    """Unencrypted PKCS#8 PEM, lines of 64 as OpenSSL writes them."""
    text = b2a_base64(key.to_der(), newline=False)
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return b"\n".join([b"-----BEGIN PRIVATE KEY-----", *lines, b"-----END PRIVATE KEY-----", b""])


def check_jwk(alg: Algorithm | KeyAgreement, jwk: dict[str, str]) -> None:
    """Raises `ConfigError` unless this is a public JWK of the algorithm's curve and of nothing else."""
    numbers = ("x",) if _CURVES[alg][0] == "OKP" else ("x", "y")
    if "d" in jwk:
        raise ConfigError("jwk_is_private")
    if jwk.keys() != {"kty", "crv", *numbers} or (jwk["kty"], jwk["crv"]) != _CURVES[alg]:
        raise ConfigError("jwk_not_of_algorithm")
    try:
        sizes = {len(decode_segment(jwk[name].encode())) for name in numbers}
    except (NotJose, AttributeError, UnicodeEncodeError) as error:
        raise ConfigError("jwk_number") from error
    if sizes != {32}:
        raise ConfigError("jwk_number")


def load_verifier(alg: Algorithm, jwk: dict[str, str]) -> Verifier:
    """The verifier of a public JWK. Raises `ConfigError` if the point is not one of the curve."""
    check_jwk(alg, jwk)
    try:
        match alg:
            case Algorithm.ED25519:
                return Ed25519Verifier(cast("ed25519.Ed25519PublicKey", OKPKey.import_key(dict(jwk)).public_key))
            case Algorithm.ES256:
                return Es256Verifier(ECKey.import_key(dict(jwk)).public_key)
            case Algorithm.SM2:
                return sm2.Sm2Verifier.from_coordinates(jwk["x"], jwk["y"])
    except (JoseError, ValueError) as error:
        raise ConfigError("jwk_point") from error


def load_agreement_key(jwk: dict[str, str]) -> x25519.X25519PublicKey:
    """The key others encrypt to. Raises `ConfigError` for a point of low order: with it everybody agrees on zero."""
    check_jwk(KeyAgreement.ECDH_ES, jwk)
    key = x25519.X25519PublicKey.from_public_bytes(decode_segment(jwk["x"].encode()))
    try:
        _ANYBODY.exchange(key)
    except ValueError as error:
        raise ConfigError("jwk_point") from error
    return key


def thumbprint(jwk: dict[str, str]) -> str:
    """RFC 7638: SHA-256 of the required members in lexical order; our `kid`."""
    required = {name: jwk[name] for name in ("crv", "kty", "x", "y") if name in jwk}
    return encode_segment(sha256(strict_json.dumps(required)).digest()).decode()

"""国密 SM2 The national profile: SM2 signatures with SM3 (GB/T 32918.2, GB/T 32905) over the gmssl library.

In a JWS the signature is r‖s, 64 bytes, as ES256 has it; the signer id is the standard's default. A JWK is `kty` EC
with `crv` SM2. Private keys are unencrypted PKCS#8, the bytes OpenSSL writes. The library is the optional extra `sm`;
it writes its own trace to standard error when a signature is wrong.
"""

from dataclasses import dataclass, field
from importlib import import_module
from types import ModuleType

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from gateway.envelope.compact import decode_segment, encode_segment
from gateway.errors import ConfigError, MissingExtra

# PKCS#8 of an SM2 key has one length and one order, so the ASN.1 around the two numbers is constant.
_BEFORE_PRIVATE = bytes.fromhex("308187020100301306072a8648ce3d020106082a811ccf5501822d046d306b0201010420")
_BEFORE_PUBLIC = bytes.fromhex("a14403420004")
_PKCS8_LENGTH = len(_BEFORE_PRIVATE) + 32 + len(_BEFORE_PUBLIC) + 64


def _library() -> ModuleType:
    try:
        return import_module("gmssl_pyx")
    except ImportError as error:
        raise MissingExtra("SM2 needs gmssl-pyx: pip install xianjie[sm]") from error


@dataclass(frozen=True, kw_only=True, slots=True)
class Sm2PrivateKey:
    """private: 32 bytes; public: x‖y, 64 bytes."""

    private: bytes = field(repr=False)
    public: bytes

    def sign(self, message: bytes) -> bytes:
        r, s = decode_dss_signature(_library().sm2_sign(self.private, self.public, message))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def public_jwk(self) -> dict[str, str]:
        x, y = (encode_segment(number).decode() for number in (self.public[:32], self.public[32:]))
        return {"crv": "SM2", "kty": "EC", "x": x, "y": y}

    def to_der(self) -> bytes:
        return _BEFORE_PRIVATE + self.private + _BEFORE_PUBLIC + self.public


def generate() -> Sm2PrivateKey:
    """A new key pair from the library's own generator."""
    public, private = _library().sm2_key_generate()
    return Sm2PrivateKey(private=private, public=public)


def is_pkcs8(der: bytes) -> bool:
    """Whether these bytes are an SM2 private key."""
    return len(der) == _PKCS8_LENGTH and der.startswith(_BEFORE_PRIVATE)


def load_der(der: bytes) -> Sm2PrivateKey:
    """The key of a PKCS#8 document. Raises `ConfigError` if its two halves do not belong together."""
    start = len(_BEFORE_PRIVATE)
    private, middle, public = der[start : start + 32], der[start + 32 : -64], der[-64:]
    if middle != _BEFORE_PUBLIC:
        raise ConfigError("sm2_key_not_pkcs8")
    key = Sm2PrivateKey(private=private, public=public)
    try:
        matches = Sm2Verifier(public=public).verify(key.sign(b"xianjie"), b"xianjie")
    except _library().GmsslInnerError as error:
        raise ConfigError("sm2_key_invalid") from error
    if not matches:
        raise ConfigError("sm2_key_halves_differ")
    return key


@dataclass(frozen=True, kw_only=True, slots=True)
class Sm2Verifier:
    """public: x‖y, 64 bytes, a point of the curve."""

    public: bytes

    @classmethod
    def from_coordinates(cls, x: str, y: str) -> "Sm2Verifier":
        """From a JWK's base64url coordinates. Raises `ConfigError` for a point that is not on the curve."""
        library = _library()
        try:
            return cls(public=library.normalize_sm2_public_key(decode_segment(x.encode()) + decode_segment(y.encode())))
        except library.InvalidValueError as error:
            raise ConfigError("sm2_point_not_on_curve") from error

    def verify(self, signature: bytes, message: bytes) -> bool:
        library = _library()
        if len(signature) != 64:
            return False
        der = encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
        try:
            return bool(library.sm2_verify(self.public, message, der))
        except library.GmsslInnerError:
            return False

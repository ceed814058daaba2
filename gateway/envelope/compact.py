"""紧凑 JWS The compact serialisation of RFC 7515, taken apart as strictly as it can be written.

base64url here has one spelling per value: its own alphabet only, no padding, no whitespace, no bits left over. The
protected header holds `alg`, `kid` and `typ`, all texts, and nothing else; so `crit`, `jwk`, `jku`, `x5u`, `x5c` and
`b64` are refused unread. No payload byte is looked at here, and nothing here decides whom to trust.
"""

from base64 import urlsafe_b64encode
from binascii import Error, a2b_base64
from dataclasses import dataclass
from functools import lru_cache

from gateway.envelope import strict_json
from gateway.errors import MalformedJson, NotJose, TooLarge, TrustError

MAX_JWS_BYTES = 524_288
MAX_HEADER_CHARACTERS = 512

_STANDARD = bytes.maketrans(b"-_+/=", b"+/!!!")
_ZERO_TAIL = {0: None, 2: frozenset(b"AQgw"), 3: frozenset(b"AEIMQUYcgkosw048")}
_PADDING = {0: b"", 2: b"==", 3: b"="}


@dataclass(frozen=True, kw_only=True, slots=True)
class Header:
    """The protected header as it was sent; comparing it with the registered key is `signing`'s part."""

    alg: str
    kid: str
    typ: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """One compact JWS taken apart; `payload_segment` is still encoded because it is not yet trusted."""

    header: Header
    signing_input: bytes
    payload_segment: bytes
    signature: bytes


def encode_segment(raw: bytes) -> bytes:
    """base64url without padding."""
    return urlsafe_b64encode(raw).rstrip(b"=")


def decode_segment(segment: bytes) -> bytes:
    """The bytes of one base64url segment. Raises `NotJose` for every spelling but the canonical one."""
    left_over = len(segment) % 4
    tail = _ZERO_TAIL.get(left_over, frozenset())
    if tail is not None and not (tail and segment[-1] in tail):
        raise NotJose("base64url")
    try:
        return a2b_base64(segment.translate(_STANDARD) + _PADDING[left_over], strict_mode=True)
    except Error as error:
        raise NotJose("base64url") from error


@lru_cache(maxsize=256)
def encode_header(header: Header) -> bytes:
    """The protected header segment: exactly alg, kid, typ."""
    return encode_segment(strict_json.dumps({"alg": header.alg, "kid": header.kid, "typ": header.typ}))


@lru_cache(maxsize=1024)
def decode_header(segment: bytes) -> Header:
    """The protected header of one segment; remembered, since a party's header never changes between messages.

    Raises `NotJose` if it is not a JSON object, `TrustError` if it holds other members than alg, kid and typ.
    """
    if not 0 < len(segment) <= MAX_HEADER_CHARACTERS:
        raise NotJose("header_size")
    try:
        members = strict_json.loads(decode_segment(segment))
    except MalformedJson as error:
        raise NotJose("header_json") from error
    if type(members) is not dict:
        raise NotJose("header_json")
    if members.keys() != {"alg", "kid", "typ"} or not all(type(text) is str for text in members.values()):
        raise TrustError("header_not_allowed")
    return Header(**members)


def split(raw: bytes, *, max_bytes: int = MAX_JWS_BYTES) -> Parts:
    """The parts of one compact JWS. Raises `TooLarge`, `NotJose`, or `TrustError` for a header we do not allow."""
    if len(raw) > max_bytes:
        raise TooLarge("jws")
    segments = raw.split(b".", 3)
    if len(segments) != 3:
        raise NotJose("segments")
    header_segment, payload_segment, signature_segment = segments
    header = decode_header(header_segment)
    if not payload_segment or not signature_segment:
        raise NotJose("empty_segment")
    return Parts(
        header=header,
        signing_input=raw[: len(header_segment) + 1 + len(payload_segment)],
        payload_segment=payload_segment,
        signature=decode_segment(signature_segment),
    )

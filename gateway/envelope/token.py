"""读取令牌 The one-use token that authenticates a read: RFC 7523 claims, bound to one request by RFC 9449 `htm`, `htu`.

Rules: signed with a registered key; `iss` and `sub` are its party; `exp` at most 120 s after `iat`; `iat` at most 60 s
ahead of our clock; `typ` keeps it from being taken for a message. Any flaw is a `TrustError`. That a `jti` is used once
is the caller's store's part: it keeps each one until `Token.expires_at`.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from marshmallow import ValidationError

from gateway.envelope import strict_json
from gateway.envelope.compact import decode_segment, split
from gateway.envelope.keyring import Keyring, SigningKey
from gateway.envelope.signing import prove, sign
from gateway.errors import MalformedJson, NotJose, TooLarge, TrustError
from schemas.envelope import TOKEN

TOKEN_TYP = "xianjie-token+jwt"  # noqa: S105 - a media type
LIFETIME = timedelta(seconds=120)
FUTURE_TOLERANCE = timedelta(seconds=60)
MAX_TOKEN_BYTES = 4096


@dataclass(frozen=True, kw_only=True, slots=True)
class Token:
    """A proven read token; after `expires_at` it is refused whoever remembers its `jti`."""

    party_id: str
    jti: str
    expires_at: datetime


def issue(key: SigningKey, *, audience: str, method: str, url: str, now: datetime, jti: str) -> str:
    """A token for one request. audience: the party id that is asked; url: absolute, its query and fragment are cut."""
    issued = int(now.timestamp())
    claims = {
        "iss": key.party_id,
        "sub": key.party_id,
        "aud": audience,
        "iat": issued,
        "exp": issued + int(LIFETIME.total_seconds()),
        "jti": jti,
        "htm": method.upper(),
        "htu": target(url),
    }
    return sign(strict_json.dumps(claims), key, TOKEN_TYP)


def verify_token(raw: bytes | str, keyring: Keyring, *, audience: str, method: str, url: str, now: datetime) -> Token:
    """Raises `TrustError` whatever is wrong; its `note` says which."""
    try:
        parts = split(raw.encode("ascii") if isinstance(raw, str) else raw, max_bytes=MAX_TOKEN_BYTES)
        key = prove(parts, keyring, typ=TOKEN_TYP, now=now)
        claims: dict[str, Any] = TOKEN.load(strict_json.loads(decode_segment(parts.payload_segment)))
        asked = target(claims["htu"])
    except (NotJose, TooLarge, MalformedJson, ValidationError, ValueError) as error:
        raise TrustError("malformed_token") from error
    if {claims["iss"], claims["sub"]} != {key.party_id}:
        raise TrustError("source_mismatch", ids={"kid": key.kid, "party_id": key.party_id})
    if claims["aud"] != audience:
        raise TrustError("wrong_audience", ids={"party_id": key.party_id})
    if claims["htm"] != method.upper() or asked != target(url):
        raise TrustError("other_request", ids={"party_id": key.party_id})
    return Token(party_id=key.party_id, jti=claims["jti"], expires_at=_expiry(claims["iat"], claims["exp"], now))


def target(url: str) -> str:
    """The `htu` of a URL: scheme and host in lower case, default port dropped, one spelling of the path, no query.

    Raises ValueError for anything but an absolute http(s) URL without user information.
    """
    parts = urlsplit(url)
    scheme, host, port = parts.scheme, parts.hostname, parts.port
    if scheme not in ("http", "https") or not host or "@" in parts.netloc:
        raise ValueError("not an absolute http(s) URL")
    shown = f"[{host}]" if ":" in host else host
    if port is not None and port != {"http": 80, "https": 443}[scheme]:
        shown = f"{shown}:{port}"
    path = quote(unquote(parts.path), safe="/:@!$&'()*+,;=~-._")
    return f"{scheme}://{shown}{path or '/'}"


def _expiry(issued: int, expires: int, now: datetime) -> datetime:
    """The moment the token ends. Compared as whole seconds, so that no claim can overflow a date."""
    clock = now.timestamp()
    if not 0 < expires - issued <= LIFETIME.total_seconds():
        raise TrustError("token_lifetime")
    if issued > clock + FUTURE_TOLERANCE.total_seconds():
        raise TrustError("token_from_future")
    if expires <= clock:
        raise TrustError("token_expired")
    return datetime.fromtimestamp(expires, UTC)

"""读取认证 Who asks: a read is authenticated by a token that is good for one request and once.

`Authorization: Bearer <token>`; the token is bound to method and address by `envelope.token`. A token seen before is
refused like any other failure: the answer does not tell which. `used` keeps each one until it expires; it is asked only
after everything else is proven, so nobody can fill that store with tokens of others.
"""

from collections.abc import Callable
from datetime import datetime

from gateway.envelope.keyring import Keyring
from gateway.envelope.token import verify_token
from gateway.errors import TrustError

SCHEME = "bearer"

Used = Callable[[str, str, datetime], bool]
"""(jti, issuer, expires_at) → True when the token is new and is kept from now on, False when it was used before."""


def read_caller(
    header: str | None, *, method: str, url: str, keyring: Keyring, audience: str, now: datetime, used: Used
) -> str:
    """The asking party's id. header: `Authorization` as received; url: absolute. Raises `TrustError`."""
    scheme, _, raw = (header or "").strip().partition(" ")
    if scheme.lower() != SCHEME or not raw:
        raise TrustError("no_token")
    try:
        token = verify_token(raw.strip(), keyring, audience=audience, method=method, url=url, now=now)
    except ValueError as error:  # the Host header makes no address that anybody could have signed
        raise TrustError("malformed_address") from error
    if not used(token.jti, token.party_id, token.expires_at):
        raise TrustError("token_used_before", ids={"party_id": token.party_id})
    return token.party_id

"""统一身份认证登录 Signing in by an identity provider: what a browser carries there and back, and what comes of it.

Rules: state, nonce and the verifier of PKCE are random for each try and travel in one cookie that is encrypted and
authenticated under a key of this installation, for ten minutes; a state is good once; nobody gets an account by being
known to the provider: an administrator linked it before.
"""

import base64
import hmac
import json
import secrets
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.errors import SignInRefused
from gateway.flows.context import Context
from gateway.store import tokens

GOOD_FOR = timedelta(minutes=10)
_USED_BY = "identity-provider"
_PURPOSE = b"xianjie: the way to the identity provider and back"


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """往返 One try. next: where somebody wanted to go; again: to confirm a dangerous act."""

    state: str
    nonce: str
    verifier: str
    next: str
    again: bool


def set_out(next_: str, *, again: bool) -> Way:
    """A new one."""
    return Way(
        state=secrets.token_urlsafe(24),
        nonce=secrets.token_urlsafe(24),
        verifier=secrets.token_urlsafe(48),
        next=next_,
        again=again,
    )


def seal(context: Context, way: Way, *, now: datetime) -> str:
    """As the cookie holds it."""
    text = json.dumps(asdict(way), ensure_ascii=True).encode()
    return _cipher(context).encrypt_at_time(text, int(now.timestamp())).decode("ascii")


def come_back(context: Context, sealed: str | None, state: str, *, now: datetime) -> Way:
    """The try whose state came back, and nobody comes back with it again. Raises SignInRefused."""
    try:
        text = _cipher(context).decrypt_at_time(
            (sealed or "").encode(), int(GOOD_FOR.total_seconds()), int(now.timestamp())
        )
    except InvalidToken as error:
        raise SignInRefused from error
    way = Way(**json.loads(text))
    if not hmac.compare_digest(way.state.encode(), state.encode()):
        raise SignInRefused
    until = now + GOOD_FOR * 2
    if not context.store.write(lambda connection: tokens.use(connection, _USED_BY, way.state, until)):
        raise SignInRefused
    return way


def _cipher(context: Context) -> Fernet:
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(context.matching_secret)
    return Fernet(base64.urlsafe_b64encode(derived))

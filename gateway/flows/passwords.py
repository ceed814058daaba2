"""口令 Passwords and one-time codes: hashed with scrypt, made and checked with libraries, never kept as they are.

Rules: a password has at least 12 characters and is not the account's name; the hash names its own cost, so that it may
be raised later. A code (RFC 6238: SHA-1, six digits, 30 seconds, as every authenticator app does) is good for one
step before and after, and once. Hashing is slow on purpose: so few go on at once that a flood of sign-ins takes
neither the processors nor the server's threads from the API; who comes when all seats are taken waits outside.
"""

import base64
import hmac
import re
import secrets
from datetime import datetime
from hashlib import scrypt
from threading import BoundedSemaphore

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor import InvalidToken
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from gateway.errors import InputRefused, SignInsBusy

LEAST_PASSWORD, MOST_PASSWORD = 12, 200
LEAST_DIFFERENT = 5
SECRET_BYTES = 20
STEP_SECONDS = 30
DIGITS = 6
_COST, _BLOCK, _PARALLEL = 2**15, 8, 1
_MEMORY = 64 * 1024 * 1024
AT_ONCE, SEATS = 2, 6
"""How many passwords are hashed at the same moment, and how many may be, those that wait counted in: fewer than the
server's threads (`config.LEAST_THREADS`)."""
BUSY_SECONDS = 3
_SECRET = re.compile(r"[A-Z2-7]{32}")
_hashing, _seats = BoundedSemaphore(AT_ONCE), BoundedSemaphore(SEATS)


def hash_password(password: str, name: str) -> str:
    """As it is kept. Raises ConfigError for one that is too short, too long, too simple, or the name itself."""
    simple = password.lower() == name.lower() or len(set(password)) < LEAST_DIFFERENT
    if simple or not LEAST_PASSWORD <= len(password) <= MOST_PASSWORD:
        raise InputRefused(
            f"密码须为{LEAST_PASSWORD}至{MOST_PASSWORD}个字符、至少{LEAST_DIFFERENT}种不同字符且不同于账号名 "
            f"a password has {LEAST_PASSWORD} to {MOST_PASSWORD} characters, {LEAST_DIFFERENT} different, not the name"
        )
    salt = secrets.token_bytes(16)
    return f"scrypt${_COST}${_BLOCK}${_PARALLEL}${salt.hex()}${_derive(password, salt, _COST, _BLOCK, _PARALLEL).hex()}"


def is_password(password: str, kept: str | None) -> bool:
    """Whether it is the one that was kept; as slow for an account that is not there as for one that is."""
    shown = password[: MOST_PASSWORD + 1]
    if kept is None:
        _derive(shown, b"no account here.", _COST, _BLOCK, _PARALLEL)
        return False
    _, cost, block, parallel, salt, digest = kept.split("$")
    found = _derive(shown, bytes.fromhex(salt), int(cost), int(block), int(parallel))
    return hmac.compare_digest(found.hex(), digest)


def _derive(password: str, salt: bytes, cost: int, block: int, parallel: int) -> bytes:
    if not _seats.acquire(blocking=False):
        raise SignInsBusy(retry_after=BUSY_SECONDS)
    try:
        with _hashing:
            return scrypt(password.encode(), salt=salt, n=cost, r=block, p=parallel, maxmem=_MEMORY, dklen=32)
    finally:
        _seats.release()


def new_secret() -> str:
    """A secret for codes, in base32 as apps take it."""
    return base64.b32encode(secrets.token_bytes(SECRET_BYTES)).decode("ascii")


def is_secret(text: str) -> bool:
    """Whether it has the form of one we made: never a shorter one that somebody chose."""
    return _SECRET.fullmatch(text) is not None


def code_step(secret: str, code: str, now: datetime, *, after: int | None) -> int | None:
    """The step whose code this is, None for no code of now. after: the last step that was used."""
    text = "".join(code.split()).encode()
    maker = TOTP(base64.b32decode(secret), DIGITS, SHA1(), STEP_SECONDS)  # noqa: S303 - as the standard and every app
    here = int(now.timestamp()) // STEP_SECONDS
    for step in (here, here - 1, here + 1):
        try:
            maker.verify(text, step * STEP_SECONDS)
        except InvalidToken:
            continue
        return step if after is None or step > after else None
    return None


def code_at(secret: str, now: datetime) -> str:
    """The code an app shows now."""
    maker = TOTP(base64.b32decode(secret), DIGITS, SHA1(), STEP_SECONDS)  # noqa: S303 - as above
    return maker.generate(int(now.timestamp())).decode()


def enrolment_uri(secret: str, account: str, issuer: str) -> str:
    """What an app reads from a QR code."""
    maker = TOTP(base64.b32decode(secret), DIGITS, SHA1(), STEP_SECONDS)  # noqa: S303 - as above
    return maker.get_provisioning_uri(account, issuer)

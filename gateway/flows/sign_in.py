"""登录 Signing in, staying signed in, signing out.

Rules: name, password and code are right together or refused with one answer; five failures lock the account for
fifteen minutes, and the lock is told to nobody; a session ends thirty minutes after the last request and ten hours
after it began; it is a random token whose digest is kept. A dangerous act asks for the password again, which then
holds for five minutes. Signing in, out, and being locked are decisions with a leaf each.
"""

import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.access import MOST_NAME, Account
from gateway.errors import NotSignedIn, SignInRefused
from gateway.flows.context import Context
from gateway.flows.passwords import code_step, is_password
from gateway.store import accounts, decisions
from gateway.store.clock import from_ms, to_ms

logger = logging.getLogger(__name__)

MOST_FAILURES = 5
LOCKED_FOR = timedelta(minutes=15)
IDLE = timedelta(minutes=30)
LONGEST = timedelta(hours=10)
CONFIRMED_FOR = timedelta(minutes=5)
SEEN_EVERY = timedelta(minutes=1)
PASSWORD, PROVIDER = "password", "oidc"


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """登录会话 of one account. csrf: what its forms carry; must_change: the password was given by somebody else."""

    account: Account
    token_digest: str
    csrf: str
    via: str
    confirmed_until: datetime | None
    must_change: bool
    has_codes: bool

    def is_confirmed(self, now: datetime) -> bool:
        """Whether the password was entered again a moment ago."""
        return self.confirmed_until is not None and now < self.confirmed_until


def sign_in(context: Context, name: str, password: str, code: str, *, now: datetime) -> str:
    """The token for the cookie. Raises SignInRefused."""
    with context.store.reading() as connection:
        row = accounts.row_of(connection, name[: MOST_NAME + 1])
    right = is_password(password, None if row is None else row["password"])  # slow: no transaction is open

    def write(connection: Connection) -> str | None:
        found = accounts.row_of(connection, name[: MOST_NAME + 1], lock=True)
        if found is None or not found["active"] or _is_locked(found, now):
            return None
        if (
            not right
            or row is None
            or found["password"] != row["password"]
            or not _code_is_right(connection, found, code, now)
        ):
            _fail(connection, found, now)
            return None
        accounts.set_values(connection, found["name"], {"failures": 0, "locked_until": None})
        return _begin(connection, found, via=PASSWORD, now=now)

    token = context.store.write(write)
    if token is None:
        logger.warning("sign-in refused")
        raise SignInRefused
    return token


def sign_in_as_subject(context: Context, subject: str, *, now: datetime) -> str:
    """The token for who an identity provider says it is. Raises SignInRefused where no account has that subject."""

    def write(connection: Connection) -> str | None:
        row = accounts.by_subject(connection, subject)
        return None if row is None or not row["active"] else _begin(connection, row, via=PROVIDER, now=now)

    token = context.store.write(write)
    if token is None:
        raise SignInRefused
    return token


def _is_locked(row: sa.RowMapping, now: datetime) -> bool:
    return row["locked_until"] is not None and now < from_ms(row["locked_until"])


def _code_is_right(connection: Connection, row: sa.RowMapping, code: str, now: datetime) -> bool:
    secret = accounts.secret_of(connection, row)
    if secret is None:
        return True
    step = code_step(secret, code, now, after=row["totp_step"])
    if step is not None:
        accounts.set_values(connection, row["name"], {"totp_step": step})
    return step is not None


def _fail(connection: Connection, row: sa.RowMapping, now: datetime) -> None:
    failures = row["failures"] + 1
    values: dict[str, Any] = {"failures": failures}
    if failures >= MOST_FAILURES:
        values = {"failures": 0, "locked_until": to_ms(now + LOCKED_FOR)}
        account = accounts.account_of(row)
        decisions.put(
            connection, who=account.who, what="account_locked", subject=account.who, why=f"{failures} failures", now=now
        )
    accounts.set_values(connection, row["name"], values)


def _begin(connection: Connection, row: sa.RowMapping, *, via: str, now: datetime) -> str:
    token = secrets.token_urlsafe(32)
    account = accounts.account_of(row)
    accounts.begin(
        connection,
        {
            "token_digest": digest_of(token),
            "account": account.name,
            "csrf": secrets.token_urlsafe(24),
            "via": via,
            "began_at": to_ms(now),
            "seen_at": to_ms(now),
            "ends_at": to_ms(now + LONGEST),
            "confirmed_until": None,
        },
    )
    decisions.put(connection, who=account.who, what="signed_in", subject=account.who, why=via, now=now)
    return token


def digest_of(token: str) -> str:
    """What is kept of a token."""
    return sha256(token.encode()).hexdigest()


def session_of(context: Context, token: str | None, *, now: datetime) -> Session:
    """Who a cookie's token belongs to. Raises NotSignedIn."""
    if not token or len(token) > 100:
        raise NotSignedIn
    with context.store.reading() as connection:
        found = accounts.session(connection, digest_of(token))
    if found is None or not found[1]["active"]:
        raise NotSignedIn
    row, account = found
    seen = from_ms(row["seen_at"])
    if now >= from_ms(row["ends_at"]) or now - seen >= IDLE:
        context.store.write(lambda connection: accounts.end(connection, row["token_digest"]))
        raise NotSignedIn
    if now - seen >= SEEN_EVERY:
        context.store.write(lambda c: accounts.touch(c, row["token_digest"], {"seen_at": to_ms(now)}))
    return _session(row, account)


def _session(row: Mapping[str, Any] | sa.RowMapping, account: sa.RowMapping) -> Session:
    confirmed = row["confirmed_until"]
    return Session(
        account=accounts.account_of(account),
        token_digest=row["token_digest"],
        csrf=row["csrf"],
        via=row["via"],
        confirmed_until=None if confirmed is None else from_ms(confirmed),
        must_change=account["must_change"],
        has_codes=account["totp"] is not None,
    )


def confirm(context: Context, session: Session, password: str, *, now: datetime) -> bool:
    """The password again: right ones hold for a while, wrong ones count as failures to sign in."""
    with context.store.reading() as connection:
        row = accounts.row_of(connection, session.account.name)
    right = is_password(password, None if row is None else row["password"])

    def write(connection: Connection) -> bool:
        found = accounts.row_of(connection, session.account.name, lock=True)
        if found is None or _is_locked(found, now):
            return False
        if not right:
            _fail(connection, found, now)
            return False
        until = to_ms(now + CONFIRMED_FOR)
        accounts.touch(connection, session.token_digest, {"confirmed_until": until})
        return True

    return context.store.write(write)


def sign_out(context: Context, session: Session, *, now: datetime) -> None:
    """Ends this session."""

    def write(connection: Connection) -> None:
        accounts.end(connection, session.token_digest)
        who = session.account.who
        decisions.put(connection, who=who, what="signed_out", subject=who, why=session.via, now=now)

    context.store.write(write)

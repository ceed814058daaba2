"""登录 Signing in, staying signed in, signing out.

Rules: name, password and code are right together or refused with one answer; five failures lock the account for
fifteen minutes, told to nobody, but not for a browser its owner signed in with before: that has five of its own. A
session ends thirty minutes after the last request and ten hours after it began; its token's digest is kept. A dangerous
act asks for the password again, which holds for five minutes; five wrong ones end the session, and lock nobody. Signing
in, out, being locked are decisions with a leaf each.
"""

import logging
import re
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
from gateway.store import accounts, decisions, log
from gateway.store.clock import from_ms, to_ms

logger = logging.getLogger(__name__)

MOST_FAILURES = 5
LOCKED_FOR = timedelta(minutes=15)
IDLE = timedelta(minutes=30)
LONGEST = timedelta(hours=10)
CONFIRMED_FOR = timedelta(minutes=5)
SEEN_EVERY = timedelta(minutes=1)
PASSWORD, PROVIDER = "password", "oidc"
MOST_TOKEN = 100
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,62}")


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
    has_password: bool = True

    def is_confirmed(self, now: datetime) -> bool:
        """Whether the password was entered again a moment ago."""
        return self.confirmed_until is not None and now < self.confirmed_until


def sign_in(context: Context, name: str, password: str, code: str, *, now: datetime, browser: str | None = None) -> str:
    """The token for the cookie. browser: what this one is known by, else a new random text; once somebody is in, it is
    remembered. Raises SignInRefused, SignInsBusy."""
    row = None
    if is_name(name):  # nothing else can be an account's, nor does every database take it
        with context.store.reading() as connection:
            row = accounts.row_of(connection, name)
    right = is_password(password, None if row is None else row["password"])  # slow: no transaction is open
    here = "" if browser is None else digest_of(browser)

    def write(connection: Connection) -> str | None:
        found = None if row is None else accounts.row_of(connection, name, lock=True)
        if found is None or row is None or not found["active"]:
            return None
        known = accounts.browser(connection, here, name)
        if _is_locked(known or found, now):
            return None
        same = right and found["password"] == row["password"]
        if not same or not _code_is_right(connection, found, code, now):
            _fail(connection, found, known, now)
            return None
        if known is None:
            accounts.set_values(connection, name, {"failures": 0, "locked_until": None})
        if here:
            accounts.know_browser(connection, here, name, now=now)
        return _begin(connection, found, via=PASSWORD, now=now)

    token = context.store.write(write)
    if token is None:
        logger.warning("sign-in refused")
        raise SignInRefused
    return token


def is_name(text: str) -> bool:
    """Whether an account can have this name."""
    return len(text) <= MOST_NAME and NAME.fullmatch(text) is not None


def sign_in_as_subject(context: Context, subject: str, *, now: datetime, proven_at: datetime | None = None) -> str:
    """The token for who an identity provider says it is. proven_at: when he last proved it there, which confirms
    dangerous acts as a password would. Raises SignInRefused where no account has that subject."""

    def write(connection: Connection) -> str | None:
        row = accounts.by_subject(connection, subject)
        if row is None or not row["active"]:
            return None
        until = None if proven_at is None else min(proven_at, now) + CONFIRMED_FOR
        return _begin(connection, row, via=PROVIDER, now=now, confirmed_until=until)

    token = context.store.write(write)
    if token is None:
        raise SignInRefused
    return token


def _is_locked(row: Mapping[str, Any] | sa.RowMapping, now: datetime) -> bool:
    return row["locked_until"] is not None and now < from_ms(row["locked_until"])


def _code_is_right(connection: Connection, row: sa.RowMapping, code: str, now: datetime) -> bool:
    secret = accounts.secret_of(connection, row)
    if secret is None:
        return True
    step = code_step(secret, code, now, after=row["totp_step"])
    if step is not None:
        accounts.set_values(connection, row["name"], {"totp_step": step})
    return step is not None


def _fail(connection: Connection, row: sa.RowMapping, known: sa.RowMapping | None, now: datetime) -> None:
    failures = (known or row)["failures"] + 1
    values: dict[str, Any] = {"failures": failures}
    if failures >= MOST_FAILURES:
        values = {"failures": 0, "locked_until": to_ms(now + LOCKED_FOR)}
        account = accounts.account_of(row)
        where = "" if known is None else " in a browser it signed in with before"
        said = f"{failures} failures{where}"
        _note(connection, account.who, "account_locked", said, now)
    if known is None:
        accounts.set_values(connection, row["name"], values)
    else:
        accounts.set_browser(connection, known["browser_digest"], row["name"], values)


def fail_again(connection: Connection, session: Session, *, now: datetime) -> None:
    """A wrong password or code inside a session: after some the session ends, whoever holds its cookie."""
    found = accounts.session(connection, session.token_digest)
    if found is None:
        return
    failures = found[0]["failures"] + 1
    if failures < MOST_FAILURES:
        accounts.touch(connection, session.token_digest, {"failures": failures})
        return
    accounts.end(connection, session.token_digest)
    who, said = session.account.who, f"{failures} failures"
    _note(connection, who, "session_ended_by_failures", said, now)


def renew(connection: Connection, session: Session) -> str:
    """Another token for the same session: what somebody copied before is worth nothing any more."""
    token = secrets.token_urlsafe(32)
    accounts.touch(connection, session.token_digest, {"token_digest": digest_of(token), "failures": 0})
    return token


def _begin(
    connection: Connection, row: sa.RowMapping, *, via: str, now: datetime, confirmed_until: datetime | None = None
) -> str:
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
            "confirmed_until": None if confirmed_until is None else to_ms(confirmed_until),
            "failures": 0,
        },
    )
    _note(connection, account.who, "signed_in", via, now)
    return token


def digest_of(token: str) -> str:
    """What is kept of a token."""
    return sha256(token.encode()).hexdigest()


def session_of(context: Context, token: str | None, *, now: datetime) -> Session:
    """Who a cookie's token belongs to. Raises NotSignedIn."""
    if not token or len(token) > MOST_TOKEN:
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
        must_change=account["must_change"] and row["via"] == PASSWORD,
        has_codes=account["totp"] is not None,
        has_password=account["password"] is not None,
    )


def confirm(context: Context, session: Session, password: str, *, now: datetime) -> bool:
    """The password again: a right one holds for a while, wrong ones end the session. Raises SignInsBusy."""
    with context.store.reading() as connection:
        row = accounts.row_of(connection, session.account.name)
    right = is_password(password, None if row is None else row["password"])

    def write(connection: Connection) -> bool:
        found = accounts.row_of(connection, session.account.name, lock=True)
        if not right or row is None or found is None or found["password"] != row["password"]:
            fail_again(connection, session, now=now)
            return False
        values = {"confirmed_until": to_ms(now + CONFIRMED_FOR), "failures": 0}
        accounts.touch(connection, session.token_digest, values)
        return True

    return context.store.write(write)


def leave(context: Context, token: str | None) -> None:
    """Ends the session that a browser had before somebody signs in there anew."""
    if token and len(token) <= MOST_TOKEN:
        context.store.write(lambda connection: accounts.end(connection, digest_of(token)))


def sign_out(context: Context, session: Session, *, now: datetime) -> None:
    """Ends this session."""

    def write(connection: Connection) -> None:
        accounts.end(connection, session.token_digest)
        who = session.account.who
        _note(connection, who, "signed_out", session.via, now)

    context.store.write(write)


def _note(connection: Connection, who: str, what: str, why: str, now: datetime) -> None:
    """The act with its leaf. While a restored copy adds no leaf people come in all the same: Diagnostics is what they
    need then; the process's log says that they did."""
    if log.is_recovering(connection):
        logger.warning("signed in or out without a leaf: in recovery", extra={"type": what})
        return
    decisions.put(connection, who=who, what=what, subject=who, why=why, now=now)

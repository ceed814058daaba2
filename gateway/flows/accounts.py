"""账号管理 Accounts are made, changed, disabled, given a new password; each act names who and is a leaf of the log.

Rules: a password that somebody else gave must be changed at the first sign-in; a change of rights, password or state
ends the account's sessions; nobody changes his own role, scope or state.
"""

import re
import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from gateway.domain.access import MOST_NAME, Account, Role
from gateway.domain.agreement import PartyKind
from gateway.errors import ConfigError, Forbidden, NotFound, SignInRefused
from gateway.flows.context import Context
from gateway.flows.operate import require_reason
from gateway.flows.passwords import code_step, hash_password, is_password, new_secret
from gateway.flows.sign_in import Session
from gateway.store import accounts, decisions

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,62}")
_KIND = {Role.COURT_CLERK: PartyKind.COURT, Role.AGENCY_CLERK: PartyKind.AGENCY}


def create(
    context: Context, account: Account, *, password: str | None, who: str, why: str, now: datetime, final: bool = False
) -> str:
    """A new account; the password it was given, made up where none was named. final: it need not be changed (a
    demonstration). Raises ConfigError."""
    require_reason(who, why)
    if not _NAME.fullmatch(account.name) or len(account.name) > MOST_NAME:
        raise ConfigError("an account's name is 2 to 63 of a-z 0-9 . _ - and begins with a letter or digit")
    if not account.shown_as.strip() or len(account.shown_as) > 100:
        raise ConfigError("an account is shown by a name of 1 to 100 characters")
    _check_scope(context, account, now)
    given = password or secrets.token_urlsafe(12)
    hashed = hash_password(given, account.name)

    def write(connection: Connection) -> None:
        if not accounts.add(connection, account, password=hashed, must_change=not final, who=who, now=now):
            raise ConfigError(f"an account {account.name} exists")
        subject = account.who
        decisions.put(connection, who=who, what="account_created", subject=subject, why=_said(account, why), now=now)

    context.store.write(write)
    return given


def _check_scope(context: Context, account: Account, now: datetime) -> None:
    snapshot = context.snapshot(now)
    kind = _KIND.get(account.role)
    if kind is not None:
        party = snapshot.parties.get(account.party_id or "")
        if party is None or party.kind is not kind:
            raise ConfigError(f"{account.party_id} is no registered {kind.value}")
        owned = {office.office_id for office in snapshot.office_of(party.party_id)}
        if not set(account.office_ids) <= owned:
            raise ConfigError("an office of another party, or none")
    if account.region and not re.fullmatch(r"[0-9]{2}([0-9]{2}([0-9]{2})?)?", account.region):
        raise ConfigError("a region is the leading 2, 4 or 6 digits of its code")


def _said(account: Account, why: str) -> str:
    scope = account.party_id or account.region or "all"
    return f"role={account.role.value} scope={scope} {why}"[:500]


def change(context: Context, account: Account, *, session: Session | None, who: str, why: str, now: datetime) -> None:
    """Another role, scope, name to show, or state. Raises NotFound, Forbidden for one's own account, ConfigError."""
    require_reason(who, why)
    _check_scope(context, account, now)
    if session is not None and session.account.name == account.name:
        raise Forbidden("own_account")

    def write(connection: Connection) -> None:
        if accounts.row_of(connection, account.name, lock=True) is None:
            raise NotFound
        accounts.change(connection, account)
        accounts.end_all(connection, account.name)
        what = "account_changed" if account.active else "account_disabled"
        decisions.put(connection, who=who, what=what, subject=account.who, why=_said(account, why), now=now)

    context.store.write(write)


def set_active(
    context: Context, name: str, *, active: bool, session: Session | None, who: str, why: str, now: datetime
) -> None:
    """Lets an account in again, or no more. Raises as `change`."""
    change(context, replace(find(context, name), active=active), session=session, who=who, why=why, now=now)


def find(context: Context, name: str) -> Account:
    """Raises NotFound."""
    with context.store.reading() as connection:
        row = accounts.row_of(connection, name)
    if row is None:
        raise NotFound
    return accounts.account_of(row)


def every(context: Context) -> list[Mapping[str, Any]]:
    """All accounts without their secrets, by name, and whether codes are set up."""
    with context.store.reading() as connection:
        rows = accounts.every(connection)
    hidden = ("password", "totp", "totp_step")
    return [{k: v for k, v in row.items() if k not in hidden} | {"has_codes": row["totp"] is not None} for row in rows]


def reset(
    context: Context, name: str, *, codes: bool, session: Session | None, who: str, why: str, now: datetime
) -> str:
    """A made-up password that must be changed; codes: the app was lost as well. Raises NotFound, Forbidden."""
    require_reason(who, why)
    if session is not None and session.account.name == name:
        raise Forbidden("own_account")
    given = secrets.token_urlsafe(12)
    values: dict[str, Any] = {"password": hash_password(given, name), "must_change": True, "failures": 0}
    values |= {"locked_until": None, **({"totp": None, "totp_step": None} if codes else {})}

    def write(connection: Connection) -> None:
        row = accounts.row_of(connection, name, lock=True)
        if row is None:
            raise NotFound
        accounts.set_values(connection, name, values)
        accounts.end_all(connection, name)
        what = "account_reset_with_codes" if codes else "account_reset"
        decisions.put(connection, who=who, what=what, subject=accounts.account_of(row).who, why=why, now=now)

    context.store.write(write)
    return given


def change_password(context: Context, session: Session, old: str, new: str, *, now: datetime) -> None:
    """One's own; other sessions end. Raises SignInRefused for a wrong old one, ConfigError for a bad new one."""
    name = session.account.name
    with context.store.reading() as connection:
        row = accounts.row_of(connection, name)
    if row is None or not is_password(old, row["password"]):
        raise SignInRefused
    if old == new:
        raise ConfigError("the new password is the old one")
    hashed = hash_password(new, name)

    def write(connection: Connection) -> None:
        accounts.set_values(connection, name, {"password": hashed, "must_change": False})
        accounts.end_all(connection, name, but=session.token_digest)
        who = session.account.who
        decisions.put(connection, who=who, what="password_changed", subject=who, why="by its owner", now=now)

    context.store.write(write)


def offer_secret() -> str:
    """A secret that nobody uses yet: kept only once a code made from it was typed."""
    return new_secret()


def enrol(context: Context, session: Session, secret: str, code: str, *, now: datetime) -> None:
    """From now on signing in asks for a code. Raises SignInRefused for a wrong code."""
    step = code_step(secret, code, now, after=None)
    if step is None:
        raise SignInRefused

    def write(connection: Connection) -> None:
        accounts.keep_secret(connection, session.account.name, secret, now=now)
        accounts.set_values(connection, session.account.name, {"totp_step": step})
        who = session.account.who
        decisions.put(connection, who=who, what="codes_set_up", subject=who, why="by its owner", now=now)

    context.store.write(write)

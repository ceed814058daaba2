"""账号管理 Accounts are made, changed, disabled, given a new password; each act names who and is a leaf of the log.

Rules: a password that somebody else gave must be changed at the first sign-in; a change of rights, password or state
ends the account's sessions; nobody changes his own role, scope or state. What would let an administrator become
somebody else (a new account, another role, a new password, a link to the identity provider) takes two people in the
pages (`flows.account_requests`, which calls these with `within`); the command line, whose user has the installation's
keys anyway, does it alone.
"""

import re
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping

from gateway.domain.access import Account, Role
from gateway.domain.agreement import PartyKind
from gateway.errors import Forbidden, InputRefused, NotFound, SignInRefused
from gateway.flows.context import Context
from gateway.flows.operate import require_reason
from gateway.flows.passwords import code_step, hash_password, is_password, is_secret, new_secret
from gateway.flows.sign_in import Session, fail_again, is_name, renew
from gateway.store import accounts, decisions

MOST_SUBJECT = 200
_REGION = re.compile(r"[0-9]{2}([0-9]{2}([0-9]{2})?)?")
_KIND = {Role.COURT_CLERK: PartyKind.COURT, Role.AGENCY_CLERK: PartyKind.AGENCY}


Within = Callable[[Connection], object]
"""What else happens in the same transaction, first: e.g. that an approval is used up, or there is none."""


def _nothing(_connection: Connection) -> None:
    """Alone."""


def create(
    context: Context,
    account: Account,
    *,
    password: str | None,
    who: str,
    why: str,
    now: datetime,
    final: bool = False,
    subject: str | None = None,
    within: Within = _nothing,
) -> str:
    """A new account; the password it was given, made up where none was named. final: it need not be changed (a
    demonstration). subject: at the identity provider, `issuer|sub`; such an account has no password, and an empty one
    is answered. Raises ConfigError."""
    require_reason(who, why)
    check(context, account, subject=subject, now=now)
    given = "" if subject else password or secrets.token_urlsafe(12)
    hashed = hash_password(given, account.name) if given else None

    def write(connection: Connection) -> None:
        within(connection)
        _require_free(connection, subject)
        must_change = bool(given) and not final
        if not accounts.add(
            connection, account, password=hashed, subject=subject or None, must_change=must_change, who=who, now=now
        ):
            raise InputRefused(f"账号已存在 an account {account.name} exists")
        said = _said(account, why)
        decisions.put(connection, who=who, what="account_created", subject=account.who, why=said, now=now)

    context.store.write(write)
    return given


def check(context: Context, account: Account, *, subject: str | None, now: datetime) -> None:
    """Whether such an account can be. Raises ConfigError."""
    if not is_name(account.name):
        raise InputRefused("账号名为2至63个小写字母、数字或 . _ -，以字母或数字开头 a name is 2 to 63 of a-z 0-9 . _ -")
    if not account.shown_as.strip() or len(account.shown_as) > 100:
        raise InputRefused("显示名为1至100字 an account is shown by a name of 1 to 100 characters")
    if subject and ("|" not in subject or len(subject) > MOST_SUBJECT):
        raise InputRefused(f"身份标识格式为 a subject is `issuer|sub`, at most {MOST_SUBJECT}")
    _check_scope(context, account, now)


def _require_free(connection: Connection, subject: str | None, name: str = "") -> None:
    taken = accounts.by_subject(connection, subject) if subject else None
    if taken is not None and taken["name"] != name:
        raise InputRefused("该身份标识已属于另一账号 that subject belongs to another account")


def _check_scope(context: Context, account: Account, now: datetime) -> None:
    snapshot = context.snapshot(now)
    kind = _KIND.get(account.role)
    if kind is not None:
        party = snapshot.parties.get(account.party_id or "")
        if party is None or party.kind is not kind:
            raise InputRefused(f"主体未登记或类别不符 {account.party_id} is no registered {kind.value}")
        owned = {office.office_id for office in snapshot.office_of(party.party_id)}
        if not set(account.office_ids) <= owned:
            raise InputRefused("承办单位不属于该主体 an office of another party, or none")
    if account.region and not _REGION.fullmatch(account.region):
        raise InputRefused("区域为行政区划代码的前2、4或6位 a region is the leading 2, 4 or 6 digits of its code")


def _said(account: Account, why: str) -> str:
    scope = account.party_id or account.region or "all"
    return f"role={account.role.value} scope={scope} {why}"[:500]


def change(
    context: Context,
    account: Account,
    *,
    session: Session | None,
    who: str,
    why: str,
    now: datetime,
    subject: str | None = None,
    within: Within = _nothing,
) -> None:
    """Another role, scope or name to show. subject: another one at the identity provider, "" for none any
    more, None as it was. Raises NotFound, Forbidden for one's own account, ConfigError."""
    require_reason(who, why)
    require_another(session, account.name)
    check(context, account, subject=subject, now=now)

    def write(connection: Connection) -> None:
        within(connection)
        if accounts.row_of(connection, account.name, lock=True) is None:
            raise NotFound
        _require_free(connection, subject, account.name)
        accounts.change(connection, account)
        if subject is not None:
            accounts.set_values(connection, account.name, {"subject": subject or None})
        accounts.end_all(connection, account.name)
        said = _said(account, why) if subject is None else f"{_said(account, why)} link={bool(subject)}"[:500]
        decisions.put(connection, who=who, what="account_changed", subject=account.who, why=said, now=now)

    context.store.write(write)


def require_another(session: Session | None, name: str) -> None:
    """Nobody does this to his own account. Raises Forbidden."""
    if session is not None and session.account.name == name:
        raise Forbidden("own_account")


def set_active(
    context: Context, name: str, *, active: bool, session: Session | None, who: str, why: str, now: datetime
) -> None:
    """Lets an account in again, or no more, at once. Raises NotFound, Forbidden for one's own, ConfigError."""
    require_reason(who, why)
    require_another(session, name)
    what = "account_enabled" if active else "account_disabled"

    def write(connection: Connection) -> None:
        row = accounts.row_of(connection, name, lock=True) if is_name(name) else None
        if row is None:
            raise NotFound
        accounts.set_values(connection, name, {"active": active})
        accounts.end_all(connection, name)
        subject = accounts.account_of(row).who
        decisions.put(connection, who=who, what=what, subject=subject, why=why, now=now)

    context.store.write(write)


def end_sessions(context: Context, name: str, *, session: Session | None, who: str, why: str, now: datetime) -> int:
    """Signs an account out everywhere; how many sessions. Raises NotFound, Forbidden for one's own, ConfigError."""
    require_reason(who, why)
    require_another(session, name)

    def write(connection: Connection) -> int:
        row = accounts.row_of(connection, name, lock=True) if is_name(name) else None
        if row is None:
            raise NotFound
        count = accounts.end_all(connection, name)
        subject = accounts.account_of(row).who
        decisions.put(connection, who=who, what="sessions_ended", subject=subject, why=why, now=now)
        return count

    return context.store.write(write)


def find(context: Context, name: str) -> Account:
    """Raises NotFound."""
    return accounts.account_of(_row(context, name))


def _row(context: Context, name: str) -> Mapping[str, Any] | RowMapping:
    row = None
    if is_name(name):
        with context.store.reading() as connection:
            row = accounts.row_of(connection, name)
    if row is None:
        raise NotFound
    return row


def shown(context: Context, name: str) -> Mapping[str, Any]:
    """One account without its secrets. Raises NotFound."""
    return _without_secrets(_row(context, name))


def every(context: Context) -> list[Mapping[str, Any]]:
    """All accounts without their secrets, by name, and whether codes are set up."""
    with context.store.reading() as connection:
        rows = accounts.every(connection)
    return [_without_secrets(row) for row in rows]


def page(
    context: Context,
    *,
    now: datetime,
    limit: int,
    after: str = "",
    begins: str = "",
    role: str = "",
    party_id: str = "",
) -> list[Mapping[str, Any]]:
    """The next accounts by name, with how many sessions each has."""
    with context.store.reading() as connection:
        rows = accounts.page(connection, after=after, begins=begins, role=role, party_id=party_id, limit=limit)
        open_ = accounts.sessions_of(connection, [row["name"] for row in rows], now=now)
    return [{**_without_secrets(row), "sessions": open_.get(row["name"], 0)} for row in rows]


_HIDDEN = ("password", "totp", "totp_step")


def _without_secrets(row: Mapping[str, Any] | RowMapping) -> Mapping[str, Any]:
    kept = {key: value for key, value in row.items() if key not in _HIDDEN}
    return kept | {"has_codes": row["totp"] is not None, "has_password": row["password"] is not None}


def reset(
    context: Context,
    name: str,
    *,
    codes: bool,
    session: Session | None,
    who: str,
    why: str,
    now: datetime,
    within: Within = _nothing,
) -> str:
    """A made-up password that must be changed; codes: the app was lost as well. Raises NotFound, Forbidden."""
    require_reason(who, why)
    require_another(session, name)
    _row(context, name)
    given = secrets.token_urlsafe(12)
    values: dict[str, Any] = {"password": hash_password(given, name), "must_change": True, "failures": 0}
    values |= {"locked_until": None, **({"totp": None, "totp_step": None} if codes else {})}

    def write(connection: Connection) -> None:
        within(connection)
        row = accounts.row_of(connection, name, lock=True)
        if row is None:
            raise NotFound
        accounts.set_values(connection, name, values)
        accounts.end_all(connection, name)
        accounts.forget_browsers(connection, name)
        what = "account_reset_with_codes" if codes else "account_reset"
        decisions.put(connection, who=who, what=what, subject=accounts.account_of(row).who, why=why, now=now)

    context.store.write(write)
    return given


def change_password(context: Context, session: Session, old: str, new: str, *, now: datetime) -> str:
    """One's own; other sessions end, and this one has another token, which is answered. Raises SignInRefused for a
    wrong old one, ConfigError for a bad new one, SignInsBusy."""
    name = session.account.name
    with context.store.reading() as connection:
        row = accounts.row_of(connection, name)
    if row is None or not is_password(old, row["password"]):
        context.store.write(lambda connection: fail_again(connection, session, now=now))
        raise SignInRefused
    if old == new:
        raise InputRefused("新密码与旧密码相同 the new password is the old one")
    hashed = hash_password(new, name)

    def write(connection: Connection) -> str | None:
        found = accounts.row_of(connection, name, lock=True)
        if found is None or found["password"] != row["password"]:
            return None
        accounts.set_values(connection, name, {"password": hashed, "must_change": False})
        accounts.end_all(connection, name, but=session.token_digest)
        accounts.forget_browsers(connection, name)
        who = session.account.who
        decisions.put(connection, who=who, what="password_changed", subject=who, why="by its owner", now=now)
        return renew(connection, session)

    token = context.store.write(write)
    if token is None:  # somebody else set another one in the same moment
        raise SignInRefused
    return token


def offer_secret() -> str:
    """A secret that nobody uses yet: kept only once a code made from it was typed."""
    return new_secret()


def enrol(context: Context, session: Session, secret: str, code: str, *, now: datetime, present: str = "") -> str:
    """From now on signing in asks for a code; other sessions end, and this one has another token, which is answered.
    present: a code of the app that is set up already, if one is. Raises SignInRefused for a wrong code."""
    name, who = session.account.name, session.account.who
    step = code_step(secret, code, now, after=None) if is_secret(secret) else None

    def write(connection: Connection) -> str | None:
        row = accounts.row_of(connection, name, lock=True)
        before = None if row is None else accounts.secret_of(connection, row)
        mine = before is None or row is None or code_step(before, present, now, after=row["totp_step"]) is not None
        if step is None or not mine:
            fail_again(connection, session, now=now)
            return None
        accounts.keep_secret(connection, name, secret, now=now)
        accounts.set_values(connection, name, {"totp_step": step})
        accounts.end_all(connection, name, but=session.token_digest)
        decisions.put(connection, who=who, what="codes_set_up", subject=who, why="by its owner", now=now)
        return renew(connection, session)

    token = context.store.write(write)
    if token is None:
        raise SignInRefused
    return token

"""账号的存取 Accounts and sessions. A password is here as its hash, a cookie's token as its digest, a secret for codes
sealed under the installation's key: whoever copies the database can sign in with none of them."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.access import Account, Role
from gateway.store import tables as t
from gateway.store.clock import to_ms
from gateway.store.vault import CaseKeys

_A, _S, _B = t.accounts.c, t.sign_ins.c, t.known_browsers.c
BROWSER_KNOWN = timedelta(days=90)
_TOTP = "accounts.totp"


def add(
    connection: Connection,
    account: Account,
    *,
    password: str | None,
    subject: str | None = None,
    must_change: bool,
    who: str,
    now: datetime,
) -> bool:
    """False where the name is taken. password: its hash; None where only the identity provider lets somebody in."""
    if row_of(connection, account.name) is not None:
        return False
    values = _columns(account) | {
        "name": account.name,
        "password": password,
        "subject": subject,
        "must_change": must_change,
        "failures": 0,
        "created_at": to_ms(now),
        "created_by": who,
    }
    connection.execute(t.accounts.insert().values(**values))
    return True


def change(connection: Connection, account: Account) -> None:
    """Role, scope and the name to show: neither its secrets nor whether it is let in."""
    set_values(connection, account.name, {k: v for k, v in _columns(account).items() if k != "active"})


def set_values(connection: Connection, name: str, values: Mapping[str, Any]) -> None:
    """Some columns of one account."""
    connection.execute(t.accounts.update().where(_A.name == name).values(**values))


def row_of(connection: Connection, name: str, *, lock: bool = False) -> sa.RowMapping | None:
    """One account with its secrets, or none of that name."""
    statement = sa.select(t.accounts).where(_A.name == name)
    return connection.execute(statement.with_for_update() if lock else statement).mappings().first()


def page(
    connection: Connection, *, after: str = "", begins: str = "", role: str = "", party_id: str = "", limit: int
) -> list[sa.RowMapping]:
    """The next accounts by name. begins: of the name."""
    statement = sa.select(t.accounts).where(_A.name > after).order_by(_A.name).limit(limit)
    if begins:
        statement = statement.where(_A.name.startswith(begins, autoescape=True))
    if role:
        statement = statement.where(_A.role == role)
    if party_id:
        statement = statement.where(_A.party_id == party_id)
    return list(connection.execute(statement).mappings())


def of_roles(connection: Connection, roles: Collection[Role]) -> list[str]:
    """Names of the active accounts of these roles."""
    wanted = [role.value for role in roles]
    return list(connection.execute(sa.select(_A.name).where(_A.active, _A.role.in_(wanted))).scalars())


def by_subject(connection: Connection, subject: str) -> sa.RowMapping | None:
    """The account an identity provider's subject belongs to."""
    return connection.execute(sa.select(t.accounts).where(_A.subject == subject)).mappings().first()


def every(connection: Connection) -> list[sa.RowMapping]:
    """All, by name."""
    return list(connection.execute(sa.select(t.accounts).order_by(_A.name)).mappings())


def account_of(row: Mapping[str, Any] | sa.RowMapping) -> Account:
    """The account a row holds."""
    return Account(
        name=row["name"],
        shown_as=row["shown_as"],
        role=Role(row["role"]),
        party_id=row["party_id"],
        office_ids=tuple(row["office_ids"].split()),
        region=row["region"],
        active=row["active"],
    )


def _columns(account: Account) -> dict[str, Any]:
    return {
        "shown_as": account.shown_as,
        "role": account.role.value,
        "party_id": account.party_id,
        "office_ids": " ".join(account.office_ids),
        "region": account.region,
        "active": account.active,
    }


def keep_secret(connection: Connection, name: str, secret: str, *, now: datetime) -> None:
    """The secret that an account's codes are made from, sealed."""
    keys = CaseKeys.for_writing(connection, [_case(name)], now=now)
    sealed = keys.seal(_case(name), f"{_TOTP}:{name}", secret)
    set_values(connection, name, {"totp": sealed, "totp_step": None})


def secret_of(connection: Connection, row: Mapping[str, Any] | sa.RowMapping) -> str | None:
    """That secret, opened; None where the account has none."""
    if row["totp"] is None:
        return None
    keys = CaseKeys.of(connection, [_case(row["name"])])
    return keys.open(_case(row["name"]), f"{_TOTP}:{row['name']}", row["totp"])


def _case(name: str) -> str:
    """Whose key seals it: no referral has such an id."""
    return f"account|{name}"[:64]


# --- sessions ---


def begin(connection: Connection, values: Mapping[str, Any]) -> None:
    """One who signed in."""
    connection.execute(t.sign_ins.insert().values(**values))


def session(connection: Connection, token_digest: str) -> tuple[sa.RowMapping, sa.RowMapping] | None:
    """(session, account) of a cookie's token, if there is one."""
    found = connection.execute(sa.select(t.sign_ins).where(_S.token_digest == token_digest)).mappings().first()
    account = None if found is None else row_of(connection, found["account"])
    return None if found is None or account is None else (found, account)


def touch(connection: Connection, token_digest: str, values: Mapping[str, Any]) -> None:
    """Some columns of one session."""
    connection.execute(t.sign_ins.update().where(_S.token_digest == token_digest).values(**values))


def end(connection: Connection, token_digest: str) -> None:
    """Signed out."""
    connection.execute(t.sign_ins.delete().where(_S.token_digest == token_digest))


def end_all(connection: Connection, name: str, *, but: str | None = None) -> int:
    """Every session of an account, or every other; how many."""
    statement = t.sign_ins.delete().where(_S.account == name)
    if but is not None:
        statement = statement.where(_S.token_digest != but)
    return connection.execute(statement).rowcount


def sessions_of(connection: Connection, names: Collection[str], *, now: datetime) -> dict[str, int]:
    """How many sessions each of these accounts has that may still go on."""
    statement = sa.select(_S.account, sa.func.count()).where(_S.account.in_(list(names)), _S.ends_at > to_ms(now))
    found = connection.execute(statement.group_by(_S.account)).all()
    return {row[0]: row[1] for row in found}


def forget(connection: Connection, *, now: datetime) -> int:
    """Drops sessions that are over, and browsers nobody signed in with for long; how many."""
    over = connection.execute(t.sign_ins.delete().where(_S.ends_at < to_ms(now))).rowcount
    unseen = t.known_browsers.delete().where(_B.seen_at < to_ms(now - BROWSER_KNOWN))
    return over + connection.execute(unseen).rowcount


# --- browsers an account signed in with ---


def browser(connection: Connection, browser_digest: str, name: str) -> sa.RowMapping | None:
    """What is known of a browser's tries for this account, if it ever signed in there."""
    statement = sa.select(t.known_browsers).where(_B.browser_digest == browser_digest, _B.account == name)
    return connection.execute(statement).mappings().first()


def know_browser(connection: Connection, browser_digest: str, name: str, *, now: datetime) -> None:
    """The account signed in with it: its failures are forgotten."""
    values = {"seen_at": to_ms(now), "failures": 0, "locked_until": None}
    if browser(connection, browser_digest, name) is None:
        made = {"browser_digest": browser_digest, "account": name, **values}
        connection.execute(t.known_browsers.insert().values(**made))
    else:
        set_browser(connection, browser_digest, name, values)


def set_browser(connection: Connection, browser_digest: str, name: str, values: Mapping[str, Any]) -> None:
    """Some columns of one browser."""
    of_it = t.known_browsers.update().where(_B.browser_digest == browser_digest, _B.account == name)
    connection.execute(of_it.values(**values))


def forget_browsers(connection: Connection, name: str) -> None:
    """None is known of this account any more."""
    connection.execute(t.known_browsers.delete().where(_B.account == name))

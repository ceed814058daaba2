"""账号的存取 Accounts and sessions. A password is here as its hash, a cookie's token as its digest, a secret for codes
sealed under the installation's key: whoever copies the database can sign in with none of them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.access import Account, Role
from gateway.store import tables as t
from gateway.store.clock import to_ms
from gateway.store.vault import CaseKeys

_A, _S = t.accounts.c, t.sign_ins.c
_TOTP = "accounts.totp"


def add(
    connection: Connection, account: Account, *, password: str | None, must_change: bool, who: str, now: datetime
) -> bool:
    """False where the name is taken. password: its hash."""
    if row_of(connection, account.name) is not None:
        return False
    values = _columns(account) | {
        "name": account.name,
        "password": password,
        "must_change": must_change,
        "failures": 0,
        "created_at": to_ms(now),
        "created_by": who,
    }
    connection.execute(t.accounts.insert().values(**values))
    return True


def change(connection: Connection, account: Account) -> None:
    """Everything of an account but its name and its secrets."""
    set_values(connection, account.name, _columns(account))


def set_values(connection: Connection, name: str, values: Mapping[str, Any]) -> None:
    """Some columns of one account."""
    connection.execute(t.accounts.update().where(_A.name == name).values(**values))


def row_of(connection: Connection, name: str, *, lock: bool = False) -> sa.RowMapping | None:
    """One account with its secrets, or none of that name."""
    statement = sa.select(t.accounts).where(_A.name == name)
    return connection.execute(statement.with_for_update() if lock else statement).mappings().first()


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


def forget(connection: Connection, *, now: datetime) -> int:
    """Drops sessions that are over; how many."""
    return connection.execute(t.sign_ins.delete().where(_S.ends_at < to_ms(now))).rowcount

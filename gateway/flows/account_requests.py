"""账号申请 What one administrator asks for an account, a second person grants, and the first then carries out.

What a lone administrator cannot do: make himself another account with rights he has not, give an account a role or a
scope, be shown a first password of somebody, or link somebody's account to his own name at the identity provider. Each
would make him another person, and with two of them he would grant his own requests. So all of them, for every role,
wait for somebody with `approve_accounts` (another administrator, or a key officer) who is neither the one that asked
nor the one it is about. What he can do alone protects: disable, let in again, end sessions. What is carried out is what
was granted, word for word, and only while the account is as it was when it was asked for. The first people of an
installation, and the second who can grant, are made by the command line (`xianjie account add`) on the machine itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection

from gateway.domain.access import Account, Right, Role, load_roles
from gateway.errors import IllegalMove, InputRefused, NotFound
from gateway.flows import accounts, approve
from gateway.flows.context import Context
from gateway.flows.sign_in import Session
from gateway.store import accounts as stored
from gateway.store import approvals
from gateway.store.approvals import Approval, ApprovalState

WHATS = (approve.CREATE_ACCOUNT, approve.CHANGE_ACCOUNT, approve.RESET_ACCOUNT)
_OF_ACCOUNT = ("shown_as", "role", "party_id", "office_ids", "region")


@dataclass(frozen=True, kw_only=True, slots=True)
class CarriedOut:
    """What became of it. given: a first password, shown once to who carried it out; empty where there is none."""

    name: str
    what: str
    given: str


def ask_new(context: Context, session: Session, account: Account, *, subject: str = "", why: str, now: datetime) -> str:
    """Asks for a new account; the request's id. Raises ConfigError, Forbidden."""
    accounts.check(context, account, subject=subject, now=now)
    with context.store.reading() as connection:
        if stored.row_of(connection, account.name) is not None:
            raise InputRefused(f"账号已存在 an account {account.name} exists")
    return _ask(context, session, approve.CREATE_ACCOUNT, account.who, _fields(account, subject), why=why, now=now)


def ask_change(
    context: Context, session: Session, account: Account, *, subject: str | None = None, why: str, now: datetime
) -> str:
    """Asks for another role, scope or name to show. subject: as `accounts.change`. Raises ConfigError, Forbidden,
    NotFound."""
    accounts.require_another(session, account.name)
    before = accounts.find(context, account.name)
    accounts.check(context, account, subject=subject, now=now)
    fields = {**_fields(account, subject), "before": _fields(before, None)}
    return _ask(context, session, approve.CHANGE_ACCOUNT, account.who, fields, why=why, now=now)


def ask_reset(context: Context, session: Session, name: str, *, codes: bool, why: str, now: datetime) -> str:
    """Asks for a new first password. codes: and that codes are set up anew. Raises Forbidden, NotFound, ConfigError."""
    accounts.require_another(session, name)
    account = accounts.find(context, name)
    fields = {"codes": codes, "before": _fields(account, None)}
    return _ask(context, session, approve.RESET_ACCOUNT, account.who, fields, why=why, now=now)


def _ask(
    context: Context,
    session: Session,
    what: str,
    who: str,
    fields: Mapping[str, Any],
    *,
    why: str,
    now: datetime,
) -> str:
    return approve.ask(context, session.account, what, who, why=why, now=now, fields=fields)


def _fields(account: Account, subject: str | None) -> dict[str, Any]:
    found = {name: getattr(account, name) for name in _OF_ACCOUNT}
    found |= {"role": account.role.value, "office_ids": list(account.office_ids)}
    return found if subject is None else found | {"subject": subject}


def _account(name: str, fields: Mapping[str, Any]) -> Account:
    return Account(
        name=name,
        shown_as=fields["shown_as"],
        role=Role(fields["role"]),
        party_id=fields["party_id"],
        office_ids=tuple(fields["office_ids"]),
        region=fields["region"],
    )


def carry_out(context: Context, session: Session, approval_id: str, *, now: datetime) -> CarriedOut:
    """Does what was granted to this person. Raises NotFound, SecondPersonNeeded, IllegalMove where the account is not
    as it was, ConfigError where it cannot be any more."""
    with context.store.reading() as connection:
        found = approvals.find(connection, approval_id)
    if found is None or found.asked_by != session.account.who or found.what not in WHATS:
        raise NotFound
    name = found.subject.partition(":")[2]
    within = partial(_use, session=session, found=found, name=name, now=now)
    doing: dict[str, Any] = {"who": session.account.who, "why": found.why, "now": now, "within": within}
    fields = found.fields
    given = ""
    if found.what == approve.CREATE_ACCOUNT:
        subject = fields["subject"] or None
        given = accounts.create(context, _account(name, fields), password=None, subject=subject, **doing)
    elif found.what == approve.CHANGE_ACCOUNT:
        subject = fields.get("subject")
        accounts.change(context, _account(name, fields), session=session, subject=subject, **doing)
    else:
        given = accounts.reset(context, name, codes=fields["codes"], session=session, **doing)
    return CarriedOut(name=name, what=found.what, given=given)


def _use(connection: Connection, *, session: Session, found: Approval, name: str, now: datetime) -> None:
    approve.use_this_within(connection, session.account, found.approval_id, now=now)
    if found.what != approve.CREATE_ACCOUNT:
        row = stored.row_of(connection, name, lock=True)
        if row is None or _fields(stored.account_of(row), None) != found.fields.get("before"):
            raise IllegalMove("the account was changed since it was asked for")


def open_requests(context: Context, account: Account, *, now: datetime) -> list[Approval]:
    """What this person asked for about accounts and may still be done or decided, newest first."""
    with context.store.reading() as connection:
        found = approvals.listed(connection, WHATS, asked_by=account.who, ends_after=now)
    return [one for one in found if one.state in (ApprovalState.ASKED, ApprovalState.GRANTED)]


def somebody_can_grant(context: Context, account: Account) -> bool:
    """Whether anybody but this person may grant what he asks for."""
    roles = [role for role, row in load_roles().items() if Right.APPROVE_ACCOUNTS in row.rights]
    with context.store.reading() as connection:
        return any(name != account.name for name in stored.of_roles(connection, roles))

"""双人审批 What takes two people: one asks with a reason, another with the right grants or refuses with a reason.

Rules (`rules/approvals.csv`): nobody decides what he asked for himself, nor what is about himself; what was granted is
used once, before its time is over and while who asked may still ask; asking, deciding and using are decisions with a
leaf each.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Connection

from gateway.domain.access import Account, Right
from gateway.domain.rules import read_table
from gateway.errors import Forbidden, IllegalMove, NotFound, SecondPersonNeeded
from gateway.flows.context import Context
from gateway.flows.operate import require_reason
from gateway.store import approvals, decisions
from gateway.store.approvals import Approval, ApprovalState

REGISTER_KEY, REVEAL_SEALED = "register_key", "reveal_sealed"
CREATE_ACCOUNT, CHANGE_ACCOUNT, RESET_ACCOUNT = "create_account", "change_account", "reset_account"


@dataclass(frozen=True, kw_only=True, slots=True)
class ApprovalRule:
    """审批事项: who may ask for it, who may grant it, and how long that holds."""

    what: str
    zh: str
    en: str
    ask: Right
    grant: Right
    valid: timedelta


@cache
def load_approval_rules() -> Mapping[str, ApprovalRule]:
    """By what is asked for."""
    return {
        row["what"]: ApprovalRule(
            what=row["what"],
            zh=row["zh"],
            en=row["en"],
            ask=Right(row["ask_right"]),
            grant=Right(row["grant_right"]),
            valid=timedelta(hours=int(row["valid_hours"])),
        )
        for row in read_table("approvals")
    }


def ask(
    context: Context,
    account: Account,
    what: str,
    subject: str,
    *,
    why: str,
    now: datetime,
    fields: Mapping[str, Any] | None = None,
) -> str:
    """A request; its id. fields: what will be done once it is granted. Raises Forbidden, ConfigError."""
    rule = load_approval_rules()[what]
    if not account.may(rule.ask):
        raise Forbidden
    require_reason(account.who, why)

    def write(connection: Connection) -> str:
        approval_id = approvals.put(
            connection,
            what=what,
            subject=subject,
            fields=fields or {},
            who=account.who,
            why=why,
            ends_at=now + rule.valid,
            now=now,
        )
        decisions.put(connection, who=account.who, what=f"{what}_asked", subject=subject, why=why, now=now)
        return approval_id

    return context.store.write(write)


def decide(context: Context, account: Account, approval_id: str, *, grant: bool, why: str, now: datetime) -> Approval:
    """Grants or refuses what somebody else asked for. Raises NotFound, Forbidden, IllegalMove, ConfigError."""
    require_reason(account.who, why)

    def write(connection: Connection) -> Approval:
        found = approvals.find(connection, approval_id, lock=True)
        if found is None:
            raise NotFound
        if found.asked_by == account.who or found.subject == account.who:
            raise Forbidden("own_request" if found.asked_by == account.who else "own_account")
        if not account.may(load_approval_rules()[found.what].grant):
            raise Forbidden
        if found.state is not ApprovalState.ASKED or now >= found.ends_at:
            raise IllegalMove("it is decided or its time is over")
        state = ApprovalState.GRANTED if grant else ApprovalState.REFUSED
        approvals.settle(connection, approval_id, state, who=account.who, why=why, now=now)
        what = f"{found.what}_{state.value}"
        decisions.put(connection, who=account.who, what=what, subject=found.subject, why=why, now=now)
        return found

    return context.store.write(write)


def use_within(connection: Connection, account: Account, what: str, subject: str, *, now: datetime) -> Approval:
    """What was granted to this person, used up, inside the transaction of the act itself. Raises
    SecondPersonNeeded."""
    found = approvals.granted(connection, what=what, subject=subject, asked_by=account.who, now=now)
    if found is None:
        raise SecondPersonNeeded
    return use_this_within(connection, account, found.approval_id, now=now)  # locked: of two at once one uses it


def use_this_within(connection: Connection, account: Account, approval_id: str, *, now: datetime) -> Approval:
    """One request of this person that was granted, used up as `use_within` does. Raises NotFound for another's,
    SecondPersonNeeded."""
    found = approvals.find(connection, approval_id, lock=True)
    if found is None or found.asked_by != account.who:
        raise NotFound
    usable = found.state is ApprovalState.GRANTED and now < found.ends_at
    if not usable or not account.may(load_approval_rules()[found.what].ask):
        raise SecondPersonNeeded
    return _use(connection, account, found, now=now)


def _use(connection: Connection, account: Account, found: Approval, *, now: datetime) -> Approval:
    approvals.settle(connection, found.approval_id, ApprovalState.USED, who=None, why=None, now=now)
    decisions.put(connection, who=account.who, what=f"{found.what}_used", subject=found.subject, why=found.why, now=now)
    return found


def waiting_for(context: Context, account: Account, *, now: datetime) -> list[Approval]:
    """What this person may decide, newest first."""
    whats = [rule.what for rule in load_approval_rules().values() if account.may(rule.grant)]
    with context.store.reading() as connection:
        found = approvals.listed(connection, whats, state=ApprovalState.ASKED, ends_after=now)
    return [one for one in found if account.who not in (one.asked_by, one.subject)]


def asked_by(context: Context, account: Account) -> list[Approval]:
    """What this person asked for, newest first."""
    whats = [rule.what for rule in load_approval_rules().values() if account.may(rule.ask)]
    with context.store.reading() as connection:
        return approvals.listed(connection, whats, asked_by=account.who)

"""查看个人信息 Who a referral is about: masked for everybody who may see cases, in full for a reason that is kept.

Rules: what is shown is read again from the bytes the court signed (`flows.recall`). A look in full is on file with its
reason before anything is shown; of a minor it takes what a second person granted (P04), used once. What holds the same
data, the evidence of a minor's case, takes the same.
"""

from datetime import datetime

from sqlalchemy import Connection

from gateway.domain.access import Account
from gateway.domain.referral import Referral
from gateway.errors import CaseErased, ReferralUnknown, SecondPersonNeeded, XianjieError
from gateway.flows import approve, evidence
from gateway.flows.approve import REVEAL_SEALED
from gateway.flows.context import Context
from gateway.flows.operate import require_reason
from gateway.flows.recall import recall
from gateway.flows.story import PERSON_VIEWED
from gateway.store import approvals, decisions, referrals, vault


def signed_referral(context: Context, referral_id: str, *, now: datetime) -> Referral | XianjieError:
    """The referral as signed, or why it cannot be read: erased, or bytes that prove nothing any more."""
    with context.store.reading() as connection:
        kept = referrals.where_kept(connection, referral_id)
        if kept is None:
            return ReferralUnknown(ids={"referral_id": referral_id})
        if vault.erased_among(connection, [referral_id]):
            return CaseErased(ids={"referral_id": referral_id})
        return recall(connection, [kept], context, now=now)[referral_id]


def reveal(
    context: Context, account: Account, referral_id: str, *, is_minor: bool, why: str, now: datetime
) -> Referral:
    """In full, once. Raises ConfigError without a reason, SecondPersonNeeded, ReferralUnknown, and what says that the
    bytes cannot be read."""
    require_reason(account.who, why)
    found = signed_referral(context, referral_id, now=now)
    if isinstance(found, XianjieError):
        raise found

    def write(connection: Connection) -> None:
        if is_minor or found.is_minor:
            approve.use_within(connection, account, REVEAL_SEALED, referral_id, now=now)
        decisions.put(connection, who=account.who, what=PERSON_VIEWED, subject=referral_id, why=why, now=now)

    context.store.write(write)
    return found


def export_evidence(
    context: Context, account: Account, referral_id: str, *, is_minor: bool, why: str, now: datetime
) -> bytes:
    """The sealed bundle. Raises as `evidence.export` does, and SecondPersonNeeded for a minor's case."""
    require_reason(account.who, why)
    found = signed_referral(context, referral_id, now=now)
    # the signed bytes say so too, not the row alone
    is_minor = is_minor or (isinstance(found, Referral) and found.is_minor)
    if is_minor and granted(context, account, referral_id, now=now) is None:
        raise SecondPersonNeeded
    bundle = evidence.export(context, referral_id, who=account.who, why=why, now=now)
    if is_minor:
        context.store.write(
            lambda connection: approve.use_within(connection, account, REVEAL_SEALED, referral_id, now=now)
        )
    return bundle


def granted(context: Context, account: Account, referral_id: str, *, now: datetime) -> approvals.Approval | None:
    """What a second person granted this account about the referral and it has not used."""
    with context.store.reading() as connection:
        return approvals.granted(connection, what=REVEAL_SEALED, subject=referral_id, asked_by=account.who, now=now)


def asked(context: Context, account: Account, referral_id: str, *, now: datetime) -> bool:
    """Whether this account's request about the referral still waits for a second person."""
    own = approve.asked_by(context, account)
    return any(
        one.what == REVEAL_SEALED
        and one.subject == referral_id
        and one.state is approvals.ApprovalState.ASKED
        and now < one.ends_at
        for one in own
    )

"""法院后续报文 What a court says after its referral: it withdraws it (撤回), or it has paid (发放).

1. withdraw: a need no office has begun on is withdrawn at once; where work has begun the office must consent, so the
   need waits as `cancel_requested`; every office that holds a handoff of the referral is told;
2. pay: each payment is kept once for ever; two payments for one decision are both kept, and a check points at them;
   of the account it went to a keyed hash alone, and only where the agreement authorises matching (P06).

A stranger's referral and a referral that does not exist get the same answer.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection

from gateway.domain.calendar import china_day
from gateway.domain.lifecycle import HANDOFF, NEED, OPEN_NEEDS, HandoffState, NeedState
from gateway.envelope.message import Envelope, new_id
from gateway.envelope.signing import MESSAGE_TYP, VerifiedMessage, sign
from gateway.errors import FieldProblem, IllegalMove, ReferralUnknown, RuleBlocked, SchemaInvalid
from gateway.flows.context import Context
from gateway.flows.message_kind import COURTS, MessageKind, Noted, Told
from gateway.flows.needs import NeedInHand
from gateway.flows.reading import problem, read_body
from gateway.matching.account import account_key
from gateway.store import dossiers, handoffs, outbox, referrals, replies, same_help
from gateway.store import tables as t
from gateway.store.handoffs import SentRow
from gateway.store.outbox import Outbound
from schemas.referral import COURT_PAYMENT, WITHDRAWAL

WITHDRAWN_TYPE = "handoff.withdrawn"


@dataclass(frozen=True, kw_only=True, slots=True)
class Withdrawal:
    """撤回, read."""

    context: Context
    message: VerifiedMessage
    referral_id: str
    now: datetime
    queue: Callable[..., None] = outbox.put
    """Where the notices to offices go; a recovery first looks which of them had left."""

    @property
    def subject(self) -> str:
        """The referral."""
        return self.referral_id


@dataclass(frozen=True, kw_only=True, slots=True)
class Payment:
    """发放, read."""

    context: Context
    message: VerifiedMessage
    referral_id: str
    payment_id: str
    amount_fen: int
    paid_on: date
    payee: str
    now: datetime
    account: str | None = None

    @property
    def subject(self) -> str:
        """The referral."""
        return self.referral_id


def prepare_withdrawal(message: VerifiedMessage, context: Context, *, now: datetime) -> Withdrawal:
    """Reads `referral.withdrawn`. Raises SchemaInvalid. The reason stays in the message's bytes."""
    fields = read_body(message, WITHDRAWAL)
    return Withdrawal(context=context, message=message, referral_id=fields["referral_id"], now=now)


def prepare_payment(message: VerifiedMessage, context: Context, *, now: datetime) -> Payment:
    """Reads `judicial_assistance.paid`. Raises SchemaInvalid, also for a day that is still to come."""
    fields = read_body(message, COURT_PAYMENT)
    if fields["paid_on"] > china_day(now):
        raise SchemaInvalid(problems=[problem("paid_on", "day_in_future")], ids={"message_id": message.envelope.id})
    return Payment(context=context, message=message, now=now, **fields)


def record_payments(connection: Connection, items: Sequence[Payment]) -> list[Noted | Exception]:
    """One outcome each; a payment id that was reported before is refused, whatever it says now."""
    courts = referrals.court_of(connection, [item.referral_id for item in items])
    known = replies.payments_on_file(connection, [(item.message.party_id, item.payment_id) for item in items])
    outcomes: list[Noted | Exception] = []
    rows, paid = [], []
    for item in items:
        key = (item.message.party_id, item.payment_id)
        ids = {"message_id": item.message.envelope.id}
        if courts.get(item.referral_id) != item.message.party_id:
            outcomes.append(ReferralUnknown(ids=ids))
        elif key in known:
            outcomes.append(RuleBlocked(problems=[FieldProblem(pointer="/data/payment_id", code="repeated")], ids=ids))
        else:
            known.add(key)
            rows.append(_payment_row(item))
            paid.append(item)
            outcomes.append(Noted())
    replies.put_payments(connection, rows)
    _put_accounts(connection, [item for item in paid if item.account is not None])
    referrals.touch(connection, [row["referral_id"] for row in rows], now=items[0].now)
    return outcomes


def _payment_row(item: Payment) -> dict[str, Any]:
    return {
        "payment_id": item.payment_id,
        "court": item.message.party_id,
        "referral_id": item.referral_id,
        "amount_fen": item.amount_fen,
        "paid_on": item.paid_on.isoformat(),
        "payee": item.payee,
    }


def _put_accounts(connection: Connection, items: Sequence[Payment]) -> None:
    agreements = dossiers.agreement_rows(connection, [item.referral_id for item in items]) if items else {}
    same_help.put_accounts(connection, [_account_row(item) | _key_of(item, agreements) for item in items])


def _account_row(item: Payment) -> dict[str, Any]:
    """收款账户: which payment names one."""
    return {
        "message_id": item.message.envelope.id,
        "court": item.message.party_id,
        "referral_id": item.referral_id,
        "payment_id": item.payment_id,
    }


def _key_of(item: Payment, agreements: Mapping[str, int]) -> dict[str, str | None]:
    profile = item.context.snapshot(item.now).agreements[agreements[item.referral_id]]
    if not profile.matching_authorised or item.account is None:
        return {"account_key": None}
    return {"account_key": account_key(item.account, secret=item.context.matching_secret)}


def told_payment(item: Payment) -> Iterator[Told]:
    """That the payment names an account; whether its key is kept is the agreement's to say. The payment itself is
    compared by `flows.audit.derived`."""
    if item.account is not None:
        yield Told(table=t.payment_accounts, row=_account_row(item))


def record_withdrawals(connection: Connection, items: Sequence[Withdrawal]) -> list[Noted | Exception]:
    """One outcome each; withdrawn referrals are few, so one by one."""
    outcomes: list[Noted | Exception] = []
    for item in items:
        try:
            _withdraw(connection, item)
        except (ReferralUnknown, IllegalMove) as refusal:
            outcomes.append(refusal)
        else:
            outcomes.append(Noted())
    return outcomes


def _withdraw(connection: Connection, item: Withdrawal) -> None:
    ids = {"message_id": item.message.envelope.id, "referral_id": item.referral_id}
    if referrals.court_of(connection, [item.referral_id]).get(item.referral_id) != item.message.party_id:
        raise ReferralUnknown(ids=ids)
    needs = [
        NeedInHand(row=dict(row))
        for row in referrals.needs_of(connection, [item.referral_id], lock=True).get(item.referral_id, [])
    ]
    if referrals.is_withdrawn(connection, item.referral_id) or not _any_to_withdraw(needs):
        raise IllegalMove("nothing left to withdraw", ids=ids)
    for need in needs:
        _withdraw_need(need, item)
    referrals.save_needs(
        connection, [need.row for need in needs if need.changed], [m for need in needs for m in need.moves]
    )
    referrals.mark_withdrawn(connection, item.referral_id, now=item.now)
    _tell_offices(connection, item, needs)


def _any_to_withdraw(needs: Sequence[NeedInHand]) -> bool:
    """A referral that asked for nothing may be withdrawn; one whose every need is settled may not."""
    return not needs or any(need.state in OPEN_NEEDS | {NeedState.HELD} for need in needs)


def _withdraw_need(need: NeedInHand, item: Withdrawal) -> None:
    cause = item.message.envelope.id
    for there in (NeedState.WITHDRAWN, NeedState.CANCEL_REQUESTED):
        if need.state in OPEN_NEEDS | {NeedState.HELD} and NEED.may(need.state, there):
            need.move(there, at=item.message.envelope.time, now=item.now, cause=cause)
            need.set(dispatch_at=None, held_for=None)
            return


def _tell_offices(connection: Connection, item: Withdrawal, needs: Sequence[NeedInHand]) -> None:
    """One `handoff.withdrawn` to each office that still holds a handoff; the handoff ends with its last need."""
    offices = item.context.snapshot(item.now).offices
    states = {need.row["need_id"]: need.state for need in needs}
    priority = min((need.row["priority"] for need in needs), default=0)
    ended: dict[str, HandoffState] = {}
    messages = []
    for sent in handoffs.of_referral(connection, item.referral_id):
        here = HandoffState(sent.state)
        if not HANDOFF.may(here, HandoffState.WITHDRAWN) or sent.office_id not in offices:
            continue
        if all(states[need_id] is NeedState.WITHDRAWN for need_id, _ in sent.needs):
            ended[sent.handoff_id] = HandoffState.WITHDRAWN
        messages.append(_notice(item, sent, priority))
    handoffs.save_states(connection, ended)
    item.queue(connection, item.context.party_id, messages, now=item.now)


def _notice(item: Withdrawal, sent: SentRow, priority: int) -> Outbound:
    context = item.context
    office = context.snapshot(item.now).offices[sent.office_id]
    message_id = new_id(item.now)

    def write(seq: int) -> str:
        envelope = Envelope(
            id=message_id,
            source=context.party_id,
            type=WITHDRAWN_TYPE,
            time=item.now,
            recipient=office.party_id,
            subject=sent.referral_id,
            conversation_id=sent.referral_id,
            in_reply_to=sent.message_id,
            in_reply_to_digest=sent.digest,
            seq=seq,
            data={"handoff_id": sent.handoff_id, "needs": [need_id for need_id, _ in sent.needs]},
        )
        return sign(envelope.to_payload(), context.key, MESSAGE_TYP)

    return Outbound(
        message_id=message_id,
        effect_key=f"withdrawn:{sent.handoff_id}",
        recipient=office.party_id,
        office=office,
        type=WITHDRAWN_TYPE,
        referral_id=sent.referral_id,
        handoff_id=sent.handoff_id,
        priority=priority,
        write=write,
    )


KINDS = (
    MessageKind(type="referral.withdrawn", senders=COURTS, prepare=prepare_withdrawal, record=record_withdrawals),
    MessageKind(
        type="judicial_assistance.paid",
        senders=COURTS,
        prepare=prepare_payment,
        record=record_payments,
        told=told_payment,
        tables=(t.payment_accounts,),
    ),
)

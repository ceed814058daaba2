"""不符 Where two sides tell different things: amounts, persons, states, codes; and money that went where it should not.

Rules: the court's payments come to the decision, an agency's to its approval (an approval of a continuing benefit is
per month); too little is in doubt only once the time for paying is over. A reply is judged as it was recorded, applied
or not. Agency text never enters a finding. Left out: answers to nothing we sent, which belong to no referral.
Where no rule of the table speaks, the law of the architecture that was broken is named (`law4`, `law5`, `law9`).
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime

from gateway.domain.calendar import china_day
from gateway.domain.reconciliation.clocks import (
    Clock,
    answer_clock,
    payment_clock,
    start_of_china_day,
)
from gateway.domain.reconciliation.duplicates import expected_from_court
from gateway.domain.reconciliation.findings import OPERATOR, doubt, handing_of, in_order
from gateway.domain.reconciliation.grants import is_continuing, standing_payments, stop_day
from gateway.domain.reconciliation.values import Check, Dossier, Finding, NeedRow, ReplyRow, Rulebook
from gateway.domain.referral import Decision
from gateway.domain.replies import ReplyCode

PAYEES = frozenset({"BENEFICIARY", "GUARDIAN", "AGENT"})
"""Who may take the money: the person, the guardian, the collecting agent (A05)."""
_CODE_LIKE = re.compile(r"(?!.*[0-9]{6})[A-Za-z0-9_.:-]{1,32}")
"""What may be shown of an unknown code; six digits in a row could be part of a person's number."""


def court_amount(dossier: Dossier, rulebook: Rulebook, as_of: datetime) -> Iterator[Finding]:
    """A05: the court paid what it decided, less a netted advance; without a decision to assist at most the advance."""
    referral, payments = dossier.referral, dossier.court_payments
    if not payments:
        return
    assisted = referral.decision is Decision.ASSIST
    expected = expected_from_court(dossier) if assisted else referral.advance_fen
    paid = sum(payment.amount_fen for payment in payments)
    is_duplicate = assisted and paid > expected and (len(payments) > 1 or paid - expected == referral.advance_fen)
    if paid == expected or is_duplicate or (not assisted and paid < expected):
        return
    first = min(payment.paid_on for payment in payments)
    clock = answer_clock(dossier, rulebook, start_of_china_day(first), as_of)
    if paid < expected:
        clock = payment_clock(dossier, rulebook, as_of, since=start_of_china_day(referral.concluded_on))
        if (clock is not None and not clock.past) or paid >= _due_so_far(dossier, expected, as_of):
            return
    yield doubt(
        "MM_AMOUNT",
        "A05",
        referral_id=referral.referral_id,
        subject="court",
        stake_fen=abs(paid - expected),
        must_act=referral.court,
        clock=clock,
        decision=referral.decision.value,
        decided_fen=referral.decided_amount_fen,
        advance_fen=referral.advance_fen,
        paid_fen=paid,
        payments=[payment.payment_id for payment in payments],
    )


def agency_amount(dossier: Dossier, rulebook: Rulebook, as_of: datetime) -> Iterator[Finding]:
    """A05: what an agency paid is what it approved."""
    for need in dossier.needs:
        payments = [reply for reply in standing_payments(need, dossier.replies) if reply.amount_fen is not None]
        if need.approved_fen is None or not payments:
            continue
        amounts = [reply.amount_fen or 0 for reply in payments]
        if is_continuing(need.programme, rulebook):
            wrong = sum(_off_the_rate(need, reply, dossier.replies) for reply in payments)
            clock = answer_clock(dossier, rulebook, payments[-1].at, as_of)
        else:
            wrong, clock = _one_off_difference(need, amounts, payments[-1], dossier, rulebook, as_of)
        if not wrong:
            continue
        yield doubt(
            "MM_AMOUNT",
            "A05",
            referral_id=need.referral_id,
            need_id=need.need_id,
            subject="agency",
            stake_fen=wrong,
            must_act=payments[-1].office,
            clock=clock,
            programme=need.programme,
            approved_fen=need.approved_fen,
            amounts_fen=amounts,
            replies=[reply.reply_id for reply in payments],
        )


def other_person(dossier: Dossier, rulebook: Rulebook, as_of: datetime) -> Iterator[Finding]:
    """The identity number an agency echoes is not the beneficiary's."""
    by_handing: dict[tuple[str | None, str], list[ReplyRow]] = {}
    for reply in in_order([reply for reply in dossier.replies if reply.person_matches is False]):
        by_handing.setdefault((reply.need_id, reply.handoff_id or reply.office), []).append(reply)
    for (need_id, handing), replies in by_handing.items():
        yield doubt(
            "MM_PERSON",
            "A05",
            referral_id=dossier.referral.referral_id,
            need_id=need_id,
            subject=handing,
            stake_fen=sum(reply.amount_fen or 0 for reply in replies if reply.code == ReplyCode.PAID),
            must_act=replies[0].office,
            clock=answer_clock(dossier, rulebook, replies[0].at, as_of),
            replies=[reply.reply_id for reply in replies],
        )


def other_state(dossier: Dossier, rulebook: Rulebook, as_of: datetime) -> Iterator[Finding]:
    """The newest answer of an agency cannot follow from where the need stands with us."""
    for need in dossier.needs:
        mine = in_order([reply for reply in dossier.replies if reply.need_id == need.need_id])
        heard = [reply for reply in mine if reply.applied or reply.problem == "illegal_move"]
        if not heard or heard[-1].problem != "illegal_move":
            continue
        last = heard[-1]
        yield doubt(
            "MM_STATUS",
            "law9",
            referral_id=need.referral_id,
            need_id=need.need_id,
            subject=last.handoff_id or handing_of(need),
            stake_fen=last.amount_fen or 0,
            must_act=last.office,
            clock=answer_clock(dossier, rulebook, last.recorded_at, as_of),
            ours=need.state.value,
            theirs=last.code,
            reply=last.reply_id,
        )


def unknown_code(dossier: Dossier, rulebook: Rulebook, as_of: datetime) -> Iterator[Finding]:
    """A code the adapter does not know: kept as it came, never guessed; ends with an answer that can be read."""
    for reply in dossier.replies:
        if reply.problem != "unknown_code" or _was_read_later(reply, dossier.replies):
            continue
        yield doubt(
            "MM_UNKNOWN_CODE",
            "law5",
            referral_id=dossier.referral.referral_id,
            need_id=reply.need_id,
            subject=reply.reply_id,
            must_act=OPERATOR,
            clock=answer_clock(dossier, rulebook, reply.recorded_at, as_of),
            office=reply.office,
            raw_code=reply.raw_code if _CODE_LIKE.fullmatch(reply.raw_code) else None,
            message=reply.message_id,
        )


def unexpected(dossier: Dossier, rulebook: Rulebook, as_of: datetime) -> Iterator[Finding]:
    """An answer about a need that was not sent with the handoff it names."""
    for reply in dossier.replies:
        if reply.problem in ("unknown_need", "unexpected"):
            yield doubt(
                "UNEXPECTED_REPLY",
                "law4",
                referral_id=dossier.referral.referral_id,
                subject=reply.reply_id,
                stake_fen=reply.amount_fen or 0,
                must_act=reply.office,
                clock=answer_clock(dossier, rulebook, reply.recorded_at, as_of),
                message=reply.message_id,
                problem=reply.problem,
            )


def over_cap(dossier: Dossier, rulebook: Rulebook, as_of: datetime) -> Iterator[Finding]:
    """A01, A02: joint aid counts whole; a stated reason answers the 36-month cap, nothing answers the balance."""
    referral = dossier.referral
    if referral.decision is not Decision.ASSIST or referral.withdrawn:
        return
    whole = max(referral.decided_amount_fen, referral.joint_decided_fen or 0)
    bounds = (
        ("A01", None if referral.cap_exceeded_reason else referral.cap_fen),
        ("A02", referral.unenforced_balance_fen),
    )
    for rule_id, bound in bounds:
        if bound is not None and whole > bound:
            yield doubt(
                "OVER_CAP",
                rule_id,
                referral_id=referral.referral_id,
                subject=rule_id,
                stake_fen=whole - bound,
                must_act=referral.court,
                clock=answer_clock(dossier, rulebook, referral.accepted_at, as_of),
                decided_fen=whole,
                bound_fen=bound,
            )


def wrong_payee(dossier: Dossier, rulebook: Rulebook, as_of: datetime) -> Iterator[Finding]:
    """A05: money went to beneficiary, guardian or collecting agent; a payee nobody named is not in doubt."""
    referral = dossier.referral
    plan = dossier.court_money.plan
    payees = PAYEES | ({"OTHER"} if plan is not None and plan.mode == "THROUGH_TRUSTEE" else set())
    for payment in dossier.court_payments:
        if payment.payee not in payees:
            yield doubt(
                "PAYEE_NOT_BENEFICIARY",
                "A05",
                referral_id=referral.referral_id,
                subject=payment.payment_id,
                stake_fen=payment.amount_fen,
                must_act=referral.court,
                clock=answer_clock(dossier, rulebook, start_of_china_day(payment.paid_on), as_of),
                payment=payment.payment_id,
                paid_on=payment.paid_on,
            )
    for need in dossier.needs:
        for reply in standing_payments(need, dossier.replies):
            if reply.payee is not None and reply.payee not in PAYEES:
                yield _agency_payment("PAYEE_NOT_BENEFICIARY", need, reply, dossier, rulebook, as_of)


def paid_after_stop(dossier: Dossier, rulebook: Rulebook, as_of: datetime) -> Iterator[Finding]:
    """A benefit paid for a time after it was stopped, or after the person's death; arrears are lawful."""
    for need in dossier.needs:
        for reply in standing_payments(need, dossier.replies):
            code = _stop_before(reply, dossier.replies)
            if code is not None:
                yield _agency_payment(code, need, reply, dossier, rulebook, as_of)


MISMATCHES: tuple[Check, ...] = (
    court_amount,
    agency_amount,
    other_person,
    other_state,
    unknown_code,
    unexpected,
    over_cap,
    wrong_payee,
    paid_after_stop,
)


def _due_so_far(dossier: Dossier, expected: int, as_of: datetime) -> int:
    """What had to be paid by the day before: of a plan in instalments those that were due, else everything."""
    plan = dossier.court_money.plan
    if plan is None or not plan.instalments:
        return expected
    return min(expected, sum(part.amount_fen for part in plan.instalments if part.due_on < china_day(as_of)))


def _off_the_rate(need: NeedRow, paid: ReplyRow, replies: Iterable[ReplyRow]) -> int:
    """What is left of a payment after whole months at the rate approved when it was made."""
    rates = [
        reply.amount_fen
        for reply in in_order([reply for reply in replies if reply.need_id == need.need_id and reply.applied])
        if reply.code == ReplyCode.APPROVED and reply.amount_fen and reply.at <= paid.at
    ]
    rate = rates[-1] if rates else need.approved_fen
    amount = paid.amount_fen or 0
    return amount % rate if rate else amount


def _one_off_difference(
    need: NeedRow, amounts: list[int], last: ReplyRow, dossier: Dossier, rulebook: Rulebook, as_of: datetime
) -> tuple[int, Clock | None]:
    """How far the payments of a one-off grant are off; several above the approval are DUP_PAYMENT, not this."""
    difference = sum(amounts) - (need.approved_fen or 0)
    if difference >= 0:
        too_much = difference if len(amounts) == 1 else 0
        return too_much, answer_clock(dossier, rulebook, last.at, as_of)
    since = need.decided_at or last.at
    clock = payment_clock(dossier, rulebook, as_of, since=since, need=need)
    return (-difference if clock is None or clock.past else 0), clock


def _agency_payment(
    code: str, need: NeedRow, reply: ReplyRow, dossier: Dossier, rulebook: Rulebook, as_of: datetime
) -> Finding:
    return doubt(
        code,
        "A05",
        referral_id=need.referral_id,
        need_id=need.need_id,
        subject=reply.reply_id,
        stake_fen=reply.amount_fen or 0,
        must_act=reply.office,
        clock=answer_clock(dossier, rulebook, reply.at, as_of),
        programme=need.programme,
        reply=reply.reply_id,
        paid_at=reply.at,
    )


def _stop_before(paid: ReplyRow, replies: Sequence[ReplyRow]) -> str | None:
    """The finding for a payment after a stop of this need or after a death told on any need; None when none stands."""
    for reply in replies:
        if reply.code == ReplyCode.DECEASED and reply.applied and _begins(paid) > stop_day(reply):
            return "PAID_DECEASED"
    for reply in replies:
        if reply.code != ReplyCode.STOPPED or not reply.applied or reply.need_id != paid.need_id:
            continue
        if _is_after_stop(paid, reply) and not _was_resumed(reply, paid, replies):
            return "PAID_AFTER_STOP"
    return None


def _is_after_stop(paid: ReplyRow, stop: ReplyRow) -> bool:
    """Whether the payment is for a time from the stop on; one made before it may reach beyond it."""
    if stop.starts_on is None:
        return _begins(paid) > stop_day(stop)
    reaches_beyond = paid.ends_on is not None and paid.ends_on >= stop.starts_on
    return _begins(paid) >= stop.starts_on or (paid.at > stop.at and reaches_beyond)


def _begins(paid: ReplyRow) -> date:
    """The first day the payment is for, or the day it was made."""
    return paid.starts_on or china_day(paid.at)


def _was_resumed(stop: ReplyRow, paid: ReplyRow, replies: Iterable[ReplyRow]) -> bool:
    return any(
        reply.code == ReplyCode.APPROVED and reply.need_id == stop.need_id and stop.at < reply.at <= paid.at
        for reply in replies
    )


def _was_read_later(unknown: ReplyRow, replies: Iterable[ReplyRow]) -> bool:
    return any(
        reply.applied
        and reply.handoff_id == unknown.handoff_id
        and reply.need_id == unknown.need_id
        and reply.recorded_at > unknown.recorded_at
        for reply in replies
    )

"""重复 Who may be served twice: by two courts for one matter, two offices, or two programmes that exclude each other.

Rules: judicial aid followed by social aid is the purpose of the linkage and never a doubt (CX01); joint aid of two
courts is one aid (D04). Other referrals of the person are looked at only where the agreement authorises matching
(P06): without a person key there are none. A doubt about two referrals is raised once, on the later one. One matter
under several numbers, relatives, households and old ledgers are `same_help`.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from itertools import combinations

from gateway.domain.coexistence import CoexistenceRule, CoexistenceVerdict, verdict
from gateway.domain.lifecycle import OPEN_NEEDS, NeedState
from gateway.domain.reconciliation.clocks import answer_clock, start_of_china_day
from gateway.domain.reconciliation.findings import doubt, later_of
from gateway.domain.reconciliation.grants import Grant, grants_of, is_continuing, month_of, standing_payments
from gateway.domain.reconciliation.same_inputs import grants_doubt, inputs_of_grants, later_day, relatives_of
from gateway.domain.reconciliation.values import (
    Check,
    CourtPaymentRow,
    Dossier,
    Finding,
    NeedRow,
    ReplyRow,
    Rulebook,
)
from gateway.domain.referral import Decision
from gateway.domain.same_help import Inputs, judge

_Said = tuple[str, str, CoexistenceRule | None, Inputs]
"""(finding, rule of DOMAIN §6, row of the table, what it was asked of)."""
_OPEN = OPEN_NEEDS | {NeedState.HELD}


def open_elsewhere(dossier: Dossier, rulebook: Rulebook, as_of: datetime) -> Iterator[Finding]:
    """D09: the same person's same need is open on another referral; a warning with its link, never a block."""
    if dossier.referral.withdrawn:
        return
    for relative in relatives_of(dossier):
        if not later_of(dossier.referral, relative.referral):
            continue
        for need, other in _pairs_of_open_needs(dossier.needs, relative.needs):
            yield doubt(
                "DUP_OPEN_REFERRAL",
                "D09",
                referral_id=need.referral_id,
                need_id=need.need_id,
                subject=other.need_id,
                must_act=dossier.referral.court,
                clock=answer_clock(dossier, rulebook, need.accepted_at, as_of),
                programme=need.programme,
                other_referral=other.referral_id,
                other_need=other.need_id,
                other_office=other.office_id,
                other_state=other.state.value,
            )


def grants_that_exclude(dossier: Dossier, rulebook: Rulebook, as_of: datetime) -> Iterator[Finding]:
    """D07, D08: two grants of one person in one month that may not stand together, or a one-time programme twice."""
    own = list(grants_of(dossier.referral, dossier.needs, dossier.replies, rulebook))
    pairs = [pair for pair in combinations(own, 2) if pair[0].need.need_id != pair[1].need.need_id]
    for relative in relatives_of(dossier):
        if later_of(dossier.referral, relative.referral):
            theirs = grants_of(relative.referral, relative.needs, relative.replies, rulebook)
            pairs += [(mine, other) for other in theirs for mine in own]
    for mine, other in pairs:
        said = _judge(mine, other, dossier, rulebook)
        if said is not None:
            yield grants_doubt(*said, mine, other, dossier, rulebook, as_of)


def paid_twice_by_court(dossier: Dossier, rulebook: Rulebook, as_of: datetime) -> Iterator[Finding]:
    """A05, D05: instalments and a netted advance add up to the decision; what is above it was paid twice."""
    referral, payments = dossier.referral, dossier.court_payments
    if referral.decision is not Decision.ASSIST or not payments:
        return
    excess = sum(payment.amount_fen for payment in payments) - expected_from_court(dossier)
    if excess <= 0:
        return
    advance = referral.advance_fen > 0 and excess == referral.advance_fen
    if not advance and len(payments) < 2:  # one payment that is too high is MM_AMOUNT
        return
    yield doubt(
        "DUP_ADVANCE_NOT_NETTED" if advance else "DUP_PAYMENT",
        "D05" if advance else "A05",
        referral_id=referral.referral_id,
        subject="court",
        stake_fen=excess,
        must_act=referral.court,
        clock=answer_clock(dossier, rulebook, start_of_china_day(_last_day(payments)), as_of),
        decided_fen=referral.decided_amount_fen,
        advance_fen=referral.advance_fen,
        payments=[payment.payment_id for payment in payments],
        amounts_fen=[payment.amount_fen for payment in payments],
    )


def paid_twice_by_agency(dossier: Dossier, rulebook: Rulebook, as_of: datetime) -> Iterator[Finding]:
    """A05: one month of a benefit paid twice, or a one-off grant paid again above what was approved."""
    for need in dossier.needs:
        payments = standing_payments(need, dossier.replies)
        repeated = _same_month(payments) if is_continuing(need.programme, rulebook) else _again(need, payments)
        if not repeated:
            continue
        again, stake = repeated
        yield doubt(
            "DUP_PAYMENT",
            "A05",
            referral_id=need.referral_id,
            need_id=need.need_id,
            subject="agency",
            stake_fen=stake,
            must_act=again.office,
            clock=answer_clock(dossier, rulebook, again.at, as_of),
            programme=need.programme,
            approved_fen=need.approved_fen,
            replies=[reply.reply_id for reply in payments],
            amounts_fen=[reply.amount_fen or 0 for reply in payments],
        )


DUPLICATES: tuple[Check, ...] = (
    open_elsewhere,
    grants_that_exclude,
    paid_twice_by_court,
    paid_twice_by_agency,
)


def expected_from_court(dossier: Dossier) -> int:
    """What the court's payments should come to: the decision, less an advance that is not among them (D05)."""
    referral = dossier.referral
    advance_is_listed = any(payment.amount_fen == referral.advance_fen for payment in dossier.court_payments)
    return referral.decided_amount_fen - (0 if advance_is_listed else referral.advance_fen)


def _pairs_of_open_needs(mine: Sequence[NeedRow], others: Sequence[NeedRow]) -> Iterator[tuple[NeedRow, NeedRow]]:
    for need in mine:
        for other in others:
            if need.programme == other.programme and need.state in _OPEN and other.state in _OPEN:
                yield need, other


def _judge(mine: Grant, other: Grant, dossier: Dossier, rulebook: Rulebook) -> _Said | None:
    """What stands against two grants, or None when they may stand together."""
    rule = verdict(mine.programme, other.programme, rules=rulebook.coexistence, on=later_day(mine, other))
    programme = rulebook.programmes.get(mine.programme)
    same = mine.programme == other.programme
    inputs = inputs_of_grants(mine, other, dossier, rulebook, same_person=True)
    once = rule is not None and rule.verdict is CoexistenceVerdict.EXCLUDE_FOR_LIFE
    if same and not once and programme is not None and programme.one_time:
        told = mine.told_only or other.told_only
        return None if told else ("DUP_ONE_TIME_REPEATED", "D07", None, inputs)
    if rule is None or not judge(rule, inputs).in_doubt:
        return None
    if once:
        return "DUP_ONE_TIME_REPEATED", "D07", rule, inputs
    return "DUP_SAME_PROGRAMME_PERIOD" if same else "DUP_EXCLUSIVE_PROGRAMMES", "D08", rule, inputs


def _last_day(payments: Sequence[CourtPaymentRow]) -> date:
    return max(payment.paid_on for payment in payments)


def _same_month(payments: Sequence[ReplyRow]) -> tuple[ReplyRow, int] | None:
    """The last payment for months already paid, and what the repeated ones come to."""
    repeated = [later for earlier, later in combinations(payments, 2) if _covers_again(earlier, later)]
    unique = {reply.reply_id: reply for reply in repeated}
    if not unique:
        return None
    return repeated[-1], sum(reply.amount_fen or 0 for reply in unique.values())


def _covers_again(earlier: ReplyRow, later: ReplyRow) -> bool:
    """Both say which months they pay and share one; payments that name no months say nothing about it."""
    if earlier.starts_on is None or later.starts_on is None:
        return False
    first, second = month_of(earlier.starts_on), month_of(later.starts_on)
    ends = month_of(earlier.ends_on or earlier.starts_on), month_of(later.ends_on or later.starts_on)
    return first <= ends[1] and second <= ends[0]


def _again(need: NeedRow, payments: Sequence[ReplyRow]) -> tuple[ReplyRow, int] | None:
    """A second payment above the approved amount; where none was approved, the same amount again."""
    if len(payments) < 2:
        return None
    amounts = [reply.amount_fen or 0 for reply in payments]
    if need.approved_fen is not None:
        excess = sum(amounts) - need.approved_fen
        return (payments[-1], excess) if excess > 0 else None
    seen = [reply for index, reply in enumerate(payments) if amounts[index] in amounts[:index]]
    return (seen[-1], sum(reply.amount_fen or 0 for reply in seen)) if seen else None

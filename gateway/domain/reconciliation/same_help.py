"""同一救助 One aid given twice under several numbers, to several relatives, to one household, or before the gateway.

Rules: D01 one aid per person and original case, for ever and by whichever justice organ, old ledgers included; D03
relatives of one dead victim are one joint case; D04 shares of joint aid come to its decision; D05 an advance another
referral gave is netted; D08 a household's benefit is paid once. One account for unrelated people is in doubt, a
guardian's account for his children is not. A doubt about two referrals is raised once, on the later one; each names its
rule, the rule's version and the inputs by which `domain.same_help` judged it.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from gateway.domain.calendar import china_day
from gateway.domain.coexistence import JUDICIAL, CoexistenceRule, RuleScope, verdict
from gateway.domain.original_case import matter_of, numbers_of
from gateway.domain.reconciliation.clocks import answer_clock, start_of_china_day
from gateway.domain.reconciliation.findings import doubt, later_of
from gateway.domain.reconciliation.grants import grants_of, standing_payments, stop_day
from gateway.domain.reconciliation.rows_same_help import Kinship, LedgerAidRow
from gateway.domain.reconciliation.same_inputs import (
    aid_of,
    basis,
    grants_doubt,
    inputs_of_grants,
    is_this_aid,
    joined_inputs,
    later_day,
    old_aid,
    relatives_of,
)
from gateway.domain.reconciliation.values import Check, Dossier, Finding, ReferralRow, Rulebook
from gateway.domain.referral import Decision
from gateway.domain.replies import ReplyCode
from gateway.domain.same_help import Inputs, judge

_TRUSTEE = "THROUGH_TRUSTEE"


def same_original_case(dossier: Dossier, rulebook: Rulebook, as_of: datetime) -> Iterator[Finding]:
    """D01: one aid per person and original case, by whichever court or other organ and however long ago."""
    mine = dossier.referral
    rule = verdict(JUDICIAL, JUDICIAL, rules=rulebook.coexistence, on=mine.concluded_on)
    if mine.decision is not Decision.ASSIST or mine.withdrawn or rule is None:
        return
    for relative in relatives_of(dossier):
        other = relative.referral
        if other.decision is Decision.ASSIST and later_of(mine, other):
            inputs = joined_inputs(dossier, aid_of(mine), aid_of(other), same_person=True)
            if judge(rule, inputs).in_doubt:
                yield _same_case(dossier, rule, inputs, rulebook, as_of, other)
    for old in dossier.same_help.ledger:
        if old.programme == JUDICIAL and not is_this_aid(old, mine):
            inputs = joined_inputs(dossier, aid_of(mine), old_aid(old), same_person=True)
            if judge(rule, inputs).in_doubt:
                yield _same_case(dossier, rule, inputs, rulebook, as_of, old)


def _same_case(
    dossier: Dossier,
    rule: CoexistenceRule,
    inputs: Inputs,
    rulebook: Rulebook,
    as_of: datetime,
    other: ReferralRow | LedgerAidRow,
) -> Finding:
    mine = dossier.referral
    if isinstance(other, LedgerAidRow):
        who: dict[str, Any] = {
            "ledger_line": other.line_id,
            "other_organ": other.organ,
            "other_concluded_on": other.decided_on,
        }
        subject, fen = other.line_id, other.amount_fen
    else:
        who = {
            "other_referral": other.referral_id,
            "other_court": other.court,
            "other_concluded_on": other.concluded_on,
        }
        subject, fen = other.referral_id, other.decided_amount_fen
    return doubt(
        "DUP_SAME_ORIGINAL_CASE",
        "D01",
        referral_id=mine.referral_id,
        subject=subject,
        stake_fen=min(mine.decided_amount_fen, fen),
        must_act=mine.court,
        clock=answer_clock(dossier, rulebook, mine.accepted_at, as_of),
        decided_fen=mine.decided_amount_fen,
        other_decided_fen=fen,
        **who,
        **basis(rule, inputs, rulebook),
    )


def relatives_split(dossier: Dossier, rulebook: Rulebook, as_of: datetime) -> Iterator[Finding]:
    """D03: relatives of one dead victim, aided in cases of their own."""
    mine = dossier.referral
    rule = verdict(JUDICIAL, JUDICIAL, rules=rulebook.coexistence, on=mine.concluded_on, scope=RuleScope.HOUSEHOLD)
    if mine.decision is not Decision.ASSIST or mine.withdrawn or rule is None:
        return
    for relative in dossier.kin:
        other = relative.referral
        if other.decision is not Decision.ASSIST or other.withdrawn or not later_of(mine, other):
            continue
        inputs = joined_inputs(dossier, aid_of(mine), aid_of(other), same_person=False, related=True)
        if judge(rule, inputs).in_doubt:
            yield doubt(
                "DUP_RELATIVES_SPLIT",
                "D03",
                referral_id=mine.referral_id,
                subject=other.referral_id,
                stake_fen=min(mine.decided_amount_fen, other.decided_amount_fen),
                must_act=mine.court,
                clock=answer_clock(dossier, rulebook, mine.accepted_at, as_of),
                decided_fen=mine.decided_amount_fen,
                other_decided_fen=other.decided_amount_fen,
                other_referral=other.referral_id,
                other_court=other.court,
                **basis(rule, inputs, rulebook),
            )


def household_granted_twice(dossier: Dossier, rulebook: Rulebook, as_of: datetime) -> Iterator[Finding]:
    """D08: what is granted to a household, granted to two of its people by two offices in one month."""
    own = list(grants_of(dossier.referral, dossier.needs, dossier.replies, rulebook))
    kinship = {one.referral_id: one.kinship for one in dossier.same_help.kin}
    for relative in dossier.kin:
        other = relative.referral
        if kinship.get(other.referral_id) is not Kinship.HOUSEHOLD or not later_of(dossier.referral, other):
            continue
        for theirs in grants_of(other, relative.needs, relative.replies, rulebook):
            for mine in own:
                rule = verdict(
                    mine.programme,
                    theirs.programme,
                    rules=rulebook.coexistence,
                    on=later_day(mine, theirs),
                    scope=RuleScope.HOUSEHOLD,
                )
                if rule is None:
                    continue
                inputs = inputs_of_grants(mine, theirs, dossier, rulebook, same_person=False, one_household=True)
                if judge(rule, inputs).in_doubt:
                    yield grants_doubt(
                        "DUP_SAME_PROGRAMME_PERIOD", "D08", rule, inputs, mine, theirs, dossier, rulebook, as_of
                    )


def shares_above_joint_aid(dossier: Dossier, rulebook: Rulebook, as_of: datetime) -> Iterator[Finding]:
    """D04: joint aid of two courts is one aid; the shares that are known come to no more than its decision."""
    mine = dossier.referral
    if (
        mine.joint_id is None
        or mine.joint_decided_fen is None
        or mine.decision is not Decision.ASSIST
        or mine.withdrawn
    ):
        return
    partners = [row.referral for row in relatives_of(dossier) if row.referral.joint_id == mine.joint_id]
    partners = [other for other in partners if other.decision is Decision.ASSIST]
    old = [one for one in dossier.same_help.ledger if one.joint_id == mine.joint_id and not is_this_aid(one, mine)]
    if not (partners or old) or any(later_of(other, mine) for other in partners):
        return
    shares = [
        mine.decided_amount_fen,
        *(other.decided_amount_fen for other in partners),
        *(one.amount_fen for one in old),
    ]
    if sum(shares) <= mine.joint_decided_fen:
        return
    yield doubt(
        "MM_AMOUNT",
        "D04",
        referral_id=mine.referral_id,
        subject=f"joint:{mine.joint_id}",
        stake_fen=sum(shares) - mine.joint_decided_fen,
        must_act=mine.court,
        clock=answer_clock(dossier, rulebook, mine.accepted_at, as_of),
        joint_id=mine.joint_id,
        joint_decided_fen=mine.joint_decided_fen,
        shares_fen=shares,
        other_referrals=[other.referral_id for other in partners],
    )


def advance_elsewhere(dossier: Dossier, rulebook: Rulebook, as_of: datetime) -> Iterator[Finding]:
    """D05: another referral of the same matter gave an advance and no aid; the aid decided here does not net it."""
    mine = dossier.referral
    if mine.decision is not Decision.ASSIST or mine.withdrawn:
        return
    matter = matter_of(numbers_of(mine.original_case_group), dossier.same_help.statements)
    for relative in relatives_of(dossier):
        other = relative.referral
        given = other.advance_fen if other.decision is not Decision.ASSIST else 0
        if given <= mine.advance_fen or matter.isdisjoint(numbers_of(other.original_case_group)):
            continue
        yield doubt(
            "DUP_ADVANCE_NOT_NETTED",
            "D05",
            referral_id=mine.referral_id,
            subject=other.referral_id,
            stake_fen=given - mine.advance_fen,
            must_act=mine.court,
            clock=answer_clock(dossier, rulebook, mine.accepted_at, as_of),
            decided_fen=mine.decided_amount_fen,
            advance_fen=mine.advance_fen,
            other_advance_fen=given,
            other_referral=other.referral_id,
            other_court=other.court,
        )


def paid_after_death(dossier: Dossier, rulebook: Rulebook, as_of: datetime) -> Iterator[Finding]:
    """A05: money for a time after a death that was told on this referral or on another of the same person."""
    replies = (*dossier.replies, *(reply for row in relatives_of(dossier) for reply in row.replies))
    deaths = [stop_day(reply) for reply in replies if reply.code == ReplyCode.DECEASED and reply.applied]
    if not deaths:
        return
    died = min(deaths)
    for need in dossier.needs:
        for paid in standing_payments(need, dossier.replies):
            if (paid.starts_on or china_day(paid.at)) > died:
                yield doubt(
                    "PAID_DECEASED",
                    "A05",
                    referral_id=need.referral_id,
                    need_id=need.need_id,
                    subject=paid.reply_id,
                    stake_fen=paid.amount_fen or 0,
                    must_act=paid.office,
                    clock=answer_clock(dossier, rulebook, paid.at, as_of),
                    programme=need.programme,
                    reply=paid.reply_id,
                    paid_at=paid.at,
                    died_on=died,
                )
    for payment in dossier.court_payments:
        if payment.paid_on > died:
            yield doubt(
                "PAID_DECEASED",
                "A05",
                referral_id=dossier.referral.referral_id,
                subject=payment.payment_id,
                stake_fen=payment.amount_fen,
                must_act=dossier.referral.court,
                clock=answer_clock(dossier, rulebook, start_of_china_day(payment.paid_on), as_of),
                payment=payment.payment_id,
                paid_on=payment.paid_on,
                died_on=died,
            )


def shared_account(dossier: Dossier, rulebook: Rulebook, as_of: datetime) -> Iterator[Finding]:
    """Money of two people who are nothing to each other went into one account; told once, on the later payment."""
    told: set[str] = set()
    plan = dossier.court_money.plan
    if plan is not None and plan.mode == _TRUSTEE:  # a trustee's account holds the money of many
        return
    for one in dossier.same_help.accounts:
        mine = next((paid for paid in dossier.court_payments if paid.payment_id == one.mine), None)
        if mine is None or one.related or one.person_key is None or one.key in told or not one.is_earlier:
            continue
        told.add(one.key)
        yield doubt(
            "SHARED_ACCOUNT",
            "A05",
            referral_id=dossier.referral.referral_id,
            subject=one.referral_id,
            stake_fen=mine.amount_fen,
            must_act=dossier.referral.court,
            clock=answer_clock(dossier, rulebook, start_of_china_day(mine.paid_on), as_of),
            account=one.key,
            payment=mine.payment_id,
            other_payment=one.payment_id,
            other_referral=one.referral_id,
        )


SAME_HELP: tuple[Check, ...] = (
    same_original_case,
    relatives_split,
    household_granted_twice,
    shares_above_joint_aid,
    advance_elsewhere,
    paid_after_death,
    shared_account,
)

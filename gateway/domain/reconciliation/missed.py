"""遗漏 Who was not helped in time: no assessment, no office, no receipt, no decision, no money, no reasons.

Rules: a need raises the first limit that has passed and no later one, so one delay is one finding; a limit that cannot
be told for want of a holiday notice is MISS_CLOCK_UNKNOWN and never counted as passed. Needs that are held, ended or
withdrawn wait for nobody here. Households and authorisations are `household`, help that broke off is `lapsed`.
"""

from collections.abc import Iterator
from datetime import datetime

from gateway.domain.lifecycle import OPEN_NEEDS, NeedState
from gateway.domain.reconciliation.clocks import (
    BOUNCES,
    DECISIONS,
    Clock,
    Waiting,
    applied_to,
    assessment_clock,
    running_clocks,
)
from gateway.domain.reconciliation.findings import (
    OPERATOR,
    doubt,
    handing_of,
    in_order,
    must_act_on,
    waits_for_material,
)
from gateway.domain.reconciliation.reminding import Standing, standing
from gateway.domain.reconciliation.values import Check, Dossier, Finding, NeedRow, ReplyRow, Rulebook
from gateway.domain.replies import ReplyCode

_CODE_OF = {
    Waiting.HANDOFF: "MISS_NO_RECEIPT",
    Waiting.RELAY: "MISS_NO_RECEIPT",
    Waiting.DELIVERY: "MISS_NO_RECEIPT",
    Waiting.DISPOSITION: "MISS_NO_DECISION",
    Waiting.DECISION: "MISS_NO_DECISION",
    Waiting.PAYMENT: "MISS_APPROVED_UNPAID",
    Waiting.REISSUE: "PAYMENT_RETURNED_OPEN",
}
_RULE_OF = {
    "MISS_NO_RECEIPT": "R07",
    "MISS_NO_DECISION": "R07",
    "MISS_FORWARDED_LOST": "R08",
    "MISS_RETURNED_NOT_RESUBMITTED": "R12",
    "MISS_APPROVED_UNPAID": "A05",
    "PAYMENT_RETURNED_OPEN": "A05",
}


def not_assessed(dossier: Dossier, rulebook: Rulebook, as_of: datetime) -> Iterator[Finding]:
    """R01: every concluded case, assisted or not, is assessed for social assistance in time."""
    referral = dossier.referral
    if referral.assessment is not None or referral.withdrawn:
        return
    clock = assessment_clock(dossier, rulebook, as_of)
    if clock is None or clock.past:
        yield doubt(
            "MISS_NO_ASSESSMENT",
            "R01",
            referral_id=referral.referral_id,
            must_act=referral.court,
            clock=clock,
            concluded_on=referral.concluded_on,
            decision=referral.decision.value,
        )


def unroutable(dossier: Dossier, rulebook: Rulebook, as_of: datetime) -> Iterator[Finding]:
    """R02: a need without an office is told at once, with the reason routing gave; its time runs all the same."""
    for need in dossier.needs:
        if need.unroutable is None or need.state not in OPEN_NEEDS:
            continue
        clocks = running_clocks(need, dossier, rulebook, as_of)
        yield doubt(
            "MISS_UNROUTABLE",
            "R02",
            referral_id=need.referral_id,
            need_id=need.need_id,
            subject=f"step-{need.step}",
            must_act=OPERATOR,
            clock=clocks[0] if clocks else None,
            programme=need.programme,
            reason=need.unroutable,
        )


def overdue(dossier: Dossier, rulebook: Rulebook, as_of: datetime) -> Iterator[Finding]:
    """The first limit a need has passed: receipt, answer, decision, money, money again."""
    for need in dossier.needs:
        if need.unroutable is not None and need.issued_at is None:
            continue
        clocks = running_clocks(need, dossier, rulebook, as_of)
        past = next((clock for clock in clocks if clock.past and clock.waits_for in _CODE_OF), None)
        if past is not None:
            yield _late(need, past, dossier, standing(need, dossier, rulebook, as_of))


def bounced(dossier: Dossier, rulebook: Rulebook, as_of: datetime) -> Iterator[Finding]:
    """推诿: the office says the need is not its business, and nobody else has it."""
    for need in dossier.needs:
        if need.state is not NeedState.DECLINED:
            continue
        clocks = running_clocks(need, dossier, rulebook, as_of)
        answers = [reply for reply in applied_to(need, dossier.replies) if reply.code in BOUNCES]
        last = answers[-1] if answers else None
        yield doubt(
            "MISS_BOUNCED",
            "R02",
            referral_id=need.referral_id,
            need_id=need.need_id,
            subject=handing_of(need),
            must_act=OPERATOR,
            clock=clocks[0] if clocks else None,
            programme=need.programme,
            office=need.office_id,
            answer=None if last is None else last.code,
            reply=None if last is None else last.reply_id,
            suggested_agency=None if last is None else last.suggested_agency,
            suggested_region=None if last is None else last.suggested_region,
            offices_that_declined=len({reply.office for reply in answers}) or None,
        )


def denied_without_reason(dossier: Dossier, _rulebook: Rulebook, _as_of: datetime) -> Iterator[Finding]:
    """R09: a denial needs a reason code and written text; the doubt ends with the next proper decision."""
    for need in dossier.needs:
        mine = in_order([reply for reply in dossier.replies if reply.need_id == need.need_id])
        bare = [reply for reply in mine if _is_bare_denial(reply)]
        if not bare or need.state is NeedState.ENTERED_IN_ERROR:
            continue
        last = bare[-1]
        if any(_is_proper_decision(reply) and reply.recorded_at >= last.recorded_at for reply in mine):
            continue
        yield doubt(
            "MISS_DENIED_NO_REASON",
            "R09",
            referral_id=need.referral_id,
            need_id=need.need_id,
            subject=last.handoff_id or handing_of(need),
            must_act=last.office,
            programme=need.programme,
            replies=[reply.reply_id for reply in bare],
            applied=last.applied,
            has_reason=last.reason is not None,
            has_text=last.has_text,
        )


def clock_unknown(dossier: Dossier, rulebook: Rulebook, as_of: datetime) -> Iterator[Finding]:
    """A limit ran into a year whose holiday notice is not loaded: said once per referral and year, never guessed."""
    clocks = [clock for need in dossier.needs for clock in running_clocks(need, dossier, rulebook, as_of)]
    if dossier.referral.assessment is None and not dossier.referral.withdrawn:
        assessment = assessment_clock(dossier, rulebook, as_of)
        clocks += [] if assessment is None else [assessment]
    unknown = [clock for clock in clocks if clock.past is None and clock.unpublished_year is not None]
    for year in sorted({clock.unpublished_year or 0 for clock in unknown}):
        yield doubt(
            "MISS_CLOCK_UNKNOWN",
            "R07",
            referral_id=dossier.referral.referral_id,
            subject=str(year),
            must_act=OPERATOR,
            calendar_unpublished=year,
            limits=sorted({clock.limit_id for clock in unknown if clock.unpublished_year == year}),
        )


MISSED: tuple[Check, ...] = (not_assessed, unroutable, overdue, bounced, denied_without_reason, clock_unknown)


def _late(need: NeedRow, clock: Clock, dossier: Dossier, told: Standing) -> Finding:
    replies = applied_to(need, dossier.replies)
    code = _CODE_OF[clock.waits_for]
    if code == "MISS_NO_DECISION" and waits_for_material(need, dossier.referral):
        code = "MISS_RETURNED_NOT_RESUBMITTED"
    elif code == "MISS_NO_DECISION" and replies and replies[-1].code == ReplyCode.FORWARDED:
        code = "MISS_FORWARDED_LOST"
    return doubt(
        code,
        _RULE_OF[code],
        referral_id=need.referral_id,
        need_id=need.need_id,
        subject=handing_of(need),
        stake_fen=need.approved_fen or 0,
        must_act=told.holder or must_act_on(clock, need, dossier.referral),
        clock=clock,
        programme=need.programme,
        office=need.office_id,
        reminders=told.reminders or None,
        escalated=told.level or None,
        escalated_to=told.holder,
        waits_for=clock.waits_for.value,
        last_reply=replies[-1].reply_id if replies else None,
    )


def _is_bare_denial(reply: ReplyRow) -> bool:
    if reply.problem == "denied_without_reason":
        return True
    return reply.applied and reply.code == ReplyCode.DENIED and (reply.reason is None or not reply.has_text)


def _is_proper_decision(reply: ReplyRow) -> bool:
    return reply.applied and reply.code in DECISIONS and not _is_bare_denial(reply)

"""法院资金与回访核查 The court's own money: visited in time, used for the beneficiary, near the standard.

Rules: a visit is due so long after the first payment of the court or the first help of an agency that no visit followed
(L16), or on the day the last visit named; money given out in parts or through others is accounted for (L40, R11); an
enforcement that succeeded later, or petitioning taken up again, is looked at once more (A06); a decision further from
the standard than its tolerance says why. Time the gateway did not know of a case does not count against anybody.
"""

from collections.abc import Iterator
from datetime import datetime

from gateway.domain.calendar import china_day, end_of_china_day
from gateway.domain.deadlines import find_limit
from gateway.domain.reconciliation.clocks import Clock, Waiting, answer_clock, read_clock, start_of_china_day
from gateway.domain.reconciliation.findings import doubt
from gateway.domain.reconciliation.rows_court import UseReportRow, VisitRow
from gateway.domain.reconciliation.values import Check, Dossier, Finding, Rulebook
from gateway.domain.standard import Circumstance, find_standard, recommend

COURT, ANY_PROGRAMME = "court", "*"
PAID_STEP, VISIT_STEP, DISBURSED_STEP, REPORT_STEP = "assistance_paid", "follow_up_visit", "disbursement", "use_report"
NEXT_VISIT = "next_visit_on"
AT_ONCE = "AT_ONCE"
MISUSE_SEEN = "MISUSE_SEEN"
CLAWBACK = frozenset({"ENFORCEMENT_SUCCEEDED", "PETITION_RESUMED"})


def follow_up_clock(dossier: Dossier, rulebook: Rulebook, as_of: datetime) -> Clock | None:
    """The time until the next return visit; None when none is due: nothing was given, or it was visited since."""
    visits = dossier.court_money.visits
    if dossier.referral.withdrawn:
        return None
    if visits and visits[-1].next_visit_on is not None:
        named = visits[-1].next_visit_on
        due_at = end_of_china_day(named)
        return Clock(
            waits_for=Waiting.FOLLOW_UP,
            limit_id=NEXT_VISIT,
            started_at=visits[-1].recorded_at,
            past=as_of > due_at,
            due_at=due_at,
        )
    last = max((visit.visited_on for visit in visits), default=None)
    since = min((moment for moment in helped(dossier) if last is None or china_day(moment) > last), default=None)
    return None if since is None else _clock(dossier, rulebook, as_of, since, Waiting.FOLLOW_UP, PAID_STEP, VISIT_STEP)


def use_report_clock(dossier: Dossier, rulebook: Rulebook, as_of: datetime) -> Clock | None:
    """The time until the next report of use; None where the money is given out at once or nothing was paid yet."""
    plan, paid = dossier.court_money.plan, dossier.court_payments
    if plan is None or plan.mode == AT_ONCE or not paid or dossier.referral.withdrawn:
        return None
    reports = dossier.court_money.use_reports
    if reports and _spent(reports) >= sum(payment.amount_fen for payment in paid):
        return None
    since = max(start_of_china_day(min(payment.paid_on for payment in paid)), plan.recorded_at)
    if reports:
        since = max(since, start_of_china_day(max(report.to_day for report in reports)))
    return _clock(dossier, rulebook, as_of, since, Waiting.USE_REPORT, DISBURSED_STEP, REPORT_STEP)


def visit_overdue(dossier: Dossier, rulebook: Rulebook, as_of: datetime) -> Iterator[Finding]:
    """A return visit that was not made in time."""
    clock = follow_up_clock(dossier, rulebook, as_of)
    if clock is not None and clock.past:
        visits = dossier.court_money.visits
        yield doubt(
            "MISS_FOLLOW_UP",
            "L16",
            referral_id=dossier.referral.referral_id,
            subject=f"visit-{len(visits) + 1}",
            must_act=dossier.referral.court,
            clock=clock,
            visits=len(visits),
            last_visit=visits[-1].visit_id if visits else None,
        )


def report_overdue(dossier: Dossier, rulebook: Rulebook, as_of: datetime) -> Iterator[Finding]:
    """Money given out in parts or through others, not accounted for in time."""
    clock = use_report_clock(dossier, rulebook, as_of)
    if clock is not None and clock.past:
        reports = dossier.court_money.use_reports
        plan = dossier.court_money.plan
        yield doubt(
            "MISS_USE_REPORT",
            "R11",
            referral_id=dossier.referral.referral_id,
            subject=f"report-{len(reports) + 1}",
            stake_fen=max(sum(one.amount_fen for one in dossier.court_payments) - _spent(reports), 0),
            must_act=dossier.referral.court,
            clock=clock,
            plan=None if plan is None else plan.plan_id,
            mode=None if plan is None else plan.mode,
        )


def misused(dossier: Dossier, rulebook: Rulebook, as_of: datetime) -> Iterator[Finding]:
    """R11: used for something else than planned, passed on or withheld, or more spent than was paid."""
    money, paid = dossier.court_money, sum(payment.amount_fen for payment in dossier.court_payments)
    for report in money.use_reports:
        stake = _misused_fen(report, dossier)
        if stake is not None:
            yield _misuse(dossier, rulebook, as_of, report.report_id, report.recorded_at, stake, report.irregularity)
    for visit in money.visits:
        if MISUSE_SEEN in visit.circumstances:
            yield _misuse(dossier, rulebook, as_of, visit.visit_id, visit.recorded_at, paid, MISUSE_SEEN)
    spent = _spent(money.use_reports)
    if money.use_reports and spent > paid:
        last = money.use_reports[-1].recorded_at
        yield _misuse(dossier, rulebook, as_of, "total", last, spent - paid, "MORE_THAN_PAID")


def clawback(dossier: Dossier, rulebook: Rulebook, as_of: datetime) -> Iterator[Finding]:
    """A06: enforcement succeeded after the aid, or petitioning was taken up again after an undertaking."""
    paid = sum(payment.amount_fen for payment in dossier.court_payments)
    for visit in dossier.court_money.visits:
        said = sorted(CLAWBACK.intersection(visit.circumstances))
        if said:
            yield doubt(
                "CLAWBACK_REVIEW",
                "A06",
                referral_id=dossier.referral.referral_id,
                subject=visit.visit_id,
                stake_fen=_clawback_fen(visit, paid),
                must_act=dossier.referral.court,
                clock=answer_clock(dossier, rulebook, visit.recorded_at, as_of),
                circumstances=said,
                recovered_fen=visit.recovered_fen,
                paid_fen=paid,
            )


def off_standard(dossier: Dossier, rulebook: Rulebook, as_of: datetime) -> Iterator[Finding]:
    """A decision further from the standard's amount than its tolerance, without a reason on file."""
    referral, found = dossier.referral, dossier.court_money.quantifications
    if not found or found[-1].has_reason or referral.cap_fen is None or not rulebook.cap_months:
        return
    given, standard = found[-1], find_standard(found[-1].standard, referral.concluded_on)
    if standard is None or ("base", referral.ground_code or "") not in standard.values:
        return
    said = recommend(
        standard,
        Circumstance(
            ground=referral.ground_code or "",
            hardship=given.hardship,
            dependants=given.dependants,
            loss_fen=given.loss_fen,
            recovered_fen=given.recovered_fen,
            wage_fen=referral.cap_fen // rulebook.cap_months,
            cap_fen=referral.cap_fen,
            balance_fen=referral.unenforced_balance_fen,
        ),
    )
    if said.needs_reason(referral.decided_amount_fen):
        yield doubt(
            "AMOUNT_OFF_STANDARD",
            "A01",
            referral_id=referral.referral_id,
            subject=given.quantification_id,
            stake_fen=abs(referral.decided_amount_fen - said.amount_fen),
            must_act=referral.court,
            clock=answer_clock(dossier, rulebook, given.recorded_at, as_of),
            standard=f"{said.standard}/{said.version}",
            decided_fen=referral.decided_amount_fen,
            recommended_fen=said.amount_fen,
            tolerance_percent=said.tolerance_percent,
            working=[[line.code, line.amount_fen] for line in said.lines],
        )


COURT_MONEY: tuple[Check, ...] = (visit_overdue, report_overdue, misused, clawback, off_standard)


def helped(dossier: Dossier) -> Iterator[datetime]:
    """When help came that a visit has to follow, as far as the gateway could know."""
    known = dossier.referral.accepted_at
    for payment in dossier.court_payments:
        yield max(start_of_china_day(payment.paid_on), known)
    for need in dossier.needs:
        if need.paid_at is not None:
            yield max(need.decided_at or need.paid_at, known)


def _clock(
    dossier: Dossier,
    rulebook: Rulebook,
    as_of: datetime,
    since: datetime,
    waits_for: Waiting,
    from_step: str,
    to_step: str,
) -> Clock | None:
    limit = find_limit(rulebook.limits, agency=COURT, programme=ANY_PROGRAMME, from_step=from_step, to_step=to_step)
    if limit is None:
        return None
    minor = dossier.referral.is_minor
    return read_clock(limit, since, as_of, minor=minor, rulebook=rulebook, waits_for=waits_for)


def _spent(reports: tuple[UseReportRow, ...]) -> int:
    return sum(amount for report in reports for _, amount in report.spent)


def _misused_fen(report: UseReportRow, dossier: Dossier) -> int | None:
    """What the report says was not used as it had to be; None when nothing."""
    plan = dossier.court_money.plan
    strange = sum(amount for purpose, amount in report.spent if plan is not None and purpose not in plan.purposes)
    if report.irregularity is not None:
        return max(report.irregular_fen or 0, strange)
    return strange or None


def _misuse(
    dossier: Dossier, rulebook: Rulebook, as_of: datetime, subject: str, since: datetime, stake: int, said: str | None
) -> Finding:
    plan = dossier.court_money.plan
    return doubt(
        "FUND_MISUSE",
        "R11",
        referral_id=dossier.referral.referral_id,
        subject=subject,
        stake_fen=stake,
        must_act=dossier.referral.court,
        clock=answer_clock(dossier, rulebook, since, as_of),
        irregularity=said or "NOT_IN_THE_PLAN",
        plan=None if plan is None else plan.plan_id,
    )


def _clawback_fen(visit: VisitRow, paid: int) -> int:
    return paid if visit.recovered_fen is None else min(paid, visit.recovered_fen)

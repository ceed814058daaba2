"""统计的读取 The rows a report counts, for the referrals concluded within its period; no name or number of anybody."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.lifecycle import FindingState
from gateway.domain.person import SpecificGroup
from gateway.domain.reconciliation.values import Dossier, NeedRow, ReplyRow, Rulebook
from gateway.domain.referral import Decision, ReferralAssessment, Urgency
from gateway.domain.report.exchange_counts import FollowUpCount
from gateway.domain.report.follow_up_section import follow_up_of
from gateway.domain.report.values import FindingCount, Narrowed, ReportRow
from gateway.store import amendments, dossiers
from gateway.store import tables as t
from gateway.store.amendments import KeptAmendment
from gateway.store.clock import from_ms, to_day
from gateway.store.dossiers import Days


@dataclass(frozen=True, kw_only=True)
class ReportRows:
    """What one report is made of."""

    referrals: list[ReportRow] = field(default_factory=list)
    needs: list[NeedRow] = field(default_factory=list)
    replies: list[ReplyRow] = field(default_factory=list)
    findings: list[FindingCount] = field(default_factory=list)
    follow_ups: list[FollowUpCount] = field(default_factory=list)


def read(
    connection: Connection,
    concluded: Days,
    narrowed: Narrowed,
    rulebook: Callable[[int], Rulebook],
    *,
    now: datetime,
) -> ReportRows:
    """Everything of the referrals concluded within these days that are asked for. Of one agency: the referrals that
    have a need of it, and those needs alone. rulebook: by the agreement version a referral came under."""
    found = ReportRows()
    for page in dossiers.pages(connection, courts=narrowed.courts, concluded=concluded):
        rows = [row for row in _referrals(connection, page) if _is_asked(row, narrowed)]
        known = [row.referral_id for row in rows]
        every = dossiers.read(connection, known, with_others=False)
        needs = [need for one in every for need in one.needs if narrowed.agency in (None, need.agency)]
        if narrowed.agency is not None:
            asked = {need.referral_id for need in needs}
            rows = [row for row in rows if row.referral_id in asked]
            known = [row.referral_id for row in rows]
        mine = {need.need_id for need in needs}
        replies = (reply for one in every for reply in one.replies)
        found.referrals.extend(rows)
        found.needs.extend(needs)
        found.replies.extend(reply for reply in replies if narrowed.agency is None or reply.need_id in mine)
        found.findings.extend(_findings(connection, known))
        found.follow_ups.extend(_follow_ups(connection, every, set(known), rulebook, now))
    return found


def _follow_ups(
    connection: Connection, every: list[Dossier], known: set[str], rulebook: Callable[[int], Rulebook], now: datetime
) -> Iterator[FollowUpCount]:
    versions = dossiers.agreement_rows(connection, list(known))
    for dossier in every:
        if dossier.referral.referral_id in known:
            found = follow_up_of(dossier, rulebook(versions[dossier.referral.referral_id]), now)
            if found is not None:
                yield found


def count(connection: Connection, concluded: Days, courts: Sequence[str] | None, *, most: int) -> int:
    """How many referrals were concluded within these days; counted up to `most`."""
    r = t.referrals.c
    asked = sa.select(r.row).where(r.concluded_on.between(concluded[0].isoformat(), concluded[1].isoformat()))
    if courts is not None:
        asked = asked.where(r.court.in_(courts))
    return connection.scalar(sa.select(sa.func.count()).select_from(asked.limit(most).subquery())) or 0


def _is_asked(row: ReportRow, narrowed: Narrowed) -> bool:
    return narrowed.case_type in (None, row.case_type) and (narrowed.group is None or narrowed.group in row.groups)


def _referrals(connection: Connection, page: list[str]) -> Iterator[ReportRow]:
    p = t.court_payments.c
    paid = (
        sa.select(p.referral_id, sa.func.min(p.paid_on).label("first_paid"))
        .where(p.referral_id.in_(page))
        .group_by(p.referral_id)
        .subquery()
    )
    r = t.referrals
    statement = (
        sa.select(r, paid.c.first_paid)
        .select_from(r.outerjoin(paid, paid.c.referral_id == r.c.referral_id))
        .where(r.c.referral_id.in_(page))
        .order_by(r.c.row)
    )
    amended = amendments.newest(connection, page)
    for row in connection.execute(statement).mappings():
        yield _row(row, amended.get(row["referral_id"]))


def _row(row: sa.RowMapping, amended: KeptAmendment | None) -> ReportRow:
    return ReportRow(
        referral_id=row["referral_id"],
        court=row["court"],
        case_number=row["case_number"],
        case_type=row["case_type"],
        decision=Decision(row["decision"]),
        decided_amount_fen=row["decided_amount_fen"],
        concluded_on=date.fromisoformat(row["concluded_on"]),
        ground_code=row["ground_code"],
        refusal_code=row["refusal_code"],
        assessment=ReferralAssessment(row["assessment"]) if row["assessment"] else None,
        groups=frozenset(SpecificGroup(word) for word in row["groups"].split()),
        is_minor=bool(row["is_minor"]),
        urgency=Urgency(row["urgency"]),
        custody=bool(row["has_custody"]) if amended is None else amended.has_custody,
        paid_on=to_day(row["first_paid"]),
        person_ref=row["person_key"],
        accepted_at=from_ms(row["accepted_at"]),
        id_type=row["id_type"],
        has_birth_date=bool(row["has_birth_date"]),
        has_region=row["region"] is not None,
        synthetic=bool(row["synthetic"]),
        withdrawn=row["withdrawn_at"] is not None,
    )


def _findings(connection: Connection, page: list[str]) -> Iterator[FindingCount]:
    f, r = t.findings.c, t.referrals.c
    statement = (
        sa.select(f.code, f.state, f.stake_fen, f.decided_as, r.groups)
        .select_from(t.findings.join(t.referrals, r.referral_id == f.referral_id))
        .where(f.referral_id.in_(page))
        .order_by(f.row)
    )
    for row in connection.execute(statement):
        yield FindingCount(
            code=row.code,
            state=FindingState(row.state),
            stake_fen=row.stake_fen,
            disposition=row.decided_as,
            groups=frozenset(SpecificGroup(word) for word in row.groups.split()),
        )

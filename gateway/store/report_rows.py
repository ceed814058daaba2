"""统计的读取 The rows a report counts, for the referrals concluded within its period; no name or number of anybody."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.lifecycle import FindingState
from gateway.domain.person import SpecificGroup
from gateway.domain.reconciliation.values import NeedRow, ReplyRow
from gateway.domain.referral import Decision, ReferralAssessment, Urgency
from gateway.domain.report.values import FindingCount, ReportRow
from gateway.store import dossiers
from gateway.store import tables as t
from gateway.store.clock import from_ms, to_day
from gateway.store.dossiers import Days


@dataclass(frozen=True, kw_only=True)
class ReportRows:
    """What one report is made of."""

    referrals: list[ReportRow]
    needs: list[NeedRow]
    replies: list[ReplyRow]
    findings: list[FindingCount]


def read(connection: Connection, concluded: Days, *, court: str | None = None) -> ReportRows:
    """Everything of the referrals concluded within these days (of one court, where one is named)."""
    found = ReportRows(referrals=[], needs=[], replies=[], findings=[])
    for page in dossiers.pages(connection, court=court, concluded=concluded):
        found.referrals.extend(_referrals(connection, page))
        for dossier in dossiers.read(connection, page, with_others=False):
            found.needs.extend(dossier.needs)
            found.replies.extend(dossier.replies)
        found.findings.extend(_findings(connection, page))
    return found


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
    for row in connection.execute(statement).mappings():
        yield _row(row)


def _row(row: sa.RowMapping) -> ReportRow:
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
        custody=bool(row["has_custody"]),
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

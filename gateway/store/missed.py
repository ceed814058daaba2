"""遗漏清单的读取 Open findings of people who were not helped, with what the list says of each."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.lifecycle import FindingState
from gateway.store import tables as t
from gateway.store.clock import from_ms

_OPEN = (FindingState.OPEN.value, FindingState.ASSIGNED.value)
_F, _R, _N = t.findings.c, t.referrals.c, t.needs.c


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenMiss:
    """One open finding. court None: it belongs to no referral."""

    code: str
    referral_id: str | None
    need_id: str | None
    subject: str
    court: str | None
    programme: str | None
    must_act: str
    is_minor: bool
    evidence: dict[str, Any]
    due_at: datetime | None
    opened_at: datetime


def open_misses(connection: Connection, codes: Collection[str], *, court: str | None) -> list[OpenMiss]:
    """Oldest first. court: its own referrals and what waits for it; None: all."""
    joined = t.findings.outerjoin(t.referrals, _R.referral_id == _F.referral_id)
    joined = joined.outerjoin(t.needs, _N.need_id == _F.need_id)
    statement = (
        sa.select(t.findings, _R.court, _R.is_minor, _N.programme)
        .select_from(joined)
        .where(_F.code.in_(codes), _F.state.in_(_OPEN))
        .order_by(_F.row)
    )
    if court is not None:
        statement = statement.where(sa.or_(_R.court == court, _F.must_act == court))
    return [_read(row) for row in connection.execute(statement).mappings()]


def _read(row: sa.RowMapping) -> OpenMiss:
    due_at = row["due_at"]
    return OpenMiss(
        code=row["code"],
        referral_id=row["referral_id"],
        need_id=row["need_id"],
        subject=row["subject"],
        court=row["court"],
        programme=row["programme"],
        must_act=row["must_act"],
        is_minor=bool(row["is_minor"]),
        evidence=json.loads(row["evidence"]),
        due_at=None if due_at is None else from_ms(due_at),
        opened_at=from_ms(row["opened_at"]),
    )

"""双人审批的存取 What one person asked for and a second grants, refuses, or lets lapse."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.envelope.message import new_id
from gateway.store import tables as t
from gateway.store.clock import from_ms, to_ms

_P = t.approvals.c


class ApprovalState(StrEnum):
    """审批状态"""

    ASKED = "asked"
    GRANTED = "granted"
    REFUSED = "refused"
    USED = "used"


@dataclass(frozen=True, kw_only=True, slots=True)
class Approval:
    """One request. what: e.g. `register_key`; ends_at: after that it can neither be granted nor used."""

    approval_id: str
    what: str
    subject: str
    fields: Mapping[str, Any]
    asked_by: str
    asked_at: datetime
    why: str
    state: ApprovalState
    ends_at: datetime
    decided_by: str | None = None
    decided_at: datetime | None = None
    decided_why: str | None = None


def put(
    connection: Connection,
    *,
    what: str,
    subject: str,
    fields: Mapping[str, Any],
    who: str,
    why: str,
    ends_at: datetime,
    now: datetime,
) -> str:
    """A request; its id."""
    approval_id = new_id(now)
    connection.execute(
        t.approvals.insert().values(
            approval_id=approval_id,
            what=what,
            subject=subject,
            fields=json.dumps(fields, ensure_ascii=False, sort_keys=True),
            asked_by=who,
            asked_at=to_ms(now),
            why=why,
            state=ApprovalState.ASKED.value,
            ends_at=to_ms(ends_at),
        )
    )
    return approval_id


def find(connection: Connection, approval_id: str, *, lock: bool = False) -> Approval | None:
    """One request."""
    statement = sa.select(t.approvals).where(_P.approval_id == approval_id)
    row = connection.execute(statement.with_for_update() if lock else statement).mappings().first()
    return None if row is None else _approval(row)


def granted(connection: Connection, *, what: str, subject: str, asked_by: str, now: datetime) -> Approval | None:
    """The newest request of this person for this thing that was granted and may still be used."""
    statement = (
        sa.select(t.approvals)
        .where(
            _P.what == what,
            _P.subject == subject,
            _P.asked_by == asked_by,
            _P.state == ApprovalState.GRANTED.value,
            _P.ends_at > to_ms(now),
        )
        .order_by(_P.asked_at.desc())
        .limit(1)
    )
    row = connection.execute(statement).mappings().first()
    return None if row is None else _approval(row)


def listed(
    connection: Connection,
    whats: Collection[str],
    *,
    state: ApprovalState | None = None,
    asked_by: str | None = None,
    ends_after: datetime | None = None,
    limit: int = 200,
) -> list[Approval]:
    """Requests of these kinds, newest first. asked_by: one person's; ends_after: those whose time is not over then."""
    statement = sa.select(t.approvals).where(_P.what.in_(list(whats))).order_by(_P.asked_at.desc()).limit(limit)
    if state is not None:
        statement = statement.where(_P.state == state.value)
    if asked_by is not None:
        statement = statement.where(_P.asked_by == asked_by)
    if ends_after is not None:
        statement = statement.where(_P.ends_at > to_ms(ends_after))
    return [_approval(row) for row in connection.execute(statement).mappings()]


def settle(
    connection: Connection, approval_id: str, state: ApprovalState, *, who: str | None, why: str | None, now: datetime
) -> None:
    """Granted, refused, or used up."""
    values: dict[str, Any] = {"state": state.value}
    if who is not None:
        values |= {"decided_by": who, "decided_at": to_ms(now), "decided_why": why}
    connection.execute(t.approvals.update().where(_P.approval_id == approval_id).values(**values))


def _approval(row: sa.RowMapping) -> Approval:
    return Approval(
        approval_id=row["approval_id"],
        what=row["what"],
        subject=row["subject"],
        fields=json.loads(row["fields"]),
        asked_by=row["asked_by"],
        asked_at=from_ms(row["asked_at"]),
        why=row["why"],
        state=ApprovalState(row["state"]),
        ends_at=from_ms(row["ends_at"]),
        decided_by=row["decided_by"],
        decided_at=None if row["decided_at"] is None else from_ms(row["decided_at"]),
        decided_why=row["decided_why"],
    )

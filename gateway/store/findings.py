"""疑点的存取 Findings keyed by what they are about: a second run finds the same rows and changes nothing.

A finding that a later run no longer sees is closed as `cured`; one that comes back is reopened visibly. What a person
decided is never overwritten by a run.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.lifecycle import FINDING, FindingState
from gateway.domain.reconciliation.values import Finding
from gateway.store import tables as t
from gateway.store.clock import from_ms, to_ms

CURED = "cured"
DOSSIER, EXCHANGE = "dossier", "exchange"
"""Origins: what the checks of one referral find, and what belongs to the exchange as a whole."""
_OPEN = (FindingState.OPEN.value, FindingState.ASSIGNED.value)


@dataclass(frozen=True, kw_only=True, slots=True)
class Changes:
    """What a run changed."""

    opened: int = 0
    reopened: int = 0
    closed: int = 0
    unchanged: int = 0

    def __add__(self, other: "Changes") -> "Changes":
        return Changes(
            opened=self.opened + other.opened,
            reopened=self.reopened + other.reopened,
            closed=self.closed + other.closed,
            unchanged=self.unchanged + other.unchanged,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """疑点 as it stands on file."""

    finding: Finding
    rulebook: str
    state: FindingState
    opened_at: datetime
    closed_at: datetime | None
    closed_because: str | None


def settle(
    connection: Connection,
    referral_ids: Sequence[str | None],
    found: Sequence[tuple[Finding, str]],
    *,
    now: datetime,
    origin: str = DOSSIER,
) -> Changes:
    """Makes the file of these referrals (None: of what belongs to no referral) say what was found: (finding, rulebook
    version). Findings of another origin are left alone. Returns what changed."""
    f = t.findings.c
    about = sa.or_(f.referral_id.in_([key for key in referral_ids if key is not None]), _no_referral(referral_ids))
    return settle_where(connection, sa.and_(f.origin == origin, about), found, now=now, origin=origin)


def settle_where(
    connection: Connection,
    scope: sa.ColumnElement[bool],
    found: Sequence[tuple[Finding, str]],
    *,
    now: datetime,
    origin: str,
) -> Changes:
    """The same for any scope of the table, as the run that knows it says."""
    on_file = {row["key"]: row for row in connection.execute(sa.select(t.findings).where(scope)).mappings()}
    now_seen = {finding.key: (finding, version) for finding, version in found}
    fresh = [_row(finding, version, now, origin) for key, (finding, version) in now_seen.items() if key not in on_file]
    if fresh:
        connection.execute(t.findings.insert(), fresh)
    reopened = [
        key
        for key in now_seen
        if key in on_file
        and on_file[key]["state"] == FindingState.CLOSED.value
        and on_file[key]["closed_because"] == CURED
    ]
    cured = [key for key, row in on_file.items() if key not in now_seen and row["state"] in _OPEN]
    _close(connection, cured, now)
    _reopen(connection, reopened)
    unchanged = len(now_seen) - len(fresh) - len(reopened)
    return Changes(opened=len(fresh), reopened=len(reopened), closed=len(cured), unchanged=unchanged)


def open_now(
    connection: Connection, found: Sequence[tuple[Finding, str]], *, now: datetime, origin: str = EXCHANGE
) -> None:
    """Puts what was found on file before the next run comes to it; nothing else is closed or changed."""
    f = t.findings.c
    now_seen = {finding.key: (finding, version) for finding, version in found}
    if not now_seen:
        return
    rows = connection.execute(sa.select(f.key, f.state, f.closed_because).where(f.key.in_(list(now_seen)))).all()
    on_file = {row.key: row for row in rows}
    fresh = [_row(finding, version, now, origin) for key, (finding, version) in now_seen.items() if key not in on_file]
    if fresh:
        connection.execute(t.findings.insert(), fresh)
    closed = FindingState.CLOSED.value
    _reopen(connection, [row.key for row in rows if row.state == closed and row.closed_because == CURED])


def _no_referral(referral_ids: Sequence[str | None]) -> sa.ColumnElement[bool]:
    return t.findings.c.referral_id.is_(None) if None in referral_ids else sa.false()


def _close(connection: Connection, keys: Sequence[str], now: datetime) -> None:
    if keys:
        FINDING.move(FindingState.OPEN, FindingState.CLOSED)
        connection.execute(
            t.findings.update()
            .where(t.findings.c.key.in_(keys))
            .values(state=FindingState.CLOSED.value, closed_at=to_ms(now), closed_because=CURED)
        )


def _reopen(connection: Connection, keys: Sequence[str]) -> None:
    if keys:
        FINDING.move(FindingState.CLOSED, FindingState.OPEN)
        connection.execute(
            t.findings.update()
            .where(t.findings.c.key.in_(keys))
            .values(state=FindingState.OPEN.value, closed_at=None, closed_because=None)
        )


def _row(finding: Finding, version: str, now: datetime, origin: str) -> dict[str, Any]:
    return {
        "key": finding.key,
        "origin": origin,
        "code": finding.code,
        "rule_id": finding.rule_id,
        "rulebook": version,
        "referral_id": finding.referral_id,
        "need_id": finding.need_id,
        "subject": finding.subject,
        "evidence": json.dumps(finding.evidence, ensure_ascii=False, sort_keys=True, default=str),
        "stake_fen": finding.stake_fen,
        "must_act": finding.must_act,
        "due_at": to_ms(finding.due_at),
        "state": FindingState.OPEN.value,
        "opened_at": to_ms(now),
    }


def listed(connection: Connection, *, only_open: bool = True, code: str | None = None, limit: int = 1000) -> list[Kept]:
    """Findings on file, oldest first."""
    f = t.findings.c
    statement = sa.select(t.findings).order_by(f.row).limit(limit)
    if only_open:
        statement = statement.where(f.state.in_(_OPEN))
    if code is not None:
        statement = statement.where(f.code == code)
    return [_kept(row) for row in connection.execute(statement).mappings()]


def open_counts(connection: Connection) -> dict[str, int]:
    """Open findings by code."""
    f = t.findings.c
    statement = sa.select(f.code, sa.func.count()).where(f.state.in_(_OPEN)).group_by(f.code).order_by(f.code)
    return {row[0]: row[1] for row in connection.execute(statement)}


def _kept(row: sa.RowMapping) -> Kept:
    return Kept(
        finding=Finding(
            code=row["code"],
            rule_id=row["rule_id"],
            referral_id=row["referral_id"],
            need_id=row["need_id"],
            subject=row["subject"],
            evidence=json.loads(row["evidence"]),
            stake_fen=row["stake_fen"],
            must_act=row["must_act"],
            due_at=from_ms(row["due_at"]),
        ),
        rulebook=row["rulebook"],
        state=FindingState(row["state"]),
        opened_at=from_ms(row["opened_at"]),
        closed_at=from_ms(row["closed_at"]),
        closed_because=row["closed_because"],
    )

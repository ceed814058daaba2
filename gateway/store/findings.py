"""疑点的存取 Findings keyed by what they are about: a second run finds the same rows and changes nothing.

A finding that a later run no longer sees is closed as `cured`; one that comes back is reopened visibly. What a person
decided is never overwritten by a run: the same evidence leaves it alone for ever, other evidence reopens it and says
so, and what it had said before is kept (`finding_changes`).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.lifecycle import FINDING, FindingState
from gateway.domain.reconciliation.evidence import FindingDecision, digest_of, evidence_digest
from gateway.domain.reconciliation.values import Finding
from gateway.store import finding_courts
from gateway.store import tables as t
from gateway.store.clock import from_ms, to_ms

CURED = "cured"
DOSSIER, EXCHANGE, STATEMENT = "dossier", "exchange", "statement"
"""Origins: what the checks of one referral find, what belongs to the exchange as a whole, what statements lead to."""
OF_STATEMENT = "|"
"""Stands between a statement's name and what else the subject of its finding says."""
_OPEN = (FindingState.OPEN.value, FindingState.ASSIGNED.value)
UNDECIDED: Mapping[str, Any] = {
    "closed_at": None,
    "closed_because": None,
    "assigned_to": None,
    "assigned_due_at": None,
    "decided_as": None,
    "decision_id": None,
    "recovered_fen": None,
}
"""The columns of a finding that is open again."""


AnyRow = Mapping[str, Any] | sa.RowMapping


class Change(StrEnum):
    """Why what a finding said, or what was decided of it, is no longer so."""

    EVIDENCE = "evidence"
    """A run saw other evidence of what nobody had decided yet."""
    NEW_EVIDENCE = "new_evidence"
    """A run saw other evidence of what was decided: it is open again."""
    CAME_BACK = "came_back"
    """It had been cured."""
    REOPENED = "reopened"
    """A person opened it again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Changes:
    """What a run changed."""

    opened: int = 0
    reopened: int = 0
    closed: int = 0
    unchanged: int = 0
    updated: int = 0
    """Undecided ones of which other evidence was seen."""

    def __add__(self, other: "Changes") -> "Changes":
        return Changes(
            opened=self.opened + other.opened,
            reopened=self.reopened + other.reopened,
            closed=self.closed + other.closed,
            unchanged=self.unchanged + other.unchanged,
            updated=self.updated + other.updated,
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
    assigned_to: str | None = None
    assigned_due_at: datetime | None = None
    decided_as: FindingDecision | None = None
    recovered_fen: int | None = None


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
    changes = _see(connection, on_file, now_seen, now=now, origin=origin)
    cured = [key for key, row in on_file.items() if key not in now_seen and row["state"] in _OPEN]
    _close(connection, cured, now)
    return changes + Changes(closed=len(cured))


def open_now(
    connection: Connection, found: Sequence[tuple[Finding, str]], *, now: datetime, origin: str = EXCHANGE
) -> None:
    """Puts what was found on file before the next run comes to it; nothing else is closed or changed."""
    now_seen = {finding.key: (finding, version) for finding, version in found}
    if now_seen:
        statement = sa.select(t.findings).where(t.findings.c.key.in_(list(now_seen)))
        on_file = {row["key"]: row for row in connection.execute(statement).mappings()}
        _see(connection, on_file, now_seen, now=now, origin=origin)


def _see(
    connection: Connection,
    on_file: Mapping[str, sa.RowMapping],
    now_seen: Mapping[str, tuple[Finding, str]],
    *,
    now: datetime,
    origin: str,
) -> Changes:
    """New ones are opened; of those on file the evidence is compared."""
    fresh = [_row(finding, version, now, origin) for key, (finding, version) in now_seen.items() if key not in on_file]
    if fresh:
        of = finding_courts.of(connection, [now_seen[row["key"]][0] for row in fresh])
        connection.execute(t.findings.insert(), [row | of[row["key"]] for row in fresh])
    changed, told = _Changed(connection), {"updated": 0, "reopened": 0}
    for key in now_seen.keys() & on_file.keys():
        before, seen = on_file[key], _evidence(*now_seen[key])
        change = _change(before, str(seen["evidence_digest"]))
        if change is None:
            if before["state"] in _OPEN and any(before[name] != value for name, value in seen.items()):
                changed.rows.append({"b_key": key, **_kept(before), **seen})
            continue
        changed.told.append(_told(before, change, now))
        reopens = change is not Change.EVIDENCE
        changed.rows.append({"b_key": key, **(_reopened(before) if reopens else _kept(before)), **seen})
        told["reopened" if reopens else "updated"] += 1
    changed.write()
    return Changes(opened=len(fresh), unchanged=len(now_seen) - len(fresh) - sum(told.values()), **told)


def _change(before: sa.RowMapping, digest: str) -> Change | None:
    """What the evidence of this run changes about a finding on file; None: nothing."""
    if before["state"] == FindingState.CLOSED.value and before["closed_because"] == CURED:
        return Change.CAME_BACK
    if digest_on_file(before) == digest:
        return None
    return Change.EVIDENCE if before["state"] in _OPEN else Change.NEW_EVIDENCE


def digest_on_file(row: AnyRow) -> str:
    """Of a finding's evidence as it stands; one kept before digests were is computed."""
    return row["evidence_digest"] or evidence_digest(row["rule_id"], json.loads(row["evidence"]), row["stake_fen"])


class _Changed:
    """Rows to write, and what they had said."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.rows: list[dict[str, Any]] = []
        self.told: list[dict[str, Any]] = []

    def write(self) -> None:
        """All of them."""
        if self.told:
            self._connection.execute(t.finding_changes.insert(), self.told)
        if self.rows:
            self._connection.execute(_UPDATE, self.rows)


_EVIDENCE = ("rule_id", "rulebook", "evidence", "evidence_digest", "stake_fen", "must_act", "due_at")
_UPDATE = (
    t.findings.update()
    .where(t.findings.c.key == sa.bindparam("b_key"))
    .values({name: sa.bindparam(name) for name in (*_EVIDENCE, "state", *UNDECIDED)})
)


def _kept(before: AnyRow) -> dict[str, Any]:
    return {name: before[name] for name in ("state", *UNDECIDED)}


def _reopened(before: AnyRow) -> dict[str, Any]:
    FINDING.move(FindingState(before["state"]), FindingState.OPEN)
    return {"state": FindingState.OPEN.value, **UNDECIDED}


def _told(before: AnyRow, change: Change, now: datetime) -> dict[str, Any]:
    """What a finding said until now."""
    return {
        "finding_key": before["key"],
        "at": to_ms(now),
        "what": change.value,
        "evidence": before["evidence"],
        "evidence_digest": digest_on_file(before),
        "stake_fen": before["stake_fen"],
        "state": before["state"],
        "decided_as": before["decided_as"],
    }


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


def _row(finding: Finding, version: str, now: datetime, origin: str) -> dict[str, Any]:
    return {
        "key": finding.key,
        "origin": origin,
        "code": finding.code,
        "referral_id": finding.referral_id,
        "need_id": finding.need_id,
        "subject": finding.subject,
        "of_statement": finding.subject.partition(OF_STATEMENT)[0] if origin == STATEMENT else None,
        "state": FindingState.OPEN.value,
        "opened_at": to_ms(now),
        **_evidence(finding, version),
    }


def _evidence(finding: Finding, version: str) -> dict[str, Any]:
    """What a run says of a finding."""
    return {
        "rule_id": finding.rule_id,
        "rulebook": version,
        "evidence": json.dumps(finding.evidence, ensure_ascii=False, sort_keys=True, default=str),
        "evidence_digest": digest_of(finding),
        "stake_fen": finding.stake_fen,
        "must_act": finding.must_act,
        "due_at": to_ms(finding.due_at),
    }


def listed(connection: Connection, *, only_open: bool = True, code: str | None = None, limit: int = 1000) -> list[Kept]:
    """Findings on file, oldest first."""
    f = t.findings.c
    statement = sa.select(t.findings).order_by(f.row).limit(limit)
    if only_open:
        statement = statement.where(f.state.in_(_OPEN))
    if code is not None:
        statement = statement.where(f.code == code)
    return [kept_of(row) for row in connection.execute(statement).mappings()]


def of_referral(connection: Connection, referral_id: str) -> list[Kept]:
    """Every finding about one referral, open and closed, oldest first."""
    statement = sa.select(t.findings).where(t.findings.c.referral_id == referral_id).order_by(t.findings.c.row)
    return [kept_of(row) for row in connection.execute(statement).mappings()]


def open_counts(connection: Connection, *, origin: str | None = None) -> dict[str, int]:
    """Open findings by code, of one origin or of all."""
    f = t.findings.c
    statement = sa.select(f.code, sa.func.count()).where(f.state.in_(_OPEN)).group_by(f.code).order_by(f.code)
    if origin is not None:
        statement = statement.where(f.origin == origin)
    return {row[0]: row[1] for row in connection.execute(statement)}


def kept_of(row: AnyRow) -> Kept:
    """A row as a value."""
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
        assigned_to=row["assigned_to"],
        assigned_due_at=from_ms(row["assigned_due_at"]),
        decided_as=FindingDecision(row["decided_as"]) if row["decided_as"] else None,
        recovered_fen=row["recovered_fen"],
    )

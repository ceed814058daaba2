"""催办的读取 Reminders as our own messages say them, and findings on file that say who has to act by now."""

import json
from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.lifecycle import FindingState
from gateway.domain.reconciliation.rows_reminders import ReminderRow, read_effect
from gateway.domain.reconciliation.values import Finding
from gateway.store import tables as t
from gateway.store.clock import from_ms, to_ms
from gateway.store.prepared import among, ids

REMINDER_TYPE = "handoff.reminder"
_OPEN = (FindingState.OPEN.value, FindingState.ASSIGNED.value)
_O, _F = t.outbox.c, t.findings.c


def said(connection: Connection, referral_ids: Iterable[str]) -> dict[str, tuple[ReminderRow, ...]]:
    """By referral, oldest first."""
    found: dict[str, list[ReminderRow]] = {}
    for row in connection.execute(_SAID, ids(set(referral_ids))):
        read = read_effect(row.effect_key.removeprefix(f"{REMINDER_TYPE}:"), from_ms(row.created_at))
        if read is not None:
            found.setdefault(row.referral_id, []).append(read)
    return {key: tuple(rows) for key, rows in found.items()}


_SAID = (
    sa.select(_O.referral_id, _O.effect_key, _O.created_at)
    .where(among(_O.referral_id), _O.type == REMINDER_TYPE)
    .order_by(_O.row)
)


def show(connection: Connection, found: Sequence[Finding]) -> int:
    """Open findings say what is found now (who has to act, reminders sent), not what was when they opened; how many
    changed."""
    wanted = {finding.key: finding for finding in found}
    if not wanted:
        return 0
    changes = []
    for row in connection.execute(_ON_FILE, ids(wanted)):
        finding = wanted[row.key]
        evidence = json.dumps(finding.evidence, ensure_ascii=False, sort_keys=True, default=str)
        due_at = to_ms(finding.due_at)
        if (row.evidence, row.must_act, row.due_at) != (evidence, finding.must_act, due_at):
            changes.append({"b_key": row.key, "evidence": evidence, "must_act": finding.must_act, "due_at": due_at})
    if changes:
        connection.execute(_SHOW, changes)
    return len(changes)


_ON_FILE = sa.select(_F.key, _F.evidence, _F.must_act, _F.due_at).where(among(_F.key), _F.state.in_(_OPEN))
_SHOW = (
    t.findings.update()
    .where(_F.key == sa.bindparam("b_key"))
    .values(
        evidence=sa.bindparam("evidence"),
        must_act=sa.bindparam("must_act"),
        due_at=sa.bindparam("due_at"),
    )
)

"""催办的读取 Reminders as our own messages say them: there is no table of them beside the outbox."""

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.reconciliation.rows_reminders import ReminderRow, read_effect
from gateway.store import tables as t
from gateway.store.clock import from_ms
from gateway.store.prepared import among, ids

REMINDER_TYPE = "handoff.reminder"
_O = t.outbox.c


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

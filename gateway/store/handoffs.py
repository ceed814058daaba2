"""转办的存取 Handoffs as the gateway remembers them: what was sent to whom, for which needs, under which message."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.lifecycle import HandoffState
from gateway.store import tables as t
from gateway.store.clock import from_ms
from gateway.store.prepared import among, ids


@dataclass(frozen=True, kw_only=True, slots=True)
class SentRow:
    """One handoff with the digest of its message. needs: (need id, programme)."""

    handoff_id: str
    message_id: str
    digest: str
    referral_id: str
    office_id: str
    agency: str
    step: int
    state: str
    needs: tuple[tuple[str, str], ...]
    echo_key: str | None
    issued_at: datetime


def put(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes new handoffs; the same referral version, office and step twice fails the transaction."""
    if rows:
        connection.execute(_INSERT, list(rows))


def sent(connection: Connection, message_ids: Iterable[str]) -> dict[str, SentRow]:
    """Handoffs by the id of any message that left about them; each with that message's own digest."""
    return {row.message_id: row for row in _read(connection, _SENT, ids(set(message_ids)))}


def sent_now(connection: Connection, rows: Iterable[SentRow]) -> list[SentRow]:
    """The same handoffs as they stand inside this transaction."""
    return by_id(connection, {row.handoff_id for row in rows})


def by_id(connection: Connection, handoff_ids: Iterable[str]) -> list[SentRow]:
    """Handoffs by their own ids, under the message they were issued with."""
    wanted = set(handoff_ids)
    return _read(connection, _BY_ID, ids(wanted)) if wanted else []


def of_referral(connection: Connection, referral_id: str) -> list[SentRow]:
    """Every handoff of one referral, in order, under the message it was issued with."""
    return _read(connection, _OF_REFERRAL, ids([referral_id]))


def save_states(connection: Connection, states: Mapping[str, HandoffState]) -> None:
    """Writes changed states by handoff id."""
    if states:
        rows = [{"b_handoff_id": key, "b_state": state.value} for key, state in states.items()]
        connection.execute(_SAVE_STATE, rows)


def park(connection: Connection, reasons: Mapping[str, str]) -> None:
    """Notes why handoffs were parked or refused, by handoff id."""
    if reasons:
        connection.execute(_PARK, [{"b_handoff_id": key, "b_reason": reason} for key, reason in reasons.items()])


_INSERT = t.handoffs.insert()
_ONE = t.handoffs.update().where(t.handoffs.c.handoff_id == sa.bindparam("b_handoff_id"))
_SAVE_STATE = _ONE.values(state=sa.bindparam("b_state"))
_PARK = _ONE.values(parked_reason=sa.bindparam("b_reason"))
_JOINED = (
    sa.select(t.handoffs, t.outbox.c.digest, t.outbox.c.message_id.label("named_message_id"))
    .join(t.outbox, t.outbox.c.handoff_id == t.handoffs.c.handoff_id)
    .order_by(t.handoffs.c.row)
)
_ISSUED = t.outbox.c.message_id == t.handoffs.c.message_id
_SENT = _JOINED.where(among(t.outbox.c.message_id))
_BY_ID = _JOINED.where(among(t.handoffs.c.handoff_id), _ISSUED)
_OF_REFERRAL = _JOINED.where(among(t.handoffs.c.referral_id), _ISSUED)


def _read(connection: Connection, statement: sa.Select[Any], wanted: Mapping[str, Any]) -> list[SentRow]:
    rows = connection.execute(statement, wanted)
    return [
        SentRow(
            handoff_id=row.handoff_id,
            message_id=row.named_message_id,
            digest=row.digest,
            referral_id=row.referral_id,
            office_id=row.office_id,
            agency=row.agency,
            step=row.step,
            state=row.state,
            needs=tuple((need_id, programme) for need_id, programme in json.loads(row.need_ids)),
            echo_key=row.echo_key,
            issued_at=from_ms(row.issued_at),
        )
        for row in rows
    ]

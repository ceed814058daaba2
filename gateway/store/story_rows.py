"""一案全程的行 Every row that tells what became of one referral, by table; nothing of people, nothing sealed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.store import evidence_rows
from gateway.store import tables as t
from gateway.store.prepared import among, ids

Row = Mapping[str, Any]
_I, _O, _N, _V, _F, _M = t.inbox.c, t.outbox.c, t.needs.c, t.need_moves.c, t.findings.c, t.matches.c
_INBOX = sa.select(_I.row, _I.source, _I.message_id, _I.type, _I.seq, _I.received_at).where(among(_I.subject))
_OUTBOX = sa.select(
    _O.row, _O.message_id, _O.office_id, _O.recipient, _O.type, _O.state, _O.reason, _O.attempts, _O.created_at
).where(among(_O.referral_id))
_OF_REFERRAL = {
    table: sa.select(table).where(among(table.c.referral_id)).order_by(table.c.row)
    for table in (t.needs, t.handoffs, t.replies, t.court_payments, t.findings)
}
_MOVES = sa.select(t.need_moves).where(among(_V.need_id)).order_by(_V.row)
_CHANGES = sa.select(t.finding_changes).where(among(t.finding_changes.c.finding_key)).order_by(t.finding_changes.c.row)
_MATCH_MOVES = sa.select(t.match_moves).where(among(t.match_moves.c.match_id)).order_by(t.match_moves.c.row)
_DECIDED = sa.select(t.decisions).where(among(t.decisions.c.subject)).order_by(t.decisions.c.row)


@dataclass(frozen=True, kw_only=True, slots=True)
class StoryRows:
    """As they stand, each in the order they were written."""

    referral: Row
    needs: Sequence[Row]
    moves: Sequence[Row]
    handoffs: Sequence[Row]
    inbox: Sequence[Row]
    outbox: Sequence[Row]
    attempts: Sequence[Row]
    receipts: Sequence[Row]
    replies: Sequence[Row]
    payments: Sequence[Row]
    findings: Sequence[Row]
    finding_changes: Sequence[Row]
    matches: Sequence[Row]
    match_moves: Sequence[Row]
    decisions: Sequence[Row]


def read(connection: Connection, referral_id: str) -> StoryRows | None:
    """All of one referral; None for no such referral."""
    referral = connection.execute(sa.select(t.referrals).where(t.referrals.c.referral_id == referral_id)).mappings()
    row = referral.first()
    if row is None:
        return None
    one = ids([referral_id])
    tables = {table: _rows(connection, statement, one) for table, statement in _OF_REFERRAL.items()}
    inbox, outbox = _rows(connection, _INBOX.order_by(_I.row), one), _rows(connection, _OUTBOX.order_by(_O.row), one)
    sent = [message["message_id"] for message in outbox]
    either = sa.or_(_M.referral_id == referral_id, _M.other_referral_id == referral_id)
    matches = _rows(connection, sa.select(t.matches).where(either).order_by(_M.row), {})
    match_ids = ids([match["match_id"] for match in matches])
    messages = {message["message_id"] for message in (*inbox, *outbox)}
    decided = [
        *evidence_rows.decisions(connection, referral_id, messages),
        *(_rows(connection, _DECIDED, match_ids) if matches else []),
    ]
    return StoryRows(
        referral=dict(row),
        needs=tables[t.needs],
        moves=_rows(connection, _MOVES, ids([need["need_id"] for need in tables[t.needs]])),
        handoffs=tables[t.handoffs],
        inbox=inbox,
        outbox=outbox,
        attempts=evidence_rows.attempts(connection, sent),
        receipts=evidence_rows.rungs(connection, sent),
        replies=tables[t.replies],
        payments=tables[t.court_payments],
        findings=tables[t.findings],
        finding_changes=_rows(connection, _CHANGES, ids([one["key"] for one in tables[t.findings]])),
        matches=matches,
        match_moves=_rows(connection, _MATCH_MOVES, match_ids) if matches else [],
        decisions=decided,
    )


def _rows(connection: Connection, statement: sa.Select[Any], values: Mapping[str, Any]) -> list[Row]:
    return [dict(row) for row in connection.execute(statement, values).mappings()]

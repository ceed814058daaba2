"""证据行的存取 Every row that is evidence of one referral, read as it stands; nothing is decided or left out here.

What a row's stored text holds cannot always be read (its case was erased, or somebody changed it): then the row is
there and its text is None. Messages are looked for by the rows and by whatever else names them, so that a row that was
deleted is missed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.envelope.message import digest
from gateway.store import sealing
from gateway.store import tables as t
from gateway.store.prepared import among, ids

NOT_ACCEPTED = "denied_without_reason"
"""A reply that was refused (rule R09) left its reading, but no message."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredMessage:
    """One message of the case, in either direction. jws: None where it cannot be read; receipt: ours, of an inbound."""

    source: str | None
    message_id: str
    party: str
    jws: str | None
    receipt: str | None


def messages(connection: Connection, referral_id: str) -> list[StoredMessage]:
    """What came in and what went out about the referral. source: None for our own."""
    i, o = t.inbox.c, t.outbox.c
    received = _rows(connection, sa.select(t.inbox).where(i.subject == referral_id).order_by(i.row))
    sent = _rows(connection, sa.select(t.outbox).where(o.referral_id == referral_id).order_by(o.row))
    texts, queued = sealing.inbound(connection, received), sealing.outbound(connection, sent)
    return [
        *(
            StoredMessage(
                source=row["source"],
                message_id=row["message_id"],
                party=row["source"],
                jws=texts.get((row["source"], row["message_id"])),
                receipt=row["receipt"],
            )
            for row in received
        ),
        *(
            StoredMessage(
                source=None,
                message_id=row["message_id"],
                party=row["recipient"],
                jws=queued[row["message_id"]].jws if row["message_id"] in queued else None,
                receipt=None,
            )
            for row in sent
        ),
    ]


def named_ids(connection: Connection, referral_id: str) -> set[str]:
    """Message ids that other rows of the referral name, whether or not the messages are there."""
    r, h, p, n, m = t.referrals.c, t.handoffs.c, t.replies.c, t.needs.c, t.need_moves.c
    named = (
        sa.select(r.message_id).where(r.referral_id == referral_id),
        sa.select(h.message_id).where(h.referral_id == referral_id),
        sa.select(p.message_id).where(p.referral_id == referral_id, p.problem.is_distinct_from(NOT_ACCEPTED)),
        sa.select(m.cause).join(t.needs, n.need_id == m.need_id).where(n.referral_id == referral_id),
    )
    return {value for statement in named for value in connection.scalars(statement)}


def foreign_receipts(connection: Connection, message_ids: Iterable[str], referral_id: str) -> set[str]:
    """Digests of our receipts for other cases' messages under one of these ids: an id is unique per sender only."""
    i = t.inbox.c
    statement = sa.select(i.receipt).where(among(i.message_id), i.subject.is_distinct_from(referral_id))
    return {digest(receipt) for receipt in connection.scalars(statement, ids(set(message_ids)))}


def rungs(connection: Connection, message_ids: Iterable[str]) -> list[Mapping[str, Any]]:
    """Everything on file about these messages' rungs: receipts, and messages that are evidence (`evidence_id`)."""
    return _rows(connection, _RUNGS, ids(set(message_ids)))


def attempts(connection: Connection, message_ids: Iterable[str]) -> list[Mapping[str, Any]]:
    """Every try to hand these messages over, in order."""
    return _rows(connection, _ATTEMPTS, ids(set(message_ids)))


def replies(connection: Connection, referral_id: str) -> list[Mapping[str, Any]]:
    """How each accepted answer about the referral was read."""
    p = t.replies.c
    statement = sa.select(t.replies).where(p.referral_id == referral_id, p.problem.is_distinct_from(NOT_ACCEPTED))
    return _rows(connection, statement.order_by(p.row))


def needs(connection: Connection, referral_id: str) -> list[Mapping[str, Any]]:
    """Where each need of the referral stands, in the court's order."""
    n = t.needs.c
    statement = sa.select(n.need_id, n.programme, n.state, n.state_at).where(n.referral_id == referral_id)
    return _rows(connection, statement.order_by(n.row))


def decisions(connection: Connection, referral_id: str, message_ids: Iterable[str]) -> list[Mapping[str, Any]]:
    """Decisions about the referral, its needs, its findings or one of these messages, oldest first."""
    n, f, h = t.needs.c, t.findings.c, t.handoffs.c
    subjects = {referral_id, *message_ids}
    for column, owner in ((n.need_id, n.referral_id), (f.key, f.referral_id), (h.handoff_id, h.referral_id)):
        subjects |= set(connection.scalars(sa.select(column).where(owner == referral_id)))
    return _rows(connection, _DECISIONS, ids(subjects))


def decided(connection: Connection, decision_ids: Iterable[str]) -> set[str]:
    """Those of the decisions that are on file, whatever they are about."""
    c = t.decisions.c.decision_id
    return set(connection.scalars(sa.select(c).where(among(c)), ids(set(decision_ids))))


_RUNGS = sa.select(t.receipts).where(among(t.receipts.c.message_id)).order_by(t.receipts.c.row)
_ATTEMPTS = sa.select(t.attempts).where(among(t.attempts.c.message_id)).order_by(t.attempts.c.row)
_DECISIONS = sa.select(t.decisions).where(among(t.decisions.c.subject)).order_by(t.decisions.c.row)


def _rows(
    connection: Connection, statement: sa.Select[Any], values: Mapping[str, Any] | None = None
) -> list[Mapping[str, Any]]:
    return [dict(row) for row in connection.execute(statement, values or {}).mappings()]

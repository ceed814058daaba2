"""核对所读的行 What the cut-off reads of the rows, page by page: messages with their texts, what stands on them.

Reads only. A text that does not open because its case was erased is told apart from one that somebody changed.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.store import sealing
from gateway.store import tables as t
from gateway.store.prepared import among, ids
from gateway.store.vault import CASE_ERASED, case_of

PAGE = 1000
Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredMessage:
    """One row of inbox or outbox. text: its compact JWS, None where it does not open; erased: because of that."""

    row: Mapping[str, Any]
    text: str | None
    erased: bool


def inbound(connection: Connection, message_ids: Iterable[str]) -> dict[tuple[str, str], StoredMessage]:
    """Inbox rows by (source, message id)."""
    rows = [dict(row) for row in connection.execute(_INBOUND, ids(set(message_ids))).mappings()]
    texts = sealing.inbound(connection, rows)
    gone = erased(connection, (case_of(row["subject"], row["source"]) for row in rows))
    return {
        (row["source"], row["message_id"]): StoredMessage(
            row=row,
            text=texts.get((row["source"], row["message_id"])),
            erased=case_of(row["subject"], row["source"]) in gone,
        )
        for row in rows
    }


def outbound(connection: Connection, message_ids: Iterable[str]) -> dict[str, StoredMessage]:
    """Outbox rows by message id."""
    rows = [dict(row) for row in connection.execute(_OUTBOUND, ids(set(message_ids))).mappings()]
    opened = sealing.outbound(connection, rows)
    gone = erased(connection, (case_of(row["referral_id"], row["recipient"]) for row in rows))
    return {
        row["message_id"]: StoredMessage(
            row=row,
            text=opened[row["message_id"]].jws if row["message_id"] in opened else None,
            erased=case_of(row["referral_id"], row["recipient"]) in gone,
        )
        for row in rows
    }


_INBOUND = sa.select(t.inbox).where(among(t.inbox.c.message_id))
_OUTBOUND = sa.select(t.outbox).where(among(t.outbox.c.message_id))


def erased(connection: Connection, case_ids: Iterable[str]) -> set[str]:
    """Those of the cases that were erased by a decision. A key that went without one is somebody's doing."""
    return set(connection.scalars(_ERASED, ids(set(case_ids))))


_DECIDED = sa.exists().where(t.decisions.c.what == CASE_ERASED, t.decisions.c.subject == t.case_keys.c.referral_id)
_ERASED = sa.select(t.case_keys.c.referral_id).where(
    among(t.case_keys.c.referral_id), t.case_keys.c.erased_at.is_not(None), _DECIDED
)


def pages(connection: Connection, table: sa.Table, *columns: sa.Column[Any]) -> Iterator[list[Row]]:
    """A table with a row number, or these columns of it, in order and in pages."""
    after, number = 0, table.c.row
    while True:
        statement = sa.select(*(columns or table.c)).add_columns(number.label("at_row")).where(number > after)
        page = [dict(row) for row in connection.execute(statement.order_by(number).limit(PAGE)).mappings()]
        if not page:
            return
        yield page
        after = page[-1]["at_row"]


def receipts(connection: Connection, message_ids: Iterable[str]) -> dict[str, list[Row]]:
    """Evidence rows that are receipts of their own, by the message they are about."""
    found: dict[str, list[Row]] = {}
    for row in connection.execute(_RECEIPTS, ids(set(message_ids))).mappings():
        found.setdefault(row["message_id"], []).append(dict(row))
    return found


_RECEIPTS = sa.select(t.receipts).where(among(t.receipts.c.message_id), t.receipts.c.evidence_id.is_(None))


def decisions(connection: Connection, decision_ids: Iterable[str]) -> dict[str, Row]:
    """Decisions by id."""
    rows = connection.execute(_DECISIONS, ids(set(decision_ids))).mappings()
    return {row["decision_id"]: dict(row) for row in rows}


_DECISIONS = sa.select(t.decisions).where(among(t.decisions.c.decision_id))


def highest_numbers(connection: Connection) -> dict[str, int]:
    """By recipient the highest sequence number we gave a message."""
    o = t.outbox.c
    rows = connection.execute(sa.select(o.recipient, sa.func.max(o.seq)).group_by(o.recipient))
    return {row[0]: row[1] for row in rows}


def whole(connection: Connection, table: sa.Table) -> list[Row]:
    """A small table: the directory's."""
    return [dict(row) for row in connection.execute(sa.select(table)).mappings()]


def by(connection: Connection, column: sa.Column[Any], values: Iterable[Any]) -> dict[Any, list[Row]]:
    """Rows of the column's table by its value, in order of their row number."""
    table = column.table
    found: dict[Any, list[Row]] = {}
    statement = sa.select(table).where(among(column)).order_by(table.c.row)
    for row in connection.execute(statement, ids(set(values))).mappings():
        found.setdefault(row[column.name], []).append(dict(row))
    return found

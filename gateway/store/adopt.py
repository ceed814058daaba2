"""接续存证 What was on file before the log was: each row gets its leaf once, in the order things were recorded.

Asked by the migration that brings the log; a database whose log has begun is left alone. Messages keep the moments of
their rows, so nothing here reads a clock. Earlier receipts named no place in the log, and none is made up for them.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.agreement import PartyKind
from gateway.envelope.compact import split
from gateway.envelope.message import digest
from gateway.evidence.entry import Entry, decision_entry, directory_entry, message_entry, receipt_entry
from gateway.evidence.receipt import ReceiptVerdict, Rung
from gateway.store import directory_leaves as leaves
from gateway.store import log
from gateway.store import tables as t
from gateway.store.clock import from_ms
from gateway.store.decisions import digest_of

PAGE = 1000
Row = Mapping[str, Any]


def adopt(connection: Connection) -> int:
    """Leaves for everything that has none, when the log is empty; how many."""
    gateway = connection.scalar(sa.select(t.parties.c.party_id).where(t.parties.c.kind == PartyKind.GATEWAY.value))
    if gateway is None or log.head(connection).size:
        return 0
    _name_keys(connection)
    tail = log.open_tail(connection)
    for table, entries_of in _kinds(gateway):
        for page in _pages(connection, table):
            for row in page:
                for entry in entries_of(row):
                    tail.add(entry, about=row["subject"] if table is t.decisions else None)
            tail.save(connection)
    return log.head(connection).size


def _kinds(gateway: str) -> list[tuple[sa.Table, Callable[[Row], Iterator[Entry]]]]:
    return [
        (t.parties, _of_party),
        (t.party_keys, _of_key),
        (t.offices, _of_office),
        (t.agreements, _of_agreement),
        (t.inbox, lambda row: _received(row, gateway)),
        (t.outbox, lambda row: _sent(row, gateway)),
        (t.receipts, _of_receipt),
        (t.decisions, _of_decision),
    ]


def _pages(connection: Connection, table: sa.Table) -> Iterator[list[Row]]:
    key = table.c.row if "row" in table.c else table.primary_key.columns[0]
    after: Any = None
    while True:
        statement = sa.select(table).order_by(key).limit(PAGE)
        rows = connection.execute(statement if after is None else statement.where(key > after)).mappings().all()
        if not rows:
            return
        yield [dict(row) for row in rows]
        after = rows[-1][key.name]


def _name_keys(connection: Connection) -> None:
    """Which key signed each message: its header says."""
    for page in _pages(connection, t.inbox):
        named = [
            {"b_row": row["row"], "b_kid": split(row["jws"].encode()).header.kid} for row in page if not row["kid"]
        ]
        if named:
            statement = t.inbox.update().where(t.inbox.c.row == sa.bindparam("b_row"))
            connection.execute(statement.values(kid=sa.bindparam("b_kid")), named)


def _of_party(row: Row) -> Iterator[Entry]:
    at, ref = from_ms(row["created_at"]), row["party_id"]
    yield directory_entry(ref=ref, what=leaves.PARTY_ADDED, digest=leaves.of_party(row), at=at)
    if not row["active"]:
        yield directory_entry(ref=ref, what=leaves.PARTY_SUSPENDED, digest=leaves.of_nothing(ref), at=at)


def _of_key(row: Row) -> Iterator[Entry]:
    at, ref = from_ms(row["created_at"]), row["kid"]
    yield directory_entry(ref=ref, what=leaves.KEY_REGISTERED, digest=leaves.of_key(row), at=at)
    for column, what in (("not_after", leaves.KEY_ENDED), ("revoked_at", leaves.KEY_REVOKED)):
        if row[column] is not None:
            yield directory_entry(ref=ref, what=what, digest=leaves.of_moment(ref, row[column]), at=at)


def _of_office(row: Row) -> Iterator[Entry]:
    """Offices have no moment of their own: they are logged as of the beginning of time."""
    ref, at = row["office_id"], from_ms(0)
    yield directory_entry(ref=ref, what=leaves.OFFICE_CHANGED, digest=leaves.of_office(row), at=at)
    if row["paused"]:
        yield directory_entry(ref=ref, what=leaves.OFFICE_PAUSED, digest=leaves.of_nothing(ref), at=at)


def _of_agreement(row: Row) -> Iterator[Entry]:
    ref, at = leaves.agreement_ref(row["sha256"]), from_ms(row["loaded_at"])
    yield directory_entry(ref=ref, what=leaves.AGREEMENT_LOADED, digest=row["sha256"], at=at)


def _received(row: Row, gateway: str) -> Iterator[Entry]:
    at = from_ms(row["received_at"])
    yield message_entry(
        message_id=row["message_id"],
        source=row["source"],
        recipient=gateway,
        message_type=row["type"],
        digest=row["digest"],
        about=row["subject"],
        at=at,
    )
    yield receipt_entry(
        message_id=row["message_id"],
        rung=Rung.SUBMISSION.value,
        verdict=ReceiptVerdict.ACCEPTED.value,
        issuer=gateway,
        digest=digest(row["receipt"]),
        at=at,
    )


def _sent(row: Row, gateway: str) -> Iterator[Entry]:
    yield message_entry(
        message_id=row["message_id"],
        source=gateway,
        recipient=row["recipient"],
        message_type=row["type"],
        digest=row["digest"],
        about=row["referral_id"],
        at=from_ms(row["created_at"]),
    )


def _of_receipt(row: Row) -> Iterator[Entry]:
    if row["evidence_id"] is None:
        yield receipt_entry(
            message_id=row["message_id"],
            rung=row["rung"],
            verdict=row["verdict"],
            issuer=row["issuer"],
            digest=digest(row["jws"]),
            at=from_ms(row["recorded_at"]),
        )


def _of_decision(row: Row) -> Iterator[Entry]:
    yield decision_entry(decision_id=row["decision_id"], what=row["what"], digest=digest_of(row), at=from_ms(row["at"]))

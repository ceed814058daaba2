"""所述之行 Rows that say what a signed message said are made again from its bytes, each kind by its own flow.

A message of a kind that tells its rows (`MessageKind.told`) must have exactly those; a row of such a table whose
message is not there was slipped in. Columns that change later are compared by whoever changes them.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.envelope.signing import VerifiedMessage
from gateway.errors import XianjieError
from gateway.flows.audit.trouble import Trouble, What
from gateway.flows.context import Context
from gateway.flows.kinds import BY_TYPE, KINDS
from gateway.flows.message_kind import MessageKind, Told
from gateway.store import audit_rows
from gateway.store import tables as t
from gateway.store.clock import from_ms

TABLES: tuple[sa.Table, ...] = tuple(dict.fromkeys(table for kind in KINDS for table in kind.tables))


def told_troubles(
    connection: Connection,
    context: Context,
    messages: Sequence[tuple[Mapping[str, Any], VerifiedMessage | None]],
) -> Iterator[Trouble]:
    """What one page of accepted messages said and the rows do not, or otherwise."""
    told = [(row, message, BY_TYPE[row["type"]]) for row, message in messages if _tells(row["type"])]
    for table in dict.fromkeys(table for _, _, kind in told for table in kind.tables):
        mine = [one for one in told if table in one[2].tables]
        stored = audit_rows.by(connection, table.c.message_id, [row["message_id"] for row, _, _ in mine])
        for row, message, kind in mine:
            there = [one for one in stored.get(row["message_id"], ()) if _is_of(one, row["source"])]
            if message is None:
                continue  # erased, or named already: its rows are only counted
            said = _said(kind, message, context, from_ms(row["received_at"]), table)
            if said is not None:
                yield from _compare(table, row, said, there)


def on_nothing(connection: Connection) -> Iterator[Trouble]:
    """Rows of those tables whose message is not there."""
    for table in TABLES:
        for page in audit_rows.pages(connection, table, table.c.message_id):
            there = audit_rows.by(connection, t.inbox.c.message_id, [row["message_id"] for row in page])
            # a row without a message rests on a decision, and is held against that (`flows.audit.adjudicated`)
            named = [row["message_id"] for row in page if row["message_id"] is not None]
            missing = dict.fromkeys(one for one in named if one not in there)
            for message_id in missing:
                yield Trouble(table=table.name, ref=message_id, what=What.UNLOGGED)


def _is_of(row: Mapping[str, Any], source: str) -> bool:
    """Two parties may use one message id: a row that names its party is that party's."""
    named = next((row[name] for name in _PARTIES if row.get(name) is not None), source)
    return bool(named == source)


_PARTIES = ("source", "court", "party")


def _tells(type_: str) -> bool:
    kind = BY_TYPE.get(type_)
    return kind is not None and kind.told is not None


def _said(
    kind: MessageKind, message: VerifiedMessage, context: Context, at: datetime, table: sa.Table
) -> list[Told] | None:
    try:
        item = kind.prepare(message, context, now=at)
    except XianjieError:
        return None  # a rule that reads otherwise than it did then
    assert kind.told is not None  # noqa: S101 - `_tells` said so
    return [one for one in kind.told(item) if one.table is table]


def _compare(
    table: sa.Table, row: Mapping[str, Any], said: Sequence[Told], there: Sequence[Mapping[str, Any]]
) -> Iterator[Trouble]:
    columns = sorted({name for one in said for name in one.row})
    expected = Counter(_key(one.row, columns) for one in said)
    found = Counter(_key(one, columns) for one in there) if said else Counter({(): len(there)} if there else {})
    ref, subject = row["message_id"], row["subject"]
    if expected == found:
        return
    if len(there) < len(said):
        yield Trouble(table=table.name, ref=ref, what=What.MISSING, referral_id=subject)
    elif len(there) > len(said):
        yield Trouble(table=table.name, ref=ref, what=What.UNLOGGED, referral_id=subject)
    else:
        column = next((name for name in columns if _column(said, name) != _column(there, name)), None)
        yield Trouble(table=table.name, ref=ref, what=What.ALTERED, referral_id=subject, column=column)


def _column(rows: Iterable[Any], name: str) -> Counter[str]:
    return Counter(json.dumps((row.row if isinstance(row, Told) else row).get(name), default=str) for row in rows)


def _key(row: Mapping[str, Any], columns: Sequence[str]) -> tuple[Any, ...]:
    return tuple(row.get(name) for name in columns)

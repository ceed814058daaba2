"""反馈的存取 Replies and the court's own payments: facts that are only ever added."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.store import tables as t
from gateway.store.prepared import among, ids

_INSERT = t.replies.insert()
_APPLIED = sa.select(t.replies).where(among(t.replies.c.handoff_id), t.replies.c.applied)


def put(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Adds reply rows."""
    if rows:
        connection.execute(_INSERT, list(rows))


def applied(connection: Connection, handoff_ids: Iterable[str]) -> list[sa.RowMapping]:
    """Every answer that was applied, of these handoffs."""
    wanted = set(handoff_ids)
    return list(connection.execute(_APPLIED, ids(wanted)).mappings()) if wanted else []


def refused_on_file(connection: Connection, keys: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """Those of the (office, message id) pairs whose refusal (rule R09) is remembered already."""
    wanted = set(keys)
    if not wanted:
        return set()
    r = t.replies.c
    rows = connection.execute(
        sa.select(r.office, r.message_id).where(
            r.message_id.in_({message_id for _, message_id in wanted}), r.problem == "denied_without_reason"
        )
    )
    return {(row.office, row.message_id) for row in rows} & wanted


def payments_on_file(connection: Connection, keys: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """Those of the (court, payment id) pairs that were reported before."""
    wanted = set(keys)
    p = t.court_payments.c
    rows = connection.execute(
        sa.select(p.court, p.payment_id).where(p.payment_id.in_({payment_id for _, payment_id in wanted}))
    )
    return {(row.court, row.payment_id) for row in rows} & wanted


def put_payments(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Adds payments of courts."""
    if rows:
        connection.execute(t.court_payments.insert(), list(rows))

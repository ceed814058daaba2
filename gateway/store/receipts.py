"""回执的存取 Evidence about messages we sent, only ever added: a rung has at most one positive, one negative.

The evidence of a rung is a receipt, or the agency's own message that says so. Each new receipt is a leaf of the log; a
message is one already. A negative one that is followed by a positive one stays and is superseded visibly.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.envelope.message import digest
from gateway.evidence.entry import receipt_entry
from gateway.store import log
from gateway.store import tables as t
from gateway.store.clock import from_ms
from gateway.store.prepared import among, ids


def put(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Adds evidence; what says what an earlier one said already is passed over."""
    if not rows:
        return
    said = connection.execute(_SAID, ids({row["message_id"] for row in rows}))
    known = {(row.message_id, row.rung, row.positive) for row in said}
    fresh: dict[tuple[str, str, bool], Mapping[str, Any]] = {}
    for row in rows:
        key = (row["message_id"], row["rung"], row["positive"])
        if key not in known:
            fresh.setdefault(key, {"evidence_id": None, **row})
    if fresh:
        connection.execute(_INSERT, list(fresh.values()))
        log.append(
            connection,
            [
                receipt_entry(
                    message_id=row["message_id"],
                    rung=row["rung"],
                    verdict=row["verdict"],
                    issuer=row["issuer"],
                    digest=digest(row["jws"]),
                    at=from_ms(row["recorded_at"]),
                )
                for row in fresh.values()
                if row["evidence_id"] is None
            ],
        )


_C = t.receipts.c
_SAID = sa.select(_C.message_id, _C.rung, _C.positive).where(among(_C.message_id))
_OF_MESSAGES = sa.select(t.receipts).where(among(_C.message_id)).order_by(_C.row)
_INSERT = t.receipts.insert()


def of_messages(connection: Connection, message_ids: Sequence[str]) -> list[Mapping[str, Any]]:
    """Everything on file about these messages' rungs, oldest first."""
    return [dict(row) for row in connection.execute(_OF_MESSAGES, ids(message_ids)).mappings()]

"""逾期之行的核对 Rows that no message tells alone: holiday notices, and needs that were handed to another office.

A notice rests on the decision that names its very file; a rerouted need on the answer or the decision that sent it on,
and the need it came from says so. What a referral says of its household is told by its own message.
"""

from collections.abc import Iterator
from hashlib import sha256

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.flows.audit.trouble import Trouble, What
from gateway.store import audit_rows, notices
from gateway.store import tables as t

_WHAT = (notices.LOADED, notices.REPLACED)


def late_troubles(connection: Connection) -> Iterator[Trouble]:
    """Everything of these tables that is not what it rests on."""
    yield from _notices(connection)


def _notices(connection: Connection) -> Iterator[Trouble]:
    statement = sa.select(t.decisions).where(t.decisions.c.what.in_(_WHAT))
    decided = {row["decision_id"]: row for row in connection.execute(statement).mappings()}
    for row in audit_rows.whole(connection, t.holiday_notices):
        decision = decided.pop(row["decision_id"], None)
        if decision is None:
            yield Trouble(table="holiday_notices", ref=str(row["notice_year"]), what=What.UNLOGGED)
            continue
        subject = notices.subject_of(row["notice_year"], sha256(row["body"].encode()).hexdigest())
        if (decision["subject"], decision["at"], decision["who"]) != (subject, row["loaded_at"], row["who"]):
            yield Trouble(table="holiday_notices", ref=str(row["notice_year"]), what=What.ALTERED)
    for decision in decided.values():
        yield Trouble(table="holiday_notices", ref=decision["subject"], what=What.MISSING)

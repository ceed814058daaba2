"""改派的存取 Which need opened which, at which office; rows are only ever added."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.store import tables as t
from gateway.store.prepared import among, ids

_X = t.reroutes.c


def put(connection: Connection, needs: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]]) -> None:
    """New needs and what they rest on; one that a need opened already fails the transaction."""
    if rows:
        connection.execute(_PUT_NEEDS, list(needs))
        connection.execute(_PUT, list(rows))


_PUT_NEEDS, _PUT = t.needs.insert(), t.reroutes.insert()


def targets(connection: Connection, referral_ids: Iterable[str]) -> dict[str, tuple[str, int]]:
    """(office, step) by the id of the need that was opened there."""
    rows = connection.execute(_OF_REFERRALS, ids(set(referral_ids)))
    return {row.need_id: (row.office_id, row.step) for row in rows}


_OF_REFERRALS = sa.select(_X.need_id, _X.office_id, _X.step).where(among(_X.referral_id))

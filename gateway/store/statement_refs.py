"""对账行所指 Which need a line of a ledger speaks of: only needs that were handed to the sender's own offices."""

import json
from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.store import tables as t
from gateway.store.prepared import among, ids


@dataclass(frozen=True, kw_only=True, slots=True)
class HandedOver:
    """转办的需求: a need as one of the party's offices was given it."""

    need_id: str
    handoff_id: str
    programme: str
    office_id: str
    echo_key: str | None


def handed_over(
    connection: Connection, *, needs: Collection[str], handoffs: Collection[str], offices: Collection[str]
) -> dict[str, HandedOver]:
    """By need: those named, and every need of the handoffs named; the newest handoff of each."""
    if not (needs or handoffs) or not offices:
        return {}
    referrals = set(connection.scalars(_REFERRALS, ids(needs))) if needs else set()
    rows = list(connection.execute(_OF_REFERRALS, ids(referrals))) if referrals else []
    rows += list(connection.execute(_OF_HANDOFFS, ids(handoffs))) if handoffs else []
    found: dict[str, HandedOver] = {}
    for row in sorted(rows, key=lambda one: int(one.row)):
        if row.office_id not in offices:
            continue
        for need_id, programme in json.loads(row.need_ids):
            if need_id in needs or row.handoff_id in handoffs:
                found[need_id] = HandedOver(
                    need_id=need_id,
                    handoff_id=row.handoff_id,
                    programme=programme,
                    office_id=row.office_id,
                    echo_key=row.echo_key,
                )
    return found


_H = t.handoffs.c
_COLUMNS = (_H.row, _H.handoff_id, _H.office_id, _H.need_ids, _H.echo_key)
_REFERRALS = sa.select(t.needs.c.referral_id).where(among(t.needs.c.need_id)).distinct()
_OF_REFERRALS = sa.select(*_COLUMNS).where(among(_H.referral_id))
_OF_HANDOFFS = sa.select(*_COLUMNS).where(among(_H.handoff_id))

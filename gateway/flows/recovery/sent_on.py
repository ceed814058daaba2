"""改派的取回 A need that another opened stands again when the handoff that was made for it comes back.

Rules: our own signature on that handoff says that the need was sent on; it is opened once the answer that declined the
one before stands again, on which it rests. Until then the handoff waits like any whose needs are not there yet.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.agreement import Office
from gateway.domain.lifecycle import NeedState
from gateway.domain.reconciliation.clocks import BOUNCES
from gateway.domain.rerouting import before_of
from gateway.domain.routing import steps_of
from gateway.flows.context import Context
from gateway.flows.needs import NeedInHand
from gateway.flows.reroute import Reroute, send_on
from gateway.store import referrals
from gateway.store import tables as t


def open_sent_on(
    connection: Connection,
    context: Context,
    wanted: Sequence[str],
    there: Mapping[str, NeedInHand],
    office: Office,
    *,
    at: datetime,
) -> dict[str, NeedInHand]:
    """The needs of a handoff with those that can be opened; the others stay away."""
    opened = [
        one
        for need_id in wanted
        if need_id not in there and (one := _opening(connection, context, need_id, there, office)) is not None
    ]
    if not opened:
        return dict(there)
    send_on(connection, opened, now=at)
    rows = referrals.needs_of(connection, {one.referral_id for one in opened}, lock=True)
    return {row["need_id"]: NeedInHand(row=dict(row)) for found in rows.values() for row in found}


def _opening(
    connection: Connection, context: Context, need_id: str, there: Mapping[str, NeedInHand], office: Office
) -> Reroute | None:
    before = next(
        (need for need in there.values() if before_of(need_id, need.row["referral_id"]) == need.row["need_id"]), None
    )
    if before is None or before.state is not NeedState.DECLINED:
        return None
    r = t.replies.c
    reply_id = connection.scalar(
        sa.select(r.reply_id)
        .where(r.need_id == before.row["need_id"], r.applied, r.code.in_([code.value for code in BOUNCES]))
        .order_by(r.row.desc())
        .limit(1)
    )
    steps = steps_of(context.programmes[before.row["programme"]])
    if reply_id is None:
        return None
    return Reroute(
        need_id=before.row["need_id"],
        referral_id=before.row["referral_id"],
        office_id=office.office_id,
        step=steps.index(office.agency) if office.agency in steps else len(steps) - 1,
        reply_id=reply_id,
    )

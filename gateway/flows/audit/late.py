"""逾期之行的核对 Rows that no message tells alone: holiday notices, and needs that were handed to another office.

A notice rests on the decision that names its very file; a rerouted need on the answer or the decision that sent it on,
and the need it came from says so. What a referral says of its household is told by its own message.
"""

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.lifecycle import NeedState
from gateway.domain.reconciliation.clocks import BOUNCES
from gateway.domain.rerouting import is_sent_on, next_need_id
from gateway.flows.audit.trouble import Trouble, What
from gateway.flows.reroute import REROUTED
from gateway.store import audit_rows, notices
from gateway.store import tables as t

_WHAT = (notices.LOADED, notices.REPLACED)


def late_troubles(connection: Connection) -> Iterator[Trouble]:
    """Everything of these tables that is not what it rests on."""
    yield from _notices(connection)
    yield from _reroutes(connection)
    yield from _keys(connection)


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


def _reroutes(connection: Connection) -> Iterator[Trouble]:
    """Every need that was sent on has its row, every row its two needs and what it rests on."""
    x, n = t.reroutes.c, t.needs.c
    for page in audit_rows.pages(connection, t.needs, n.need_id, n.referral_id, n.state):
        opened = audit_rows.by(connection, x.need_id, [row["need_id"] for row in page])
        left = audit_rows.by(connection, x.from_need, [row["need_id"] for row in page])
        for row in page:
            if is_sent_on(row["need_id"], row["referral_id"]) and row["need_id"] not in opened:
                yield _of_need("needs", row, What.UNLOGGED)
            if row["state"] == NeedState.REROUTED.value and row["need_id"] not in left:
                yield _of_need("reroutes", row, What.MISSING)
    for page in audit_rows.pages(connection, t.reroutes):
        yield from _page_of_reroutes(connection, page)


def _page_of_reroutes(connection: Connection, page: Sequence[Mapping[str, Any]]) -> Iterator[Trouble]:
    needs = audit_rows.by(connection, t.needs.c.need_id, [one for r in page for one in (r["need_id"], r["from_need"])])
    said = audit_rows.by(connection, t.replies.c.reply_id, [row["reply_id"] for row in page if row["reply_id"]])
    decided = audit_rows.decisions(connection, [row["decision_id"] for row in page if row["decision_id"]])
    for row in page:
        before, after = (next(iter(needs.get(row[name], ())), None) for name in ("from_need", "need_id"))
        if after is None:
            yield _of_need("needs", row, What.MISSING)
            continue
        reply = next(iter(said.get(row["reply_id"], ())), None)
        decision = decided.get(row["decision_id"] or "")
        rests = (reply is not None and reply["need_id"] == row["from_need"] and reply["code"] in BOUNCES) or (
            decision is not None and (decision["what"], decision["subject"]) == (REROUTED, row["from_need"])
        )
        fits = before is not None and before["state"] == NeedState.REROUTED.value
        if not (rests and fits) or row["need_id"] != next_need_id(row["from_need"], row["referral_id"]):
            yield _of_need("reroutes", row, What.UNLOGGED)
        elif before is not None and before["programme"] != after["programme"]:
            yield _of_need("needs", row, What.ALTERED)


def _of_need(table: str, row: Mapping[str, Any], what: What) -> Trouble:
    return Trouble(table=table, ref=row["need_id"], what=what, referral_id=row["referral_id"])


def _keys(connection: Connection) -> Iterator[Trouble]:
    """A member's key is one of those the referral's own message gave: whose need is looked for cannot be exchanged."""
    m, k = t.household_members.c, t.identity_keys.c
    for page in audit_rows.pages(connection, t.household_members, m.referral_id, m.number, m.key):
        known = audit_rows.by(connection, k.referral_id, {row["referral_id"] for row in page})
        for row in page:
            if row["key"] is None:
                continue
            if all(one["key"] != row["key"] for one in known.get(row["referral_id"], ())):
                ref = f"{row['referral_id']}:{row['number']}"
                yield Trouble(
                    table="household_members",
                    ref=ref,
                    what=What.ALTERED,
                    referral_id=row["referral_id"],
                    column="key",
                )

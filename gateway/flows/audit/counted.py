"""可数之行 Rows that nobody signed and no message tells, but others count: attempts, numbers, commitments, cut-offs.

Each message says how often it was tried, each pair's counter is the highest number given out, each accepted commitment
and each cut-off the log knows has its row.
"""

from collections.abc import Iterator

from sqlalchemy import Connection

from gateway.evidence.entry import EntryKind
from gateway.flows.audit.trouble import Trouble, What
from gateway.flows.completeness import COMMITMENT_TYPE
from gateway.flows.context import Context
from gateway.store import audit_rows, log
from gateway.store import tables as t


def counted_troubles(connection: Connection, context: Context) -> Iterator[Trouble]:
    """Everything that is fewer or other than what counts it says."""
    yield from _attempts(connection)
    yield from _counters(connection, context)
    yield from _commitments(connection)
    yield from _cutoffs(connection)


def _attempts(connection: Connection) -> Iterator[Trouble]:
    o = t.outbox.c
    for page in audit_rows.pages(connection, t.outbox, o.message_id, o.attempts, o.referral_id):
        made = audit_rows.by(connection, t.attempts.c.message_id, [row["message_id"] for row in page])
        for row in page:
            numbers = {one["number"] for one in made.get(row["message_id"], ())}
            for number in set(range(1, row["attempts"] + 1)) ^ numbers:
                what = What.UNLOGGED if number in numbers else What.MISSING
                ref = f"{row['message_id']}:{number}"
                yield Trouble(table="attempts", ref=ref, what=what, referral_id=row["referral_id"])


def _counters(connection: Connection, context: Context) -> Iterator[Trouble]:
    stored = {
        row["recipient"]: row["last_seq"]
        for row in audit_rows.whole(connection, t.counters)
        if row["source"] == context.party_id
    }
    given = audit_rows.highest_numbers(connection)
    for recipient in sorted(given.keys() | stored.keys()):
        if recipient not in stored:
            yield Trouble(table="counters", ref=recipient, what=What.MISSING)
        elif stored[recipient] != given.get(recipient, 0):
            yield Trouble(table="counters", ref=recipient, what=What.ALTERED, column="last_seq")


def _commitments(connection: Connection) -> Iterator[Trouble]:
    i = t.inbox.c
    for page in audit_rows.pages(connection, t.inbox, i.message_id, i.type, i.source):
        stated = [row["message_id"] for row in page if row["type"] == COMMITMENT_TYPE]
        stored = audit_rows.by(connection, t.commitments.c.message_id, stated)
        yield from (Trouble(table="commitments", ref=one, what=What.MISSING) for one in stated if one not in stored)


def _cutoffs(connection: Connection) -> Iterator[Trouble]:
    logged = [place.ref for place in log.of_kind(connection, EntryKind.CUTOFF.value)]
    stored = audit_rows.by(connection, t.cutoffs.c.cutoff_id, logged)
    yield from (Trouble(table="cutoffs", ref=one, what=What.MISSING) for one in logged if one not in stored)

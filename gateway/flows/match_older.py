"""较早移送的比对记录 Referrals that came before records were kept get theirs, from their signed bytes; nobody is
compared anew, so nothing is held or found by it: only whoever comes later meets them.
"""

import logging
from datetime import datetime
from functools import partial

from sqlalchemy import Connection

from gateway.errors import XianjieError
from gateway.flows.context import Context
from gateway.flows.match import likeness_of
from gateway.flows.recall import recall_these
from gateway.matching.keyed import secret_name
from gateway.store import households, persons

logger = logging.getLogger(__name__)

PAGE = 500


def fill_in(context: Context, *, now: datetime) -> int:
    """Every older referral whose agreement authorises matching and that can be proven; how many got a record."""
    agreements = context.snapshot(now).agreements
    authorised = [row for row, profile in agreements.items() if profile.matching_authorised]
    count, after = 0, 0
    while authorised:
        with context.store.reading() as connection:
            rows = persons.without(connection, authorised, after=after, limit=PAGE)
        if not rows:
            break
        after = rows[-1][0]
        ids = [referral_id for _, referral_id in rows]
        count += context.store.write(partial(_fill, context=context, referral_ids=ids, now=now))
    if count:
        logger.info("records of persons made", extra={"count": count})
    return count


def _fill(connection: Connection, *, context: Context, referral_ids: list[str], now: datetime) -> int:
    proven = recall_these(connection, households.recallable(connection, referral_ids), context, now=now)
    there = persons.known(connection, referral_ids)
    likenesses = {
        referral_id: likeness_of(referral, context)
        for referral_id, referral in proven.items()
        if not isinstance(referral, XianjieError) and referral_id not in there
    }
    persons.put(
        connection,
        {referral_id: one.record.pack() for referral_id, one in likenesses.items()},
        ((kind, key, referral_id) for referral_id, one in likenesses.items() for kind, key in one.keys),
        secret_name=secret_name(context.matching_secret),
        now=now,
    )
    return len(likenesses)

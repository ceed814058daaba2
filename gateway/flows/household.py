"""家庭情况的登记 What a referral says of its household becomes rows of flags, told by the court's own signed message.

1. at intake, in the referral's own commit; the member's key only where the agreement authorises matching (P06);
2. `fill_in`: referrals that came before these rows were kept are read again from their signed bytes.
"""

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from gateway.domain.household import adult_from, members_of
from gateway.domain.referral import Referral
from gateway.errors import XianjieError
from gateway.flows.context import Context
from gateway.flows.message_kind import Told
from gateway.flows.recall import recall_these
from gateway.matching.identity import identity_key
from gateway.store import households, referrals
from gateway.store import tables as t

logger = logging.getLogger(__name__)

TABLES = (t.circumstances, t.household_members)
BATCH = 500
Row = dict[str, Any]


def circumstances_row(referral: Referral, message_id: str) -> Row:
    """移送情况, one row a referral."""
    return {
        "referral_id": referral.referral_id,
        "message_id": message_id,
        "has_authorisation": referral.verification_authorization is not None,
        "adult_from": adult_from(referral),
    }


def member_rows(referral: Referral, message_id: str, context: Context, *, matching: bool) -> list[Row]:
    """One row a member. matching: whether the agreement lets us keep whose number it is."""
    return [
        {
            "referral_id": referral.referral_id,
            "message_id": message_id,
            "number": one.number,
            "is_minor": one.is_minor,
            "is_elder": one.is_elder,
            "key": identity_key(
                one.member.id_type or "",
                one.member.id_number,
                secret=context.matching_secret,
                regions=context.regions,
            )
            if matching
            else None,
        }
        for one in members_of(referral)
    ]


def told_of(referral: Referral, message_id: str) -> Iterator[Told]:
    """What of these rows the message alone says; whether a key is kept is the agreement's to say."""
    yield Told(table=t.circumstances, row=circumstances_row(referral, message_id))
    for one in members_of(referral):
        row = {"referral_id": referral.referral_id, "message_id": message_id}
        flags = {"number": one.number, "is_minor": one.is_minor, "is_elder": one.is_elder}
        yield Told(table=t.household_members, row=row | flags)


def fill_in(context: Context, *, now: datetime, limit: int = BATCH) -> int:
    """Reads older referrals again, at most `limit`; how many got their rows. One that does not prove itself has none:
    the cut-off names it anyway."""
    with context.store.reading() as connection:
        missing = households.without(connection, limit=limit)
        found = recall_these(connection, missing, context, now=now) if missing else {}
    agreements = context.snapshot(now).agreements
    facts: list[Row] = []
    members: list[Row] = []
    for one in missing:
        referral = found[one.referral_id]
        if isinstance(referral, XianjieError):
            continue
        matching = agreements[one.agreement_row].matching_authorised
        facts.append(circumstances_row(referral, one.message_id))
        members += member_rows(referral, one.message_id, context, matching=matching)
    if facts:
        context.store.write(lambda connection: _fill(connection, facts, members, now))
        logger.info("households read again", extra={"count": len(facts)})
    return len(facts)


def _fill(connection: Connection, facts: Sequence[Row], members: Sequence[Row], now: datetime) -> None:
    there = households.circumstances(connection, [row["referral_id"] for row in facts], {})
    fresh = [row for row in facts if row["referral_id"] not in there]
    names = {row["referral_id"] for row in fresh}
    households.put(connection, fresh, [row for row in members if row["referral_id"] in names])
    referrals.touch(connection, names, now=now)

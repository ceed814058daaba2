"""夜间清扫 What time alone changes and no limit tells (R16): who comes of age, which year has no holiday notice yet.

1. referrals that came before their households, or records to compare, were kept are read again;
2. referrals whose beneficiary comes of age this month are looked at again: an allowance that stops now is a lapse;
3. a year that limits need and nobody loaded is said in the log, every night until it is there.
"""

import logging
from dataclasses import dataclass
from datetime import datetime

from gateway.flows.context import Context
from gateway.flows.holidays import missing_years
from gateway.flows.household import BATCH, fill_in
from gateway.flows.match_older import fill_in as fill_in_records
from gateway.flows.missed import coming_of_age, months_from
from gateway.store import referrals

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Swept:
    """What one night did. coming_of_age: minors of this month and the next ones."""

    read_again: int
    looked_again: int
    coming_of_age: int
    missing_years: tuple[int, ...]


def sweep(context: Context, *, now: datetime) -> Swept:
    """One night; running it twice changes nothing."""
    read_again = fill_all(context, now=now)
    fill_in_records(context, now=now)
    soon = coming_of_age(context, now=now)
    of_age = [referral_id for referral_id, month in soon if month == months_from(now)[0]]
    if of_age:
        context.store.write(lambda connection: referrals.touch(connection, of_age, now=now))
    missing = missing_years(context.calendar, now)
    for year in missing:
        logger.warning("holiday notice missing", extra={"year": year})
    logger.info("swept", extra={"referrals": len(of_age), "coming_of_age": len(soon)})
    return Swept(read_again=read_again, looked_again=len(of_age), coming_of_age=len(soon), missing_years=missing)


def fill_all(context: Context, *, now: datetime) -> int:
    """Reads every older referral again, page by page."""
    count = 0
    while done := fill_in(context, now=now):
        count += done
        if done < BATCH:
            break
    return count

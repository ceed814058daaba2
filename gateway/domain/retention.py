"""留存期限 How long records must be kept before anybody may erase them (rule P08).

A floor, never a ceiling: nothing is deleted because a term ran out. Terms are data (`rules/retention.csv`); months are
counted on the China calendar, and the whole last day counts.
"""

from dataclasses import dataclass
from datetime import date, datetime

from gateway.domain.calendar import china_day, end_of_china_day
from gateway.domain.rules import read_table
from gateway.errors import ConfigError

EXCHANGE = "exchange"
_MONTHS_A_YEAR = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class RetentionFloor:
    """留存期限 of one kind of records."""

    rule: str
    records: str
    months: int

    def ends(self, last: datetime) -> datetime:
        """When what was last added to at `last` may be erased, at the earliest."""
        return end_of_china_day(months_after(china_day(last), self.months))


def months_after(day: date, months: int) -> date:
    """The same day so many months later; the month's last where it has no such day."""
    years, month = divmod(day.month - 1 + months, _MONTHS_A_YEAR)
    for number in range(day.day, 0, -1):
        try:
            return date(day.year + years, month + 1, number)
        except ValueError:
            continue
    raise ValueError("no such month")


def load_retention() -> dict[str, RetentionFloor]:
    """The floors by kind of records. Raises ConfigError."""
    floors = {}
    for row in read_table("retention"):
        if not row["months"].isdecimal() or not int(row["months"]):
            raise ConfigError("retention: `months` is a number from 1 on", ids={"records": row["records"]})
        floors[row["records"]] = RetentionFloor(rule=row["rule"], records=row["records"], months=int(row["months"]))
    if EXCHANGE not in floors:
        raise ConfigError("retention: the term of exchange records is missing")
    return floors

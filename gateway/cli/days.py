"""日期选项 Days and moments as options: a day is a China day, and stands for its last moment."""

from datetime import UTC, date, datetime, time

import click

from gateway.domain.calendar import CHINA

DAY = click.DateTime(formats=["%Y-%m-%d"])
MOMENT = click.DateTime(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"])
"""A China day, or a moment of China time."""


def end_of_day(day: datetime) -> datetime:
    """The last moment of a China day."""
    return datetime.combine(day.date(), time.max, tzinfo=CHINA).astimezone(UTC)


def day_of(moment: datetime | None) -> date | None:
    """The day an option named."""
    return None if moment is None else moment.date()


def moment_of(named: datetime | None) -> datetime | None:
    """What a `MOMENT` option named: a day's last moment, or the moment itself."""
    if named is None:
        return None
    return end_of_day(named) if named.time() == time() else named.replace(tzinfo=CHINA).astimezone(UTC)

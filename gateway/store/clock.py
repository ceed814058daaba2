"""时间 Moments as stored: integer milliseconds since 1970, UTC."""

from datetime import UTC, date, datetime, timedelta
from typing import overload

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


@overload
def to_ms(moment: datetime) -> int: ...
@overload
def to_ms(moment: None) -> None: ...
def to_ms(moment: datetime | None) -> int | None:
    """Milliseconds of an aware moment, cut not rounded."""
    return None if moment is None else (moment - _EPOCH) // _MILLISECOND


@overload
def from_ms(value: int) -> datetime: ...
@overload
def from_ms(value: None) -> None: ...
def from_ms(value: int | None) -> datetime | None:
    """The aware UTC moment."""
    return None if value is None else _EPOCH + timedelta(milliseconds=value)


def to_day(value: str | None) -> date | None:
    """The day of a stored `YYYY-MM-DD`."""
    return None if value is None else date.fromisoformat(value)

"""重试 When an unanswered message goes again: the ladder of `retry.csv`, each step counted from the attempt before it.

The last rung failed means park: a person decides. Jitter only ever delays. A partner's Retry-After (RFC 9110, 10.2.3)
moves an attempt back, never forward, and by no more than a day, so that no partner can silence its own lane for ever.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from importlib.resources import files

from gateway.domain.rules import parse_table
from gateway.errors import ConfigError
from gateway.transport.answer import RetryAfter

JITTER_SHARE = 0.2
LONGEST_RETRY_AFTER = timedelta(days=1)

_SECONDS = re.compile(r"[0-9]{1,9}")


@cache
def load_delays() -> tuple[timedelta, ...]:
    """The shipped ladder: how long to wait before attempt 1, 2, …"""
    text = files("gateway.transport").joinpath("retry.csv").read_text(encoding="utf-8")
    return delays_from_rows(parse_table("retry", text))


def delays_from_rows(rows: Iterable[Mapping[str, str]]) -> tuple[timedelta, ...]:
    """The ladder from table rows; ConfigError unless attempts count up from 1 and delays never shrink."""
    found: list[timedelta] = []
    for row in rows:
        if row["attempt"] != str(len(found) + 1) or not _SECONDS.fullmatch(row["delay_seconds"]):
            raise ConfigError("retry_table", ids={"line": len(found) + 2})
        delay = timedelta(seconds=int(row["delay_seconds"]))
        if found and delay < found[-1]:
            raise ConfigError("retry_table", ids={"line": len(found) + 2})
        found.append(delay)
    return tuple(found)


def next_attempt(
    attempt_number: int,
    now: datetime,
    jitter: float,
    *,
    retry_after: RetryAfter | None = None,
    delays: tuple[timedelta, ...] | None = None,
) -> datetime | None:
    """When to try again after `attempt_number` attempts (0: none yet), or None: park it.

    jitter: from 0 up to 1, the caller's random number; a step grows by at most a fifth.
    """
    if attempt_number < 0 or not 0 <= jitter <= 1:
        raise ValueError("attempts are counted from 0 and jitter lies between 0 and 1")
    ladder = load_delays() if delays is None else delays
    if attempt_number >= len(ladder):
        return None
    due = now + ladder[attempt_number] * (1 + JITTER_SHARE * jitter)
    return due if retry_after is None else max(due, _asked_for(retry_after, now))


def read_retry_after(text: str | None) -> RetryAfter | None:
    """A Retry-After header: seconds or an HTTP date; None for anything else."""
    if text is None:
        return None
    stripped = text.strip()
    if stripped.isascii() and stripped.isdigit():
        seconds = int(stripped) if _SECONDS.fullmatch(stripped) else 10**9
        return timedelta(seconds=seconds)
    try:
        moment = parsedate_to_datetime(stripped)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _asked_for(retry_after: RetryAfter, now: datetime) -> datetime:
    latest = now + LONGEST_RETRY_AFTER
    if isinstance(retry_after, datetime):
        return min(retry_after, latest)
    return now + min(retry_after, LONGEST_RETRY_AFTER)

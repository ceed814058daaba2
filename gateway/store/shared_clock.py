"""统一时钟 One clock for all nodes of an installation: the database's (ADR 15).

Rules: a node's own clock is not asked, so one that is minutes wrong neither steals leases nor sends early. The database
is asked every few seconds; in between, and while it is away, its last answer is carried on by the process's monotonic
clock, which nobody can set. Only PostgreSQL needs this: the processes over one SQLite file share a machine.
"""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from time import monotonic

import sqlalchemy as sa

from gateway.errors import StoreUnavailable
from gateway.store.engine import Store

ASK_EVERY_S = 5.0
_NOW = sa.select(sa.func.clock_timestamp())


def database_time(store: Store) -> datetime:
    """What the database's clock says. Raises StoreUnavailable."""
    with store.reading() as connection:
        found: datetime = connection.execute(_NOW).scalar_one()
    return found.astimezone(UTC)


class SharedClock:
    """统一时钟. Any number of threads; never raises once it is made, since the first answer is asked for at once."""

    def __init__(
        self,
        ask: Callable[[], datetime],
        *,
        shift: timedelta = timedelta(0),
        elapsed: Callable[[], float] = monotonic,
    ) -> None:
        """ask: the database's time, or StoreUnavailable; shift: how far a demonstration is moved; elapsed: seconds."""
        self._ask, self._shift, self._elapsed = ask, shift, elapsed
        self._asking = threading.Lock()
        self._known = self._asked_now()

    def __call__(self) -> datetime:
        """The time of this installation, aware UTC."""
        if self._elapsed() - self._known[1] >= ASK_EVERY_S and self._asking.acquire(blocking=False):
            try:
                self._known = self._asked_now()
            except StoreUnavailable:
                # asked again after the same while
                self._known = self._carried_on()
            finally:
                self._asking.release()
        return self._carried_on()[0] + self._shift

    def _asked_now(self) -> tuple[datetime, float]:
        """The answer, and the middle of the time it took to get it."""
        before = self._elapsed()
        answer = self._ask()
        return answer, (before + self._elapsed()) / 2

    def _carried_on(self) -> tuple[datetime, float]:
        known, at = self._known
        now = self._elapsed()
        return known + timedelta(seconds=now - at), now

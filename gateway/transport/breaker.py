"""熔断 One office's breaker: after some failures in a row nothing is sent for a while, then one message tries.

A failure is a push without an answer; a refusal is an answer and closes the breaker. The cool-down doubles with every
failed probe up to a cap. Count and moment are all there is to remember, so a worker may keep them in the store and
start from them again. A probe whose end is never reported gives up its place after `probe_limit`. Knows no clock.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from threading import Lock


class BreakerState(StrEnum):
    """闭合 everything is sent; 断开 nothing is; 试探 one message is."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, kw_only=True, slots=True)
class BreakerRule:
    """When a breaker opens and for how long."""

    threshold: int = 5
    cool_down: timedelta = timedelta(seconds=30)
    longest: timedelta = timedelta(minutes=15)
    probe_limit: timedelta = timedelta(minutes=2)

    def __post_init__(self) -> None:
        if self.threshold < 1 or not timedelta(0) < self.cool_down <= self.longest or self.probe_limit <= timedelta(0):
            raise ValueError(
                "a breaker needs a threshold of at least 1, positive times and a longest not below the first"
            )

    def cool_down_after(self, failures: int) -> timedelta:
        """How long nothing is sent after this many failures in a row; zero below the threshold."""
        if failures < self.threshold:
            return timedelta(0)
        doubled: int = 2 ** min(failures - self.threshold, 20)
        return min(self.cool_down * doubled, self.longest)


class Breaker:
    """May be asked and told from many threads. `failures` and `blocked_until` restore one that was kept."""

    def __init__(
        self, rule: BreakerRule | None = None, *, failures: int = 0, blocked_until: datetime | None = None
    ) -> None:
        if failures < 0:
            raise ValueError("failures are counted from 0")
        self._rule = rule or BreakerRule()
        self._failures = failures
        self._blocked_until = blocked_until
        self._probe_until: datetime | None = None
        self._lock = Lock()

    @property
    def failures(self) -> int:
        """How many in a row."""
        with self._lock:
            return self._failures

    @property
    def blocked_until(self) -> datetime | None:
        """Until when nothing is sent; None while closed."""
        with self._lock:
            return self._blocked_until

    def state(self, now: datetime) -> BreakerState:
        """Where it stands at that moment."""
        with self._lock:
            return self._state(now)

    def allow(self, now: datetime) -> bool:
        """Whether a message may be sent now. Half open, the first to ask gets the probe and must report its end."""
        with self._lock:
            state = self._state(now)
            if state is not BreakerState.HALF_OPEN:
                return state is BreakerState.CLOSED
            if self._probe_until is not None and now < self._probe_until:
                return False
            self._probe_until = now + self._rule.probe_limit
            return True

    def answered(self) -> None:
        """The partner answered, whatever it said: closed."""
        with self._lock:
            self._failures, self._blocked_until, self._probe_until = 0, None, None

    def failed(self, now: datetime) -> None:
        """No answer. While open it counts for nothing: that push began before the breaker opened."""
        with self._lock:
            if self._state(now) is BreakerState.OPEN:
                return
            self._failures += 1
            self._probe_until = None
            if self._failures >= self._rule.threshold:
                self._blocked_until = now + self._rule.cool_down_after(self._failures)

    def _state(self, now: datetime) -> BreakerState:
        if self._blocked_until is None:
            return BreakerState.CLOSED
        return BreakerState.OPEN if now < self._blocked_until else BreakerState.HALF_OPEN

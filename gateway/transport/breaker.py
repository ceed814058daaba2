"""熔断 When an office's lane rests: after some failures in a row nothing is sent for a while, then it is tried again.

A failure is a push that reached nobody who judges messages: no answer, or an error of the server as a whole; a receipt
or a refusal of one message ends the row. The pause doubles with every further
failure up to a cap. The count and the moment stand in the office's row, so that every worker sees the same and a
restart forgets nothing; this rule knows no clock and keeps no state.
"""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, kw_only=True, slots=True)
class BreakerRule:
    """From how many failures on, and how long."""

    threshold: int = 5
    cool_down: timedelta = timedelta(seconds=30)
    longest: timedelta = timedelta(minutes=15)

    def __post_init__(self) -> None:
        if self.threshold < 1 or not timedelta(0) < self.cool_down <= self.longest:
            raise ValueError("a breaker needs a threshold of at least 1 and a longest pause not below the first")

    def cool_down_after(self, failures: int) -> timedelta:
        """How long nothing is sent after this many failures in a row; zero below the threshold."""
        if failures < self.threshold:
            return timedelta(0)
        doubled: int = 2 ** min(failures - self.threshold, 20)
        return min(self.cool_down * doubled, self.longest)

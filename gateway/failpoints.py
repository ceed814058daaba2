"""故障点 Named places at which a test makes a process fail: killed, an I/O error, a crash inside a simulation.

Rules: nothing is armed unless a test armed it, or a demonstration was started with XIANJIE_FAILPOINT set; any other
configuration that finds the variable set does not start. A point that is not armed compares one name with None. Every
point stands in `POINTS` with what is durable when it is reached; tests compare the table with the code and reach every
row of it, so a point cannot be added without being swept.
"""

import errno
import os
import signal
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

VARIABLE = "XIANJIE_FAILPOINT"

POINTS: Mapping[str, str] = {
    "store.begun": "a write transaction is open and empty",
    "store.written": "everything of a group is written, nothing is committed",
    "store.committed": "the group is durable, none of its callers knows",
    "accept.proven": "messages are proven, nothing was asked of the database",
    "accept.prepared": "messages are read and may be recorded, nothing is written",
    "accept.recorded": "inside the transaction: referrals and replies are written, their messages are not",
    "accept.kept": "inside the transaction: messages, receipts and leaves are written",
    "accept.answering": "messages are durable with their receipts, no sender has one",
    "dispatch.planned": "handoffs are translated, nothing is written",
    "dispatch.queued": "inside the transaction: messages are queued, their handoffs are not on file",
    "dispatch.done": "handoffs and messages are durable, nothing has left",
    "deliver.leased": "a lease and an attempt are durable, no byte has left",
    "deliver.answered": "the office has answered, nobody wrote it down",
    "deliver.settling": "inside the transaction: the attempt's end is written, its evidence is not",
    "deliver.settled": "the attempt's end is durable",
    "receive.interpreted": "an answer is read, nothing is written",
    "receive.applied": "inside the transaction: an answer moved its needs in memory only",
    "client.journalled": "the message is in its sender's journal, no byte has left",
    "client.answered": "the gateway has answered, the journal does not know",
    "client.settled": "the journal holds the receipt, the caller does not",
    "journal.written": "inside the journal's transaction",
    "journal.committed": "the journal is durable, its caller does not know",
    "agency.proven": "a simulated agency has proven a message and kept nothing",
    "agency.kept": "a simulated agency holds a message and its receipt, and has not answered",
    "agency.written": "a simulated agency's reply is in its notebook, no byte has left",
    "agency.told": "the gateway has answered a simulated agency, its notebook does not know",
}
"""Every point and what is durable there."""


class SimulatedCrash(BaseException):
    """The process ends here, as far as a simulation in one process can tell: only the simulation catches it."""


class Action(StrEnum):
    """What happens at an armed point."""

    KILL = "kill"
    EIO = "eio"
    CRASH = "crash"


Plan = Callable[[str], None]
"""Gets the name of each point that is reached; may raise, or not return."""

_plan: Plan | None = None


def failpoint(name: str) -> None:
    """One of `POINTS` is reached."""
    if _plan is not None:
        _plan(name)


def arm(plan: Plan) -> None:
    """From now on every point that is reached goes to `plan`."""
    global _plan
    _plan = plan


def disarm() -> None:
    """No point does anything any more."""
    global _plan
    _plan = None


@dataclass(kw_only=True)
class OneFailure:
    """A plan: the `count`-th time the point is reached, in whatever thread, this happens; before and after, nothing."""

    point: str
    count: int
    action: Action
    reached: int = 0

    def __post_init__(self) -> None:
        if self.point not in POINTS or self.count < 1:
            raise ValueError(f"no failpoint {self.point}:{self.count}")
        self._lock = threading.Lock()

    def __call__(self, name: str) -> None:
        """Counts, and fails when it is time."""
        if name != self.point:
            return
        with self._lock:
            self.reached += 1
            if self.reached != self.count:
                return
        _fail(name, self.action)


def read_failure(text: str) -> OneFailure:
    """`name:count:action` as the environment variable has it. Raises ValueError."""
    parts = text.split(":")
    if len(parts) != 3 or not parts[1].isascii() or not parts[1].isdigit():
        raise ValueError(f"{VARIABLE} is name:count:action")
    return OneFailure(point=parts[0], count=int(parts[1]), action=Action(parts[2]))


def _fail(name: str, action: Action) -> None:
    if action is Action.KILL:
        os.kill(os.getpid(), signal.SIGKILL)
    if action is Action.EIO:
        raise OSError(errno.EIO, f"{os.strerror(errno.EIO)} at {name}")
    raise SimulatedCrash(name)

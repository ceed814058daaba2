"""恢复之值 What is told about a recovery: outcomes of lines, standings of parties, obstacles, what was put back."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

Range = tuple[int, int]
"""Numbers first…last."""


class Took(StrEnum):
    """What became of one line that was given back."""

    TAKEN = "taken"
    KNOWN = "known"
    """The database has it, or it was given before."""
    LEFT = "left"
    """Without a receipt of ours: its sender sends it again by itself, or something of ours shows that we had it."""
    CLOSED = "closed"
    """The party's statement that it has given everything."""
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True, slots=True)
class LineOutcome:
    """One line. code: why it was refused, or why its receipt was not taken with it."""

    took: Took
    message_id: str | None = None
    code: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Holding:
    """What the gateway holds of one pair: everything up to these numbers."""

    since: datetime | None
    to_gateway: int
    from_gateway: int


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamStanding:
    """One direction of a pair. known: the highest number of the restored copy; highest: of everything anybody has
    named since; back: messages that wait to be put back; missing: numbers nobody has shown."""

    known: int
    highest: int
    back: int
    missing: tuple[Range, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class PartyStanding:
    """One partner. complete_at: when it said that it had given everything; None: it has not been heard."""

    party_id: str
    complete_at: datetime | None
    to_gateway: StreamStanding
    from_gateway: StreamStanding
    refused: int


class ObstacleKind(StrEnum):
    """What is in the way of resuming."""

    NOT_HEARD = "not_heard"
    NUMBERS_MISSING = "numbers_missing"
    LINE_REFUSED = "line_refused"
    NOT_PLACED = "not_placed"
    WITNESS_UNREADABLE = "witness_unreadable"


@dataclass(frozen=True, kw_only=True, slots=True)
class Obstacle:
    """One thing a person has to judge. about: a party, numbers of a pair, or a message; code: why, if there is one."""

    kind: ObstacleKind
    about: str
    code: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Witnessed:
    """The last checkpoint kept outside the database. epoch 0: there is none; is_readable False: it cannot be read."""

    epoch: int = 0
    size: int | None = None
    root: str | None = None
    is_readable: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Unplaced:
    """One message that is back and has no place."""

    digest: str
    party_id: str
    message_id: str
    type: str
    code: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Placed:
    """What was put back. received: partners' messages with our first receipts; accepted: such whose receipt had never
    arrived, and that ours had answered; issued: our own messages; proven: our messages whose arrival their receipts
    showed; notices: withdrawals no office had been told of."""

    received: int = 0
    accepted: int = 0
    issued: int = 0
    proven: int = 0
    notices: int = 0
    unplaced: tuple[Unplaced, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """How a recovery stands. since None: there is none going on."""

    origin: str
    epoch: int
    since: datetime | None
    size: int
    root: str
    witnessed: Witnessed
    parties: tuple[PartyStanding, ...]
    obstacles: tuple[Obstacle, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Resumed:
    """The end of a recovery. size and root: the tree from which the new epoch goes on."""

    origin: str
    epoch: int
    size: int
    root: str
    placed: Placed
    accepted: tuple[Obstacle, ...]

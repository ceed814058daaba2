"""状态 The lifecycle tables of needs, handoffs, messages, findings, matches: the only place to say what follows what.

Laws:
1. A state changes only by a move written here (`Machine.move`); any other raises `IllegalMove` and changes nothing.
2. A reply may skip states (an agency that pays without ever sending "received" is believed). A need that was helped
   never goes back to work; a refusal may be taken back by the agency that gave it.
3. Overdue, suspected duplicate, protected and outcome-unknown are overlays computed elsewhere, never states.
`docs/states.md` is generated from these tables and held in step by a test.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from gateway.errors import IllegalMove

S = TypeVar("S", bound=StrEnum)


class NeedState(StrEnum):
    """救助需求状态 (DOMAIN §10)."""

    ACCEPTED = "accepted"
    HELD = "held"
    ROUTED = "routed"
    HANDED_OFF = "handed_off"
    RECEIVED = "received"
    UNDER_REVIEW = "under_review"
    INFORMATION_REQUESTED = "information_requested"
    ACCEPTED_BY_AGENCY = "accepted_by_agency"
    DECLINED = "declined"
    IN_PROGRESS = "in_progress"
    ASSISTED = "assisted"
    PARTIALLY_ASSISTED = "partially_assisted"
    NOT_ASSISTED = "not_assisted"
    FOLLOWED_UP = "followed_up"
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"
    CANCEL_REQUESTED = "cancel_requested"
    CANCELLED = "cancelled"
    REROUTED = "rerouted"
    ENTERED_IN_ERROR = "entered_in_error"


class HandoffState(StrEnum):
    """转办状态: one office's share of one referral."""

    ISSUED = "issued"
    RELAYED = "relayed"
    RECEIVED = "received"
    ANSWERED = "answered"
    COMPLETED = "completed"
    REJECTED = "rejected"
    PARKED = "parked"
    WITHDRAWN = "withdrawn"


class MessageState(StrEnum):
    """外发报文状态; `unknown` is a state of its own: neither done nor refused (Law 3 of ARCHITECTURE §4)."""

    QUEUED = "queued"
    SENDING = "sending"
    RELAYED = "relayed"
    UNKNOWN = "unknown"
    REFUSED = "refused"
    PARKED = "parked"
    AVAILABLE = "available"
    RETRIEVED = "retrieved"


class FindingState(StrEnum):
    """疑点状态."""

    OPEN = "open"
    ASSIGNED = "assigned"
    DECIDED = "decided"
    CLOSED = "closed"


class ReservationState(StrEnum):
    """占位状态; `conflict` was never granted anything."""

    RESERVED = "reserved"
    CONFLICT = "conflict"
    CONFIRMED = "confirmed"
    RELEASED = "released"
    EXPIRED = "expired"


class StatementState(StrEnum):
    """对账单状态: how far its lines have come; a statement whose lines do not fit its manifest waits for others."""

    AWAITING_LINES = "awaiting_lines"
    RECEIVED = "received"
    READ = "read"


class MatchState(StrEnum):
    """匹配复核状态; both sides are heard before anything is resolved (DOMAIN §10)."""

    OPEN = "open"
    NOTIFIED = "notified"
    AWAITING_DISPOSITIONS = "awaiting_dispositions"
    ESCALATED = "escalated"
    RESOLVED_LAWFUL = "resolved_lawful"
    RESOLVED_DUPLICATE = "resolved_duplicate"
    INVALID_MATCH = "invalid_match"
    APPEALED = "appealed"
    CLOSED = "closed"


@dataclass(frozen=True, kw_only=True)
class Machine:
    """One lifecycle: its states, the first one, the final ones and every legal move."""

    name: str
    zh: str
    initial: StrEnum
    final: frozenset[StrEnum]
    moves: Mapping[StrEnum, frozenset[StrEnum]]

    def may(self, here: StrEnum, there: StrEnum) -> bool:
        """Whether the table has the move."""
        return there in self.moves[here]

    def move(self, here: S, there: S) -> S:
        """The new state; raises IllegalMove when the table has no such move."""
        if not self.may(here, there):
            raise IllegalMove(f"{self.name}: {here} -> {there}", ids={"from": str(here), "to": str(there)})
        return there


def _table(rows: dict[StrEnum, str], states: type[StrEnum]) -> dict[StrEnum, frozenset[StrEnum]]:
    """One row a state, its successors as words; every state has a row and every word is a state."""
    table = {here: frozenset(states(word) for word in words.split()) for here, words in rows.items()}
    if set(table) != set(states):
        raise ValueError(f"{states.__name__}: a state without a row")
    return table


_N = NeedState
_OUTCOMES = "assisted partially_assisted not_assisted"
_WORK = "under_review information_requested"
_RESUMED = "under_review accepted_by_agency in_progress"
_EXITS = "cancel_requested rerouted entered_in_error"
_ANSWERS = f"under_review information_requested accepted_by_agency declined in_progress {_OUTCOMES}"

NEED = Machine(
    name="need",
    zh="救助需求",
    initial=_N.ACCEPTED,
    final=frozenset({_N.CLOSED, _N.WITHDRAWN, _N.CANCELLED, _N.REROUTED, _N.ENTERED_IN_ERROR}),
    moves=_table(
        {
            _N.ACCEPTED: "routed held withdrawn entered_in_error",
            _N.HELD: "accepted withdrawn entered_in_error",
            # an answer can overtake the relay receipt, so `routed` may go straight to any answer
            _N.ROUTED: f"handed_off held received {_ANSWERS} withdrawn {_EXITS}",
            _N.HANDED_OFF: f"received {_ANSWERS} withdrawn {_EXITS}",
            _N.RECEIVED: f"{_ANSWERS} {_EXITS}",
            _N.UNDER_REVIEW: f"{_ANSWERS.removeprefix('under_review ')} {_EXITS}",
            _N.INFORMATION_REQUESTED: f"{_ANSWERS.replace('information_requested ', '')} {_EXITS}",
            # the second organ of a serial route starts from `routed` again (rule R07)
            _N.ACCEPTED_BY_AGENCY: f"routed {_WORK} in_progress declined {_OUTCOMES} {_EXITS}",
            _N.IN_PROGRESS: f"routed {_WORK} declined {_OUTCOMES} {_EXITS}",
            # an office may take back its own refusal; a person may reroute; closing keeps it as not helped
            _N.DECLINED: f"{_RESUMED} closed withdrawn {_OUTCOMES} {_EXITS}",
            _N.PARTIALLY_ASSISTED: "assisted followed_up closed entered_in_error",
            _N.ASSISTED: "partially_assisted followed_up closed entered_in_error",
            _N.NOT_ASSISTED: f"{_RESUMED} assisted partially_assisted closed rerouted entered_in_error",
            # a benefit that goes on after a visit is paid again
            _N.FOLLOWED_UP: "assisted partially_assisted closed entered_in_error",
            _N.CANCEL_REQUESTED: f"cancelled {_OUTCOMES} entered_in_error",
            _N.CLOSED: "",
            _N.WITHDRAWN: "",
            _N.CANCELLED: "",
            _N.REROUTED: "",
            _N.ENTERED_IN_ERROR: "",
        },
        NeedState,
    ),
)

_H = HandoffState
HANDOFF = Machine(
    name="handoff",
    zh="转办",
    initial=_H.ISSUED,
    final=frozenset({_H.COMPLETED, _H.WITHDRAWN}),
    moves=_table(
        {
            _H.ISSUED: "relayed received answered completed rejected parked withdrawn",
            _H.RELAYED: "received answered completed rejected withdrawn",
            _H.RECEIVED: "answered completed rejected withdrawn",
            _H.ANSWERED: "completed withdrawn",
            _H.COMPLETED: "",
            # an operator mends the cause and recovers: the same bytes go again
            _H.REJECTED: "issued relayed received answered completed withdrawn",
            _H.PARKED: "issued relayed received answered completed withdrawn",
            _H.WITHDRAWN: "",
        },
        HandoffState,
    ),
)

_M = MessageState
MESSAGE = Machine(
    name="message",
    zh="外发报文",
    initial=_M.QUEUED,
    final=frozenset({_M.RELAYED, _M.RETRIEVED}),
    moves=_table(
        {
            _M.QUEUED: "sending available",
            _M.SENDING: "relayed unknown refused queued",
            # an office that changes to a mailbox finds there what was on its way
            _M.UNKNOWN: "sending relayed refused parked available",
            _M.RELAYED: "",
            _M.REFUSED: "queued",
            _M.PARKED: "queued relayed",
            _M.AVAILABLE: "retrieved queued",
            _M.RETRIEVED: "",
        },
        MessageState,
    ),
)

_F = FindingState
FINDING = Machine(
    name="finding",
    zh="疑点",
    initial=_F.OPEN,
    final=frozenset(),
    moves=_table(
        {
            _F.OPEN: "assigned decided closed",
            _F.ASSIGNED: "decided closed open",
            _F.DECIDED: "closed open",
            # new evidence reopens visibly
            _F.CLOSED: "open",
        },
        FindingState,
    ),
)

_R = ReservationState
RESERVATION = Machine(
    name="reservation",
    zh="占位",
    initial=_R.RESERVED,
    final=frozenset({_R.CONFLICT, _R.RELEASED, _R.EXPIRED}),
    moves=_table(
        {
            _R.RESERVED: "confirmed released expired",
            _R.CONFLICT: "",
            # a grant that was confirmed and did not come about after all
            _R.CONFIRMED: "released",
            _R.RELEASED: "",
            _R.EXPIRED: "",
        },
        ReservationState,
    ),
)

_S = StatementState
STATEMENT = Machine(
    name="statement",
    zh="对账单",
    initial=_S.AWAITING_LINES,
    final=frozenset({_S.READ}),
    moves=_table(
        {
            _S.AWAITING_LINES: "received",
            # bytes that were proven and yet are no readable file: it may be sent again
            _S.RECEIVED: "read awaiting_lines",
            _S.READ: "",
        },
        StatementState,
    ),
)

_A = MatchState
_RESOLVED = "resolved_lawful resolved_duplicate invalid_match"
MATCH = Machine(
    name="match",
    zh="匹配复核",
    initial=_A.OPEN,
    final=frozenset(),
    moves=_table(
        {
            # what no run sees any more before anybody was heard is no match
            _A.OPEN: "notified invalid_match",
            _A.NOTIFIED: "awaiting_dispositions escalated invalid_match",
            _A.AWAITING_DISPOSITIONS: f"{_RESOLVED} escalated",
            # a late or a changed disposition may still resolve it; else a person does
            _A.ESCALATED: _RESOLVED,
            _A.RESOLVED_LAWFUL: "closed appealed open",
            _A.RESOLVED_DUPLICATE: "closed appealed open",
            _A.INVALID_MATCH: "closed appealed open",
            # an appeal is heard in another round; so is new evidence
            _A.APPEALED: "notified invalid_match",
            _A.CLOSED: "appealed open",
        },
        MatchState,
    ),
)

MACHINES: dict[str, Machine] = {
    machine.name: machine for machine in (NEED, HANDOFF, MESSAGE, FINDING, RESERVATION, STATEMENT, MATCH)
}

OPEN_NEEDS = frozenset(
    {
        _N.ACCEPTED,
        _N.ROUTED,
        _N.HANDED_OFF,
        _N.RECEIVED,
        _N.UNDER_REVIEW,
        _N.INFORMATION_REQUESTED,
        _N.ACCEPTED_BY_AGENCY,
        _N.DECLINED,
        _N.IN_PROGRESS,
        _N.CANCEL_REQUESTED,
    }
)
"""Needs somebody still has to act on (`held` is counted apart: it waits for a person of the court)."""

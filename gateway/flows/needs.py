"""需求的变动 How a reply moves a need: which state each common code leads to, and which clocks it sets.

The only writer of need states besides dispatch and withdrawal; every move is asked of `domain.lifecycle`. An older
reply than the newest applied one is recorded and not applied; an illegal one is recorded with its problem (a finding).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gateway.domain.handoff import Outcome
from gateway.domain.lifecycle import NEED, NeedState
from gateway.domain.replies import ReceiptCode, ReplyCode
from gateway.store.clock import to_ms

_S = NeedState
_TARGET: Mapping[ReplyCode | ReceiptCode, NeedState | None] = {
    ReceiptCode.RECEIVED: _S.RECEIVED,
    ReceiptCode.REJECTED_FORMAT: None,
    ReceiptCode.REJECTED_SIGNATURE: None,
    ReceiptCode.DUPLICATE_MESSAGE: None,
    ReplyCode.ACCEPTED: _S.ACCEPTED_BY_AGENCY,
    ReplyCode.RETURNED: _S.INFORMATION_REQUESTED,
    ReplyCode.NOT_IN_SCOPE: _S.DECLINED,
    ReplyCode.NOT_IN_REGION: _S.DECLINED,
    # the clock keeps running at the organ it was forwarded to (rule R08)
    ReplyCode.FORWARDED: _S.UNDER_REVIEW,
    ReplyCode.ALREADY_COVERED: _S.NOT_ASSISTED,
    ReplyCode.IN_VERIFICATION: _S.UNDER_REVIEW,
    ReplyCode.IN_PUBLIC_NOTICE: _S.IN_PROGRESS,
    ReplyCode.APPROVED: _S.IN_PROGRESS,
    ReplyCode.DENIED: _S.NOT_ASSISTED,
    ReplyCode.PAID: _S.ASSISTED,
    ReplyCode.PAYMENT_RETURNED: None,
    ReplyCode.SERVICE_DELIVERED: _S.ASSISTED,
    ReplyCode.PERSON_DECLINED: _S.NOT_ASSISTED,
    ReplyCode.UNREACHABLE: None,
    ReplyCode.DECEASED: _S.NOT_ASSISTED,
    ReplyCode.MOVED: _S.DECLINED,
    ReplyCode.STOPPED: None,
    ReplyCode.CLOSED: _S.CLOSED,
}
_DISPOSITIONS = frozenset(ReplyCode) - {ReplyCode.UNREACHABLE}
_DECISIONS = frozenset(
    {
        ReplyCode.APPROVED,
        ReplyCode.DENIED,
        ReplyCode.ALREADY_COVERED,
        ReplyCode.PAID,
        ReplyCode.SERVICE_DELIVERED,
        ReplyCode.PERSON_DECLINED,
        ReplyCode.DECEASED,
    }
)
_REVIEW_STATES = frozenset({_S.ACCEPTED_BY_AGENCY, _S.IN_PROGRESS})


@dataclass(kw_only=True)
class NeedInHand:
    """A need's row while replies are applied to it; `moves` explain every change of state."""

    row: dict[str, Any]
    changed: bool = False
    moves: list[dict[str, Any]] = field(default_factory=list)

    @property
    def state(self) -> NeedState:
        """Where it stands."""
        return NeedState(self.row["state"])

    def move(self, there: NeedState, *, at: datetime, now: datetime, cause: str) -> None:
        """One legal move; IllegalMove otherwise."""
        here = self.state
        NEED.move(here, there)
        self.row |= {"state": there.value, "state_at": to_ms(at)}
        self.changed = True
        self.moves.append(
            {
                "need_id": self.row["need_id"],
                "from_state": here.value,
                "to_state": there.value,
                "at": to_ms(at),
                "recorded_at": to_ms(now),
                "cause": cause,
            }
        )

    def set(self, **values: Any) -> None:
        """Changes columns that are not the state."""
        self.row |= values
        self.changed = True


def apply(
    need: NeedInHand,
    outcome: Outcome,
    *,
    step: int,
    has_next: bool,
    is_status: bool,
    now: datetime,
    cause: str,
) -> str | None:
    """Applies one known outcome; returns None, or why it was not applied (`superseded`, `illegal_move`).

    step: the route's step the answering office stands for; has_next: whether an organ follows it (rule R07);
    is_status: the programme is a recognition (such as low income), so the approval is itself the help.
    """
    code = outcome.code
    if code is None:
        return "unknown_code"
    # an office whose clock runs ahead must not make every later answer look old, nor must ours when it is set back
    moment = min(outcome.at, now)
    at = to_ms(moment)
    if step != need.row["step"] or to_ms(outcome.at) < (need.row["answered_at"] or 0):
        return "superseded"
    target = _TARGET[code]
    if code is ReplyCode.APPROVED and is_status and not has_next:
        target = _S.ASSISTED
    if target is _S.CLOSED and need.state is _S.CANCEL_REQUESTED:
        target = _S.CANCELLED  # the office consents to the court's withdrawal
    if target is _S.RECEIVED and need.state not in (_S.ROUTED, _S.HANDED_OFF, _S.RECEIVED):
        target = None  # a receipt that comes after the answer says nothing new
    if target is _S.UNDER_REVIEW and need.state in _REVIEW_STATES:
        target = _S.IN_PROGRESS
    if target is not None and target is not need.state:
        if not NEED.may(need.state, target):
            return "illegal_move"
        need.move(target, at=moment, now=now, cause=cause)
    _set_clocks(need, outcome, at)
    if code is ReplyCode.APPROVED and has_next:
        _hand_on(need, at=moment, now=now, cause=cause)
    return None


def _set_clocks(need: NeedInHand, outcome: Outcome, at: int) -> None:
    row, code = need.row, outcome.code
    # that a message arrived answers nothing: an answer dated by its day alone may come from the same morning
    values: dict[str, Any] = {} if isinstance(code, ReceiptCode) else {"answered_at": max(at, row["answered_at"] or 0)}
    if code is ReceiptCode.RECEIVED or code in _DISPOSITIONS:
        values["received_at"] = row["received_at"] or at
    if code in _DISPOSITIONS:
        values["disposition_at"] = row["disposition_at"] or at
    if code in _DECISIONS:
        values["decided_at"] = at if code in (ReplyCode.APPROVED, ReplyCode.DENIED) else row["decided_at"] or at
    if code is ReplyCode.APPROVED and outcome.amount_fen is not None:
        values["approved_fen"] = outcome.amount_fen
    if code is ReplyCode.PAID:
        values["paid_at"] = at
        values["paid_fen"] = (row["paid_fen"] or 0) + (outcome.amount_fen or 0)
    if code is ReplyCode.SERVICE_DELIVERED:
        values["paid_at"] = at
    if code is ReplyCode.PAYMENT_RETURNED:
        values["paid_at"] = None
        values["paid_fen"] = None
    need.set(**values)


def _hand_on(need: NeedInHand, *, at: datetime, now: datetime, cause: str) -> None:
    """The organ before has passed it; the next organ's handoff is due now, with clocks of its own."""
    need.move(NeedState.ROUTED, at=at, now=now, cause=cause)
    need.set(
        step=need.row["step"] + 1,
        dispatch_at=to_ms(now),
        office_id=None,
        agency=None,
        handoff_id=None,
        issued_at=None,
        relayed_at=None,
        received_at=None,
        disposition_at=None,
        decided_at=None,
        answered_at=None,
        approved_fen=None,
    )

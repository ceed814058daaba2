"""清除 A case's content is erased for ever by deleting its data key; that it was there, and what became of it, stays.

1. asked for by a person who says who they are and why; never by a job;
2. only where nobody has to act on the matter any more: no need is open or held, no message is on its way, an inquiry
   is answered or its time over, a clue is answered to the end;
3. only after the retention floor (rule P08), counted from the last thing recorded; a court's order sets it aside and
   is named;
4. one commit: the decision with its leaf, the key's end, and what beside the messages was made from the person;
5. what the deletion left in the database's files is taken out of them.

Digests, states, amounts and log entries stay: they still verify, and the case's evidence says that it was erased.
Copies of the database made before hold the wrapped key still; changing the master key (`keys rewrap`) shuts them too.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from gateway.domain.lifecycle import MESSAGE, OPEN_NEEDS, MessageState, NeedState
from gateway.domain.retention import EXCHANGE, load_retention
from gateway.errors import CaseErased, ConfigError, IllegalMove, ReferralUnknown, StillRetained
from gateway.flows.clue import since
from gateway.flows.context import Context
from gateway.flows.operate import MAX_REASON, require_reason
from gateway.store import decisions, erasure, exchanges, matches, referrals, vault

_ON_THEIR_WAY = frozenset(MessageState) - MESSAGE.final - {MessageState.REFUSED, MessageState.PARKED}
_NOT_ENDED = OPEN_NEEDS | {NeedState.HELD}


@dataclass(frozen=True, kw_only=True, slots=True)
class Erased:
    """What was done. scrubbed: False where the database's files hold the deleted key until their next checkpoint."""

    referral_id: str
    decision_id: str
    at: datetime
    scrubbed: bool


def erase(
    context: Context, referral_id: str, *, who: str, why: str, now: datetime, court_order: str | None = None
) -> Erased:
    """Raises ReferralUnknown, CaseErased, IllegalMove, StillRetained, ConfigError."""
    reason = why if not court_order else f"court order {court_order}: {why}"
    require_reason(who, why)
    require_reason(who, reason[: MAX_REASON + 1])
    floor = load_retention()[EXCHANGE]

    def write(connection: Connection) -> str:
        _require_ended(connection, referral_id, now)
        last = erasure.last_record(connection, referral_id)
        if court_order is None and last is not None and now < floor.ends(last):
            raise StillRetained(f"{floor.rule}: {floor.ends(last).date()}", ids={"referral_id": referral_id})
        if erasure.unsealed(connection, referral_id):
            raise ConfigError("its messages are not sealed; run `xianjie keys rewrap` first")
        decision_id = decisions.put(
            connection, who=who, what=vault.CASE_ERASED, subject=referral_id, why=reason, now=now
        )
        erasure.blank(connection, referral_id)
        vault.erase(connection, referral_id, now=now)
        return decision_id

    decision_id = context.store.write(write)
    return Erased(referral_id=referral_id, decision_id=decision_id, at=now, scrubbed=erasure.scrub(context.store))


def _require_ended(connection: Connection, referral_id: str, now: datetime) -> None:
    """The matter (a referral, an inquiry or a clue) is there, not erased yet, and nobody has to act on it."""
    asked = exchanges.inquiries(connection, [referral_id]).get(referral_id)
    told = next(iter(exchanges.clues(connection, [referral_id])), None)
    if asked is None and told is None and referral_id not in referrals.existing(connection, [referral_id]):
        raise ReferralUnknown(ids={"referral_id": referral_id})
    if vault.erased_among(connection, [referral_id]):
        raise CaseErased(ids={"referral_id": referral_id})
    rows = referrals.needs_of(connection, [referral_id], lock=True).get(referral_id, [])
    if any(NeedState(row["state"]) in _NOT_ENDED for row in rows):
        raise IllegalMove("a need is open", ids={"referral_id": referral_id})
    if matches.unresolved_about(connection, referral_id):
        raise IllegalMove("both sides of a match are being heard", ids={"referral_id": referral_id})
    if asked is not None and not asked.is_answered and (asked.due_at is None or now < asked.due_at):
        raise IllegalMove("an office has yet to answer", ids={"referral_id": referral_id})
    if told is not None and since(told) is not None:
        raise IllegalMove("the court has yet to answer the clue", ids={"referral_id": referral_id})
    if erasure.messages_on_their_way(connection, referral_id, frozenset(state.value for state in _ON_THEIR_WAY)):
        raise IllegalMove("a message is on its way", ids={"referral_id": referral_id})

"""人工处置 What a person decides at the gateway: a hold is released or upheld, a stuck message is sent again, a lane
rests.

Rules: each decision names who and why and is kept for ever; it changes state through the lifecycle tables only. The
gateway decides nothing by itself: a held need waits until somebody says so (Law 6).
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from gateway.domain.adjudication import HOLD
from gateway.domain.lifecycle import HANDOFF, HandoffState, NeedState
from gateway.errors import IllegalMove, InputRefused, ReferralUnknown
from gateway.flows.context import Context
from gateway.flows.needs import NeedInHand
from gateway.store import decisions, directory, handoffs, match_turn, referrals, undelivered
from gateway.store.clock import to_ms
from gateway.store.handoffs import SentRow
from gateway.store.undelivered import Stuck

MAX_WHO, MAX_REASON = 100, 500


def release(context: Context, referral_id: str, *, who: str, why: str, now: datetime) -> int:
    """Lets the held needs of a referral go on; returns how many. Raises ReferralUnknown, IllegalMove, ConfigError."""
    return _decide_hold(context, referral_id, NeedState.ACCEPTED, who=who, why=why, now=now)


def uphold(context: Context, referral_id: str, *, who: str, why: str, now: datetime) -> int:
    """The referral was a mistake (a second aid for the same case): its held needs end. Raises as `release` does."""
    return _decide_hold(context, referral_id, NeedState.ENTERED_IN_ERROR, who=who, why=why, now=now)


def _decide_hold(context: Context, referral_id: str, there: NeedState, *, who: str, why: str, now: datetime) -> int:
    require_reason(who, why)

    def write(connection: Connection) -> int:
        if referral_id not in referrals.existing(connection, [referral_id]):
            raise ReferralUnknown(ids={"referral_id": referral_id})
        rows = referrals.needs_of(connection, [referral_id], lock=True).get(referral_id, [])
        held = [need for need in (NeedInHand(row=dict(row)) for row in rows) if need.state is NeedState.HELD]
        if not held:
            raise IllegalMove("nothing is held", ids={"referral_id": referral_id})
        of_match = any(HOLD in (need.row["held_for"] or "").split() for need in held)
        if of_match and match_turn.decides(connection, referral_id):
            raise IllegalMove("it is held for a match: resolve that", ids={"referral_id": referral_id})
        for need in held:
            need.move(there, at=now, now=now, cause=f"decision:{who}"[:100])
            need.set(held_for=None, dispatch_at=to_ms(now) if there is NeedState.ACCEPTED else None)
        referrals.save_needs(connection, [need.row for need in held], [move for need in held for move in need.moves])
        what = "hold_released" if there is NeedState.ACCEPTED else "hold_upheld"
        decisions.put(connection, who=who, what=what, subject=referral_id, why=why, now=now)
        referrals.touch(connection, [referral_id], now=now)
        return len(held)

    return context.store.write(write)


def send_again(context: Context, message_ids: Sequence[str], *, who: str, why: str, now: datetime) -> int:
    """Parked or refused messages go again, same bytes, from the first rung; returns how many were such.

    A handoff that has ended meanwhile (withdrawn, or answered to the end all the same) is not issued anew.
    """
    require_reason(who, why)

    def write(connection: Connection) -> int:
        found = undelivered.listed(connection, message_ids)
        referrals.needs_of(connection, {row.referral_id for row in found if row.referral_id}, lock=True)
        stuck, issued = _not_over(connection, found)
        count = undelivered.requeue(connection, [row.message_id for row in stuck], now=now)
        again = {row.message_id for row in stuck}
        back = {
            row.handoff_id: HandoffState.ISSUED
            for row in issued
            if row.message_id in again and HANDOFF.may(HandoffState(row.state), HandoffState.ISSUED)
        }
        handoffs.save_states(connection, back)
        for row in stuck:
            decisions.put(connection, who=who, what="sent_again", subject=row.message_id, why=why, now=now)
        referrals.touch(connection, [row.referral_id for row in stuck if row.referral_id], now=now)
        return count

    return context.store.write(write)


def _not_over(connection: Connection, found: Sequence[Stuck]) -> tuple[list[Stuck], list[SentRow]]:
    """Those whose handoff has not ended meanwhile, and all their handoffs."""
    issued = handoffs.by_id(connection, [row.handoff_id for row in found if row.handoff_id])
    over = {row.message_id for row in issued if HandoffState(row.state) in HANDOFF.final}
    return [row for row in found if row.message_id not in over], issued


def would_send_again(connection: Connection, message_ids: Sequence[str]) -> set[str]:
    """Of these messages the ones that `send_again` would send now. Changes nothing."""
    return {row.message_id for row in _not_over(connection, undelivered.listed(connection, message_ids))[0]}


def set_paused(context: Context, office_id: str, *, paused: bool, who: str, why: str, now: datetime) -> None:
    """An office's lane rests, or goes on at once with its breaker closed. Raises ConfigError for no such office."""
    require_reason(who, why)
    what = "lane_paused" if paused else "lane_resumed"

    def write(connection: Connection) -> None:
        directory.set_paused(connection, office_id, paused=paused, now=now)
        decisions.put(connection, who=who, what=what, subject=office_id, why=why, now=now)

    context.store.write(write)
    context.directory.forget()


def require_reason(who: str, why: str) -> None:
    """Raises ConfigError unless somebody says who they are and why, in as many characters as are kept."""
    if not who.strip() or not why.strip() or len(who) > MAX_WHO or len(why) > MAX_REASON:
        raise InputRefused(
            f"请写明办理人和理由 say who decides (at most {MAX_WHO}) and why (at most {MAX_REASON} characters)"
        )

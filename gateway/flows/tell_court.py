"""告知法院 Courts are told what becomes of their needs: where each stands (`referral.status`), how each ended
(`referral.outcome`).

1. the moves of needs behind the last one that was looked at are read in the order of their commits, a bounded number,
   and only those that are some seconds old, so that one message tells of several;
2. each referral with news gets one message with every need of it as it stands; its effect is what it says, so that a
   repetition says nothing twice, whatever was lost and numbered anew in between;
3. how far it was looked is written in the same commit.
What is only ours (routed, handed over) is no news to a court.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection

from gateway.domain.lifecycle import NEED, NeedState
from gateway.domain.reconciliation.clocks import applied_to
from gateway.domain.reconciliation.values import Dossier, NeedRow
from gateway.flows import notice
from gateway.flows.context import Context
from gateway.flows.notice import Notice
from gateway.store import court_words, dossiers, vault
from schemas.fields import format_moment

STATUS, OUTCOME = "referral.status", "referral.outcome"
SETTLED = timedelta(seconds=20)
BATCH = 500
_S = NeedState
_NEWS = frozenset(NeedState) - {_S.ACCEPTED, _S.ROUTED, _S.HANDED_OFF, _S.REROUTED}
_ENDS = (NEED.final - {_S.REROUTED}) | {_S.ASSISTED, _S.PARTIALLY_ASSISTED, _S.NOT_ASSISTED, _S.FOLLOWED_UP}


def tell_courts(context: Context, *, now: datetime, limit: int = BATCH) -> int:
    """One run; how many moves were looked at. Writes nothing when there is none."""
    with context.store.reading() as connection:
        if not court_words.behind(connection, until=now - SETTLED):
            return 0

    def write(connection: Connection) -> int:
        moves = court_words.take(connection, until=now - SETTLED, limit=limit)
        news = {move.referral_id for move in moves if NeedState(move.to_state) in _NEWS}
        gone = vault.erased_among(connection, list(news))
        found = dossiers.read(connection, sorted(news - gone.keys()), with_others=False)
        notices = [_notice(dossier, moves) for dossier in found]
        notice.send(connection, context, notices, now=now)
        return len(moves)

    return context.store.write(write)


def _notice(dossier: Dossier, moves: Sequence[court_words.Move]) -> Notice:
    referral = dossier.referral
    moved = {move.need_id for move in moves if move.referral_id == referral.referral_id}
    needs = [_need(need, dossier) for need in dossier.needs]
    said = sha256(json.dumps(needs, sort_keys=True).encode()).hexdigest()[:32]
    ended = all(need.state in _ENDS for need in dossier.needs if need.need_id in moved)
    return Notice(
        to=referral.court,
        type=OUTCOME if ended else STATUS,
        subject=referral.referral_id,
        effect=f"{referral.referral_id}:{said}",
        data={
            "referral_id": referral.referral_id,
            "case_number": referral.case_number,
            "needs": needs,
        },
        priority=0 if referral.is_minor else 1,
    )


def _need(need: NeedRow, dossier: Dossier) -> Mapping[str, Any]:
    replies = applied_to(need, dossier.replies)
    said = replies[-1] if replies else None
    granted = next((reply for reply in reversed(replies) if reply.starts_on is not None), None)
    known = {
        "need_id": need.need_id,
        "programme": need.programme,
        "state": need.state.value,
        "since": format_moment(need.state_at or need.accepted_at),
        "agency": need.agency,
        "office_id": need.office_id,
        "code": None if said is None else said.code,
        "reason": None if said is None else said.reason,
        "approved_fen": need.approved_fen,
        "paid_fen": need.paid_fen,
        "from": None if granted is None or granted.starts_on is None else granted.starts_on.isoformat(),
        "until": None if granted is None or granted.ends_on is None else granted.ends_on.isoformat(),
    }
    return {name: value for name, value in known.items() if value is not None}

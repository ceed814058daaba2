"""复核结论 How a match is resolved: by what both sides agree on, or by a person; and how an appeal reopens it.

1. weigh: once both sides have said their final word of this round, the table of pairs tells what it comes to;
   incompatible words go before a person;
2. resolve: one decision with who and why; the finding is decided and, unless help has still to be stopped, closed; the
   hold of a need is lifted, or its need ends where this very side gives way; both sides are told;
3. appeal: the finding is open again and both sides are asked in another round; what was decided stays on file.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from gateway.domain.adjudication import (
    DECIDED_AS,
    HEARING,
    HOLD,
    IDENTITY_CODES,
    SIDES,
    STATE_OF,
    UNRESOLVED,
    DispositionCode,
    DoubtKind,
    Match,
    Resolution,
    judge,
)
from gateway.domain.lifecycle import FindingState, MatchState, NeedState
from gateway.domain.reconciliation.findings import OPERATOR
from gateway.errors import IllegalMove, InputRefused, MatchUnknown
from gateway.flows import findings_desk, match_words
from gateway.flows.context import Context
from gateway.flows.needs import NeedInHand
from gateway.flows.operate import require_reason
from gateway.store import decisions, finding_desk, matches, referrals
from gateway.store.clock import to_ms
from gateway.store.matches import KeptMatch

APPEALED = "match_appealed"


def resolved_what(resolution: Resolution) -> str:
    """What the leaf of such a resolution says."""
    return f"match_{resolution.value.lower()}"


def weigh(connection: Connection, context: Context, match_id: str, *, cause: str, now: datetime) -> MatchState:
    """After somebody said something: where the match stands now. cause: the message or decision that said it."""
    kept = matches.find(connection, match_id, lock=True)
    if kept is None:
        raise MatchUnknown(ids={"match": match_id})
    standing = kept.standing()
    if len(standing) < len(SIDES):
        if standing and kept.match.state is MatchState.NOTIFIED:
            matches.move(connection, kept.match, [MatchState.AWAITING_DISPOSITIONS], cause=cause, now=now)
            return MatchState.AWAITING_DISPOSITIONS
        return kept.match.state
    first, second = (standing[name] for name in SIDES)
    parties = {side.party for side in kept.sides}
    rule = judge(
        DispositionCode(first.code),
        DispositionCode(second.code),
        one_party=len(parties) == 1 and OPERATOR not in parties,
    )
    if rule.resolution is None:
        if kept.match.state is not MatchState.ESCALATED:
            matches.move(connection, kept.match, [MatchState.ESCALATED], cause=cause, now=now)
        return MatchState.ESCALATED
    stops = next((one.side for one in (first, second) if one.code == DispositionCode.STOP_MINE), None)
    why = f"{rule.rule_id} A={first.code} B={second.code}"
    return resolve_within(
        connection, context, kept, rule.resolution, stops=stops, who=context.party_id, why=why, now=now
    )


def resolve(
    context: Context,
    match_id: str,
    resolution: Resolution,
    *,
    stops: str | None = None,
    who: str,
    why: str,
    now: datetime,
) -> MatchState:
    """A person decides, whatever was said. stops: the side that gives way, with DUPLICATE. Raises ConfigError,
    MatchUnknown, IllegalMove."""
    require_reason(who, why)
    if (stops in SIDES) is not (resolution is Resolution.DUPLICATE):
        raise InputRefused("确认重复时须写明由哪一方停止 with DUPLICATE, and only then, say which side stops")

    def write(connection: Connection) -> MatchState:
        kept = _find(connection, match_id)
        if kept.match.state not in HEARING:
            raise IllegalMove(f"the match is {kept.match.state}", ids={"match": match_id})
        return resolve_within(connection, context, kept, resolution, stops=stops, who=who, why=why, now=now)

    return context.store.write(write)


def resolve_within(
    connection: Connection,
    context: Context,
    kept: KeptMatch,
    resolution: Resolution,
    *,
    stops: str | None,
    who: str,
    why: str,
    now: datetime,
) -> MatchState:
    """The same inside another's transaction; the state it comes to."""
    match, there = kept.match, STATE_OF[resolution]
    said = why if stops is None else f"stops={stops} {why}"
    decision_id = decisions.put(
        connection, who=who, what=resolved_what(resolution), subject=match.match_id, why=said, now=now
    )
    path = [there]
    if match.state is MatchState.NOTIFIED and resolution is not Resolution.NO_LONGER_SEEN:
        path = [MatchState.ESCALATED, there]
    if resolution is not Resolution.DUPLICATE or match.finding_key is None:
        path.append(MatchState.CLOSED)
    columns = {"resolution": resolution.value, "decision_id": decision_id}
    matches.move(connection, match, path, cause=decision_id, now=now, **columns)
    decide_finding(connection, match, resolution, who=who, now=now)
    _lift(connection, match, stops=stops, cause=decision_id, now=now)
    match_words.tell(connection, context, match, kept.sides, resolution, stops, now=now)
    return path[-1]


def decide_finding(connection: Connection, match: Match, resolution: Resolution, *, who: str, now: datetime) -> None:
    """What the match came to is what the doubt turned out to be; one that a run closed meanwhile stays as it is."""
    decided = DECIDED_AS.get(resolution)
    if decided is None or match.finding_key is None:
        return
    row = finding_desk.rows_of(connection, [match.finding_key]).get(match.finding_key)
    if row is None or FindingState(row["state"]) not in finding_desk.OPEN:
        return
    why = f"match {match.match_id}"
    findings_desk.decide_within(connection, [match.finding_key], decided, who=who, why=why, now=now)
    if resolution is not Resolution.DUPLICATE:
        findings_desk.close_within(connection, [match.finding_key], who=who, why=why, now=now)


def _lift(connection: Connection, match: Match, *, stops: str | None, cause: str, now: datetime) -> None:
    """Needs that were held for this match go on, or end where their own side gives way. What else holds them, another
    rule or another match about the same person, holds them still."""
    if match.kind is not DoubtKind.SAME_PERSON:
        return
    for side, referral_id in zip(SIDES, (match.referral_id, match.other_referral_id), strict=True):
        if referral_id is None:
            continue
        ends = stops == side
        if not ends and matches.unresolved_about(connection, referral_id, codes=IDENTITY_CODES, but=match.match_id):
            continue
        _lift_from(connection, referral_id, ends=ends, cause=cause, now=now)


def _lift_from(connection: Connection, referral_id: str, *, ends: bool, cause: str, now: datetime) -> None:
    changed: list[NeedInHand] = []
    for row in referrals.needs_of(connection, [referral_id], lock=True).get(referral_id, []):
        need, rules = NeedInHand(row=dict(row)), (row["held_for"] or "").split()
        if need.state is not NeedState.HELD or HOLD not in rules:
            continue
        left = [rule for rule in rules if rule != HOLD]
        if ends:
            need.move(NeedState.ENTERED_IN_ERROR, at=now, now=now, cause=cause)
            need.set(held_for=None, dispatch_at=None)
        elif left:
            need.set(held_for=" ".join(left))
        else:
            need.move(NeedState.ACCEPTED, at=now, now=now, cause=cause)
            need.set(held_for=None, dispatch_at=to_ms(now))
        changed.append(need)
    referrals.save_needs(connection, [need.row for need in changed], [move for need in changed for move in need.moves])
    referrals.touch(connection, [referral_id] if changed else [], now=now)


def appeal(context: Context, match_id: str, *, who: str, why: str, now: datetime) -> MatchState:
    """Somebody, the person or a side that has no server, does not accept it. Raises as `resolve` does."""
    require_reason(who, why)

    def write(connection: Connection) -> MatchState:
        kept = _find(connection, match_id)
        cause = decisions.put(connection, who=who, what=APPEALED, subject=match_id, why=why, now=now)
        return appeal_within(connection, kept.match, who=who, cause=cause, now=now)

    return context.store.write(write)


def appeal_within(connection: Connection, match: Match, *, who: str, cause: str, now: datetime) -> MatchState:
    """The same inside another's transaction. Raises IllegalMove for a match that is still being heard."""
    if match.state in UNRESOLVED:
        raise IllegalMove(f"the match is {match.state}", ids={"match": match.match_id})
    matches.move(connection, match, [MatchState.APPEALED], cause=cause, now=now)
    reopen_finding(connection, match, who=who, why=f"match {match.match_id} appealed", now=now)
    return MatchState.APPEALED


def reopen_finding(connection: Connection, match: Match, *, who: str, why: str, now: datetime) -> None:
    """What a person or both sides had decided of it is open again; one that a run closed stays closed."""
    if match.finding_key is None:
        return
    row = finding_desk.rows_of(connection, [match.finding_key]).get(match.finding_key)
    if row is not None and row["decided_as"] is not None:
        findings_desk.reopen_within(connection, [match.finding_key], who=who, why=why, now=now)


def resting(connection: Connection, match_ids: Sequence[str], *, who: str, now: datetime) -> int:
    """Matches that found a duplicate end when a person has closed its finding; how many did."""
    for kept in matches.read(connection, match_ids, lock=True).values():
        why = f"finding {kept.match.finding_key} closed"
        cause = decisions.put(
            connection, who=who, what="match_closed", subject=kept.match.match_id, why=why[:500], now=now
        )
        matches.move(connection, kept.match, [MatchState.CLOSED], cause=cause, now=now)
    return len(match_ids)


def _find(connection: Connection, match_id: str) -> KeptMatch:
    kept = matches.find(connection, match_id, lock=True)
    if kept is None:
        raise MatchUnknown(ids={"match": match_id})
    return kept

"""复核轮次的存取 What a turn of adjudication looks for: doubts without a match, sides to tell, times that are over.

Ids alone, a few at a time: what stands there is read again under its lock before anything is done.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.adjudication import FINAL, IDENTITY_CODES, ONE_SIDED, UNRESOLVED, MatchSide, duplicates
from gateway.domain.lifecycle import FindingState, MatchState
from gateway.store import tables as t
from gateway.store.clock import to_ms
from gateway.store.findings import Kept, kept_of
from gateway.store.matches import OVERDUE, POSSIBLE_VERDICT, side_of, unresolved_about

_M, _S, _D, _V = t.matches.c, t.match_sides.c, t.dispositions.c, t.match_moves.c
_F, _R = t.findings.c, t.referrals.c
_UNRESOLVED = [state.value for state in UNRESOLVED]
_UNDECIDED = [FindingState.OPEN.value, FindingState.ASSIGNED.value]


def unmatched(
    connection: Connection, *, limit: int, after: int = 0, referral_prefix: str = ""
) -> list[tuple[int, str, Kept]]:
    """(row, key, finding) of open doubts about two sides that have no match yet, oldest first."""
    known = sa.exists().where(_M.finding_key == _F.key)
    statement = (
        sa.select(t.findings)
        .where(
            _F.code.in_(duplicates()),
            sa.or_(_F.code.not_in(sorted(ONE_SIDED)), _F.evidence.like('%"other_referral"%')),
            _F.referral_id.is_not(None),
            _F.state.in_(_UNDECIDED),
            _F.row > after,
            ~known,
        )
        .order_by(_F.row)
        .limit(limit)
    )
    if referral_prefix:
        statement = statement.where(_F.referral_id.startswith(referral_prefix, autoescape=True))
    return [(row["row"], row["key"], kept_of(row)) for row in connection.execute(statement).mappings()]


def unmatched_pairs(
    connection: Connection, *, limit: int, referral_prefix: str = "", about: str | None = None
) -> list[tuple[str, str]]:
    """(later referral, the one that was there) that may be one person's and have no match yet, oldest first. A referral
    that was withdrawn holds nobody and is asked about no more."""
    p = t.possible_matches.c
    known = sa.exists().where(
        _M.code.in_(IDENTITY_CODES),
        sa.or_(
            sa.and_(_M.referral_id == p.referral_id, _M.other_referral_id == p.other_referral_id),
            sa.and_(_M.referral_id == p.other_referral_id, _M.other_referral_id == p.referral_id),
        ),
    )
    withdrawn = sa.exists().where(
        _R.referral_id.in_([p.referral_id, p.other_referral_id]), _R.withdrawn_at.is_not(None)
    )
    statement = (
        sa.select(p.referral_id, p.other_referral_id)
        .where(p.verdict == POSSIBLE_VERDICT, ~known, ~withdrawn)
        .order_by(p.row)
        .limit(limit)
    )
    if referral_prefix:
        statement = statement.where(p.referral_id.startswith(referral_prefix, autoescape=True))
    if about is not None:
        statement = statement.where(p.referral_id == about)
    return [(row.referral_id, row.other_referral_id) for row in connection.execute(statement)]


def decides(connection: Connection, referral_id: str) -> bool:
    """Whether a match about who the person is, open or still to be opened, decides the referral's hold."""
    if unresolved_about(connection, referral_id, codes=IDENTITY_CODES):
        return True
    return bool(unmatched_pairs(connection, limit=1, about=referral_id))


def to_begin(connection: Connection, *, limit: int) -> list[str]:
    """Matches whose sides are to be told: new, appealed, or opened again."""
    states = [MatchState.OPEN.value, MatchState.APPEALED.value]
    return list(connection.scalars(sa.select(_M.match_id).where(_M.state.in_(states)).order_by(_M.row).limit(limit)))


def overdue(connection: Connection, *, now: datetime, limit: int, referral_prefix: str = "") -> list[str]:
    """Matches not yet before a person with a side whose time is over."""
    waiting = [MatchState.NOTIFIED.value, MatchState.AWAITING_DISPOSITIONS.value]
    finals = sorted(code.value for code in FINAL)
    answered = sa.exists().where(
        _D.match_id == _S.match_id, _D.round == _S.round, _D.side == _S.side, _D.code.in_(finals)
    )
    late = (
        sa.select(_M.match_id)
        .join(t.match_sides, sa.and_(_S.match_id == _M.match_id, _S.round == _M.round))
        .where(_M.state.in_(waiting), _S.due_at < to_ms(now), ~answered)
        .distinct()
        .limit(limit)
    )
    if referral_prefix:
        late = late.where(_M.referral_id.startswith(referral_prefix, autoescape=True))
    return list(connection.scalars(late))


def gone(connection: Connection, *, limit: int) -> list[str]:
    """Unresolved matches whose finding no run sees any more; of one without a finding, a referral was withdrawn."""
    closed = sa.exists().where(_F.key == _M.finding_key, _F.state == FindingState.CLOSED.value)
    withdrawn = sa.exists().where(
        _R.referral_id.in_([_M.referral_id, _M.other_referral_id]), _R.withdrawn_at.is_not(None)
    )
    statement = (
        sa.select(_M.match_id)
        .where(_M.state.in_(_UNRESOLVED), sa.or_(closed, sa.and_(_M.finding_key.is_(None), withdrawn)))
        .limit(limit)
    )
    return list(connection.scalars(statement))


def back(connection: Connection, *, limit: int) -> list[str]:
    """Resolved matches whose finding is open again."""
    statement = (
        sa.select(_M.match_id)
        .join(t.findings, _F.key == _M.finding_key)
        .where(_M.state.not_in(_UNRESOLVED), _F.state.in_(_UNDECIDED))
        .limit(limit)
    )
    return list(connection.scalars(statement))


def done(connection: Connection, *, limit: int) -> list[str]:
    """Matches that found a duplicate whose finding a person has closed."""
    statement = (
        sa.select(_M.match_id)
        .join(t.findings, _F.key == _M.finding_key)
        .where(_M.state == MatchState.RESOLVED_DUPLICATE.value, _F.state == FindingState.CLOSED.value)
        .limit(limit)
    )
    return list(connection.scalars(statement))


@dataclass(frozen=True, kw_only=True, slots=True)
class Silent:
    """A side whose time passed without a disposition, as the move that put the match before a person tells."""

    match_id: str
    round: int
    side: MatchSide
    code: str


def silent(connection: Connection) -> list[Silent]:
    """Sides of matches that wait for a person because nobody answered, and that have not answered since."""
    newest = sa.select(_V.match_id, sa.func.max(_V.row).label("last")).group_by(_V.match_id).subquery("newest")
    moved = t.match_moves.join(newest, _V.row == newest.c.last)
    statement = (
        sa.select(t.match_sides, _M.code, _V.at.label("moved_at"))
        .select_from(
            moved.join(t.match_sides, sa.and_(_S.match_id == _V.match_id, _S.round == _V.round)).join(
                t.matches, _M.match_id == _V.match_id
            )
        )
        .where(_V.to_state == MatchState.ESCALATED.value, _V.cause == OVERDUE, _S.due_at < _V.at)
        .order_by(_S.row)
    )
    rows = connection.execute(statement).mappings().all()
    answered = _answered(connection, {row["match_id"] for row in rows})
    return [
        Silent(match_id=row["match_id"], round=row["round"], side=side_of(row), code=row["code"])
        for row in rows
        if (row["match_id"], row["round"], row["side"]) not in answered
    ]


def _answered(connection: Connection, match_ids: Collection[str]) -> set[tuple[str, int, str]]:
    finals = sorted(code.value for code in FINAL)
    statement = sa.select(_D.match_id, _D.round, _D.side).where(_D.match_id.in_(list(match_ids)), _D.code.in_(finals))
    return {(row.match_id, row.round, row.side) for row in connection.execute(statement)}

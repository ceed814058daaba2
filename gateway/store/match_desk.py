"""匹配复核台的存取 Matches as a desk lists them, those before a person first; whose courts they are; their waterfalls.

Rules: the list walks along the index of states and never counts or sorts all matches; a match is of the courts of its
two referrals, and seen by whoever sees one of them.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.lifecycle import MatchState
from gateway.store import matches
from gateway.store import tables as t
from gateway.store.matches import KeptMatch

_M, _R, _P = t.matches.c, t.referrals.c, t.possible_matches.c
LENGTH = 50
STRETCH = 5_000
"""So many of one state are looked through for the courts somebody sees."""
RANKS: Sequence[Collection[MatchState]] = (
    (MatchState.ESCALATED,),
    (MatchState.APPEALED,),
    (MatchState.AWAITING_DISPOSITIONS, MatchState.NOTIFIED, MatchState.OPEN),
    (MatchState.RESOLVED_DUPLICATE, MatchState.RESOLVED_LAWFUL, MatchState.INVALID_MATCH),
    (MatchState.CLOSED,),
)
"""What waits for a person first, what is over last."""
Place = tuple[int, int]
Courts = tuple[str, ...] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """One page of matches. next: where the following one goes on; goes_on: looking ended there before it was full."""

    matches: tuple[KeptMatch, ...]
    next: Place | None
    goes_on: bool = False


def listed(
    connection: Connection,
    *,
    states: Collection[MatchState] = (),
    courts: Courts = None,
    referral_id: str | None = None,
    after: Place | None = None,
    length: int = LENGTH,
) -> Page:
    """Of these states (all where none is named), oldest first within each rank."""
    found: list[tuple[Place, str]] = []
    end: Place | None = None
    for rank, of_rank in enumerate(RANKS):
        wanted = [state for state in of_rank if not states or state in states]
        if not wanted or (after is not None and rank < after[0]) or len(found) > length:
            continue
        last = after[1] if after is not None and rank == after[0] else 0
        rows, end = _walk(connection, rank, wanted, last, courts, referral_id, length + 1 - len(found))
        found += rows
        if end is not None:
            break
    is_full = len(found) > length
    page = found[:length]
    kept = matches.read(connection, [match_id for _, match_id in page])
    return Page(
        matches=tuple(kept[match_id] for _, match_id in page if match_id in kept),
        next=page[-1][0] if is_full else end,
        goes_on=not is_full and end is not None,
    )


def _walk(
    connection: Connection,
    rank: int,
    states: Collection[MatchState],
    last: int,
    courts: Courts,
    referral_id: str | None,
    length: int,
) -> tuple[list[tuple[Place, str]], Place | None]:
    """(matches of one rank, how far was looked where that was not to its end)."""
    stretch = length if courts is None and referral_id is None else STRETCH
    rows: list[tuple[int, str]] = []
    for state in states:
        if referral_id is not None:
            about = sa.or_(_M.referral_id == referral_id, _M.other_referral_id == referral_id)
            statement = sa.select(_M.row, _M.match_id).where(about, _M.state == state.value, _M.row > last)
        else:
            statement = sa.select(_M.row, _M.match_id).where(_M.state == state.value, _M.row > last)
        rows += [(row.row, row.match_id) for row in connection.execute(statement.order_by(_M.row).limit(stretch))]
    rows.sort()
    rows = rows[:stretch]
    is_cut = len(rows) == stretch
    seen = {match_id for _, match_id in rows} if courts is None else _of_courts(connection, rows, courts)
    found = [((rank, row), match_id) for row, match_id in rows if match_id in seen]
    if len(found) >= length or not is_cut:
        return found[:length], None
    return found, (rank, rows[-1][0])


def _of_courts(connection: Connection, rows: Sequence[tuple[int, str]], courts: Sequence[str]) -> set[str]:
    """Those of the matches with a referral of these courts."""
    here = sa.exists().where(_R.referral_id.in_([_M.referral_id, _M.other_referral_id]), _R.court.in_(courts))
    found: set[str] = set()
    for start in range(0, len(rows), 1000):
        wanted = [match_id for _, match_id in rows[start : start + 1000]]
        found |= set(connection.scalars(sa.select(_M.match_id).where(_M.match_id.in_(wanted), here)))
    return found


def counts(connection: Connection) -> dict[MatchState, int]:
    """How many of each state."""
    statement = sa.select(_M.state, sa.func.count()).group_by(_M.state)
    return {MatchState(state): int(count) for state, count in connection.execute(statement)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Scored:
    """得分 of two referrals' persons, as intake found it. steps: (field, outcome, points) each."""

    verdict: str
    kind: str
    score: int
    version: str
    steps: tuple[tuple[str, str, int], ...]


def scored(connection: Connection, one: str, other: str | None) -> Scored | None:
    """How the two were found alike, whichever came first; None where no comparison of theirs is kept."""
    pair = [(one, other), (other, one)]
    where = sa.or_(*(sa.and_(_P.referral_id == first, _P.other_referral_id == second) for first, second in pair))
    row = connection.execute(sa.select(t.possible_matches).where(where).order_by(_P.row).limit(1)).mappings().first()
    return None if row is None or other is None else _scored(row)


def _scored(row: Mapping[str, Any] | sa.RowMapping) -> Scored:
    return Scored(
        verdict=row["verdict"],
        kind=row["kind"],
        score=row["score"],
        version=row["version"],
        steps=tuple((field, outcome, points) for field, outcome, points in json.loads(row["waterfall"])),
    )

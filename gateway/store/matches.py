"""匹配复核的存取 Matches with the sides of each round, what was said in it, and every move between states."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.adjudication import (
    APPEAL,
    FINAL,
    IDENTITY_CODES,
    ONE_SIDED,
    UNRESOLVED,
    DispositionCode,
    Match,
    MatchSide,
    Resolution,
    StopsBy,
    duplicates,
)
from gateway.domain.lifecycle import MATCH, FindingState, MatchState
from gateway.store import tables as t
from gateway.store.clock import from_ms, to_ms
from gateway.store.findings import AnyRow, Kept, kept_of

OVERDUE = "overdue"
"""Why a match went before a person: a side did not answer in time."""
POSSIBLE_VERDICT = "POSSIBLE"
_M, _S, _D, _V = t.matches.c, t.match_sides.c, t.dispositions.c, t.match_moves.c
_F, _R = t.findings.c, t.referrals.c
_UNRESOLVED = [state.value for state in UNRESOLVED]
_UNDECIDED = [FindingState.OPEN.value, FindingState.ASSIGNED.value]


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """One disposition or appeal as it is on file. cause: the message, or the decision that entered it."""

    side: str
    party: str
    code: str
    stops_by: StopsBy | None
    round: int
    at: datetime
    cause: str
    by_operator: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptMatch:
    """One match with the sides of its present round and everything said, oldest first."""

    match: Match
    sides: tuple[MatchSide, ...]
    said: tuple[Said, ...]

    def side(self, name: str) -> MatchSide:
        """One of the two. Raises KeyError before anybody was notified."""
        return {one.side: one for one in self.sides}[name]

    def standing(self) -> dict[str, Said]:
        """What counts of this round: the last final disposition of each side."""
        finals = {code.value for code in FINAL}
        return {one.side: one for one in self.said if one.round == self.match.round and one.code in finals}


# --- reading ---


def find(connection: Connection, match_id: str, *, lock: bool = False) -> KeptMatch | None:
    """One match; lock: nobody else changes it until the commit."""
    return read(connection, [match_id], lock=lock).get(match_id)


def read(connection: Connection, match_ids: Collection[str], *, lock: bool = False) -> dict[str, KeptMatch]:
    """Several, by id."""
    wanted = list(match_ids)
    statement = sa.select(t.matches).where(_M.match_id.in_(wanted)).order_by(_M.row)
    rows = connection.execute(statement.with_for_update() if lock else statement).mappings().all()
    sides: dict[tuple[str, int], list[MatchSide]] = {}
    for row in connection.execute(sa.select(t.match_sides).where(_S.match_id.in_(wanted)).order_by(_S.side)).mappings():
        sides.setdefault((row["match_id"], row["round"]), []).append(_side(row))
    said: dict[str, list[Said]] = {}
    for row in connection.execute(sa.select(t.dispositions).where(_D.match_id.in_(wanted)).order_by(_D.row)).mappings():
        said.setdefault(row["match_id"], []).append(_said(row))
    return {
        row["match_id"]: KeptMatch(
            match=_match(row),
            sides=tuple(sides.get((row["match_id"], row["round"]), ())),
            said=tuple(said.get(row["match_id"], ())),
        )
        for row in rows
    }


def listed(
    connection: Connection,
    *,
    states: Collection[MatchState] = (),
    party: str | None = None,
    referral_id: str | None = None,
    limit: int = 1000,
) -> list[KeptMatch]:
    """Matches, oldest first: in these states, of a party, about a referral."""
    statement = sa.select(_M.match_id).order_by(_M.row).limit(limit)
    if states:
        statement = statement.where(_M.state.in_([state.value for state in states]))
    if party is not None:
        statement = statement.where(_M.match_id.in_(sa.select(_S.match_id).where(_S.party == party)))
    if referral_id is not None:
        statement = statement.where(sa.or_(_M.referral_id == referral_id, _M.other_referral_id == referral_id))
    ids = list(connection.scalars(statement))
    found = read(connection, ids)
    return [found[one] for one in ids]


def moves_of(connection: Connection, match_id: str) -> list[dict[str, Any]]:
    """Every move, oldest first."""
    rows = connection.execute(sa.select(t.match_moves).where(_V.match_id == match_id).order_by(_V.row)).mappings()
    return [{**row, "at": from_ms(row["at"])} for row in rows]


def being_heard(connection: Connection, finding_keys: Collection[str]) -> set[str]:
    """Those of the findings about which both sides are being heard."""
    statement = sa.select(_M.finding_key).where(_M.finding_key.in_(list(finding_keys)), _M.state.in_(_UNRESOLVED))
    return {key for key in connection.scalars(statement) if key is not None}


def of_finding(connection: Connection, key: str) -> str | None:
    """The match a finding opened."""
    return connection.scalar(sa.select(_M.match_id).where(_M.finding_key == key))


def unresolved_about(connection: Connection, referral_id: str, *, codes: Collection[str] = (), but: str = "") -> bool:
    """Whether another match, of these codes where some are named, about the referral is still open."""
    about = sa.or_(_M.referral_id == referral_id, _M.other_referral_id == referral_id)
    statement = sa.select(_M.match_id).where(about, _M.state.in_(_UNRESOLVED), _M.match_id != but)
    if codes:
        statement = statement.where(_M.code.in_(list(codes)))
    return connection.scalar(statement.limit(1)) is not None


def decides(connection: Connection, referral_id: str) -> bool:
    """Whether a match about who the person is, open or still to be opened, decides the referral's hold."""
    if unresolved_about(connection, referral_id, codes=IDENTITY_CODES):
        return True
    return bool(unmatched_pairs(connection, limit=1, about=referral_id))


# --- what the turn looks for ---


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
        Silent(match_id=row["match_id"], round=row["round"], side=_side(row), code=row["code"])
        for row in rows
        if (row["match_id"], row["round"], row["side"]) not in answered
    ]


def _answered(connection: Connection, match_ids: Collection[str]) -> set[tuple[str, int, str]]:
    finals = sorted(code.value for code in FINAL)
    statement = sa.select(_D.match_id, _D.round, _D.side).where(_D.match_id.in_(list(match_ids)), _D.code.in_(finals))
    return {(row.match_id, row.round, row.side) for row in connection.execute(statement)}


# --- writing ---


def put(connection: Connection, match: Match) -> None:
    """A new match; its cause twice fails the transaction."""
    connection.execute(
        t.matches.insert().values(
            match_id=match.match_id,
            cause=match.cause,
            code=match.code,
            finding_key=match.finding_key,
            referral_id=match.referral_id,
            other_referral_id=match.other_referral_id,
            state=match.state.value,
            round=match.round,
            opened_at=to_ms(match.opened_at),
        )
    )


def on_file(connection: Connection, causes: Collection[str]) -> dict[str, str | None]:
    """Those of the causes that have a match, each with the finding that is linked to it."""
    rows = connection.execute(sa.select(_M.cause, _M.finding_key).where(_M.cause.in_(list(causes))))
    return {row.cause: row.finding_key for row in rows}


def link(connection: Connection, cause: str, finding_key: str) -> None:
    """The finding that was made of a match which was there before it."""
    connection.execute(t.matches.update().where(_M.cause == cause).values(finding_key=finding_key))


def put_side(
    connection: Connection, match: Match, side: MatchSide, *, round_: int, due_at: datetime, notice_id: str | None
) -> None:
    """One side of one round."""
    connection.execute(
        t.match_sides.insert().values(
            match_id=match.match_id,
            round=round_,
            side=side.side,
            party=side.party,
            office_id=side.office_id,
            referral_id=side.referral_id,
            need_id=side.need_id,
            programme=side.programme,
            due_at=to_ms(due_at),
            notice_id=notice_id,
        )
    )


def move(
    connection: Connection, match: Match, path: Sequence[MatchState], *, cause: str, now: datetime, **changes: Any
) -> None:
    """Along the states in order, each move on file. changes: columns besides (`round`, `resolution`, `decision_id`)."""
    here = match.state
    rows = []
    for there in path:
        MATCH.move(here, there)
        rows.append(
            {
                "match_id": match.match_id,
                "round": changes.get("round", match.round),
                "from_state": here.value,
                "to_state": there.value,
                "at": to_ms(now),
                "cause": cause,
            }
        )
        here = there
    connection.execute(t.match_moves.insert(), rows)
    statement = t.matches.update().where(_M.match_id == match.match_id).values(state=here.value, **changes)
    connection.execute(statement)


def put_disposition(connection: Connection, row: Mapping[str, Any]) -> None:
    """What a side said; the columns of `dispositions`."""
    connection.execute(t.dispositions.insert().values(**row))


def evidence_text(evidence: Sequence[str]) -> str:
    """References as they are kept."""
    return json.dumps(list(evidence), ensure_ascii=False)


def _match(row: AnyRow) -> Match:
    return Match(
        match_id=row["match_id"],
        cause=row["cause"],
        code=row["code"],
        finding_key=row["finding_key"],
        referral_id=row["referral_id"],
        other_referral_id=row["other_referral_id"],
        state=MatchState(row["state"]),
        round=row["round"],
        opened_at=from_ms(row["opened_at"]),
        resolution=Resolution(row["resolution"]) if row["resolution"] else None,
    )


def _side(row: AnyRow) -> MatchSide:
    return MatchSide(
        side=row["side"],
        party=row["party"],
        referral_id=row["referral_id"],
        office_id=row["office_id"],
        need_id=row["need_id"],
        programme=row["programme"],
        due_at=from_ms(row["due_at"]),
        notice_id=row["notice_id"],
    )


def _said(row: AnyRow) -> Said:
    return Said(
        side=row["side"],
        party=row["party"],
        code=row["code"] if row["code"] == APPEAL else DispositionCode(row["code"]).value,
        stops_by=StopsBy(row["stops_by"]) if row["stops_by"] else None,
        round=row["round"],
        at=from_ms(row["at"]),
        cause=row["message_id"] or row["decision_id"],
        by_operator=row["message_id"] is None,
    )

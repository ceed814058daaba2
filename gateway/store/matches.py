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
    UNRESOLVED,
    DispositionCode,
    Match,
    MatchSide,
    Resolution,
    StopsBy,
)
from gateway.domain.lifecycle import MATCH, FindingState, MatchState
from gateway.store import tables as t
from gateway.store.clock import from_ms, to_ms
from gateway.store.findings import AnyRow

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
        sides.setdefault((row["match_id"], row["round"]), []).append(side_of(row))
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


def side_of(row: AnyRow) -> MatchSide:
    """A side as its row says it."""
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

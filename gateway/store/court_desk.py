"""法院门户的存取 What one court's clerk lists: referrals page by page, counts, matches, inquiries and clues.

Rules: every statement names the court, so that nothing of another's can come out; a page begins where the one before
ended and costs the same however long the list is. Ids, codes, amounts and moments only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.adjudication import UNRESOLVED
from gateway.domain.lifecycle import OPEN_NEEDS, NeedState
from gateway.store import exchanges, matches
from gateway.store import tables as t
from gateway.store.clock import from_ms, to_ms
from gateway.store.exchanges import KeptClue, KeptInquiry
from gateway.store.matches import KeptMatch

WITHDRAWN, OVERDUE = "withdrawn", "overdue"
"""Not states of a need: what else a list may be narrowed to."""
_R, _N, _K = t.referrals.c, t.needs.c, t.need_clocks.c
_OPEN = sorted(state.value for state in OPEN_NEEDS)
_ALIVE = [state.value for state in UNRESOLVED]


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What a clerk looks for. case: beginning of a case number, or a referral's id; state: of any need, or one of the
    two words above; since, until: of acceptance, the end not included."""

    case: str = ""
    state: str = ""
    since: datetime | None = None
    until: datetime | None = None


Place = tuple[int, int]
"""(acceptance in milliseconds, row): the last of a page."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One referral of the list."""

    referral_id: str
    case_number: str
    decision: str
    assessment: str | None
    urgency: str
    is_minor: bool
    accepted_at: datetime
    withdrawn: bool
    place: Place


def page(
    connection: Connection, court: str, wanted: Wanted, *, now: datetime, after: Place | None, most: int
) -> list[Line]:
    """Newest first; one more than `most`, where there are more."""
    statement = (
        sa.select(t.referrals)
        .where(_R.court == court, *_conditions(court, wanted, now))
        .order_by(_R.accepted_at.desc(), _R.row.desc())
        .limit(most + 1)
    )
    if after is not None:
        at, row = after
        statement = statement.where(sa.or_(_R.accepted_at < at, sa.and_(_R.accepted_at == at, _R.row < row)))
        statement = statement.where(_R.accepted_at <= at)  # what the index can begin with
    return [_line(row) for row in connection.execute(statement).mappings()]


def line_of(connection: Connection, court: str, referral_id: str) -> Line | None:
    """One referral of the court's."""
    statement = sa.select(t.referrals).where(_R.referral_id == referral_id, _R.court == court)
    row = connection.execute(statement).mappings().first()
    return None if row is None else _line(row)


def _conditions(court: str, wanted: Wanted, now: datetime) -> list[sa.ColumnElement[bool]]:
    """A state is looked up once for the whole court, in the index that has it by court: asked of each referral, the
    engine may walk every need of that state again and again."""
    found: list[sa.ColumnElement[bool]] = []
    if wanted.case:
        begins = _R.case_number.startswith(wanted.case, autoescape=True)
        found.append(sa.or_(begins, _R.referral_id == wanted.case))
    if wanted.since is not None:
        found.append(_R.accepted_at >= to_ms(wanted.since))
    if wanted.until is not None:
        found.append(_R.accepted_at < to_ms(wanted.until))
    if wanted.state == WITHDRAWN:
        found.append(_R.withdrawn_at.is_not(None))
    elif wanted.state == OVERDUE:
        late = sa.select(_K.referral_id).join(t.needs, _N.row == _K.need_row)
        late = late.where(_K.court == court, _K.due_at < to_ms(now), _N.state.in_(_OPEN))
        found.append(_R.referral_id.in_(late))
    elif wanted.state:
        found.append(_R.referral_id.in_(sa.select(_N.referral_id).where(_N.court == court, _N.state == wanted.state)))
    return found


def _line(row: sa.RowMapping) -> Line:
    return Line(
        referral_id=row["referral_id"],
        case_number=row["case_number"],
        decision=row["decision"],
        assessment=row["assessment"],
        urgency=row["urgency"],
        is_minor=bool(row["is_minor"]),
        accepted_at=from_ms(row["accepted_at"]),
        withdrawn=row["withdrawn_at"] is not None,
        place=(row["accepted_at"], row["row"]),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Counts:
    """What stands on top of the list."""

    referrals: int
    needs: Mapping[str, int]
    overdue: int
    matches: int

    @property
    def open(self) -> int:
        """Needs at work."""
        return sum(self.needs.get(state, 0) for state in _OPEN)

    def of(self, *states: NeedState) -> int:
        """Needs in these states."""
        return sum(self.needs.get(state.value, 0) for state in states)


def counts(connection: Connection, court: str, *, now: datetime) -> Counts:
    """Of one court, from indexes. overdue: as reconciliation last saw it."""
    own = sa.select(sa.func.count()).select_from(t.referrals).where(_R.court == court)
    states = sa.select(_N.state, sa.func.count()).where(_N.court == court).group_by(_N.state)
    late = (
        sa.select(sa.func.count())
        .select_from(t.need_clocks.join(t.needs, _N.row == _K.need_row))
        .where(_K.court == court, _K.due_at < to_ms(now), _N.state.in_(_OPEN))
    )
    heard = sa.select(sa.func.count(sa.distinct(_M.match_id))).select_from(_WITH_SIDES)
    return Counts(
        referrals=int(connection.scalar(own) or 0),
        needs={row[0]: int(row[1]) for row in connection.execute(states)},
        overdue=int(connection.scalar(late) or 0),
        matches=int(connection.scalar(heard.where(_S.party == court, _M.state.in_(_ALIVE))) or 0),
    )


_M, _S = t.matches.c, t.match_sides.c
_WITH_SIDES = t.match_sides.join(t.matches, _M.match_id == _S.match_id)


def matches_of(
    connection: Connection, court: str, *, after: int | None, most: int
) -> tuple[list[KeptMatch], int | None]:
    """Matches in which the court is heard, newest first, and where the next page begins; of past rounds too."""
    statement = (
        sa.select(_M.row, _M.match_id)
        .where(_M.match_id.in_(sa.select(_S.match_id).where(_S.party == court)))
        .order_by(_M.row.desc())
        .limit(most + 1)
    )
    if after is not None:
        statement = statement.where(_M.row < after)
    rows = connection.execute(statement).all()
    found = matches.read(connection, [row.match_id for row in rows[:most]])
    return [found[row.match_id] for row in rows[:most]], rows[most - 1].row if len(rows) > most else None


def match_of(connection: Connection, court: str, match_id: str) -> KeptMatch | None:
    """One match in which the court is heard."""
    kept = matches.find(connection, match_id)
    return kept if kept is not None and any(one.party == court for one in kept.sides) else None


def inquiries_of(
    connection: Connection, court: str, *, after: int | None, most: int
) -> tuple[list[KeptInquiry], int | None]:
    """What the court asked, newest first, and where the next page begins."""
    i = t.inquiries.c
    statement = sa.select(i.row, i.inquiry_id).where(i.court == court).order_by(i.row.desc()).limit(most + 1)
    if after is not None:
        statement = statement.where(i.row < after)
    rows = connection.execute(statement).all()
    found = exchanges.inquiries(connection, [row.inquiry_id for row in rows[:most]])
    return [found[row.inquiry_id] for row in rows[:most]], rows[most - 1].row if len(rows) > most else None


def inquiry_of(connection: Connection, court: str, inquiry_id: str) -> KeptInquiry | None:
    """One inquiry the court asked."""
    found = exchanges.inquiries(connection, [inquiry_id]).get(inquiry_id)
    return found if found is not None and found.court == court else None


def clues_of(connection: Connection, court: str, *, after: int | None, most: int) -> tuple[list[KeptClue], int | None]:
    """Clues put before the court, newest first, and where the next page begins."""
    c = t.clues.c
    statement = sa.select(c.row, c.clue_id).where(c.court_asked == court).order_by(c.row.desc()).limit(most + 1)
    if after is not None:
        statement = statement.where(c.row < after)
    rows = connection.execute(statement).all()
    found = {one.clue_id: one for one in exchanges.clues(connection, [row.clue_id for row in rows[:most]])}
    return [found[row.clue_id] for row in rows[:most]], rows[most - 1].row if len(rows) > most else None


def clue_of(connection: Connection, court: str, clue_id: str) -> KeptClue | None:
    """One clue put before the court."""
    found = exchanges.clues(connection, [clue_id])
    return next((one for one in found if one.court_asked == court), None)


def own_message(connection: Connection, recipient: str, message_id: str) -> Mapping[str, Any] | None:
    """The stored row of a message of ours to this party, still sealed."""
    o = t.outbox.c
    statement = sa.select(o.message_id, o.referral_id, o.recipient, o.jws, o.wire, o.created_at).where(
        o.message_id == message_id, o.recipient == recipient
    )
    row = connection.execute(statement).mappings().first()
    return None if row is None else dict(row)

"""移送的检索 Lists of referrals, a page at a time: by case number, court, office, state, group, kind and time.

Rules: whatever is asked, the database walks along an index from where the last page ended and never counts, sorts or
skips a million rows. Which index follows from what is asked (`_streams`); several courts or states are several walks
that are merged. What no index orders (a group, a kind of case) is looked for in a bounded stretch of each walk; where
that ends before the page is full, the page says how far it looked and the next one goes on from there.
Newest first; overdue ones by what passed first. Nothing personal can be asked for here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.lifecycle import NeedState
from gateway.domain.person import SpecificGroup
from gateway.store import need_clocks
from gateway.store import tables as t
from gateway.store.clock import from_ms, to_ms
from gateway.store.need_clocks import OPEN, within
from gateway.store.prepared import among, ids

_R, _N, _K, _L = t.referrals.c, t.needs.c, t.need_clocks.c, t.original_case_links.c
LENGTH = 50
STRETCH = 10_000
"""So many entries of indexes are looked through for what they do not order."""
FIRST_PIECE, GROWTH = 4, 5
MOST_STREAMS = 200
MOST_OF_MATTER = 500
Place = tuple[int, int]
"""Where a walk stands: moment in milliseconds, row."""
Entry = tuple[int, int, str]
Conditions = tuple[sa.ColumnElement[bool], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What is looked for; what is None or empty is not asked. courts: any of these, None: all; original_cases:
    spellings of one number; states: some need stands in one of these; must_act: of overdue ones."""

    courts: tuple[str, ...] | None = None
    case_number: str | None = None
    original_cases: tuple[str, ...] = ()
    office: str | None = None
    states: tuple[NeedState, ...] = ()
    overdue: bool = False
    must_act: str | None = None
    accepted_from: datetime | None = None
    accepted_until: datetime | None = None
    group: SpecificGroup | None = None
    case_type: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedNeed:
    """A need as a list shows it."""

    need_id: str
    programme: str
    state: NeedState
    office_id: str | None
    due_at: datetime | None
    is_overdue: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedReferral:
    """A referral as a list shows it: nothing of the person but the groups."""

    referral_id: str
    case_number: str
    court: str
    case_type: str | None
    decision: str
    amount_fen: int
    groups: tuple[str, ...]
    accepted_at: datetime
    withdrawn: bool
    needs: tuple[ListedNeed, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """One page. next: from where the following one goes on, None at the end; looked_to: how far was looked, where that
    ended before the page was full."""

    referrals: tuple[ListedReferral, ...]
    next: Place | None
    looked_to: datetime | None


@dataclass(frozen=True, kw_only=True)
class _Stream:
    """One walk along one index. wants: what the index does not order, asked of `walked` joined with its referral and,
    where entries are needs, its need."""

    key: sa.ColumnElement[Any]
    row: sa.ColumnElement[int]
    referral_id: sa.ColumnElement[str]
    where: Conditions
    wants: Conditions = ()
    of_needs: bool = False
    newest_first: bool = True

    def entries(self, after: Place | None, length: int, *columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
        """The next so many entries; without further columns the index alone is read."""
        where = self.where
        if after is not None:
            here = sa.tuple_(self.key, self.row)
            there = sa.tuple_(*(sa.literal(value, sa.BigInteger) for value in after))
            where = (*where, here < there if self.newest_first else here > there)
        wanted = sa.select(self.key.label("key"), self.row.label("row"), *columns).where(*where)
        return wanted.order_by(*self.order(self.key, self.row)).limit(length)

    def order(self, key: sa.ColumnElement[Any], row: sa.ColumnElement[Any]) -> tuple[sa.ColumnElement[Any], ...]:
        """Its order over these columns."""
        return (key.desc(), row.desc()) if self.newest_first else (key, row)

    def fitting(self, after: Place | None, stretch: int, length: int) -> sa.Select[Any]:
        """Those of the next stretch that are wanted."""
        walked = self.entries(after, stretch).subquery("walked")
        if self.of_needs:
            joined = walked.join(t.needs, _N.row == walked.c.row)
            joined = joined.join(t.referrals, _R.referral_id == _N.referral_id)
        else:
            joined = walked.join(t.referrals, _R.row == walked.c.row)
        statement = sa.select(walked.c.key, walked.c.row, _R.referral_id).select_from(joined).where(*self.wants)
        return statement.order_by(*self.order(walked.c.key, walked.c.row)).limit(length)


def search(
    connection: Connection,
    asked: Asked,
    *,
    now: datetime,
    after: Place | None = None,
    length: int = LENGTH,
    stretch: int = STRETCH,
) -> Page:
    """One page of what is asked, from behind `after`."""
    streams = list(_streams(connection, asked, now))
    newest_first = all(one.newest_first for one in streams)
    each = max(length + 1, stretch // max(1, len(streams)))
    # entries of one referral's needs stand together: so many make a page of different ones
    entries_each = (length + 1) * ((4 if len(streams) == 1 else 2) if any(one.of_needs for one in streams) else 1)
    found: list[Entry] = []
    ends: list[Place] = []
    for stream in streams:
        entries, end = _walk(connection, stream, after, entries_each, each)
        found += entries
        ends += [] if end is None else [end]
    # behind the first end another walk may have entries nobody has seen
    end = (max if newest_first else min)(ends, default=None)
    seen = [one for one in found if end is None or (one[:2] >= end if newest_first else one[:2] <= end)]
    wanted, last = _page_of(sorted(seen, reverse=newest_first), length)
    return Page(
        referrals=_listed(connection, wanted, now),
        next=last or end,
        looked_to=None if last is not None or end is None else from_ms(end[0]),
    )


def _walk(
    connection: Connection, stream: _Stream, after: Place | None, wanted: int, stretch: int
) -> tuple[list[Entry], Place | None]:
    """(entries that are wanted, how far was looked: None where the walk is at its end). What the index does not order
    is looked for in pieces that grow, for mostly the first is enough."""
    if not stream.wants:
        found = _entries(connection, stream.entries(after, wanted, stream.referral_id))
        return found, found[-1][:2] if len(found) == wanted else None
    found, looked, piece = [], 0, wanted * FIRST_PIECE
    while looked < stretch:
        piece = min(piece, stretch - looked)
        found += _entries(connection, stream.fitting(after, piece, wanted - len(found)))
        if len(found) == wanted:
            return found, found[-1][:2]
        last = connection.execute(stream.entries(after, 1).offset(piece - 1)).first()
        if last is None:
            return found, None
        after, looked, piece = (last[0], last[1]), looked + piece, piece * GROWTH
    return found, after


def _entries(connection: Connection, statement: sa.Select[Any]) -> list[Entry]:
    return [(row[0], row[1], row[2]) for row in connection.execute(statement)]


def _page_of(entries: Sequence[Entry], length: int) -> tuple[list[str], Place | None]:
    """(the first so many referrals, the last entry before the next one). A referral with several needs stands in
    several entries, one beside the other."""
    page: dict[str, None] = {}
    last: Place | None = None
    for key, row, referral_id in entries:
        if referral_id not in page and len(page) == length:
            return list(page), last
        page[referral_id] = None
        last = (key, row)
    return list(page), None


# --- which walks ---


def _streams(connection: Connection, asked: Asked, now: datetime) -> Iterator[_Stream]:
    of_case = _of_case(connection, asked)
    if of_case is not None:
        yield _of_referrals(of_case, (*_of_person(asked), *within(_R.court, asked.courts), *_has_need(asked, now)))
    elif asked.overdue:
        wants: Conditions = (_N.state.in_(OPEN), *_of_person(asked), *_when(_R.accepted_at, asked))
        if asked.office is not None:
            wants = (*wants, _N.office_id == asked.office)
        for court in _each_court(_K.court, asked):
            yield _of_clocks((_K.due_at < to_ms(now), *court, *_must_act(asked)), wants)
    elif asked.office is not None:
        wants = (*_of_person(asked), *within(_R.court, asked.courts))
        for state in asked.states or tuple(NeedState):
            where = (_N.office_id == asked.office, _N.state == state.value)
            yield _of_needs((*where, *_when(_N.accepted_at, asked)), wants)
    elif asked.states:
        yield from _of_states(asked)
    else:
        for court in _each_court(_R.court, asked):
            yield _of_referrals((*court, *_when(_R.accepted_at, asked)), _of_person(asked))


def _of_states(asked: Asked) -> Iterator[_Stream]:
    courts, wants = _each_court(_N.court, asked), _of_person(asked)
    if len(courts) * len(asked.states) > MOST_STREAMS:
        courts, wants = [()], (*wants, *within(_R.court, asked.courts))
    for state in asked.states:
        for court in courts:
            yield _of_needs((*court, _N.state == state.value, *_when(_N.accepted_at, asked)), wants)


def _of_referrals(where: Conditions, wants: Conditions) -> _Stream:
    return _Stream(key=_R.accepted_at, row=_R.row, referral_id=_R.referral_id, where=where, wants=wants)


def _of_needs(where: Conditions, wants: Conditions) -> _Stream:
    return _Stream(key=_N.accepted_at, row=_N.row, referral_id=_N.referral_id, where=where, wants=wants, of_needs=True)


def _of_clocks(where: Conditions, wants: Conditions) -> _Stream:
    return _Stream(
        key=_K.due_at,
        row=_K.need_row,
        referral_id=_K.referral_id,
        where=where,
        wants=wants,
        of_needs=True,
        newest_first=False,
    )


def _of_case(connection: Connection, asked: Asked) -> Conditions | None:
    """The few referrals of one case; None where no case is named."""
    conditions: Conditions = () if asked.case_number is None else (_R.case_number == asked.case_number,)
    if asked.original_cases:
        stated = sa.select(_L.stated_by).where(_L.number.in_(asked.original_cases)).limit(MOST_OF_MATTER)
        conditions = (*conditions, _R.referral_id.in_(list(connection.scalars(stated))))
    return (*conditions, *_when(_R.accepted_at, asked)) if conditions else None


def _each_court(column: sa.ColumnElement[str], asked: Asked) -> list[Conditions]:
    """One walk for all courts, or one for each of those that are seen: an index has the newest of one court together,
    not those of several."""
    return [()] if asked.courts is None else [(column == court,) for court in asked.courts]


def _when(column: sa.ColumnElement[int], asked: Asked) -> Conditions:
    since = () if asked.accepted_from is None else (column >= to_ms(asked.accepted_from),)
    until = () if asked.accepted_until is None else (column < to_ms(asked.accepted_until),)
    return (*since, *until)


def _of_person(asked: Asked) -> Conditions:
    found: Conditions = ()
    if asked.group is not None:
        found = ((sa.literal(" ") + _R.groups + sa.literal(" ")).like(f"% {asked.group.value} %"),)
    return found if asked.case_type is None else (*found, _R.case_type == asked.case_type)


def _must_act(asked: Asked) -> Conditions:
    return () if asked.must_act is None else (_K.must_act == asked.must_act,)


def _has_need(asked: Asked, now: datetime) -> Conditions:
    """Of a referral that is found by its case: that one of its needs is as asked."""
    if asked.overdue:
        late = (_K.referral_id == _R.referral_id, _K.due_at < to_ms(now), *_must_act(asked))
        of_office = () if asked.office is None else (_N.office_id == asked.office,)
        open_now = sa.exists().where(_N.row == _K.need_row, _N.state.in_(OPEN), *of_office)
        return (sa.exists().where(*late, open_now),)
    conditions: Conditions = () if asked.office is None else (_N.office_id == asked.office,)
    if asked.states:
        conditions = (*conditions, _N.state.in_([state.value for state in asked.states]))
    return (sa.exists().where(_N.referral_id == _R.referral_id, *conditions),) if conditions else ()


# --- what a page shows ---


def _listed(connection: Connection, referral_ids: Sequence[str], now: datetime) -> tuple[ListedReferral, ...]:
    if not referral_ids:
        return ()
    wanted = ids(referral_ids)
    rows = {row["referral_id"]: row for row in connection.execute(_ROWS, wanted).mappings()}
    clocks = need_clocks.of_referrals(connection, referral_ids)
    needs: dict[str, list[ListedNeed]] = {}
    for row in connection.execute(_NEEDS, wanted).mappings():
        clock = clocks.get(row["need_id"]) if row["state"] in OPEN else None
        one = ListedNeed(
            need_id=row["need_id"],
            programme=row["programme"],
            state=NeedState(row["state"]),
            office_id=row["office_id"],
            due_at=None if clock is None else clock.due_at,
            is_overdue=clock is not None and clock.is_past(now),
        )
        needs.setdefault(row["referral_id"], []).append(one)
    return tuple(_referral(rows[key], needs.get(key, ())) for key in referral_ids if key in rows)


_ROWS = sa.select(
    _R.referral_id,
    _R.case_number,
    _R.court,
    _R.case_type,
    _R.decision,
    _R.decided_amount_fen,
    _R.groups,
    _R.accepted_at,
    _R.withdrawn_at,
).where(among(_R.referral_id))
_NEEDS = (
    sa.select(_N.referral_id, _N.need_id, _N.programme, _N.state, _N.office_id)
    .where(among(_N.referral_id))
    .order_by(_N.row)
)


def _referral(row: sa.RowMapping, needs: Sequence[ListedNeed]) -> ListedReferral:
    return ListedReferral(
        referral_id=row["referral_id"],
        case_number=row["case_number"],
        court=row["court"],
        case_type=row["case_type"],
        decision=row["decision"],
        amount_fen=row["decided_amount_fen"],
        groups=tuple(row["groups"].split()),
        accepted_at=from_ms(row["accepted_at"]),
        withdrawn=row["withdrawn_at"] is not None,
        needs=tuple(needs),
    )

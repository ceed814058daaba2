"""对账日志的存取 The list of findings, a page at a time: by code, state, court, office, who must act, group and limit.

Rules: whatever is asked, the database walks along an index from where the last page ended and never counts, sorts or
skips a million rows. The narrowest thing that is asked says which index (`_walks`); several codes, courts or states,
and the several spellings of a group among others, are several walks that are merged. What no index orders is looked
for in a bounded stretch of each walk, in pieces that grow, for mostly the first is enough; where that ends before the
page is full, the page says so and the next one goes on from there.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import cache
from itertools import combinations
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.lifecycle import FindingState
from gateway.domain.person import SpecificGroup
from gateway.domain.reconciliation.findings import OPERATOR
from gateway.domain.rules import read_table
from gateway.store import tables as t
from gateway.store.clock import to_ms
from gateway.store.findings import AnyRow, Kept, kept_of
from gateway.store.prepared import among, ids

_F = t.findings.c
LENGTH = 50
STRETCH = 20_000
"""So many entries of indexes are looked through for what they do not order."""
FIRST_PIECE, GROWTH = 4, 5
"""Pieces of a stretch: so many times a page at first, each so many times the one before."""
FEW_COURTS = 3
"""So many courts are walked one by one; of more, their findings are dense enough among all."""
Conditions = tuple[sa.ColumnElement[bool], ...]
Place = tuple[int, int, int]
"""Where a walk stands: rank, key, row, so that a higher place always comes later."""


class Order(StrEnum):
    """先后: the oldest first; what is due first; the most money first; minors before everybody else."""

    OLDEST = "oldest"
    DUE = "due"
    STAKE = "stake"
    MINORS = "minors"


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What is looked for; what is None, or empty, is not asked. courts: any of these, None: all, and what belongs to
    none. statement: by its name. office: must act, or has the need. due_from, due_before: of whoever it is assigned to,
    else its own."""

    states: tuple[FindingState, ...] = (FindingState.OPEN, FindingState.ASSIGNED)
    codes: tuple[str, ...] = ()
    courts: tuple[str, ...] | None = None
    referral_id: str | None = None
    statement: str | None = None
    office: str | None = None
    must_act: str | None = None
    assigned_to: str | None = None
    group: SpecificGroup | None = None
    due_from: datetime | None = None
    due_before: datetime | None = None
    order: Order = Order.OLDEST


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """疑点 as a list shows it. court None: it belongs to the exchange as a whole."""

    key: str
    kept: Kept
    court: str | None
    is_minor: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """One page. next: from where the following one goes on, None at the end; goes_on: looking ended there before the
    page was full."""

    findings: tuple[Listed, ...]
    next: Place | None
    goes_on: bool = False


@dataclass(frozen=True, kw_only=True)
class _Stream:
    """One walk. key None: by row alone. wants: what the walk itself does not ask. is_small: few enough to be sorted,
    and then the database is kept from walking another index only because that one has the order."""

    rank: int
    where: Conditions
    wants: Conditions
    is_small: bool
    key: sa.ColumnElement[Any] | None = None
    highest_first: bool = False

    def entries(self, after: Place | None, length: int) -> sa.Select[Any]:
        """(key, row) of the next so many."""
        shown = sa.literal(0) if self.key is None else self.key
        statement = sa.select(shown.label("key"), _F.row).where(*self.where, *self._behind(after))
        return statement.order_by(*self.order(*self._columns())).limit(length)

    def fitting(self, after: Place | None, length: int, stretch: int) -> sa.Select[Any]:
        """The same of those within the next stretch that are wanted."""
        walked = self.entries(after, stretch).subquery("walked")
        joined = walked.join(t.findings, _F.row == walked.c.row)
        statement = sa.select(walked.c.key, walked.c.row).select_from(joined).where(*self.wants)
        return statement.order_by(*self.order(walked.c.key, walked.c.row)).limit(length)

    def order(self, key: sa.ColumnElement[Any] | None, row: sa.ColumnElement[int]) -> list[sa.ColumnElement[Any]]:
        """Its order over these columns."""
        columns = [row] if key is None else [key, row]
        return [column.desc() for column in columns] if self.highest_first else columns

    def place(self, key: int, row: int) -> Place:
        """Where an entry stands."""
        return (self.rank, -key, -row) if self.highest_first else (self.rank, key, row)

    def _behind(self, after: Place | None) -> Conditions:
        if after is None or after[0] < self.rank:
            return ()
        sign = -1 if self.highest_first else 1
        last_key, last_row = _number(sign * after[1]), _number(sign * after[2])
        key, row = self._columns()
        if key is None:
            return (row > last_row,)
        here, there = sa.tuple_(key, row), sa.tuple_(last_key, last_row)
        return (here < there if self.highest_first else here > there,)

    def _columns(self) -> tuple[sa.ColumnElement[Any] | None, sa.ColumnElement[int]]:
        """Key and row; of a small walk as expressions no index knows."""
        if not self.is_small:
            return self.key, _F.row
        return None if self.key is None else self.key + 0, _F.row + 0


def _number(value: int) -> sa.ColumnElement[int]:
    return sa.literal(value, sa.BigInteger)


def search(connection: Connection, asked: Asked, *, after: Place | None = None, length: int = LENGTH) -> Page:
    """One page of what is asked, from behind `after`."""
    streams = [one for one in _streams(asked) if after is None or one.rank >= after[0]]
    stretch = max(length + 1, STRETCH // max(1, len(streams)))
    found: list[Place] = []
    ends: list[Place] = []
    for stream in streams:
        entries, end = _walk(connection, stream, after, length + 1, stretch)
        found += entries
        ends += [] if end is None else [end]
    # behind the first end another walk may have entries nobody has seen
    end = min(ends, default=None)
    seen = sorted({one for one in found if end is None or one <= end})
    is_full = len(seen) > length
    page = seen[:length]
    return Page(
        findings=_listed(connection, [abs(row) for _, _, row in page]),
        next=page[-1] if is_full else end,
        goes_on=not is_full and end is not None,
    )


def _walk(
    connection: Connection, stream: _Stream, after: Place | None, length: int, stretch: int
) -> tuple[list[Place], Place | None]:
    """(entries that are wanted, how far was looked: None where the walk is at its end)."""
    if not stream.wants:
        found = _places(connection, stream, stream.entries(after, length))
        return found, found[-1] if len(found) == length else None
    found, looked = [], 0
    piece = stretch if stream.is_small else min(stretch, length * FIRST_PIECE)  # a small walk is sorted each time
    while looked < stretch:
        piece = min(piece, stretch - looked)
        found += _places(connection, stream, stream.fitting(after, length - len(found), piece))
        if len(found) == length:
            return found, found[-1]
        last = _places(connection, stream, stream.entries(after, 1).offset(piece - 1))
        if not last:
            return found, None
        after, looked, piece = last[0], looked + piece, piece * GROWTH
    return found, after


def _places(connection: Connection, stream: _Stream, statement: sa.Select[Any]) -> list[Place]:
    return [stream.place(row[0], row[1]) for row in connection.execute(statement)]


# --- which walks ---


@dataclass(frozen=True, kw_only=True)
class _Walk:
    """What one index is asked. knows_state: it has the state; is_small: see `_Stream`."""

    where: Conditions = ()
    knows_state: bool = True
    is_small: bool = False

    def of(self, state: FindingState) -> Conditions:
        """Of one state; told so that the index of states is not taken where this walk has a narrower one."""
        column = _F.state if self.knows_state else sa.func.coalesce(_F.state, "")
        return (*self.where, column == state.value)


def _streams(asked: Asked) -> Iterator[_Stream]:
    walks, wants = _walks(asked)
    for walk in walks:
        for state in asked.states:
            yield from _in_order(asked.order, state, walk, wants)


def _walks(asked: Asked) -> tuple[list[_Walk], Conditions]:
    """The walks, and what none of them asks."""
    said = {name: found for name, found in _said(asked).items() if found}
    by_age = asked.order is Order.OLDEST
    walks = [_Walk()]
    if "referral" in said:
        walks = [_Walk(where=said.pop("referral"), knows_state=False, is_small=True)]
    elif "statement" in said:
        # told so that the index of codes is not taken: the statement's own holds them too
        told = (sa.func.coalesce(_F.code, "").in_(asked.codes),) if said.pop("codes", ()) else ()
        walks = [_Walk(where=(*said.pop("statement"), *told), is_small=not by_age)]
    elif asked.office is not None:
        walks = _walks_of_office(asked.office)
        del said["office"]
    elif "assigned" in said:
        walks = [_Walk(where=said.pop("assigned"), is_small=not by_age)]
    elif "must_act" in said and (by_age or asked.must_act != OPERATOR):
        walks = [_Walk(where=said.pop("must_act"), is_small=not by_age)]
    elif asked.courts is not None and len(asked.courts) <= FEW_COURTS:
        del said["courts"]
        codes = said.pop("codes", ())
        walks = [_Walk(where=(_F.of_court == court, *codes), is_small=True) for court in asked.courts]
    elif asked.group is not None and by_age:
        del said["group"]
        walks = [_Walk(where=(_F.of_groups == groups,)) for groups in _spellings(asked.group)]
    elif asked.codes and by_age:
        del said["codes"]
        walks = [_Walk(where=(_F.code == code,)) for code in asked.codes]
    return walks, tuple(one for found in said.values() for one in found)


def _walks_of_office(office: str) -> list[_Walk]:
    """What it must act on, and what else is about its needs."""
    return [
        _Walk(where=(_F.must_act == office,), is_small=True),
        _Walk(where=(_F.of_office == office, _F.must_act != office), is_small=True),
    ]


@cache
def _spellings(group: SpecificGroup) -> tuple[str, ...]:
    """Every way a row spells groups of which this is one: alone, and with any of the others."""
    others = [one for one in SpecificGroup if one is not group]
    beside = (more for count in range(len(others) + 1) for more in combinations(others, count))
    return tuple(" ".join(sorted((group, *more))) for more in beside)


def _said(asked: Asked) -> dict[str, Conditions]:
    """Conditions by name."""
    due = sa.func.coalesce(_F.assigned_due_at, _F.due_at)
    found: dict[str, Sequence[sa.ColumnElement[bool] | None]] = {
        "referral": [None if asked.referral_id is None else _F.referral_id == asked.referral_id],
        "statement": [None if asked.statement is None else _F.of_statement == asked.statement],
        "office": [None if asked.office is None else sa.or_(_F.must_act == asked.office, _F.of_office == asked.office)],
        "assigned": [None if asked.assigned_to is None else _F.assigned_to == asked.assigned_to],
        "must_act": [None if asked.must_act is None else _F.must_act == asked.must_act],
        "courts": [None if asked.courts is None else _F.of_court.in_(asked.courts)],
        "codes": [_F.code.in_(asked.codes) if asked.codes else None],
        "group": [None if asked.group is None else _F.of_groups.in_(_spellings(asked.group))],
        "due": [
            None if asked.due_from is None else due >= to_ms(asked.due_from),
            None if asked.due_before is None else due < to_ms(asked.due_before),
        ],
    }
    return {name: tuple(one for one in conditions if one is not None) for name, conditions in found.items()}


def _in_order(order: Order, state: FindingState, walk: _Walk, wants: Conditions) -> Iterator[_Stream]:
    def stream(rank: int, *more: sa.ColumnElement[bool], key: Any = None, highest_first: bool = False) -> _Stream:
        return _Stream(
            rank=rank,
            where=(*walk.of(state), *more),
            wants=wants,
            is_small=walk.is_small,
            key=key,
            highest_first=highest_first,
        )

    if order is Order.STAKE:
        yield stream(0, key=_F.stake_fen, highest_first=True)
    elif order is Order.MINORS:
        of_minor = sa.func.coalesce(_F.of_minor, sa.false()) if walk.is_small else _F.of_minor
        yield stream(0, of_minor == sa.true())
        yield stream(1, of_minor == sa.false())
    elif order is Order.DUE:
        # of those that are assigned, which people keep few, the assignee's limit counts; of all others their own
        due = sa.func.coalesce(_F.assigned_due_at, _F.due_at) if state is FindingState.ASSIGNED else _F.due_at
        yield stream(0, due.is_not(None), key=due)
        yield stream(1, due.is_(None))
    else:
        yield stream(0)


# --- what a page shows ---


def _listed(connection: Connection, rows: Sequence[int]) -> tuple[Listed, ...]:
    found = {row["row"]: listed_of(row) for row in connection.execute(_ROWS, ids(rows)).mappings()} if rows else {}
    return tuple(found[row] for row in rows if row in found)


_ROWS = sa.select(t.findings).where(among(_F.row))


def listed_of(row: AnyRow) -> Listed:
    """A row as a list shows it."""
    return Listed(key=row["key"], kept=kept_of(row), court=row["of_court"], is_minor=bool(row["of_minor"]))


def of_keys(connection: Connection, keys: Sequence[str]) -> dict[str, Listed]:
    """Findings by key, as far as they are on file."""
    return {row["key"]: listed_of(row) for row in connection.execute(_OF_KEYS, ids(keys)).mappings()}


_OF_KEYS = sa.select(t.findings).where(among(_F.key))


def counts(connection: Connection, asked: Asked) -> dict[str, int]:
    """How many of each code, of all that is asked but the codes themselves, the group and the limit: to count by those
    would be to read every row. A region's are counted court by court, those of all code by code: so that an index leads
    to the open ones past the many that are closed."""
    narrowest = replace(asked, codes=(), group=None, due_from=None, due_before=None, order=Order.OLDEST)
    walks, wants = _walks(narrowest)
    states = _F.state.in_([state.value for state in asked.states])
    found: dict[str, int] = {}
    for walk in walks:
        where = (*walk.where, *wants) or (_F.code.in_(_codes()),)
        for code, count in connection.execute(
            sa.select(_F.code, sa.func.count()).where(*where, states).group_by(_F.code)
        ):
            found[code] = found.get(code, 0) + int(count)
    return dict(sorted(found.items()))


@cache
def _codes() -> tuple[str, ...]:
    """All there are."""
    return tuple(row["code"] for row in read_table("findings"))

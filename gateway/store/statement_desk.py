"""对账单台账的读取 Statements of every party as the console lists them, a page at a time, and what one of them led to.

Rules: newest first, by row, never counted; of a region only statements of its offices: the office's region, else the
statement's own, else its party's. Lines are told by number and code, never by what stands in them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.lifecycle import FindingState, StatementState
from gateway.domain.statement import Statement
from gateway.store import statements
from gateway.store import tables as t
from gateway.store.clock import from_ms
from gateway.store.statements import Progress

_S, _P, _L, _F = t.statements.c, t.statement_progress.c, t.statement_lines.c, t.findings.c


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """辖区: whose statements somebody sees. region: leading digits; offices and parties: those within it."""

    region: str
    offices: tuple[str, ...]
    parties: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What is looked for; what is None is not asked. month: lies within the statement's months; part None: all."""

    part: Part | None = None
    office: str | None = None
    party: str | None = None
    month: str | None = None
    state: StatementState | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Matched:
    """What lines came to. named: good lines that name a need of ours; needs: different ones among these."""

    named: int
    needs: int
    in_doubt: int
    """Needs about which a doubt is open."""


def listed(connection: Connection, asked: Asked, *, before: int | None, limit: int) -> list[tuple[Statement, Progress]]:
    """Newest first, of rows below `before`."""
    rows = sa.select(_S.row, _S.party, _S.statement_id).where(*conditions(asked))
    if before is not None:
        rows = rows.where(_S.row < before)
    if asked.state is not None:
        rows = rows.join(t.statement_progress, _P.statement_row == _S.row).where(_P.state == asked.state.value)
    found = connection.execute(rows.order_by(_S.row.desc()).limit(limit)).all()
    every = [statements.find(connection, row.party, row.statement_id) for row in found]
    return [(one, statements.progress(connection, one.row)) for one in every if one is not None]


def named(connection: Connection, statement_id: str, asked: Asked) -> list[Statement]:
    """Every statement of that id that is seen: two parties may have used one id."""
    rows = sa.select(_S.row).where(_S.statement_id == statement_id, *conditions(asked))
    seen = set(connection.scalars(rows))
    return [one for one in statements.named(connection, statement_id) if one.row in seen]


def conditions(asked: Asked) -> list[sa.ColumnElement[bool]]:
    """All of what is asked but the state."""
    found: list[sa.ColumnElement[bool]] = []
    if asked.part is not None:
        part = asked.part
        whole = sa.and_(_S.office_id.is_(None), _S.region.is_(None), _S.party.in_(part.parties))
        of_region = sa.and_(_S.office_id.is_(None), _S.region.startswith(part.region, autoescape=True))
        found.append(sa.or_(_S.office_id.in_(part.offices), of_region, whole))
    if asked.office is not None:
        found.append(_S.office_id == asked.office)
    if asked.party is not None:
        found.append(_S.party == asked.party)
    if asked.month is not None:
        found += [_S.period_from <= asked.month, _S.period_to >= asked.month]
    return found


def name_of(connection: Connection, statement: Statement) -> str:
    """What its findings are named after."""
    first = statements.family(connection, statement)
    return f"{first.statement_id}@{first.party}"


def doubts(
    connection: Connection, names: Sequence[str], courts: Sequence[str] | None = None
) -> Mapping[str, Mapping[tuple[str, FindingState], int]]:
    """By name: how many findings of which code in which state. courts: of these alone."""
    return {name: _doubts(connection, name, courts) for name in names}


def _doubts(connection: Connection, name: str, courts: Sequence[str] | None) -> Mapping[tuple[str, FindingState], int]:
    asked = sa.select(_F.code, _F.state, sa.func.count()).where(_F.of_statement == name, *of_courts(courts))
    rows = connection.execute(asked.group_by(_F.code, _F.state).order_by(_F.code, _F.state))
    return {(row[0], FindingState(row[1])): row[2] for row in rows}


def of_courts(courts: Sequence[str] | None) -> list[sa.ColumnElement[bool]]:
    """Findings that are these courts' matter; all where none are named."""
    return [] if courts is None else [_F.of_court.in_(courts)]


def is_good() -> sa.ColumnElement[bool]:
    """A line without a problem; told so that the index of problems is not walked, which holds every good line."""
    return sa.func.coalesce(_L.problem, "") == ""


def matched(connection: Connection, statement: Statement, name: str) -> Matched:
    """Of the lines that were read."""
    mine = [_L.statement_row == statement.row, _L.need_id.is_not(None), is_good()]
    row = connection.execute(sa.select(sa.func.count(), sa.func.count(sa.distinct(_L.need_id))).where(*mine)).one()
    still = _F.state.in_([FindingState.OPEN.value, FindingState.ASSIGNED.value])
    named_in = sa.select(_L.row).where(*mine, _L.need_id == _F.need_id).exists()
    about = sa.select(sa.func.count(sa.distinct(_F.need_id))).where(_F.of_statement == name, still, named_in)
    return Matched(named=row[0], needs=row[1], in_doubt=connection.scalar(about) or 0)


def bad_lines(connection: Connection, row: int, *, after: int, limit: int) -> list[dict[str, Any]]:
    """Lines that are compared with nothing, by number, from behind `after`: number, code, pointer."""
    asked = sa.select(_L.line, _L.problem, _L.pointer).where(
        _L.statement_row == row, _L.problem.is_not(None), _L.line > after
    )
    found = connection.execute(asked.order_by(_L.line).limit(limit))
    return [{"line": one.line, "code": one.problem, "pointer": one.pointer or ""} for one in found]


def received(connection: Connection, found: Sequence[Statement]) -> Mapping[int, datetime | None]:
    """By row: when its manifest came."""
    asked = (
        sa.select(_S.row, t.inbox.c.received_at)
        .join(t.inbox, sa.and_(t.inbox.c.message_id == _S.message_id, t.inbox.c.source == _S.party))
        .where(_S.row.in_([one.row for one in found]))
    )
    return {row.row: from_ms(row.received_at) for row in connection.execute(asked)}


def replaced(connection: Connection, found: Sequence[Statement]) -> set[int]:
    """Rows of those in whose place a later one stands."""
    return {one.row for one in found if statements.is_replaced(connection, one)}

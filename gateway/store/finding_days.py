"""疑点两日对照的存取 What was open at two moments, and what came and went between: counted in the database, by code.

Rules: a finding is open from its opening to its closing, whether or not somebody has decided it yet; so
open then + opened − closed = open later, code by code. A finding that was closed and is open again keeps no mark of
when a run had closed it: it counts as open all along, and how many those are is told (`doubtful`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.reconciliation.evidence import FindingDecision
from gateway.store import tables as t
from gateway.store.clock import to_ms
from gateway.store.finding_log import FEW_COURTS, Listed, listed_of
from gateway.store.findings import Change

_F, _C, _D = t.findings.c, t.finding_changes.c, t.decisions.c
LENGTH = 50
_AGAIN = [Change.CAME_BACK.value, Change.NEW_EVIDENCE.value, Change.REOPENED.value]
_DECIDED = [f"finding_{one.value.lower()}" for one in FindingDecision]
_CODE = sa.func.coalesce(_F.code, sa.literal_column("''"))
"""Written so that nobody walks all findings in the order of their codes to count the few that something happened to."""
Courts = tuple[str, ...] | None


class Part(StrEnum):
    """对照项: which findings of the comparison are listed."""

    THEN = "then"
    OPENED = "opened"
    CLOSED = "closed"
    LATER = "later"


@dataclass(frozen=True, kw_only=True, slots=True)
class Days:
    """两日对照 of one code. cured: of those closed, without a decision of anybody; decided, again: how often that
    happened between."""

    code: str
    then: int
    opened: int
    closed: int
    cured: int
    later: int
    decided: int = 0
    again: int = 0


def compare(connection: Connection, since: datetime, until: datetime, courts: Courts) -> list[Days]:
    """By code. courts: None for all."""
    parts = {part.value: _of(part, since, until) for part in Part}
    parts["cured"] = sa.and_(parts[Part.CLOSED], _F.decided_as.is_(None))
    counts = (sa.func.sum(sa.case((where, 1), else_=0)).label(name) for name, where in parts.items())
    statement = sa.select(_F.code, *counts).where(*_seen(courts))
    decided = _counted(connection, _decisions(since, until, courts))
    again = _counted(connection, _reopenings(since, until, courts))
    found = []
    for row in connection.execute(statement.group_by(_F.code).order_by(_F.code)).mappings():
        code, numbers = row["code"], {name: int(row[name] or 0) for name in parts}
        numbers |= {"decided": decided.get(code, 0), "again": again.get(code, 0)}
        if any(numbers.values()):
            found.append(Days(code=code, **numbers))
    return found


def doubtful(connection: Connection, since: datetime, courts: Courts) -> int:
    """Findings that were opened by then and have been opened again since: whether they were open then is not kept."""
    statement = (
        sa.select(sa.func.count(sa.distinct(_C.finding_key)))
        .select_from(t.finding_changes.join(t.findings, _F.key == _C.finding_key))
        .where(_C.at > to_ms(since), _C.what.in_(_AGAIN), _F.opened_at <= to_ms(since), *_seen(courts))
    )
    return int(connection.scalar(statement) or 0)


def listed(
    connection: Connection,
    part: Part,
    code: str,
    since: datetime,
    until: datetime,
    courts: Courts,
    *,
    after: int = 0,
) -> tuple[list[Listed], int | None]:
    """(one page of those a number counts, from where the next goes on)."""
    statement = (
        sa.select(t.findings)
        .where(_F.code == code, _of(part, since, until), _F.row > after, *_seen(courts))
        .order_by(_F.row)
        .limit(LENGTH + 1)
    )
    rows = connection.execute(statement).mappings().all()
    return [listed_of(row) for row in rows[:LENGTH]], rows[LENGTH - 1]["row"] if len(rows) > LENGTH else None


def _of(part: Part, since: datetime, until: datetime) -> sa.ColumnElement[bool]:
    first, last = to_ms(since), to_ms(until)
    if part is Part.OPENED:
        return sa.and_(_F.opened_at > first, _F.opened_at <= last)
    if part is Part.CLOSED:
        return sa.and_(_F.closed_at > first, _F.closed_at <= last)
    moment = first if part is Part.THEN else last
    return sa.and_(_F.opened_at <= moment, sa.or_(_F.closed_at.is_(None), _F.closed_at > moment))


def _seen(courts: Courts) -> Iterator[sa.ColumnElement[bool]]:
    """Of a few courts by their index; of a region told so that the one index that holds all is read through."""
    if courts is not None:
        few = len(courts) <= FEW_COURTS
        yield (_F.of_court if few else sa.func.coalesce(_F.of_court, "")).in_(courts)


def _decisions(since: datetime, until: datetime, courts: Courts) -> Any:
    return (
        sa.select(_CODE, sa.func.count())
        .select_from(t.decisions.join(t.findings, _F.key == _D.subject))
        .where(_D.what.in_(_DECIDED), _D.at > to_ms(since), _D.at <= to_ms(until), *_seen(courts))
        .group_by(_CODE)
    )


def _reopenings(since: datetime, until: datetime, courts: Courts) -> Any:
    return (
        sa.select(_CODE, sa.func.count())
        .select_from(t.finding_changes.join(t.findings, _F.key == _C.finding_key))
        .where(_C.what.in_(_AGAIN), _C.at > to_ms(since), _C.at <= to_ms(until), *_seen(courts))
        .group_by(_CODE)
    )


def _counted(connection: Connection, statement: Any) -> Mapping[str, int]:
    return {code: int(count) for code, count in connection.execute(statement)}

"""对账单统计的读取 Statements of a report's days, each with what was read of it and the doubts it led to.

Rules: a statement is of the day its manifest came. Lines that name a need are counted in the index that begins with the
statement; lines of a roster name none and cost nothing. The doubts of statements that replace each other are one set,
told once, with the oldest of them that is counted.
"""

from collections.abc import Iterator, Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.lifecycle import StatementState
from gateway.domain.report.exchange_counts import StatementCount
from gateway.domain.report.values import Narrowed
from gateway.store import statement_desk, statements
from gateway.store import tables as t
from gateway.store.dossiers import CHUNK, Days, within
from gateway.store.prepared import among, ids
from gateway.store.statement_desk import Asked, Part

_S, _P, _L, _F = t.statements.c, t.statement_progress.c, t.statement_lines.c, t.findings.c
_NO_DOUBTS = (0, 0, 0)
_NAMED = (
    sa.select(_L.statement_row, sa.func.count())
    .where(among(_L.statement_row), _L.need_id.is_not(None), statement_desk.is_good())
    .group_by(_L.statement_row)
)


def read(connection: Connection, received: Days, narrowed: Narrowed, part: Part | None) -> Iterator[StatementCount]:
    """Those that came within these days, oldest first. part: whose are seen; None: everybody's."""
    told: set[str] = set()
    last, asked = 0, _received(received, narrowed, part)
    while page := connection.execute(asked.where(_S.row > last).order_by(_S.row).limit(CHUNK)).mappings().all():
        named = {row[0]: row[1] for row in connection.execute(_NAMED, ids(row["row"] for row in page))}
        for row in page:
            name = _name_of(connection, row)
            doubts = _NO_DOUBTS if name in told else _doubts(connection, name, narrowed.courts)
            told.add(name)
            yield _count(row, named, doubts)
        last = page[-1]["row"]


def count(connection: Connection, received: Days, narrowed: Narrowed, part: Part | None, *, most: int) -> int:
    """How many came within these days; counted up to `most`."""
    rows = _received(received, narrowed, part).limit(most).subquery()
    return connection.scalar(sa.select(sa.func.count()).select_from(rows)) or 0


def _received(received: Days, narrowed: Narrowed, part: Part | None) -> sa.Select[tuple[object, ...]]:
    inbox, later = t.inbox.c, t.statements.alias()
    replaced = sa.exists().where(later.c.party == _S.party, later.c.replaces == _S.statement_id)
    asked = (
        sa.select(
            *(_S.row, _S.party, _S.statement_id, _S.agency, _S.lines, _P.state, _P.kept, _P.bad),
            replaced.label("is_replaced"),
        )
        .join(t.statement_progress, _P.statement_row == _S.row)
        .join(t.inbox, sa.and_(inbox.message_id == _S.message_id, inbox.source == _S.party))
        .where(within(inbox.received_at, received), *statement_desk.conditions(Asked(part=part)))
    )
    return asked if narrowed.agency is None else asked.where(_S.agency == narrowed.agency)


def _name_of(connection: Connection, row: sa.RowMapping) -> str:
    found = statements.find(connection, row["party"], row["statement_id"])
    assert found is not None  # noqa: S101 - its row was just read
    return statement_desk.name_of(connection, found)


def _doubts(connection: Connection, name: str, courts: Sequence[str] | None) -> tuple[int, int, int]:
    """(not yet decided, decided, gone without a decision)."""
    decided, closed = _F.decided_as.is_not(None), _F.closed_at.is_not(None)
    kinds = (sa.and_(~decided, ~closed), decided, sa.and_(~decided, closed))
    sums = (sa.func.coalesce(sa.func.sum(sa.case((kind, 1), else_=0)), 0) for kind in kinds)
    asked = sa.select(*sums).where(_F.of_statement == name, *statement_desk.of_courts(courts))
    undecided, judged, gone = connection.execute(asked).one()
    return int(undecided), int(judged), int(gone)


def _count(row: sa.RowMapping, named: Mapping[int, int], doubts: tuple[int, int, int]) -> StatementCount:
    return StatementCount(
        agency=row["agency"],
        state=StatementState(row["state"]),
        is_replaced=bool(row["is_replaced"]),
        announced=row["lines"],
        kept=row["kept"],
        bad=row["bad"],
        named=named.get(row["row"], 0),
        undecided=doubts[0],
        decided=doubts[1],
        gone=doubts[2],
    )

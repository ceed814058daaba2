"""本部门对账单的读取 The statements of one party, newest first; of a clerk's offices alone where he has some."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.statement import Statement
from gateway.store import statements
from gateway.store import tables as t
from gateway.store.statements import Progress

_S = t.statements.c


def listed(
    connection: Connection, party: str, offices: Sequence[str] | None, *, before: int | None, limit: int
) -> list[tuple[Statement, Progress]]:
    """offices: only what is of one of them; None for all of the party's."""
    statement = sa.select(_S.row, _S.statement_id).where(_S.party == party)
    if offices is not None:
        statement = statement.where(_S.office_id.in_(list(offices)))
    if before is not None:
        statement = statement.where(_S.row < before)
    rows = connection.execute(statement.order_by(_S.row.desc()).limit(limit)).all()
    found = [statements.find(connection, party, row.statement_id) for row in rows]
    return [(one, statements.progress(connection, one.row)) for one in found if one is not None]


def find(
    connection: Connection, party: str, offices: Sequence[str] | None, statement_id: str
) -> tuple[Statement, Progress] | None:
    """One of them; nothing for another's."""
    one = statements.find(connection, party, statement_id)
    if one is None or (offices is not None and one.office_id not in offices):
        return None
    return one, statements.progress(connection, one.row)

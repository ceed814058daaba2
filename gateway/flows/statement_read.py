"""对账明细读取 The lines of a statement become rows, batch by batch; what is cut off goes on at the last commit.

1. the file is passed over up to where the last commit stood, then read on, `BATCH` lines a commit, so that nobody waits
   long for the writer's turn and memory does not grow with the file;
2. of each line only ids, keys, codes, amounts and days are kept; what it refers to is looked up for the whole batch;
3. behind the last line a leaf of the log says of which file, and over which rows, it was read.
Two who read one statement: the second finds that the position moved, and gives way.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from sqlalchemy import Connection

from gateway.domain.lifecycle import StatementState
from gateway.domain.statement import Statement, StatementLine
from gateway.errors import FileUnreadable
from gateway.flows.context import Context
from gateway.flows.statement_rows import Rows
from gateway.matching.keyed import secret_name
from gateway.store import decisions, statements
from gateway.store.statements import Progress
from gateway.workbook.statement_file import read_ledger

logger = logging.getLogger(__name__)

BATCH = 5000
Chunks = Callable[[], Iterator[bytes]]
Told = Callable[[Progress], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class LinesRead:
    """What a whole reading came to."""

    statement_id: str
    kept: int
    bad: int


def read_waiting(context: Context, *, now: datetime) -> list[LinesRead]:
    """Every statement whose file is here and not read yet. One that cannot be read waits for another file."""
    with context.store.reading() as connection:
        waiting = statements.in_state(connection, StatementState.RECEIVED)
    done = []
    for statement in waiting:
        try:
            done.append(read_lines(context, statement, _kept_pieces(context, statement), now=now))
        except FileUnreadable as error:
            _refuse(context, statement, error.code)
    return done


def read_lines(
    context: Context,
    statement: Statement,
    chunks: Chunks,
    *,
    now: datetime,
    told: Told | None = None,
    at_once: int = BATCH,
) -> LinesRead:
    """Reads on from the last commit to the end; told: after each commit of `at_once`
    lines. Raises FileUnreadable, LeaseLost."""
    with context.store.reading() as connection:
        seen = statements.progress(connection, statement.row)
    if seen.state is not StatementState.READ:
        rows = Rows(context, statement, matching=seen.matching, now=now)
        lines = read_ledger(chunks(), statement.format, after=seen.position)
        while batch := list(islice(lines, at_once)):
            made = rows.of(batch)
            seen = context.store.write(_keeper(seen, made))
            if told is not None:
                told(seen)
        context.store.write(_finisher(context, statement, seen, now))
        extra = {"message_id": statement.statement_id, "accepted": seen.kept - seen.bad, "refused": seen.bad}
        logger.info("statement read", extra=extra)
    return LinesRead(statement_id=statement.statement_id, kept=seen.kept, bad=seen.bad)


def _kept_pieces(context: Context, statement: Statement) -> Chunks:
    return lambda: statements.pieces(context.store, statement)


def _keeper(seen: Progress, made: list[StatementLine]) -> Callable[[Connection], Progress]:
    return lambda connection: statements.keep_lines(connection, seen, made)


def _finisher(context: Context, statement: Statement, seen: Progress, now: datetime) -> Callable[[Connection], None]:
    def write(connection: Connection) -> None:
        if seen.state is StatementState.AWAITING_LINES:  # from a file on disk: it never lay here
            statements.move(connection, seen, StatementState.RECEIVED)
        here = statements.progress(connection, statement.row)
        if seen.matching:
            why = f"P06 {statement.document} statement"
            subject = statements.subject_of(statement)
            decisions.put(connection, who=context.party_id, what="matching_used", subject=subject, why=why, now=now)
        name = secret_name(context.matching_secret)
        statements.finish(connection, statement, here, who=context.party_id, keyed_under=name, now=now)

    return write


def _refuse(context: Context, statement: Statement, because: str) -> None:
    """Nothing of it was kept but what was read before: the next file begins where that ended only if it is the same."""
    with context.store.reading() as connection:
        seen = statements.progress(connection, statement.row)
    context.store.write(lambda connection: statements.refuse_pieces(connection, seen, because))
    logger.warning("statement not readable", extra={"message_id": statement.statement_id, "code": because})

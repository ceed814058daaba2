"""对账单的存取 Statements, the pieces of a file on its way, and lines kept batch by batch.

Rules: what a manifest says never changes; how far its lines have come is a row apart, moved only from where the caller
saw it (two readers of one statement: the second gives way). A batch and the position behind it are one commit. Pieces
are sealed with the key of their party and are gone once the lines are read.
"""

from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.lifecycle import STATEMENT, StatementState
from gateway.domain.statement import FIELDS, NO_LINES, Covers, Statement, StatementLine, chained, mark_of, text_of
from gateway.errors import LeaseLost
from gateway.store import decisions
from gateway.store import tables as t
from gateway.store.clock import from_ms, to_ms
from gateway.store.engine import Store
from gateway.store.vault import CaseKeys, case_of

_S, _P, _L, _R = t.statements.c, t.statement_progress.c, t.statement_lines.c, t.statement_reads.c
PIECE = 1024 * 1024
READ = "statement_read"


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """对账单进度: how far the lines of a statement have come."""

    statement_row: int
    state: StatementState
    matching: bool
    received: int
    position: int
    kept: int
    bad: int
    chain: str
    refused_because: str | None
    reconciled_at: datetime | None


def put(connection: Connection, row: Mapping[str, Any], *, matching: bool) -> int:
    """A manifest, waiting for its lines; its row."""
    made = connection.execute(t.statements.insert().values(**row)).inserted_primary_key
    assert made is not None  # noqa: S101 - one row was inserted
    number = int(made[0])
    connection.execute(
        t.statement_progress.insert().values(
            statement_row=number,
            state=STATEMENT.initial.value,
            matching=matching,
            received=0,
            position=0,
            kept=0,
            bad=0,
            chain=NO_LINES,
        )
    )
    return number


def find(connection: Connection, party: str, statement_id: str) -> Statement | None:
    """One of a party's own."""
    statement = sa.select(t.statements).where(_S.party == party, _S.statement_id == statement_id)
    row = connection.execute(statement).mappings().first()
    return None if row is None else _statement(row)


def named(connection: Connection, statement_id: str, party: str | None = None) -> list[Statement]:
    """Every statement of that id, of one party or of all."""
    statement = sa.select(t.statements).where(_S.statement_id == statement_id).order_by(_S.row)
    found = connection.execute(statement if party is None else statement.where(_S.party == party)).mappings()
    return [_statement(row) for row in found]


def of_file(connection: Connection, digest: str) -> list[Statement]:
    """Statements that name this very file."""
    statement = sa.select(t.statements).where(_S.sha256 == digest).order_by(_S.row)
    return [_statement(row) for row in connection.execute(statement).mappings()]


def listed(connection: Connection, *, limit: int = 1000) -> list[tuple[Statement, Progress]]:
    """Newest first."""
    statement = sa.select(t.statements).order_by(_S.row.desc()).limit(limit)
    found = [_statement(row) for row in connection.execute(statement).mappings()]
    return [(one, progress(connection, one.row)) for one in found]


def is_replaced(connection: Connection, statement: Statement) -> bool:
    """Whether a later one of the party takes its place."""
    asked = sa.select(_S.row).where(_S.party == statement.party, _S.replaces == statement.statement_id).limit(1)
    return connection.execute(asked).first() is not None


def same_scope(connection: Connection, row: Mapping[str, Any]) -> str | None:
    """The id of a statement in force that says of itself what `row` says: of the same time, place and programmes."""
    names = ("party", "agency", "office_id", "region", "period_from", "period_to", "covers", "programmes")
    same = [_S[name].is_(None) if row[name] is None else _S[name] == row[name] for name in names]
    later = t.statements.alias()
    replaced = sa.exists().where(later.c.party == _S.party, later.c.replaces == _S.statement_id)
    found = connection.execute(sa.select(_S.statement_id).where(*same, ~replaced).order_by(_S.row.desc())).first()
    return None if found is None else str(found.statement_id)


def in_force(connection: Connection) -> list[Statement]:
    """Statements whose lines were read whole and that no read one replaces, oldest first."""
    later, read = t.statements.alias(), t.statement_reads.alias()
    replaced = (
        sa.exists()
        .where(later.c.party == _S.party, later.c.replaces == _S.statement_id)
        .where(read.c.statement_row == later.c.row)
    )
    statement = sa.select(t.statements).join(t.statement_reads, _R.statement_row == _S.row).where(~replaced)
    return [_statement(row) for row in connection.execute(statement.order_by(_S.row)).mappings()]


def family(connection: Connection, statement: Statement) -> Statement:
    """The first of those it replaces, one after the other: what its findings are named after."""
    first, seen = statement, {statement.statement_id}
    while first.replaces is not None and first.replaces not in seen:
        before = find(connection, first.party, first.replaces)
        if before is None:
            break
        seen.add(before.statement_id)
        first = before
    return first


def in_state(connection: Connection, state: StatementState) -> list[Statement]:
    """Oldest first."""
    joined = sa.select(t.statements).join(t.statement_progress, _P.statement_row == _S.row)
    return [
        _statement(row) for row in connection.execute(joined.where(_P.state == state.value).order_by(_S.row)).mappings()
    ]


def unreconciled(connection: Connection) -> list[int]:
    """Rows of read statements that wait to be compared."""
    asked = sa.select(_P.statement_row).where(_P.state == StatementState.READ.value, _P.reconciled_at.is_(None))
    return list(connection.scalars(asked.order_by(_P.statement_row)))


def any_waits(connection: Connection) -> bool:
    """Whether a file waits to be read, or what was read to be compared."""
    waits = sa.or_(
        _P.state == StatementState.RECEIVED.value,
        sa.and_(_P.state == StatementState.READ.value, _P.reconciled_at.is_(None)),
    )
    return connection.execute(sa.select(_P.row).where(waits).limit(1)).first() is not None


def progress(connection: Connection, row: int) -> Progress:
    """How far it has come."""
    found = connection.execute(sa.select(t.statement_progress).where(_P.statement_row == row)).mappings().one()
    return Progress(
        statement_row=row,
        state=StatementState(found["state"]),
        matching=bool(found["matching"]),
        received=found["received"],
        position=found["position"],
        kept=found["kept"],
        bad=found["bad"],
        chain=found["chain"],
        refused_because=found["refused_because"],
        reconciled_at=from_ms(found["reconciled_at"]),
    )


def move(connection: Connection, seen: Progress, there: StatementState, **values: Any) -> None:
    """To another state from where the caller saw it. Raises IllegalMove, LeaseLost where somebody else was first."""
    STATEMENT.move(seen.state, there)
    _change(connection, seen, state=there.value, **values)


def _change(connection: Connection, seen: Progress, **values: Any) -> None:
    same = sa.and_(
        _P.statement_row == seen.statement_row,
        _P.state == seen.state.value,
        _P.received == seen.received,
        _P.position == seen.position,
    )
    if connection.execute(t.statement_progress.update().where(same).values(**values)).rowcount != 1:
        raise LeaseLost("statement")


# --- pieces ---


def put_piece(connection: Connection, statement: Statement, seen: Progress, body: bytes, *, now: datetime) -> int:
    """The next bytes of its file, sealed; how many there are by now. Raises LeaseLost."""
    case = case_of(None, statement.party)
    keys = CaseKeys.for_writing(connection, [case], now=now)
    rows, at = [], seen.received
    for start in range(0, len(body), PIECE):
        piece = body[start : start + PIECE]
        sealed = keys.seal(case, _field(statement.row, at), b64encode(piece).decode("ascii"))
        rows.append({"statement_row": statement.row, "at": at, "size": len(piece), "body": sealed})
        at += len(piece)
    if rows:
        connection.execute(t.statement_parts.insert(), rows)
    _change(connection, seen, received=at, refused_because=None)
    return at


def pieces(store: Store, statement: Statement) -> Iterator[bytes]:
    """The file as it came, piece by piece; no transaction is open between two."""
    case, at = case_of(None, statement.party), 0
    p = t.statement_parts.c
    while True:
        with store.reading() as connection:
            asked = sa.select(p.body, p.size).where(p.statement_row == statement.row, p.at == at)
            row = connection.execute(asked).first()
            if row is None:
                return
            opened = CaseKeys.of(connection, [case]).open(case, _field(statement.row, at), row.body)
        yield b64decode(opened)
        at += row.size


def drop_pieces(connection: Connection, row: int) -> None:
    """They are read, or were not what the manifest names."""
    connection.execute(t.statement_parts.delete().where(t.statement_parts.c.statement_row == row))


def refuse_pieces(connection: Connection, seen: Progress, because: str) -> None:
    """Back to where it waits for lines, with none."""
    drop_pieces(connection, seen.statement_row)
    values = {"received": 0, "refused_because": because}
    if seen.state is StatementState.RECEIVED:
        move(connection, seen, StatementState.AWAITING_LINES, **values)
    else:
        _change(connection, seen, **values)


def _field(row: int, at: int) -> str:
    return f"statement_parts.body:{row}:{at}"


# --- lines ---


def keep_lines(connection: Connection, seen: Progress, lines: Sequence[StatementLine]) -> Progress:
    """One batch and the position behind it; where it stands now. Raises LeaseLost."""
    rows, whole = [], sha256()
    for one in lines:
        row = {name: getattr(one, name) for name in FIELDS}
        text = text_of(row)
        whole.update(text.encode() + b"\n")
        rows.append({"statement_row": seen.statement_row, **row, "mark": mark_of(text)})
    digest = whole.hexdigest()
    chain = chained(seen.chain, digest)
    bad = sum(one.problem is not None for one in lines)
    connection.execute(_INSERT, rows)
    batch = {"first_line": lines[0].line, "last_line": lines[-1].line, "count": len(rows)}
    connection.execute(
        t.statement_batches.insert().values(statement_row=seen.statement_row, **batch, digest=digest, chain=chain)
    )
    after = {"position": lines[-1].line, "kept": seen.kept + len(rows), "bad": seen.bad + bad, "chain": chain}
    _change(connection, seen, **after)
    return progress(connection, seen.statement_row)


_INSERT = t.statement_lines.insert()


def finish(
    connection: Connection, statement: Statement, seen: Progress, *, who: str, keyed_under: str, now: datetime
) -> str:
    """Every line was read: the leaf says of which file and over which rows; the pieces go. Its decision's id."""
    persons, accounts = (
        _holds(connection, statement.row, _L.person_key),
        _holds(connection, statement.row, _L.account_key),
    )
    decision_id = decisions.put(
        connection, who=who, what=READ, subject=subject_of(statement), why=said_of(statement, seen), now=now
    )
    connection.execute(
        t.statement_reads.insert().values(
            statement_row=statement.row,
            kept=seen.kept,
            bad=seen.bad,
            persons=persons,
            accounts=accounts,
            keyed_under=keyed_under if persons or accounts else None,
            root=seen.chain,
            read_at=to_ms(now),
            decision_id=decision_id,
        )
    )
    drop_pieces(connection, statement.row)
    move(connection, seen, StatementState.READ)
    return decision_id


def _holds(connection: Connection, row: int, column: sa.ColumnElement[Any]) -> bool:
    asked = sa.select(_L.row).where(_L.statement_row == row, column.is_not(None)).limit(1)
    return connection.execute(asked).first() is not None


def subject_of(statement: Statement) -> str:
    """What the leaf is about."""
    return f"{statement.party} {statement.statement_id}"


def said_of(statement: Statement, seen: Progress) -> str:
    """What the leaf fixes."""
    return f"sha256 {statement.sha256} lines {seen.kept} bad {seen.bad} root {seen.chain}"


def read_of(connection: Connection, row: int) -> sa.RowMapping | None:
    """What was read of it; None while it was not."""
    return connection.execute(sa.select(t.statement_reads).where(_R.statement_row == row)).mappings().first()


def bad_lines(connection: Connection, row: int, *, limit: int) -> list[dict[str, Any]]:
    """The first lines that are compared with nothing: number, code, pointer."""
    statement = sa.select(_L.line, _L.problem, _L.pointer).where(_L.statement_row == row, _L.problem.is_not(None))
    found = connection.execute(statement.order_by(_L.line).limit(limit))
    return [{"line": one.line, "code": one.problem, "pointer": one.pointer or ""} for one in found]


def mark_reconciled(connection: Connection, rows: Sequence[int], *, now: datetime) -> None:
    """Compared at that moment."""
    mine = _P.statement_row.in_(rows)
    connection.execute(t.statement_progress.update().where(mine).values(reconciled_at=to_ms(now)))


def _statement(row: sa.RowMapping) -> Statement:
    return Statement(
        row=row["row"],
        statement_id=row["statement_id"],
        party=row["party"],
        document=row["document"],
        agency=row["agency"],
        office_id=row["office_id"],
        region=row["region"],
        period_from=row["period_from"],
        period_to=row["period_to"],
        covers=Covers(row["covers"]),
        complete=bool(row["complete"]),
        programmes=frozenset((row["programmes"] or "").split()),
        format=row["format"],
        lines=row["lines"],
        size=row["size"],
        sha256=row["sha256"],
        replaces=row["replaces"],
    )

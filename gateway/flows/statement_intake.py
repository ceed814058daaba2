"""对账明细接收 The file of a statement comes in pieces, in order, and is taken whole or not at all.

1. a piece that begins where the last one ended is sealed and kept; one that is there already changes nothing;
2. with the last byte, length and SHA-256 must be the manifest's: else every piece is dropped and the sender told;
3. then the lines wait to be read (`statement_read`), by whoever comes first.
A file the operator has on disk is proven and read from there, without being kept.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from gateway.domain.lifecycle import StatementState
from gateway.domain.statement import Statement
from gateway.errors import FileUnreadable, LeaseLost, StatementDiffers, StatementMisplaced, StatementUnknown, TooLarge
from gateway.flows.context import Context
from gateway.store import statements
from gateway.store.statements import Progress
from schemas.fields import format_moment

MOST_PIECE = 4 * 1024 * 1024
CHUNK = 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrived:
    """How much of the file is there."""

    statement_id: str
    received: int
    size: int
    state: StatementState


def take(context: Context, party: str, statement_id: str, at: int, body: bytes, *, now: datetime) -> Arrived:
    """One piece of a file. Raises StatementUnknown, StatementMisplaced, StatementDiffers, TooLarge."""
    if len(body) > MOST_PIECE:
        raise TooLarge("piece")
    statement, seen = look(context, party, statement_id)
    if seen.state is not StatementState.AWAITING_LINES or at + len(body) <= seen.received:
        if at + len(body) > statement.size:
            raise StatementDiffers("longer", ids=_ids(statement))
        return _arrived(statement, seen)
    if at != seen.received:
        raise StatementMisplaced(f"received {seen.received}", ids={**_ids(statement), "received": seen.received})
    if at + len(body) > statement.size:
        _refuse(context, seen, "longer")
        raise StatementDiffers("longer", ids=_ids(statement))
    try:
        context.store.write(lambda connection: statements.put_piece(connection, statement, seen, body, now=now))
    except LeaseLost:  # the same piece came twice at once: whoever was second sees where it stands
        return _arrived(*look(context, party, statement_id))
    _, seen = look(context, party, statement_id)
    if seen.received < statement.size:
        return _arrived(statement, seen)
    return _close(context, statement, seen)


def look(context: Context, party: str, statement_id: str) -> tuple[Statement, Progress]:
    """A party's own statement and how far it has come. Raises StatementUnknown."""
    with context.store.reading() as connection:
        found = statements.find(connection, party, statement_id)
        if found is None:
            raise StatementUnknown
        return found, statements.progress(connection, found.row)


def status(context: Context, party: str, statement_id: str, *, limit: int) -> dict[str, Any]:
    """What became of it, as JSON: counts, and the first bad lines by number and code. Raises StatementUnknown."""
    statement, seen = look(context, party, statement_id)
    with context.store.reading() as connection:
        return status_of(connection, statement, seen, limit=limit)


def status_of(connection: Connection, statement: Statement, seen: Progress, *, limit: int) -> dict[str, Any]:
    """The same, of one that was looked up."""
    said = {
        "statement_id": statement.statement_id,
        "party": statement.party,
        "period_from": statement.period_from,
        "period_to": statement.period_to,
        "covers": statement.covers.value,
        "complete": statement.complete,
        "state": seen.state.value,
        "size": statement.size,
        "received": statement.size if seen.state is not StatementState.AWAITING_LINES else seen.received,
        "lines": statement.lines,
        "read": seen.kept,
        "good": seen.kept - seen.bad,
        "bad": seen.bad,
        "bad_lines": statements.bad_lines(connection, statement.row, limit=limit),
        "replaced": statements.is_replaced(connection, statement),
        "reconciled_at": None if seen.reconciled_at is None else format_moment(seen.reconciled_at),
    }
    return said if seen.refused_because is None else {**said, "refused_because": seen.refused_because}


def _close(context: Context, statement: Statement, seen: Progress) -> Arrived:
    digest = sha256()
    for piece in statements.pieces(context.store, statement):
        digest.update(piece)
    if digest.hexdigest() != statement.sha256:
        _refuse(context, seen, "sha256")
        raise StatementDiffers("sha256", ids=_ids(statement))
    received = StatementState.RECEIVED
    context.store.write(lambda connection: statements.move(connection, seen, received))
    return Arrived(statement_id=statement.statement_id, received=seen.received, size=statement.size, state=received)


def _refuse(context: Context, seen: Progress, because: str) -> None:
    def write(connection: Connection) -> None:
        statements.refuse_pieces(connection, seen, because)

    context.store.write(write)


def _arrived(statement: Statement, seen: Progress) -> Arrived:
    return Arrived(statement_id=statement.statement_id, received=seen.received, size=statement.size, state=seen.state)


def _ids(statement: Statement) -> dict[str, str]:
    return {"statement_id": statement.statement_id}


def on_disk(path: Path) -> Callable[[], Iterator[bytes]]:
    """A file as it is read again and again, chunk by chunk."""

    def chunks() -> Iterator[bytes]:
        try:
            with path.open("rb") as stream:
                while chunk := stream.read(CHUNK):
                    yield chunk
        except OSError as error:
            raise FileUnreadable("the file cannot be opened") from error

    return chunks


def digest_of(chunks: Iterator[bytes]) -> tuple[str, int]:
    """(SHA-256, length) of a file."""
    digest, size = sha256(), 0
    for chunk in chunks:
        digest.update(chunk)
        size += len(chunk)
    return digest.hexdigest(), size

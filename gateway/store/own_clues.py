"""本部门线索的读取 The clues one party told, newest first; of a clerk's offices alone where he has some.

The rows name no person: whom a clue is about stands in its sealed message. A clue names no office either: it is the
office's after which the portal named it, and the party's where it came by another way.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.store import exchanges
from gateway.store import tables as t
from gateway.store.exchanges import KeptClue

_C, _O = t.clues.c, t.outbox.c


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnClue:
    """线索 of the party, with the message that told it."""

    row: int
    message_id: str
    clue: KeptClue


def listed(
    connection: Connection, party: str, offices: Sequence[str] | None, *, before: int | None, limit: int
) -> list[OwnClue]:
    """Newest first. offices: only what was told for one of them; None for all of the party's."""
    statement = _CLUES.where(_C.party == party, *_of_offices(offices)).order_by(_C.row.desc()).limit(limit)
    return _read(connection, statement if before is None else statement.where(_C.row < before))


def find(connection: Connection, party: str, offices: Sequence[str] | None, clue_id: str) -> OwnClue | None:
    """One of them; nothing for another's."""
    found = _read(connection, _CLUES.where(_C.party == party, _C.clue_id == clue_id, *_of_offices(offices)))
    return found[0] if found else None


def answers_told(connection: Connection, party: str, clue_id: str) -> list[str]:
    """Our messages that told the party what the court answered, oldest first."""
    statement = sa.select(_O.message_id).where(
        _O.referral_id == clue_id, _O.type == "clue.answer", _O.recipient == party
    )
    return list(connection.scalars(statement.order_by(_O.row)))


_CLUES = sa.select(_C.row, _C.message_id, _C.clue_id)


def _read(connection: Connection, statement: sa.Select[tuple[int, str, str]]) -> list[OwnClue]:
    rows = connection.execute(statement).all()
    kept = {one.clue_id: one for one in exchanges.clues(connection, [row.clue_id for row in rows])}
    return [OwnClue(row=row.row, message_id=row.message_id, clue=kept[row.clue_id]) for row in rows]


def _of_offices(offices: Sequence[str] | None) -> list[sa.ColumnElement[bool]]:
    if offices is None:
        return []
    return [sa.or_(sa.false(), *(_C.clue_id.startswith(f"{one}:", autoescape=True) for one in offices))]

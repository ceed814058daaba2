"""比对键的更换 Every key of persons on file is brought under one layer more, in the caller's one transaction.

Left as they are: lines of statements, whose digests stand in the log with the keys they had.
"""

from collections.abc import Callable
from re import compile as pattern

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.store import tables as t

PAGE = 2000
_SLOT = pattern(r"([0-9a-f]{64})(:.*)")

KEYED: tuple[tuple[sa.Table, str], ...] = (
    (t.identity_keys, "key"),
    (t.referrals, "person_key"),
    (t.household_members, "key"),
    (t.handoffs, "echo_key"),
    (t.match_keys, "key"),
    (t.reservations, "person_key"),
    (t.reservation_slots, "slot"),
    (t.inquiries, "person_key"),
    (t.ledger_aids, "person_key"),
    (t.payment_accounts, "account_key"),
)
"""Every column that holds a key of a person, a number or an account, but those of `STAYING`."""
STAYING: tuple[tuple[sa.Table, str], ...] = ((t.statement_lines, "person_key"), (t.statement_lines, "account_key"))
NAMED: tuple[sa.Table, ...] = (t.persons, t.ledger_aids)
"""Tables that name the secret of each row."""


def relayer(connection: Connection, under: Callable[[str], str], *, secret_name: str) -> int:
    """How many keys were changed. under: a key as it is under the new layer."""
    changed = 0
    for table, column in KEYED:
        changed += _column(connection, table, table.c[column], under)
    for table in NAMED:
        connection.execute(table.update().values(secret_name=secret_name))
    return changed


def _column(connection: Connection, table: sa.Table, column: sa.Column[str | None], under: Callable[[str], str]) -> int:
    changed, after = 0, 0
    update = table.update().where(table.c.row == sa.bindparam("b_row")).values({column.name: sa.bindparam("b_key")})
    page = (
        sa.select(table.c.row, column.label("kept"))
        .where(table.c.row > sa.bindparam("after"), column.is_not(None))
        .order_by(table.c.row)
        .limit(PAGE)
    )
    while rows := connection.execute(page, {"after": after}).all():
        new = [{"b_row": row.row, "b_key": _under(row.kept, under)} for row in rows]
        new = [one for one, row in zip(new, rows, strict=True) if one["b_key"] != row.kept]
        if new:
            connection.execute(update, new)
        changed += len(new)
        after = rows[-1].row
    return changed


def _under(kept: str, under: Callable[[str], str]) -> str:
    """A key, or the key a slot begins with; a slot that names no person stays."""
    if ":" not in kept:
        return under(kept)
    found = _SLOT.fullmatch(kept)
    return kept if found is None else under(found[1]) + found[2]


def staying(connection: Connection) -> int:
    """How many lines of statements hold keys."""
    table = t.statement_lines
    wanted = sa.or_(*(table.c[column].is_not(None) for _, column in STAYING))
    return int(connection.scalar(sa.select(sa.func.count()).where(wanted)) or 0)

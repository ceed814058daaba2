"""当时所知的存取 How far every table reached at each checkpoint, and what rows said before they changed.

Rules: every table numbers its rows in the order of their commits (one writer at a time, ADR 13), so the highest number
of each table (`marks`) says exactly which rows there were. What a row said before it changed is kept by the database
itself, in the same transaction, whoever changes it: a trigger over the columns in `CHANGING`. `store.past` reads both.

Left out on purpose: keys made from identity numbers (an erased case stays erased), and messages' states on their way.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.evidence.entry import EntryKind
from gateway.store import log
from gateway.store import tables as t
from gateway.store.clock import from_ms, to_ms
from gateway.store.tables import metadata

CHANGING: Mapping[str, tuple[str, ...]] = {
    "referrals": ("version", "decision", "decided_amount_fen", "advance_fen", "withdrawn_at", "holds"),
    "needs": (
        "state", "state_at", "agency", "office_id", "handoff_id", "step", "unroutable", "held_for", "issued_at",
        "relayed_at", "received_at", "disposition_at", "decided_at", "paid_at", "approved_fen", "paid_fen",
    ),
    "handoffs": ("state", "parked_reason"),
    "matches": ("state", "round", "finding_key", "resolution", "decision_id"),
    "reservations": ("state", "ended_at"),
}  # fmt: skip
"""Columns that change after the row was made and that a check reads."""
_BY_RUNS = frozenset({"receipts", "decisions"})
_OURS = frozenset({"row_changes", "reconcile_runs", "findings", "finding_changes", "attempts", "given_back"})
"""Written by reconciliation itself, or read by no check."""
CHANGES = "row_changes"

Marks = Mapping[str, int]
"""Table → the highest row there was; a table that is not named did not exist."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownAt:
    """时点: one size of the log, and how far every table reached then. root: of the tree of that size, hex."""

    epoch: int
    size: int
    root: str
    at: datetime
    marks: Marks


def dated() -> list[sa.Table]:
    """The tables of which `marks` tells how far they reached."""
    return [one for one in metadata.sorted_tables if one.name not in _OURS and "row" in one.c]


def install(connection: Connection) -> None:
    """Puts the triggers over the present tables; run again it puts the same."""
    for name, columns in CHANGING.items():
        for statement in _triggers(connection.dialect.name, name, columns):
            connection.exec_driver_sql(statement)


def not_kept(connection: Connection) -> list[str]:
    """Tables whose changes leave nothing behind, because their trigger is gone."""
    if connection.dialect.name == "sqlite":
        asked = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    else:
        asked = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'D'"
    there = set(connection.scalars(sa.text(asked)))
    return sorted(name for name in CHANGING if f"keep_{name}" not in there)


def _triggers(dialect: str, name: str, columns: tuple[str, ...]) -> tuple[str, ...]:
    members = ", ".join(f"'{column}', OLD.{column}" for column in columns)
    into = f"INSERT INTO {CHANGES} (table_name, of_row, earlier) VALUES ('{name}', OLD.\"row\","  # noqa: S608 - our own names
    if dialect == "sqlite":
        changed = " OR ".join(f"OLD.{column} IS NOT NEW.{column}" for column in columns)
        return (
            f"DROP TRIGGER IF EXISTS keep_{name}",
            f"CREATE TRIGGER keep_{name} AFTER UPDATE OF {', '.join(columns)} ON {name} WHEN {changed} "
            f"BEGIN {into} json_object({members})); END",
        )
    changed = " OR ".join(f"OLD.{column} IS DISTINCT FROM NEW.{column}" for column in columns)
    return (
        f"CREATE OR REPLACE FUNCTION keep_{name}() RETURNS trigger LANGUAGE plpgsql AS $$ "
        f"BEGIN {into} json_build_object({members})::text); RETURN NULL; END $$",
        f"DROP TRIGGER IF EXISTS keep_{name} ON {name}",
        f"CREATE TRIGGER keep_{name} AFTER UPDATE ON {name} FOR EACH ROW WHEN ({changed}) "
        f"EXECUTE FUNCTION keep_{name}()",
    )


# --- marks ---


def marks(connection: Connection) -> dict[str, int]:
    """How far every table reaches, as this transaction's snapshot has it."""
    row = connection.execute(_marks()).mappings().one()
    return {name: int(value) for name, value in row.items()}


@cache
def _marks() -> sa.Select[tuple[int, ...]]:
    highest = {one.name: sa.select(sa.func.coalesce(sa.func.max(one.c.row), 0)) for one in (*dated(), t.row_changes)}
    return sa.select(*(of.scalar_subquery().label(name) for name, of in highest.items()))


def changed_since(connection: Connection, known: Marks) -> set[str]:
    """Tables of which some row has changed since then."""
    c = t.row_changes.c
    return set(connection.scalars(sa.select(c.table_name).where(c.row > known.get(CHANGES, 0)).distinct()))


def moved(before: Marks, after: Marks) -> bool:
    """Whether any fact came in or changed between the two; what a run itself writes is none."""
    return any(
        after.get(name, 0) != before.get(name, 0) for name in before.keys() | after.keys() if name not in _BY_RUNS
    )


def here(connection: Connection, *, now: datetime) -> KnownAt:
    """This very transaction's snapshot; call `log.hold_still` first on PostgreSQL."""
    head = log.head(connection)
    return KnownAt(epoch=head.epoch, size=head.size, root=head.root.hex(), at=now, marks=marks(connection))


def keep(connection: Connection, *, epoch: int, size: int, reached: Marks, now: datetime) -> None:
    """Beside the checkpoint of that size, in its transaction."""
    text = json.dumps(dict(reached), separators=(",", ":"), sort_keys=True)
    connection.execute(t.known_marks.insert().values(epoch=epoch, size=size, at=to_ms(now), marks=text))


def last(connection: Connection, *, by: datetime | None = None, size: int | None = None) -> KnownAt | None:
    """The newest signed checkpoint with marks: signed at or before `by`, of at most `size` leaves."""
    k, c = t.known_marks.c, t.checkpoints.c
    statement = sa.select(t.known_marks, c.root).join(t.checkpoints, sa.and_(c.epoch == k.epoch, c.size == k.size))
    if by is not None:
        statement = statement.where(k.at <= to_ms(by))
    if size is not None:
        statement = statement.where(k.size <= size)
    row = connection.execute(statement.order_by(k.epoch.desc(), k.size.desc()).limit(1)).mappings().first()
    return None if row is None else _known(row)


def misplaced(connection: Connection, known: KnownAt) -> int:
    """Messages that the marks count among those known and the log does not, or the other way about; 0 proves that
    the rows known then are those under the root."""
    found = 0
    for table in (t.inbox, t.outbox):
        leaf, of_message = t.log_leaves.c, table.c
        joined = table.join(
            t.log_leaves,
            sa.and_(
                leaf.ref == of_message.message_id,
                leaf.digest == of_message.digest,
                leaf.kind == EntryKind.MESSAGE.value,
            ),
        )
        early, here = leaf.leaf_index < known.size, of_message.row <= known.marks.get(table.name, 0)
        statement = sa.select(sa.func.count()).select_from(joined).where(early != here)
        found += int(connection.scalar(statement) or 0)
    return found


def first(connection: Connection) -> datetime | None:
    """Since when it is kept what was known; None while no checkpoint has marks."""
    at: int | None = connection.scalar(sa.select(sa.func.min(t.known_marks.c.at)))
    return from_ms(at)


def _known(row: sa.RowMapping) -> KnownAt:
    return KnownAt(
        epoch=row["epoch"], size=row["size"], root=row["root"], at=from_ms(row["at"]), marks=json.loads(row["marks"])
    )

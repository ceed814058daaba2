"""存量 Fills an installation with referrals that went the whole way round, by SQL, as a province has them after years.

A few hundred real ones are copied: every row of every table, bytes signed and all, under new ids that sort before the
real ones, with identity keys that are spread like real keys. One in twenty is still open. Copies of one referral differ
in their ids only, so sizes, indexes and orders are those of real rows.
"""

import hashlib
import time
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, event

from bench.flows import books, in_batches
from bench.world import Bench
from gateway.store import tables as t
from gateway.store.engine import open_engine

TEMPLATES = 500
OPEN_EVERY = 20
COPIES_A_COMMIT = 20
_TABLES = (
    t.inbox,
    t.referrals,
    t.identity_keys,
    t.needs,
    t.need_moves,
    t.handoffs,
    t.outbox,
    t.attempts,
    t.receipts,
    t.replies,
    t.decisions,
)
_IDS = frozenset(
    {"message_id", "referral_id", "need_id", "handoff_id", "reply_id", "subject", "cause", "decision_id", "evidence_id"}
)
_KEYS = frozenset({"person_key", "key", "echo_key"})


def fill(bench: Bench, amount: int) -> float:
    """Leaves at least `amount` referrals on file; returns how long the copying took."""
    _make_templates(bench)
    engine = open_engine(bench.database)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _teach_md5)
    began = time.perf_counter()
    with engine.connect() as connection:
        last = {table: connection.scalar(sa.select(sa.func.max(table.c.row))) or 0 for table in _TABLES}
        seqs = connection.scalar(sa.select(sa.func.max(t.outbox.c.seq))) or 0
    copies = -(-amount // TEMPLATES)
    for first in range(1, copies + 1, COPIES_A_COMMIT):
        with engine.connect().execution_options(xianjie_write=True) as connection, connection.begin():
            for copy in range(first, min(first + COPIES_A_COMMIT, copies + 1)):
                for table in _TABLES:
                    _copy(connection, table, copy, last[table], seqs)
    with engine.connect().execution_options(xianjie_write=True) as connection, connection.begin():
        connection.execute(t.counters.update().values(last_seq=seqs * (copies + 1)))
        if engine.dialect.name == "postgresql":
            connection.execute(sa.text("ANALYZE"))
    engine.dispose()
    return time.perf_counter() - began


def _make_templates(bench: Bench) -> None:
    """Real referrals all the way round; every `OPEN_EVERY`th handoff stays unanswered."""
    with books(bench) as file, bench.partner(str(OPEN_EVERY)), bench.gateway(work=True) as gateway:
        in_batches(bench, gateway["pid"], bench.referrals(TEMPLATES))
        until = time.perf_counter() + 60
        while file.done() < TEMPLATES - TEMPLATES // OPEN_EVERY and time.perf_counter() < until:
            time.sleep(0.3)


def _teach_md5(connection: Any, _: Any) -> None:
    connection.create_function("md5", 1, lambda text: hashlib.md5(text.encode()).hexdigest(), deterministic=True)


def _copy(connection: Connection, table: sa.Table, copy: int, last: int, seqs: int) -> None:
    """One more of every template's rows, in the templates' order."""
    names = [column.name for column in table.c if column.name != "row"]
    values = [_value(table, name, f"{copy:08x}", copy * seqs) for name in names]
    source = sa.select(*values).where(table.c.row <= last).order_by(table.c.row)
    connection.execute(table.insert().from_select(names, source, include_defaults=False))


def _value(table: sa.Table, name: str, mark: str, seqs: int) -> sa.ColumnElement[Any]:
    column: sa.ColumnElement[Any] = table.c[name]
    if name in _IDS or (table is t.inbox and name == "subject"):
        return sa.literal(mark).concat(sa.func.substr(column, 9))
    if name in _KEYS:
        spread = sa.func.md5(column.concat(mark))
        return spread.concat(sa.func.md5(sa.literal(mark).concat(column)))
    if name in ("need_ids", "effect_key"):
        # the only id in it begins with its referral's: a version 7 id has a 7 there
        return _inner_ids(table, name, mark)
    if name == "seq":
        return column + seqs
    if name in ("case_number", "original_case_group"):
        return column.concat(mark)
    return column


def _inner_ids(table: sa.Table, name: str, mark: str) -> sa.ColumnElement[Any]:
    start = 4 if name == "need_ids" else len("handoff:") + 1
    column = table.c[name]
    return sa.func.substr(column, 1, start - 1).concat(mark).concat(sa.func.substr(column, start + 8))

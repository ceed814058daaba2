"""对账单核对 Every line of a statement that was read is there and says what was read: a leaf of the log fixes all.

A read statement rests on its decision, which names the file and the digest over all batches; a batch is the digest over
its rows; a row's own mark says which one was changed. What a manifest says is compared from its bytes (`told`).
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.statement import NO_LINES, chained, mark_of, text_of
from gateway.flows.audit.trouble import Trouble, What
from gateway.store import audit_rows, statements
from gateway.store import tables as t

Row = Mapping[str, Any] | sa.RowMapping
_L, _B = t.statement_lines.c, t.statement_batches.c


def stated_troubles(connection: Connection) -> Iterator[Trouble]:
    """Read statements without their decision or the other way round, and lines that are not what was read."""
    said = {row["subject"]: row for row in connection.execute(_SAID).mappings()}
    manifests = {row["row"]: row for page in audit_rows.pages(connection, t.statements) for row in page}
    for page in audit_rows.pages(connection, t.statement_reads):
        for read in page:
            manifest = manifests.get(read["statement_row"])
            if manifest is None:
                yield Trouble(table="statement_reads", ref=str(read["statement_row"]), what=What.UNLOGGED)
                continue
            decision = said.pop(f"{manifest['party']} {manifest['statement_id']}", None)
            yield from _read(connection, read, manifest, decision)
    for subject in said:
        yield Trouble(table="statement_reads", ref=subject, what=What.MISSING)
    yield from _of_no_batch(connection)


_SAID = sa.select(t.decisions).where(t.decisions.c.what == statements.READ).order_by(t.decisions.c.row)


def _read(connection: Connection, read: Row, manifest: Row, decision: Row | None) -> Iterator[Trouble]:
    statement_id = manifest["statement_id"]
    if decision is None or decision["decision_id"] != read["decision_id"]:
        yield Trouble(table="statement_reads", ref=statement_id, what=What.UNLOGGED)
        return
    why = f"sha256 {manifest['sha256']} lines {read['kept']} bad {read['bad']} root {read['root']}"
    if decision["why"] != why:
        yield Trouble(table="statement_reads", ref=statement_id, what=What.ALTERED)
    chain, troubles = NO_LINES, 0
    for batch in connection.execute(_BATCHES, {"of": read["statement_row"]}).mappings().all():
        rows = connection.execute(
            _ROWS, {"of": read["statement_row"], "first": batch["first_line"], "last": batch["last_line"]}
        )
        for trouble in _batch(statement_id, batch, list(rows.mappings())):
            troubles += 1
            yield trouble
        chain = chained(chain, batch["digest"])
    if chain != read["root"] and not troubles:
        yield Trouble(table="statement_batches", ref=statement_id, what=What.ALTERED)


_BATCHES = sa.select(t.statement_batches).where(_B.statement_row == sa.bindparam("of")).order_by(_B.first_line)
_ROWS = (
    sa.select(t.statement_lines)
    .where(_L.statement_row == sa.bindparam("of"), _L.line.between(sa.bindparam("first"), sa.bindparam("last")))
    .order_by(_L.line, _L.row)
)


def _batch(statement_id: str, batch: Row, rows: Sequence[Any]) -> Iterator[Trouble]:
    """The rows that are not as they were read, each by its line; where none can be told apart, the whole batch."""
    whole = sha256()
    wrong: list[Trouble] = []
    for row in rows:
        text = text_of(row)
        whole.update(text.encode() + b"\n")
        if mark_of(text) != row["mark"]:
            ref = f"{statement_id}:{row['line']}"
            wrong.append(Trouble(table="statement_lines", ref=ref, what=What.ALTERED))
    if whole.hexdigest() == batch["digest"]:
        return
    there = [row["line"] for row in rows]
    twice = sorted(line for line, times in Counter(there).items() if times > 1)
    wrong += [Trouble(table="statement_lines", ref=f"{statement_id}:{line}", what=What.UNLOGGED) for line in twice]
    if len(there) < batch["count"]:
        gaps = sorted(set(range(batch["first_line"], batch["last_line"] + 1)) - set(there))
        exact = len(gaps) == batch["count"] - len(there)
        refs = [str(gap) for gap in gaps] if exact else [f"{batch['first_line']}-{batch['last_line']}"]
        wrong += [Trouble(table="statement_lines", ref=f"{statement_id}:{ref}", what=What.MISSING) for ref in refs]
    span = f"{statement_id}:{batch['first_line']}-{batch['last_line']}"
    yield from wrong or [Trouble(table="statement_lines", ref=span, what=What.ALTERED)]


def _of_no_batch(connection: Connection) -> Iterator[Trouble]:
    """Lines slipped in beside those that were read."""
    within = sa.exists().where(_B.statement_row == _L.statement_row, _B.first_line <= _L.line, _B.last_line >= _L.line)
    for row in connection.execute(sa.select(_L.statement_row, _L.line).where(~within).limit(1000)):
        yield Trouble(table="statement_lines", ref=f"{row.statement_row}:{row.line}", what=What.UNLOGGED)

"""旧台账核对 Old ledgers rest on their decision: its leaf covers the root over all lines, and each line its digest.

Named are lines that were changed, deleted or slipped in, and numbers that a line states otherwise than its links say.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.flows.audit.trouble import Trouble, What
from gateway.flows.ledger import WHAT, link_rows
from gateway.store import audit_rows, ledgers
from gateway.store import tables as t

Row = Mapping[str, Any]


def ledger_troubles(connection: Connection) -> Iterator[Trouble]:
    """Every imported ledger with its lines, then what stands on none."""
    d = t.decisions.c
    said = {
        row.subject: row.why
        for row in connection.execute(sa.select(d.subject, d.why).where(d.what == WHAT).order_by(d.row))
    }
    known = {row["ledger_id"]: row for row in audit_rows.whole(connection, t.aid_ledgers)}
    for ledger_id in said.keys() - known.keys():
        yield Trouble(table="aid_ledgers", ref=ledger_id, what=What.MISSING)
    for ledger_id, row in known.items():
        why = said.get(ledger_id)
        if why is None:
            yield Trouble(table="aid_ledgers", ref=ledger_id, what=What.UNLOGGED)
        elif not why.startswith(_covered(row)):
            yield Trouble(table="aid_ledgers", ref=ledger_id, what=What.ALTERED)
        else:
            yield from _lines(connection, row)
    a = t.ledger_aids.c
    for page in audit_rows.pages(connection, t.ledger_aids, a.line_id, a.ledger_id):
        for line in page:
            if line["ledger_id"] not in known:
                yield Trouble(table="ledger_aids", ref=line["line_id"], what=What.UNLOGGED)


def _covered(row: Row) -> str:
    counts = f"{row['imported']}/{row['repeated']}/{row['refused']}"
    return f"sha256={row['sha256']} lines={counts} root={row['root']} {row['document']} "


def _lines(connection: Connection, ledger: Row) -> Iterator[Trouble]:
    a, link = t.ledger_aids, t.original_case_links
    rows = [
        dict(row)
        for row in connection.execute(
            sa.select(a).where(a.c.ledger_id == ledger["ledger_id"]).order_by(a.c.row)
        ).mappings()
    ]
    wrong = [row for row in rows if ledgers.line_digest(row) != row["digest"]]
    yield from (Trouble(table="ledger_aids", ref=row["line_id"], what=What.ALTERED) for row in wrong)
    if len(rows) < ledger["imported"]:
        yield Trouble(table="ledger_aids", ref=ledger["ledger_id"], what=What.MISSING)
    elif len(rows) > ledger["imported"]:
        yield Trouble(table="ledger_aids", ref=ledger["ledger_id"], what=What.UNLOGGED)
    elif not wrong and ledgers.root_of(row["digest"] for row in rows) != ledger["root"]:
        yield Trouble(table="ledger_aids", ref=ledger["ledger_id"], what=What.ALTERED)
    stated = audit_rows.by(connection, link.c.stated_by, [row["line_id"] for row in rows])
    for row in rows:
        expected = sorted(one["number"] for one in link_rows([row]))
        if expected != sorted(one["number"] for one in stated.get(row["line_id"], ())):
            yield Trouble(table="original_case_links", ref=row["line_id"], what=What.ALTERED)

"""对账记录的核对 What lets a past morning be run again: whole runs, and the triggers that keep rows' past.

A run rests on the decision that names its log, its facts, its rules and its result; a table whose trigger is gone has
no past from then on, so that shows too.
"""

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.flows.audit.trouble import Trouble, What
from gateway.store import history, runs
from gateway.store import tables as t
from gateway.store.clock import to_ms


def remembered_troubles(connection: Connection) -> Iterator[Trouble]:
    """Every run that is not what its decision says, every decision without its run, every trigger that is gone."""
    d = t.decisions.c
    statement = sa.select(d.subject, d.at, d.why).where(d.what == runs.RECONCILED)
    decided = {row.subject: (row.at, row.why) for row in connection.execute(statement)}
    for run in runs.pages(connection):
        said = decided.pop(run.run_id, None)
        if said is None:
            yield Trouble(table="reconcile_runs", ref=run.run_id, what=What.UNLOGGED)
        elif said != (to_ms(run.at), runs.said_of(run)):
            yield Trouble(table="reconcile_runs", ref=run.run_id, what=What.ALTERED)
    yield from (Trouble(table="reconcile_runs", ref=run_id, what=What.MISSING) for run_id in decided)
    yield from (Trouble(table="row_changes", ref=name, what=What.MISSING) for name in history.not_kept(connection))

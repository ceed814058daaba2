"""对账记录的存取 Each whole run over every referral; rows are only ever added, each with a decision's leaf."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.reconciliation.as_known import digest_of_rules
from gateway.envelope.message import new_id
from gateway.store import decisions
from gateway.store import tables as t
from gateway.store.clock import from_ms, to_ms
from gateway.store.history import KnownAt

RECONCILED = "reconciled"
PAGE = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class ReconcileRun:
    """对账记录. known: the facts it looked at, and when; rules: name → SHA-256; digest: of what it found."""

    run_id: str
    known: KnownAt
    rules: Mapping[str, str]
    referrals: int
    counts: Mapping[str, int]
    digest: str

    @property
    def at(self) -> datetime:
        """When it looked."""
        return self.known.at


def make(
    known: KnownAt, *, rules: Mapping[str, str], referrals: int, counts: Mapping[str, int], digest: str
) -> ReconcileRun:
    """One that is not on file yet."""
    return ReconcileRun(
        run_id=new_id(known.at), known=known, rules=rules, referrals=referrals, counts=counts, digest=digest
    )


def put(connection: Connection, run: ReconcileRun, *, who: str) -> None:
    """Keeps it, with the decision whose leaf fixes all of it."""
    decisions.put(connection, who=who, what=RECONCILED, subject=run.run_id, why=said_of(run), now=run.at)
    connection.execute(
        t.reconcile_runs.insert().values(
            run_id=run.run_id,
            at=to_ms(run.at),
            epoch=run.known.epoch,
            tree_size=run.known.size,
            root=run.known.root,
            marks=json.dumps(dict(run.known.marks), sort_keys=True),
            rules=json.dumps(dict(run.rules), sort_keys=True),
            referrals=run.referrals,
            counts=json.dumps(dict(run.counts), sort_keys=True),
            digest=run.digest,
        )
    )


def said_of(run: ReconcileRun) -> str:
    """What the decision says of a run: every digest that fixes it."""
    facts = sha256(json.dumps(dict(run.known.marks), sort_keys=True).encode()).hexdigest()
    rules = digest_of_rules(run.rules)
    return f"log {run.known.size} root {run.known.root} facts {facts} rules {rules} found {run.digest}"


def newest(connection: Connection, *, limit: int) -> list[ReconcileRun]:
    """The last runs, newest first."""
    r = t.reconcile_runs
    return [_run(row) for row in connection.execute(sa.select(r).order_by(r.c.row.desc()).limit(limit)).mappings()]


def find(connection: Connection, run_id: str) -> ReconcileRun | None:
    """One run."""
    r = t.reconcile_runs
    row = connection.execute(sa.select(r).where(r.c.run_id == run_id)).mappings().first()
    return None if row is None else _run(row)


def last_by(connection: Connection, moment: datetime) -> ReconcileRun | None:
    """The last run at or before that moment."""
    r = t.reconcile_runs
    found = sa.select(r).where(r.c.at <= to_ms(moment)).order_by(r.c.at.desc(), r.c.row.desc()).limit(1)
    row = connection.execute(found).mappings().first()
    return None if row is None else _run(row)


def _run(row: sa.RowMapping) -> ReconcileRun:
    known = KnownAt(
        epoch=row["epoch"],
        size=row["tree_size"],
        root=row["root"],
        at=from_ms(row["at"]),
        marks=json.loads(row["marks"]),
    )
    return ReconcileRun(
        run_id=row["run_id"],
        known=known,
        rules=json.loads(row["rules"]),
        referrals=row["referrals"],
        counts=json.loads(row["counts"]),
        digest=row["digest"],
    )


def pages(connection: Connection) -> Iterator[ReconcileRun]:
    """Every run, oldest first, read page by page."""
    r, last = t.reconcile_runs, 0
    while True:
        statement = sa.select(r).where(r.c.row > last).order_by(r.c.row).limit(PAGE)
        page = connection.execute(statement).mappings().all()
        if not page:
            return
        yield from (_run(row) for row in page)
        last = page[-1]["row"]

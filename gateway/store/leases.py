"""租约 Named leases with fencing numbers: of any number of workers one does a job at a time, whoever dies or sleeps.

Rules: the fence grows whenever a lease changes hands. Time only decides who may try (ADR 15); whose work counts is
decided by the fence, asked inside the job's own write transaction (`require`): a worker that slept past its lease is
refused there, with everything it wrote in that transaction. A *turn* is a lease for what is done once in an interval by
all workers together: finished, it is nobody's until its next moment has come; its worker dies, another takes it over.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.errors import LeaseLost
from gateway.store import tables as t
from gateway.store.clock import from_ms, to_ms

NOBODY = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lease:
    """租约. Proof that a job was ours at some moment; that it still is, `require` says."""

    name: str
    owner: str
    fence: int
    until: datetime


def take(connection: Connection, name: str, *, owner: str, now: datetime, length: timedelta) -> Lease | None:
    """Takes a lease or prolongs our own; None while another owner holds it, or its turn has not come."""
    until = now + length
    row = _locked(connection, name)
    if row is None:
        connection.execute(t.leases.insert().values(name=name, owner=owner, fence=1, until=to_ms(until)))
        return Lease(name=name, owner=owner, fence=1, until=until)
    if row.owner != owner and row.until > to_ms(now):
        return None
    fence = row.fence + (row.owner != owner)
    _change(connection, name, owner=owner, until=to_ms(until), fence=fence)
    return Lease(name=name, owner=owner, fence=fence, until=until)


def require(connection: Connection, lease: Lease) -> None:
    """The lease is still this one, and stays so until the commit. Raises LeaseLost where another took it."""
    row = _locked(connection, lease.name)
    if row is None or (row.owner, row.fence) != (lease.owner, lease.fence):
        raise LeaseLost(lease.name)


def give_back(connection: Connection, *, owner: str, now: datetime) -> None:
    """Ends early all that an owner holds: it stops, and the next one need not wait."""
    connection.execute(t.leases.update().where(t.leases.c.owner == owner).values(owner=NOBODY, until=to_ms(now)))


def plan(connection: Connection, name: str, *, at: datetime) -> None:
    """Says when a turn is due for the first time; one that is known keeps its moment."""
    if _locked(connection, name) is None:
        connection.execute(t.leases.insert().values(name=name, owner=NOBODY, fence=0, until=to_ms(at)))


def free_at(connection: Connection, name: str) -> datetime | None:
    """When a lease can be taken by anybody, or a turn is due; None for one that nobody has planned or held. Asked
    before taking it, so that an idle gateway writes nothing."""
    return from_ms(connection.scalar(sa.select(t.leases.c.until).where(t.leases.c.name == name)))


def finish(connection: Connection, lease: Lease, *, next_at: datetime) -> None:
    """The turn is done: nobody takes it before `next_at`. Raises LeaseLost where another took it meanwhile."""
    require(connection, lease)
    _change(connection, lease.name, owner=NOBODY, until=to_ms(next_at))


def _change(connection: Connection, name: str, **values: Any) -> None:
    connection.execute(t.leases.update().where(t.leases.c.name == name).values(**values))


def _locked(connection: Connection, name: str) -> Any:
    """Its owner, fence and until, locked until the commit; None where there is none."""
    c = t.leases.c
    return connection.execute(sa.select(c.owner, c.fence, c.until).where(c.name == name).with_for_update()).first()

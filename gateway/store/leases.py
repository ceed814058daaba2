"""租约 Named leases: of several workers one does a job at a time, and a job whose worker died is taken over.

The fence grows with every change of owner. Who holds a lease is asked inside the job's own write transaction where the
job's writes are not safe by themselves (here all are: unique keys and row locks decide, leases only save work).
"""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.store import tables as t
from gateway.store.clock import to_ms


def take(connection: Connection, name: str, *, owner: str, now: datetime, length: timedelta) -> bool:
    """Takes or prolongs a lease; False while another owner holds it."""
    c = t.leases.c
    row = connection.execute(sa.select(t.leases).where(c.name == name).with_for_update()).first()
    if row is None:
        connection.execute(t.leases.insert().values(name=name, owner=owner, fence=1, until=to_ms(now + length)))
        return True
    if row.owner != owner and row.until > to_ms(now):
        return False
    connection.execute(
        t.leases.update()
        .where(c.name == name)
        .values(owner=owner, until=to_ms(now + length), fence=row.fence + (row.owner != owner))
    )
    return True


def give_back(connection: Connection, name: str, *, owner: str, now: datetime) -> None:
    """Ends a lease early; another owner's is left alone."""
    c = t.leases.c
    connection.execute(t.leases.update().where(c.name == name, c.owner == owner).values(until=to_ms(now)))

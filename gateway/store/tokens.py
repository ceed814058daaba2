"""一次性令牌 Read tokens that were used: each `jti` counts once until it expires (WIRE §4)."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.store import tables as t
from gateway.store.clock import to_ms


def use(connection: Connection, party_id: str, jti: str, expires_at: datetime) -> bool:
    """Marks a token as used; False when it was used before."""
    c = t.used_tokens.c
    known = connection.execute(sa.select(c.jti).where(c.party_id == party_id, c.jti == jti)).first()
    if known is not None:
        return False
    connection.execute(t.used_tokens.insert().values(party_id=party_id, jti=jti, expires_at=to_ms(expires_at)))
    return True


def forget(connection: Connection, *, now: datetime) -> int:
    """Drops tokens that no clock would accept any more; returns how many."""
    return connection.execute(t.used_tokens.delete().where(t.used_tokens.c.expires_at < to_ms(now))).rowcount

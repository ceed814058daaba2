"""移送更正的存取 Which messages amended a referral, in order; each row says what checks ask of the newest version."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.store import tables as t
from gateway.store.clock import from_ms
from gateway.store.prepared import among, ids

_A = t.referral_amendments.c


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptAmendment:
    """一次更正. version: 2 for the first amendment."""

    referral_id: str
    message_id: str
    version: int
    accepted_at: datetime
    has_custody: bool
    has_authorisation: bool


def put(connection: Connection, row: Mapping[str, Any]) -> None:
    """One amendment; the same version of a referral twice fails the transaction."""
    connection.execute(t.referral_amendments.insert(), dict(row))
    statement = t.referrals.update().where(t.referrals.c.referral_id == row["referral_id"])
    connection.execute(statement.values(version=row["version"]))


def newest(connection: Connection, referral_ids: Iterable[str]) -> dict[str, KeptAmendment]:
    """The last amendment by referral; one that was never amended has none."""
    return {one.referral_id: one for one in _read(connection, referral_ids)}


def all_of(connection: Connection, referral_id: str) -> Sequence[KeptAmendment]:
    """Every amendment of one referral, in order."""
    return _read(connection, [referral_id])


_ALL = sa.select(t.referral_amendments).where(among(_A.referral_id)).order_by(_A.version)


def _read(connection: Connection, referral_ids: Iterable[str]) -> list[KeptAmendment]:
    return [
        KeptAmendment(
            referral_id=row.referral_id,
            message_id=row.message_id,
            version=row.version,
            accepted_at=from_ms(row.accepted_at),
            has_custody=bool(row.has_custody),
            has_authorisation=bool(row.has_authorisation),
        )
        for row in connection.execute(_ALL, ids(set(referral_ids)))
    ]

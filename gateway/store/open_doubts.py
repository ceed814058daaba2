"""未结疑点的读取 Open findings with whose they are: the court of their referral, the office that has their need."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.lifecycle import FindingState
from gateway.store import tables as t
from gateway.store.prepared import among, ids

CHUNK = 500
_OPEN = (FindingState.OPEN.value, FindingState.ASSIGNED.value)


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenDoubt:
    """One open finding by its ids. court, office_id: None where it belongs to no referral, or to no handed out need."""

    code: str
    referral_id: str | None
    need_id: str | None
    must_act: str
    court: str | None
    office_id: str | None


def of_codes(connection: Connection, codes: Collection[str]) -> Iterator[OpenDoubt]:
    """Open findings of these codes, oldest first."""
    f, r, n = t.findings.c, t.referrals.c, t.needs.c
    joined = t.findings.outerjoin(t.referrals, r.referral_id == f.referral_id).outerjoin(
        t.needs, n.need_id == f.need_id
    )
    statement = (
        sa.select(f.code, f.referral_id, f.need_id, f.must_act, r.court, n.office_id)
        .select_from(joined)
        .where(f.state.in_(_OPEN), f.code.in_(codes))
        .order_by(f.row)
    )
    for row in connection.execute(statement):
        yield OpenDoubt(
            code=row.code,
            referral_id=row.referral_id,
            need_id=row.need_id,
            must_act=row.must_act,
            court=row.court,
            office_id=row.office_id,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Whose:
    """Referral id → its court; need id → the office that has it."""

    courts: dict[str, str]
    offices: dict[str, str]


def whose(connection: Connection, referral_ids: Collection[str]) -> Whose:
    """The courts of these referrals, and the offices of their needs."""
    found = Whose(courts={}, offices={})
    every = sorted(referral_ids)
    for first in range(0, len(every), CHUNK):
        wanted = ids(every[first : first + CHUNK])
        found.courts.update({row.referral_id: row.court for row in connection.execute(_COURTS, wanted)})
        found.offices.update({row.need_id: row.office_id for row in connection.execute(_OFFICES, wanted)})
    return found


_R, _N = t.referrals.c, t.needs.c
_COURTS = sa.select(_R.referral_id, _R.court).where(among(_R.referral_id))
_OFFICES = sa.select(_N.need_id, _N.office_id).where(among(_N.referral_id), _N.office_id.is_not(None))

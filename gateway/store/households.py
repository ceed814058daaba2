"""家庭情况的存取 What referrals say of their households: written once at intake, read set-wise by the checks."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.reconciliation.rows_household import CircumstancesRow, MemberRow
from gateway.store import tables as t
from gateway.store.amendments import KeptAmendment
from gateway.store.clock import from_ms, to_ms
from gateway.store.prepared import among, ids
from gateway.store.referrals import Waiting

_R, _C, _M = t.referrals.c, t.circumstances.c, t.household_members.c


def put(
    connection: Connection, circumstances: Sequence[Mapping[str, Any]], members: Sequence[Mapping[str, Any]]
) -> None:
    """Writes what new referrals say."""
    if circumstances:
        connection.execute(_PUT_CIRCUMSTANCES, list(circumstances))
    if members:
        connection.execute(_PUT_MEMBERS, list(members))


def mark_families(connection: Connection, person_keys: Collection[str], *, now: datetime) -> None:
    """Marks the referrals in whose household one of these persons is: what is on file of a member has changed."""
    if person_keys:
        connection.execute(_MARK_FAMILIES, ids(person_keys) | {"b_at": to_ms(now)})


_PUT_CIRCUMSTANCES, _PUT_MEMBERS = t.circumstances.insert(), t.household_members.insert()
_MARK_FAMILIES = (
    t.referrals.update()
    .where(_R.referral_id.in_(sa.select(_M.referral_id).where(among(_M.key))))
    .values(reconcile_at=sa.bindparam("b_at"))
)


def circumstances(
    connection: Connection, referral_ids: Iterable[str], amended: Mapping[str, KeptAmendment]
) -> dict[str, CircumstancesRow]:
    """By referral, as it was last amended; one that came before they were kept has none."""
    return {
        row.referral_id: CircumstancesRow(
            has_authorisation=amended[row.referral_id].has_authorisation
            if row.referral_id in amended
            else bool(row.has_authorisation),
            adult_from=row.adult_from,
        )
        for row in connection.execute(_CIRCUMSTANCES, ids(set(referral_ids)))
    }


_CIRCUMSTANCES = sa.select(t.circumstances).where(among(_C.referral_id))


def members(connection: Connection, referral_ids: Iterable[str]) -> dict[str, tuple[MemberRow, ...]]:
    """The vulnerable members of each household, and whether a referral of their own is on file."""
    rows = connection.execute(_VULNERABLE, ids(set(referral_ids))).all()
    keys = {row.key for row in rows if row.key is not None}
    on_file = set(connection.scalars(_ON_FILE, ids(keys))) if keys else set()
    found: dict[str, list[MemberRow]] = {}
    for row in rows:
        member = MemberRow(
            number=row.number,
            is_minor=bool(row.is_minor),
            is_elder=bool(row.is_elder),
            is_on_file=None if row.key is None else row.key in on_file,
        )
        found.setdefault(row.referral_id, []).append(member)
    return {key: tuple(mine) for key, mine in found.items()}


_VULNERABLE = (
    sa.select(t.household_members)
    .where(among(_M.referral_id), sa.or_(_M.is_minor, _M.is_elder))
    .order_by(_M.referral_id, _M.number)
)
_ON_FILE = sa.select(_R.person_key).where(among(_R.person_key), _R.withdrawn_at.is_(None)).distinct()


def without(connection: Connection, *, limit: int) -> list[Waiting]:
    """Referrals that came before their circumstances were kept."""
    return [_waiting(row) for row in connection.execute(_WITHOUT, {"b_limit": limit})]


def recallable(connection: Connection, referral_ids: Sequence[str]) -> list[Waiting]:
    """Where the messages of these referrals are kept, in the order they came."""
    return [_waiting(row) for row in connection.execute(_KEPT, ids(referral_ids))]


_MESSAGES = sa.select(_R.referral_id, _R.court, _R.message_id, _R.agreement_row, _R.accepted_at).order_by(_R.row)
_KEPT = _MESSAGES.where(among(_R.referral_id))
_WITHOUT = (
    _MESSAGES.select_from(t.referrals.outerjoin(t.circumstances, _C.referral_id == _R.referral_id))
    .where(_C.referral_id.is_(None))
    .limit(sa.bindparam("b_limit"))
)


def _waiting(row: Any) -> Waiting:
    return Waiting(
        referral_id=row.referral_id,
        court=row.court,
        message_id=row.message_id,
        agreement_row=row.agreement_row,
        received_at=from_ms(row.accepted_at),
        need_ids=(),
    )


def coming_of_age(connection: Connection, months: Sequence[str]) -> list[tuple[str, str]]:
    """(referral, month) of beneficiaries who come of age in one of the months; withdrawn referrals do not count."""
    statement = (
        sa.select(_C.referral_id, _C.adult_from)
        .select_from(t.circumstances.join(t.referrals, _R.referral_id == _C.referral_id))
        .where(_C.adult_from.in_(list(months)), _R.withdrawn_at.is_(None))
        .order_by(_C.adult_from, _C.row)
    )
    return [(row.referral_id, row.adult_from) for row in connection.execute(statement)]

"""同一救助的存取 Which numbers are one matter, who of a household is known, old aid and shared accounts: read set-wise.

Rules: the numbers of one matter are followed to their end over everything on file, withdrawn referrals left out; never
more than `MOST_ROUNDS` steps, so that a hub of wrong numbers costs a bounded time.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.original_case import Statement, matter_of
from gateway.domain.reconciliation.rows_same_help import AccountRow, KinRow, Kinship, LedgerAidRow, SameHelp
from gateway.store import ledgers
from gateway.store import tables as t
from gateway.store.prepared import among, ids

MOST_ROUNDS = 12
_L, _R, _K, _A = t.original_case_links.c, t.referrals.c, t.identity_keys.c, t.payment_accounts.c


def put_links(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """What new referrals, or lines of a ledger, state."""
    if rows:
        connection.execute(_PUT_LINKS, list(rows))


def put_accounts(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Where new payments went."""
    if rows:
        connection.execute(_PUT_ACCOUNTS, list(rows))


_PUT_LINKS, _PUT_ACCOUNTS = t.original_case_links.insert(), t.payment_accounts.insert()


def statements(connection: Connection, numbers: Collection[str]) -> dict[str, Statement]:
    """What was stated together of the matters these numbers belong to: by whom → the numbers."""
    found: dict[str, list[str]] = {}
    asked, front = set[str](), set(numbers)
    for _ in range(MOST_ROUNDS):
        if not front:
            break
        asked |= front
        by = set(connection.scalars(_STATED_BY, ids(front))) - found.keys()
        for row in connection.execute(_STATED, ids(by)) if by else ():
            found.setdefault(row.stated_by, []).append(row.number)
        front = {number for one in by for number in found[one]} - asked
    return {key: tuple(mine) for key, mine in found.items()}


_WITHDRAWN = sa.select(_R.referral_id).where(_R.referral_id == _L.stated_by, _R.withdrawn_at.is_not(None))
_STATED_BY = sa.select(_L.stated_by).where(among(_L.number), ~_WITHDRAWN.exists()).distinct()
_STATED = sa.select(_L.stated_by, _L.number).where(among(_L.stated_by)).order_by(_L.row)


def read(connection: Connection, referrals: Sequence[sa.RowMapping]) -> dict[str, SameHelp]:
    """Of each referral (its row) what others' rows say; one that may not be compared (P06) has nothing."""
    mine = {row["referral_id"]: row["person_key"] for row in referrals if row["person_key"] is not None}
    if not mine:
        return {}
    own = _grouped(connection.execute(_OWN_NUMBERS, ids(mine)))
    stated = statements(connection, {number for numbers in own.values() for number in numbers})
    keys = _keys(connection, mine)
    kin = _kin(connection, mine, keys)
    old = ledgers.aids_of(connection, {key for by_role in keys.values() for _, key in by_role} | set(mine.values()))
    accounts = _accounts(connection, mine, kin)
    return {
        key: SameHelp(
            statements=_of_matter(key, own.get(key, ()), stated),
            ledger=_old_aid(person, keys.get(key, ()), old),
            kin=kin.get(key, ()),
            accounts=accounts.get(key, ()),
        )
        for key, person in mine.items()
    }


_OWN_NUMBERS = sa.select(_L.stated_by, _L.number).where(among(_L.stated_by)).order_by(_L.row)


def _of_matter(key: str, own: Iterable[str], stated: Mapping[str, Statement]) -> tuple[Statement, ...]:
    matter = matter_of(own, stated.values())
    return tuple(sorted({one for by, one in stated.items() if by != key and len(one) > 1 and matter & set(one)}))


def _old_aid(
    person: str, keys: Iterable[tuple[str, str]], old: Mapping[str, Sequence[LedgerAidRow]]
) -> tuple[LedgerAidRow, ...]:
    mine = dict.fromkeys((person, *(key for role, key in keys if role == "beneficiary")))
    found = {one.line_id: one for key in mine for one in old.get(key, ())}
    return tuple(found.values())


Keys = Mapping[str, Sequence[tuple[str, str]]]
"""Referral → (role, identity key) of everybody it names."""


def _keys(connection: Connection, mine: Iterable[str]) -> Keys:
    found: dict[str, list[tuple[str, str]]] = {}
    for row in connection.execute(_KEYS, ids(mine)):
        found.setdefault(row.referral_id, []).append((row.role, row.key))
    return found


_KEYS = sa.select(_K.referral_id, _K.role, _K.key).where(among(_K.referral_id)).order_by(_K.row)


def _kin(connection: Connection, mine: Mapping[str, str], keys: Keys) -> dict[str, tuple[KinRow, ...]]:
    """Other persons' referrals that a person of these ties to them."""
    wanted = {key for by_role in keys.values() for _, key in by_role}
    holders: dict[str, list[tuple[str, str]]] = {}
    persons: dict[str, str | None] = {}
    for row in connection.execute(_HOLDERS, ids(wanted)) if wanted else ():
        holders.setdefault(row.key, []).append((row.referral_id, row.role))
        persons[row.referral_id] = row.person_key
    found: dict[str, tuple[KinRow, ...]] = {}
    for key, person in mine.items():
        near: dict[str, Kinship] = {}
        for role, number in keys.get(key, ()):
            for other, their_role in holders.get(number, ()):
                if other != key and persons[other] != person:
                    ties = Kinship.HOUSEHOLD if {role, their_role} == _LIVES_WITH else Kinship.RELATED
                    near[other] = Kinship.HOUSEHOLD if Kinship.HOUSEHOLD in (ties, near.get(other)) else ties
        found[key] = tuple(KinRow(referral_id=other, kinship=kinship) for other, kinship in sorted(near.items()))
    return found


_LIVES_WITH = {"beneficiary", "household"}
_HOLDERS = (
    sa.select(_K.key, _K.referral_id, _K.role, _R.person_key)
    .select_from(t.identity_keys.join(t.referrals, _R.referral_id == _K.referral_id))
    .where(among(_K.key), _R.withdrawn_at.is_(None))
    .order_by(_K.row)
)


def _accounts(
    connection: Connection, mine: Mapping[str, str], kin: Mapping[str, Sequence[KinRow]]
) -> dict[str, tuple[AccountRow, ...]]:
    own: dict[str, list[Any]] = {}
    for row in connection.execute(_OWN_ACCOUNTS, ids(mine)):
        own.setdefault(row.account_key, []).append(row)
    found: dict[str, list[AccountRow]] = {}
    for other in connection.execute(_INTO, ids(own)) if own else ():
        for row in own[other.account_key]:
            if row.referral_id == other.referral_id:
                continue
            related = any(one.referral_id == other.referral_id for one in kin.get(row.referral_id, ()))
            one = AccountRow(
                key=row.account_key[:12],
                referral_id=other.referral_id,
                payment_id=other.payment_id,
                mine=row.payment_id,
                amount_fen=other.amount_fen,
                person_key=other.person_key,
                is_earlier=other.row < row.row,
                related=related or other.person_key == mine[row.referral_id],
            )
            found.setdefault(row.referral_id, []).append(one)
    return {key: tuple(rows) for key, rows in found.items()}


_OWN_ACCOUNTS = sa.select(_A.row, _A.referral_id, _A.payment_id, _A.account_key).where(
    among(_A.referral_id), _A.account_key.is_not(None)
)
_P = t.court_payments.c
_INTO = (
    sa.select(_A.row, _A.account_key, _A.referral_id, _A.payment_id, _P.amount_fen, _R.person_key)
    .select_from(
        t.payment_accounts.join(t.referrals, _R.referral_id == _A.referral_id).join(
            t.court_payments, sa.and_(_P.court == _A.court, _P.payment_id == _A.payment_id)
        )
    )
    .where(among(_A.account_key))
    .order_by(_A.row)
)


def _grouped(rows: Iterable[Any]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row.stated_by, []).append(row.number)
    return found


def sharing(connection: Connection, numbers: Collection[str]) -> list[str]:
    """Referrals that state one of these numbers, oldest first."""
    if not numbers:
        return []
    return list(connection.scalars(_SHARING, ids(numbers)))


_SHARING = (
    sa.select(_R.referral_id)
    .where(_R.referral_id.in_(sa.select(_L.stated_by).where(among(_L.number))))
    .order_by(_R.row)
)

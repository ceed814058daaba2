"""比对记录的存取 Person records and their blocking keys: candidates by key, never by a scan; and the matches found.

Rules: a record is sealed with its case's key and gone with it; a key that names too many people is looked at only up to
`MOST_IN_BLOCK`, the newest first, and the caller is told.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from hashlib import sha256
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.reconciliation.rows_identity import PossibleMatchRow
from gateway.errors import CaseErased, SealBroken
from gateway.store import tables as t
from gateway.store.clock import from_ms
from gateway.store.prepared import among, ids
from gateway.store.vault import CaseKeys

MOST_IN_BLOCK = 50
_KEYS_AT_ONCE, _STEP = 60, 12
"""Statements are built for so many keys and multiples of a step, so that few are built; what is left over is empty."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownPerson:
    """One record on file. text: packed; person_key: its referral's."""

    referral_id: str
    text: str
    person_key: str | None
    withdrawn: bool
    row: int


def without(
    connection: Connection, agreement_rows: Collection[int], *, after: int, limit: int
) -> list[tuple[int, str]]:
    """Referrals under these agreements that have no record, behind a row number: row, referral_id."""
    r = t.referrals.c
    statement = (
        sa.select(r.row, r.referral_id)
        .select_from(t.referrals.outerjoin(t.persons, t.persons.c.referral_id == r.referral_id))
        .where(t.persons.c.row.is_(None), r.row > after, r.agreement_row.in_(list(agreement_rows)))
        .order_by(r.row)
        .limit(limit)
    )
    return [(row.row, row.referral_id) for row in connection.execute(statement)]


def candidates(connection: Connection, keys: Collection[str]) -> dict[str, list[str]]:
    """Referrals under each key, the newest first, at most one more than `MOST_IN_BLOCK`."""
    wanted, found = list(keys), dict[str, list[str]]()
    for start in range(0, len(wanted), _KEYS_AT_ONCE):
        page = wanted[start : start + _KEYS_AT_ONCE]
        size = -(-len(page) // _STEP) * _STEP
        parameters = dict.fromkeys((f"k{at}" for at in range(size)), "") | {
            f"k{at}": key for at, key in enumerate(page)
        }
        for key, referral_id in connection.execute(_of_keys(size), parameters):
            found.setdefault(key, []).append(referral_id)
    return found


@cache
def _of_keys(count: int) -> Any:
    """One look-up a key, so that a large block costs the others nothing."""
    k = t.match_keys.c
    each = [
        sa.select(
            sa.select(k.key, k.referral_id)
            .where(k.key == sa.bindparam(f"k{at}"))
            .order_by(k.row.desc())
            .limit(MOST_IN_BLOCK + 1)
            .subquery()
        )
        for at in range(count)
    ]
    return sa.union_all(*each)


def known(connection: Connection, referral_ids: Collection[str]) -> dict[str, KnownPerson]:
    """Records by referral; one whose case was erased, or that does not open, is left out."""
    if not referral_ids:
        return {}
    rows = connection.execute(_KNOWN, ids(referral_ids)).all()
    keys, found = CaseKeys.of(connection, (row.referral_id for row in rows)), {}
    for row in rows:
        try:
            text = keys.open(row.referral_id, field_of(row.referral_id), row.record)
        except (CaseErased, SealBroken):
            continue  # the cut-off names a record that was changed
        found[row.referral_id] = KnownPerson(
            referral_id=row.referral_id,
            text=text,
            person_key=row.person_key,
            withdrawn=row.withdrawn_at is not None,
            row=row.row,
        )
    return found


_KNOWN = (
    sa.select(
        t.persons.c.referral_id,
        t.persons.c.record,
        t.persons.c.row,
        t.referrals.c.person_key,
        t.referrals.c.withdrawn_at,
    )
    .select_from(t.persons.join(t.referrals, t.referrals.c.referral_id == t.persons.c.referral_id))
    .where(among(t.persons.c.referral_id))
)


def newest_secret(connection: Connection) -> str | None:
    """The name of the secret the newest record's keys were made with."""
    found: str | None = connection.scalar(_NEWEST)
    return found


_NEWEST = sa.select(t.persons.c.secret_name).order_by(t.persons.c.row.desc()).limit(1)


def field_of(referral_id: str) -> str:
    """What a sealed record is bound to."""
    return f"persons.record:{referral_id}"


def put(
    connection: Connection,
    records: Mapping[str, str],
    keys: Iterable[tuple[str, str, str]],
    *,
    secret_name: str,
    now: datetime,
) -> None:
    """Writes packed records by referral, and (kind, key, referral) each."""
    if not records:
        return
    case_keys = CaseKeys.for_writing(connection, records, now=now)
    connection.execute(
        t.persons.insert(),
        [
            {
                "referral_id": referral_id,
                "secret_name": secret_name,
                "record": case_keys.seal(referral_id, field_of(referral_id), text),
            }
            for referral_id, text in records.items()
        ],
    )
    rows = [{"kind": kind, "key": key, "referral_id": referral_id} for kind, key, referral_id in keys]
    if rows:
        connection.execute(t.match_keys.insert(), rows)


def put_matches(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes what was found; the caller puts the decision it rests on."""
    if rows:
        connection.execute(t.possible_matches.insert(), list(rows))


_SAID = ("match_id", "referral_id", "other_referral_id", "verdict", "kind", "score", "waterfall", "version", "at")


def match_digest(row: Mapping[str, Any]) -> str:
    """What the decision a match rests on must say."""
    return sha256(json.dumps([row[name] for name in _SAID], separators=(",", ":")).encode()).hexdigest()


def possible(connection: Connection, referral_ids: Collection[str]) -> dict[str, tuple[PossibleMatchRow, ...]]:
    """What was found when these referrals came, in the order it was kept."""
    found: dict[str, list[PossibleMatchRow]] = {}
    for row in connection.execute(_MATCHES, ids(referral_ids)).mappings():
        found.setdefault(row["referral_id"], []).append(
            PossibleMatchRow(
                match_id=row["match_id"],
                other_referral_id=row["other_referral_id"],
                other_withdrawn=row["withdrawn_at"] is not None,
                verdict=row["verdict"],
                kind=row["kind"],
                score=row["score"],
                waterfall=tuple((field, outcome, points) for field, outcome, points in json.loads(row["waterfall"])),
                version=row["version"],
                at=from_ms(row["at"]),
            )
        )
    return {referral_id: tuple(rows) for referral_id, rows in found.items()}


_MATCHES = (
    sa.select(t.possible_matches, t.referrals.c.withdrawn_at)
    .select_from(
        t.possible_matches.outerjoin(t.referrals, t.referrals.c.referral_id == t.possible_matches.c.other_referral_id)
    )
    .where(among(t.possible_matches.c.referral_id))
    .order_by(t.possible_matches.c.row)
)


def blank(connection: Connection, referral_id: str) -> None:
    """Empties what a person is compared by; who was found alike stays, for it says nothing of the person."""
    connection.execute(t.match_keys.delete().where(t.match_keys.c.referral_id == referral_id))
    connection.execute(t.persons.delete().where(t.persons.c.referral_id == referral_id))

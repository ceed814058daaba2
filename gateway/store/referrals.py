"""移送与需求的存取 Referrals, needs, identity keys: set-wise reads and writes."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.lifecycle import OPEN_NEEDS, NeedState
from gateway.store import decisions
from gateway.store import tables as t
from gateway.store.clock import from_ms, to_ms
from gateway.store.prepared import IDS, among, ids


@dataclass(frozen=True, kw_only=True, slots=True)
class Relative:
    """The few facts of another referral of the same person that intake asks for."""

    referral_id: str
    decision: str
    original_case_group: str | None
    joint_id: str | None
    open_programmes: frozenset[str]


def existing(connection: Connection, referral_ids: Iterable[str]) -> set[str]:
    """Those of the ids that are taken."""
    return set(connection.scalars(_EXISTING, ids(set(referral_ids))))


_EXISTING = sa.select(t.referrals.c.referral_id).where(among(t.referrals.c.referral_id))


def relatives(connection: Connection, person_keys: Collection[str]) -> dict[str, list[Relative]]:
    """Referrals on file by person key; withdrawn ones do not count."""
    if not person_keys:
        return {}
    rows = connection.execute(_RELATIVES, ids(person_keys))
    found: dict[str, dict[str, Relative]] = {}
    for row in rows:
        mine = found.setdefault(row.person_key, {})
        open_now = {row.programme} if row.state in _OPEN_OR_HELD else set()
        before = mine.get(row.referral_id)
        mine[row.referral_id] = Relative(
            referral_id=row.referral_id,
            decision=row.decision,
            original_case_group=row.original_case_group,
            joint_id=row.joint_id,
            open_programmes=frozenset(open_now) | (before.open_programmes if before else frozenset()),
        )
    return {key: list(mine.values()) for key, mine in found.items()}


_RELATIVES = (
    sa.select(
        t.referrals.c.person_key,
        t.referrals.c.referral_id,
        t.referrals.c.decision,
        t.referrals.c.original_case_group,
        t.referrals.c.joint_id,
        t.needs.c.programme,
        t.needs.c.state,
    )
    .select_from(t.referrals.outerjoin(t.needs, t.needs.c.referral_id == t.referrals.c.referral_id))
    .where(among(t.referrals.c.person_key), t.referrals.c.withdrawn_at.is_(None))
    .order_by(t.referrals.c.row)
)
_OPEN_OR_HELD = frozenset(OPEN_NEEDS | {NeedState.HELD})


def put(
    connection: Connection,
    referral_rows: Sequence[Mapping[str, Any]],
    need_rows: Sequence[Mapping[str, Any]],
    key_rows: Sequence[Mapping[str, Any]],
    decision_rows: Sequence[Mapping[str, Any]],
) -> None:
    """Writes new referrals with what belongs to them, and marks the person's other referrals for reconciliation."""
    for insert, rows in zip(_INSERTS, (referral_rows, need_rows, key_rows), strict=True):
        if rows:
            connection.execute(insert, list(rows))
    decisions.put_all(connection, decision_rows)
    marked = {row["person_key"]: row["reconcile_at"] for row in referral_rows if row["person_key"] is not None}
    if marked:
        fresh = [row["referral_id"] for row in referral_rows]
        connection.execute(_MARK_OTHERS, ids(marked) | {"fresh": fresh, "at": max(marked.values())})


_INSERTS = tuple(table.insert() for table in (t.referrals, t.needs, t.identity_keys))
_MARK_OTHERS = (
    t.referrals.update()
    .where(
        among(t.referrals.c.person_key),
        t.referrals.c.referral_id.not_in(sa.bindparam("fresh", expanding=True)),
    )
    .values(reconcile_at=sa.bindparam("at"))
)


def touch(connection: Connection, referral_ids: Iterable[str], *, now: datetime) -> None:
    """Marks referrals, and the same persons' others, for the next reconciliation: what happens to one can be a doubt
    about another."""
    touched = ids(set(referral_ids))
    if touched[IDS]:
        for statement in _TOUCH:
            connection.execute(statement, touched | {"at": to_ms(now)})


_MINE = t.referrals.alias("mine")
_PERSONS = sa.select(_MINE.c.person_key).where(among(_MINE.c.referral_id), _MINE.c.person_key.is_not(None))
_TOUCH = (
    t.referrals.update().where(among(t.referrals.c.referral_id)).values(reconcile_at=sa.bindparam("at")),
    t.referrals.update()
    .where(t.referrals.c.person_key.in_(_PERSONS), sa.not_(among(t.referrals.c.referral_id)))
    .values(reconcile_at=sa.bindparam("at")),
)


def court_of(connection: Connection, referral_ids: Iterable[str]) -> dict[str, str]:
    """The court each referral belongs to."""
    rows = connection.execute(
        sa.select(t.referrals.c.referral_id, t.referrals.c.court).where(
            t.referrals.c.referral_id.in_(set(referral_ids))
        )
    )
    return {row.referral_id: row.court for row in rows}


def is_withdrawn(connection: Connection, referral_id: str) -> bool:
    """Whether its court took the referral back."""
    at = connection.scalar(sa.select(t.referrals.c.withdrawn_at).where(t.referrals.c.referral_id == referral_id))
    return at is not None


def is_minor(connection: Connection, referral_id: str) -> bool:
    """Whether its beneficiary was a minor when the case was concluded."""
    return bool(connection.scalar(sa.select(t.referrals.c.is_minor).where(t.referrals.c.referral_id == referral_id)))


def mark_withdrawn(connection: Connection, referral_id: str, *, now: datetime) -> None:
    """The court took the referral back; it stays on file."""
    connection.execute(
        t.referrals.update().where(t.referrals.c.referral_id == referral_id).values(withdrawn_at=to_ms(now))
    )
    touch(connection, [referral_id], now=now)


def needs_of(
    connection: Connection, referral_ids: Iterable[str], *, lock: bool = False
) -> dict[str, list[Mapping[str, Any]]]:
    """Every need row by referral, in the court's order; lock: nobody else changes them until the commit."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    statement = _NEEDS_LOCKED if lock else _NEEDS
    for row in connection.execute(statement, ids(set(referral_ids))).mappings():
        found.setdefault(row["referral_id"], []).append(dict(row))
    return found


_NEEDS = sa.select(t.needs).where(among(t.needs.c.referral_id)).order_by(t.needs.c.row)
_NEEDS_LOCKED = _NEEDS.with_for_update()


def held(connection: Connection) -> list[tuple[str, str, str, int]]:
    """(referral id, court, rules, needs) of what waits for a person, oldest first."""
    n = t.needs.c
    statement = (
        sa.select(n.referral_id, n.court, sa.func.max(n.held_for), sa.func.count(), sa.func.min(n.row).label("first"))
        .where(n.state == NeedState.HELD.value)
        .group_by(n.referral_id, n.court)
        .order_by("first")
    )
    return [(row[0], row[1], row[2] or "", row[3]) for row in connection.execute(statement)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """A referral with needs that wait to be routed, and where its message is kept."""

    referral_id: str
    court: str
    message_id: str
    agreement_row: int
    received_at: datetime
    need_ids: tuple[str, ...]


def waiting(connection: Connection, *, now: datetime, limit: int) -> list[Waiting]:
    """Referrals whose needs are due to be routed, minors first, then oldest; at most `limit` needs."""
    rows = connection.execute(_WAITING, {"b_now": to_ms(now), "b_limit": limit}).all()
    grouped: dict[str, list[Any]] = {}
    for row in rows:
        grouped.setdefault(row.referral_id, []).append(row)
    return [
        Waiting(
            referral_id=key,
            court=found[0].court,
            message_id=found[0].message_id,
            agreement_row=found[0].agreement_row,
            received_at=from_ms(found[0].accepted_at),
            need_ids=tuple(row.need_id for row in found),
        )
        for key, found in grouped.items()
    ]


def where_kept(connection: Connection, referral_id: str) -> Waiting | None:
    """A referral's own message, to be recalled; None for no such referral."""
    statement = sa.select(_R.court, _R.message_id, _R.agreement_row, _R.accepted_at).where(
        _R.referral_id == referral_id
    )
    row = connection.execute(statement).first()
    if row is None:
        return None
    return Waiting(
        referral_id=referral_id,
        court=row.court,
        message_id=row.message_id,
        agreement_row=row.agreement_row,
        received_at=from_ms(row.accepted_at),
        need_ids=(),
    )


_R, _N = t.referrals.c, t.needs.c
_WAITING = (
    sa.select(_N.need_id, _R.referral_id, _R.court, _R.message_id, _R.agreement_row, _R.accepted_at)
    .select_from(t.needs.join(t.referrals, _R.referral_id == _N.referral_id))
    .where(_N.dispatch_at <= sa.bindparam("b_now"))
    .order_by(_N.priority, _N.row)
    .limit(sa.bindparam("b_limit"))
)


def save_needs(
    connection: Connection, changes: Sequence[Mapping[str, Any]], moves: Sequence[Mapping[str, Any]]
) -> None:
    """Writes changed needs (each with `need_id` and every column of `CHANGEABLE`) and the moves that explain them."""
    if changes:
        rows = [{"b_need_id": row["need_id"], **{name: row[name] for name in CHANGEABLE}} for row in changes]
        connection.execute(_SAVE_NEED, rows)
    if moves:
        connection.execute(_INSERT_MOVE, list(moves))


CHANGEABLE = (
    "state",
    "state_at",
    "agency",
    "office_id",
    "handoff_id",
    "step",
    "because",
    "unroutable",
    "held_for",
    "issued_at",
    "relayed_at",
    "received_at",
    "disposition_at",
    "decided_at",
    "paid_at",
    "approved_fen",
    "paid_fen",
    "answered_at",
    "dispatch_at",
)
_SAVE_NEED = (
    t.needs.update()
    .where(t.needs.c.need_id == sa.bindparam("b_need_id"))
    .values({name: sa.bindparam(name) for name in CHANGEABLE})
)
_INSERT_MOVE = t.need_moves.insert()

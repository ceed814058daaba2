"""疑点台的存取 Findings as a desk asks for them, what people do with them, and how often a match was false.

What a person does is written here only together with its decision (`flows.findings_desk`).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.lifecycle import FindingState
from gateway.domain.person import SpecificGroup
from gateway.store import tables as t
from gateway.store.clock import from_ms, to_ms
from gateway.store.findings import UNDECIDED, Kept, digest_on_file, kept_of
from gateway.store.prepared import among, ids

OPEN = frozenset({FindingState.OPEN, FindingState.ASSIGNED})
_F, _R = t.findings.c, t.referrals.c


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """Which findings are asked for; what is None, or empty, is not asked. office: must act, or has the need.

    due_before: of whoever it is assigned to, else of the finding itself.
    """

    keys: Collection[str] = ()
    codes: Collection[str] = ()
    states: Collection[FindingState] = OPEN
    referral_id: str | None = None
    subject: str | None = None
    court: str | None = None
    office: str | None = None
    must_act: str | None = None
    assigned_to: str | None = None
    group: SpecificGroup | None = None
    due_before: datetime | None = None


def search(
    connection: Connection, wanted: Wanted, *, limit: int = 10_000, minors_first: bool = False
) -> list[tuple[str, Kept]]:
    """(key, finding), oldest first; minors before everybody else where that is asked."""
    order = (sa.func.coalesce(_R.is_minor, sa.false()).desc(), _F.row) if minors_first else (_F.row,)
    joined = t.findings.outerjoin(t.referrals, _R.referral_id == _F.referral_id)
    statement = sa.select(t.findings).select_from(joined).where(*_conditions(wanted)).order_by(*order).limit(limit)
    return [(row["key"], kept_of(row)) for row in connection.execute(statement).mappings()]


def _conditions(wanted: Wanted) -> Iterable[sa.ColumnElement[bool]]:
    several = ((_F.key, wanted.keys), (_F.code, wanted.codes), (_F.state, [state.value for state in wanted.states]))
    yield from (column.in_(list(values)) for column, values in several if values)
    equal = (
        (_F.referral_id, wanted.referral_id),
        (_F.subject, wanted.subject),
        (_F.must_act, wanted.must_act),
        (_F.assigned_to, wanted.assigned_to),
        (_R.court, wanted.court),
    )
    yield from (column == value for column, value in equal if value is not None)
    if wanted.office is not None:
        theirs = sa.select(t.needs.c.need_id).where(t.needs.c.office_id == wanted.office)
        yield sa.or_(_F.must_act == wanted.office, _F.need_id.in_(theirs))
    if wanted.group is not None:
        yield (sa.literal(" ") + _R.groups + sa.literal(" ")).like(f"% {wanted.group.value} %")
    if wanted.due_before is not None:
        yield sa.func.coalesce(_F.assigned_due_at, _F.due_at) < to_ms(wanted.due_before)


def rows_of(connection: Connection, keys: Collection[str]) -> dict[str, dict[str, Any]]:
    """Whole rows by key, as they stand inside this transaction."""
    found = connection.execute(_OF_KEYS, ids(set(keys))).mappings()
    return {row["key"]: dict(row) for row in found}


_OF_KEYS = sa.select(t.findings).where(among(_F.key)).order_by(_F.row)
ACTS = ("state", *UNDECIDED)
_SAVE = t.findings.update().where(_F.key == sa.bindparam("b_key")).values({name: sa.bindparam(name) for name in ACTS})


def save(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes what people did: of each row its `key` and every column of `ACTS`."""
    if rows:
        changed = [{"b_key": row["key"], **{name: row[name] for name in ACTS}} for row in rows]
        connection.execute(_SAVE, changed)


def note(connection: Connection, rows: Sequence[Mapping[str, Any]], *, what: str, now: datetime) -> None:
    """Keeps what findings said, and what was decided of them, before it is undone."""
    if rows:
        connection.execute(
            t.finding_changes.insert(),
            [
                {
                    "finding_key": row["key"],
                    "at": to_ms(now),
                    "what": what,
                    "evidence": row["evidence"],
                    "evidence_digest": digest_on_file(row),
                    "stake_fen": row["stake_fen"],
                    "state": row["state"],
                    "decided_as": row["decided_as"],
                }
                for row in rows
            ],
        )


def changes_of(connection: Connection, key: str) -> list[dict[str, Any]]:
    """What a finding said before, oldest first."""
    c = t.finding_changes.c
    rows = connection.execute(sa.select(t.finding_changes).where(c.finding_key == key).order_by(c.row)).mappings()
    return [{**row, "at": from_ms(row["at"])} for row in rows]


@dataclass(frozen=True, kw_only=True, slots=True)
class Decided:
    """Of one code and the groups of one person: how many were found, decided, and false."""

    code: str
    groups: frozenset[str]
    found: int
    decided: int
    false: int


def decided_by_groups(connection: Connection) -> list[Decided]:
    """Every finding that belongs to a referral, counted by code and by the person's groups. A match that was false and
    was opened again by new evidence is counted as what was last decided of it."""
    false = sa.func.sum(sa.case((_F.decided_as == "FALSE_MATCH", 1), else_=0))
    statement = (
        sa.select(_F.code, _R.groups, sa.func.count(), sa.func.count(_F.decided_as), false)
        .select_from(t.findings.join(t.referrals, _R.referral_id == _F.referral_id))
        .group_by(_F.code, _R.groups)
        .order_by(_F.code, _R.groups)
    )
    return [
        Decided(code=code, groups=frozenset(groups.split()), found=found, decided=decided, false=int(false or 0))
        for code, groups, found, decided, false in connection.execute(statement)
    ]

"""卷宗的读取 Reads what reconciliation and reports compare, set-wise: one query a table however many.

Rows are independent of each other on purpose (Law 7): how many needs a referral asked for stands in its own row, what
became of them in theirs.
"""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.calendar import ONE_DAY, end_of_china_day
from gateway.domain.lifecycle import HandoffState, NeedState
from gateway.domain.reconciliation.rows_court import CourtMoney
from gateway.domain.reconciliation.rows_same_help import SameHelp
from gateway.domain.reconciliation.values import (
    CourtPaymentRow,
    Dossier,
    HandoffRow,
    NeedRow,
    ReferralRow,
    RelativeRow,
    ReplyRow,
)
from gateway.domain.referral import Decision, ReferralAssessment
from gateway.store import amendments, court_money, exchanges, households, persons, reminders, same_help
from gateway.store import tables as t
from gateway.store.amendments import KeptAmendment
from gateway.store.clock import from_ms, to_day, to_ms
from gateway.store.prepared import among, ids

R = TypeVar("R")

_REFERRALS = sa.select(t.referrals).where(among(t.referrals.c.referral_id))
_KIN = sa.select(t.referrals).where(among(t.referrals.c.person_key)).order_by(t.referrals.c.row)
_AGREEMENTS = sa.select(t.referrals.c.referral_id, t.referrals.c.agreement_row).where(among(t.referrals.c.referral_id))
_OF_REFERRALS = {
    table: sa.select(table).where(among(table.c.referral_id)).order_by(table.c.row)
    for table in (t.needs, t.replies, t.handoffs, t.court_payments)
}
_LOOKED = (
    t.referrals.update()
    .where(
        t.referrals.c.referral_id == sa.bindparam("b_referral_id"),
        t.referrals.c.reconcile_at == sa.bindparam("b_mark"),
    )
    .values(reconcile_at=sa.bindparam("b_next"))
)

CHUNK = 500
NO_MONEY = CourtMoney()
NOTHING = SameHelp()


def due(connection: Connection, *, now: datetime, limit: int) -> dict[str, int]:
    """Referrals whose next look has come, longest waiting first, each with the mark that `looked` needs.

    A mark set in this very millisecond waits for the next run: whatever happens after this read then has a later one.
    """
    r = t.referrals.c
    statement = (
        sa.select(r.referral_id, r.reconcile_at)
        .where(r.reconcile_at < to_ms(now))
        .order_by(r.reconcile_at, r.row)
        .limit(limit)
    )
    return {row.referral_id: row.reconcile_at for row in connection.execute(statement)}


def looked(connection: Connection, marks: Mapping[str, int], next_look: Mapping[str, datetime | None]) -> None:
    """Sets when each referral is looked at next; one that was touched since its mark was read keeps its own moment."""
    if marks:
        connection.execute(
            _LOOKED,
            [
                {"b_referral_id": key, "b_mark": mark, "b_next": to_ms(next_look.get(key))}
                for key, mark in marks.items()
            ],
        )


Days = tuple[date, date]
"""(first, last), both included."""
_FIRST_DAY, _LAST_DAY = date(1900, 1, 1), date(9998, 12, 31)
"""Beyond these no day before or after can be named; whoever asks further asks for everything."""


def within(column: sa.ColumnElement[int], days: Days) -> sa.ColumnElement[bool]:
    """Whether a moment lies within China days."""
    start = to_ms(end_of_china_day(max(days[0], _FIRST_DAY) - ONE_DAY))
    return sa.and_(column >= start, column < to_ms(end_of_china_day(min(days[1], _LAST_DAY))))


def pages(
    connection: Connection,
    *,
    court: str | None = None,
    courts: Collection[str] | None = None,
    concluded: Days | None = None,
    accepted: Days | None = None,
    offices: Collection[str] | None = None,
) -> Iterator[list[str]]:
    """Referral ids in pages of `CHUNK`, oldest first: of one court or of some, concluded or accepted within China days,
    handed to one of some offices."""
    r = t.referrals.c
    conditions: list[sa.ColumnElement[bool]] = []
    if court is not None:
        conditions.append(r.court == court)
    if courts is not None:
        conditions.append(r.court.in_(courts))
    if concluded is not None:
        conditions.append(r.concluded_on.between(concluded[0].isoformat(), concluded[1].isoformat()))
    if accepted is not None:
        conditions.append(within(r.accepted_at, accepted))
    if offices is not None:
        handed = sa.select(t.handoffs.c.referral_id).where(t.handoffs.c.office_id.in_(offices))
        conditions.append(r.referral_id.in_(handed))
    last = 0
    while True:
        rows = connection.execute(
            sa.select(r.row, r.referral_id).where(r.row > last, *conditions).order_by(r.row).limit(CHUNK)
        ).all()
        if not rows:
            return
        yield [row.referral_id for row in rows]
        last = rows[-1].row


def read(connection: Connection, referral_ids: Sequence[str], *, with_others: bool = True) -> list[Dossier]:
    """One dossier each, in the order asked; ids that do not exist are left out. with_others: what is on file about
    the same persons' other referrals comes along."""
    mine = set(referral_ids)
    first = connection.execute(_REFERRALS, ids(mine)).mappings().all()
    keys = {row["person_key"] for row in first if with_others and row["person_key"] is not None}
    kin = _kin(connection, keys)
    helped = same_help.read(connection, first) if with_others else {}
    family = {one.referral_id for each in helped.values() for one in each.kin} - mine
    everyone = mine | {row["referral_id"] for rows in kin.values() for row in rows} | family
    needs = _grouped(connection, t.needs, everyone, _need)
    replies = _grouped(connection, t.replies, everyone, _reply)
    handoffs = _grouped(connection, t.handoffs, mine, _handoff)
    payments = _grouped(connection, t.court_payments, mine, _payment)
    by_id = {row["referral_id"]: row for row in first}
    relatives = by_id | _rows(connection, family)
    money = court_money.read(connection, mine)
    cited = exchanges.cited_by(connection, [row for row in first if row["refusal_code"] == "X6"])
    amended = amendments.newest(connection, mine)
    circumstances = households.circumstances(connection, mine, amended)
    members = households.members(connection, mine)
    reminded = reminders.said(connection, mine)
    alike = persons.possible(connection, mine)
    return [
        Dossier(
            referral=_referral(by_id[key], amended.get(key)),
            needs=needs.get(key, ()),
            handoffs=handoffs.get(key, ()),
            replies=replies.get(key, ()),
            court_payments=payments.get(key, ()),
            circumstances=circumstances.get(key),
            household=members.get(key, ()),
            reminders=reminded.get(key, ()),
            court_money=money.get(key, NO_MONEY),
            cited_inquiry=cited.get(key),
            same_help=helped.get(key, NOTHING),
            kin=tuple(
                RelativeRow(
                    referral=_referral(relatives[one.referral_id]),
                    needs=needs.get(one.referral_id, ()),
                    replies=replies.get(one.referral_id, ()),
                )
                for one in helped.get(key, NOTHING).kin
            ),
            possible_matches=alike.get(key, ()),
            others=tuple(
                RelativeRow(
                    referral=_referral(other),
                    needs=needs.get(other["referral_id"], ()),
                    replies=replies.get(other["referral_id"], ()),
                )
                for other in kin.get(by_id[key]["person_key"], ())
                if other["referral_id"] != key
            ),
        )
        for key in referral_ids
        if key in by_id
    ]


def agreement_rows(connection: Connection, referral_ids: Sequence[str]) -> dict[str, int]:
    """The agreement version each referral came under."""
    rows = connection.execute(_AGREEMENTS, ids(set(referral_ids)))
    return {row.referral_id: row.agreement_row for row in rows}


def holds_of(connection: Connection, referral_id: str) -> tuple[str, ...]:
    """The rules that hold a referral's needs right now."""
    rows = connection.scalars(_HELD, ids([referral_id]))
    return tuple(dict.fromkeys(rule for row in rows for rule in (row or "").split()))


_HELD = sa.select(t.needs.c.held_for).where(among(t.needs.c.referral_id), t.needs.c.held_for.is_not(None))


def of_person(connection: Connection, person_key: str) -> list[str]:
    """Every referral of one person, oldest first."""
    r = t.referrals.c
    return list(connection.scalars(sa.select(r.referral_id).where(r.person_key == person_key).order_by(r.row)))


def household(connection: Connection, referral_id: str) -> list[str]:
    """Referrals that share a person with this one (beneficiary, guardian or household member), this one among them."""
    k = t.identity_keys.c
    keys = set(connection.scalars(sa.select(k.key).where(k.referral_id == referral_id)))
    found = set(connection.scalars(sa.select(k.referral_id).where(k.key.in_(keys)))) | {referral_id}
    r = t.referrals.c
    return list(connection.scalars(sa.select(r.referral_id).where(r.referral_id.in_(found)).order_by(r.row)))


def _kin(connection: Connection, keys: set[str]) -> dict[str, list[sa.RowMapping]]:
    if not keys:
        return {}
    found: dict[str, list[sa.RowMapping]] = {}
    for row in connection.execute(_KIN, ids(keys)).mappings():
        found.setdefault(row["person_key"], []).append(row)
    return found


def _rows(connection: Connection, referral_ids: Collection[str]) -> dict[str, sa.RowMapping]:
    if not referral_ids:
        return {}
    return {row["referral_id"]: row for row in connection.execute(_REFERRALS, ids(referral_ids)).mappings()}


def _grouped(
    connection: Connection, table: sa.Table, referral_ids: Iterable[str], make: Callable[[sa.RowMapping], R]
) -> dict[str, tuple[R, ...]]:
    found: dict[str, list[R]] = {}
    for row in connection.execute(_OF_REFERRALS[table], ids(set(referral_ids))).mappings():
        found.setdefault(row["referral_id"], []).append(make(row))
    return {key: tuple(rows) for key, rows in found.items()}


def _referral(row: sa.RowMapping, amended: KeptAmendment | None = None) -> ReferralRow:
    return ReferralRow(
        referral_id=row["referral_id"],
        court=row["court"],
        amended_at=None if amended is None else amended.accepted_at,
        document=row["document"],
        case_number=row["case_number"],
        original_case_group=row["original_case_group"],
        decision=Decision(row["decision"]),
        decided_amount_fen=row["decided_amount_fen"],
        concluded_on=date.fromisoformat(row["concluded_on"]),
        accepted_at=from_ms(row["accepted_at"]),
        assessment=ReferralAssessment(row["assessment"]) if row["assessment"] else None,
        is_minor=bool(row["is_minor"]),
        withdrawn=row["withdrawn_at"] is not None,
        person_key=row["person_key"],
        cap_fen=row["cap_fen"],
        cap_exceeded_reason=bool(row["cap_exceeded_reason"]),
        unenforced_balance_fen=row["unenforced_balance_fen"],
        joint_id=row["joint_id"],
        advance_fen=row["advance_fen"],
        needs_accepted=row["needs_accepted"],
        joint_decided_fen=row["joint_decided_fen"],
        ground_code=row["ground_code"],
        refusal_code=row["refusal_code"],
        inquiry_ref=row["inquiry_ref"],
        inquiry_waived=bool(row["inquiry_waived"]),
        case_type=row["case_type"],
        groups=tuple(row["groups"].split()),
    )


def _need(row: sa.RowMapping) -> NeedRow:
    return NeedRow(
        need_id=row["need_id"],
        referral_id=row["referral_id"],
        programme=row["programme"],
        state=NeedState(row["state"]),
        accepted_at=from_ms(row["accepted_at"]),
        agency=row["agency"],
        office_id=row["office_id"],
        handoff_id=row["handoff_id"],
        step=row["step"],
        unroutable=row["unroutable"],
        issued_at=from_ms(row["issued_at"]),
        relayed_at=from_ms(row["relayed_at"]),
        received_at=from_ms(row["received_at"]),
        disposition_at=from_ms(row["disposition_at"]),
        decided_at=from_ms(row["decided_at"]),
        paid_at=from_ms(row["paid_at"]),
        approved_fen=row["approved_fen"],
        paid_fen=row["paid_fen"],
        state_at=from_ms(row["state_at"]),
    )


def _handoff(row: sa.RowMapping) -> HandoffRow:
    return HandoffRow(
        handoff_id=row["handoff_id"],
        referral_id=row["referral_id"],
        office_id=row["office_id"],
        agency=row["agency"],
        state=HandoffState(row["state"]),
        issued_at=from_ms(row["issued_at"]),
        parked_reason=row["parked_reason"],
        step=row["step"],
        need_ids=tuple(need_id for need_id, _ in json.loads(row["need_ids"])),
    )


def _reply(row: sa.RowMapping) -> ReplyRow:
    return ReplyRow(
        reply_id=row["reply_id"],
        message_id=row["message_id"],
        referral_id=row["referral_id"],
        need_id=row["need_id"],
        handoff_id=row["handoff_id"],
        office=row["office"],
        code=row["code"],
        raw_code=row["raw_code"],
        at=from_ms(row["at"]),
        recorded_at=from_ms(row["recorded_at"]),
        applied=bool(row["applied"]),
        problem=row["problem"],
        reason=row["reason"],
        has_text=bool(row["has_text"]),
        programme=row["programme"],
        amount_fen=row["amount_fen"],
        starts_on=to_day(row["starts_on"]),
        ends_on=to_day(row["ends_on"]),
        payee=row["payee"],
        person_matches=row["person_matches"],
        forwarded_to=row["forwarded_to"],
        suggested_agency=row["suggested_agency"],
        suggested_region=row["suggested_region"],
    )


def _payment(row: sa.RowMapping) -> CourtPaymentRow:
    return CourtPaymentRow(
        payment_id=row["payment_id"],
        referral_id=row["referral_id"],
        amount_fen=row["amount_fen"],
        paid_on=date.fromisoformat(row["paid_on"]),
        payee=row["payee"],
    )


def unexpected(connection: Connection) -> list[ReplyRow]:
    """Replies that answer nothing we sent: they belong to no referral."""
    statement = sa.select(t.replies).where(t.replies.c.referral_id.is_(None)).order_by(t.replies.c.row)
    return [_reply(row) for row in connection.execute(statement).mappings()]

"""对账单的集合比对 Which needs, persons and accounts must be looked at, found over the whole population in plain SQL.

Rules: every statement here runs on SQLite and PostgreSQL alike and looks at each line and each need once, through an
index; what it returns is a superset that the checks judge one by one, so it may name too many and never too few. What
agrees, which is nearly all, never leaves the database.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.lifecycle import NeedState
from gateway.domain.reconciliation.statements import NEAR_DAYS
from gateway.domain.replies import ReplyCode
from gateway.domain.statement import GRANTING, Covers, LineStatus, Statement, StatementLine
from gateway.store import tables as t
from gateway.store.clock import to_ms
from gateway.store.prepared import among, ids

_L, _N, _K = t.statement_lines.c, t.needs.c, t.identity_keys.c
_S = NeedState
_HELPED = [s.value for s in (_S.ASSISTED, _S.PARTIALLY_ASSISTED, _S.FOLLOWED_UP)]
_GRANTING = sorted(status.value for status in GRANTING)
_PAID, _NEAR = LineStatus.PAID.value, timedelta(days=NEAR_DAYS)
_OWN_PAYEES = ("BENEFICIARY",)
MOST = 500
BENEFICIARY = "beneficiary"


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """What one statement is compared with. offices: of the party, within what it covers; continuing: programmes paid
    month after month."""

    statement: Statement
    offices: tuple[str, ...]
    continuing: tuple[str, ...]
    lists_all: bool
    persons: bool
    accounts: bool


def needs_to_look_at(connection: Connection, scope: Scope) -> Iterator[list[str]]:
    """Pages of need ids, each once."""
    parts = [_differing(_by_need(scope), scope), _after_an_end(scope)]
    if scope.persons:
        parts.append(_differing(_by_person(scope), scope))
    if scope.lists_all:
        parts.append(_absent(scope))
    yield from _pages(connection, parts)


def needs_named(connection: Connection, scope: Scope) -> Iterator[list[str]]:
    """Only those that lines name by number."""
    yield from _pages(connection, [_differing(_by_need(scope), scope), _after_an_end(scope)])


def _by_need(scope: Scope) -> sa.Subquery:
    """Lines that name a need, one row a need, in the index's order: nothing is sorted and nothing is held."""
    mine = sa.and_(_L.statement_row == scope.statement.row, _L.need_id.is_not(None), _L.problem.is_(None))
    return sa.select(_L.need_id.label("need_id"), *_sums(scope)).where(mine).group_by(_L.need_id).subquery()


def _by_person(scope: Scope) -> sa.Subquery:
    """Lines that name a person alone, by the needs of that person that are of the programme."""
    joined = t.statement_lines.join(t.identity_keys, _K.key == _L.person_key).join(
        t.needs, sa.and_(_N.referral_id == _K.referral_id, _N.programme == _L.programme)
    )
    mine = sa.and_(_L.statement_row == scope.statement.row, _L.need_id.is_(None), _L.problem.is_(None))
    grouped = sa.select(_N.need_id.label("need_id"), *_sums(scope)).select_from(joined).where(mine)
    return grouped.where(_N.office_id.in_(scope.offices)).group_by(_N.need_id).subquery()


def _sums(scope: Scope) -> list[sa.Label[Any]]:
    paid = sa.case((_L.status == _PAID, _L.amount_fen), else_=0)
    unlike = sa.case((_L.status == _PAID, 0), else_=1)
    if scope.statement.covers is Covers.ROSTER:  # who is on a roster need not have been paid by its lines
        unlike = sa.case((_L.status.in_(_GRANTING), 0), else_=1)
    another = sa.case((_L.person_matches == sa.false(), 1), else_=0)
    found = [
        sa.cast(sa.func.sum(paid), sa.BigInteger).label("paid"),
        sa.func.sum(unlike + another).label("unlike"),
        sa.func.count().label("lines"),
    ]
    if _several(scope):
        spans = sa.func.sum(sa.case((_L.month_until > _L.month_from, 1), else_=0))
        found += [spans.label("spans"), sa.func.count(sa.distinct(_L.month_from)).label("months")]
    return found


def _several(scope: Scope) -> bool:
    """Whether a need may honestly have a line a month."""
    return scope.statement.period_from != scope.statement.period_to


def _differing(lines: sa.Subquery, scope: Scope) -> sa.Select[tuple[str]]:
    """Needs of which no row of ours plainly agrees with the lines."""
    statement, c = scope.statement, lines.c
    first, last = to_ms(statement.begins - _NEAR), to_ms(statement.ends + _NEAR)
    monthly = _N.programme.in_(scope.continuing)
    rate = sa.func.coalesce(_N.approved_fen, _N.paid_fen)
    at_the_rate = sa.and_(rate > 0, c.paid % sa.func.nullif(rate, 0) == 0, monthly)
    in_time = sa.and_(_N.paid_at >= first, _N.paid_at < last)
    money = sa.or_(c.paid == 0, sa.and_(c.paid == _N.paid_fen, in_time, ~monthly), at_the_rate)
    once = c.lines == 1
    if _several(scope):
        once = sa.or_(once, sa.and_(monthly, c.spans == 0, c.lines == c.months))
    if statement.covers is Covers.ROSTER:
        once = sa.true()
    agrees = sa.and_(_N.state.in_(_HELPED), once, c.unlike == 0, money)
    return sa.select(c.need_id).where(~sa.exists().where(_N.need_id == c.need_id, agrees))


def _after_an_end(scope: Scope) -> sa.Select[tuple[str]]:
    """Needs of whom a stop or a death was told, and lines speak of."""
    r = t.replies.c
    ended = sa.select(r.referral_id).where(r.code.in_([ReplyCode.STOPPED.value, ReplyCode.DECEASED.value]))
    line: sa.ColumnElement[bool] = _named(scope)
    if scope.persons:
        line = sa.or_(line, _listed_person(scope))
    return sa.select(_N.need_id).where(_N.referral_id.in_(ended), _N.office_id.in_(scope.offices), line)


def _named(scope: Scope) -> sa.Exists:
    """Whether a line names the need."""
    return sa.exists().where(_L.statement_row == scope.statement.row, _L.need_id == _N.need_id)


def _listed_person(scope: Scope) -> sa.Exists:
    """Whether a line names one of the referral's people and the need's programme."""
    return (
        sa.exists()
        .where(_K.referral_id == _N.referral_id, _L.person_key == _K.key)
        .where(_within([scope.statement.row]), _L.programme == _N.programme)
    )


def _absent(scope: Scope) -> sa.Select[tuple[str]]:
    """Needs that were told to be paid in its months, or to be paid month after month, and that no line speaks of."""
    statement = scope.statement
    paid = sa.and_(_N.paid_at >= to_ms(statement.begins), _N.accepted_at < to_ms(statement.ends))
    asked = paid
    if statement.covers is Covers.ROSTER:
        asked = sa.or_(paid, sa.and_(_N.programme.in_(scope.continuing), _N.decided_at < to_ms(statement.ends)))
    conditions = [asked, _N.office_id.in_(scope.offices)]
    if statement.programmes:
        conditions.append(_N.programme.in_(sorted(statement.programmes)))
    conditions.append(~_named(scope))
    if scope.persons:
        conditions.append(~_listed_person(scope))
    return sa.select(_N.need_id).where(*conditions)


# --- what is looked at ---


def referrals_of(connection: Connection, need_ids: Sequence[str]) -> dict[str, str]:
    """Need → referral."""
    return {row.need_id: row.referral_id for row in connection.execute(_REFERRALS, ids(need_ids))}


_REFERRALS = sa.select(_N.need_id, _N.referral_id).where(among(_N.need_id))


def keys_of(connection: Connection, referral_ids: Collection[str]) -> dict[str, set[str]]:
    """Referral → the keys of everybody it names by a number."""
    found: dict[str, set[str]] = {}
    for row in connection.execute(_KEYS, ids(referral_ids)):
        found.setdefault(row.referral_id, set()).add(row.key)
    return found


_KEYS = sa.select(_K.referral_id, _K.key).where(among(_K.referral_id))


def lines_about(connection: Connection, statements: Sequence[int], need_ids: Sequence[str]) -> list[sa.RowMapping]:
    """Lines of some statements that name one of the needs."""
    asked = sa.select(t.statement_lines).where(_L.statement_row.in_(statements), _L.need_id.in_(need_ids))
    return _good(connection, asked)


def lines_of_persons(connection: Connection, statements: Sequence[int], keys: Collection[str]) -> list[sa.RowMapping]:
    """Lines of some statements about persons."""
    if not keys:
        return []
    return _good(connection, _with(_L.person_key.in_(list(keys)), statements))


def lines_of_accounts(connection: Connection, statements: Sequence[int], keys: Collection[str]) -> list[sa.RowMapping]:
    """Lines of some statements that were paid to one of the accounts."""
    return _good(connection, _with(_L.account_key.in_(list(keys)), statements))


def _with(condition: sa.ColumnElement[bool], statements: Sequence[int]) -> sa.Select[Any]:
    return sa.select(t.statement_lines).where(condition, _within(statements))


def _within(statements: Sequence[int], c: Any = _L) -> sa.ColumnElement[bool]:
    """`+` keeps the planner from walking whole statements where keys are asked for, one after the other."""
    column: sa.ColumnElement[int] = c.statement_row + 0
    return column.in_(statements)


def _good(connection: Connection, asked: sa.Select[Any]) -> list[sa.RowMapping]:
    """Good lines in their order; the few that come are sorted here, or the planner walks the whole table in order."""
    found = [row for row in connection.execute(asked).mappings() if row["problem"] is None]
    return sorted(found, key=lambda row: int(row["row"]))


def line_of(row: Mapping[str, Any] | sa.RowMapping) -> StatementLine:
    """As the domain has it."""
    matches = row["person_matches"]
    return StatementLine(
        line=row["line"],
        need_id=row["need_id"],
        person_key=row["person_key"],
        person_matches=None if matches is None else bool(matches),
        programme=row["programme"],
        status=row["status"],
        amount_fen=row["amount_fen"],
        paid_on=row["paid_on"],
        month_from=row["month_from"],
        month_until=row["month_until"],
        payee=row["payee"],
        account_key=row["account_key"],
        office_id=row["office_id"],
        problem=row["problem"],
        pointer=row["pointer"],
    )


# --- persons and accounts ---


def persons_to_look_at(
    connection: Connection, scope: Scope, others: Sequence[int], conflicting: Sequence[tuple[str, str]]
) -> Iterator[list[str]]:
    """Pages of person keys. others: statements in force beside this one; conflicting: programmes that may not meet."""
    if not scope.persons:
        return
    twice = _listed_twice(scope, [scope.statement.row, *others], conflicting)
    yield from _pages(connection, [twice, *_of_ours(scope, others, conflicting)])


def persons_of_ours(
    connection: Connection, scope: Scope, others: Sequence[int], conflicting: Sequence[tuple[str, str]]
) -> Iterator[list[str]]:
    """Only those of our own cases, those whom the statement lists twice itself, and those listed as dead."""
    again = _listed_twice(scope, [scope.statement.row], conflicting)
    yield from _pages(connection, [again, *_of_ours(scope, others, conflicting)])


def _of_ours(
    scope: Scope, others: Sequence[int], conflicting: Sequence[tuple[str, str]]
) -> list[sa.Select[tuple[str | None]]]:
    return [_told_elsewhere(scope, conflicting), _listed_as_dead(scope, [scope.statement.row, *others])]


def persons_in(connection: Connection, row: int, keys: Sequence[str]) -> list[str]:
    """Those of the persons whom a statement lists."""
    asked = sa.select(_L.person_key).where(_L.person_key.in_(keys), _L.statement_row + 0 == row).distinct()
    return [key for key in connection.scalars(asked) if key is not None]


def accounts_at(connection: Connection, places: Sequence[tuple[int, int]]) -> list[str]:
    """The accounts of some lines, by (statement, line)."""
    asked = sa.select(_L.account_key).where(sa.tuple_(_L.statement_row, _L.line).in_(list(places))).distinct()
    return [key for key in connection.scalars(asked) if key is not None]


def _listed_twice(
    scope: Scope, statements: Sequence[int], conflicting: Sequence[tuple[str, str]]
) -> sa.Select[tuple[str | None]]:
    o = t.statement_lines.alias("o")
    meet = sa.and_(
        sa.func.coalesce(_L.month_from, _L.paid_on, "0") <= _end_of(o.c),
        sa.func.coalesce(o.c.month_from, o.c.paid_on, "0") <= _end_of(_L),
    )
    forbidden = sa.tuple_(_L.programme, o.c.programme).in_(list(conflicting))
    elsewhere = sa.or_(_L.programme != o.c.programme, _L.office_id != o.c.office_id)
    again = sa.and_(
        *(o.c.statement_row == _L.statement_row, o.c.line < _L.line, o.c.programme == _L.programme),
        *(_L.status == _PAID, o.c.status == _PAID, _L.need_id.is_(None), _L.month_from.is_not(None)),
    )
    # the first that is found is enough: a person who is listed a thousand times is not compared a million times
    other = (
        sa.exists()
        .where(o.c.person_key == _L.person_key, o.c.row != _L.row, _within(statements, o.c))
        .where(o.c.problem.is_(None), o.c.status.in_(_GRANTING), meet)
        .where(sa.or_(sa.and_(forbidden, elsewhere), again))
    )
    mine = sa.and_(_L.statement_row == scope.statement.row, _L.problem.is_(None), _L.status.in_(_GRANTING))
    return sa.select(_L.person_key).where(mine, _L.person_key.is_not(None), other)


def _end_of(c: Any) -> sa.ColumnElement[str]:
    """Never before the line's last month: a day sorts behind its month, and what names no month goes on."""
    return sa.func.coalesce(c.month_until, c.month_from, c.paid_on, "9") + "~"


def _told_elsewhere(scope: Scope, conflicting: Sequence[tuple[str, str]]) -> sa.Select[tuple[str | None]]:
    joined = t.statement_lines.join(t.identity_keys, _K.key == _L.person_key).join(
        t.needs, _N.referral_id == _K.referral_id
    )
    return (
        sa.select(_L.person_key)
        .select_from(joined)
        .where(_L.statement_row == scope.statement.row, _L.problem.is_(None), _L.status.in_(_GRANTING))
        .where(_K.role == BENEFICIARY, _N.state.in_(_HELPED), _N.office_id != _L.office_id)
        .where(sa.tuple_(_L.programme, _N.programme).in_(list(conflicting)))
    )


def _listed_as_dead(scope: Scope, statements: Sequence[int]) -> sa.Select[tuple[str | None]]:
    o = t.statement_lines.alias("o")
    return (
        sa.select(_L.person_key)
        .select_from(t.statement_lines.join(o, o.c.person_key == _L.person_key))
        .where(_L.statement_row == scope.statement.row, _L.status.in_(_GRANTING), _L.problem.is_(None))
        .where(o.c.status == LineStatus.DECEASED.value, _within(statements, o.c), o.c.problem.is_(None))
    )


def accounts_to_look_at(connection: Connection, scope: Scope, others: Sequence[int]) -> Iterator[list[str]]:
    """Pages of account keys that money of several persons went to."""
    if not (scope.accounts and scope.persons):
        return
    own = sa.or_(_L.payee.is_(None), _L.payee.in_(_OWN_PAYEES))
    mine = sa.and_(_L.statement_row == scope.statement.row, _L.account_key.is_not(None), _L.problem.is_(None), own)
    within = sa.select(_L.account_key).where(mine).group_by(_L.account_key)
    parts = [within.having(sa.func.min(_L.person_key) != sa.func.max(_L.person_key))]
    if others:
        o = t.statement_lines.alias("o")
        joined = t.statement_lines.join(
            o,
            sa.and_(o.c.account_key == _L.account_key, o.c.person_key != _L.person_key, _within(others, o.c)),
        )
        parts.append(sa.select(_L.account_key).select_from(joined).where(mine))
    yield from _pages(connection, parts)


def _pages(connection: Connection, parts: Sequence[sa.Select[Any]]) -> Iterator[list[str]]:
    seen: set[str] = set()
    for part in parts:
        for page in connection.execute(part.execution_options(stream_results=True)).scalars().partitions(MOST):
            fresh = list(dict.fromkeys(one for one in page if one is not None and one not in seen))
            seen.update(fresh)
            if fresh:
                yield fresh


def cases_of(connection: Connection, keys: Collection[str]) -> dict[str, list[tuple[str, str]]]:
    """Person → (referral, role), oldest first."""
    found: dict[str, list[tuple[str, str]]] = {}
    for row in connection.execute(_CASES, ids(keys)):
        found.setdefault(row.key, []).append((row.referral_id, row.role))
    return found


_CASES = sa.select(_K.key, _K.referral_id, _K.role).where(among(_K.key)).order_by(_K.row)

"""对账数据导出 Lines of statements and what is expected of their agency as files for the analytical engines.

Rules: the columns are `bulk.columns`; persons and accounts are keyed, months and days whole numbers; a line without
months is for the months of its statement. What is expected is told in the one word the definition asks by: a benefit of
month after month is expected at its rate, a one-off grant that nobody was told to be paid is only asked for.
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.bulk.columns import EXPECTATION, LINE, ExpectedStatus, ListedStatus
from gateway.domain.lifecycle import NeedState
from gateway.domain.replies import ReplyCode
from gateway.domain.statement import LineStatus, Statement
from gateway.store import tables as t
from gateway.store.statements_sql import Scope

_L, _N = t.statement_lines.c, t.needs.c
_S = NeedState
_HELPED = frozenset({_S.ASSISTED.value, _S.PARTIALLY_ASSISTED.value, _S.FOLLOWED_UP.value})
_REFUSED = frozenset({_S.DECLINED.value, _S.NOT_ASSISTED.value, _S.CANCELLED.value, _S.WITHDRAWN.value})
_LISTED = {status.value: status.value for status in ListedStatus} | {LineStatus.APPROVED.value: "ACTIVE"}
AT_ONCE = 10_000


def export_lines(connection: Connection, every: Sequence[Statement], path: Path) -> int:
    """The good lines of some statements; how many. A statement goes by its row, which no two parties share."""
    by_row = {one.row: one for one in every}
    asked = sa.select(t.statement_lines).where(_L.statement_row.in_(list(by_row)), _L.problem.is_(None))
    rows = connection.execute(asked.execution_options(stream_results=True)).mappings()
    return _write(path, LINE, (_line(row, by_row[row["statement_row"]]) for row in _streamed(rows)))


def export_expectations(connection: Connection, scope: Scope, path: Path) -> int:
    """The needs of the statement's offices; how many."""
    r = t.referrals.c
    ended = set(connection.scalars(_ENDED))
    conditions = [_N.office_id.in_(scope.offices), r.withdrawn_at.is_(None)]
    if scope.statement.programmes:
        conditions.append(_N.programme.in_(sorted(scope.statement.programmes)))
    joined = t.needs.join(t.referrals, r.referral_id == _N.referral_id)
    asked = sa.select(t.needs, r.person_key).select_from(joined).where(*conditions)
    rows = connection.execute(asked.execution_options(stream_results=True)).mappings()
    return _write(path, EXPECTATION, (_expectation(row, scope, ended) for row in _streamed(rows)))


_ENDED = (
    sa.select(t.replies.c.need_id)
    .where(t.replies.c.code.in_([ReplyCode.STOPPED.value, ReplyCode.DECEASED.value]), t.replies.c.applied)
    .where(t.replies.c.need_id.is_not(None))
)


def _streamed(rows: Any) -> Iterator[Any]:
    for page in rows.partitions(AT_ONCE):
        yield from page


def _write(path: Path, columns: Iterable[str], rows: Iterable[tuple[Any, ...]]) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        for row in rows:
            writer.writerow(row)
            count += 1
    return count


def _line(row: Any, statement: Statement) -> tuple[Any, ...]:
    paid = row["paid_on"]
    first = row["month_from"] or (paid[:7] if paid else statement.period_from)
    last = row["month_until"] or row["month_from"] or (paid[:7] if paid else statement.period_to)
    return (
        statement.row,
        row["line"],
        statement.agency,
        row["office_id"] or statement.party,
        row["need_id"],
        row["person_key"],
        None,
        row["account_key"],
        row["programme"],
        _LISTED[row["status"]],
        row["amount_fen"] or 0,
        _month(first),
        _month(last),
        None if paid is None else int(paid.replace("-", "")),
    )


def _expectation(row: Any, scope: Scope, ended: set[str]) -> tuple[Any, ...]:
    monthly = row["programme"] in scope.continuing
    amount = (row["approved_fen"] or row["paid_fen"]) if monthly else row["paid_fen"]
    month = _month(scope.statement.period_from)
    return (
        row["need_id"],
        row["referral_id"],
        row["need_id"],
        row["person_key"],
        None,
        scope.statement.agency,
        row["office_id"],
        row["programme"],
        _expected(row, ended, monthly=monthly).value,
        amount or 0,
        month,
        month,
    )


def _expected(row: Any, ended: set[str], *, monthly: bool) -> ExpectedStatus:
    if row["need_id"] in ended:
        return ExpectedStatus.ENDED
    if row["state"] in _REFUSED:
        return ExpectedStatus.REFUSED
    if row["state"] in _HELPED and (monthly or row["paid_fen"] is not None):
        return ExpectedStatus.PAID
    return ExpectedStatus.ASKED


def _month(text: str) -> int:
    """`2026-03` as the engines count."""
    return int(text[:4]) * 12 + int(text[5:7]) - 1

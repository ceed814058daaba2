"""平衡表 The balance sheet as somebody may read them, with the place in the log at which they were read (Law 7).

Rules: numbers and log belong to one snapshot of the database. Where the newest signed checkpoint is of the present size
they are read as they stand; where the log has grown since, the facts are read as they were at that checkpoint
(`flows.as_known`), so that the numbers are always those of a tree that was signed. Where none was signed yet, or the
newest facts are asked for, they are those of the present tree, and the answer says that nobody signed it.

A court reads its own referrals, an agency the needs that were handed to its own offices, an auditor everything.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from gateway.domain.reconciliation.balance import COLUMNS, BalanceLine, BalanceSheet, Dimension, draw_up
from gateway.domain.reconciliation.values import Dossier, Rulebook
from gateway.flows.as_known import as_known, moment
from gateway.flows.context import Context
from gateway.flows.reconcile import with_rules
from gateway.store import checkpoints, dossiers, history, log
from gateway.store.dossiers import Days
from gateway.store.history import KnownAt


@dataclass(frozen=True, kw_only=True, slots=True)
class BalanceRead:
    """The books and where they were read. as_of: where the clocks stood; note: the signed checkpoint of just this tree,
    None where it is not signed; log_size: how large the log was when they were asked for."""

    sheet: BalanceSheet
    as_of: datetime
    known: KnownAt
    note: str | None
    log_size: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """Whose books: of one court, of needs handed to some offices, of what was accepted within some China days."""

    court: str | None = None
    offices: Collection[str] | None = None
    accepted: Days | None = None


def read_balance(
    context: Context,
    *,
    now: datetime,
    as_of: datetime | None = None,
    by: Dimension = Dimension.COURT_AND_PERIOD,
    scope: Scope = Scope(),
    newest: bool = False,
) -> BalanceRead:
    """as_of: a past moment, as known then, or one to come. newest: the facts of now, whether or not they are signed.
    Raises ConfigError for a moment of which it is not kept what was known, StoreUnavailable."""
    with context.store.reading() as connection:
        log.hold_still(connection)
        here = history.here(connection, now=now)
        if as_of is not None and as_of < now:
            known = moment(context, by=as_of)
        else:
            known = None if newest else history.last(connection)
        at = now if as_of is None else as_of
        if known is None or (known.epoch, known.size) == (here.epoch, here.size):
            return _read(connection, context, here, at, by, scope, here.size, now)
    with as_known(context, known) as past, past.store.reading() as connection:
        return _read(connection, past, known, at, by, scope, here.size, now)


def _read(
    connection: Connection,
    context: Context,
    known: KnownAt,
    as_of: datetime,
    by: Dimension,
    scope: Scope,
    log_size: int,
    now: datetime,
) -> BalanceRead:
    sheet = draw_up(dossiers_of(connection, context, scope, now=now), as_of, by=by, offices=scope.offices)
    signed = checkpoints.at_size(connection, epoch=known.epoch, size=known.size)
    note = None if signed is None else str(signed["note"])
    return BalanceRead(sheet=sheet, as_of=as_of, known=known, note=note, log_size=log_size)


def dossiers_of(
    connection: Connection, context: Context, scope: Scope, *, now: datetime
) -> Iterator[tuple[Dossier, Rulebook]]:
    """Page by page, each with the rules of its agreement version."""
    pages = dossiers.pages(connection, court=scope.court, accepted=scope.accepted, offices=scope.offices)
    for page in pages:
        yield from with_rules(connection, context, page, now)


def as_json(context: Context, read: BalanceRead) -> dict[str, Any]:
    """As `GET /v1/balance` and `xianjie balance --json` answer."""
    sheet, known = read.sheet, read.known
    return {
        "as_of": read.as_of.isoformat(),
        "by": sheet.by.value,
        "lines": [line_json(line, sheet.by) for line in sheet.lines],
        "total": line_json(sheet.total, sheet.by),
        "overlap": line_json(sheet.overlap, sheet.by),
        "read_at": {
            "origin": context.origin(known.epoch),
            "tree_size": known.size,
            "root": known.root,
            "at": known.at.isoformat(),
            "checkpoint": read.note,
        },
        "log_size": read.log_size,
    }


def line_json(line: BalanceLine, by: Dimension) -> dict[str, Any]:
    """One line with its labels and what does not add up."""
    columns = {name: getattr(line, name) for name in ("referrals", "accepted", *COLUMNS)}
    return {**{name: getattr(line, name) for name in by.labels}, **columns, "difference": line.difference}

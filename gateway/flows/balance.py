"""平衡表 The balance sheet as somebody may read them, with the place in the log at which they were read (Law 7).

Rules: numbers and log belong to one snapshot of the database. Where the newest signed checkpoint is of the present size
they are read as they stand; where the log has grown since, the facts are read as they were at that checkpoint
(`flows.as_known`), so that the numbers are always those of a tree that was signed. Where none was signed yet, or the
newest facts are asked for, they are those of the present tree, and the answer says that nobody signed it.

A court reads its own referrals, an agency the needs that were handed to its own offices, an auditor everything.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from gateway.domain.reconciliation.balance import COLUMNS, BalanceLine, BalanceSheet, Dimension, draw_up
from gateway.domain.reconciliation.values import Dossier, Rulebook
from gateway.flows.as_known import as_known, moment
from gateway.flows.context import Context
from gateway.flows.rules_of import with_rules
from gateway.store import checkpoints, dossiers, history, log
from gateway.store.dossiers import Days
from gateway.store.history import KnownAt


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadPlace:
    """Where in the log something was read. as_of: where the clocks stood; note: the signed checkpoint of just this
    tree, None where it is not signed; log_size: how large the log was when it was asked for."""

    origin: str
    known: KnownAt
    as_of: datetime
    note: str | None
    log_size: int


@dataclass(frozen=True, kw_only=True, slots=True)
class BalanceRead:
    """The balance sheet and where it was read."""

    sheet: BalanceSheet
    place: ReadPlace


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
    with at_checkpoint(context, now=now, as_of=as_of, newest=newest) as (place, connection, past):
        found = dossiers_of(connection, past, scope, now=now)
        sheet = draw_up(found, place.as_of, by=by, offices=scope.offices)
    return BalanceRead(sheet=sheet, place=place)


@contextmanager
def at_checkpoint(
    context: Context, *, now: datetime, as_of: datetime | None = None, newest: bool = False
) -> Iterator[tuple[ReadPlace, Connection, Context]]:
    """The place, and a connection and a context on which the facts are those of the place. Raises as `read_balance`."""
    known = moment(context, by=as_of) if as_of is not None and as_of < now else None
    at = now if as_of is None else as_of
    with context.store.reading() as connection:
        log.hold_still(connection)
        here = history.here(connection, now=now)
        if known is None and not newest:
            known = history.last(connection)
        if known is None or (known.epoch, known.size) == (here.epoch, here.size):
            yield _place(connection, context, here, at, here.size), connection, context
            return
    with as_known(context, known) as past, past.store.reading() as connection:
        yield _place(connection, context, known, at, here.size), connection, past


def _place(connection: Connection, context: Context, known: KnownAt, as_of: datetime, log_size: int) -> ReadPlace:
    signed = checkpoints.at_size(connection, epoch=known.epoch, size=known.size)
    return ReadPlace(
        origin=context.origin(known.epoch),
        known=known,
        as_of=as_of,
        note=None if signed is None else str(signed["note"]),
        log_size=log_size,
    )


def dossiers_of(
    connection: Connection, context: Context, scope: Scope, *, now: datetime
) -> Iterator[tuple[Dossier, Rulebook]]:
    """Page by page, each with the rules of its agreement version."""
    pages = dossiers.pages(connection, court=scope.court, accepted=scope.accepted, offices=scope.offices)
    for page in pages:
        yield from with_rules(connection, context, page, now)


def as_json(read: BalanceRead) -> dict[str, Any]:
    """As `GET /v1/balance` and `xianjie balance --json` answer."""
    return {
        **sheet_json(read.sheet),
        "as_of": read.place.as_of.isoformat(),
        "read_at": place_json(read.place) | {"checkpoint": read.place.note},
        "log_size": read.place.log_size,
    }


def sheet_json(sheet: BalanceSheet) -> dict[str, Any]:
    """Every line, the total, and what the lines count again."""
    return {
        "by": sheet.by.value,
        "lines": [line_json(line, sheet.by) for line in sheet.lines],
        "total": line_json(sheet.total, sheet.by),
        "overlap": line_json(sheet.overlap, sheet.by),
    }


def place_json(place: ReadPlace) -> dict[str, Any]:
    """The tree, by its size and root."""
    known = place.known
    return {"origin": place.origin, "tree_size": known.size, "root": known.root, "at": known.at.isoformat()}


def line_json(line: BalanceLine, by: Dimension) -> dict[str, Any]:
    """One line with its labels and what does not add up."""
    columns = {name: getattr(line, name) for name in ("referrals", "accepted", *COLUMNS)}
    return {**{name: getattr(line, name) for name in by.labels}, **columns, "difference": line.difference}

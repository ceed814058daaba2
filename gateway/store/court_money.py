"""法院资金与回访的存取 Plans, reports of use, visits and standard amounts: one row a message, only ever added."""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.reconciliation.rows_court import (
    CourtMoney,
    InstalmentRow,
    PlanRow,
    QuantificationRow,
    UseReportRow,
    VisitRow,
)
from gateway.store import tables as t
from gateway.store.clock import from_ms, to_day
from gateway.store.prepared import among, ids

R = TypeVar("R")
_TABLES = (t.disbursement_plans, t.use_reports, t.visits, t.quantifications)
_READ = {table: sa.select(table).where(among(table.c.referral_id)).order_by(table.c.row) for table in _TABLES}


def put(connection: Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes new rows of one kind."""
    if rows:
        connection.execute(table.insert(), [dict(row) for row in rows])


def on_file(
    connection: Connection, table: sa.Table, key: str, wanted: Iterable[tuple[str, str]]
) -> set[tuple[str, str]]:
    """Those (court, id) of one kind that are there."""
    asked = set(wanted)
    column = table.c[key]
    rows = connection.execute(sa.select(table.c.court, column).where(column.in_({own for _, own in asked})))
    return {(row[0], row[1]) for row in rows} & asked


def read(connection: Connection, referral_ids: Collection[str]) -> dict[str, CourtMoney]:
    """What there is of each referral; one without anything is left out."""
    found: dict[str, Mapping[str, list[Any]]] = {
        "plans": _grouped(connection, t.disbursement_plans, referral_ids, _plan),
        "use_reports": _grouped(connection, t.use_reports, referral_ids, _use_report),
        "visits": _grouped(connection, t.visits, referral_ids, _visit),
        "quantifications": _grouped(connection, t.quantifications, referral_ids, _quantification),
    }
    keys = {key for rows in found.values() for key in rows}
    return {key: CourtMoney(**{name: tuple(rows.get(key, ())) for name, rows in found.items()}) for key in keys}


def _grouped(
    connection: Connection, table: sa.Table, referral_ids: Collection[str], make: Callable[[sa.RowMapping], R]
) -> dict[str, list[R]]:
    found: dict[str, list[R]] = {}
    for row in connection.execute(_READ[table], ids(set(referral_ids))).mappings():
        found.setdefault(row["referral_id"], []).append(make(row))
    return found


def _plan(row: sa.RowMapping) -> PlanRow:
    return PlanRow(
        plan_id=row["plan_id"],
        mode=row["mode"],
        purposes=tuple(row["purposes"].split()),
        instalments=tuple(
            InstalmentRow(number=number, due_on=date.fromisoformat(day), amount_fen=fen)
            for number, day, fen in json.loads(row["instalments"])
        ),
        recorded_at=from_ms(row["recorded_at"]),
    )


def _use_report(row: sa.RowMapping) -> UseReportRow:
    return UseReportRow(
        report_id=row["report_id"],
        from_day=date.fromisoformat(row["from_day"]),
        to_day=date.fromisoformat(row["to_day"]),
        spent=tuple((purpose, fen) for purpose, fen in json.loads(row["spent"])),
        irregularity=row["irregularity"],
        irregular_fen=row["irregular_fen"],
        recorded_at=from_ms(row["recorded_at"]),
    )


def _visit(row: sa.RowMapping) -> VisitRow:
    return VisitRow(
        visit_id=row["visit_id"],
        visited_on=date.fromisoformat(row["visited_on"]),
        situation=row["situation"],
        circumstances=tuple(row["circumstances"].split()),
        recovered_fen=row["recovered_fen"],
        next_visit_on=to_day(row["next_visit_on"]),
        recorded_at=from_ms(row["recorded_at"]),
    )


def _quantification(row: sa.RowMapping) -> QuantificationRow:
    return QuantificationRow(
        quantification_id=row["quantification_id"],
        standard=row["standard"],
        loss_fen=row["loss_fen"],
        recovered_fen=row["recovered_fen"],
        hardship=row["hardship"],
        dependants=row["dependants"],
        has_reason=bool(row["has_reason"]),
        recorded_at=from_ms(row["recorded_at"]),
    )

"""核对引擎 Which engine names the needs of a statement that have to be looked at; what is found is the same whichever.

Plain SQL is always there. Analytical engines are for whole rosters: from `roster_lines` on one is chosen by itself,
where it is installed.
"""

from collections.abc import Mapping
from datetime import datetime

from gateway.domain.statement import Statement
from gateway.errors import MissingExtra
from gateway.flows.context import Context
from gateway.flows.statement_reconcile import NeedsToLookAt, reconcile
from gateway.store import statements_sql as sql
from gateway.store.findings import Changes

AUTO, SQL, DUCKDB, SPARK = "auto", "sql", "duckdb", "spark"
ENGINES = (AUTO, SQL, DUCKDB, SPARK)
EXTRAS = {DUCKDB: "bulk", SPARK: "cluster"}
ANALYTICAL: Mapping[str, NeedsToLookAt] = {}
"""The engines that are installed."""


def compare(context: Context, statement: Statement, engine: str, *, now: datetime) -> Changes:
    """One statement by one engine. Raises MissingExtra for an engine that is not installed."""
    return reconcile(context, statement, now=now, needs=engine_named(context, statement, engine))


def engine_named(context: Context, statement: Statement, engine: str) -> NeedsToLookAt:
    """The engine; `auto` takes the embedded analytical one for large rosters."""
    if engine == AUTO:
        large = statement.lines >= context.roster_lines and DUCKDB in ANALYTICAL
        engine = DUCKDB if large else SQL
    if engine == SQL:
        return sql.needs_to_look_at
    if engine not in ANALYTICAL:
        extra = EXTRAS[engine]
        raise MissingExtra(f"{engine}: pip install 'xianjie[{extra}]'", ids={"extra": extra})
    return ANALYTICAL[engine]

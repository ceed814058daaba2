"""核对引擎 Which engine names what of a statement has to be looked at; what is found is the same whichever.

Plain SQL is always there and serves whatever is bounded by our own cases. The analytical engines (`gateway.bulk`:
DuckDB embedded, Spark on a cluster) compare whole rosters with each other and with what is expected; what they name is
judged by the very same checks. From `roster_lines` on the embedded one is chosen by itself, where it is installed.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from sqlalchemy import Connection

from gateway.bulk import duckdb_engine, spark_engine
from gateway.bulk.columns import Doubt
from gateway.bulk.rules import RuleRows, rule_rows
from gateway.domain.statement import Statement
from gateway.flows.context import Context
from gateway.flows.statement_export import export_expectations, export_lines
from gateway.flows.statement_reconcile import Engine, reconcile
from gateway.store import statements
from gateway.store import statements_sql as sql
from gateway.store.findings import Changes
from gateway.store.statements_sql import Scope

AUTO, SQL, DUCKDB, SPARK = "auto", "sql", "duckdb", "spark"
ENGINES = (AUTO, SQL, DUCKDB, SPARK)
ABSENT = "MISS_ABSENT_FROM_STATEMENT"
MASTER = "local[2]"
ON_THIS_MACHINE = {
    "spark.ui.enabled": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.sql.shuffle.partitions": "2",
}
"""Settings of a Spark that is no cluster; a real one has its own."""
PAGE = 500
T = TypeVar("T")
Doubts = Callable[[Sequence[Path], Sequence[Path], RuleRows], Iterator[Doubt]]


def compare(context: Context, statement: Statement, engine: str, *, now: datetime, master: str = MASTER) -> Changes:
    """One statement by one engine. master: Spark's. Raises MissingExtra for an engine that is not installed."""
    return reconcile(context, statement, now=now, engine=engine_named(context, statement, engine, master=master))


def engine_named(context: Context, statement: Statement, engine: str, *, master: str = MASTER) -> Engine:
    """The engine; `auto` takes the embedded analytical one for large rosters."""
    if engine == AUTO:
        large = statement.lines >= context.roster_lines and find_spec("duckdb") is not None
        engine = DUCKDB if large else SQL
    if engine == DUCKDB:
        return Analytical(context, duckdb_engine.reconcile)
    if engine == SPARK:
        return Analytical(context, _on_spark(master))
    return Engine()


def _on_spark(master: str) -> Doubts:
    def doubts(expectations: Sequence[Path], lines: Sequence[Path], rules: RuleRows) -> Iterator[Doubt]:
        session = spark_engine.open_session(master, **(ON_THIS_MACHINE if master.startswith("local") else {}))
        return spark_engine.reconcile(session, expectations, lines, rules)

    return doubts


class Analytical(Engine):
    """What an analytical engine names beside what plain SQL names of our own cases."""

    def __init__(self, context: Context, doubts: Doubts) -> None:
        self._context, self._doubts = context, doubts
        self._needs: list[str] = []
        self._persons: list[str] = []
        self._lines: list[tuple[int, int]] = []

    def needs(self, connection: Connection, scope: Scope) -> Iterator[list[str]]:
        """Those it names, then those that lines name by number and do not plainly agree."""
        self._ask(connection, scope)
        yield from _fresh([_pages(self._needs), sql.needs_named(connection, scope)])

    def persons(
        self,
        connection: Connection,
        scope: Scope,
        others: Sequence[int],
        conflicting: Sequence[tuple[str, str]],
    ) -> Iterator[list[str]]:
        """Those it names in this statement, then those of our own cases."""
        if not scope.persons:
            return
        mine = (sql.persons_in(connection, scope.statement.row, page) for page in _pages(self._persons))
        yield from _fresh([mine, sql.persons_of_ours(connection, scope, others, conflicting)])

    def accounts(self, connection: Connection, scope: Scope, others: Sequence[int]) -> Iterator[list[str]]:
        """Those of the lines it names; whether it looked at another statement is the same."""
        del others
        if scope.persons and scope.accounts:
            yield from _fresh([(sql.accounts_at(connection, page) for page in _pages(self._lines))])

    def _ask(self, connection: Connection, scope: Scope) -> None:
        """Exports both sides into a folder of its own, and keeps what is named by ids alone."""
        context, every = self._context, statements.in_force(connection)
        rules = rule_rows(context.programmes, context.coexistence)
        with TemporaryDirectory(prefix="xianjie-statement-") as folder:
            ours, theirs = Path(folder) / "expectations.csv", Path(folder) / "own.csv"
            export_expectations(connection, scope, ours)
            export_lines(connection, [scope.statement], theirs)
            files = [theirs]
            if scope.persons and len(every) > 1:
                files.append(Path(folder) / "others.csv")
                export_lines(connection, [one for one in every if one.row != scope.statement.row], files[1])
            # our own side is compared with this statement alone; what is listed twice, with every other
            for doubt in self._doubts([ours], [theirs], rules):
                self._keep(doubt, scope)
            if len(files) > 1:
                for doubt in self._doubts([ours], files, rules):
                    if doubt.need_id is None:
                        self._keep(doubt, scope)

    def _keep(self, doubt: Doubt, scope: Scope) -> None:
        if doubt.need_id is not None:
            if doubt.code != ABSENT or scope.lists_all:
                self._needs.append(doubt.need_id)
        elif doubt.person_key is not None:
            self._persons.append(doubt.person_key)
        elif doubt.line_id is not None:
            row, _, line = doubt.line_id.partition(":")
            self._lines.append((int(row), int(line)))


def _pages(items: Sequence[T]) -> Iterator[list[T]]:
    for start in range(0, len(items), PAGE):
        yield list(items[start : start + PAGE])


def _fresh(parts: Sequence[Iterator[list[str]]]) -> Iterator[list[str]]:
    """Each once."""
    seen: set[str] = set()
    for part in parts:
        for page in part:
            fresh = list(dict.fromkeys(one for one in page if one not in seen))
            seen.update(fresh)
            if fresh:
                yield fresh

"""过去的数据库 The past as a database of its own: the same readers, asked inside `past`, read what was known then.

Rules: temporary views stand before the tables for one transaction: later rows are left out, changed ones read as they
were, so that no reader and no check has to know of it; a table that is as it was needs none. Nothing is written to any
table. What `store.history` does not keep is read as it stands now: the directory, messages' states on their way, what
an erasure took away.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from gateway.errors import StoreUnavailable
from gateway.store.engine import I, O, Store
from gateway.store.history import CHANGES, CHANGING, Marks, changed_since, dated, marks


@contextmanager
def past(store: Store, known: Marks) -> Iterator[Connection]:
    """A connection on which every dated table reads as it was; it ends with the block and leaves nothing behind.
    Raises StoreUnavailable."""
    try:
        with store.engine.connect() as connection, _unprepared(connection), connection.begin() as transaction:
            _stand_before(connection, known)
            try:
                yield connection
            finally:
                transaction.rollback()
    except DBAPIError as error:
        raise StoreUnavailable(type(error.orig).__name__, retry_after=5) from error


def _stand_before(connection: Connection, known: Marks) -> None:
    schema = "main"
    if connection.dialect.name != "sqlite":
        connection.execute(sa.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        schema = str(connection.scalar(sa.text("SELECT quote_ident(current_schema())")))
    reached, changed = marks(connection), changed_since(connection, known)
    for table in dated():
        if reached.get(table.name, 0) > known.get(table.name, 0) or table.name in changed:
            for statement in _views(connection, table, schema, known):
                connection.exec_driver_sql(statement)


@contextmanager
def _unprepared(connection: Connection) -> Iterator[None]:
    """A statement that PostgreSQL has prepared before goes on reading the table it was prepared for."""
    driver = connection.connection.driver_connection
    if connection.dialect.name == "sqlite" or driver is None:
        yield
        return
    kept, driver.prepare_threshold = driver.prepare_threshold, None
    try:
        yield
    finally:
        driver.prepare_threshold = kept


def _views(connection: Connection, table: sa.Table, schema: str, known: Marks) -> Iterator[str]:
    """What stands before one table: a view without the later rows, and for one whose rows change their earlier form.
    Every name in it is one of our own tables' and every number a row's."""
    name, mark, columns = table.name, known.get(table.name, 0), ", ".join(_quoted(column) for column in table.c)
    rows = f'SELECT {columns} FROM {schema}.{name} WHERE "row" <= {mark}'  # noqa: S608
    if name not in CHANGING:
        yield f"CREATE TEMP VIEW {name} AS {rows}"
        return
    of_then = ", ".join(_then(connection, column) for column in table.c)
    changes = f"{schema}.{CHANGES}"
    before = f'SELECT of_row, min("row") AS at FROM {changes} WHERE "row" > {known.get(CHANGES, 0)}'  # noqa: S608
    yield (
        f"CREATE TEMP TABLE earlier_{name} AS SELECT {of_then} FROM {schema}.{name} r "  # noqa: S608
        f"JOIN ({before} AND table_name = '{name}' GROUP BY of_row) f ON f.of_row = r.\"row\" "
        f'JOIN {changes} c ON c."row" = f.at WHERE r."row" <= {mark}'
    )
    yield f'CREATE INDEX earlier_{name}_row ON earlier_{name} ("row")'
    yield (
        f'CREATE TEMP VIEW {name} AS {rows} AND "row" NOT IN (SELECT "row" FROM earlier_{name}) '  # noqa: S608
        f"UNION ALL SELECT {columns} FROM earlier_{name}"
    )


def _then(connection: Connection, column: sa.Column[object]) -> str:
    """One column as it was before the first change since."""
    name = _quoted(column)
    if column.name not in CHANGING[column.table.name]:
        return f"r.{name}"
    if connection.dialect.name == "sqlite":
        return f"json_extract(c.earlier, '$.{column.name}') AS {name}"
    return f"CAST(c.earlier::json ->> '{column.name}' AS {column.type.compile(connection.dialect)}) AS {name}"


def _quoted(column: sa.Column[object]) -> str:
    return f'"{column.name}"'


class PastStore(Store):
    """A store that only reads, and whose every reader sees the past; good for as long as its connection."""

    def __init__(self, store: Store, connection: Connection) -> None:
        self.engine, self.is_sqlite, self._connection = store.engine, store.is_sqlite, connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """The one connection on which it is past."""
        yield self._connection

    def submit(self, flow: Callable[[Connection, list[I]], Sequence[O]], items: Sequence[I]) -> list[Future[O]]:
        """Nothing is written into the past."""
        raise TypeError(f"the past is only read: {flow!r} over {len(items)} items")

    def close(self) -> None:
        """Ends with its connection."""

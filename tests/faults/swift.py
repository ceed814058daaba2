"""快捷连接 SQLAlchemy's connection without what it does anew at every statement: for simulations on SQLite alone.

A statement that is built once (the house style for hot ones) is compiled once for each shape of its parameters; then
its text and the order of its parameters go straight to SQLite. The first uses of a statement, whatever SQLite refuses,
and every statement that is made on the spot go SQLAlchemy's own way. A test holds the two against each other.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import ref

import sqlalchemy as sa
from sqlalchemy import Connection, Engine
from sqlalchemy.engine import IteratorResult
from sqlalchemy.engine.result import SimpleResultMetaData
from sqlalchemy.sql.compiler import SQLCompiler

USES_BEFORE = 3
"""Only what outlives so many uses was built once."""
Processor = Callable[[Any], Any]
Shape = tuple[Any, ...]


def make_swift(engine: Engine) -> Engine:
    """The engine, with swift connections."""
    engine._connection_cls = SwiftConnection
    return engine


class _Changed:
    """What is left of the result of a change."""

    returns_rows = False

    def __init__(self, rowcount: int) -> None:
        self.rowcount = rowcount


@dataclass(frozen=True, slots=True)
class _Plan:
    """A statement compiled for one shape. slots: for each `?` the parameter's name, its place in a list or None, and
    what turns it into SQLite's value; fixed: parameters whose values are the statement's own."""

    text: str
    slots: tuple[tuple[str, int | None, Processor | None], ...]
    fixed: Mapping[str, Any]
    metadata: SimpleResultMetaData | None
    readers: tuple[tuple[int, Processor], ...]

    def arguments(self, given: Mapping[str, Any]) -> list[Any]:
        """In the order of the text."""
        fixed, found = self.fixed, []
        for name, at, processor in self.slots:
            value = given[name] if name in given else fixed[name]
            if at is not None:
                value = value[at]
            found.append(value if processor is None else processor(value))
        return found

    def rows(self, cursor: sqlite3.Cursor) -> Iterator[Any]:
        """Rows as SQLAlchemy would give them."""
        if not self.readers:
            return iter(cursor.fetchall())
        return iter([self._read(list(row)) for row in cursor.fetchall()])

    def _read(self, row: list[Any]) -> tuple[Any, ...]:
        for at, reader in self.readers:
            row[at] = reader(row[at])
        return tuple(row)


class SwiftConnection(Connection):
    """See the module."""

    def execute(self, statement: Any, parameters: Any = None, *, execution_options: Any = None) -> Any:
        """The swift way where there is one."""
        known = _known(statement)
        if known is None or execution_options or self._transaction is None:  # SQLAlchemy begins one by itself
            return super().execute(statement, parameters, execution_options=execution_options)
        try:
            return self._swiftly(known, statement, parameters)
        except (sqlite3.Error, KeyError, IndexError):
            return super().execute(statement, parameters)  # fails as it should

    def scalars(self, statement: Any, parameters: Any = None, *, execution_options: Any = None) -> Any:
        """The first column."""
        return self.execute(statement, parameters, execution_options=execution_options).scalars()

    def scalar(self, statement: Any, parameters: Any = None, *, execution_options: Any = None) -> Any:
        """The first value."""
        return self.execute(statement, parameters, execution_options=execution_options).scalar()

    def _swiftly(self, plans: dict[Shape, "_Plan | None"], statement: Any, parameters: Any) -> Any:
        many = isinstance(parameters, list | tuple)
        first: Mapping[str, Any] = (parameters[0] if parameters else {}) if many else (parameters or {})
        shape = _shape(first, many=many)
        if shape not in plans:
            plans[shape] = _compile(self, statement, first, many=many)
        plan = plans[shape]
        if plan is None:
            return super().execute(statement, parameters)
        raw: Any = self.connection.driver_connection
        if many:
            return _Changed(raw.executemany(plan.text, [plan.arguments(one) for one in parameters]).rowcount)
        cursor = raw.execute(plan.text, plan.arguments(first))
        if plan.metadata is None:
            return _Changed(cursor.rowcount)
        return IteratorResult(plan.metadata, plan.rows(cursor))


class _Known:
    """A statement that is alive, and what is known of it. Held weakly: an address may become another statement's."""

    __slots__ = ("plans", "statement", "uses")

    def __init__(self, statement: Any, forget: Callable[[Any], object]) -> None:
        self.statement, self.uses = ref(statement, forget), 1
        self.plans: dict[Shape, _Plan | None] = {}


_seen: dict[int, _Known] = {}


def _known(statement: Any) -> dict[Shape, "_Plan | None"] | None:
    """The plans of a statement that was built once; None for one that was made just now, as far as we know."""
    key = id(statement)
    found = _seen.get(key)
    if found is None or found.statement() is not statement:
        if isinstance(statement, sa.Select | sa.Insert | sa.Update | sa.Delete):
            _seen[key] = _Known(statement, lambda _: _seen.pop(key, None))
        return None
    found.uses += 1
    return found.plans if found.uses > USES_BEFORE else None


def _shape(given: Mapping[str, Any], *, many: bool) -> Shape:
    return (many, *((name, len(value) if isinstance(value, list) else -1) for name, value in given.items()))


def _compile(connection: Connection, statement: Any, given: Mapping[str, Any], *, many: bool) -> _Plan | None:
    dialect = connection.dialect
    compiled: SQLCompiler = statement.compile(dialect=dialect, column_keys=list(given), for_executemany=many)
    if getattr(compiled, "effective_returning", None) or (many and statement.is_dml and _has_lists(given)):
        return None
    values = compiled.construct_params(dict(given), escape_names=False)
    fixed = dict(values)  # what follows changes them
    text, names, processors = str(compiled), list(compiled.positiontup or ()), dict(compiled._bind_processors)
    places: dict[str, tuple[str, int | None]] = {name: (name, None) for name in names}
    if compiled.post_compile_params or compiled.literal_execute_params:
        expanded = compiled._process_parameters_for_postcompile(values)
        text, names = expanded.statement, list(expanded.positiontup or ())
        processors |= dict(expanded.processors)
        for name, members in expanded.parameter_expansion.items():
            places |= {member: (name, at) for at, member in enumerate(members)}
    if any(name not in places for name in names):
        return None
    slots = tuple((*places[name], _processor(processors, name)) for name in names)
    metadata: SimpleResultMetaData | None = None
    readers: tuple[tuple[int, Processor], ...] = ()
    if compiled._result_columns and not statement.is_dml:
        columns = compiled._result_columns
        metadata = SimpleResultMetaData([column.keyname for column in columns])
        found = [(at, column.type._cached_result_processor(dialect, None)) for at, column in enumerate(columns)]
        readers = tuple((at, reader) for at, reader in found if reader is not None)
    return _Plan(text, slots, fixed, metadata, readers)


def _processor(processors: Mapping[str, Any], name: str) -> Processor | None:
    found = processors.get(name)
    return None if isinstance(found, tuple) else found


def _has_lists(given: Mapping[str, Any]) -> bool:
    return any(isinstance(value, Sequence) and not isinstance(value, str | bytes) for value in given.values())

"""内嵌分析引擎 The definition on DuckDB, inside this process (extra `bulk`).

Rules: memory and threads are bounded by the caller; what does not fit goes to a folder of its own, never to memory
that is called a disk; results leave in batches, in one order. Raises MissingExtra where the extra is not installed.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from gateway.bulk.columns import EXPECTATION, LINE, Doubt
from gateway.bulk.definition import definition
from gateway.bulk.rules import RuleRows
from gateway.errors import MissingExtra

BATCH = 10_000
Progress = Callable[[str], None]


def reconcile(
    expectations: Sequence[Path],
    lines: Sequence[Path],
    rules: RuleRows,
    *,
    memory: str = "3GB",
    threads: int = 2,
    spill: Path | None = None,
    progress: Progress = lambda _: None,
) -> Iterator[Doubt]:
    """Every doubt, in order. memory: as DuckDB writes it; spill: where what does not fit goes; progress: told each
    step's name."""
    duckdb = _duckdb()
    with (
        tempfile.TemporaryDirectory(dir=spill, prefix="xianjie-roster-") as folder,
        duckdb.connect(str(Path(folder) / "work.duckdb")) as connection,
    ):
        connection.execute(f"SET memory_limit = '{memory}'")
        connection.execute(f"SET threads = {int(threads)}")
        connection.execute(f"SET temp_directory = '{folder}'")
        connection.execute("SET preserve_insertion_order = false")
        _load(connection, "expectations", expectations, EXPECTATION)
        _load(connection, "lines", lines, LINE)
        _rules(connection, rules)
        for name, sql in definition().steps:
            progress(name)
            connection.execute(f"CREATE TEMP TABLE {name} AS {sql}")
        for code, sql in definition().doubts:
            progress(code)
            yield from _found(connection, code, sql)


def _duckdb() -> Any:
    try:
        import duckdb
    except ImportError as error:
        raise MissingExtra("bulk: pip install 'xianjie[bulk]'", ids={"extra": "bulk"}) from error
    return duckdb


def _load(connection: Any, name: str, paths: Sequence[Path], columns: dict[str, str]) -> None:
    """A view over the files: nothing is copied in."""
    names = ", ".join(columns)
    parts = []
    for path in paths:
        quoted = str(path).replace("'", "''")
        if path.suffix == ".parquet":
            parts.append(f"SELECT {names} FROM read_parquet('{quoted}')")  # noqa: S608 - our own names
            continue
        typed = ", ".join(f"'{column}': '{kind}'" for column, kind in columns.items())
        parts.append(
            f"SELECT {names} FROM read_csv('{quoted}', header = true, delim = ',', quote = '\"', nullstr = '', "  # noqa: S608
            f"columns = {{{typed}}})"
        )
    connection.execute(f"CREATE TEMP VIEW {name} AS {' UNION ALL '.join(parts)}")


def _rules(connection: Any, rules: RuleRows) -> None:
    connection.execute("CREATE TEMP TABLE exclusive (programme_a VARCHAR, programme_b VARCHAR, rule_id VARCHAR)")
    connection.execute("CREATE TEMP TABLE one_time (programme VARCHAR, rule_id VARCHAR)")
    if rules.exclusive:
        connection.executemany("INSERT INTO exclusive VALUES (?, ?, ?)", [list(row) for row in rules.exclusive])
    if rules.one_time:
        connection.executemany("INSERT INTO one_time VALUES (?, ?)", [list(row) for row in rules.one_time])


def _found(connection: Any, code: str, sql: str) -> Iterator[Doubt]:
    result = connection.execute(f"SELECT * FROM ({sql}) ORDER BY ALL")  # noqa: S608 - our own text
    while rows := result.fetchmany(BATCH):
        for row in rows:
            yield doubt_of(code, row)


def doubt_of(code: str, row: Sequence[Any]) -> Doubt:
    """One row of the definition as a value; whole numbers whatever the engine's type for a sum."""
    line, other, expectation, need, person, programme, month, ours, theirs, rule = row
    return Doubt(
        code=code,
        line_id=line,
        other_line_id=other,
        expectation_id=expectation,
        need_id=need,
        person_key=person,
        programme=programme,
        month=None if month is None else int(month),
        ours_fen=None if ours is None else int(ours),
        theirs_fen=None if theirs is None else int(theirs),
        rule_id=rule,
    )

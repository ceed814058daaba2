"""分布式分析引擎 The same definition on Spark (extra `cluster`): a cluster that is there already, or `local[n]`.

Rules: the statements are the very same; files must be readable by every worker; results come back partition by
partition, in one order. Raises MissingExtra where the extra is not installed.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from gateway.bulk.columns import EXPECTATION, LINE, Doubt
from gateway.bulk.definition import definition
from gateway.bulk.duckdb_engine import Progress, doubt_of
from gateway.bulk.rules import RuleRows
from gateway.errors import MissingExtra

_TYPES = {"VARCHAR": "STRING", "BIGINT": "BIGINT", "INTEGER": "INT"}
_KEPT = frozenset({"named", "compared", "given", "several"})
"""Steps that several statements read."""


def open_session(master: str, *, name: str = "xianjie-roster", **settings: str) -> Any:
    """A session on a master: `spark://host:7077`, `yarn`, `local[2]`. settings: any of Spark's own."""
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise MissingExtra("cluster: pip install 'xianjie[cluster]'", ids={"extra": "cluster"}) from error
    builder = SparkSession.builder.master(master).appName(name)
    for key, value in settings.items():
        builder = builder.config(key, value)
    return builder.getOrCreate()


def reconcile(
    session: Any,
    expectations: Sequence[str | Path],
    lines: Sequence[str | Path],
    rules: RuleRows,
    *,
    progress: Progress = lambda _: None,
) -> Iterator[Doubt]:
    """Every doubt, in the same order as the embedded engine gives them."""
    _load(session, "expectations", expectations, EXPECTATION)
    _load(session, "lines", lines, LINE)
    _rules(session, rules)
    kept = []
    for name, sql in definition().steps:
        progress(name)
        frame = session.sql(sql)
        if name in _KEPT:
            kept.append(frame.cache())
        frame.createOrReplaceTempView(name)
    try:
        for code, sql in definition().doubts:
            progress(code)
            # the embedded engine puts what is missing last, as one does not sort what is not there first
            rows = session.sql(sql).toLocalIterator()
            yield from sorted((doubt_of(code, tuple(row)) for row in rows), key=_order)
    finally:
        for frame in kept:
            frame.unpersist()


def _order(doubt: Doubt) -> tuple[Any, ...]:
    values = (
        doubt.line_id,
        doubt.other_line_id,
        doubt.expectation_id,
        doubt.need_id,
        doubt.person_key,
        doubt.programme,
        doubt.month,
        doubt.ours_fen,
        doubt.theirs_fen,
        doubt.rule_id,
    )
    return tuple((value is None, value if value is not None else 0) for value in values)


def _load(session: Any, name: str, paths: Sequence[str | Path], columns: dict[str, str]) -> None:
    schema = ", ".join(f"{column} {_TYPES[kind]}" for column, kind in columns.items())
    frame: Any = None
    for path in paths:
        text = str(path)
        if text.endswith(".parquet"):
            part = session.read.parquet(text).select(*columns)
        else:
            part = session.read.csv(text, header=True, schema=schema, nullValue="", enforceSchema=True)
        frame = part if frame is None else frame.unionByName(part)
    frame.createOrReplaceTempView(name)


def _rules(session: Any, rules: RuleRows) -> None:
    exclusive = session.createDataFrame(
        [tuple(row) for row in rules.exclusive], "programme_a STRING, programme_b STRING, rule_id STRING"
    )
    one_time = session.createDataFrame([tuple(row) for row in rules.one_time], "programme STRING, rule_id STRING")
    exclusive.createOrReplaceTempView("exclusive")
    one_time.createOrReplaceTempView("one_time")

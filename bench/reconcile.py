"""基准 Whole rosters: what the comparison costs, beside what the engine cannot do without, and how it grows.

`make bench` measures the exchange; this is run by itself:
    PYTHONPATH=. .venv/bin/python bench/reconcile.py [--lines 10000000] [--expectations 1000000] [--spark]
Prints one table: seconds, peak memory, lines a second, and the ratio to the engine's own lower bound (one scan of both
files and one join by equal keys, counted).
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from bench.table import Measured, show
from gateway.bulk import duckdb_engine
from gateway.bulk.rules import rule_rows
from gateway.domain.coexistence import load_coexistence
from gateway.domain.programmes import load_programmes

MARCH = 2026 * 12 + 2
WORKER = "--measure"


def make(folder: Path, expectations: int, lines: int) -> tuple[Path, Path]:
    """Seeded rosters as Parquet: one line in a thousand is wrong in some way, the rest agree or belong to nobody of
    ours, as on a real register."""
    import duckdb

    ours, theirs = folder / "expectations.parquet", folder / "lines.parquet"
    with duckdb.connect() as connection:
        connection.execute("SET preserve_insertion_order = false")
        connection.execute("SET threads = 2")
        key = "substr(sha256(CAST({0} AS VARCHAR)), 1, 32)"
        connection.execute(
            f"COPY (SELECT 'e' || i AS expectation_id, 'r' || i AS referral_id, 'n' || i AS need_id, "
            f"{key.format('i')} AS person_key, {key.format('i // 3 + 900000000')} AS household_key, "
            f"'civil_affairs' AS agency, 'civil_affairs-' || (i % 90) AS office_id, "
            f"CASE i % 5 WHEN 0 THEN 'TMP_E' WHEN 1 THEN 'DST' ELSE 'MLG' END AS programme, "
            f"CASE WHEN i % 997 = 0 THEN 'ASKED' WHEN i % 991 = 0 THEN 'REFUSED' ELSE 'PAID' END AS status, "
            f"CAST(60000 + i % 7 * 100 AS BIGINT) AS amount_fen, {MARCH} AS m_from, {MARCH} AS m_until "
            f"FROM range({expectations}) t(i)) TO '{ours}'"
        )
        person = "CASE WHEN i % 1009 = 0 THEN i - 1 ELSE i END"
        connection.execute(
            f"COPY (SELECT 's-1' AS statement_id, i + 1 AS line, 'civil_affairs' AS agency, "
            f"'civil_affairs-' || (CASE WHEN i % 1013 = 0 THEN 91 ELSE i % 90 END) AS office_id, "
            f"CASE WHEN i < {expectations} AND i % 2 = 0 AND i % 1019 <> 0 THEN 'n' || i END AS need_id, "
            f"{key.format(person)} AS person_key, {key.format('i // 3 + 900000000')} AS household_key, "
            f"{key.format('CASE WHEN i % 2003 = 0 THEN 0 ELSE i END + 1800000000')} AS account_key, "
            f"CASE i % 5 WHEN 0 THEN 'TMP_E' WHEN 1 THEN 'DST' ELSE 'MLG' END AS programme, "
            f"CASE WHEN i % 4001 = 0 THEN 'DECEASED' ELSE 'PAID' END AS status, "
            f"CAST(60000 + i % 7 * 100 + CASE WHEN i % 1021 = 0 THEN 1 ELSE 0 END AS BIGINT) AS amount_fen, "
            f"{MARCH} AS m_from, {MARCH} AS m_until, 20260310 AS paid_on "
            f"FROM range({lines}) t(i) WHERE i % 1031 <> 0) TO '{theirs}'"
        )
    return ours, theirs


def whole(ours: Path, theirs: Path, spill: Path) -> Counter[str]:
    """The comparison; how many doubts of each kind."""
    rules = rule_rows(load_programmes(), load_coexistence())
    return Counter(one.code for one in duckdb_engine.reconcile([ours], [theirs], rules, spill=spill))


def floor(ours: Path, theirs: Path) -> int:
    """What no comparison can do without: both sides scanned once and joined by person."""
    import duckdb

    with duckdb.connect() as connection:
        connection.execute("SET threads = 2")
        connection.execute("SET memory_limit = '3GB'")
        row = connection.execute(
            f"SELECT count(*), sum(l.amount_fen - e.amount_fen) FROM read_parquet('{theirs}') l "
            f"JOIN read_parquet('{ours}') e ON e.person_key = l.person_key"
        ).fetchone()
    return int(row[0]) if row else 0


def spark(ours: Path, theirs: Path, spill: Path) -> Counter[str]:
    """The same definition on a local cluster of two."""
    from gateway.bulk import spark_engine

    session = spark_engine.open_session(
        "local[2]",
        **{
            "spark.ui.enabled": "false",
            "spark.driver.memory": "3g",
            "spark.driver.host": "127.0.0.1",
            "spark.local.dir": str(spill),
            "spark.sql.warehouse.dir": str(spill),
            "spark.sql.shuffle.partitions": "8",
        },
    )
    session.sparkContext.setLogLevel("ERROR")
    rules = rule_rows(load_programmes(), load_coexistence())
    found = Counter(one.code for one in spark_engine.reconcile(session, [ours], [theirs], rules))
    session.stop()
    return found


def measure(what: str, ours: Path, theirs: Path, spill: Path) -> None:
    """In a process of its own, so that its memory is its own; one line for the parent."""
    began = time.perf_counter()
    if what == "floor":
        found = floor(ours, theirs)
    else:
        counted = whole(ours, theirs, spill) if what == "whole" else spark(ours, theirs, spill)
        found = counted.total()
    seconds = time.perf_counter() - began
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(f"{seconds:.3f} {(own + children) // 1024} {found}")


def apart(what: str, ours: Path, theirs: Path, spill: Path) -> tuple[float, int, int]:
    """Seconds, peak MiB, rows found."""
    command = [sys.executable, __file__, WORKER, what, str(ours), str(theirs), str(spill)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, memory, found = done.stdout.split()[-3:]
    return float(seconds), int(memory), int(found)


def main() -> None:
    """The table."""
    if len(sys.argv) > 1 and sys.argv[1] == WORKER:
        measure(sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]), Path(sys.argv[5]))
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=10_000_000)
    parser.add_argument("--expectations", type=int, default=1_000_000)
    parser.add_argument("--spark", action="store_true", help="also a local Spark cluster, on a tenth of it")
    given = parser.parse_args()
    for part in (100, 10, 1):
        with tempfile.TemporaryDirectory(prefix="xianjie-bench-", dir="/var/tmp") as place:
            show(*section(given, part, Path(place)))


def section(given: argparse.Namespace, part: int, folder: Path) -> tuple[str, list[Measured]]:
    """One size: the floor, the comparison, and where it is asked for the cluster."""
    lines, expectations = given.lines // part, given.expectations // part
    ours, theirs = make(folder, expectations, lines)
    low, memory, _ = apart("floor", ours, theirs, folder)
    rows = [Measured(what="floor: scan and join", value=low, unit="s", note=f"{memory} MiB")]
    engines = ["whole", "spark"] if given.spark and part == 10 else ["whole"]
    for engine in engines:
        seconds, memory, found = apart(engine, ours, theirs, folder)
        name = {"whole": "DuckDB", "spark": "Spark local[2]"}[engine]
        note = f"{memory} MiB, {found} doubts, {lines / seconds:,.0f} lines/s"
        rows.append(Measured(what=name, value=seconds, unit="s", ratio=seconds / low, against="the floor", note=note))
    return f"{lines:,} lines against {expectations:,} expectations", rows


if __name__ == "__main__":
    main()

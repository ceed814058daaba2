"""交换基准 The exchange measured with everything real switched on, side by side with what this machine can do at all.

`make bench ARGS="--quick"`; `--database sqlite|postgres|both`, `--seconds N` a run, `--stored N` referrals on file
before a second round (a million are 18 GB and four minutes of filling). It prints one table and judges nothing: the
aims stand beside the numbers. Everything lies in a temporary folder and is removed; every process is stopped.
"""

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from bench import floors
from bench.flows import Crash, Load, Loop, backlog, crash, in_batches, one_by_one, steady
from bench.stored import fill
from bench.table import Measured, middle, show
from bench.world import Bench, memory_mib, open_bench
from tests.postgres import running_postgres

OFFICE_BATCH = 64
MOST_A_SECOND = 3000
NewDatabase = Callable[[], str]
AIM_BATCH, AIM_LOOP, AIM_P99_MS, AIM_STORED = 3000, 500, 50, 0.7


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """How much of it."""

    seconds: float
    runs: int
    backlog: int
    crashes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Floors:
    """Those that ratios are against."""

    http_1: float
    http_16: float
    verify: float
    rows: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Accepting:
    """Middle values of the runs at 1 and 16 connections and in batches."""

    alone: Load
    many: Load
    batch: Load


def main() -> int:
    """See the module."""
    options = _options()
    quick = options.quick
    seconds = options.seconds or (2.0 if quick else 5.0)
    plan = Plan(
        seconds=seconds,
        runs=1 if quick else 3,
        backlog=int(seconds * 1000),
        crashes=1 if quick else 3,
    )
    stored = options.stored or 0
    load = os.getloadavg()[0]
    print(f"{platform.machine()}, {os.cpu_count()} cores (load {load:.1f} before), Python {platform.python_version()}")
    with (
        tempfile.TemporaryDirectory(prefix="xianjie-bench-") as name,
        _engines(options.database, Path(name)) as engines,
    ):
        folder = Path(name)
        own = floors.crypto_and_reading(0.3) + floors.http(folder, min(seconds, 2.0))
        show("下限 Floors of this machine", own)
        for engine, new_database in engines.items():
            _measure(engine, new_database, folder / engine, own, plan, stored)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench/exchange.py", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short run of each, nothing stored beforehand")
    parser.add_argument("--database", choices=("sqlite", "postgres", "both"), default="both")
    parser.add_argument("--seconds", type=float, help="length of one run")
    parser.add_argument("--stored", type=int, help="referrals on file before the second round; 0: no second round")
    return parser.parse_args()


@contextmanager
def _engines(chosen: str, folder: Path) -> Iterator[dict[str, NewDatabase]]:
    """Engine → what makes an empty database; PostgreSQL keeps its durability."""
    numbers = count()
    engines: dict[str, NewDatabase] = {}
    if chosen != "postgres":
        engines["sqlite"] = lambda: f"sqlite:///{folder / f'{next(numbers)}.db'}"
    if chosen == "sqlite":
        yield engines
        return
    with running_postgres(options=()) as server:
        yield {**engines, "postgres": server.new_database}


def _measure(
    engine: str, new_database: NewDatabase, folder: Path, own: list[Measured], plan: Plan, stored: int
) -> None:
    commits = floors.commits(engine, new_database(), 0.5)
    show(f"{engine}: 下限 Floors", commits)
    least = Floors(verify=own[1].value, http_1=own[3].value, http_16=own[4].value, rows=commits[1].value)
    bench = open_bench(folder / "empty", new_database(), batch=OFFICE_BATCH)
    from_backlog, flowing, memory = _looping(bench, plan)
    loops = [*_loop_rows(from_backlog, flowing), _apart(bench, plan)]
    show(f"{engine}: 全程 The full loop (needs assisted and reconciled)", loops)
    show(f"{engine}: 内存 Memory of the gateway's process", memory)
    show(f"{engine}: 崩溃 kill -9 under load", _crash_rows([crash(bench, 2.0) for _ in range(plan.crashes)]))
    accepting = _accepting(bench, plan)  # last: what it leaves behind would be in the worker's way
    show(f"{engine}: 接收 Accepting, no worker", _accept_rows(accepting, least))
    if not stored:
        return
    bench = open_bench(folder / "filled", new_database(), batch=OFFICE_BATCH)
    took = fill(bench, stored)
    print(f"\n  ({stored:,} referrals filed by SQL in {took:,.0f} s)", flush=True)
    again, flow_again, memory = _looping(bench, plan)
    rows = _loop_rows(again, flow_again)
    rows.append(_kept("from a backlog", from_backlog.rate, again.rate))
    rows.append(_kept("steady", flowing.rate, flow_again.rate))
    show(f"{engine}: 全程 The full loop, {stored:,} on file", rows + memory)
    later = _accepting(bench, plan)
    show(f"{engine}: 接收 Accepting, {stored:,} on file", _accept_rows(later, least) + _ratios(accepting, later))


def _accepting(bench: Bench, plan: Plan) -> Accepting:
    """Without the worker: what the entrance alone carries."""
    alone, many, batch = [], [], []
    with bench.gateway(work=False) as gateway:
        pid = gateway["pid"]
        in_batches(bench, pid, bench.referrals(64))
        for _ in range(plan.runs):
            amount = int(plan.seconds * MOST_A_SECOND / 2)
            alone.append(one_by_one(bench, pid, bench.referrals(amount), 1, plan.seconds))
            many.append(one_by_one(bench, pid, bench.referrals(amount), 16, plan.seconds))
            batch.append(in_batches(bench, pid, bench.referrals(int(plan.seconds * 800))))
    return Accepting(alone=_middle(alone), many=_middle(many), batch=_middle(batch))


def _middle(runs: list[Load]) -> Load:
    return Load(
        rate=middle([run.rate for run in runs]),
        p50_ms=middle([run.p50_ms for run in runs]),
        p99_ms=middle([run.p99_ms for run in runs]),
        gateway_share=middle([run.gateway_share for run in runs]),
        load_share=middle([run.load_share for run in runs]),
        refused=sum(run.refused for run in runs),
    )


def _apart(bench: Bench, plan: Plan) -> Measured:
    """The same with `serve` and `work` as two processes, as on more than one core."""
    messages = bench.referrals(int((plan.seconds * 2 + 5) * 900))
    with bench.partner() as partner, bench.gateway(work=True, apart=True) as gateway:
        time.sleep(1.0)
        found = steady(bench, gateway["pid"], partner["pid"], messages, plan.seconds * 2)
    return Measured(
        what="steady, two processes",
        value=found.rate,
        unit="/s",
        ratio=found.rate / AIM_LOOP,
        against=f"of {AIM_LOOP:,}/s aimed at",
        note=f"{found.needs:,} needs, {found.doubled} doubled; serve and work apart",
    )


def _looping(bench: Bench, plan: Plan) -> tuple[Loop, Loop, list[Measured]]:
    from_backlog = backlog(bench, plan.backlog)
    messages = bench.referrals(int((plan.seconds * 2 + 5) * 900))
    with bench.partner() as partner, bench.gateway(work=True) as gateway:
        time.sleep(1.0)
        idle = memory_mib(gateway["pid"])[0]
        flowing = steady(bench, gateway["pid"], partner["pid"], messages, plan.seconds * 2)
        after, peak = memory_mib(gateway["pid"])
    memory = [
        Measured(what="idle", value=idle, unit="MiB"),
        Measured(what="after the loop", value=after, unit="MiB", ratio=after / idle, against="idle"),
        Measured(what="peak", value=peak, unit="MiB", ratio=peak / idle, against="idle"),
    ]
    return from_backlog, flowing, memory


def _accept_rows(found: Accepting, least: Floors) -> list[Measured]:
    rows = []
    for name, load, floor in (
        ("1 connection", found.alone, least.http_1),
        ("16 connections", found.many, least.http_16),
    ):
        note = f"gateway {load.gateway_share:.0%}, load {load.load_share:.0%} of a core"
        note += f"; {load.refused} REFUSED" if load.refused else ""
        rows += [
            Measured(what=name, value=load.rate, unit="/s", ratio=load.rate / floor, against="empty HTTP", note=note),
            Measured(what=f"{name}, p50", value=load.p50_ms, unit="ms"),
            Measured(what=f"{name}, p99", value=load.p99_ms, unit="ms"),
        ]
    rows[-1] = Measured(
        what=rows[-1].what,
        value=rows[-1].value,
        unit="ms",
        ratio=rows[-1].value / AIM_P99_MS,
        against=f"of {AIM_P99_MS} ms aimed at",
    )
    batch, share = found.batch, found.batch.rate / least.verify
    rows.append(
        Measured(
            what="in batches",
            value=batch.rate,
            unit="/s",
            ratio=batch.rate / AIM_BATCH,
            against=f"of {AIM_BATCH:,}/s aimed at",
            note=f"{share:.2f}× verify, {batch.rate / least.rows:.2f}× rows; gateway {batch.gateway_share:.0%}"
            + (f"; {batch.refused} REFUSED" if batch.refused else ""),
        )
    )
    return rows


def _loop_rows(from_backlog: Loop, flowing: Loop) -> list[Measured]:
    return [
        Measured(
            what=name,
            value=loop.rate,
            unit="/s",
            ratio=loop.rate / AIM_LOOP,
            against=f"of {AIM_LOOP}/s aimed at",
            note=f"{loop.needs:,} needs, {loop.doubled} doubled, {loop.findings} findings; "
            f"gateway {loop.gateway_share:.0%}, partner {loop.partner_share:.0%} of a core",
        )
        for name, loop in (("from a backlog", from_backlog), ("steady", flowing))
    ]


def _crash_rows(runs: list[Crash]) -> list[Measured]:
    return [
        Measured(what="receipts handed out before", value=sum(run.receipts for run in runs), unit=""),
        Measured(what="sent, unanswered at the kill", value=sum(run.unanswered for run in runs), unit=""),
        Measured(what="answered by a replay afterwards", value=sum(run.replayed for run in runs), unit=""),
        Measured(what="lost", value=sum(run.lost for run in runs), unit=""),
        Measured(what="doubled", value=sum(run.doubled for run in runs), unit=""),
        Measured(what="loops not closed", value=sum(run.loops_open for run in runs), unit=""),
        Measured(what="until all were closed", value=middle([run.seconds for run in runs]), unit="s"),
    ]


def _ratios(before: Accepting, after: Accepting) -> list[Measured]:
    return [
        _kept("16 connections", before.many.rate, after.many.rate),
        _kept("in batches", before.batch.rate, after.batch.rate),
    ]


def _kept(what: str, before: float, after: float) -> Measured:
    return Measured(
        what=f"{what}, against an empty database",
        value=after / before if before else 0.0,
        unit="×",
        ratio=(after / before if before else 0.0) / AIM_STORED,
        against=f"of {AIM_STORED} aimed at",
    )


if __name__ == "__main__":
    raise SystemExit(main())

"""存证基准 What the log costs a message, what proofs cost at any size, how long a whole check and a restart take.

`PYTHONPATH=. .venv/bin/python bench/evidence.py [--quick]`; `--leaves N` the largest tree (10 million), `--verified N`
the log that is verified whole (a million), `--queued N` handoffs queued when the worker is killed (100,000). It prints
tables and judges nothing; the aims stand beside the numbers. Everything lies in a temporary folder and is removed.
"""

import argparse
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bench.flows import books, in_batches, seen
from bench.table import Measured, middle, show
from bench.world import Bench, memory_mib, open_bench, start
from gateway.app import build_context
from gateway.cli.processes import processes
from gateway.config import load
from gateway.evidence.entry import Entry, message_entry
from gateway.evidence.merkle import (
    Frontier,
    Hashes,
    consistency_proof,
    in_memory,
    inclusion_proof,
    root_at,
    verify_consistency,
    verify_inclusion,
)
from gateway.flows.accept import accept_many
from gateway.flows.context import Context
from gateway.flows.dispatch import dispatch
from gateway.flows.log import verify_log
from gateway.store import log
from gateway.store import tables as t
from gateway.store.log import Tail

GROUP, RUNS = 64, 5
MOMENT = datetime(2026, 3, 3, 1, 0, tzinfo=UTC)
AIM_VERIFY_S, AIM_VERIFY_MIB = 120, 500
LONGEST = 900.0


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(prog="bench/evidence.py", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth or less of everything")
    parser.add_argument("--leaves", type=int)
    parser.add_argument("--verified", type=int)
    parser.add_argument("--queued", type=int)
    parser.add_argument("--verify-only", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.verify_only:
        return _verify_here(Path(options.verify_only))
    quick = options.quick
    busy = os.getloadavg()[0]
    print(f"{platform.machine()}, {os.cpu_count()} cores (load {busy:.1f} before), Python {platform.python_version()}")
    with tempfile.TemporaryDirectory(prefix="xianjie-evidence-") as name:
        folder = Path(name)
        show("存证成本 The log's cost per accepted referral (SQLite, one process)", _cost(folder / "cost", quick))
        show("证明 Proofs against tree size", _proofs(options.leaves or (100_000 if quick else 10_000_000)))
        verified = options.verified or (50_000 if quick else 1_000_000)
        show("全量核对 The whole log verified", _verified(folder / "whole", verified))
        queued = options.queued or (2_000 if quick else 100_000)
        show("崩溃恢复 A worker killed with its queues full", _restart(folder / "crash", queued))
    return 0


# --- with and without ---


class _NoTail(Tail):
    """The same calls, and nothing hashed or written: the measurement without a log."""

    def add(self, entry: Entry, *, about: str | None = None) -> int:  # noqa: ARG002 - the base class's names
        return self.size_before

    def save(self, connection: sa.Connection) -> None:  # noqa: ARG002 - as above
        return


def _no_tail(*_: object, **__: object) -> Tail:
    return _NoTail(1, Frontier())


def _cost(folder: Path, quick: bool) -> list[Measured]:
    """Referrals accepted with and without the log, runs taken in turn."""
    bench = open_bench(folder, f"sqlite:///{folder / 'x.db'}", batch=64)
    context = build_context(bench.world.config)
    amount = 320 if quick else 1920
    rates: dict[bool, list[float]] = {True: [], False: []}
    real = log.open_tail
    try:
        accept_many(bench.referrals(GROUP), context, now=bench.world.clock())
        for _ in range(RUNS):
            for logged in (True, False):
                # replaced for the measurement alone: production has no such switch
                log.open_tail = real if logged else _no_tail  # type: ignore[assignment]
                rates[logged].append(_rate(bench, context, amount))
    finally:
        log.open_tail = real
        context.store.close()
    with_log, without = middle(rates[True]), middle(rates[False])
    return [
        Measured(what="with the log", value=with_log, unit="/s", ratio=with_log / without, against="without"),
        Measured(what="without", value=without, unit="/s"),
        Measured(what="cost of a referral (2 leaves)", value=(1 / with_log - 1 / without) * 1e6, unit="µs"),
        Measured(what="one entry: canonical bytes", value=_entry_cost() * 1e6, unit="µs"),
        Measured(what="one leaf: hash and frontier", value=_leaf_cost() * 1e6, unit="µs"),
    ]


def _rate(bench: Bench, context: Context, amount: int) -> float:
    messages = bench.referrals(amount)
    began = time.perf_counter()
    for at in range(0, amount, GROUP):
        outcomes = accept_many(messages[at : at + GROUP], context, now=bench.world.clock())
        assert not any(isinstance(outcome, Exception) for outcome in outcomes)
    return amount / (time.perf_counter() - began)


def _entry(number: int) -> Entry:
    return message_entry(
        message_id=f"0191f000-0000-7000-8000-{number:012x}",
        source="cn/court/520100",
        recipient="cn/gateway/520000",
        message_type="referral.submitted",
        digest=sha256(str(number).encode()).hexdigest(),
        about=f"r-{number}",
        at=MOMENT,
    )


def _entry_cost() -> float:
    began = time.perf_counter()
    for number in range(10_000):
        _entry(number).to_bytes()
    return (time.perf_counter() - began) / 10_000


def _leaf_cost() -> float:
    frontier, leaves = Frontier(), [sha256(str(number).encode()).digest() for number in range(50_000)]
    began = time.perf_counter()
    for leaf in leaves:
        frontier.add(leaf)
    return (time.perf_counter() - began) / len(leaves)


# --- proofs ---


def _proofs(most: int) -> list[Measured]:
    """Median over many leaves; the tree lies in memory, as a database's rows would be read."""
    leaves = [sha256(number.to_bytes(8, "big")).digest() for number in range(most)]
    hashes = in_memory(leaves)
    rows = []
    size = 1_000
    while size <= most:
        hashes(2, 0, 1)  # upper levels are made once, not measured
        rows += _at_size(hashes, leaves, size)
        size *= 10
    return rows


def _at_size(hashes: Hashes, leaves: Sequence[bytes], size: int) -> list[Measured]:
    shown = inclusion_proof(hashes, 0, size)
    root = root_at(hashes, size)
    indexes = [(number * 7919) % size for number in range(200)]
    making, checking, asked = [], [], count()
    for index in indexes:
        began = time.perf_counter()
        proof = inclusion_proof(hashes, index, size)
        making.append(time.perf_counter() - began)
        began = time.perf_counter()
        good = verify_inclusion(leaves[index], index=index, size=size, proof=proof, root=root)
        checking.append(time.perf_counter() - began)
        assert good, next(asked)
    old = size * 2 // 3
    began = time.perf_counter()
    consistent = consistency_proof(hashes, old, size)
    took = time.perf_counter() - began
    assert verify_consistency(old=old, new=size, proof=consistent, old_root=root_at(hashes, old), new_root=root)
    name = f"{size:,} leaves"
    return [
        Measured(
            what=f"{name}: inclusion",
            value=middle(making) * 1e6,
            unit="µs",
            note=f"{len(shown)} hashes, {32 * len(shown)} bytes; checked in {middle(checking) * 1e6:.0f} µs",
        ),
        Measured(
            what=f"{name}: consistency",
            value=took * 1e6,
            unit="µs",
            note=f"{len(consistent)} hashes, {32 * len(consistent)} bytes",
        ),
    ]


# --- the whole log ---


def _verified(folder: Path, leaves: int) -> list[Measured]:
    """A log of so many leaves in a database, verified by a process of its own, so that its memory is its own."""
    bench = open_bench(folder, f"sqlite:///{folder / 'x.db'}", batch=64)
    context = build_context(bench.world.config)
    began = time.perf_counter()
    for first in range(0, leaves, 5000):
        entries = [_entry(number) for number in range(first, min(first + 5000, leaves))]
        context.store.write(lambda connection, entries=entries: log.append(connection, entries))
    filled = time.perf_counter() - began
    context.store.close()
    done = subprocess.run(
        [sys.executable, "bench/evidence.py", "--verify-only", str(bench.world.config_path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=LONGEST,
        env={**os.environ, **bench.world.environment, "PYTHONPATH": "."},
    )
    seconds, mib, troubles = (float(part) for part in done.stdout.split())
    size = (folder / "x.db").stat().st_size / 2**20
    return [
        Measured(what=f"{leaves:,} leaves appended", value=leaves / filled, unit="/s"),
        Measured(
            what="verified",
            value=seconds,
            unit="s",
            ratio=seconds / AIM_VERIFY_S,
            against="the aim for a million",
            note=f"{troubles:.0f} troubles",
        ),
        Measured(what="peak memory", value=mib, unit="MiB", ratio=mib / AIM_VERIFY_MIB, against="the aim"),
        Measured(what="on disk", value=size, unit="MiB", note=f"{size * 2**20 / leaves:.0f} bytes a leaf"),
    ]


def _verify_here(config: Path) -> int:
    context = build_context(load(config))
    began = time.perf_counter()
    verdict = verify_log(context)
    seconds = time.perf_counter() - began
    # not ru_maxrss: that remembers what the parent held when it forked
    peak = memory_mib(os.getpid())[1]
    sys.stdout.write(f"{seconds} {peak} {len(verdict.troubles)}\n")
    context.store.close()
    return 0


# --- a crash with full queues ---


@dataclass(frozen=True, kw_only=True, slots=True)
class _Recovered:
    first: float
    fresh: float
    leased: float
    everything: float
    sent_twice: int
    doubled: int


def _restart(folder: Path, queued: int) -> list[Measured]:
    """Queues filled, the worker killed while it sends; then how long after its restart what happens."""
    bench = open_bench(folder, f"sqlite:///{folder / 'x.db'}", batch=64)
    with books(bench), bench.gateway(work=False) as gateway:
        in_batches(bench, gateway["pid"], bench.referrals(queued))
    context = build_context(bench.world.config)
    began = time.perf_counter()
    while dispatch(context, now=bench.world.clock(), limit=500).handoffs:
        pass
    filled = time.perf_counter() - began
    context.store.close()
    with bench.partner(), bench.gateway(work=False):
        _killed_while_sending(bench)
        found = _recover(bench, queued)
    return [
        Measured(what=f"{queued:,} handoffs dispatched", value=queued / filled, unit="/s"),
        Measured(what="restart → first message relayed", value=found.first, unit="s"),
        Measured(
            what="restart → all that was only queued is relayed",
            value=found.fresh,
            unit="s",
            note=f"{(queued - found.sent_twice) / found.fresh:,.0f}/s",
        ),
        Measured(what="restart → what was being sent is relayed", value=found.leased, unit="s", note="leases: 60 s"),
        Measured(
            what="restart → every handoff relayed",
            value=found.everything,
            unit="s",
            note=f"{queued / found.everything:,.0f}/s",
        ),
        Measured(what="sent again with the same bytes", value=found.sent_twice, unit="messages"),
        Measured(what="needs handed over twice", value=found.doubled, unit="", note="as the partner saw it"),
    ]


def _killed_while_sending(bench: Bench) -> None:
    with processes(bench.world.folder) as running:
        worker = start(running, "worker-killed", "gateway.cli", ["work"], bench.world)
        _wait(lambda: _outbox(bench, "relayed") > 0)
        os.kill(worker["pid"], signal.SIGKILL)


def _recover(bench: Bench, queued: int) -> _Recovered:
    relayed, stuck = _outbox(bench, "relayed"), _outbox(bench, "sending")
    with processes(bench.world.folder) as running:
        began = time.perf_counter()
        start(running, "worker-again", "gateway.cli", ["work"], bench.world)
        _wait(lambda: _outbox(bench, "relayed") > relayed)
        first = time.perf_counter() - began
        marks: dict[str, float] = {}
        _wait(lambda: _all_sent(bench, queued, marks, began, stuck))
    seen_by_partner: dict[str, Any] = seen(bench)
    return _Recovered(
        first=first,
        fresh=marks["fresh"],
        leased=marks.get("leased", 0.0),
        everything=marks["everything"],
        sent_twice=stuck,
        doubled=seen_by_partner["doubled"],
    )


def _all_sent(bench: Bench, queued: int, marks: dict[str, float], began: float, stuck: int) -> bool:
    with books(bench) as file:
        first_lease = file.count(t.outbox, t.outbox.c.lease_fence == 1, t.outbox.c.state == "sending")
        relayed = file.count(t.outbox, t.outbox.c.state == "relayed")
    if stuck and not _zombies(bench) and "leased" not in marks:
        marks["leased"] = time.perf_counter() - began
    if relayed >= queued - stuck and "fresh" not in marks:
        marks["fresh"] = time.perf_counter() - began
    if relayed >= queued and first_lease == 0:
        marks["everything"] = time.perf_counter() - began
        return True
    return False


def _zombies(bench: Bench) -> int:
    """Messages whose attempt nobody finished and nobody took over."""
    with books(bench) as file:
        taken_over = sa.select(t.outbox.c.message_id).where(t.outbox.c.lease_fence > 1)
        open_ = (t.attempts.c.finished_at.is_(None), t.attempts.c.message_id.not_in(taken_over))
        sending = sa.select(t.outbox.c.message_id).where(t.outbox.c.state == "sending")
        return file.count(t.attempts, *open_, t.attempts.c.message_id.in_(sending))


def _outbox(bench: Bench, state: str) -> int:
    with books(bench) as file:
        return file.count(t.outbox, t.outbox.c.state == state)


def _wait(is_so: Callable[[], bool]) -> None:
    until = time.perf_counter() + LONGEST
    while not is_so():
        if time.perf_counter() > until:
            raise TimeoutError("it did not come to that")
        time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main())

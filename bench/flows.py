"""流程测量 Accepting, the full loop and the crash, against a running gateway; counts are asked of the database.

Nothing is judged by what a process says of itself: a need counts when its row is ASSISTED and reconciliation has looked
at it since; a receipt counts when the same message sent again is answered by the same bytes.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import sqlalchemy as sa

from bench.load import drive
from bench.world import Bench, cpu_seconds
from gateway.domain.lifecycle import NeedState
from gateway.store import tables as t
from gateway.store.clock import to_ms
from gateway.store.engine import open_engine

NDJSON = "application/x-ndjson"
BATCH = 512
IN_FLIGHT = 2500
WARM_UP = 3.0
GIVE_UP = 90.0
AFTER_A_CRASH = 180.0
"""Leases of the process that was killed have to run out first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """One run of accepting. Shares are of one core."""

    rate: float
    p50_ms: float
    p99_ms: float
    gateway_share: float
    load_share: float
    refused: int


def one_by_one(bench: Bench, pid: int, messages: Sequence[bytes], connections: int, seconds: float) -> Load:
    """`POST /v1/messages` from a process of its own."""
    folder = bench.world.folder
    file, answers = folder / "messages", folder / "answers"
    file.write_bytes(b"\n".join(messages))
    arguments = [str(bench.port), "/v1/messages", str(file), str(connections), str(seconds), str(answers)]
    before = cpu_seconds(pid)
    done = subprocess.run(
        [sys.executable, "-m", "bench.load", *arguments], capture_output=True, check=True, timeout=seconds + 60
    )
    found = json.loads(done.stdout)
    return Load(
        rate=found["answered"] / found["seconds"],
        p50_ms=found["p50_ms"],
        p99_ms=found["p99_ms"],
        gateway_share=(cpu_seconds(pid) - before) / found["seconds"],
        load_share=found["cpu_seconds"] / found["seconds"],
        refused=found["answered"] - found["statuses"].get("202", 0),
    )


def in_batches(bench: Bench, pid: int, messages: Sequence[bytes]) -> Load:
    """`POST /v1/messages/batch`, `BATCH` lines a request, one after another."""
    session, refused = requests.Session(), 0
    before, own, began = cpu_seconds(pid), time.process_time(), time.perf_counter()
    for at in range(0, len(messages), BATCH):
        refused += post(bench, session, messages[at : at + BATCH])
    took = time.perf_counter() - began
    return Load(
        rate=len(messages) / took,
        p50_ms=0.0,
        p99_ms=0.0,
        gateway_share=(cpu_seconds(pid) - before) / took,
        load_share=(time.process_time() - own) / took,
        refused=refused,
    )


def post(bench: Bench, session: requests.Session, messages: Sequence[bytes]) -> int:
    """One batch; how many of it were refused."""
    url, headers = f"{bench.url}/v1/messages/batch", {"Content-Type": NDJSON}
    lines = session.post(url, b"\n".join(messages), headers=headers, timeout=60).content.splitlines()
    return len(messages) - sum(not line.startswith(b"{") for line in lines)


class Books:
    """What the database says, read beside the running gateway."""

    def __init__(self, bench: Bench) -> None:
        self._bench, self._engine = bench, open_engine(bench.database)
        self._from = self._scalar(sa.select(sa.func.coalesce(sa.func.max(t.needs.c.row), 0)))

    def close(self) -> None:
        """Lets the database go."""
        self._engine.dispose()

    def done(self) -> int:
        """Needs since this was opened that are ASSISTED and reconciled."""
        now, r, n = to_ms(self._bench.world.clock()), t.referrals.c, t.needs.c
        return self._scalar(
            sa.select(sa.func.count())
            .select_from(t.needs.join(t.referrals, r.referral_id == n.referral_id))
            .where(n.row > self._from, n.state == NeedState.ASSISTED.value)
            .where(sa.or_(r.reconcile_at.is_(None), r.reconcile_at > now))
        )

    def count(self, table: sa.Table, *conditions: sa.ColumnElement[bool]) -> int:
        """Rows of a table."""
        return self._scalar(sa.select(sa.func.count()).select_from(table).where(*conditions))

    def _scalar(self, statement: sa.Select[Any]) -> int:
        with self._engine.connect() as connection:
            return int(connection.execute(statement).scalar() or 0)


@contextmanager
def books(bench: Bench) -> Iterator[Books]:
    """Open while the block runs."""
    opened = Books(bench)
    try:
        yield opened
    finally:
        opened.close()


@dataclass(frozen=True, kw_only=True, slots=True)
class Loop:
    """One run of the full loop. Shares are of one core."""

    needs: int
    rate: float
    gateway_share: float
    partner_share: float
    doubled: int
    findings: int


def backlog(bench: Bench, amount: int) -> Loop:
    """`amount` referrals accepted while no worker runs; then everything until the last is reconciled."""
    with books(bench) as file:
        before = file.count(t.findings)
        with bench.gateway(work=False) as gateway:
            in_batches(bench, gateway["pid"], bench.referrals(amount))
        with bench.partner() as partner, bench.gateway(work=True) as gateway:
            cpu, theirs, began = cpu_seconds(gateway["pid"]), cpu_seconds(partner["pid"]), time.perf_counter()
            done = _until(file, amount)
            took = time.perf_counter() - began
            return Loop(
                needs=done,
                rate=done / took,
                gateway_share=(cpu_seconds(gateway["pid"]) - cpu) / took,
                partner_share=(cpu_seconds(partner["pid"]) - theirs) / took,
                doubled=seen(bench)["doubled"],
                findings=file.count(t.findings) - before,
            )


def steady(bench: Bench, gateway: int, partner: int, messages: list[bytes], seconds: float) -> Loop:
    """Referrals come in as fast as needs get done, never more than `IN_FLIGHT` ahead; counted after a warm-up."""
    session, sent = requests.Session(), 0
    with books(bench) as file:
        findings = file.count(t.findings)
        began, marks = time.perf_counter(), (0.0, 0, 0.0, 0.0)
        while (now := time.perf_counter() - began) < WARM_UP + seconds and sent < len(messages):
            done = file.done()
            if marks[0] == 0.0 and now >= WARM_UP:
                marks = (now, done, cpu_seconds(gateway), cpu_seconds(partner))
            if sent - done < IN_FLIGHT:
                post(bench, session, messages[sent : sent + 128])
                sent += 128
            else:
                time.sleep(0.1)
        now, done = time.perf_counter() - began, file.done()
        took = now - marks[0]
        loop = Loop(
            needs=done - marks[1],
            rate=(done - marks[1]) / took,
            gateway_share=(cpu_seconds(gateway) - marks[2]) / took,
            partner_share=(cpu_seconds(partner) - marks[3]) / took,
            doubled=seen(bench)["doubled"],
            findings=file.count(t.findings) - findings,
        )
        _until(file, min(sent, len(messages)))
        return loop


def _until(file: Books, amount: int, *, within: float = GIVE_UP) -> int:
    began, done = time.perf_counter(), 0
    while done < amount and time.perf_counter() - began < within:
        time.sleep(0.2)
        done = file.done()
    return done


def seen(bench: Bench) -> dict[str, Any]:
    """What the partner saw."""
    answer: dict[str, Any] = requests.get(f"http://127.0.0.1:{bench.partner_port}/", timeout=10).json()
    return answer


@dataclass(frozen=True, kw_only=True, slots=True)
class Crash:
    """What a kill -9 under load did. lost: a receipt was handed out, its message is not on file under it."""

    receipts: int
    unanswered: int
    lost: int
    doubled: int
    loops_open: int
    replayed: int
    seconds: float
    """From the restart until every loop was closed."""


def crash(bench: Bench, seconds: float, connections: int = 16) -> Crash:
    """Kills the gateway under load, starts it anew, sends everything that had been sent once more."""
    messages, folder = bench.referrals(int(seconds * 1500)), bench.world.folder
    (folder / "messages").write_bytes(b"\n".join(messages))
    with books(bench) as file, bench.partner():
        rows_before, needs_before = file.count(t.inbox, _SUBMITTED), file.count(t.needs)
        sent, first = _killed_under_load(bench, folder, seconds, connections)
        began = time.perf_counter()
        with bench.gateway(work=True):
            again = drive(bench.port, "/v1/messages", messages[:sent], connections, GIVE_UP)
            second = {at: (status, body) for at, status, body in again.answers}
            same = sum(second.get(at) == (200, body) for at, body in first.items())
            _until(file, sent, within=AFTER_A_CRASH)
            open_loops, took = sent - file.done(), time.perf_counter() - began
            rows = file.count(t.inbox, _SUBMITTED) - rows_before
            needs = file.count(t.needs) - needs_before
            return Crash(
                receipts=len(first),
                unanswered=sent - len(first),
                lost=len(first) - same + max(0, sent - rows),
                doubled=max(0, rows - sent) + max(0, needs - sent) + seen(bench)["doubled"],
                loops_open=open_loops,
                replayed=sum(status == 200 for status, _ in second.values()),
                seconds=took,
            )


_SUBMITTED = t.inbox.c.type == "referral.submitted"


def _killed_under_load(bench: Bench, folder: Path, seconds: float, connections: int) -> tuple[int, dict[int, bytes]]:
    """How many messages were sent, and the receipts handed out before the end, by message."""
    answers = folder / "answers"
    arguments = [str(bench.port), "/v1/messages", str(folder / "messages"), str(connections), "60", str(answers)]
    with bench.gateway(work=True, killed=True) as gateway:
        load = subprocess.Popen([sys.executable, "-m", "bench.load", *arguments], stdout=subprocess.PIPE)
        try:
            time.sleep(seconds)
            os.kill(gateway["pid"], signal.SIGKILL)
            out, _ = load.communicate(timeout=60)
        finally:
            load.kill()
    found = {}
    for line in answers.read_bytes().splitlines():
        at, status, body = line.split(b" ", 2)
        if status == b"202":
            found[int(at)] = body
    return int(json.loads(out)["sent"]), found

"""当时所知测量 What keeping the past costs a write, and reading it: `python -m bench.as_known [REFERRALS]`.

Writes are measured with the triggers and without them, in turns, so that a noisy machine is noisy to both. The past is
read at a mark after which every need has changed, the worst there is, and at one that nothing has changed since.
"""

import logging
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from bench.table import Measured, middle, show
from gateway.flows.accept import accept_many
from gateway.flows.as_known import as_known
from gateway.flows.balance import read_balance
from gateway.flows.dispatch import dispatch
from gateway.flows.reconcile import would_find
from gateway.store import history
from gateway.store import tables as t
from gateway.store.history import CHANGING, KnownAt
from tests.builders import an_id_number
from tests.gateway_world import World, a_referral_body
from tests.postgres import running_postgres

REFERRALS = 5_000
BATCH = 128
ROUNDS = 12


def main() -> None:
    """Both engines, one after the other."""
    logging.disable(logging.WARNING)
    amount = int(sys.argv[1]) if len(sys.argv) > 1 else REFERRALS
    for name, database in (("SQLite", sqlite), ("PostgreSQL", postgres)):
        with database() as url:
            world = World(url)
            show(f"{name}: 写 writing {BATCH} referrals, then their handoffs", writing(world))
            fill(world, amount)
            show(f"{name}: 读 reading {len(world.rows(t.referrals)):,} referrals", reading(world))
            world.close()


@contextmanager
def sqlite() -> Iterator[str]:
    """A file."""
    with tempfile.TemporaryDirectory() as folder:
        yield f"sqlite:///{folder}/xianjie.sqlite"


@contextmanager
def postgres() -> Iterator[str]:
    """A server that waits for its disk."""
    with running_postgres(options=()) as server:
        yield server.new_database()


def writing(world: World) -> list[Measured]:
    """Seconds a round with triggers and without; needs change once at the handoff, and once more by hand."""
    steps: dict[str, Callable[[World], object]] = {
        "受理 accept": lambda w: refer(w, BATCH),
        "转办 dispatch": lambda w: dispatch(w.context, now=w.now, limit=BATCH),
        "需求变动 every need changed": lambda w: w.change(t.needs.update().values(approved_fen=t.needs.c.row)),
    }
    taken: dict[tuple[str, bool], list[float]] = {}
    for number in range(ROUNDS):
        kept = number % 2 == 0
        world.store.write(history.install if kept else drop)
        world.change(t.needs.delete().where(t.needs.c.issued_at.is_not(None)))
        for what, step in steps.items():
            began = time.perf_counter()
            step(world)
            taken.setdefault((what, kept), []).append(time.perf_counter() - began)
    world.store.write(history.install)
    return [
        Measured(
            what=what,
            value=1000 * middle(taken[what, True]),
            unit="ms",
            ratio=middle(taken[what, True]) / middle(taken[what, False]),
            against="without",
        )
        for what in steps
    ]


def drop(connection: sa.Connection) -> None:
    """No table's past is kept."""
    for name in CHANGING:
        of_table = "" if connection.dialect.name == "sqlite" else f" ON {name}"
        connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS keep_{name}{of_table}")


_serial = iter(range(10_000_000))


def refer(world: World, amount: int) -> None:
    """So many referrals of so many persons in one group."""
    signed = []
    for _ in range(amount):
        serial = next(_serial)
        born = date(1950, 1, 1) + timedelta(days=serial // 100)
        person: dict[str, Any] = a_referral_body()["person"]
        person |= {"id_number": an_id_number(born, serial=serial % 100), "birth_date": born.isoformat()}
        person["name"] = "测试" + chr(0x4E00 + serial % 20_000) + chr(0x4E00 + serial // 20_000)
        body = a_referral_body(
            referral_id=f"b-{serial}",
            case_number=f"（2026）黔01司救执{serial + 1}号",
            original_case_group=f"（2025）黔0102民初{serial + 1}号",
            person=person,
        )
        signed.append(world.court.sign("referral.submitted", body, now=world.now))
    accept_many(signed, world.context, now=world.now)


def fill(world: World, amount: int) -> None:
    """So many more, each handed to its office."""
    for _ in range(0, amount, BATCH):
        refer(world, BATCH)
    while dispatch(world.context, now=world.now, limit=1000).handoffs:
        world.wait(timedelta(seconds=1))


def reading(world: World) -> list[Measured]:
    """Seconds of a whole run and of the balance: now, at a mark, at one after which everything has changed."""
    with world.store.reading() as connection:
        known = history.here(connection, now=world.now)
    took = timed(world.store.reading, history.marks)
    rows = [Measured(what="刻度 marks, once a checkpoint", value=1000 * took, unit="ms")]
    now = seconds(lambda: run(world))
    rows.append(Measured(what="对账 a whole run, now", value=now, unit="s"))
    rows.append(past(world, known, "the same at a mark, nothing changed since", now))
    world.change(t.needs.update().values(state="received", received_at=t.needs.c.issued_at))
    world.change(t.handoffs.update().values(state="received"))
    rows.append(past(world, known, "the same at a mark, everything changed since", now))
    sheet = seconds(lambda: read_balance(world.context, now=world.now, newest=True))
    rows.append(Measured(what="平衡表 the balance, now", value=sheet, unit="s"))
    borne_out = timed(world.store.reading, lambda connection: history.misplaced(connection, known))
    rows.append(Measured(what="比对 the log borne out", value=borne_out, unit="s"))
    return rows


def past(world: World, known: KnownAt, what: str, now: float) -> Measured:
    """One run in the past, beside the one of now."""
    took = seconds(lambda: run(world, known))
    return Measured(what=what, value=took, unit="s", ratio=took / now, against="now")


def run(world: World, known: KnownAt | None = None) -> None:
    """Every check about every referral."""
    if known is None:
        sum(1 for _ in would_find(world.context, as_of=world.now, now=world.now))
        return
    with as_known(world.context, known) as context:
        sum(1 for _ in would_find(context, as_of=world.now, now=world.now))


def seconds(work: Callable[[], object]) -> float:
    """Of the better of two."""
    taken = []
    for _ in range(2):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return min(taken)


def timed(opened: Callable[[], Any], read: Callable[[sa.Connection], object]) -> float:
    """One read on an open connection."""
    with opened() as connection:
        return seconds(lambda: read(connection))


if __name__ == "__main__":
    main()

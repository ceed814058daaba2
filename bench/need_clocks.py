"""需求时限测量 What it costs reconciliation to keep each open need's limit on file: `python -m bench.need_clocks [N]`.

N referrals, half of them settled: one in five paid, one in five denied, one in ten at work, the rest unanswered; all of
them are looked at again and again, in turns with the limits kept, with them worked out and not kept, and without them,
so that a noisy machine is noisy to all. Times are the shortest of each; processor time is that of this process, without
PostgreSQL's own.
"""

import logging
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from datetime import timedelta
from unittest.mock import patch

from bench.as_known import postgres, refer, sqlite
from bench.table import Measured, show
from gateway.flows import reconcile
from gateway.store import need_clocks
from gateway.store import tables as t
from tests.gateway_world import World

REFERRALS, ROUNDS, BATCH = 2_000, 7, 128
PAID = {"xj_amount": "650.00", "abaf0028": "202603", "abaf0029": "202603", "xj_payee": "1"}
DENIED = {"xj_reason": "701", "xj_reason_text": "家庭人均收入超过标准"}
KEPT, NOT_KEPT, WITHOUT = "时限存档 limits kept", "算而不存 worked out, not kept", "不算 without limits"


def main() -> None:
    """Both engines, one after the other."""
    logging.disable(logging.WARNING)
    amount = int(sys.argv[1]) if len(sys.argv) > 1 else REFERRALS
    for name, database in (("SQLite", sqlite), ("PostgreSQL", postgres)):
        with database() as url:
            world = World(url)
            fill(world, amount)
            look(world)
            show(
                f"{name}: 对账 reconciling {amount:,} referrals, {len(world.rows(t.need_clocks)):,} limits",
                turns(world),
            )
            world.close()


def fill(world: World, amount: int) -> None:
    """Referrals handed out and delivered, and what became of them."""
    for _ in range(0, amount, BATCH):
        refer(world, min(BATCH, amount - len(world.rows(t.referrals))))
    while world.dispatch().handoffs:
        world.wait(timedelta(seconds=1))
    while world.deliver().relayed:
        world.wait(timedelta(seconds=1))
    (office,) = (one for one in world.offices.values() if one.received)
    for number, handoff in enumerate(office.received):
        if number % 10 in (0, 1):
            world.answer(handoff, "30", **PAID)
            world.answer(handoff, "40", **PAID)
        elif number % 10 in (2, 3):
            world.answer(handoff, "31", **DENIED)
        elif number % 10 == 4:
            world.answer(handoff, "10")


def look(world: World) -> None:
    """At every referral, in batches as a worker's."""
    world.change(t.referrals.update().values(reconcile_at=1))
    world.wait(timedelta(seconds=1))
    while reconcile.reconcile_due(world.context, now=world.now).referrals:
        pass


def turns(world: World) -> list[Measured]:
    """Milliseconds a look at all, each way."""
    ways: dict[str, Callable[[], AbstractContextManager[object]]] = {
        KEPT: nullcontext,
        NOT_KEPT: not_kept,
        WITHOUT: without,
    }
    taken: dict[str, list[tuple[float, float]]] = {}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            with way():
                began, busy = time.perf_counter(), time.process_time()
                look(world)
                taken.setdefault(name, []).append((time.perf_counter() - began, time.process_time() - busy))
    wall = {name: 1000 * min(one for one, _ in times) for name, times in taken.items()}
    cpu = {name: 1000 * min(one for _, one in times) for name, times in taken.items()}
    return [
        Measured(
            what=name,
            value=wall[name],
            unit="ms",
            ratio=wall[name] / wall[WITHOUT],
            against="without",
            note=f"processor {cpu[name]:,.0f} ms, {cpu[name] / cpu[WITHOUT]:.2f}×",
        )
        for name in ways
    ]


def not_kept() -> AbstractContextManager[object]:
    """Nothing is written of limits."""
    return patch.object(need_clocks, "replace", lambda *_: None)


def without() -> AbstractContextManager[object]:
    """Nor worked out."""
    stack = ExitStack()
    stack.enter_context(not_kept())
    stack.enter_context(patch.object(reconcile, "standing_clocks", lambda *_: ()))
    return stack


if __name__ == "__main__":
    main()

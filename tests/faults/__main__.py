"""故障总检 `make faults`: every scenario, one table, the four counts; exit 1 unless they read 0, 0, 0, n.

make faults                                        everything, in about five minutes
make faults ARGS="--seed 17 --runs 1 --verbose"    one seed, told line by line
make faults ARGS="--only simulator --runs 100000"  one scenario
"""

import argparse
import logging
import os
import random
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence

from tests.faults import fleet, hazards, restored, strikes, syscalls
from tests.faults.scenario import Row, Scenario, Settings, lines

SCENARIOS: Mapping[str, Scenario] = {
    "simulator": fleet.scenario,
    "strikes": strikes.scenario,
    "hazards": hazards.scenario,
    "syscalls": syscalls.scenario,
    "restored": restored.scenario,
}
"""Name on the command line → scenario; another one is one more line."""
RUNS = 10_000
SEEDS = 2**31


def read(arguments: Sequence[str] | None) -> tuple[Settings, list[str]]:
    """The settings, and the scenarios to run."""
    parser = argparse.ArgumentParser(prog="make faults", description="故障总检 faults, swept, not sampled")
    parser.add_argument("--seed", type=int, help="the first seed (default: any)")
    parser.add_argument("--runs", type=int, default=RUNS, help=f"simulated schedules (default {RUNS})")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes of the simulator")
    parser.add_argument("--only", choices=sorted(SCENARIOS), action="append", help="this scenario; may be repeated")
    parser.add_argument("--thorough", action="store_true", help="every n of every system call; takes long")
    parser.add_argument("--verbose", action="store_true", help="every step; with --runs 1 the whole schedule")
    chosen = parser.parse_args(arguments)
    seed = random.randrange(SEEDS) if chosen.seed is None else chosen.seed
    names = chosen.only or (["simulator"] if chosen.runs != RUNS else list(SCENARIOS))
    settings = Settings(
        seed=seed,
        runs=chosen.runs,
        workers=max(1, min(chosen.workers, chosen.runs // fleet.CHUNK)),
        verbose=chosen.verbose,
        thorough=chosen.thorough,
        say=lambda line: print(f"  {line}", flush=True),
    )
    return settings, names


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when nothing was lost, unexpected or duplicated."""
    settings, names = read(arguments)
    logging.disable(logging.CRITICAL)
    print(f"Seed {settings.seed}; scenarios: {', '.join(names)}", flush=True)
    rows: list[Row] = []
    for line in lines(_kept(_rows(settings, names), rows)):
        print(line, flush=True)
    return 0 if all(row.counts.is_clean for row in rows) else 1


def _rows(settings: Settings, names: Iterable[str]) -> Iterator[Row]:
    for name in names:
        yield from SCENARIOS[name](settings)


def _kept(found: Iterable[Row], rows: list[Row]) -> Iterator[Row]:
    for row in found:
        rows.append(row)
        yield row


if __name__ == "__main__":
    sys.exit(main())

"""船队 Many seeded runs on every processor: the same seeds give the same runs, whoever runs them.

A worker keeps one `Ground` for all its runs and collects garbage between chunks, not in the middle of them. Faults that
struck are added up; a failpoint of the gateway at which no run crashed, or met an I/O error, is a complaint.
"""

import gc
import logging
import multiprocessing
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from time import perf_counter

from gateway.failpoints import Action
from tests.faults.judge import Counts
from tests.faults.nodes import Ground
from tests.faults.scenario import Row, Settings
from tests.faults.schedule import GATEWAY_POINTS, Schedule
from tests.faults.simulator import Simulation, simulate

CHUNK = 100
ENOUGH_TO_MEET_ALL = 5_000


@dataclass
class Voyage:
    """What some runs came to."""

    runs: int = 0
    counts: Counts = field(default_factory=Counts)
    met: Counter[str] = field(default_factory=Counter)
    without: int = 0
    """Runs in which no fault struck."""

    def __add__(self, other: "Voyage") -> "Voyage":
        return Voyage(
            runs=self.runs + other.runs,
            counts=self.counts + other.counts,
            met=self.met + other.met,
            without=self.without + other.without,
        )


_ground: Ground | None = None


def sail(seeds: range) -> Voyage:
    """Some seeds in this process."""
    global _ground
    if _ground is None:
        logging.disable(logging.CRITICAL)
        _ground = Ground()
        gc.collect()
        gc.freeze()
        gc.disable()
    gc.collect()
    total = Voyage()
    for seed in seeds:
        try:
            outcome = simulate(seed, _ground)
        except Exception as error:
            raise RuntimeError(f"seed {seed}: {type(error).__name__} {error}") from error
        total.runs += 1
        total.met += outcome.met
        total.without += not outcome.met
        outcome.counts.complaints = [f"seed {seed}: {one}" for one in outcome.counts.complaints]
        total.counts = total.counts + outcome.counts
    return total


def voyages(settings: Settings) -> Iterator[Voyage]:
    """Chunk by chunk, as they come."""
    last = settings.seed + settings.runs
    chunks = [range(at, min(at + CHUNK, last)) for at in range(settings.seed, last, CHUNK)]
    if settings.workers == 1:
        yield from map(sail, chunks)
        return
    with multiprocessing.get_context("spawn").Pool(settings.workers) as pool:
        yield from pool.imap_unordered(sail, chunks)


def scenario(settings: Settings) -> Iterable[Row]:
    """One row for all seeds, and how fast they went."""
    if settings.verbose and settings.runs == 1:
        yield _told(settings)
        return
    total, begun = Voyage(), perf_counter()
    for voyage in voyages(settings):
        total = total + voyage
        settings.tell(f"{total.runs} runs")
    spent = perf_counter() - begun
    if settings.runs >= ENOUGH_TO_MEET_ALL:
        for place in sorted(never_met(total.met)):
            total.counts.complain("unexpected", f"{place} was never met")
    struck = sum(total.met.values())
    note = (
        f"seeds {settings.seed}-{settings.seed + settings.runs - 1}, {struck} faults, {total.runs / spent:.0f} runs/s"
    )
    yield Row(name="simulated schedules", runs=total.runs, counts=total.counts, note=note)


def never_met(met: Counter[str]) -> set[str]:
    """Failpoints of the gateway at which nothing crashed, or nothing met an I/O error."""
    wanted = {f"{action.value}:{point}" for action in (Action.CRASH, Action.EIO) for point in GATEWAY_POINTS}
    return wanted - met.keys()


def _told(settings: Settings) -> Row:
    """One seed, told line by line."""
    schedule = Schedule.draw(settings.seed)
    settings.say(str(schedule))
    outcome = Simulation(schedule, Ground(), traced=True).run()
    for line in outcome.trace:
        settings.say(line)
    return Row(name=f"seed {settings.seed}", runs=1, counts=outcome.counts, note=f"met {dict(outcome.met)}")

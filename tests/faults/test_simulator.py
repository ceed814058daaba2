"""模拟 Seeded runs of the real flows come out whole; gateways with one law broken do not, and the counts say which."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.failpoints import Action
from tests.faults.judge import Counts
from tests.faults.nodes import Ground
from tests.faults.schedule import GATEWAY_POINTS, INSIDE, Asked, ClockStep, Leg, Mischief, Schedule
from tests.faults.simulator import Simulation, simulate
from tests.faults.values import REAL, Flows, Outcome
from tests.faults.variants import (
    AnswersBeforeCommit,
    accept_with_new_receipts,
    deliver_believing_any_200,
    deliver_with_fresh_ids,
    deliver_without_fence,
)
from tests.gateway_world import CIVIL_AFFAIRS, COURT

RUNS = 250
ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")


@pytest.fixture(scope="module")
def ground() -> Ground:
    return Ground()


def asked(*plan: str, at: float = 0.1) -> Asked:
    return Asked(court=COURT, office_id=CIVIL_AFFAIRS, programme="MLG", matching=True, at=at, plan=plan or ("PAID",))


def one(ground: Ground, seed: int = 1, **faults: Any) -> Outcome:
    return Simulation(Schedule(**{"seed": seed, "asked": (asked(),), **faults}), ground).run()


def counts_of(ground: Ground, flows: Flows, seeds: range) -> Counts:
    return sum((simulate(seed, ground, flows).counts for seed in seeds), Counts())


def test_seeded_runs_lose_nothing_do_nothing_twice_and_nothing_that_nobody_asked_for(ground: Ground) -> None:
    outcomes = [simulate(seed, ground) for seed in range(RUNS)]
    assert [outcome.seed for outcome in outcomes if not outcome.met] == []
    total = sum((outcome.counts for outcome in outcomes), Counts())
    assert (total.complaints, total.lost, total.unexpected, total.duplicated) == ([], 0, 0, 0)
    assert total.recovered > RUNS / 2


def test_a_seed_means_the_same_run_again(ground: Ground) -> None:
    for seed in range(5):
        first, again = (simulate(seed, ground, traced=True) for _ in range(2))
        assert [ID.sub("id", line) for line in first.trace] == [ID.sub("id", line) for line in again.trace]
        assert first.met == again.met


def test_the_swift_connection_does_what_sqlalchemys_own_does(ground: Ground) -> None:
    ordinary = Ground(swift=False)
    for seed in range(100, 120):
        swift, own = (simulate(seed, one, traced=True) for one in (ground, ordinary))
        assert [ID.sub("id", line) for line in swift.trace] == [ID.sub("id", line) for line in own.trace]
        assert swift.counts == own.counts


@pytest.mark.parametrize("action", [Action.CRASH, Action.EIO])
def test_the_gateway_struck_once_at_each_point_and_again_at_the_second_time_is_whole(
    action: Action, ground: Ground
) -> None:
    met: Counter[str] = Counter()
    for point in GATEWAY_POINTS:
        outcome = one(ground, failures={(point, 1): action, (point, 2): action})
        assert outcome.counts.complaints == []
        met += outcome.met
    assert {f"{action.value}:{point}" for point in GATEWAY_POINTS} <= met.keys()


def test_whoever_stops_at_any_point_past_its_lease_does_no_harm_when_it_goes_on(ground: Ground) -> None:
    for point in (name for name in GATEWAY_POINTS if name not in INSIDE):
        outcome = one(ground, pauses={(point, 1): 61.0})
        assert (outcome.counts.complaints, outcome.met) == ([], Counter({f"pause:{point}": 1}))


def mischief() -> Iterator[tuple[Leg, Mischief]]:
    for leg in Leg:
        for kind in Mischief:
            if leg is Leg.PUSH or kind.value in {"drop_request", "drop_answer", "twice", "late_copy", "late"}:
                yield leg, kind


def test_every_mischief_on_every_wire_ends_well_alone_and_in_a_row(ground: Ground) -> None:
    for leg, kind in mischief():
        outcome = one(ground, mischief={(leg.value, nth): kind for nth in (1, 2, 3)})
        assert outcome.counts.complaints == [], (leg, kind)
        assert outcome.met[f"{leg.value}:{kind.value}"] >= 1


def test_an_answer_counts_as_later_though_our_own_clock_was_set_back_between_it_and_the_one_before(
    ground: Ground,
) -> None:
    step = ClockStep(at=2.5, who="gateway", seconds=-240)
    for seed in range(12):
        plan = (asked("ACCEPTED", "PAID"),)
        assert one(ground, seed, asked=plan, steps=(step,)).counts.complaints == []


def test_a_retry_under_a_fresh_id_is_work_done_twice(ground: Ground) -> None:
    assert counts_of(ground, Flows(deliver=deliver_with_fresh_ids), range(20)).duplicated > 0


def test_an_answer_before_the_commit_is_lost_when_the_process_dies() -> None:
    early = Ground(AnswersBeforeCommit)
    outcome = one(early, failures={("accept.answering", 1): Action.CRASH})
    assert one(early).counts.lost + outcome.counts.lost > 0
    assert counts_of(early, REAL, range(20)).lost > 0


def test_an_attempt_that_ends_without_its_fence_sends_again_what_had_arrived(ground: Ground) -> None:
    stalled = {(Leg.PUSH.value, 1): Mischief.STALL}
    flows = Flows(deliver=deliver_without_fence)
    schedules = [Schedule(seed=seed, asked=(asked(),), mischief=stalled) for seed in range(12)]
    broken = sum((Simulation(one, ground, flows).run().counts for one in schedules), Counts())
    honest = sum((Simulation(one, ground).run().counts for one in schedules), Counts())
    assert broken.unexpected > 0
    assert honest.complaints == []


def test_a_bare_200_taken_for_a_receipt_loses_what_never_arrived(ground: Ground) -> None:
    swallowed = {(Leg.PUSH.value, 1): Mischief.SWALLOWED_OK}
    schedule = Schedule(seed=1, asked=(asked(),), mischief=swallowed)
    outcome = Simulation(schedule, ground, Flows(deliver=deliver_believing_any_200)).run()
    assert (outcome.counts.lost > 0, outcome.counts.duplicated) == (True, 0)


def test_a_repeat_with_a_receipt_of_its_own_is_unexpected(ground: Ground) -> None:
    schedule = Schedule(seed=1, asked=(asked(),), mischief={(Leg.COURT.value, 1): Mischief.TWICE})
    outcome = Simulation(schedule, ground, Flows(accept_many=accept_with_new_receipts)).run()
    assert outcome.counts.unexpected > 0

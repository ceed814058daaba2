"""进程 Real processes struck in the middle of their work: a slice of what `make faults` sweeps, on files and sockets.

The judge is the court's journal and the agency's notebook.
"""

from collections.abc import Iterator

import pytest

from gateway.failpoints import Action
from tests.faults import hazards, syscalls
from tests.faults.__main__ import SCENARIOS, read
from tests.faults.installation import Template, Zygote, judge_books, template, zygote
from tests.faults.judge import Counts
from tests.faults.partner import EVERY_TRICK, Trick
from tests.faults.scenario import Row, Settings, lines
from tests.faults.strikes import strike

SLICE = (
    ("store.written", Action.KILL),
    ("store.committed", Action.EIO),
    ("accept.answering", Action.KILL),
    ("dispatch.queued", Action.EIO),
    ("deliver.answered", Action.KILL),
    ("receive.applied", Action.KILL),
    ("client.answered", Action.KILL),
    ("journal.written", Action.EIO),
    ("agency.kept", Action.KILL),
    # an I/O error once ended the agency's only thread that tells its answers
    ("agency.written", Action.EIO),
)


@pytest.fixture(scope="module")
def mother() -> Iterator[Zygote]:
    with zygote() as made:
        yield made


@pytest.fixture(scope="module")
def made() -> Iterator[Template]:
    with template() as found:
        yield found


def require_whole(counts: Counts) -> None:
    assert (counts.complaints, counts.lost, counts.unexpected, counts.duplicated) == ([], 0, 0, 0)
    assert counts.recovered > 0


@pytest.mark.slow
@pytest.mark.parametrize(("point", "action"), SLICE)
def test_a_process_struck_at_a_failpoint_is_whole_afterwards(
    point: str, action: Action, mother: Zygote, made: Template
) -> None:
    require_whole(strike(mother, made, point, action))


@pytest.mark.slow
def test_a_partner_that_times_out_answers_by_halves_or_for_another_costs_nothing(
    mother: Zygote, made: Template
) -> None:
    script = (Trick.LATE_FOR_THE_NEXT, Trick.HALF, Trick.ANOTHERS, Trick.NOT_ARRIVED, Trick.WRONG_DIGEST, Trick.TWICE)
    assert set(script) <= set(EVERY_TRICK)
    require_whole(hazards.misbehaving_partner(mother, made, script))


@pytest.mark.slow
@pytest.mark.parametrize("hazard", [hazards.zombie_worker, hazards.full_disk], ids=["zombie", "disk"])
def test_the_gateway_comes_through(hazard: hazards.Hazard, mother: Zygote, made: Template) -> None:
    require_whole(hazard(mother, made))


@pytest.mark.slow
def test_a_database_server_that_is_killed_under_load_takes_nothing_with_it(mother: Zygote) -> None:
    require_whole(hazards.killed_postgres(mother, load=12, kills=1))


@pytest.mark.slow
@pytest.mark.parametrize(("call", "error", "nth"), [("fdatasync", "EIO", 2), ("pwrite64", "ENOSPC", 9)])
def test_an_error_of_the_kernel_is_survived(call: str, error: str, nth: int, mother: Zygote, made: Template) -> None:
    if (reason := syscalls.why_not()) is not None:
        pytest.skip(reason)
    counts, was_met = syscalls.struck(mother, made, call, error, nth)
    assert was_met
    require_whole(counts)


# --- the command and its judge ---


def test_the_table_adds_up_and_shows_every_complaint() -> None:
    rows = [
        Row(name="one", runs=3, counts=Counts(recovered=2)),
        Row(name="other", runs=1, counts=Counts(lost=1, complaints=["lost: r-1"]), note="seeds 1-3"),
    ]
    table = list(lines(rows))
    assert table[0].split() == ["scenario", "runs", "lost", "unexpected", "duplicated", "recovered"]
    assert table[3].endswith("seeds 1-3")
    assert table[-2].split() == ["total", "4", "1", "0", "0", "2"]
    assert table[-1].strip() == "lost: r-1"


def test_one_seed_is_run_alone_and_everything_is_run_by_default() -> None:
    settings, names = read(["--seed", "17", "--runs", "1", "--verbose"])
    assert (settings.seed, settings.runs, settings.workers, names) == (17, 1, 1, ["simulator"])
    assert read([])[1] == list(SCENARIOS)


def test_few_numbers_of_many_are_spread_over_all_and_another_seed_tries_others() -> None:
    first, second = (syscalls.plan("pwrite64", 600, Settings(seed=seed)) for seed in (0, 1))
    assert len(first) == len(set(first)) == syscalls.FEW
    assert (first[0], first[-1][0] > 580) == ((1, "EIO"), True)
    assert {nth for nth, _ in first}.isdisjoint(nth for nth, _ in second)
    assert len(syscalls.plan("fdatasync", 20, Settings())) == 40
    assert len(syscalls.plan("pwrite64", 600, Settings(thorough=True))) == 1200


def test_the_books_tell_what_was_lost_done_twice_and_done_unasked() -> None:
    entry = ("r-0", "accepted", 1, "a receipt")
    told = {"r-0": {"r-0:1": "assisted"}}
    sent = [("h", "payment", 2, "sent")]
    assert judge_books([entry], ["r-0:1"], sent, told, 1) == Counts(recovered=1)
    assert judge_books([entry], [], [], told, 1).lost == 1
    assert judge_books([entry], ["r-0:1", "r-0:1"], [], told, 1).duplicated == 1
    assert judge_books([entry], ["r-0:1", "r-9:1"], [], told, 1).unexpected == 1
    assert judge_books([entry], ["r-0:1"], [], {"r-0": {"r-0:1": "handed_off"}}, 1).lost == 1
    assert judge_books([("r-0", "refused", 1, None)], ["r-0:1"], [], told, 1).unexpected == 1
    assert judge_books([entry], ["r-0:1"], [("h", "payment", 1, "refused")], told, 1).lost == 1

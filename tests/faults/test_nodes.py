"""多节点 Several workers over one database, each a real process: one does each job, and the dead are followed.

Whoever slept past its lease is refused; a node whose clock is wrong changes nothing.
"""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.envelope.message import digest
from gateway.errors import StoreUnavailable
from gateway.flows.deliver import LEASE as LANE_LEASE
from gateway.flows.deliver import deliver
from gateway.store import leases, tokens
from gateway.store.engine import Store
from gateway.store.tables import outbox
from gateway.worker import HOUR, LEASE
from tests.faults.cluster import COURT, NOWHERE, Cluster, cluster, held_office, referral, wait_for
from tests.faults.paused_writer import MINUTE, NOW
from tests.gateway_world import CIVIL_AFFAIRS, World, migrated
from tests.postgres import RunningPostgres

ROOT = Path(__file__).parents[2]
WRONG_CLOCK = Path(__file__).parent / "wrong_clock"
WRONG_BY = timedelta(minutes=10)
WORKERS = ("work-1", "work-2", "work-3")
SECOND = timedelta(seconds=1)
MS = timedelta(milliseconds=1)


def lease_of(gateway: Cluster, name: str) -> dict[str, Any] | None:
    found = gateway.rows("SELECT owner, fence, until FROM leases WHERE name = :name", name=name)
    return found[0] if found else None


def turns_done(gateway: Cluster, job: str) -> list[dict[str, Any]]:
    """By all workers together, in the order of their fences."""
    lines = [line for name in WORKERS for line in gateway.log(name, "turn done") if line["job"] == job]
    return sorted(lines, key=lambda line: line["fence"])


def holder(gateway: Cluster, name: str) -> str:
    """Which of our processes holds a lease: owners carry their pid."""
    lease = lease_of(gateway, name)
    assert lease is not None
    (worker,) = [worker for worker, pid in gateway.pids.items() if f":{pid}:" in lease["owner"]]
    return worker


def issued(gateway: Cluster, number: int) -> list[dict[str, Any]]:
    return gateway.rows("SELECT * FROM outbox WHERE referral_id = :id", id=f"r-{number}")


@pytest.mark.slow
def test_of_three_workers_one_does_a_turn_and_when_the_one_at_work_dies_another_follows(
    tmp_path: Path, database_url: str
) -> None:
    with cluster(tmp_path, database_url) as gateway, held_office(gateway.world) as office:
        gateway.open_offices(office.url)
        office.release.set()
        client = gateway.client(COURT, gateway.serve("serve"))
        for name in WORKERS:
            gateway.work(name)
        for turn in range(1, 4):
            wait_for(lambda: lease_of(gateway, "tokens"))
            gateway.rows("UPDATE leases SET until = 0 WHERE name = 'tokens'")  # its hour has come
            done = wait_for(lambda turn=turn: (found := turns_done(gateway, "tokens"))[turn - 1 :] and found)
            assert [line["fence"] for line in done] == list(range(1, turn + 1))

        client.send(**referral(1))
        wait_for(lambda: issued(gateway, 1))
        dead, lease = holder(gateway, "dispatch"), lease_of(gateway, "dispatch")
        assert lease is not None
        gateway.signal(dead, signal.SIGKILL)
        client.send(**referral(2))
        (message,) = wait_for(lambda: issued(gateway, 2))
        assert holder(gateway, "dispatch") != dead
        assert (lease_of(gateway, "dispatch") or {})["fence"] == lease["fence"] + 1
        # not before the dead one's lease had run out, and not much after: the clock asks four times a second
        late = (message["created_at"] - lease["until"]) * MS
        assert timedelta(0) <= late < LEASE
        wait_for(lambda: {row["state"] for row in gateway.rows("SELECT state FROM outbox")} == {"relayed"})
        assert len(office.bodies) == 2


@pytest.mark.slow
def test_one_worker_signs_the_log_and_a_stopped_one_is_followed_under_a_higher_fence(
    tmp_path: Path, database_url: str
) -> None:
    with cluster(tmp_path, database_url) as gateway:
        gateway.open_offices(NOWHERE)
        client = gateway.client(COURT, gateway.serve("serve"))
        for name in WORKERS:
            gateway.work(name)
        client.send(**referral(1))
        wait_for(lambda: all_signed(gateway))
        asleep = holder(gateway, "sequencer")
        gateway.freeze(asleep)
        client.send(**referral(2))
        wait_for(lambda: all_signed(gateway))
        assert holder(gateway, "sequencer") != asleep
        gateway.thaw(asleep)
        client.send(**referral(3))
        wait_for(lambda: all_signed(gateway))

        signed = gateway.rows("SELECT size, fence FROM checkpoints ORDER BY size")
        fences = [row["fence"] for row in signed]
        assert (fences, set(fences)) == (sorted(fences), {1, 2})
        told = [line["tree_size"] for name in WORKERS for line in gateway.log(name, "checkpoint signed")]
        assert sorted(told) == [row["size"] for row in signed]
        assert gateway.rows("SELECT recovering_since FROM log_head") == [{"recovering_since": None}]


def all_signed(gateway: Cluster) -> bool:
    """The newest checkpoint covers every leaf there is, and every referral that was sent has left one."""
    (found,) = gateway.rows(
        "SELECT (SELECT size FROM log_head) AS size, (SELECT max(size) FROM checkpoints) AS signed,"
        " (SELECT count(*) FROM needs WHERE dispatch_at IS NOT NULL) AS waiting"
    )
    return found["size"] == found["signed"] and not found["waiting"]


@pytest.mark.slow
@pytest.mark.parametrize("late_status", [200, 422])
def test_a_worker_stopped_in_the_middle_of_a_push_past_its_lease_cannot_write_when_it_wakes(
    late_status: int, tmp_path: Path, database_url: str
) -> None:
    with cluster(tmp_path, database_url) as gateway, held_office(gateway.world) as office:
        gateway.open_offices(office.url)
        office.first_status = late_status
        gateway.work("asleep")
        gateway.client(COURT, gateway.serve("serve")).send(**referral(1))
        assert office.came.wait(30)
        gateway.freeze("asleep")
        office.release.set()

        gateway.work("awake", later=LANE_LEASE + SECOND)
        wait_for(lambda: gateway.log("awake", "messages relayed"))
        before = gateway.rows("SELECT * FROM outbox"), gateway.rows("SELECT * FROM receipts")
        gateway.thaw("asleep")
        (line,) = wait_for(lambda: gateway.log("asleep", "lane stopped"))
        assert line["code"] == "lease_lost"

        assert (gateway.rows("SELECT * FROM outbox"), gateway.rows("SELECT * FROM receipts")) == before
        (message,) = before[0]
        assert (message["state"], message["lease_fence"], message["attempts"]) == ("relayed", 2, 2)
        assert [digest(body.decode()) for body in office.bodies] == [message["digest"]] * 2
        attempts = gateway.rows("SELECT number, outcome FROM attempts ORDER BY number")
        assert [(row["number"], row["outcome"]) for row in attempts] == [(1, None), (2, "relayed")]


@pytest.mark.slow
def test_a_node_whose_clock_is_minutes_ahead_neither_steals_leases_nor_sends_early(
    tmp_path: Path, postgres_url: str
) -> None:
    with cluster(tmp_path, postgres_url) as gateway, held_office(gateway.world) as office:
        gateway.open_offices(office.url)
        office.first_status = 503
        client = gateway.client(COURT, gateway.serve("serve"))
        gateway.work("right")
        client.send(**referral(1))
        assert office.came.wait(30)
        ahead = str(int(WRONG_BY.total_seconds()))
        gateway.work("wrong", WRONG_CLOCK_SECONDS=ahead, PYTHONPATH=f"{WRONG_CLOCK}{os.pathsep}{ROOT}")
        (begun,) = gateway.log("wrong", "worker started")
        assert datetime.fromisoformat(begun["time"]) - datetime.now(UTC) > WRONG_BY - MINUTE

        # the right one hangs in its push; the wrong one takes the next message, and leaves the first alone
        client.send(**referral(2))
        wait_for(lambda: gateway.log("wrong", "messages relayed"))
        assert [row["attempts"] for row in issued(gateway, 1)] == [1]
        assert len(office.bodies) == 2

        office.release.set()
        (waiting,) = wait_for(lambda: [row for row in issued(gateway, 1) if row["state"] == "unknown"])
        wait_for(lambda: [row for row in issued(gateway, 1) if row["state"] == "relayed"])
        (again,) = gateway.rows(
            "SELECT started_at FROM attempts WHERE message_id = :id AND number = 2", id=waiting["message_id"]
        )
        assert timedelta(0) <= (again["started_at"] - waiting["due_at"]) * MS < LEASE
        planned = lease_of(gateway, "tokens")
        assert planned is not None
        assert abs(from_now(gateway, planned["until"]) - HOUR) < MINUTE


def from_now(gateway: Cluster, moment: int) -> timedelta:
    """How far a stored moment is from the installation's time."""
    return moment * MS - (gateway.world.clock() - datetime.fromtimestamp(0, UTC))


@pytest.mark.slow
def test_a_writer_stopped_inside_its_transaction_loses_it_and_holds_up_the_others_for_seconds_only(
    postgres_url: str,
) -> None:
    migrated(postgres_url)
    command = [sys.executable, "-m", "tests.faults.paused_writer", postgres_url]
    store = Store(postgres_url)
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as paused:
        assert paused.stdout is not None and paused.stdin is not None
        try:
            assert paused.stdout.readline().strip() == "inside"
            paused.send_signal(signal.SIGSTOP)
            later = NOW + 2 * MINUTE
            lease = store.write(lambda c: leases.take(c, "sequencer", owner="other", now=later, length=MINUTE))
            assert lease is not None and lease.fence == 2
            paused.send_signal(signal.SIGCONT)
            said, _ = paused.communicate("go on\n", timeout=30)
        finally:
            paused.kill()
    assert said.split() == ["store_unavailable", "lease_lost"]
    unused = [store.write(lambda c, jti=jti: tokens.use(c, COURT, jti, NOW)) for jti in ("paused", "again")]
    store.close()
    assert unused == [True, True]


def test_what_an_office_answered_is_kept_in_hand_while_the_database_is_away(
    postgres_server: RunningPostgres, postgres_url: str
) -> None:
    world, rests = World(postgres_url), list[float]()
    (office,) = [office for name, office in world.offices.items() if name == CIVIL_AFFAIRS]
    world.refer()
    world.dispatch()

    def answer_as_the_database_goes(body: bytes) -> None:
        postgres_server.close_to_all(postgres_url)

    def rest(seconds: float) -> bool:
        rests.append(seconds)
        if len(rests) == 3:
            postgres_server.open_to_all(postgres_url)
        return True

    office.fault = answer_as_the_database_goes
    courier = replace(world.courier(), rest=rest)
    assert deliver(world.context, CIVIL_AFFAIRS, courier).relayed == 1
    assert (len(office.bodies), len(rests), world.states()) == (1, 3, ["handed_off"])

    world.refer(referral_id="r-2", original_case_group="（2025）黔0102民初2号")
    world.dispatch()
    with pytest.raises(StoreUnavailable):  # a worker that stops leaves it to the next one
        deliver(world.context, CIVIL_AFFAIRS, replace(courier, rest=lambda _: False))
    postgres_server.open_to_all(postgres_url)
    assert [row["state"] for row in world.rows(outbox)] == ["relayed", "sending"]
    world.close()

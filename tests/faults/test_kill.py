"""断电 A gateway killed with SIGKILL in the middle of its work has lost nothing it promised, done nothing by halves."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.evidence.receipt import read
from gateway.flows.accept import Accepted, accept_many
from gateway.flows.deliver import LEASE
from gateway.store import tables as t
from tests.builders import an_id_number
from tests.gateway_world import COURT, GATEWAY, World, a_referral_body

MESSAGES = 400
KILL_AFTER = 60
ROOT = Path(__file__).parents[2]


@pytest.fixture
def world(sqlite_url: str) -> Iterator[World]:
    made = World(sqlite_url)
    yield made
    made.close()


@pytest.fixture
def key_file(world: World, tmp_path: Path) -> Path:
    path = tmp_path / "gateway.pem"
    path.write_bytes(world.context.key.to_pem())
    return path


def start(work: str, world: World, key_file: Path, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.faults.gateway_process", work, world.url, str(key_file), *more]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def referrals(world: World) -> list[bytes]:
    return [
        world.court.sign(
            "referral.submitted",
            a_referral_body(
                referral_id=f"r-{at}",
                person=a_referral_body()["person"]
                | {"id_number": an_id_number(serial=at % 100, female=at % 200 < 100)},
                original_case_group=f"（2025）黔0102民初{at + 1}号",
                needs=[{"programme": "MLG"}, {"programme": "ASD"}],
            ),
            now=world.now,
        )
        for at in range(MESSAGES)
    ]


def by_message(receipts: list[str], world: World) -> dict[str, str]:
    proven = [read(line.encode(), world.keyring, recipient=COURT, issuer=GATEWAY, now=world.now) for line in receipts]
    return {receipt.message_id: receipt.jws for receipt in proven}


def require_whole(world: World) -> None:
    """Every message on file has its receipt, referral, needs and keys, and nothing is there without its message."""
    inbox, on_file = world.rows(t.inbox), world.rows(t.referrals)
    assert {row["subject"] for row in inbox} == {row["referral_id"] for row in on_file}
    assert by_message([row["receipt"] for row in inbox], world).keys() == {row["message_id"] for row in inbox}
    per_referral: dict[str, int] = {}
    for need in world.rows(t.needs):
        per_referral[need["referral_id"]] = per_referral.get(need["referral_id"], 0) + 1
    assert per_referral == {row["referral_id"]: row["needs_accepted"] for row in on_file}
    assert {row["referral_id"] for row in world.rows(t.identity_keys)} == set(per_referral)
    assert len(world.rows(t.decisions)) == len(on_file)


def test_every_receipt_handed_out_before_the_kill_is_on_file_and_the_rest_goes_through_once(
    world: World, key_file: Path, tmp_path: Path
) -> None:
    raws = referrals(world)
    file = tmp_path / "messages"
    file.write_bytes(b"\n".join(raws))
    process = start("accept", world, key_file, str(file))
    assert process.stdout is not None
    handed_out = [process.stdout.readline().strip() for _ in range(KILL_AFTER)]
    process.kill()
    late = process.stdout.read().splitlines(keepends=True)
    process.wait(10)
    handed_out += [line.strip() for line in late if line.endswith("\n")]

    kept = {row["message_id"]: row["receipt"] for row in world.rows(t.inbox)}
    promised = by_message(handed_out, world)
    assert KILL_AFTER <= len(promised) <= len(kept) < MESSAGES
    assert promised.items() <= kept.items()
    require_whole(world)

    outcomes: list[Any] = accept_many(raws, world.context, now=world.now)
    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert sum(outcome.replayed for outcome in outcomes) == len(kept)
    again = {outcome.message_id: outcome.receipt for outcome in outcomes}
    assert kept.items() <= again.items()
    assert len(world.rows(t.inbox)) == MESSAGES
    require_whole(world)


def test_a_deliverer_killed_between_lease_and_settlement_is_taken_over_with_the_same_bytes(
    world: World, key_file: Path
) -> None:
    world.refer()
    world.dispatch()
    process = start("deliver", world, key_file)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "pushing"
    process.kill()
    process.wait(10)

    (message,) = world.rows(t.outbox)
    (attempt,) = world.rows(t.attempts)
    assert (message["state"], message["lease_owner"], attempt["finished_at"]) == ("sending", "killed", None)
    assert world.deliver().sent == 0
    world.wait(LEASE)
    assert world.deliver().relayed == 1
    (office,) = [office for office in world.offices.values() if office.bodies]
    assert [body.decode() for body in office.bodies] == [message["jws"]]
    assert world.states() == ["handed_off"]
    assert [row["outcome"] for row in world.rows(t.attempts)] == [None, "relayed"]

"""运行 `serve` and `work` as processes: they say where they listen, stop when told, and share one database in peace."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
import sqlalchemy as sa

from gateway.store import tables as t
from tests.cli.installed import COURT, GATEWAY, OWN_VARIABLES, Installed, a_row, ndjson, party_of

STOP_SECONDS = 20
pytestmark = pytest.mark.timeout(90)


@contextmanager
def process(
    *arguments: str | Path, module: str = "gateway.cli", log: Path, **env: str
) -> Iterator[subprocess.Popen[str]]:
    """A command in a process of its own; killed at the end if it is still there."""
    own = {name: value for name, value in os.environ.items() if name not in {f"XIANJIE_{one}" for one in OWN_VARIABLES}}
    command = [sys.executable, "-m", module, *map(str, arguments)]
    with log.open("w") as stderr:
        started = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True, env={**own, **env})
    try:
        yield started
    finally:
        started.kill()
        started.communicate()


@contextmanager
def serve(installed: Installed, *more: str, port: int = 0) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """The gateway, and what its first line says."""
    arguments = ("--config", installed.config_path, "serve", "--port", str(port), *more)
    with process(*arguments, log=installed.folder / "serve.log") as started:
        assert started.stdout is not None
        said = json.loads(started.stdout.readline())
        installed.url = said["address"]
        yield started, said


@contextmanager
def work(installed: Installed, name: str = "work") -> Iterator[subprocess.Popen[str]]:
    """A worker."""
    with process("--config", installed.config_path, "work", log=installed.folder / f"{name}.log") as started:
        yield started


def stop(running: subprocess.Popen[str], number: int = signal.SIGTERM) -> int:
    """Tells it to stop and waits; its exit code."""
    running.send_signal(number)
    return running.wait(STOP_SECONDS)


def until(there: Callable[[], bool], seconds: float = 30) -> None:
    """Waits for something that must happen."""
    end = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)


def column(installed: Installed, wanted: sa.Column[Any]) -> list[Any]:
    with installed.context() as context, context.store.reading() as connection:
        return list(connection.execute(sa.select(wanted).order_by(wanted)).scalars())


def allow_loopback(installed: Installed) -> None:
    text = installed.config_path.read_text(encoding="utf-8")
    allowed = 'demo = true\nallow_addresses = ["127.0.0.1/32"]'
    installed.config_path.write_text(text.replace("demo = true", allowed), encoding="utf-8")


@contextmanager
def civil_affairs(installed: Installed) -> Iterator[str]:
    """The simulated office, a process of its own that the gateway pushes to; its address."""
    path = installed.folder / "agency.toml"
    path.write_text(
        f'agency = "civil_affairs"\nnotebook = "agency.sqlite"\n'
        f'[gateway]\nparty = "{GATEWAY}"\nurl = "{installed.url}"\n'
        f'jwks = "gateway-keys.json"\n[[desks]]\nparty = "{party_of("civil_affairs")}"\nkey = "civil_affairs/own.pem"\n'
        'channel = "push"\n[behaviour]\nsilent = 1.0\ndelivered_after = 600.0\n',
        encoding="utf-8",
    )
    with process("--config", path, module="gateway.sandbox.agency", log=installed.folder / "agency.log") as started:
        assert started.stdout is not None
        url = json.loads(started.stdout.readline())["url"]
        place = ("--party", party_of("civil_affairs"), "--agency", "civil_affairs", "--region", "520102")
        installed.done("office", "put", "civil_affairs-520102", *place, "--channel", "push", "--url", url)
        yield url


# --- serve ---


def test_the_first_line_says_where_it_listens(installed: Installed) -> None:
    with serve(installed) as (running, said):
        assert set(said) == {"address", "party", "working"}
        assert (said["party"], said["working"]) == (GATEWAY, False)
        assert requests.get(f"{said['address']}/readyz", timeout=5).status_code == 200
        assert stop(running) == 0
        assert running.stdout is not None
        assert running.stdout.read() == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_gateway_with_its_worker_stops_when_told(installed: Installed, number: int) -> None:
    with serve(installed, "--work") as (running, said):
        assert said["working"] is True
        assert stop(running, number) == 0


def test_its_log_is_json_without_anybodys_name(installed: Installed) -> None:
    file = ndjson(installed.folder / "rows.ndjson", a_row(1), a_row(2), a_row(3, person={}))
    with serve(installed, "--work") as (running, _):
        assert installed.send(file).exit_code == 1
        until(lambda: "accepted" not in column(installed, t.needs.c.state))
        assert stop(running) == 0
    log = (installed.folder / "serve.log").read_text()
    assert [line for line in log.splitlines() if not json.loads(line)] == []
    assert "messages accepted" in log
    assert [secret for secret in ("测试甲", "529999", "13900000000", str(installed.folder)) if secret in log] == []


def test_a_request_under_way_is_answered_before_the_end(installed: Installed) -> None:
    answers: list[int] = []
    with serve(installed) as (running, _):
        waiting = threading.Thread(target=lambda: answers.append(long_poll(installed)))
        waiting.start()
        time.sleep(0.8)
        assert stop(running) == 0
        waiting.join(10)
    assert answers == [0]


def long_poll(installed: Installed) -> int:
    """A mailbox that stays empty for two seconds; how many messages came."""
    from gateway.cli.partner import make_client

    client = make_client(
        url=installed.url,
        party=party_of("womens_federation"),
        key=installed.folder / "womens_federation" / "own.pem",
        gateway=GATEWAY,
        gateway_keys=installed.folder / "gateway-keys.json",
        journal=installed.folder / "poll.sqlite",
    )
    return len(list(client.inbox(wait=2)))


def test_a_port_that_is_taken_is_told(installed: Installed) -> None:
    with serve(installed) as (_, said):
        port = said["address"].rpartition(":")[2]
        result = installed.run("serve", "--port", port)
    assert (result.exit_code, f"cannot listen on 127.0.0.1:{port}" in result.stderr) == (2, True), result.stderr


def test_what_was_accepted_is_there_after_a_kill_and_the_rest_goes_later(installed: Installed) -> None:
    file = ndjson(installed.folder / "rows.ndjson", *(a_row(number) for number in range(1, 61)))
    with serve(installed) as (running, _):
        sending = threading.Thread(target=lambda: installed.send(file))
        sending.start()
        until(lambda: len(column(installed, t.inbox.c.seq)) > 0)
        running.kill()
        sending.join(30)
    with serve(installed):
        result = installed.send(file)
    assert result.exit_code == 0, result.stderr
    assert column(installed, t.inbox.c.seq) == list(range(1, 61))
    assert len(column(installed, t.referrals.c.referral_id)) == 60


# --- work ---


def test_a_worker_of_its_own_does_what_serve_takes_in(installed: Installed) -> None:
    allow_loopback(installed)
    with serve(installed), civil_affairs(installed), work(installed) as worker:
        installed.send(ndjson(installed.folder / "rows.ndjson", a_row(1)))
        until(lambda: column(installed, t.needs.c.state) == ["handed_off"])
        assert stop(worker) == 0


def test_two_workers_at_once_do_nothing_twice(installed: Installed) -> None:
    allow_loopback(installed)
    with serve(installed), civil_affairs(installed), work(installed, "one") as one, work(installed, "two") as two:
        for first in range(1, 41, 10):
            file = ndjson(installed.folder / "rows.ndjson", *(a_row(number) for number in range(first, first + 10)))
            assert installed.send(file).exit_code == 0
        until(lambda: column(installed, t.needs.c.state) == ["handed_off"] * 40)
        assert [stop(worker) for worker in (one, two)] == [0, 0]
    assert column(installed, t.outbox.c.attempts) == [1] * 40
    assert column(installed, t.outbox.c.seq) == list(range(1, 41))
    assert len(set(column(installed, t.handoffs.c.handoff_id))) == 40
    logs = [(installed.folder / f"{name}.log").read_text() for name in ("one", "two")]
    assert [line for log in logs for line in log.splitlines() if json.loads(line).get("level") == "ERROR"] == []


def test_a_killed_workers_work_is_finished_by_the_next(installed: Installed) -> None:
    allow_loopback(installed)
    with serve(installed), civil_affairs(installed):
        installed.send(ndjson(installed.folder / "rows.ndjson", *(a_row(number) for number in range(1, 21))))
        with work(installed) as killed:
            until(lambda: "routed" in column(installed, t.needs.c.state))
            killed.kill()
            killed.wait(STOP_SECONDS)
        with work(installed, "next") as worker:
            until(lambda: column(installed, t.needs.c.state) == ["handed_off"] * 20, seconds=70)
            assert stop(worker) == 0
    assert column(installed, t.outbox.c.seq) == list(range(1, 21))


def test_a_court_may_look_while_everything_runs(installed: Installed) -> None:
    with serve(installed, "--work"):
        installed.send(ndjson(installed.folder / "rows.ndjson", a_row(1)))
        assert installed.run("doctor").exit_code == 0
        assert installed.json("balance", "--court", COURT)["total"]["accepted"] == 1

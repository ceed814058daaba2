"""The simulated agency as a process of its own, over real HTTP, until it is told to stop."""

import json
import signal
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
import requests

from gateway.domain.agreement import Channel
from gateway.envelope import webhook
from gateway.errors import ConfigError
from gateway.sandbox.agency import main
from gateway.sandbox.agency_config import read_config
from gateway.sandbox.behaviour import Behaviour
from tests.sandbox.world import GATEWAY, Gateway, World, a_message, a_world, key_of, party

DELAYS = "delivered_after = 0.01\ndisposition_after = 0.02\ndecision_after = 0.03\npayment_after = 0.04\n"


def write_config(folder: Path, url: str = "http://127.0.0.1:1", *, behaviour: str = DELAYS, more: str = "") -> Path:
    """An honest configuration; the desk's key and the gateway's JWK set lie beside it."""
    (folder / "desk.pem").write_bytes(key_of(party()).to_pem())
    jwk = {**key_of(GATEWAY).public_jwk(), "kid": key_of(GATEWAY).kid, "use": "sig", "alg": "Ed25519"}
    (folder / "gateway.jwks").write_text(json.dumps({"keys": [jwk]}), encoding="utf-8")
    path = folder / "agency.toml"
    path.write_text(
        f'agency = "civil_affairs"\n{more}\n'
        f'[gateway]\nparty = "{GATEWAY}"\nurl = "{url}"\njwks = "gateway.jwks"\n'
        f'[[desks]]\nparty = "{party()}"\nkey = "desk.pem"\n'
        f"[behaviour]\n{behaviour}",
        encoding="utf-8",
    )
    return path


# --- the configuration ---


def test_the_configuration_is_read_with_its_keys(tmp_path: Path) -> None:
    config = read_config(write_config(tmp_path, more='listen = "127.0.0.1:8700"\nnotebook = "kept.sqlite"\n'))
    assert (config.host, config.port, config.notebook) == ("127.0.0.1", 8700, tmp_path / "kept.sqlite")
    assert config.desks[party()].channel is Channel.PUSH
    assert config.keyring.find(key_of(GATEWAY).kid) is not None
    assert config.behaviour.payment_after == 0.04


def test_the_example_is_complete_and_can_be_used_as_it_is(tmp_path: Path) -> None:
    path = write_config(tmp_path)
    path.write_text(files("gateway.sandbox").joinpath("agency.example.toml").read_text(encoding="utf-8"), "utf-8")
    config = read_config(path)
    assert list(config.desks) == ["cn/agency/civil_affairs/520102"]
    assert set(tomllib.loads(path.read_text(encoding="utf-8"))["behaviour"]) == set(Behaviour.__slots__)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('agency = "civil_affairs"', 'agency = "police"'),
        ("[gateway]", "[gatewy]"),
        ("desk.pem", "missing.pem"),
        ("delivered_after", "deliverd_after"),
        ("delivered_after = 0.01", "delivered_after = 'soon'"),
        ("[[desks]]", "[desks]"),
        ('key = "desk.pem"', 'key = "desk.pem"\nchannel = "pigeon"'),
        ("gateway.jwks", "desk.pem"),
    ],
)
def test_a_configuration_with_a_slip_is_refused_and_the_command_says_so(tmp_path: Path, old: str, new: str) -> None:
    path = write_config(tmp_path)
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(ConfigError):
        read_config(path)
    assert main(["--config", str(path)]) == 2


# --- the process ---


class _Door(BaseHTTPRequestHandler):
    """`POST /v1/messages` of the gateway beside the process."""

    gateway: Gateway

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status, receipt = self.gateway.post("http://gateway.example:8600" + self.path, body, "application/jose")
        self.send_response(status)
        self.send_header("Content-Length", str(len(receipt)))
        self.end_headers()
        self.wfile.write(receipt)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@contextmanager
def a_gateway(world: World) -> Iterator[str]:
    door = type("_DoorOf", (_Door,), {"gateway": world.gateway})
    with ThreadingHTTPServer(("127.0.0.1", 0), door) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@contextmanager
def a_process(config: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    command = [sys.executable, "-m", "gateway.sandbox.agency", "--config", str(config)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process, json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


def test_a_handoff_pushed_to_the_process_is_receipted_and_answered_until_it_is_told_to_stop(tmp_path: Path) -> None:
    world = a_world()
    world.clock.now = datetime.now(UTC)
    with a_gateway(world) as url, a_process(write_config(tmp_path, url)) as (process, said):
        assert (said["agency"], said["parties"]) == ("civil_affairs", [party()])
        raw = a_message(time=world.clock.now)
        headers = webhook.headers(key_of(GATEWAY), message_id="push-1", timestamp=world.clock.now, body=raw)
        answer = requests.post(
            said["url"], data=raw, headers={**headers, "Content-Type": "application/jose"}, timeout=10
        )
        assert world.receipt(answer.content).message_id == "m-h-1"
        until = monotonic() + 10
        while len(world.gateway.received) < 4 and monotonic() < until:
            sleep(0.05)
        assert [message.envelope.seq for message in world.gateway.received] == [1, 2, 3, 4]
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0

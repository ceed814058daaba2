"""角色 What a process of the sweeps is: the gateway with web and worker, a simulated agency, a court that sends.

Each is the real thing (waitress, scheduler, HTTP, SQLite or PostgreSQL on disk) on loopback, but for its clock: it is
the system's, moved by a number in a file that all processes of an installation share, so that a lease runs out when the
sweep says so. A failpoint is armed here, by name, from the parameters; nothing reads the environment.
"""

import json
import logging
import mmap
import os
import signal
import struct
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from types import FrameType
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from waitress.server import create_server  # type: ignore[import-untyped]

from gateway import failpoints
from gateway.client import Client, Journal, Outgoing
from gateway.domain.agreement import Channel
from gateway.envelope.keyring import SigningKey
from gateway.errors import PartnerUnreachable, ReceiptMismatch, StoreUnavailable
from gateway.sandbox.agency import Agency, make_app
from gateway.sandbox.agency_config import AgencyConfig, Desk, gateway_keyring
from gateway.sandbox.behaviour import Behaviour
from gateway.store.engine import Store
from gateway.transport.address import resolve
from gateway.transport.answer import Answer
from gateway.transport.push import Pusher
from gateway.web.server import open_server
from gateway.web.site import create_site
from gateway.worker import Worker
from tests.gateway_world import GATEWAY, VAULT, a_context

LOOPBACK = "127.0.0.1"
PUSH_SECONDS = 2.0
AT_ONCE = Behaviour(delivered_after=0, disposition_after=0, decision_after=0, payment_after=0)
Say = Callable[[dict[str, Any]], None]


class MovableClock:
    """The system's clock, moved by what stands in the file."""

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._offset = mmap.mmap(file.fileno(), 8)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.offset)

    @property
    def offset(self) -> float:
        """Seconds from the system's time."""
        found: float = struct.unpack("d", self._offset[:8])[0]
        return found

    def move(self, seconds: float) -> None:
        """For every process at once."""
        self._offset[:8] = struct.pack("d", self.offset + seconds)

    @staticmethod
    def create(path: Path, now: datetime) -> "MovableClock":
        """A file by which it is `now`."""
        path.write_bytes(struct.pack("d", (now - datetime.now(UTC)).total_seconds()))
        return MovableClock(path)


def run_gateway(given: Mapping[str, Any], say: Say) -> None:
    """Web and worker until told to stop. most_pages: SQLite's disk is full at so many."""
    folder, clock = Path(given["folder"]), MovableClock(Path(given["clock"]))
    store = Store(given["database"], vault=VAULT)
    if "most_pages" in given:
        event.listen(store.engine, "connect", lambda c, _: c.execute(f"PRAGMA max_page_count={given['most_pages']}"))
    context = a_context(store, SigningKey.load_pem((folder / "gateway.pem").read_bytes(), GATEWAY))
    pusher = Pusher()

    def push(url: str, body: bytes, content_type: str, headers: Mapping[str, str]) -> Answer:
        endpoint = resolve(url, allowed=[ip_network("127.0.0.0/8")])
        return pusher.push(endpoint, body, content_type=content_type, headers=headers, timeout=PUSH_SECONDS)

    worker = Worker(context, push, clock, owner=f"worker:{os.getpid()}")
    server = open_server(create_site(context, clock, public_url=None), host=LOOPBACK, port=given["port"], threads=8)
    with store.reading() as connection:
        connection.execute(sa.text("SELECT count(*) FROM parties")).scalar()
    say({"ready": True})
    worker.start()
    try:
        server.run()
    finally:
        server.close()
        worker.stop()
        store.close()


def run_agency(given: Mapping[str, Any], say: Say) -> None:
    """Civil affairs of the sandbox, which answers everything at once."""
    folder, clock = Path(given["folder"]), MovableClock(Path(given["clock"]))
    key = SigningKey.load_pem((folder / "agency.pem").read_bytes(), given["party"])
    config = AgencyConfig(
        agency="civil_affairs",
        gateway=GATEWAY,
        gateway_url=given["gateway_url"],
        keyring=gateway_keyring([json.loads((folder / "gateway.jwk").read_text())], GATEWAY),
        desks={key.party_id: Desk(key=key, channel=Channel.PUSH)},
        behaviour=AT_ONCE,
        notebook=folder / "notebook.sqlite",
    )
    agency = Agency.of(config, clock)
    server = create_server(make_app(config, agency.reception), host=LOOPBACK, port=given["port"], threads=4)
    say({"ready": True})
    threads = agency.work()
    try:
        server.run()
    finally:
        agency.stopping.set()
        server.close()
        for thread in threads:
            thread.join(1)


def run_court(given: Mapping[str, Any], say: Say) -> None:
    """Sends every referral of the file until each has its receipt; what goes wrong is tried again."""
    client = make_client(Path(given["folder"]), given["gateway_url"], MovableClock(Path(given["clock"])))
    open_ = [Outgoing(**item) for item in json.loads(Path(given["referrals"]).read_text())]
    say({"ready": True})
    while open_:
        try:
            for _ in client.send_many(open_[:1]):
                open_.pop(0)
        except (PartnerUnreachable, ReceiptMismatch, StoreUnavailable, OSError):
            time.sleep(0.05)


def make_client(folder: Path, url: str, clock: MovableClock) -> Client:
    """The court's client with its journal."""
    key = SigningKey.load_pem((folder / "court.pem").read_bytes(), (folder / "court.id").read_text())
    keyring = gateway_keyring([json.loads((folder / "gateway.jwk").read_text())], GATEWAY)
    return Client(
        url=url,
        key=key,
        gateway=GATEWAY,
        gateway_keys=keyring.keys_of(GATEWAY),
        journal=Journal(folder / "journal.sqlite"),
        clock=clock,
        timeout=10,
    )


ROLES: Mapping[str, Callable[[Mapping[str, Any], Say], None]] = {
    "gateway": run_gateway,
    "agency": run_agency,
    "court": run_court,
}


def play(given: Mapping[str, Any], say: Say) -> None:
    """One process from its beginning to its end; its log goes to a file of its own."""
    log = Path(given["folder"]) / f"{given['name']}.log"
    sys.stderr = log.open("a", buffering=1, encoding="utf-8")
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s %(extra)s", force=True)
    logging.getLogger().handlers[0].addFilter(_with_extra)
    signal.signal(signal.SIGTERM, _leave)
    if given.get("failpoint"):
        failpoints.arm(_marked(failpoints.read_failure(given["failpoint"]), Path(given["folder"]) / "struck"))
    ROLES[given["role"]](given, say)


def _marked(failure: failpoints.OneFailure, mark: Path) -> failpoints.Plan:
    """Leaves a mark on disk before it strikes: a killed process can tell nobody."""

    def reach(name: str) -> None:
        if name == failure.point and failure.reached + 1 == failure.count:
            mark.touch()
        failure(name)

    return reach


def _with_extra(record: logging.LogRecord) -> bool:
    known = logging.makeLogRecord({}).__dict__.keys()
    record.extra = json.dumps({k: str(v) for k, v in record.__dict__.items() if k not in known and k != "extra"})
    return True


def _leave(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


@contextmanager
def dying_with_parent() -> Iterator[None]:
    """A sweep that is killed leaves no process behind (Linux)."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, int(signal.SIGKILL))
    yield

"""An installation whose nodes are real processes over one database: `serve`, `work`, an agency, clients with journals.

    with cluster(tmp_path, url) as gateway:
        address = gateway.serve("serve-1")
        gateway.agency(address, behaviour="payment_after = 1.0")   # or `held_office()` for one in our hands
        gateway.work("work-1")
        gateway.client(COURT, address).send(**referral(1))

Every process is stopped by its pid at the end. The judge is who took part: journals of courts, notebooks of agencies.
"""

import json
import os
import signal
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import sqlalchemy as sa

from gateway.cli.demo_world import GATEWAY, DemoWorld, agency_toml, make_world, open_offices, party_of
from gateway.cli.partner import read_jwks
from gateway.cli.processes import Processes, processes
from gateway.client import Client, Journal
from gateway.domain.agreement import PartyKind
from gateway.envelope.keyring import Keyring
from gateway.envelope.signing import verify
from gateway.evidence.receipt import Rung, issue
from tests.builders import an_id_number
from tests.gateway_world import a_referral_body

COURT = "cn/court/520100"
NOWHERE = "http://127.0.0.1:9/handoffs"
PATIENCE = 30.0


@dataclass
class Cluster:
    """The installation and what runs of it."""

    world: DemoWorld
    running: Processes
    pids: dict[str, int] = field(default_factory=dict)

    def serve(self, name: str) -> str:
        """Starts a web process; its address."""
        return str(self._start(name, "gateway.cli", ["serve", "--port", "0"])["address"])

    def work(self, name: str, *, later: timedelta = timedelta(0), **environment: str) -> None:
        """Starts a worker. later: for it so much time has passed already."""
        shift = (self.world.offset + later).total_seconds()
        self._start(name, "gateway.cli", ["work"], XIANJIE_CLOCK_OFFSET_SECONDS=str(shift), **environment)

    def agency(self, gateway_url: str, *, behaviour: str) -> None:
        """Starts civil affairs as a process and makes every office of it its own."""
        path = agency_toml(self.world, "civil_affairs", gateway_url)
        text = path.read_text(encoding="utf-8").partition("[behaviour]")[0]
        path.write_text(f"{text}[behaviour]\n{behaviour}\n", encoding="utf-8")
        said = self._start("civil_affairs", "gateway.sandbox.agency", ["--config", str(path)])
        self.open_offices(str(said["url"]))

    def open_offices(self, civil_affairs: str) -> None:
        """Offices in every prefecture and in Nanming; civil affairs' are pushed to at this address."""
        open_offices(self.world, {"civil_affairs": civil_affairs, "disabled_persons": NOWHERE})

    def client(self, court: str, url: str, *, journal: str = "journal", timeout: float = 10.0) -> Client:
        """A court's client; those with one journal are one court's, whichever node they speak to."""
        return Client(
            url=url,
            key=self.world.key(court),
            gateway=GATEWAY,
            gateway_keys=read_jwks(self.world.folder / "gateway-keys.json", GATEWAY),
            journal=Journal(self.journal(journal)),
            clock=self.world.clock,
            timeout=timeout,
        )

    def journal(self, name: str) -> Path:
        """The file of a client's journal."""
        return self.world.folder / f"{name}.sqlite"

    def notebook(self, question: str) -> list[tuple[Any, ...]]:
        """What civil affairs wrote down itself."""
        return rows_of(self.world.folder / "civil_affairs.sqlite", question)

    def signal(self, name: str, number: signal.Signals) -> None:
        """To one process, by its pid."""
        os.kill(self.pids[name], number)

    def freeze(self, name: str) -> None:
        """Stops one process, but not inside a write: over SQLite nobody else could write until it goes on (ADR 15)."""
        url = sa.make_url(self.world.config.database)
        if url.get_backend_name() != "sqlite":
            self.signal(name, signal.SIGSTOP)
            return
        with closing(sqlite3.connect(url.database or "", timeout=PATIENCE, isolation_level=None)) as base:
            base.execute("BEGIN IMMEDIATE")
            self.signal(name, signal.SIGSTOP)
            wait_for(lambda: _is_stopped(self.pids[name]))
            base.execute("ROLLBACK")

    def thaw(self, name: str) -> None:
        """It goes on as if nothing had been."""
        self.signal(name, signal.SIGCONT)

    def log(self, name: str, event: str | None = None) -> list[dict[str, Any]]:
        """What a process said so far; of one event only."""
        text = (self.world.folder / f"{name}.log").read_text(encoding="utf-8", errors="replace")
        lines = [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
        return [line for line in lines if event is None or line["event"] == event]

    def rows(self, question: str, **values: Any) -> list[dict[str, Any]]:
        """What the database says, in plain SQL."""
        engine = sa.create_engine(self.world.config.database)
        try:
            with engine.begin() as connection:
                found = connection.execute(sa.text(question), values)
                return [dict(row) for row in found.mappings()] if found.returns_rows else []
        finally:
            engine.dispose()

    def _start(self, name: str, module: str, arguments: list[str], **environment: str) -> dict[str, Any]:
        said = self.running.start(name, module, arguments, {**self.world.environment, **environment})
        self.pids[name] = said["pid"]
        return said


@contextmanager
def cluster(folder: Path, database: str) -> Iterator[Cluster]:
    """A new installation in the folder over this empty database; nothing runs yet."""
    with processes(folder, patience=10.0) as running:
        made = Cluster(world=make_world(folder, database), running=running)
        try:
            yield made
        finally:
            for pid in made.pids.values():
                _wake(pid)


def _is_stopped(pid: int) -> bool:
    done = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=True)
    return done.stdout.startswith("T")


def _wake(pid: int) -> None:
    """One that was stopped could not be told to end."""
    try:
        os.kill(pid, signal.SIGCONT)
    except ProcessLookupError:
        return


def referral(number: int) -> dict[str, Any]:
    """What a client sends: another person and another case a number, for civil affairs alone."""
    group, day = divmod(number, 10_000)
    born = date(1960, 1, 1) + timedelta(days=day)
    honest = a_referral_body()
    person = honest["person"]
    body = a_referral_body(
        referral_id=f"r-{number}",
        case_number=f"（2024）黔01司救执{number}号",
        original_case_group=f"（2023）黔0102民初{number}号",
        concluded_on="2024-07-31",
        notice_given_at="2024-07-31",
        survey=honest["survey"] | {"date": "2024-07-20"},
        verification_authorization=honest["verification_authorization"] | {"signed_at": "2024-07-20"},
        person=person | {"id_number": an_id_number(born, serial=group), "birth_date": born.isoformat()},
    )
    return {"type_": "referral.submitted", "data": body, "effect": f"r-{number}", "subject": f"r-{number}"}


def wait_for(what: Callable[[], Any], *, seconds: float = PATIENCE) -> Any:
    """What it says once it says something; fails after so many seconds."""
    until = monotonic() + seconds
    while not (found := what()):
        assert monotonic() < until, "it never came"
        sleep(0.05)
    return found


def rows_of(file: Path, question: str) -> list[tuple[Any, ...]]:
    """From somebody's own SQLite file."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as base:
        return base.execute(question).fetchall()


@dataclass
class HeldOffice:
    """Civil affairs' server in our hands: it takes everything down, and answers when it is let.

    The first push waits for `release` and gets `first_status`; later ones are answered at once.
    """

    world: DemoWorld
    bodies: list[bytes] = field(default_factory=list)
    came: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)
    first_status: int = 200
    url: str = ""

    def answer(self, body: bytes) -> tuple[int, bytes]:
        """One request: status and body of the answer."""
        self.bodies.append(body)
        status = 200
        if len(self.bodies) == 1:
            self.came.set()
            self.release.wait(PATIENCE)
            status = self.first_status
        return status, self.receipts(body) if status == 200 else b""

    def receipts(self, body: bytes) -> bytes:
        """A signed relay receipt for each message."""
        key = self.world.key(party_of("civil_affairs"))
        jwks = read_jwks(self.world.folder / "gateway-keys.json", GATEWAY)
        keyring = Keyring(jwks, {GATEWAY: PartyKind.GATEWAY.value})
        now = self.world.clock()
        messages = [verify(line, keyring, recipient=key.party_id, now=now) for line in body.split(b"\n")]
        return "\n".join(issue(message, key=key, now=now, rung=Rung.RELAY) for message in messages).encode()


@contextmanager
def held_office(world: DemoWorld) -> Iterator[HeldOffice]:
    """Listens on loopback."""
    office = HeldOffice(world)

    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            status, said = office.answer(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: a test's output is its own."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Door) as server:
        server.daemon_threads = True
        office.url = f"http://127.0.0.1:{server.server_port}/handoffs"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield office
        finally:
            office.release.set()
            server.shutdown()

"""装置 One gateway, one court and one agency as real processes on loopback, made from a template in a moment.

    with zygote() as mother, Template() as template:
        with template.installation(mother) as here:
            here.start_gateway(failpoint="deliver.leased:1:kill")
            here.start_agency()
            here.refer(2)            # by the real client, until each has its receipt
            here.finish()            # restarts who died, moves the clock, until every need is answered
            here.judge()             # the court's journal and the agency's notebook, nothing else

Everything is stopped by its pid, whatever happens.
"""

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from time import monotonic, sleep
from typing import Any

from gateway.errors import XianjieError
from tests.builders import an_id_number
from tests.faults.judge import Counts
from tests.faults.roles import LOOPBACK, MovableClock, make_client
from tests.gateway_world import CIVIL_AFFAIRS, COURT, START, World, a_referral_body

ROOT = Path(__file__).parents[2]
PATIENCE_S = 30.0
LOOK_S = 0.04
LATER_S = 61.0
"""Past every lease and the first retry."""
LATER_STILL_S = 400.0
HELPED = "assisted"


class Zygote:
    """The mother of all processes."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.zygote"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, **given: Any) -> tuple[int, bool]:
        """(pid, whether it became ready)."""
        answer = self._ask({"start": given})
        return answer["pid"], bool(answer["said"])

    def poll(self, pid: int) -> int | None:
        """How it ended: its exit code, minus the signal's number, or None while it runs."""
        found: int | None = self._ask({"poll": pid})
        return found

    def wait(self, pid: int) -> int:
        """Until it ends."""
        found: int = self._ask({"wait": pid})
        return found

    def close(self) -> None:
        """Ends it; whoever is left dies with it."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def _ask(self, words: dict[str, Any]) -> Any:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


@contextmanager
def zygote() -> Iterator[Zygote]:
    """Ended at the end."""
    made = Zygote()
    try:
        yield made
    finally:
        made.close()


def free_port() -> int:
    """One that nobody listens on."""
    with socket.socket() as found:
        found.bind((LOOPBACK, 0))
        port: int = found.getsockname()[1]
    return port


class Template:
    """A folder with a migrated database, keys and two ports, to be copied."""

    def __init__(self, database: str | None = None) -> None:
        """database: of PostgreSQL, empty; else SQLite in the folder."""
        self.folder = Path(mkdtemp(prefix="xianjie-faults-"))
        self.database = database
        self.gateway_port, self.agency_port = free_port(), free_port()
        world = World(database or f"sqlite:///{self.folder / 'gateway.sqlite'}")
        world.change_office(CIVIL_AFFAIRS, url=f"http://{LOOPBACK}:{self.agency_port}/handoffs")
        self.party = world.offices[CIVIL_AFFAIRS].partner.party_id
        pems = {"gateway": world.context.key, "court": world.court.key, "agency": world.partners[self.party].key}
        for name, key in pems.items():
            (self.folder / f"{name}.pem").write_bytes(key.to_pem())
        (self.folder / "court.id").write_text(COURT)
        (self.folder / "gateway.jwk").write_text(json.dumps(world.context.key.public_jwk()))
        world.close()

    def close(self) -> None:
        """Removes it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    @contextmanager
    def installation(self, mother: Zygote, *, folder: Path | None = None) -> "Iterator[Installation]":
        """A copy, stopped and removed at the end. folder: where to, such as a small disk."""
        target = folder or Path(mkdtemp(prefix="xianjie-faults-"))
        shutil.copytree(self.folder, target, dirs_exist_ok=True)
        made = Installation(template=self, folder=target, mother=mother)
        try:
            yield made
        finally:
            made.stop()
            if folder is None:
                shutil.rmtree(target, ignore_errors=True)


@contextmanager
def template(database: str | None = None) -> Iterator[Template]:
    """Removed at the end."""
    made = Template(database)
    try:
        yield made
    finally:
        made.close()


@dataclass
class Installation:
    """What runs, and the books of those who took part."""

    template: Template
    folder: Path
    mother: Zygote
    pids: dict[str, int] = field(default_factory=dict)
    ended: dict[str, list[int]] = field(default_factory=dict)
    """How processes ended that were not stopped by us."""
    told: dict[str, dict[str, str]] = field(default_factory=dict)
    doubts: int = 0

    def __post_init__(self) -> None:
        self.clock = MovableClock.create(self.folder / "clock", START)
        self.url = f"http://{LOOPBACK}:{self.template.gateway_port}"
        self.database = self.template.database or f"sqlite:///{self.folder / 'gateway.sqlite'}"
        self.client = make_client(self.folder, self.url, self.clock)

    # --- processes ---

    def start_gateway(self, name: str = "gateway", **more: Any) -> int:
        """Web and worker in one process."""
        return self._start(name, role="gateway", database=self.database, **{"port": self.template.gateway_port, **more})

    def start_agency(self, **more: Any) -> int:
        """Civil affairs."""
        port = self.template.agency_port
        return self._start("agency", role="agency", party=self.template.party, port=port, gateway_url=self.url, **more)

    def start_court(self, count: int, **more: Any) -> int:
        """A process that sends so many referrals until each has its receipt, and ends."""
        items = self.folder / "referrals.json"
        items.write_text(json.dumps([referral(number) for number in range(count)]))
        return self._start("court", role="court", referrals=str(items), gateway_url=self.url, **more)

    def _start(self, name: str, **given: Any) -> int:
        common = {"name": name, "folder": str(self.folder), "clock": str(self.folder / "clock")}
        pid, ready = self.mother.start(**common, **given)
        if not ready:
            raise AssertionError(f"{name} did not start: {self.log(name)[-2000:]}")
        self.pids[name] = pid
        return pid

    def has_ended(self, name: str) -> bool:
        """Whether a process ended by itself, or by its failpoint; it is forgotten then."""
        if name not in self.pids:
            return True
        code = self.mother.poll(self.pids[name])
        if code is None:
            return False
        del self.pids[name]
        self.ended.setdefault(name, []).append(code)
        return True

    def signal(self, name: str, number: signal.Signals) -> None:
        """To one process, by its pid."""
        os.kill(self.pids[name], number)

    def kill(self, name: str) -> None:
        """Power off."""
        if not self.has_ended(name):
            self.signal(name, signal.SIGKILL)
            self.mother.wait(self.pids.pop(name))

    def stop(self) -> None:
        """Everything, by force: what is worth keeping is on disk."""
        for name in tuple(self.pids):
            self.kill(name)

    def log(self, name: str) -> str:
        """What a process said."""
        file = self.folder / f"{name}.log"
        return file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""

    @property
    def has_struck(self) -> bool:
        """Whether the failpoint was reached."""
        return (self.folder / "struck").exists()

    # --- the court ---

    def refer(self, number: int) -> bool:
        """One attempt to send one referral; whether it has its receipt."""
        try:
            self.client.send(**{"type_" if k == "type" else k: v for k, v in referral(number).items()})
        except (XianjieError, OSError):
            self.doubts += 1
            return False
        return True

    def refer_all(self, count: int, meanwhile: Callable[[], object] = lambda: None) -> None:
        """Until each of so many has its receipt."""
        open_ = list(range(count))
        self.wait_for(lambda: self._refer_some(open_, meanwhile), "receipts")

    def _refer_some(self, open_: list[int], meanwhile: Callable[[], object]) -> bool:
        meanwhile()
        open_[:] = [number for number in open_ if not self.refer(number)]
        return not open_

    def read(self, count: int) -> bool:
        """`GET /v1/referrals/…` for each; whether every need is answered."""
        for number in range(count):
            name = f"r-{number}"
            if set(self.told.get(name, {}).values()) == {HELPED}:
                continue
            try:
                found = self.client.referral(name)
            except (XianjieError, OSError):
                return False
            self.told[name] = {need["need_id"]: need["state"] for need in found["needs"]}
        return all(set(states.values()) == {HELPED} for states in self.told.values()) and len(self.told) == count

    # --- time ---

    def wait_for(self, what: Callable[[], Any], name: str, *, seconds: float = PATIENCE_S) -> Any:
        """What it says once it says something."""
        until = monotonic() + seconds
        while not (found := what()):
            if monotonic() > until:
                tail = "\n".join(f"--- {log.stem}\n{log.read_text()[-1500:]}" for log in self.folder.glob("*.log"))
                raise AssertionError(f"{name} never came\n{tail}")
            sleep(LOOK_S)
        return found

    def finish(self, count: int) -> None:
        """Restarts whoever died, lets time pass, until the court reads every answer."""
        looks = 0

        def look() -> bool:
            nonlocal looks
            looks += 1
            if self.has_ended("gateway"):
                self.start_gateway()
            if self.has_ended("agency"):
                self.start_agency()
            if looks % 12 == 0:
                self.clock.move(LATER_S if looks < 100 else LATER_STILL_S)
            return self.read(count)

        self.wait_for(look, "answers")

    # --- the books ---

    def rows(self, file: str, question: str) -> list[tuple[Any, ...]]:
        """From somebody's own SQLite file."""
        with closing(sqlite3.connect(self.folder / file)) as base:
            return base.execute(question).fetchall()

    def judge(self, count: int) -> Counts:
        """The court's journal, the agency's notebook, what the court read."""
        entries = self.rows("journal.sqlite", "SELECT effect, state, attempts, receipt FROM entries")
        handoffs = self.rows("notebook.sqlite", "SELECT referral, asked FROM handoffs")
        replies = self.rows("notebook.sqlite", "SELECT handoff_id, step, attempts, done FROM replies")
        worked = [need["need_id"] for _, asked in handoffs for need in json.loads(asked)["needs"]]
        return judge_books(entries, worked, replies, self.told, count)


def judge_books(
    entries: list[tuple[Any, ...]],
    worked: list[str],
    replies: list[tuple[Any, ...]],
    told: dict[str, dict[str, str]],
    count: int,
) -> Counts:
    """The four counts. entries: (effect, state, attempts, receipt); worked: need ids, once for each handoff; replies:
    (handoff, step, attempts, done)."""
    counts = Counts()
    with_receipt = {effect for effect, _, _, receipt in entries if receipt is not None}
    for number in range(count):
        name, need = f"r-{number}", f"r-{number}:1"
        times = worked.count(need)
        if name in with_receipt and not times:
            counts.complain("lost", f"{need} has a receipt and nobody works on it")
        if name not in with_receipt:
            counts.complain("unexpected" if times else "lost", f"{name} has no receipt, worked on {times} times")
        if times > 1:
            counts.duplicated += times - 1
            counts.complaints.append(f"duplicated: {need} was worked on {times} times")
        if told.get(name) != {need: HELPED}:
            counts.complain("lost", f"{name} reads {told.get(name)}")
    for need in set(worked) - {f"r-{number}:1" for number in range(count)}:
        counts.complain("unexpected", f"work on {need}, which nobody asked for")
    for handoff, step, _, done in replies:
        if done not in ("sent", "nothing"):
            counts.complain("lost", f"{step} of {handoff} ended as {done}")
    counts.recovered = sum(attempts > 1 for _, _, attempts, receipt in entries if receipt) + sum(
        attempts > 1 for _, _, attempts, done in replies if done == "sent"
    )
    return counts


def referral(number: int) -> dict[str, Any]:
    """What the court sends: another person and case a number, for civil affairs alone. As `Outgoing` has it."""
    name = f"r-{number}"
    body = a_referral_body(
        referral_id=name,
        original_case_group=f"（2025）黔0102民初{number + 1}号",
        person=a_referral_body()["person"] | {"id_number": an_id_number(serial=number)},
    )
    return {"type": "referral.submitted", "data": body, "effect": name, "subject": name}

"""险情 Real processes in trouble that no failpoint makes: a partner that misbehaves, a worker asleep past its lease, a
disk that is full, a PostgreSQL that is killed.

Each is a function that makes its own installation, bounded in time, and returns the four counts; the judge reads the
court's journal and the agency's.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import mkdtemp

from tests.faults.installation import LATER_S, LATER_STILL_S, Installation, Template, Zygote, template, zygote
from tests.faults.judge import Counts
from tests.faults.partner import EVERY_TRICK, Office, Trick, partner
from tests.faults.scenario import Row, Settings
from tests.postgres import PostgresUnavailable, RunningPostgres, running_postgres

Hazard = Callable[[Zygote, Template], Counts]
SMALL_DISK = "1200k"
FEW_PAGES = 120
"""A little more than an empty database has."""
UNTIL_FULL = 60
UNDER_LOAD = 30


def misbehaving_partner(mother: Zygote, made: Template, script: tuple[Trick, ...] = EVERY_TRICK) -> Counts:
    """Every trick once, each on a message of its own."""
    count = len(script)
    with made.installation(mother) as here, partner(here, script) as office:
        here.start_gateway()
        here.refer_all(count)
        _until_pushed_again(here, office)
        _until_answered(here, office, count)
        counts = office.judge(count)
        if missing := set(script) - office.met:
            counts.complain("unexpected", f"never met: {', '.join(sorted(missing))}")
        return counts


def _until_pushed_again(here: Installation, office: Office) -> None:
    """An answer would prove that a message arrived: the office says nothing before every trick had its consequence."""
    wanted = sum(trick is not Trick.TWICE for trick in office.script)

    def look() -> bool:
        here.clock.move(5.0)
        again = {message_id for message_id in office.order if office.pushes.count(message_id) > 1}
        return len(again) >= wanted

    here.wait_for(look, "second pushes", seconds=60)


def _until_answered(here: Installation, office: Office, count: int) -> None:
    looks = 0

    def look() -> bool:
        nonlocal looks
        looks += 1
        office.answer_all()
        if looks % 10 == 0:
            here.clock.move(LATER_S if looks < 100 else LATER_STILL_S)
        return here.read(count)

    here.wait_for(look, "answers", seconds=60)


def zombie_worker(mother: Zygote, made: Template) -> Counts:
    """A worker is stopped while its push is under way, past its lease; another takes over; the first one wakes, and its
    late word is refused."""
    with made.installation(mother) as here, partner(here, [Trick.HOLD]) as office:
        here.start_gateway("asleep")
        here.refer_all(1)
        here.wait_for(office.came.is_set, "the push")
        here.signal("asleep", signal.SIGSTOP)
        here.clock.move(LATER_S)
        here.start_gateway("awake", port=0)
        here.wait_for(lambda: "messages relayed" in here.log("awake"), "the other worker's push")
        office.release.set()
        here.signal("asleep", signal.SIGCONT)
        here.wait_for(lambda: "lease_lost" in here.log("asleep"), "the refusal of the late word")
        _until_answered(here, office, 1)
        counts = office.judge(1)
        if office.pushes != [office.order[0]] * 2:
            counts.complain("unexpected", f"pushed {len(office.pushes)} times")
        return counts


def full_disk(mother: Zygote, made: Template) -> Counts:
    """The gateway's disk fills up under load, and is given room again: on a small disk of its own where we may mount
    one, else by SQLite's own limit."""
    with small_disk() as disk:
        return _full_disk(mother, made, disk)


def _full_disk(mother: Zygote, made: Template, disk: "SmallDisk | None") -> Counts:
    with made.installation(mother) as here:
        limit = {"most_pages": FEW_PAGES} if disk is None else {}
        if disk is not None:
            moved = disk.folder / "gateway.sqlite"
            moved.write_bytes((here.folder / "gateway.sqlite").read_bytes())
            here.database = f"sqlite:///{moved}"
        here.start_agency()
        here.start_gateway("gateway", **limit)
        sent = 0
        while sent < UNTIL_FULL and here.refer(sent):
            sent += 1
        is_full = sent < UNTIL_FULL
        if disk is None:
            here.kill("gateway")
            here.start_gateway()
        else:
            disk.grow()
        here.refer_all(sent + 2)
        here.finish(sent + 2)
        counts = here.judge(sent + 2)
        if not is_full:
            counts.complain("unexpected", f"{UNTIL_FULL} referrals did not fill the disk")
        return counts


class SmallDisk:
    """A file system in memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def grow(self) -> None:
        """Room again."""
        subprocess.run(["mount", "-o", "remount,size=256m", str(self.folder)], check=True, capture_output=True)


@contextmanager
def small_disk() -> Iterator[SmallDisk | None]:
    """None where we may not mount one."""
    folder = Path(mkdtemp(prefix="xianjie-disk-"))
    command = ["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK},mode=700", "tmpfs", str(folder)]
    may = sys.platform == "linux" and os.geteuid() == 0
    mounted = may and subprocess.run(command, check=False, capture_output=True).returncode == 0
    try:
        yield SmallDisk(folder) if mounted else None
    finally:
        if mounted:
            subprocess.run(["umount", str(folder)], check=True, capture_output=True)
        folder.rmdir()


def killed_postgres(mother: Zygote, *, load: int = UNDER_LOAD, kills: int = 2) -> Counts:
    """PostgreSQL is killed under load, while referrals come in and answers do, and started again."""
    with (
        running_postgres(options=()) as server,
        template(server.new_database()) as made,
        made.installation(mother) as here,
    ):
        here.start_agency()
        here.start_gateway()
        here.start_court(load)
        for kill in range(1, kills + 1):
            enough = load * kill // (kills + 2)
            here.wait_for(partial(_has_receipts, here, enough), "receipts")
            _kill(server)
        here.wait_for(lambda: here.has_ended("court"), "the court's receipts")
        here.finish(load)
        return here.judge(load)


def _has_receipts(here: Installation, enough: int) -> bool:
    found: int = here.rows("journal.sqlite", "SELECT count(*) FROM entries WHERE receipt IS NOT NULL")[0][0]
    return found >= enough


def _kill(server: RunningPostgres) -> None:
    """SIGKILL to the postmaster: its backends end when they notice, and only then another may begin."""
    pid = int((server.home / "data" / "postmaster.pid").read_text().split()[0])
    os.kill(pid, signal.SIGKILL)
    server.crash()
    for _ in range(50):
        try:
            server.start()
        except PostgresUnavailable:
            continue
        return
    raise PostgresUnavailable("it did not start again after it was killed")


HAZARDS: tuple[tuple[str, Hazard], ...] = (
    ("partner that misbehaves in every way", misbehaving_partner),
    ("zombie worker (SIGSTOP past its lease)", zombie_worker),
    ("disk full, then room again", full_disk),
)


def scenario(settings: Settings) -> Iterable[Row]:
    """One row for each."""
    with zygote() as mother:
        with template() as made:
            for name, hazard in HAZARDS:
                yield Row(name=name, runs=1, counts=hazard(mother, made))
        yield Row(name="PostgreSQL killed under load, twice", runs=1, counts=killed_postgres(mother))

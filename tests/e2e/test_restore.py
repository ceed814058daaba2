"""恢复旧备份 Real processes over a SQLite file: killed, set back to its backup, made whole again by partners.

`xianjie serve --work`, a simulated civil affairs bureau with a server, a court that sends by command.
"""

import json
import os
import shutil
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
import requests

from gateway.cli.processes import Processes, processes
from gateway.store import log
from tests.cli.installed import COURT, GATEWAY, OFFICES, Installed, a_row, install, ndjson, party_of

AGENCY = "civil_affairs"
REASON = ("--who", "张三", "--why", "磁盘损坏,恢复昨夜备份")
DELAYS = "delivered_after = 0.1\ndisposition_after = 0.2\ndecision_after = 0.3\npayment_after = 0.4\n"
WITHIN_S = 60.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


class Town:
    """The installation, its processes and its partners."""

    def __init__(self, installed: Installed, running: Processes, folder: Path) -> None:
        self.installed, self.running, self.folder = installed, running, folder
        self.pid = 0

    # --- processes ---

    def serve(self, *, port: int = 0) -> None:
        """The gateway, with its worker."""
        name = f"serve-{port}"
        config = str(self.installed.config_path)
        said = self.running.start(name, "gateway.cli", ["--config", config, "serve", "--work", "--port", str(port)], {})
        self.pid, self.installed.url = said["pid"], said["address"]

    def kill(self) -> int:
        """SIGKILL; the port it had."""
        os.kill(self.pid, signal.SIGKILL)
        until(lambda: not _answers(self.installed.url))
        return int(self.installed.url.rpartition(":")[2])

    def open_agency(self) -> None:
        """A bureau with a server of its own; its office is reached there."""
        folder = self.installed.folder
        path = folder / AGENCY / "agency.toml"
        path.write_text(
            f'agency = "{AGENCY}"\nnotebook = "notebook.sqlite"\n'
            f'[gateway]\nparty = "{GATEWAY}"\nurl = "{self.installed.url}"\njwks = "../gateway-keys.json"\n'
            f'[[desks]]\nparty = "{party_of(AGENCY)}"\nkey = "own.pem"\n[behaviour]\n{DELAYS}',
            encoding="utf-8",
        )
        said = self.running.start(AGENCY, "gateway.sandbox.agency", ["--config", str(path)], {})
        place = ["--party", party_of(AGENCY), "--agency", AGENCY, "--region", "520102", "--channel", "push"]
        self.installed.done("office", "put", f"{AGENCY}-520102", *place, "--url", said["url"])

    # --- what is exchanged ---

    def refer(self, *numbers: int) -> None:
        rows = [a_row(number) for number in numbers]
        result = self.installed.send(ndjson(self.installed.folder / f"rows-{numbers}.ndjson", *rows))
        assert result.exit_code == 0, result.output

    def paid(self) -> int:
        """Handoffs about which the bureau has told everything, by its own notebook."""
        asked = "select count(*) from replies where step = 'payment' and done = 'sent'"
        found: int = self._notebook(asked)[0][0]
        return found

    def handoffs(self) -> list[str]:
        """The referrals of all handoffs on its desk."""
        return [row[0] for row in self._notebook("select referral from handoffs order by referral")]

    def _notebook(self, statement: str) -> list[Any]:
        with closing(sqlite3.connect(self.installed.folder / AGENCY / "notebook.sqlite")) as base:
            return base.execute(statement).fetchall()

    def receipts(self) -> list[Any]:
        """By number, as the court's journal has them."""
        with closing(sqlite3.connect(self.installed.folder / "court" / "journal.sqlite")) as base:
            return base.execute("select seq, message_id, receipt from entries order by seq").fetchall()

    def checkpoint(self) -> tuple[str, int]:
        """The log's name, and the size last signed."""
        answer = requests.get(f"{self.installed.url}/v1/log/checkpoint", timeout=10)
        lines = answer.text.splitlines()
        return (lines[0], int(lines[1])) if answer.status_code == 200 else ("", 0)

    def log_size(self) -> int:
        with self.installed.context() as context, context.store.reading() as connection:
            return log.head(connection).size

    def events(self, port: int) -> list[str]:
        """What the gateway at a port logged."""
        lines = (self.folder / f"serve-{port}.log").read_text(encoding="utf-8").splitlines()
        return [json.loads(line)["event"] for line in lines if line.startswith("{") and line.endswith("}")]

    def is_signed(self) -> bool:
        """Whether everything that is logged was signed."""
        return self.checkpoint()[1] == self.log_size()


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    installed = install(tmp_path / "world")
    text = installed.config_path.read_text(encoding="utf-8")
    mine = 'allow_addresses = ["127.0.0.0/8"]\ndemo = true'
    installed.config_path.write_text(text.replace("demo = true", mine), encoding="utf-8")
    with processes(tmp_path) as running:
        made = Town(installed, running, tmp_path)
        made.serve()
        made.open_agency()
        yield made


def test_a_killed_gateway_is_set_back_to_its_backup_and_made_whole_by_its_partners(town: Town) -> None:
    installed = town.installed
    town.refer(1)
    until(lambda: town.paid() == 1)
    installed.done("backup", installed.folder / "copy.db")
    town.refer(2, 3)
    until(lambda: town.paid() == 3)
    until(town.is_signed)
    before, port = town.receipts(), town.kill()

    database = installed.folder / "gw" / "xianjie.db"
    assert database.exists()
    for suffix in ("-wal", "-shm"):
        database.with_name(database.name + suffix).unlink(missing_ok=True)
    shutil.copy(installed.folder / "copy.db", database)
    town.serve(port=port)

    until(lambda: "worker rests in recovery" in town.events(port))
    answer = requests.get(f"{installed.url}/readyz", timeout=10)
    assert (answer.status_code, answer.text.split(":")[0]) == (503, "in_recovery")
    refused = installed.send(ndjson(installed.folder / "new.ndjson", a_row(4)))
    assert (refused.exit_code, "xianjie give-back" in refused.stderr) == (3, True)

    collected = {one["office_id"]: one for one in json.loads(installed.run("recovery", "collect", "--json").stdout)}
    assert collected[f"{AGENCY}-520102"]["trouble"] is None
    assert json.loads(installed.as_partner("court", COURT, "give-back", "--json").stdout)["taken"] == 2
    for agency in OFFICES:
        if agency != AGENCY:
            assert installed.as_partner(agency, party_of(agency), "give-back").exit_code == 0
    resumed = json.loads(installed.done("recovery", "resume", *REASON, "--json").stdout)
    assert (resumed["placed"]["unplaced"], resumed["accepted"]) == ([], [])
    assert resumed["placed"]["issued"] == 2

    until(lambda: requests.get(f"{installed.url}/readyz", timeout=10).status_code == 200)
    town.refer(1, 2, 3)
    assert town.receipts()[:3] == before
    assert installed.send(ndjson(installed.folder / "new.ndjson", a_row(4))).exit_code == 0
    until(lambda: town.paid() == 4)
    assert town.handoffs() == ["r-1", "r-2", "r-3", "r-4"]
    until(lambda: town.checkpoint()[0] == f"{GATEWAY}/2" and town.is_signed())
    verdict = installed.run("verify", "--log")
    assert verdict.exit_code == 0, verdict.output
    events = town.events(port)
    assert (events.count("worker rests in recovery"), events.count("worker goes on")) == (1, 1)
    assert "job stopped" not in events
    assert "job failed" not in events


def _answers(url: str) -> bool:
    try:
        requests.get(f"{url}/healthz", timeout=2)
    except requests.RequestException:
        return False
    return True


def until(is_so: Callable[[], bool]) -> None:
    """Waits for other processes."""
    give_up = monotonic() + WITHIN_S
    while not is_so():
        assert monotonic() < give_up, "it never came to that"
        sleep(0.05)

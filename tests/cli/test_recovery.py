"""恢复: the commands of the administrator and of partners, around a SQLite file that is set back to its backup."""

import json
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from gateway.app import Clock
from gateway.config import load
from gateway.domain.lifecycle import NeedState
from gateway.flows.account import fate
from gateway.flows.sequence import guard, publish
from gateway.store import leases, log
from gateway.store.witness import WitnessFile
from tests.cli.installed import COURT, Installed, a_row, join, mode, ndjson, party_of

OFFICE = "womens_federation"
PUSHED = ("civil_affairs", "disabled_persons")
REASON = ("--who", "张三", "--why", "恢复备份")


@pytest.fixture
def used(installed: Installed) -> Installed:
    """One referral before the backup; two, and an answer to one of them, after it; then the older copy is put back."""
    with installed.serving():
        send(installed, 1)
        sign_log(installed)
        installed.done("backup", installed.folder / "copy.db")
        for number in (2, 3):
            send(installed, number)
        installed.dispatch()
        installed.inbox("--retrieved")
    sign_log(installed)
    restore(installed)
    return installed


def send(installed: Installed, number: int) -> None:
    row = a_row(number, needs=[{"programme": "PSY"}])
    result = installed.send(ndjson(installed.folder / f"rows-{number}.ndjson", row))
    assert result.exit_code == 0, result.output


def sign_log(installed: Installed) -> None:
    """What the worker does each second."""
    config = load(installed.config_path)
    with installed.context() as context:
        now = Clock(config)()
        lease = context.store.write(
            lambda c: leases.take(c, "sequencer", owner="test", now=now, length=timedelta(seconds=60))
        )
        assert lease is not None
        publish(context, WitnessFile(config.state), lease, now=now)


def restore(installed: Installed) -> None:
    """The backup takes the database's place; what `serve` does first."""
    config = load(installed.config_path)
    database = Path(config.database.removeprefix("sqlite:///"))
    for suffix in ("", "-wal", "-shm"):
        database.with_name(database.name + suffix).unlink(missing_ok=True)
    shutil.copy(installed.folder / "copy.db", database)
    with installed.context() as context:
        assert guard(context, WitnessFile(config.state), now=Clock(config)()) == "older_than_signed"


def is_recovering(installed: Installed) -> bool:
    with installed.context() as context, context.store.reading() as connection:
        return log.head(connection).recovering


def states(installed: Installed, referral_id: str) -> list[NeedState]:
    with installed.context() as context:
        found = fate(context, referral_id, court=COURT, now=Clock(load(installed.config_path))())
    return [need.state for need in found.needs]


def give_back_by_hand(installed: Installed, agency: str) -> None:
    """The office's file, brought by somebody."""
    out = installed.folder / f"{agency}-{uuid4().hex}.ndjson"
    result = installed.as_partner(agency, party_of(agency), "give-back", "--out", out)
    assert result.exit_code == 0, result.output
    installed.done("recovery", "import", out)


def give_back(installed: Installed, name: str, party_id: str) -> dict[str, object]:
    """Over the wire."""
    found: dict[str, object] = json.loads(installed.as_partner(name, party_id, "give-back", "--json").stdout)
    return found


def everybody_gives_back(installed: Installed) -> None:
    with installed.serving():
        give_back(installed, "court", COURT)
        give_back(installed, OFFICE, party_of(OFFICE))
    for agency in PUSHED:
        give_back_by_hand(installed, agency)


def test_nothing_is_lost_and_nothing_is_done_twice(used: Installed) -> None:
    journal = used.folder / "court" / "journal.sqlite"
    before = receipts(journal)
    assert is_recovering(used)
    with used.serving():
        assert give_back(used, "court", COURT) == {"taken": 2, "known": 0, "left": 0, "refused": []}
        # three handoffs of ours, and that they were opened
        assert give_back(used, OFFICE, party_of(OFFICE))["taken"] == 6
        assert give_back(used, "court", COURT) == {"taken": 0, "known": 2, "left": 0, "refused": []}
    for agency in PUSHED:
        give_back_by_hand(used, agency)
    status = used.done("recovery", "status")
    assert "nothing is missing" in status.stderr
    resumed = json.loads(used.done("recovery", "resume", *REASON, "--json").stdout)
    assert (resumed["origin"], resumed["epoch"]) == ("cn/gateway/520000/2", 2)
    assert resumed["placed"] == {"received": 5, "accepted": 0, "issued": 3, "proven": 0, "notices": 0, "unplaced": []}
    assert [states(used, f"r-{number}") for number in (1, 2, 3)] == [[NeedState.RECEIVED]] * 3
    assert used.dispatch() == 0
    with used.serving():
        for number in (1, 2, 3):
            send(used, number)
        assert used.inbox("--json").exit_code == 0
    assert receipts(journal) == before


def receipts(journal: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(journal)) as base:
        return base.execute("select message_id, receipt from entries order by seq").fetchall()


def test_status_says_who_is_awaited_and_resume_refuses_until_that_is_accepted(used: Installed) -> None:
    with used.serving():
        give_back(used, "court", COURT)
    result = used.run("recovery", "status")
    assert result.exit_code == 1
    assert result.stdout.count("尚未交还 has not given back") == 3
    found = used.json("recovery", "status")
    assert {one["kind"] for one in found["obstacles"]} == {"not_heard"}
    refused = used.run("recovery", "resume", *REASON)
    assert (refused.exit_code, "recovery_incomplete" in refused.stderr) == (1, True)
    assert party_of(OFFICE) in refused.stderr
    assert is_recovering(used)
    used.done("recovery", "resume", *REASON, "--accept-gaps")
    assert not is_recovering(used)


def test_a_sender_is_told_to_give_back_and_nothing_is_accepted(used: Installed) -> None:
    with used.serving():
        result = used.send(ndjson(used.folder / "new.ndjson", a_row(9)))
        assert (result.exit_code, "xianjie give-back" in result.stderr) == (3, True)
        inbox = used.inbox("--json")
        assert (inbox.exit_code, "in_recovery" in inbox.stderr) == (3, True)
    everybody_gives_back(used)
    used.done("recovery", "resume", *REASON)
    with used.serving():
        assert used.send(ndjson(used.folder / "new.ndjson", a_row(9))).exit_code == 0


def test_a_key_that_was_lost_is_registered_again_during_recovery(installed: Installed) -> None:
    sign_log(installed)
    installed.done("backup", installed.folder / "copy.db")
    new = installed.folder / "new"
    installed.done("keys", "generate", COURT, "--out", new / "own.pem")
    installed.done("keys", "rotate", COURT, new / "own.jwk")
    with installed.serving():
        result = installed.send(ndjson(installed.folder / "rows.ndjson", a_row(1)), XIANJIE_KEY=str(new / "own.pem"))
        assert result.exit_code == 0, result.output
    sign_log(installed)
    restore(installed)
    out = installed.folder / "court.ndjson"
    written = installed.as_partner("court", COURT, "give-back", "--out", out, XIANJIE_KEY=str(new / "own.pem"))
    assert written.exit_code == 0, written.output
    refused = installed.run("recovery", "import", out)
    assert refused.exit_code == 1
    assert "unknown_kid" in installed.run("recovery", "status").stdout
    began = (datetime.now(UTC) - timedelta(minutes=5)).isoformat()
    installed.done("keys", "register", COURT, new / "own.jwk", "--since", began)
    installed.done("recovery", "import", out)
    for agency in (*PUSHED, OFFICE):
        give_back_by_hand(installed, agency)
    installed.done("recovery", "resume", *REASON)
    assert states(installed, "r-1") == [NeedState.ACCEPTED]
    other = installed.folder / "other"
    installed.done("keys", "generate", COURT, "--out", other / "own.pem")
    refused = installed.run("keys", "register", COURT, other / "own.jwk", "--since", began)
    assert (refused.exit_code, "lost with an older copy" in refused.stderr) == (2, True)


def test_parties_offices_and_agreements_may_be_mended_during_recovery(used: Installed) -> None:
    join(used, "other", "cn/court/520300", "court", "520300")
    used.done("office", "pause", f"{OFFICE}-520102")
    used.done("agreement", "load", used.folder / "agreement.toml")
    assert is_recovering(used)


def test_a_gateway_that_lost_nothing_says_so(installed: Installed) -> None:
    assert "not in recovery" in installed.done("recovery", "status").stderr
    refused = installed.run("recovery", "resume", *REASON)
    assert (refused.exit_code, "not_in_recovery" in refused.stderr) == (1, True)
    with installed.serving():
        result = installed.as_partner("court", COURT, "give-back")
    assert (result.exit_code, "the gateway lost nothing" in result.stderr) == (0, True)


def test_a_file_is_written_once_and_is_its_owners_alone(used: Installed) -> None:
    out = used.folder / "court.ndjson"
    assert used.as_partner("court", COURT, "give-back", "--out", out).exit_code == 0
    assert mode(out) == 0o600
    assert "测试甲" not in out.read_text(encoding="utf-8")
    again = used.as_partner("court", COURT, "give-back", "--out", out)
    assert (again.exit_code, "nothing was overwritten" in again.stderr) == (2, True)


def test_what_is_no_giving_back_is_refused_line_by_line(used: Installed) -> None:
    out = used.folder / "rubbish.ndjson"
    out.write_text('{"message": 1}\nrubbish\n\n', encoding="utf-8")
    result = used.run("recovery", "import", out, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["refused"] == 2


def test_an_office_whose_server_is_out_of_reach_is_listed(used: Installed) -> None:
    result = used.run("recovery", "collect", "--json")
    assert result.exit_code == 1
    assert {one["office_id"]: one["trouble"] for one in json.loads(result.stdout)} == {
        f"{agency}-520102": "address_refused" for agency in PUSHED
    }

"""备份 A copy taken while everything runs is whole, its owner's alone, and says before it is used what it lacks."""

import json
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from gateway.app import Clock
from gateway.config import load
from gateway.errors import ConfigError, StoreUnavailable
from gateway.flows.sequence import publish
from gateway.store import backup_mark, copies, leases, tokens
from gateway.store.engine import Store
from gateway.store.witness import WitnessFile
from gateway.worker import LEASE
from tests.cli.installed import Installed, a_row, mode, ndjson
from tests.gateway_world import START, migrated
from tests.postgres import RunningPostgres


def refer(installed: Installed, number: int) -> None:
    with installed.serving():
        assert installed.send(ndjson(installed.folder / f"{number}.ndjson", a_row(number))).exit_code == 0


def sign(installed: Installed) -> int:
    """What the sequencer does; the size of the tree."""
    config = load(installed.config_path)
    with installed.context() as context:
        now = Clock(config)()
        lease = context.store.write(
            lambda connection: leases.take(connection, "sequencer", owner="test", now=now, length=LEASE)
        )
        assert lease is not None
        made = publish(context, WitnessFile(config.state), lease, now=now)
    assert made is not None
    return made.size


def check(installed: Installed, copy: Path) -> tuple[int, dict[str, object]]:
    result = installed.run("restore-check", copy, "--json")
    assert result.stdout, result.stderr
    return result.exit_code, json.loads(result.stdout)


def test_a_copy_taken_at_work_is_whole_and_holds_what_was_signed(installed: Installed, tmp_path: Path) -> None:
    refer(installed, 1)
    size = sign(installed)
    copy = tmp_path / "copy.db"
    with installed.serving():  # a writer and its readers are there
        installed.done("backup", copy)
    assert (mode(copy), mode(copy.with_name("copy.db.checkpoint"))) == (0o600, 0o600)
    assert copy.with_name("copy.db.checkpoint").read_text(encoding="utf-8").split("\n")[1] == str(size)
    before = copy.read_bytes()
    code, found = check(installed, copy)
    assert (code, found["whole"], found["current"], found["trouble"], found["in_order"]) == (0, True, True, None, True)
    assert found["leaves"] == found["signed"] == found["witness"] == size
    assert copy.read_bytes() == before
    assert sorted(path.name for path in tmp_path.glob("copy*")) == ["copy.db", "copy.db.checkpoint"]
    mark = backup_mark.last(load(installed.config_path).state)
    assert mark is not None
    assert mark.leaves == size


def test_an_older_copy_is_told_before_it_is_used(installed: Installed, tmp_path: Path) -> None:
    copy = tmp_path / "old.db"
    refer(installed, 1)
    old = sign(installed)
    installed.done("backup", copy)
    refer(installed, 2)
    new = sign(installed)
    code, found = check(installed, copy)
    assert (code, found["trouble"], found["signed"], found["witness"]) == (1, "older_than_signed", old, new)
    assert "older_than_signed" in installed.run("restore-check", copy).stdout
    assert check_configured(installed) == 0


def check_configured(installed: Installed) -> int:
    return installed.run("restore-check").exit_code


def test_a_torn_copy_is_told(installed: Installed, tmp_path: Path) -> None:
    copy = tmp_path / "torn.db"
    refer(installed, 1)
    installed.done("backup", copy)
    with closing(sqlite3.connect(copy)) as base:
        (page,) = base.execute("SELECT rootpage FROM sqlite_master WHERE name = 'ix_inbox_stream'").fetchone()
        (size,) = base.execute("PRAGMA page_size").fetchone()
    content = bytearray(copy.read_bytes())
    content[(page - 1) * size : page * size] = bytes(size)
    copy.write_bytes(content)
    code, found = check(installed, copy)
    assert (code, found["whole"]) == (1, False)


def test_what_is_no_database_is_told(installed: Installed, tmp_path: Path) -> None:
    copy = tmp_path / "letter.txt"
    copy.write_text("dear court", encoding="utf-8")
    result = installed.run("restore-check", copy)
    assert (result.exit_code, "letter.txt is no readable copy" in result.stderr) == (2, True)


@pytest.mark.parametrize("there", ["copy.db", "copy.db.checkpoint"])
def test_nothing_is_overwritten(there: str, installed: Installed, tmp_path: Path) -> None:
    (tmp_path / there).write_text("precious", encoding="utf-8")
    result = installed.run("backup", tmp_path / "copy.db")
    assert (result.exit_code, (tmp_path / there).read_text(encoding="utf-8")) == (2, "precious")
    assert len(list(tmp_path.glob("copy*"))) == 1


def test_a_copy_that_fails_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        copies.copy_database(f"sqlite:///{tmp_path / 'not there.db'}", tmp_path / "copy.db")
    with pytest.raises(ConfigError):
        copies.copy_database("sqlite:///x.db", tmp_path / "no folder" / "copy.db")
    assert list(tmp_path.iterdir()) == []


def test_postgres_is_dumped_by_its_own_program_and_restores_to_the_same_rows(
    postgres_server: RunningPostgres, postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = postgres_server.binaries.folder
    if not (folder / "pg_dump").exists():
        pytest.skip("this server came without its client programs")
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    migrated(postgres_url)
    store = Store(postgres_url)
    for number in range(3):
        store.write(lambda c, number=number: tokens.use(c, "cn/court/520100", f"j-{number}", START))
    store.close()
    copies.copy_database(postgres_url, tmp_path / "copy.dump")
    assert mode(tmp_path / "copy.dump") == 0o600

    restored = postgres_server.new_database()
    target = ["--dbname", copies._conninfo(sa.make_url(restored)), str(tmp_path / "copy.dump")]
    subprocess.run([folder / "pg_restore", "--no-owner", "--exit-on-error", *target], check=True)
    engine = sa.create_engine(restored)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM used_tokens").scalar() == 3
    engine.dispose()
    postgres_server.drop(restored)


def test_without_its_program_postgres_cannot_be_dumped_and_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="pg_dump is not installed"):
        copies.copy_database("postgresql+psycopg://x:secret@nowhere/db", tmp_path / "copy.dump")
    assert list(tmp_path.iterdir()) == []

"""演示 `xianjie demo` as a visitor runs it: the published figures, books that balance, and nothing left behind."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import sqlalchemy as sa

from gateway.sandbox.stories.programme import STORIES
from tests.postgres import RunningPostgres

PUBLISHED = ("808 件", "665 件", "27,776,200.00 元", "354 人", "8,136,200.00 元", "2777.62万元", "813.62万元")
PLANTED = {"DUP_SAME_ORIGINAL_CASE", "MISS_NO_ASSESSMENT", "MISS_UNROUTABLE", "MM_UNKNOWN_CODE"}
OVERDUE_LATER = {"MISS_NO_RECEIPT", "MISS_NO_DECISION"}
FINDING = re.compile(r"^((?:DUP|MISS|MM)_[A-Z_]+) .* ([0-9]+) +[0-9,.]+ ", re.MULTILINE)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def environment(folder: Path, **more: str) -> Mapping[str, str]:
    """The visitor's, with a place of its own for temporary files."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("XIANJIE_")}
    return {**own, "TMPDIR": str(folder), **more}


def demo(folder: Path, **more: str) -> "subprocess.CompletedProcess[str]":
    """One whole run."""
    command = [sys.executable, "-m", "gateway.cli", "demo"]
    with subprocess.Popen(
        command, env=environment(folder, **more), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        try:
            out, err = running.communicate(timeout=280)
        finally:
            running.terminate()  # one that takes too long stops what it started; killed, it could not
    return subprocess.CompletedProcess(command, running.returncode, out, err)


def left_behind(folder: Path) -> tuple[list[int], list[str]]:
    """Processes that were started with this place for temporary files, and what lies in it."""
    mark = f"TMPDIR={folder}".encode()
    found = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and _holds(entry, mark)]
    return found, [path.name for path in folder.iterdir()]


def _holds(process: Path, mark: bytes) -> bool:
    try:
        return mark in (process / "environ").read_bytes().split(b"\0")
    except OSError:  # it ended meanwhile
        return False


def findings(part: str) -> dict[str, int]:
    """Code and number of one table."""
    return {code: int(count) for code, count in FINDING.findall(part)}


def check(shown: str) -> None:
    """What every run must show, whatever the engine."""
    assert [figure for figure in PUBLISHED if figure not in shown] == []
    told = shown.split("Told cases", 1)[1].split("平衡表 Balance")[0]
    assert told.count("✓") == len(STORIES), told
    now, later = shown.split("Findings", 1)[1].split("平衡表 Balance")[0].split("If nothing moves", 1)
    assert set(findings(now)) >= PLANTED
    assert findings(now)["MISS_NO_ASSESSMENT"] == 3
    assert set(findings(later)) >= PLANTED | OVERDUE_LATER
    lines = [line.split() for line in shown.splitlines() if re.match(r"(cn/court/|合计 total)", line)]
    assert len(lines) == 7
    assert {line[-1] for line in lines} == {"0"}


def test_the_whole_of_it_on_sqlite(tmp_path: Path) -> None:
    done = demo(tmp_path)
    assert done.returncode == 0, done.stderr
    check(done.stdout)
    assert "referral.submitted 1032 · judicial_assistance.paid 868 · referral.withdrawn 4" in done.stderr
    assert "已接收 accepted 1904 · 未接收 refused 0" in done.stderr
    assert left_behind(tmp_path) == ([], [])


def test_the_whole_of_it_on_postgresql_in_a_schema_of_its_own(
    tmp_path: Path, postgres_server: RunningPostgres, postgres_url_factory: Callable[..., str]
) -> None:
    url = postgres_url_factory()
    done = demo(tmp_path, XIANJIE_DB=url)
    assert done.returncode == 0, done.stderr
    assert "(PostgreSQL)" in done.stderr
    check(done.stdout)
    assert left_behind(tmp_path) == ([], [])
    engine = sa.create_engine(url)
    inspector = sa.inspect(engine)
    assert [name for name in inspector.get_schema_names() if name.startswith("xianjie")] == []
    assert inspector.get_table_names() == []
    engine.dispose()
    postgres_server.drop(url)


@pytest.mark.parametrize(
    ("number", "line"),
    [(signal.SIGINT, "②"), (signal.SIGTERM, "②"), (signal.SIGINT, "womens_federation"), (signal.SIGTERM, "③")],
)
def test_a_run_that_is_broken_off_leaves_nothing_behind(tmp_path: Path, number: int, line: str) -> None:
    command = [sys.executable, "-m", "gateway.cli", "demo"]
    with subprocess.Popen(
        command, env=environment(tmp_path), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stderr is not None
        for said in running.stderr:
            if line in said:
                break
        time.sleep(0.2)
        running.send_signal(number)
        running.stderr.read()
        assert running.wait(30) != 0
    assert left_behind(tmp_path) == ([], [])


def test_a_database_that_cannot_be_reached_is_told_and_leaves_nothing_behind(tmp_path: Path) -> None:
    done = demo(tmp_path, XIANJIE_DB="postgresql+psycopg://nobody@127.0.0.1:1/none?connect_timeout=1")
    assert (done.returncode, "store_unavailable" in done.stderr) == (3, True), done.stderr
    assert left_behind(tmp_path) == ([], [])

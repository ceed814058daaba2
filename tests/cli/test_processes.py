"""进程 The demonstration's children: whatever happens to them is told, and none outlives the demonstration."""

import os
import time
from pathlib import Path

import pytest

from gateway.cli.processes import processes
from gateway.errors import ConfigError

SPEAKS = "import json, sys, time; print(json.dumps({'address': 'here'}), flush=True); time.sleep(60)"
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SPEAKS}"


def module(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> str:
    """A module of the children's own."""
    (folder / "child_of_a_test.py").write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return "child_of_a_test"


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_child_says_its_first_line_and_is_stopped_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with processes(tmp_path) as running:
        said = running.start("child", module(tmp_path, monkeypatch, SPEAKS), [], {})
        assert (said["address"], is_there(said["pid"]), running.dead()) == ("here", True, [])
    assert not is_there(said["pid"])


def test_children_are_stopped_when_something_goes_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = module(tmp_path, monkeypatch, SPEAKS)
    pids = []
    with pytest.raises(KeyboardInterrupt), processes(tmp_path) as running:
        pids += [running.start(str(number), name, [], {})["pid"] for number in range(2)]
        raise KeyboardInterrupt
    assert [pid for pid in pids if is_there(pid)] == []


def test_a_child_that_does_not_listen_is_ended_by_force(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with processes(tmp_path, patience=0.5) as running:
        said = running.start("deaf", module(tmp_path, monkeypatch, DEAF), [], {})
    assert not is_there(said["pid"])


def test_a_child_that_does_not_start_is_told_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = module(tmp_path, monkeypatch, "raise SystemExit('the port is taken')")
    with pytest.raises(ConfigError) as caught, processes(tmp_path) as running:
        running.start("child", name, [], {})
    assert caught.value.note == "child did not start: the port is taken"


def test_a_child_that_ends_by_itself_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = module(tmp_path, monkeypatch, SPEAKS.replace("time.sleep(60)", "sys.exit('enough')"))
    with processes(tmp_path) as running:
        running.start("child", name, [], {})
        end = time.monotonic() + 10
        while not running.dead() and time.monotonic() < end:
            time.sleep(0.05)
        assert (running.dead(), running.last_words("child")) == (["child"], "enough")

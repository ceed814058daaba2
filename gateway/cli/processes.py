"""进程 Child processes of the demonstration: started, read for their first line, stopped by their pid, always."""

import json
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

from gateway.errors import ConfigError

START_SECONDS = 30.0
STOP_SECONDS = 15.0
LAST_LINES = 5


class Processes:
    """What was started; `stop` ends each gracefully, then by force."""

    def __init__(self, folder: Path, patience: float) -> None:
        self._folder, self._patience = folder, patience
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, module: str, arguments: Sequence[str], environment: Mapping[str, str]) -> dict[str, Any]:
        """Starts `python -m module …`; returns the JSON object of its first line. Its log goes to `name.log`."""
        with (self._folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, **environment},
                start_new_session=True,
            )
        self._running[name] = process
        line = _first_line(process)
        if line is None:
            raise ConfigError(f"{name} did not start: {self.last_words(name)}")
        answer: dict[str, Any] = json.loads(line)
        return answer | {"pid": process.pid}

    def dead(self) -> list[str]:
        """Names of processes that ended by themselves."""
        return [name for name, process in self._running.items() if process.poll() is not None]

    def last_words(self, name: str) -> str:
        """The end of a process's log."""
        lines = (self._folder / f"{name}.log").read_text(encoding="utf-8", errors="replace").splitlines()
        return " | ".join(lines[-LAST_LINES:]) or "it said nothing"

    def stop(self) -> None:
        """SIGTERM to all, last started first, then SIGKILL to whoever stays."""
        for process in reversed(self._running.values()):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        until = monotonic() + self._patience
        for process in self._running.values():
            try:
                process.wait(timeout=max(0.1, until - monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()
        self._running.clear()


@contextmanager
def processes(folder: Path, patience: float = STOP_SECONDS) -> Iterator[Processes]:
    """Everything started within is stopped at the end, whatever happens. patience: seconds before force."""
    started = Processes(folder, patience)
    try:
        yield started
    finally:
        started.stop()


def _first_line(process: subprocess.Popen[bytes]) -> bytes | None:
    """The first line of its output; None when it ended or said nothing in time."""
    assert process.stdout is not None  # noqa: S101 - opened as a pipe
    selector = selectors.DefaultSelector()
    selector.register(process.stdout, selectors.EVENT_READ)
    until = monotonic() + START_SECONDS
    kept = b""
    while monotonic() < until and not kept.endswith(b"\n"):
        if not selector.select(timeout=0.5):
            if process.poll() is not None:
                return None
            continue
        chunk = os.read(process.stdout.fileno(), 1)
        if not chunk:
            return None
        kept += chunk
    selector.close()
    return kept if kept.endswith(b"\n") else None

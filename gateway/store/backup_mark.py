"""备份标记 When this node last copied the database, kept in its state folder: a copy that is missing should be noticed.

Only `xianjie backup` marks what it made; a copy by another tool leaves no mark. The mark says when and how much of the
log, not where the copy lies.
"""

import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gateway.errors import ConfigError
from gateway.store.clock import from_ms, to_ms

FILE = "backup"


@dataclass(frozen=True, kw_only=True, slots=True)
class BackupMark:
    """One copy: when it was made, and how many leaves the log had before it."""

    at: datetime
    leaves: int


def mark(folder: Path, made: BackupMark) -> None:
    """Replaces the mark. Raises ConfigError."""
    fresh = folder / f"{FILE}.{os.getpid()}.new"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh.write_text(json.dumps({"at": to_ms(made.at), "leaves": made.leaves}), encoding="utf-8")
        fresh.replace(folder / FILE)
    except OSError as error:
        raise ConfigError(f"state/{FILE} cannot be written ({type(error).__name__})") from error


def last(folder: Path) -> BackupMark | None:
    """The last one; None where none was made, or its mark cannot be read."""
    try:
        found = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return BackupMark(at=from_ms(int(found["at"])), leaves=int(found["leaves"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None

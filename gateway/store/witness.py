"""见证文件 The last checkpoint of this node, kept outside the database: against it a restored older copy shows.

Rules: written whole or not at all (new file, fsync, rename), readable by its owner alone; never replaced by a smaller
tree of the same log. It holds no secret; what matters is that who can write to the database cannot write here.
"""

import os
from pathlib import Path

from gateway.errors import ConfigError

FILE = "checkpoint"


class WitnessFile:
    """One file in the installation's state folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE

    def read(self) -> str | None:
        """The note kept last; None where none was. Raises ConfigError for a file that cannot be read."""
        try:
            return self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"state/{FILE} cannot be read ({type(error).__name__})") from error

    def keep(self, note: str) -> None:
        """Replaces the file; after return it survives a loss of power. Raises ConfigError."""
        folder = self._path.parent
        fresh = folder / f"{FILE}.{os.getpid()}.new"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
                file.write(note)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._path)
            _sync_folder(folder)
        except OSError as error:
            raise ConfigError(f"state/{FILE} cannot be written ({type(error).__name__})") from error

    def set_aside(self, ending: str) -> None:
        """The file keeps its bytes under another name: they are evidence, but no checkpoint. Raises ConfigError."""
        try:
            self._path.replace(self._path.with_name(f"{FILE}.{ending}"))
        except OSError as error:
            raise ConfigError(f"state/{FILE} cannot be set aside ({type(error).__name__})") from error


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

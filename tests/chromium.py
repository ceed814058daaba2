"""The Chromium that browser tests drive: an installed one, else Playwright's own.

`python -m tests.chromium` says which; exit 3 when there is none. `make` installs one by the platform's means and says
so.
"""

import shutil
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
HOW_TO_GET_ONE = "no Chromium found: install the system's package (Debian, Ubuntu: apt-get install chromium)"
FLAGS = [
    "--no-sandbox",  # root has no other way; the pages are our own, on loopback
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--font-render-hinting=none",
]


def find() -> Path | None:
    """Where it is."""
    for name in NAMES:
        found = shutil.which(name)
        if found:
            return Path(found)
    own = sorted(Path.home().glob(".cache/ms-playwright/chromium*/*/chrome*"))
    return next((path for path in reversed(own) if path.is_file() and path.name in ("chrome", "headless_shell")), None)


def main() -> int:
    """Say which one the tests will drive."""
    found = find()
    if found is None:
        sys.stderr.write(f"{HOW_TO_GET_ONE}\n")
        return 3
    sys.stdout.write(f"{found}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

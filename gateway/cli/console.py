"""控制台 How commands speak: tables for people, JSON for machines, errors with their next step; and how they start.

Output goes to standard output, everything about the work to standard error. Colours and bars appear on a terminal only.
"""

import json
import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import update_wrapper
from pathlib import Path
from typing import Any, TypeVar
from unicodedata import east_asian_width

import click

from gateway.app import Clock, build_context
from gateway.config import Config, find_file, load
from gateway.domain import values
from gateway.errors import Busy, ConfigError, InRecovery, PartnerUnreachable, StoreUnavailable, XianjieError
from gateway.flows.context import Context
from gateway.web.access_log import JsonLines

F = TypeVar("F", bound=Callable[..., Any])

DONE, FINDINGS, USAGE, UNAVAILABLE = 0, 1, 2, 3
_UNAVAILABLE = (StoreUnavailable, Busy, PartnerUnreachable, InRecovery)


def explain(error: XianjieError) -> None:
    """The error on standard error: code, what is wrong, what to do."""
    note = f" ({error.note})" if error.note else ""
    click.echo(f"{error.code}: {error.title[0]} {error.title[1]}{note}", err=True)
    for problem in error.problems:
        click.echo(f"  {problem.pointer}  {problem.code}", err=True)
    click.echo(f"  → {error.next_step[0]}\n  → {error.next_step[1]}", err=True)


def exit_code_of(error: XianjieError) -> int:
    """What the shell is told."""
    if isinstance(error, _UNAVAILABLE):
        return UNAVAILABLE
    return (
        USAGE if error.code in ("config_invalid", "input_refused", "missing_extra", "example_key_refused") else FINDINGS
    )


TAKES_A_FINGERPRINT = {"ignore_unknown_options": True, "help_option_names": ["--help"]}
"""Settings of a command that is given a fingerprint: one may begin with a dash, and no letter in it asks for help."""


def json_option(command: F) -> F:
    """Adds `--json`: one JSON document instead of a table."""
    return click.option("--json", "as_json", is_flag=True, help="机器可读 for machines")(command)


def say(text: str) -> None:
    """A line about the work itself."""
    click.echo(text, err=True)


def print_json(value: Any) -> None:
    """One JSON document."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def refuse_existing(path: Path) -> None:
    """Somebody may have worked in it. Raises ConfigError."""
    if path.exists():
        raise ConfigError(f"{path.name} is there already; nothing was overwritten")


def table(headings: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str = "") -> None:
    """Aligned columns; a Chinese character counts two."""
    texts = [["" if cell is None else str(cell) for cell in row] for row in rows]
    if not texts:
        click.echo(empty or "—")
        return
    widths = [max(_width(cell) for cell in column) for column in zip(headings, *texts, strict=True)]
    for row in (list(headings), *texts):
        click.echo(
            "  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)).rstrip()
        )


def _width(text: str) -> int:
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)


def yuan(fen: int | None) -> str:
    """1234567 → 12,345.67"""
    return "" if fen is None else values.yuan(fen)


class Installation:
    """The gateway a command works on; opened when first asked for."""

    def __init__(self, named: str | None) -> None:
        self._named = named
        self._config: Config | None = None

    @property
    def path(self) -> Path:
        """The configuration file."""
        return find_file(self._named)

    @property
    def config(self) -> Config:
        """As read."""
        if self._config is None:
            self._config = load(self.path)
        return self._config

    @contextmanager
    def open(self) -> Iterator[tuple[Context, Clock]]:
        """Context and clock; the store is closed afterwards, its queue committed."""
        context = build_context(self.config)
        try:
            yield context, Clock(self.config)
        finally:
            context.store.close()


def with_installation(command: Callable[..., Any]) -> Callable[..., Any]:
    """Passes the Installation as first argument."""

    @click.pass_obj
    def run(installation: Installation, /, *args: Any, **kwargs: Any) -> Any:
        return command(installation, *args, **kwargs)

    return update_wrapper(run, command)


def log_to_stderr(level: int = logging.INFO) -> None:
    """Every record of the process as one JSON line without personal data."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("apscheduler").setLevel(logging.ERROR)  # its warnings tell of each tick a slow job sits out
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("waitress").setLevel(logging.WARNING)  # its information lines name paths


def counted(counts: Mapping[str, int]) -> str:
    """`a 1 · b 2`"""
    return " · ".join(f"{key} {count}" for key, count in counts.items())

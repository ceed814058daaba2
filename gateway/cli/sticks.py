"""离线介质文件 How commands read and write sticks, and how they say why one cannot be used.

Rules: a stick is written whole or not at all, for its owner's eyes alone where the file system knows owners; a file
that is there is never overwritten, but for this party's own stick of replies, whose place a newer one takes.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from gateway.cli.console import FINDINGS, print_json, say
from gateway.cli.telling import say_unusable
from gateway.envelope.stick import MAX_STICK_BYTES
from gateway.errors import ConfigError, StickRefused


class StickCommands(click.Group):
    """A group whose commands read sticks: one that cannot be used is told with its reason and what to do; exit 1."""

    def invoke(self, ctx: click.Context) -> Any:
        for_machines = ctx.params.get("as_json") or "--json" in ctx.args
        try:
            return super().invoke(ctx)
        except StickRefused as error:
            say_unusable("离线介质 stick", error)
            if for_machines:
                errors = [{"pointer": one.pointer, "code": one.code} for one in error.problems]
                print_json({"refused": error.code, "errors": errors})
            ctx.exit(FINDINGS)


def read_stick(path: Path) -> bytes:
    """The file, or as much of it as shows that it is too large. Raises ConfigError."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_STICK_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path.name} cannot be read ({type(error).__name__}); is the stick in?") from error


def replace_stick(path: Path, content: bytes) -> None:
    """Written beside it, forced onto the medium, then put in its place. Raises ConfigError."""
    beside = path.with_name(f".{path.name}.part")
    try:
        with suppress(FileNotFoundError):
            beside.unlink()
        with os.fdopen(os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        with suppress(OSError):
            beside.unlink()
        raise ConfigError(f"{path.name} cannot be written ({error.strerror or type(error).__name__})") from error


def say_carry(path: Path, count: int, whither: str) -> None:
    """What is on it and where it goes."""
    say(f"已写入 wrote {path.name}: {count} 件 messages → {whither}")

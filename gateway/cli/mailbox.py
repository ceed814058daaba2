"""信箱介质 `xianjie mailbox`: for offices without a network: their mailboxes out, their replies in, receipts back.

Each stick that leaves or is taken is on file with who did it. A stick holds people's data: hand it over, do not leave
it lying; where the office registered a key for encryption, its messages are encrypted to it.
"""

import getpass
import sys
from pathlib import Path
from typing import Any

import click

from gateway.cli.console import (
    DONE,
    FINDINGS,
    Installation,
    json_option,
    print_json,
    refuse_existing,
    say,
    with_installation,
)
from gateway.cli.sticks import StickCommands, read_stick, replace_stick, say_carry
from gateway.cli.telling import say_unusable
from gateway.flows import stick

NEW_FILE = click.Path(dir_okay=False, path_type=Path)


def _login() -> str:
    """Who sits at this machine, as far as it knows."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "operator"


who_option = click.option("--who", default=_login, show_default="the login name", help="经办人 on file with the stick")


@click.group(cls=StickCommands)
def mailbox() -> None:
    """信箱介质 Sticks for offices without a network."""


@mailbox.command("export")
@click.argument("office")
@click.option("--out", type=NEW_FILE, required=True, help="写入文件 the stick's file")
@who_option
@json_option
@with_installation
def export(installation: Installation, office: str, out: Path, who: str, as_json: bool) -> None:
    """制作来件介质 All that waits for OFFICE in one signed file. Nothing leaves the mailbox by it."""
    refuse_existing(out)
    with installation.open() as (context, clock):
        made = stick.export(context, office, who=who, now=clock())
    replace_stick(out, made.file)
    if as_json:
        print_json({"stick": made.stick_id, "to": made.recipient, "messages": made.messages, "left": made.left})
        return
    say_carry(out, made.messages, made.recipient)
    if made.left:
        say(f"还有 {made.left} 件，待这些办完后再制作 {made.left} more: make another once these are answered")


@mailbox.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--out", type=NEW_FILE, required=True, help="回执写入文件 the receipts' file, to carry back")
@who_option
@json_option
@with_installation
def import_(installation: Installation, file: Path, out: Path, who: str, as_json: bool) -> None:
    """读取反馈介质 Takes a stick of replies and writes the receipts. Exit 1 when a reply was refused."""
    refuse_existing(out)
    raw = read_stick(file)
    with installation.open() as (context, clock):
        taken = stick.take(context, raw, who=who, now=clock())
    replace_stick(out, taken.file)
    if as_json:
        print_json(_as_json(taken))
    else:
        for message_id, error in taken.refused:
            say_unusable(message_id, error)
        counts = f"已接收 accepted {taken.accepted} · 此前已接收 accepted before {taken.replayed}"
        say(f"{counts} · 未接收 refused {len(taken.refused)}")
        say_carry(out, taken.accepted + taken.replayed + len(taken.refused), taken.source)
    sys.exit(FINDINGS if taken.refused else DONE)


def _as_json(taken: stick.Taken) -> dict[str, Any]:
    return {
        "from": taken.source,
        "accepted": taken.accepted,
        "accepted_before": taken.replayed,
        "refused": [{"message_id": message_id, "code": error.code} for message_id, error in taken.refused],
    }


COMMANDS = (mailbox,)

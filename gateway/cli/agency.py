"""部门客户端 `xianjie inbox`: an office without a server lists, opens, answers its handoffs, one by one or in a sheet.

1. `list`, `open`, `answer`: one by one; `sheet` and `import`: all at once;
2. with `--stick FILE` all of it without a network: from a stick of the gateway's, onto a stick of replies (`--out`);
   `receipts FILE` takes what the gateway answered to that;
3. `--sheet`, `--reply`, `--retrieved` without a command do what they always did.

Nothing leaves the mailbox by being fetched, and nothing is sent twice however often a command is run.
"""

import sys
from pathlib import Path
from typing import Any

import click

from gateway.cli.console import DONE, FINDINGS, json_option, print_json, refuse_existing, say
from gateway.cli.inbox_answer import answer
from gateway.cli.inbox_desk import ClerkDesk
from gateway.cli.inbox_list import leave, list_, show
from gateway.cli.inbox_open import open_, retrieval
from gateway.cli.inbox_send import Told, send
from gateway.cli.inbox_sheet import import_, send_back, sheet_, write
from gateway.cli.partner import partner_options
from gateway.cli.sticks import StickCommands, read_stick
from gateway.cli.telling import say_problem, say_refused
from gateway.client.stick import Settled

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group(cls=StickCommands, invoke_without_command=True)
@click.option("--sheet", type=click.Path(dir_okay=False, path_type=Path), help="生成办理表 writes the sheet to work in")
@click.option("--reply", type=FILE, help="报送填好的表 sends a filled sheet")
@click.option("--retrieved", is_flag=True, help="标记已签收 tells that the messages were opened")
@click.option("--agency", help="部门 e.g. womens_federation; needed with --reply")
@click.option("--stick", type=FILE, help="离线介质 works from this file of the gateway's, without a network")
@partner_options
@json_option
@click.pass_context
def inbox(
    context: click.Context,
    /,
    sheet: Path | None,
    reply: Path | None,
    retrieved: bool,
    agency: str | None,
    stick: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """信箱 Handoffs of an office without a server: lists, shows, answers; with --stick without a network."""
    desk = ClerkDesk(options=options, stick=stick, agency=agency, as_json=as_json)
    context.obj = desk
    alone = {"--sheet": sheet, "--reply": reply, "--retrieved": retrieved}
    used = [name for name, value in alone.items() if value]
    if context.invoked_subcommand is not None:
        if used:
            raise click.UsageError(f"{used[0]} 不与子命令同用 stands alone; the commands are sheet, import, open")
        return
    if reply is not None and agency is None:
        raise click.UsageError("--reply 需要 --agency needs --agency")
    if stick is not None and (reply is not None or retrieved):
        raise click.UsageError("--stick 用子命令 import 和 open with --stick use `import` and `open`")
    if sheet is not None:
        refuse_existing(sheet)
    if reply is not None:
        sys.exit(send_back(desk, reply, None, as_json=as_json))
    _all(desk, sheet, retrieved=retrieved)


def _all(desk: ClerkDesk, sheet: Path | None, *, retrieved: bool) -> None:
    letters, unproven = desk.waiting()
    if sheet is not None:
        write(desk, letters, sheet)
    show(desk, letters, as_json=desk.as_json)
    told = Told()
    if retrieved:
        send(desk, [retrieval(letter) for letter in letters], told, quiet=False)
        say(f"已签收 retrieved {len(letters) - told.failed}")
    sys.exit(FINDINGS if told.failed else leave(unproven))


@inbox.command()
@click.argument("file", type=FILE)
@json_option
@click.pass_obj
def receipts(desk: ClerkDesk, file: Path, as_json: bool) -> None:
    """读取回执介质 Takes the receipts for a stick of replies; what was refused is told and can be answered anew."""
    if desk.stick is not None:
        raise click.UsageError("receipts 不用 --stick takes its own file and no --stick")
    settled = desk.offline().settle(read_stick(file))
    if as_json or desk.as_json:
        print_json(_as_json(settled))
    else:
        _say(settled)
    sys.exit(FINDINGS if settled.refused else DONE)


def _as_json(settled: Settled) -> dict[str, Any]:
    return {
        "accepted": settled.accepted,
        "accepted_before": settled.before,
        "of_others": settled.of_others,
        "warnings": [{"message_id": message_id, "code": warning.code} for message_id, warning in settled.warnings],
        "refused": [
            {"message_id": one.reference, "code": one.code, "errors": list(one.errors)} for one in settled.refused
        ],
    }


def _say(settled: Settled) -> None:
    for message_id, warning in settled.warnings:
        say_problem(f"{message_id} 提示 warning", warning.pointer, warning.code)
    for refused in settled.refused:
        say_refused(refused)
    others = f" · 他人的 of other journals {settled.of_others}" if settled.of_others else ""
    say(
        f"已接收 accepted {settled.accepted} · 此前已知 known before {settled.before} · "
        f"未接收 refused {len(settled.refused)}{others}"
    )


for command in (list_, open_, answer, sheet_, import_):
    inbox.add_command(command)

COMMANDS = (inbox,)

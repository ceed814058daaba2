"""打开一件 One handoff as a clerk reads it, by the sheet's columns; that it was opened is told (`handoff.retrieved`).

What an agency's sheet does not show (an address behind a raised safety flag) is not shown here either: a screen is seen
by those who stand beside it, too.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path

import click

from gateway.cli.console import DONE, FINDINGS, json_option, print_json, say, table
from gateway.cli.inbox_desk import AMENDED, ISSUED, RETRIEVED, WITHDRAWN, ClerkDesk, now_utc
from gateway.cli.inbox_list import listed
from gateway.cli.inbox_send import Told, out_option, send, sum_up
from gateway.client import Outgoing
from gateway.client.clerk_book import Letter

Columns = Sequence[tuple[str, str]]


@click.command("open")
@click.argument("message")
@click.option("--peek", is_flag=True, help="只看不签收 shows it without signing for it")
@out_option
@json_option
@click.pass_obj
def open_(desk: ClerkDesk, message: str, peek: bool, out: Path | None, as_json: bool) -> None:
    """打开 Shows one handoff (MESSAGE: its number in the list, its id, or its referral) and signs for it."""
    if not peek:
        desk.require_out(out)
    letter, gone = find(desk, message)
    _show(desk, letter, is_gone=gone, as_json=as_json or desk.as_json)
    if peek:
        sys.exit(DONE)
    told = Told()
    shown = {one.envelope.id: one for one in (letter, desk.newest(letter))}
    send(desk, [retrieval(one) for one in shown.values()], told, quiet=False)
    sum_up(desk, told, out, as_json=False, done="已签收 retrieved")
    sys.exit(FINDINGS if told.failed else DONE)


def retrieval(letter: Letter) -> Outgoing:
    """Signing for one message: the same message however often it is opened, by command or by program."""
    said = sha256(json.dumps([RETRIEVED, {}], sort_keys=True).encode()).hexdigest()[:32]
    return Outgoing(
        type=RETRIEVED,
        data={},
        effect=f"answer:{letter.envelope.id}:{said}",
        subject=letter.envelope.subject,
        in_reply_to=letter.envelope.id,
        in_reply_to_digest=letter.digest,
        reference=letter.envelope.id,
    )


def find(desk: ClerkDesk, named: str) -> tuple[Letter, bool]:
    """The message a clerk means, and whether it was withdrawn: one that waits, or one that came to this journal before,
    though it was opened since, here or by a colleague; of an amendment the handoff it amends. Raises UsageError."""
    letters, _ = desk.waiting()
    there = {letter.envelope.id for letter in letters}
    letters += [letter for letter in desk.received() if letter.envelope.id not in there]
    meant = [one for one in letters if named in (one.envelope.id, str(one.envelope.seq))]
    if not meant:
        meant = [one for one in letters if one.envelope.subject == named and one.envelope.type != WITHDRAWN]
        # reminders and other notices of the same referral do not hide its handoff
        meant = [one for one in meant if one.envelope.type == ISSUED] or meant
    if not meant:
        raise click.UsageError(f"没有 {named} 这一件 nothing is called {named}; see `xianjie inbox list --in-hand`")
    if len(meant) > 1:
        ids = ", ".join(f"{one.envelope.seq}" for one in meant)
        raise click.UsageError(f"{named} 有多件 there are several; name one by its number: {ids}")
    gone = {one.envelope.in_reply_to for one in letters if one.envelope.type == WITHDRAWN}
    found = meant[0]
    if found.envelope.type == AMENDED:
        found = next((one for one in letters if one.envelope.id == found.envelope.in_reply_to), found)
    return found, found.envelope.id in gone


def _show(desk: ClerkDesk, letter: Letter, *, is_gone: bool, as_json: bool) -> None:
    rows, adapter = desk.rows(letter), desk.adapter_for(letter)
    columns: Columns = () if adapter is None else adapter.sheet_columns()
    (line,) = [one for one in listed(desk, [letter], now_utc()) if one.letter is letter]
    is_amended = desk.newest(letter) is not letter
    if as_json:
        shown = line.as_json()
        print_json(
            {**shown, "withdrawn": is_gone or shown["withdrawn"], "amended": is_amended, "rows": _named(rows, columns)}
        )
        return
    if is_gone:
        say("法院已撤回，不必办理 withdrawn by the court: nothing is to be done")
    if is_amended:
        say("法院已更正，所示为最新内容 amended by the court: this is the newest version")
    if not rows:
        click.echo(json.dumps(letter.envelope.data, ensure_ascii=False, indent=2))
        return
    for heading, part in _parts(rows, columns):
        if heading:
            click.echo(f"\n{heading}")
        table(["栏目 field", "内容 what it says"], part)


def _named(rows: Sequence[Mapping[str, str]], columns: Columns) -> list[list[dict[str, str]]]:
    headings = {key: _one_line(heading) for key, heading in columns}
    return [[{"key": key, "heading": headings[key], "value": row.get(key, "")} for key in headings] for row in rows]


def _parts(rows: Sequence[Mapping[str, str]], columns: Columns) -> list[tuple[str, list[list[str]]]]:
    """What all needs have in common, then each need's own; blank cells are left out."""
    common = [key for key, _ in columns if len(rows) == 1 or len({row.get(key, "") for row in rows}) == 1]
    parts = [("", _cells(rows[0], [pair for pair in columns if pair[0] in common]))]
    for row in rows if len(rows) > 1 else ():
        own = [pair for pair in columns if pair[0] not in common]
        parts.append((f"事项 need {row['need_id']}", _cells(row, own)))
    return parts


def _cells(row: Mapping[str, str], columns: Columns) -> list[list[str]]:
    return [[_one_line(heading), _one_line(row[key])] for key, heading in columns if row.get(key)]


def _one_line(text: str) -> str:
    return " ".join(text.split("\n"))

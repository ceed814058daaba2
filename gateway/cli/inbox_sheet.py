"""办理表往返 The sheet an office works in: written with what waits, read back when it is filled.

Each filled row becomes one signed message in the agency's own format; a row that was sent before is not sent again; a
row that cannot be read or is refused is told with its number and what to do, and costs no other row its way. The sheet
carries each message's id and digest in its grey part, so that a reply names exactly what it answers (Law 4).
"""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from gateway.cli.console import DONE, FINDINGS, json_option, print_json, refuse_existing, say
from gateway.cli.inbox_desk import ISSUED, OUTCOME, WITHDRAWN, ClerkDesk
from gateway.cli.inbox_list import leave
from gateway.cli.inbox_send import Told, out_option, send, sum_up
from gateway.cli.telling import say_problem, say_unusable
from gateway.client import Outgoing
from gateway.client.clerk_book import Letter
from gateway.domain.handoff import SentHandoff, SentNeed
from gateway.errors import ConfigError, MessageError, XianjieError
from gateway.ports import Adapter
from gateway.workbook.answers import PROOF_KEYS, effect_of, judge, proof_cells, row_problems, write_office_sheet
from gateway.workbook.sheets import read_reply_sheet


@click.command("sheet")
@click.argument("target", metavar="OUT.xlsx", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--in-hand", is_flag=True, help="含已签收未办结的 with those opened here and not finished")
@json_option
@click.pass_obj
def sheet_(desk: ClerkDesk, target: Path, in_hand: bool, as_json: bool) -> None:
    """生成办理表 Writes the sheet to work in: one row a need, the answer's columns empty."""
    refuse_existing(target)
    letters, unproven = desk.waiting()
    if in_hand:
        there = {letter.envelope.id for letter in letters}
        letters += [letter for letter in desk.in_hand() if letter.envelope.id not in there]
    rows, withdrawn = write(desk, letters, target)
    if as_json or desk.as_json:
        print_json({"rows": rows, "withdrawn": withdrawn, "written": rows > 0})
    sys.exit(leave(unproven))


@click.command("import")
@click.argument("filled", metavar="FILLED.xlsx", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--agency", help="部门 e.g. womens_federation; from the party's id when not given")
@out_option
@json_option
@click.pass_obj
def import_(desk: ClerkDesk, filled: Path, agency: str | None, out: Path | None, as_json: bool) -> None:
    """报送办理表 Sends a filled sheet back; run it as often as you like, nothing is sent twice."""
    desk.agency = agency or desk.agency
    desk.require_out(out)
    sys.exit(send_back(desk, filled, out, as_json=as_json or desk.as_json))


def write(desk: ClerkDesk, letters: list[Letter], target: Path) -> tuple[int, int]:
    """Handoffs that were neither withdrawn nor answered for good; (rows, withdrawn ones)."""
    withdrawn = {letter.envelope.in_reply_to for letter in letters if letter.envelope.type == WITHDRAWN}
    answered = desk.answered()
    issued = [
        letter
        for letter in letters
        if letter.envelope.type == ISSUED
        and letter.envelope.id not in withdrawn
        and not desk.is_finished(letter, answered.get(letter.envelope.id, []))
    ]
    agencies = {(letter.envelope.mapping or {}).get("adapter") for letter in issued}
    if len(agencies) > 1:
        raise ConfigError("the mailbox holds handoffs of more than one agency; use one party an agency")
    if not agencies:
        say("没有待办 nothing waits; no sheet was written")
        return 0, len(withdrawn)
    desk.agency = str(agencies.pop())
    adapter = desk.adapter()
    rows = [_row(letter, row) for letter in issued for row in desk.rows(letter)]
    write_office_sheet(target, adapter, rows)
    say(f"已生成 wrote {target.name}: {len(rows)} 行 rows, {len(withdrawn)} 撤回 withdrawn")
    return len(rows), len(withdrawn)


def _row(letter: Letter, row: Mapping[str, str]) -> dict[str, str]:
    return {**row, **proof_cells(letter.envelope.id, letter.digest, letter.envelope.subject)}


def send_back(desk: ClerkDesk, filled: Path, out: Path | None, *, as_json: bool) -> int:
    """The exit code: whether a row was not accepted."""
    told = Told()
    try:
        send(desk, _replies(desk, filled, told, quiet=as_json), told, quiet=as_json)
    except XianjieError:
        sum_up(desk, told, None, as_json=as_json)
        raise
    sum_up(desk, told, out, as_json=as_json)
    return FINDINGS if told.failed else DONE


def _replies(desk: ClerkDesk, filled: Path, told: Told, *, quiet: bool) -> Iterator[Outgoing]:
    """The filled rows that can be sent; the others are told at once."""
    adapter = desk.adapter()
    for row in read_reply_sheet(filled, extra=PROOF_KEYS):
        place = f"{filled.name}:{row.row}"
        problems = row_problems(row)
        if problems:
            told.failed += 1
            for where, code, note in problems:
                told.rows.append({"row": place, "field": where, "code": code})
                if not quiet:
                    say_problem(place, where, code, note)
            continue
        try:
            body = adapter.sheet_reply(row.cells)
            if desk.stick is not None:  # else the gateway says so at once, and remembers that it had to
                _judge(body, row.cells, adapter)
        except MessageError as error:
            told.failed += 1
            fields = [{"pointer": one.pointer, "code": one.code} for one in error.problems]
            told.rows.append({"row": place, "code": error.code, "errors": fields})
            if not quiet:
                say_unusable(place, error)
            continue
        yield outgoing(row.cells, body, adapter, place)


def _judge(body: Any, cells: Mapping[str, str], adapter: Adapter) -> None:
    """What the gateway would refuse is refused before somebody carries it there. The handoff is taken to be as far as
    the row itself names it. Raises MessageError."""
    named = SentHandoff(
        handoff_id=cells["handoff_id"],
        referral_id=cells["referral_id"],
        agency=adapter.agency,
        office_id="",
        needs=(SentNeed(need_id=cells["need_id"], programme=""),),
    )
    judge(adapter, body, cells, named)


def outgoing(cells: Mapping[str, str], body: Any, adapter: Adapter, place: str) -> Outgoing:
    """The same answer to the same need is the same message for ever; another answer is another message."""
    return Outgoing(
        type=OUTCOME,
        data=body,
        content_type=adapter.content_type,
        subject=cells["referral_id"] or None,
        in_reply_to=cells["message_id"],
        in_reply_to_digest=cells["message_digest"],
        effect=effect_of(cells),
        reference=place,
    )

"""答复一件 One answer to one need, typed on one line: built in the agency's own format, checked, shown, sent.

The same answer typed again, or given in the sheet, is the same message. A denial without its reasons is stopped here,
before anybody has to carry it anywhere (rule R09).
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from gateway.cli.console import DONE, FINDINGS, json_option, print_json, say, table
from gateway.cli.inbox_desk import ISSUED, ClerkDesk, explaining, now_utc
from gateway.cli.inbox_open import find
from gateway.cli.inbox_send import Told, out_option, send, sum_up
from gateway.cli.inbox_sheet import outgoing
from gateway.client.clerk_book import Letter
from gateway.domain.calendar import CHINA
from gateway.errors import FieldProblem, MessageError
from gateway.workbook.answers import judged, proof_cells
from gateway.workbook.sheets import REPLY_COLUMNS, result_words

OPTIONS = {
    "result": "--code",
    "at": "--at",
    "amount_yuan": "--amount",
    "starts_on": "--from",
    "ends_on": "--to",
    "reason": "--reason",
    "text": "--text",
    "next_due": "--next-due",
    "forwarded_to": "--forwarded-to",
    "suggested_agency": "--suggested-agency",
    "suggested_region": "--suggested-region",
    "missing": "--missing",
    "service": "--service",
    "payee": "--payee",
    "officer": "--officer",
}
"""Column of the sheet → the option that fills it; a problem is told by the option."""
_HEADINGS = {key: heading.replace("\n", " ") for key, heading in REPLY_COLUMNS}
_HELP = {
    "result": "办理结果 its Chinese word or its code, e.g. 受理 or ACCEPTED",
    "at": "办理时间 China time, 2024-08-26 or '2024-08-26 10:00'; today when not given",
    "amount_yuan": "金额（元） yuan, e.g. 650 or 1,234.56",
    "starts_on": "起始日期 from, e.g. 2024-09-01",
    "ends_on": "截止日期 until",
    "reason": "不予救助理由 with a denial",
    "text": "书面说明 with a denial",
    "next_due": "下次反馈日期 when the next answer comes, if this is not the last",
    "payee": "领款人 本人 监护人 代理人 其他",
    "missing": "需补材料 with a return, several between 、",
}


def _fields(command: Any) -> Any:
    for key, option in reversed(OPTIONS.items()):
        command = click.option(option, key, default="", help=_HELP.get(key, _HEADINGS[key]))(command)
    return command


@click.command()
@click.argument("message")
@click.option("--need", help="事项编号 which need; may be left out where there is one")
@_fields
@click.option("--check", is_flag=True, help="只检查不报送 shows what would be sent, sends nothing")
@out_option
@json_option
@click.pass_obj
def answer(
    desk: ClerkDesk, /, message: str, need: str | None, check: bool, out: Path | None, as_json: bool, **fields: str
) -> None:
    """答复 Answers one need of a handoff (MESSAGE: its number in the list, its id, or its referral)."""
    as_json = as_json or desk.as_json
    if not check:
        desk.require_out(out)
    if not fields["result"]:
        raise click.UsageError(f"--code 必填 is needed; one of {' '.join(result_words())}")
    letter, gone = find(desk, message)
    if letter.envelope.type != ISSUED:
        raise click.UsageError(f"{message} 不是转办 is no handoff; sign for it with `xianjie inbox open {message}`")
    if gone and not as_json:
        say("法院已撤回；仍可答复 withdrawn by the court; it can be answered all the same")
    cells = _cells(desk, letter, need, fields)
    with explaining(f"答复 answer {message}"):
        body = _body(desk, letter, cells)
    if not as_json:
        _show(cells)
    if check:
        if as_json:
            print_json({"check": True, "fields": {key: value for key, value in cells.items() if value}})
        sys.exit(DONE)
    told = Told()
    adapter = desk.adapter_for(letter) or desk.adapter()
    send(desk, [outgoing(cells, body, adapter, letter.envelope.id)], told, quiet=as_json)
    sum_up(desk, told, out, as_json=as_json)
    sys.exit(FINDINGS if told.failed else DONE)


def _cells(desk: ClerkDesk, letter: Letter, need: str | None, fields: Mapping[str, str]) -> dict[str, str]:
    """The row a sheet would hold."""
    rows = desk.rows(letter)
    needs = [row["need_id"] for row in rows]
    if need is None and len(needs) != 1:
        raise click.UsageError(f"有多个事项，请用 --need 指明 name one need with --need: {' '.join(needs)}")
    if need is not None and need not in needs:
        raise click.UsageError(f"没有事项 {need} 该件的事项为 this handoff's needs are {' '.join(needs)}")
    today = now_utc().astimezone(CHINA).strftime("%Y-%m-%d")
    return {
        **{key: value.strip() for key, value in fields.items()},
        "at": fields["at"].strip() or today,
        "handoff_id": rows[0]["handoff_id"],
        "need_id": need or needs[0],
        **proof_cells(letter.envelope.id, letter.digest, letter.envelope.subject),
    }


def _body(desk: ClerkDesk, letter: Letter, cells: Mapping[str, str]) -> Any:
    """The answer in the agency's own format, judged as the gateway will judge it. Raises MessageError whose pointers
    are this command's options."""
    adapter = desk.adapter_for(letter) or desk.adapter()
    try:
        return judged(adapter, cells, desk.sent_handoff(letter))
    except MessageError as error:
        problems = [
            FieldProblem(pointer=OPTIONS.get(one.pointer.lstrip("/"), one.pointer), code=one.code)
            for one in error.problems
        ]
        raise type(error)(error.note, problems=problems, ids=error.ids) from error


def _show(cells: Mapping[str, str]) -> None:
    shown = [key for key in ("handoff_id", "need_id", *OPTIONS) if cells.get(key)]
    table(["栏目 field", "将报送 to be sent"], [[_HEADINGS[key], cells[key]] for key in shown])

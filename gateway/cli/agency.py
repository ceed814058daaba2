"""部门客户端 `xianjie inbox`: an office without a server fetches its handoffs, works in a sheet, sends its answers.

1. `--sheet OUT.xlsx`: what waits, one row per need, the answer's columns empty;
2. `--reply FILLED.xlsx`: each filled row becomes one signed message in the agency's own format; a row that was sent
   before is not sent again; a row that cannot be read or is refused is told with its number and what to do;
3. without either: lists what waits. `--retrieved` tells the gateway that the listed messages were opened.

Nothing leaves the mailbox by being fetched. The sheet carries each message's id and digest in its grey part, so that a
reply names exactly what it answers (Law 4).
"""

import sys
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import click

from gateway.app import load_adapters
from gateway.cli.console import FINDINGS, UNAVAILABLE, json_option, print_json, say, table
from gateway.cli.court import say_problem
from gateway.cli.partner import make_client, partner_options
from gateway.client import Client, Outgoing, Refused
from gateway.config import DEFAULT_ADAPTERS, find_file, load
from gateway.envelope.signing import VerifiedMessage
from gateway.errors import ConfigError, MessageError, PartnerUnreachable
from gateway.ports import Adapter
from gateway.workbook.sheets import read_reply_sheet, write_handoff_sheet

ISSUED, WITHDRAWN = "handoff.issued", "handoff.withdrawn"
OUTCOME, RETRIEVED = "handoff.outcome", "handoff.retrieved"
PROOF = (
    ("message_id", "报文编号\nMessage"),
    ("message_digest", "报文摘要\nDigest"),
    ("referral_id", "移送编号\nReferral"),
)


@click.command()
@click.option("--sheet", type=click.Path(dir_okay=False, path_type=Path), help="生成办理表 writes the sheet to work in")
@click.option(
    "--reply", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="报送填好的表 sends a filled sheet"
)
@click.option("--retrieved", is_flag=True, help="标记已签收 tells that the messages were opened")
@click.option("--agency", help="部门 e.g. womens_federation; needed with --reply")
@partner_options
@json_option
def inbox(
    sheet: Path | None, reply: Path | None, retrieved: bool, agency: str | None, as_json: bool, **options: Any
) -> None:
    """信箱 Fetches handoffs, writes the sheet, sends filled sheets back."""
    client = make_client(**options)
    try:
        if reply is not None:
            if agency is None:
                raise click.UsageError("--reply 需要 --agency needs --agency")
            adapter = load_adapters(_adapter_paths()).get(agency)
            if adapter is None:
                raise ConfigError(f"no adapter for {agency}; known are {', '.join(_adapter_paths())}")
            sys.exit(FINDINGS if _send_back(client, reply, adapter) else 0)
        messages = list(_waiting(client))
        if sheet is not None:
            _write(messages, sheet)
        _list(messages, as_json)
        if retrieved:
            for message in messages:
                client.answer(message, RETRIEVED, {})
            say(f"已签收 retrieved {len(messages)}")
    except PartnerUnreachable as error:
        say(f"{error.title[0]} {error.title[1]}")
        sys.exit(UNAVAILABLE)


def _adapter_paths() -> Mapping[str, str]:
    """Those of a configuration, where there is one: a fourth agency is a line in it. Else the shipped ones."""
    try:
        return load(find_file()).adapters
    except ConfigError:
        return DEFAULT_ADAPTERS


def _waiting(client: Client) -> Iterator[VerifiedMessage]:
    """Every message in the mailbox, page by page."""
    after = 0
    while True:
        page = list(client.inbox(after=after, limit=200, wait=0))
        yield from page
        if not page:
            return
        after = max(message.envelope.seq or after for message in page)


def _list(messages: list[VerifiedMessage], as_json: bool) -> None:
    rows = [
        {
            "seq": message.envelope.seq,
            "message_id": message.envelope.id,
            "type": message.envelope.type,
            "referral": message.envelope.subject,
            "reply_by": message.envelope.reply_by.isoformat() if message.envelope.reply_by else None,
        }
        for message in messages
    ]
    if as_json:
        print_json(rows)
    else:
        table(
            ["序号", "报文", "类型", "移送", "反馈期限"],
            [list(row.values()) for row in rows],
            empty="没有待办 nothing waits",
        )


def _write(messages: list[VerifiedMessage], sheet: Path) -> None:
    """Handoffs that were not withdrawn, minors and urgent ones as the gateway ordered them."""
    withdrawn = {message.envelope.in_reply_to for message in messages if message.envelope.type == WITHDRAWN}
    issued = [m for m in messages if m.envelope.type == ISSUED and m.envelope.id not in withdrawn]
    agencies = {(message.envelope.mapping or {}).get("adapter") for message in issued}
    if len(agencies) > 1:
        raise ConfigError("the mailbox holds handoffs of more than one agency; use one party an agency")
    adapter = load_adapters(_adapter_paths())[str(agencies.pop())] if agencies else None
    if adapter is None:
        say("没有待办 nothing waits; no sheet was written")
        return
    rows = [_row(message, row) for message in issued for row in adapter.sheet_rows(message.envelope.data)]
    write_handoff_sheet(sheet, [*adapter.sheet_columns(), *PROOF], rows, agency=adapter.agency)
    say(f"已生成 wrote {sheet.name}: {len(rows)} 行 rows, {len(withdrawn)} 撤回 withdrawn")


def _row(message: VerifiedMessage, row: Mapping[str, str]) -> dict[str, str]:
    return {
        **row,
        "message_id": message.envelope.id,
        "message_digest": message.digest,
        "referral_id": message.envelope.subject or "",
    }


def _send_back(client: Client, reply: Path, adapter: Adapter) -> bool:
    """True when a row was not accepted."""
    failed = 0
    sent = before = 0
    failures: list[int] = []
    for result in client.send_many(_replies(reply, adapter, failures)):
        if isinstance(result, Refused):
            failed += 1
            say(f"{result.reference} 未接收 refused {result.code}: {result.title} → {result.next_step}")
            for error in result.errors:
                say_problem(f"{result.reference}  ", str(error["pointer"]), str(error["code"]), "")
        elif result.replayed:
            before += 1
        else:
            sent += 1
    failed += len(failures)
    say(f"已报送 sent {sent} · 此前已报送 sent before {before} · 有误 not sent {failed}")
    return failed > 0


def _replies(reply: Path, adapter: Adapter, failures: list[int]) -> Iterator[Outgoing]:
    for row in read_reply_sheet(reply, extra=[key for key, _ in PROOF]):
        place = f"{reply.name}:{row.row}"
        if row.problems:
            failures.append(row.row)
            for problem in row.problems:
                say_problem(place, problem.column.replace("\n", " ") or problem.pointer, problem.code, problem.note)
            continue
        try:
            body = adapter.sheet_reply(row.cells)
        except MessageError as error:
            failures.append(row.row)
            say(f"{place} {error.code}: {error.title[0]} {error.title[1]} → {error.next_step[0]} {error.next_step[1]}")
            for field in error.problems:
                say_problem(f"{place}  ", field.pointer, field.code, "")
            continue
        content = sha256(repr(sorted(row.cells.items())).encode()).hexdigest()[:32]
        yield Outgoing(
            type=OUTCOME,
            data=body,
            content_type=adapter.content_type,
            subject=row.cells["referral_id"] or None,
            in_reply_to=row.cells["message_id"],
            in_reply_to_digest=row.cells["message_digest"],
            effect=f"sheet:{row.cells['handoff_id']}:{row.cells['need_id']}:{content}",
            reference=place,
        )


COMMANDS = (inbox,)

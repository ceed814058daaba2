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
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import click

from gateway.app import load_adapters
from gateway.cli.console import DONE, FINDINGS, explain, json_option, print_json, refuse_existing, say, table
from gateway.cli.partner import make_client, partner_options
from gateway.cli.telling import say_problem, say_refused, say_unusable
from gateway.client import Client, Outgoing, Refused, Sent
from gateway.config import DEFAULT_ADAPTERS, find_file, load
from gateway.envelope.signing import VerifiedMessage
from gateway.errors import ConfigError, MessageError, TrustError, XianjieError
from gateway.ports import Adapter
from gateway.workbook.sheets import IDENTITY_KEYS, ReplyRow, read_reply_sheet, write_handoff_sheet

ISSUED, WITHDRAWN = "handoff.issued", "handoff.withdrawn"
OUTCOME, RETRIEVED = "handoff.outcome", "handoff.retrieved"
PROOF = (
    ("message_id", "报文编号\nMessage"),
    ("message_digest", "报文摘要\nDigest"),
    ("referral_id", "移送编号\nReferral"),
)
NAMED = (*IDENTITY_KEYS, *(key for key, _ in PROOF))
"""Without these nobody could tell what a row answers."""
PAGE = 200


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
    if reply is not None and agency is None:
        raise click.UsageError("--reply 需要 --agency needs --agency")
    if sheet is not None:
        refuse_existing(sheet)
    client = make_client(**options)
    if reply is not None and agency is not None:
        sys.exit(FINDINGS if _send_back(client, reply, _adapter_of(agency), quiet=as_json) else DONE)
    messages, unproven = _waiting(client)
    if sheet is not None:
        _write(messages, sheet)
    _list(messages, as_json)
    if retrieved:
        for message in messages:
            client.answer(message, RETRIEVED, {})
        say(f"已签收 retrieved {len(messages)}")
    for error in unproven:
        explain(error)
    sys.exit(FINDINGS if unproven else DONE)


def _adapter_of(agency: str) -> Adapter:
    paths = _adapter_paths()
    adapter = load_adapters(paths).get(agency)
    if adapter is None:
        raise ConfigError(f"no adapter for {agency}; known are {', '.join(paths)}")
    return adapter


def _adapter_paths() -> Mapping[str, str]:
    """Those of a configuration, where there is one: a fourth agency is a line in it. Else the shipped ones."""
    try:
        return load(find_file()).adapters
    except ConfigError:
        return DEFAULT_ADAPTERS


def _waiting(client: Client) -> tuple[list[VerifiedMessage], list[XianjieError]]:
    """Every message in the mailbox, page by page, and what was not proven to be one; that costs no other its place."""
    found: list[VerifiedMessage] = []
    unproven: list[XianjieError] = []
    after, more = 0, True
    while more:
        page: list[VerifiedMessage] = []
        try:
            page.extend(client.inbox(after=after, limit=PAGE, wait=0))
        except (TrustError, MessageError) as error:
            unproven.append(error)
        found.extend(page)
        more = bool(page)
        after = max((message.envelope.seq or after for message in page), default=after)
    return found, unproven


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
    if not agencies:
        say("没有待办 nothing waits; no sheet was written")
        return
    adapter = _adapter_of(str(agencies.pop()))
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


@dataclass
class _Told:
    """What became of the rows."""

    sent: int = 0
    before: int = 0
    failed: int = 0
    stopped: str | None = None
    rows: list[dict[str, Any]] = field(default_factory=list)


def _send_back(client: Client, reply: Path, adapter: Adapter, *, quiet: bool) -> bool:
    """True when a row was not accepted."""
    told = _Told()
    try:
        for result in client.send_many(_replies(reply, adapter, told, quiet=quiet)):
            _tell(result, told, quiet=quiet)
    except XianjieError as error:
        told.stopped = error.code
        _sum_up(told, quiet)
        raise
    _sum_up(told, quiet)
    return told.failed > 0


def _tell(result: Sent | Refused, told: _Told, *, quiet: bool) -> None:
    if isinstance(result, Sent):
        told.before += result.replayed
        told.sent += not result.replayed
        return
    told.failed += 1
    told.rows.append({"row": result.reference, "code": result.code, "errors": list(result.errors)})
    if not quiet:
        say_refused(result)


def _sum_up(told: _Told, as_json: bool) -> None:
    if as_json:
        counts = {"sent": told.sent, "sent_before": told.before, "not_sent": told.failed}
        print_json({**counts, "stopped": told.stopped, "rows": told.rows})
    else:
        say(f"已报送 sent {told.sent} · 此前已报送 sent before {told.before} · 有误 not sent {told.failed}")


def _replies(reply: Path, adapter: Adapter, told: _Told, *, quiet: bool) -> Iterator[Outgoing]:
    """The filled rows that can be sent; the others are told at once."""
    for row in read_reply_sheet(reply, extra=[key for key, _ in PROOF]):
        place = f"{reply.name}:{row.row}"
        blank = [key for key in NAMED if not row.cells[key]]
        if row.problems or blank:
            told.failed += 1
            problems = [
                *((one.column, one.code, one.note) for one in row.problems),
                *((key, "required", "") for key in blank),
            ]
            for where, code, note in problems:
                told.rows.append({"row": place, "field": where, "code": code})
                if not quiet:
                    say_problem(place, where, code, note)
            continue
        try:
            body = adapter.sheet_reply(row.cells)
        except MessageError as error:
            told.failed += 1
            fields = [{"pointer": one.pointer, "code": one.code} for one in error.problems]
            told.rows.append({"row": place, "code": error.code, "errors": fields})
            if not quiet:
                say_unusable(place, error)
            continue
        yield _outgoing(row, body, adapter, place)


def _outgoing(row: ReplyRow, body: Any, adapter: Adapter, place: str) -> Outgoing:
    """The same answer to the same need is the same message for ever; another answer is another message."""
    content = sha256(repr(sorted(row.cells.items())).encode()).hexdigest()[:32]
    return Outgoing(
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

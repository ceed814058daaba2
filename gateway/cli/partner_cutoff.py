"""对账承诺 `xianjie commit`: a court or an office compares its journal with the gateway and commits to what it holds.

Nothing is missing where both roots are equal; else every number that differs is named with the ids of its messages.
What is on its way is told apart from what is lost. The commitment goes to the gateway, which names the same rows to
its operator. Exit 0 nothing is missing, 1 something differs, 3 the gateway could not be reached (run it again).
"""

import sys
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import click

from gateway.cli.console import DONE, FINDINGS, json_option, print_json, say, table
from gateway.cli.partner import make_client, partner_options
from gateway.client import Reckoning
from gateway.client.completeness import DIRECTION_WORDS, KIND_WORDS, Compared
from gateway.evidence.completeness import Difference, Numbered


def _moment(_: click.Context, __: click.Parameter, value: str | None) -> datetime | None:
    """RFC 3339 with a zone."""
    if value is None:
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError as error:
        raise click.BadParameter("应为时刻 a moment, e.g. 2026-03-31T23:59:59+08:00") from error
    if found.tzinfo is None:
        raise click.BadParameter("缺少时区 its zone is missing, e.g. +08:00")
    return found.astimezone(UTC)


@click.command()
@click.option("--cutoff", callback=_moment, help="截止时刻 the cut-off it is for; now without it")
@click.option("--check", is_flag=True, help="只核对不承诺 compares and sends nothing")
@partner_options
@json_option
def commit(cutoff: datetime | None, check: bool, as_json: bool, **options: Any) -> None:
    """对账承诺 Compares what was exchanged with the gateway, number by number, and commits to it."""
    client = make_client(**options)
    to = cutoff or datetime.now(UTC)
    found = client.compare(to) if check else client.commit(to)
    if as_json:
        print_json(_as_json(found))
    else:
        _tell(found)
    sys.exit(DONE if found.is_whole else FINDINGS)


def _tell(found: Reckoning) -> None:
    rows = [_row(stream, one) for stream in found.streams for one in (*stream.wrong, *stream.under_way)]
    if rows:
        table(["方向", "号", "情况", "我方报文", "网关报文", "网关状态"], rows)
    for sentence in found.sentences():
        say(sentence)
    if found.is_whole:
        say("未发现缺失或改动 nothing is missing or changed")
    if found.message_id:
        say(f"已报送承诺 committed {found.message_id}")


def _row(stream: Compared, one: Difference) -> list[str]:
    return [
        DIRECTION_WORDS[stream.direction],
        str(one.seq),
        KIND_WORDS[one.kind],
        _ids(one.ours),
        _ids(one.theirs),
        " ".join(dict.fromkeys(row.state for row in one.theirs)),
    ]


def _ids(rows: tuple[Numbered, ...]) -> str:
    return " ".join(row.message_id for row in rows) or "—"


def _as_json(found: Reckoning) -> dict[str, Any]:
    return {
        "cutoff": found.cutoff.isoformat(),
        "message_id": found.message_id or None,
        "whole": found.is_whole,
        "streams": [_stream(stream) for stream in found.streams],
    }


def _stream(stream: Compared) -> dict[str, Any]:
    names = ("high_water", "count", "root")
    return {
        "direction": stream.direction.value,
        "source": stream.ours.source,
        "recipient": stream.ours.recipient,
        "ours": {name: getattr(stream.ours, name) for name in names},
        "gateway": {name: getattr(stream.theirs, name) for name in names},
        "proven": stream.proven,
        "requests": stream.requests,
        "differences": [
            {"kind": one.kind.value, "wrong": one.is_wrong, "seq": one.seq}
            | {"ours": [asdict(row) for row in one.ours], "theirs": [asdict(row) for row in one.theirs]}
            for one in stream.differences
        ],
    }


COMMANDS = (commit,)

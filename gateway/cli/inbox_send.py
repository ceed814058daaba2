"""报送反馈 How answers leave `xianjie inbox`: over the network at once, or journalled and onto the stick of replies.

Told is what became of each, with its row; a warning of the gateway's is told, too: it may say that a colleague had
answered the same before.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import click

from gateway.cli.console import print_json, say
from gateway.cli.inbox_desk import ClerkDesk
from gateway.cli.sticks import say_carry
from gateway.cli.telling import say_problem, say_refused
from gateway.client import Outgoing, Refused, Sent
from gateway.client.stick import Prepared
from gateway.errors import XianjieError

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(kw_only=True)
class Told:
    """What became of the rows. prepared: signed, journalled, and on the stick; no receipt yet."""

    sent: int = 0
    before: int = 0
    prepared: int = 0
    failed: int = 0
    stopped: str | None = None
    rows: list[dict[str, Any]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)


def out_option(command: F) -> F:
    """Adds `--out`: the stick of replies."""
    return click.option(
        "--out",
        type=click.Path(dir_okay=False, path_type=Path),
        help="反馈介质 with --stick: the file that carries all answers without a receipt",
    )(command)


def send(desk: ClerkDesk, items: Iterable[Outgoing], told: Told, *, quiet: bool) -> None:
    """Every item, in order. Raises what stops the whole, once it is noted in `told`."""
    try:
        for result in desk.client.send_many(items):
            _tell(result, told, quiet=quiet)
    except XianjieError as error:
        told.stopped = error.code
        raise


def _tell(result: Sent | Refused, told: Told, *, quiet: bool) -> None:
    if isinstance(result, Refused):
        told.failed += 1
        told.rows.append({"row": result.reference, "code": result.code, "errors": list(result.errors)})
        if not quiet:
            say_refused(result)
        return
    told.ids.append(result.message_id)
    if isinstance(result, Prepared):
        told.before += result.again
        told.prepared += not result.again
        return
    told.before += result.replayed
    told.sent += not result.replayed
    for warning in result.warnings:
        told.rows.append({"row": result.reference, "pointer": warning.pointer, "code": warning.code, "warning": True})
        if not quiet:
            say_problem(f"{result.reference} 提示 warning", warning.pointer, warning.code)


def sum_up(desk: ClerkDesk, told: Told, out: Path | None, *, as_json: bool, done: str = "") -> None:
    """The counts, after the stick of replies was written anew where there is one."""
    carried = desk.put_replies(out)
    if as_json:
        counts = {"sent": told.sent, "sent_before": told.before, "prepared": told.prepared, "not_sent": told.failed}
        print_json({**counts, "on_stick": carried, "stopped": told.stopped, "rows": told.rows, "message_ids": told.ids})
        return
    if out is None:
        first = f"{done} {told.sent}" if done else f"已报送 sent {told.sent}"
        say(f"{first} · 此前已报送 sent before {told.before} · 有误 not sent {told.failed}")
        return
    say(f"已备 prepared {told.prepared} · 此前已备 before {told.before + told.sent} · 有误 not prepared {told.failed}")
    say_carry(out, carried, "交网关管理员 the gateway's administrator (xianjie mailbox import)")

"""存证日志 `xianjie log`: how the log stands, what it holds about one id with its proof, the last signed checkpoint.

Nothing is changed here; the sequencer signs, and `xianjie verify --log` walks the whole of it.
"""

import json
import sys
from datetime import timedelta
from typing import Any

import click

from gateway.cli.console import (
    DONE,
    FINDINGS,
    TAKES_A_FINGERPRINT,
    Installation,
    json_option,
    print_json,
    say,
    table,
    with_installation,
)
from gateway.errors import NotFound
from gateway.flows import log as flow
from gateway.flows.log import Logged, LogStatus


@click.group()
def log() -> None:
    """存证日志 The transparency log."""


@log.command()
@json_option
@with_installation
def status(installation: Installation, as_json: bool) -> None:
    """状态 How long the log is, how far it is signed and who has cosigned it."""
    with installation.open() as (context, clock):
        found, now = flow.status(context), clock()
        vkey = None if context.log_key is None else context.log_key.named(found.origin).vkey()
    age = None if found.signed_at is None else max(now - found.signed_at, timedelta(0))
    if as_json:
        print_json(
            {**_status_json(found), "vkey": vkey, "age_seconds": None if age is None else int(age.total_seconds())}
        )
        return
    signed = (
        "尚无 none yet"
        if found.signed_size is None
        else f"{found.signed_size} · {found.signed_at:%Y-%m-%d %H:%M:%S} UTC"
    )
    rows = [
        ("日志 origin", found.origin),
        ("期 epoch", found.head.epoch),
        ("条数 leaves", found.head.size),
        ("根 root", found.head.root.hex()),
        ("检查点 checkpoint", signed),
        ("距今 age", "" if age is None else str(timedelta(seconds=int(age.total_seconds())))),
        ("未签 unsigned", _unsigned(found)),
        ("公钥 vkey", vkey or ""),
        ("状态 state", "恢复中,不签发 in recovery: nothing is signed" if found.head.recovering else "正常 signing"),
        *((f"见证 {name}", _cosigned(size)) for name, size in found.cosigned.items()),
    ]
    table(["项目 item", "内容 value"], rows)


def _cosigned(size: int | None) -> str:
    return "尚未签 not yet" if size is None else f"已签至 up to {size}"


def _unsigned(found: LogStatus) -> int:
    """Leaves no checkpoint of this epoch covers."""
    return found.head.size - (found.signed_size or 0)


def _status_json(found: LogStatus) -> dict[str, Any]:
    return {
        "origin": found.origin,
        "epoch": found.head.epoch,
        "size": found.head.size,
        "root": found.head.root.hex(),
        "recovering": found.head.recovering,
        "checkpoint": found.signed_size,
        "signed_at": None if found.signed_at is None else found.signed_at.isoformat(),
        "unsigned": _unsigned(found),
        "witnesses": found.cosigned,
    }


@log.command(context_settings=TAKES_A_FINGERPRINT)
@click.argument("ref")
@json_option
@with_installation
def entry(installation: Installation, ref: str, as_json: bool) -> None:
    """条目 The leaves about a message, decision, key or party, each with its proof, which is checked here."""
    with installation.open() as (context, _):
        found = flow.about(context, ref)
    if as_json:
        print_json([_entry_json(one) for one in found])
    else:
        rows = [(one.place.index, one.place.kind, one.place.digest or "", _proven(one)) for one in found]
        headings = ["序号 leaf", "类别 kind", "摘要 digest", "证明 proof"]
        table(headings, rows, empty="日志中没有这个编号 nothing in the log has this id")
        for one in found:
            click.echo(one.place.entry)
    if not found:
        say("可用报文、决定、密钥或主体的编号 ids of messages, decisions, keys and parties are known here")
    sys.exit(DONE if found and all(one.holds for one in found) else FINDINGS)


def _proven(one: Logged) -> str:
    if not one.holds:
        return "不成立 does not hold"
    return "待签 not signed yet" if one.proof is None else f"成立 holds in {one.proof.size}"


def _entry_json(one: Logged) -> dict[str, Any]:
    proof = one.proof
    return {
        "index": one.place.index,
        "kind": one.place.kind,
        "entry": json.loads(one.place.entry) if one.holds else one.place.entry,
        "leaf_hash": one.place.leaf_hash.hex(),
        "holds": one.holds,
        "size": None if proof is None else proof.size,
        "root": None if proof is None else proof.root.hex(),
        "proof": None if proof is None else [value.hex() for value in proof.proof],
    }


@log.command()
@with_installation
def checkpoint(installation: Installation) -> None:
    """检查点 The last signed note with its cosignatures, as partners get it."""
    with installation.open() as (context, _):
        try:
            note = flow.note(context)
        except NotFound:
            say("尚无检查点;运行 xianjie work 后即签发 no checkpoint yet; `xianjie work` signs one")
            sys.exit(FINDINGS)
    click.echo(note, nl=False)


COMMANDS = (log,)

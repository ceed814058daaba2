"""备份 `xianjie backup` copies the database while it is at work; `restore-check` says beforehand what a copy is worth.

The newest signed checkpoint is written beside the copy: kept elsewhere, it tells years later what the copy must hold.
`restore-check` compares with the last checkpoint this machine keeps outside the database: an older copy is told with
how much it lacks. It changes nothing; the gateway itself refuses to sign on an older one (`xianjie recovery`).
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import click
from sqlalchemy import Connection

from gateway.app import build_context
from gateway.cli.console import (
    DONE,
    FINDINGS,
    Installation,
    json_option,
    print_json,
    refuse_existing,
    say,
    table,
    with_installation,
)
from gateway.cli.install import write_private
from gateway.flows.context import Context
from gateway.flows.sequence import trouble_of
from gateway.store import backup_mark, checkpoints, copies, log, migrate
from gateway.store.backup_mark import BackupMark
from gateway.store.witness import WitnessFile

SUFFIX = ".checkpoint"


@click.command()
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@with_installation
def backup(installation: Installation, out: Path) -> None:
    """备份 Copies the database to OUT while everything runs; the newest signed checkpoint goes to OUT.checkpoint."""
    beside = out.with_name(out.name + SUFFIX)
    refuse_existing(out)
    refuse_existing(beside)
    with installation.open() as (context, clock):
        # before the copy: what was signed by now, the copy holds
        with context.store.reading() as connection:
            newest, head = checkpoints.newest(connection), log.head(connection)
        copies.copy_database(installation.config.database, out)
        if newest is not None:
            write_private(beside, newest["note"].encode())
        backup_mark.mark(installation.config.state, BackupMark(at=clock(), leaves=head.size))
    signed = "尚无检查点 no checkpoint yet" if newest is None else f"{beside.name} ({newest['size']})"
    say(f"已备份 copied {out.name}: 日志 log {head.size}+; {signed}")
    say("另须备份 keep with it, encrypted: xianjie.toml, keys/ (缺 data.key 则内容不可读 unreadable without data.key)")


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What a copy is worth. trouble: why it is not what was signed, as a code."""

    whole: bool
    revision: str
    current: bool
    epoch: int
    leaves: int
    signed: int | None
    witness: int | None
    trouble: str | None

    @property
    def in_order(self) -> bool:
        """Nothing torn, nothing missing."""
        return self.whole and self.trouble is None


@click.command("restore-check")
@click.argument("copy", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False)
@json_option
@with_installation
def restore_check(installation: Installation, copy: Path | None, as_json: bool) -> None:
    """恢复检查 Is this copy whole, and does it hold all that was signed? Without COPY: the configured database."""
    config = installation.config
    context = build_context(config)
    try:
        with _opened(context, copy) as connection:
            found = _check(connection, context, WitnessFile(config.state), is_file=copy is not None)
    finally:
        context.store.close()
    if as_json:
        print_json({**asdict(found), "in_order": found.in_order})
    else:
        table(["项目 item", "结果 result"], list(_rows(found)))
    sys.exit(DONE if found.in_order else FINDINGS)


@contextmanager
def _opened(context: Context, copy: Path | None) -> Iterator[Connection]:
    if copy is None:
        with context.store.reading() as connection:
            yield connection
        return
    with copies.reading_copy(copy) as connection:
        yield connection


def _check(connection: Connection, context: Context, witness: WitnessFile, *, is_file: bool) -> Checked:
    revision = migrate.current(connection) or ""
    head, newest = log.head(connection), checkpoints.newest(connection)
    return Checked(
        whole=not is_file or copies.is_whole(connection),
        revision=revision,
        current=revision == migrate.head(),
        epoch=head.epoch,
        leaves=head.size,
        signed=None if newest is None else newest["size"],
        witness=_size_of(witness.read()),
        trouble=trouble_of(connection, context, head, witness),
    )


def _size_of(note: str | None) -> int | None:
    """The second line of a checkpoint."""
    line = "" if note is None else note.partition("\n")[2].partition("\n")[0]
    return int(line) if line.isdecimal() else None


def _rows(found: Checked) -> Iterator[tuple[str, str]]:
    yield "文件 file", "完整 whole" if found.whole else "损坏 torn"
    yield "版本 revision", found.revision + ("" if found.current else " (须迁移 run `xianjie migrate`)")
    yield "日志 log", f"{found.leaves} (期 epoch {found.epoch})"
    yield "已签 signed in it", "—" if found.signed is None else str(found.signed)
    yield "本机见证 kept here", "—" if found.witness is None else str(found.witness)
    if found.trouble is None:
        yield (
            "结论 verdict",
            "含全部已签内容 holds all that was signed" if found.witness else "无可比对 nothing to compare with",
        )
    else:
        yield "结论 verdict", f"{found.trouble}: 启动后进入恢复 the gateway will enter recovery on it"


COMMANDS = (backup, restore_check)

"""对账单管理 The operator's side of `xianjie statement`: import from disk, list, compare."""

import sys
from pathlib import Path
from typing import Any

import click

from gateway.cli.console import DONE, FINDINGS, Installation, json_option, print_json, say, table, with_installation
from gateway.domain.lifecycle import StatementState
from gateway.domain.statement import Statement
from gateway.errors import StatementDiffers, StatementUnknown
from gateway.flows.accept import accept
from gateway.flows.context import Context
from gateway.flows.statement_engines import ENGINES, compare
from gateway.flows.statement_intake import digest_of, on_disk, status_of
from gateway.flows.statement_read import read_lines, read_waiting
from gateway.store import findings, statements
from gateway.store.findings import STATEMENT, Changes


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--manifest",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="已签名的对账单首部 the signed manifest (compact JWS), if it has not been submitted yet",
)
@json_option
@with_installation
def import_(installation: Installation, file: Path, manifest: Path | None, as_json: bool) -> None:
    """离线导入 Reads FILE from disk for the statement that was signed for it; run again, it goes on where it ended."""
    chunks = on_disk(file)
    digest, size = digest_of(chunks())
    with installation.open() as (context, clock):
        if manifest is not None:
            accept(manifest.read_bytes().strip(), context, now=clock())
        statement = _of_file(context, digest, size)
        with click.progressbar(length=statement.lines, label="导入 importing", file=sys.stderr) as bar:
            done = read_lines(
                context, statement, chunks, now=clock(), told=lambda seen: bar.update(seen.kept - bar.pos)
            )
        changes = compare(context, statement, "auto", now=clock())
    if as_json:
        print_json({"statement_id": done.statement_id, "read": done.kept, "bad": done.bad, **_counted(changes)})
    else:
        say(f"{done.statement_id} 明细 read {done.kept} · 问题行 bad {done.bad} · 疑点 opened {changes.opened}")
    sys.exit(FINDINGS if done.bad or changes.opened else DONE)


def _of_file(context: Context, digest: str, size: int) -> Statement:
    """The statement that names this very file and was not read yet, else the newest that was."""
    with context.store.reading() as connection:
        found = [one for one in statements.of_file(connection, digest) if one.size == size]
        if not found:
            raise StatementDiffers("no statement names this file")
        waiting = [one for one in found if statements.progress(connection, one.row).state is not StatementState.READ]
    return (waiting or found)[-1]


@click.command("list")
@click.option("--limit", type=click.IntRange(min=1), default=200, show_default=True)
@json_option
@with_installation
def list_(installation: Installation, limit: int, as_json: bool) -> None:
    """列出 Statements, newest first."""
    with installation.open() as (context, _), context.store.reading() as connection:
        rows = [status_of(connection, one, seen, limit=0) for one, seen in statements.listed(connection, limit=limit)]
    if as_json:
        print_json(rows)
        return
    shown = [
        (
            row["statement_id"],
            row["party"],
            f"{row['period_from']}–{row['period_to']}",
            row["covers"],
            "已替换 replaced" if row["replaced"] else row["state"],
            row["read"],
            row["bad"],
        )
        for row in rows
    ]
    headings = ["编号 id", "报送方 party", "期间 months", "范围 covers", "状态 state", "明细 read", "问题行 bad"]
    table(headings, shown, empty="没有对账单 no statements")


@click.command("reconcile")
@click.argument("statement_id", required=False)
@click.option("--of", "party", help="报送方 of which party")
@click.option("--engine", type=click.Choice(ENGINES), default="auto", show_default=True, help="计算引擎")
@json_option
@with_installation
def reconcile(
    installation: Installation, statement_id: str | None, party: str | None, engine: str, as_json: bool
) -> None:
    """核对 Compares one statement, or all in force. Exit 1 when doubts of statements are open."""
    changes = Changes()
    with installation.open() as (context, clock):
        read_waiting(context, now=clock())
        with context.store.reading() as connection:
            every = statements.in_force(connection)
        wanted = [one for one in every if statement_id in (None, one.statement_id) and party in (None, one.party)]
        if statement_id is not None and not wanted:
            raise StatementUnknown
        for one in wanted:
            changes += compare(context, one, engine, now=clock())
        with context.store.reading() as connection:
            counts = findings.open_counts(connection, origin=STATEMENT)
    if as_json:
        print_json({"statements": len(wanted), **_counted(changes), "open": counts})
    else:
        opened = changes.opened + changes.reopened
        say(f"对账单 statements {len(wanted)} · 新增 opened {opened} · 消除 cured {changes.closed}")
        table(["代码 code", "未结 open"], list(counts.items()), empty="没有疑点 no findings")
    sys.exit(FINDINGS if counts else DONE)


def _counted(changes: Changes) -> dict[str, int]:
    return {"opened": changes.opened + changes.reopened, "closed": changes.closed, "unchanged": changes.unchanged}


def told_locally(installation: Installation, statement_id: str, party: str | None, limit: int) -> list[dict[str, Any]]:
    """What became of it, from the own database. Raises StatementUnknown."""
    with installation.open() as (context, _), context.store.reading() as connection:
        found = statements.named(connection, statement_id, party)
        if not found:
            raise StatementUnknown
        return [status_of(connection, one, statements.progress(connection, one.row), limit=limit) for one in found]


DESK: tuple[click.Command, ...] = (import_, list_, reconcile)

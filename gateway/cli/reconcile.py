"""对账命令 `xianjie reconcile`: compares now, or runs a past morning again exactly as it was known then."""

import sys
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import click

from gateway.cli.console import FINDINGS, Installation, counted, json_option, print_json, say, table, with_installation
from gateway.cli.days import MOMENT, moment_of
from gateway.cli.showing import NO_FINDINGS, finding_row, show_finding_rows
from gateway.domain.calendar import CHINA
from gateway.domain.reconciliation.as_known import digest_of_rules
from gateway.domain.reconciliation.values import Finding
from gateway.errors import ConfigError
from gateway.flows.context import Context
from gateway.flows.reconcile import look, reconcile_all
from gateway.flows.rerun import Rerun, rerun
from gateway.store import findings, runs
from gateway.store.history import KnownAt
from gateway.store.runs import ReconcileRun

MOST_RUNS = 1000


@click.command()
@click.option(
    "--as-of",
    type=MOMENT,
    metavar="YYYY-MM-DD[THH:MM[:SS]]",
    help="截至某日某时(北京时间)重算 as known at that China moment, a day stands for its end; writes nothing",
)
@click.option(
    "--at-size", type=click.IntRange(1), metavar="N", help="按存证日志的长度重算 at the checkpoint of so many leaves"
)
@click.option("--run", "run_id", metavar="ID", help="重算一次对账 a run on file again (`--runs` lists them)")
@click.option(
    "--facts-now",
    is_flag=True,
    help="以现有事实看 --as-of 之时 today's facts at that moment instead of those known then",
)
@click.option("--runs", "list_runs", is_flag=True, help="列出历次对账 the whole runs on file")
@click.option("--limit", type=click.IntRange(1, MOST_RUNS), default=30, show_default=True, help="最多 with --runs")
@json_option
@with_installation
def reconcile(
    installation: Installation,
    as_of: datetime | None,
    at_size: int | None,
    run_id: str | None,
    facts_now: bool,
    list_runs: bool,
    limit: int,
    as_json: bool,
) -> None:
    """对账 Compares what was expected with what was answered. Exit 1 when findings are open, or were then."""
    if sum((as_of is not None, at_size is not None, run_id is not None, list_runs)) > 1:
        raise ConfigError("one of --as-of, --at-size, --run and --runs")
    if facts_now and as_of is None:
        raise ConfigError("--facts-now goes with --as-of")
    with installation.open() as (context, clock):
        now, moment = clock(), moment_of(as_of)
        if list_runs:
            _list(context, limit, as_json)
        elif moment is not None and (facts_now or moment >= now):
            _ahead(context, moment, now, as_json)
        elif moment is not None or at_size is not None or run_id is not None:
            _past(rerun(context, now=now, as_of=moment, size=at_size, run_id=run_id), as_json)
        else:
            _now(context, now, as_json)


def _now(context: Context, now: datetime, as_json: bool) -> None:
    done = reconcile_all(context, now=now)
    with context.store.reading() as connection:
        counts = findings.open_counts(connection)
    changes = done.changes
    if as_json:
        print_json({"referrals": done.referrals, "opened": changes.opened, "closed": changes.closed, "open": counts})
    else:
        opened = changes.opened + changes.reopened
        say(f"移送 referrals {done.referrals} · 新增 opened {opened} · 消除 cured {changes.closed}")
        table(["代码 code", "未结 open"], list(counts.items()), empty=NO_FINDINGS)
    sys.exit(FINDINGS if counts else 0)


def _ahead(context: Context, moment: datetime, now: datetime, as_json: bool) -> None:
    """The facts of now and the clocks of that moment."""
    rows = _rows(look(context, as_of=moment, now=now))
    if as_json:
        print_json({"as_of": moment.isoformat(), "known": "now", "findings": rows})
    else:
        show_finding_rows(rows)
    sys.exit(FINDINGS if rows else 0)


def _past(done: Rerun, as_json: bool) -> None:
    since = done.since
    rows = _rows(done.found)
    if as_json:
        print_json(
            {
                "as_of": done.as_of.isoformat(),
                "known": _place(done.known),
                "run": None if done.run is None else done.run.run_id,
                "same": done.same,
                "proven": done.proven,
                "changed_rules": done.changed_rules,
                "digest": done.digest,
                "findings": rows,
                "since": {
                    "appeared": _rows(since.appeared),
                    "cured": _rows(since.cured),
                    "changed": [dict(zip(("then", "now"), _rows(pair), strict=True)) for pair in since.changed],
                    "unchanged": since.unchanged,
                },
            }
        )
    else:
        _show(done, rows)
    sys.exit(FINDINGS if rows or done.same is False or not done.proven else 0)


def _show(done: Rerun, rows: list[dict[str, Any]]) -> None:
    known, since = done.known, done.since
    say(f"截至 as of {_china(done.as_of)} · 存证日志 log size {known.size} root {known.root} · {_china(known.at)}")
    say("存证日志相符 borne out by the log" if done.proven else "与存证日志不符 NOT borne out by the log")
    if done.same is not None:
        say("结果与当时相同 found the same as then" if done.same else "结果与当时不同 NOT the same as was found then")
    if done.changed_rules is None:
        say("当时的规则无记录 no run says which rules were in force")
    elif done.changed_rules:
        say(f"规则已变 rules changed since: {' '.join(done.changed_rules)}")
    else:
        say("规则相同 the same rules")
    show_finding_rows(rows)
    say(f"与今日相比 against today: 不变 unchanged {since.unchanged}")
    for label, found in (
        ("此后新增 appeared since", since.appeared),
        ("此后消除 cured since", since.cured),
        ("此后变化 changed since", tuple(after for _, after in since.changed)),
    ):
        if found:
            say(f"{label} {len(found)}")
            show_finding_rows(_rows(found))


def _list(context: Context, limit: int, as_json: bool) -> None:
    with context.store.reading() as connection:
        found = runs.newest(connection, limit=limit)
    if as_json:
        print_json([_run_row(run) for run in found])
        return
    headings = ["对账 run", "时间 at", "日志 log size", "移送 referrals", "疑点 found", "摘要 digest", "规则 rules"]
    rows = [
        [
            run.run_id,
            _china(run.at),
            run.known.size,
            run.referrals,
            counted(run.counts),
            run.digest[:16],
            digest_of_rules(run.rules)[:16],
        ]
        for run in found
    ]
    table(headings, rows, empty="没有对账记录 no run on file")


def _run_row(run: ReconcileRun) -> dict[str, Any]:
    return {
        "run": run.run_id,
        "at": run.at.isoformat(),
        "known": _place(run.known),
        "referrals": run.referrals,
        "counts": dict(run.counts),
        "digest": run.digest,
        "rules": digest_of_rules(run.rules),
    }


def _place(known: KnownAt) -> dict[str, Any]:
    return {"epoch": known.epoch, "tree_size": known.size, "root": known.root, "at": known.at.isoformat()}


def _rows(found: Iterable[Finding]) -> list[dict[str, Any]]:
    return [finding_row(finding) for finding in found]


def _china(moment: datetime) -> str:
    return moment.astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S")


COMMANDS: tuple[click.Command, ...] = (reconcile,)

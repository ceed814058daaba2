"""遗漏清单 `xianjie missed`: who waits longer than he may or whom nobody has, minors first; `xianjie reroute`."""

import csv
import sys
from typing import Any

import click

from gateway.cli.console import FINDINGS, Installation, json_option, print_json, say, table, with_installation
from gateway.domain.calendar import due_text
from gateway.errors import ConfigError
from gateway.flows.missed import MissedNeed, coming_of_age, missed_needs
from gateway.flows.missed import as_json as line_as_json
from gateway.flows.reroute import reroute
from gateway.flows.suggest import suggestions


@click.command()
@click.option("--court", help="法院 party id; all when not given")
@click.option("--soon", is_flag=True, help="即将成年 minors who come of age within three months, instead")
@click.option("--csv", "as_csv", is_flag=True, help="表格 for a spreadsheet")
@json_option
@with_installation
def missed(installation: Installation, court: str | None, soon: bool, as_csv: bool, as_json: bool) -> None:
    """遗漏清单 Needs overdue, unroutable, bounced, returned, forwarded and lost, unpaid. Exit 1 when there are any."""
    with installation.open() as (context, clock):
        if soon:
            _show_soon(coming_of_age(context, now=clock()), as_json)
            return
        lines = missed_needs(context, now=clock(), court=court)
    if as_json:
        print_json([line_as_json(line) for line in lines])
    elif as_csv:
        _write_csv(lines)
    else:
        _show(lines)
    sys.exit(FINDINGS if lines else 0)


def _show(lines: list[MissedNeed]) -> None:
    headings = [
        "遗漏 missed",
        "",
        "移送 referral",
        "需求 need",
        "项目",
        "工作日 days",
        "期限 due",
        "办理 must act",
        "催",
        "上",
    ]
    table(headings, [_cells(line) for line in lines], empty="无遗漏 nobody is missed")


def _cells(line: MissedNeed) -> list[Any]:
    return [
        line.code,
        "未成年" if line.is_minor else "",
        line.referral_id,
        line.need_id.removeprefix(f"{line.referral_id}:"),
        line.programme,
        "?" if line.age is None else line.age,
        due_text(line.due_at),
        line.must_act,
        line.reminders or "",
        line.escalated or "",
    ]


def _write_csv(lines: list[MissedNeed]) -> None:
    rows = [line_as_json(line) for line in lines]
    writer = csv.DictWriter(sys.stdout, list(MissedNeed.__dataclass_fields__), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def _show_soon(found: list[tuple[str, str]], as_json: bool) -> None:
    if as_json:
        print_json([{"referral_id": referral_id, "adult_from": month} for referral_id, month in found])
    else:
        table(["移送 referral", "成年月份 of age in"], found, empty="无 none")


@click.command("reroute")
@click.argument("need_id")
@click.option("--office", "office_id", help="承办单位 the very office")
@click.option("--agency", help="部门 the nearest office of an agency")
@click.option("--who", required=True, help="决定人 who decides (kept on file)")
@click.option("--why", required=True, help="理由 why (kept on file)")
@with_installation
def reroute_command(
    installation: Installation, need_id: str, office_id: str | None, agency: str | None, who: str, why: str
) -> None:
    """改派 Sends on a need that an office declined, to the office a person names."""
    if (office_id is None) == (agency is None):
        raise ConfigError("name either --office or --agency")
    with installation.open() as (context, clock):
        opened = reroute(context, need_id, who=who, why=why, now=clock(), office_id=office_id, agency=agency)
    say(f"已改派 {need_id} rerouted as {opened}")


@click.command("suggestions")
@click.option("--court", help="法院 party id; all when not given")
@json_option
@with_installation
def suggestions_command(installation: Installation, court: str | None, as_json: bool) -> None:
    """应享未请 Programmes a person's circumstances point at and nobody asked for: suggestions, not findings."""
    with installation.open() as (context, clock):
        found = list(suggestions(context, now=clock(), court=court))
    names = ("referral_id", "court", "programme", "rule", "zh", "source")
    rows = [
        (one.referral_id, one.court, one.rule.programme, one.rule.rule_id, one.rule.zh, one.rule.source)
        for one in found
    ]
    if as_json:
        print_json([dict(zip(names, row, strict=True)) for row in rows])
    else:
        table(
            ["移送 referral", "法院 court", "项目", "规则", "建议 suggestion", "依据 source"], rows, empty="无建议 none"
        )


COMMANDS = (missed, reroute_command, suggestions_command)

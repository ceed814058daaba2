"""旧台账 `xianjie ledger`: aid granted before the gateway is imported, and a doubt's rule is computed again.

`recompute` needs no gateway: it reads one finding's rule row and inputs (JSON) and says what they come to.
"""

import json
import sys
from pathlib import Path

import click

from gateway.cli.console import FINDINGS, Installation, json_option, print_json, say, table, with_installation
from gateway.domain.same_help import recompute as compute
from gateway.flows.ledger import import_ledger
from gateway.store import ledgers
from gateway.workbook.ledger_file import csv_template, write_ledger_template


@click.group()
def ledger() -> None:
    """旧台账 Aid granted before the gateway, by courts, procuratorates and police."""


@ledger.command()
@click.argument("target", type=click.Path(dir_okay=False, path_type=Path))
def template(target: Path) -> None:
    """空白台账 An empty ledger, .xlsx or .csv."""
    if target.suffix.lower() == ".csv":
        target.write_text(csv_template(), encoding="utf-8")
    else:
        write_ledger_template(target)
    say(f"已写入 written: {target}")


@ledger.command("import")
@click.argument("source", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--agreement", required=True, help="授权比对的会签文件 the agreement that authorises matching")
@click.option("--who", required=True, help="经办人 who imports it")
@click.option("--why", required=True, help="理由 why")
@json_option
@with_installation
def import_(installation: Installation, source: Path, agreement: str, who: str, why: str, as_json: bool) -> None:
    """导入旧台账 One file; the same again changes nothing. Exit 1 when a line was refused."""
    with installation.open() as (context, clock):
        done = import_ledger(
            context, source.read_bytes(), source.name, document=agreement, who=who, why=why, now=clock()
        )
    lines = [{"line": one.number, "outcome": one.code, "field": one.field} for one in done.outcomes]
    if as_json:
        counts = {"imported": done.imported, "already_there": done.repeated, "refused": done.refused}
        print_json({"ledger_id": done.ledger_id, "is_new": done.is_new, **counts, "lines": lines})
    else:
        say(
            f"{done.ledger_id}: 导入 imported {done.imported}, 已有 already there {done.repeated}, "
            f"未收 refused {done.refused}" + ("" if done.is_new else " （此文件早已导入 this file was there）")
        )
        refused = [[one.number, one.field, one.code] for one in done.outcomes if one.field]
        table(["行 line", "栏 field", "原因 code"], refused, empty="")
    sys.exit(FINDINGS if done.refused else 0)


@ledger.command("list")
@json_option
@with_installation
def list_(installation: Installation, as_json: bool) -> None:
    """台账清单 Every imported file."""
    with installation.open() as (context, _), context.store.reading() as connection:
        found = ledgers.listed(connection)
    if as_json:
        print_json(
            [
                {"ledger_id": one.ledger_id, "sha256": one.sha256, "imported": one.imported, "root": one.root}
                for one in found
            ]
        )
    else:
        table(
            ["台账 ledger", "导入 imported", "日期 at", "文件 sha256"],
            [[one.ledger_id, one.imported, f"{one.at:%Y-%m-%d}", one.sha256[:16]] for one in found],
            empty="没有旧台账 no ledger",
        )


@ledger.command()
@click.argument("source", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def recompute(source: Path) -> None:
    """复算疑点 From a finding's evidence (`rule_row` and `inputs`). Exit 1: it is no doubt."""
    evidence = json.loads(source.read_text(encoding="utf-8"))
    if compute(evidence["rule_row"], evidence["inputs"]):
        say(f"{evidence['rule_row']['rule_id']} v{evidence['rule_row']['version']}: 复算成立 in doubt, as found")
        return
    say("复算不成立 the rule and the inputs make no doubt")
    sys.exit(FINDINGS)


COMMANDS = (ledger,)

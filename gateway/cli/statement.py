"""对账单 `xianjie statement`: an agency makes, checks and sends its ledger; the operator imports, lists and compares.

Exit 0 done; 1 bad lines, refusals or open doubts; 2 usage; 3 the gateway could not be reached (run it again: what is
there is not sent again). `status` asks the gateway where `--url` or XIANJIE_URL names one, else the own database.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

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
from gateway.cli.partner import make_client, partner_options
from gateway.cli.statement_desk import DESK, told_locally
from gateway.client.statements import send_lines, stands
from gateway.errors import FileUnreadable
from gateway.flows.statement_intake import digest_of, on_disk
from gateway.workbook.statement_columns import write_statement_template
from gateway.workbook.statement_file import LedgerLine, read_ledger
from schemas.statement import COVERS

MONTH = click.DateTime(formats=["%Y-%m"])
FORMS = {".ndjson": "NDJSON", ".jsonl": "NDJSON", ".csv": "CSV", ".xlsx": "XLSX"}
SHOWN = 50


@click.group()
def statement() -> None:
    """对账单 What was really paid, month by month, against what was told."""


@statement.command()
@click.argument("target", type=click.Path(dir_okay=False, path_type=Path))
def template(target: Path) -> None:
    """空白模板 Writes an empty ledger (XLSX) to fill in."""
    refuse_existing(target)
    write_statement_template(target)
    say(f"已生成模板 wrote {target.name}")


@statement.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--id", "statement_id", required=True, help="对账单编号 unique for this agency")
@click.option("--agreement", required=True, help="会签文件 the agreement document")
@click.option("--agency", required=True, help="部门 e.g. civil_affairs")
@click.option("--office", help="承办单位 of one office; all of the agency's without it")
@click.option("--region", help="行政区划代码 of the offices of one region")
@click.option("--from", "first", type=MONTH, required=True, metavar="YYYY-MM", help="起始月 first month")
@click.option("--until", "last", type=MONTH, required=True, metavar="YYYY-MM", help="截止月 last month")
@click.option("--covers", type=click.Choice(COVERS), default="PAID", show_default=True, help="发放清单或在册名单")
@click.option("--complete/--partial", "complete", default=True, show_default=True, help="是否完整 lists everything")
@click.option("--programme", "programmes", multiple=True, help="项目代码 only these; may be repeated")
@click.option("--replaces", help="被替换的对账单编号 the statement this one corrects")
@click.option("--check", is_flag=True, help="只检查不报送 reads the file, names bad lines, sends nothing")
@partner_options
@json_option
def send(
    file: Path,
    statement_id: str,
    agreement: str,
    agency: str,
    office: str | None,
    region: str | None,
    first: Any,
    last: Any,
    covers: str,
    complete: bool,
    programmes: tuple[str, ...],
    replaces: str | None,
    check: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """报送 Signs for FILE (NDJSON, CSV, XLSX) and sends it; run again, it goes on where it was cut off."""
    form = FORMS.get(file.suffix.lower())
    if form is None:
        raise FileUnreadable("neither .ndjson, .jsonl, .csv nor .xlsx")
    count, bad = _checked(file, form)
    if check:
        sys.exit(_tell_check(count, bad, as_json))
    digest, size = digest_of(on_disk(file)())
    data = {
        "statement_id": statement_id,
        "agreement_document": agreement,
        "agency": agency,
        "office": office,
        "region": region,
        "period_from": f"{first:%Y-%m}",
        "period_to": f"{last:%Y-%m}",
        "covers": covers,
        "complete": complete,
        "programmes": sorted(programmes) or None,
        "format": form,
        "lines": count,
        "size": size,
        "sha256": digest,
        "replaces": replaces,
    }
    client = make_client(**options)
    given = {name: value for name, value in data.items() if value is not None}
    client.send("statement.submitted", given, effect=f"statement.submitted:{statement_id}")
    with file.open("rb") as body, click.progressbar(length=size, label="报送 sending", file=sys.stderr) as bar:
        here = send_lines(client, statement_id, body, told=lambda there: bar.update(there - bar.pos))
    if as_json:
        print_json({**here, "bad": len(bad)})
    else:
        say(f"{statement_id} 已送达 {here['state']} · 明细 lines {count} · 本地检查问题行 bad {len(bad)}")
    sys.exit(FINDINGS if bad else DONE)


def _checked(file: Path, form: str) -> tuple[int, list[LedgerLine]]:
    """How many lines, and those that cannot be read."""
    count, bad = 0, []
    for line in _with_progress(read_ledger(on_disk(file)(), form)):
        count += 1
        if line.problem is not None:
            bad.append(line)
    return count, bad


def _with_progress(lines: Iterator[LedgerLine]) -> Iterator[LedgerLine]:
    with click.progressbar(lines, label="检查 checking", file=sys.stderr, show_pos=True) as bar:
        yield from bar


def _tell_check(count: int, bad: list[LedgerLine], as_json: bool) -> int:
    rows = [(line.number, line.problem[1], line.problem[0]) for line in bad if line.problem is not None]
    if as_json:
        names = ("line", "code", "pointer")
        print_json({"lines": count, "bad": len(bad), "bad_lines": [dict(zip(names, row, strict=True)) for row in rows]})
    else:
        say(f"明细 lines {count} · 问题行 bad {len(bad)}")
        if rows:
            table(["行 line", "代码 code", "栏 field"], rows[:SHOWN])
    return FINDINGS if bad else DONE


@statement.command()
@click.argument("statement_id")
@click.option("--limit", type=click.IntRange(0, 1000), default=SHOWN, show_default=True, help="问题行 bad lines shown")
@click.option("--of", "sender", help="报送方 of which party, where the own database is asked")
@partner_options
@json_option
@with_installation
def status(
    installation: Installation, statement_id: str, limit: int, sender: str | None, as_json: bool, **options: Any
) -> None:
    """处理结果 How far it has come, and every bad line by number and code. Exit 1 when there are bad lines."""
    if options["url"]:
        found = [stands(make_client(**options), statement_id, limit=limit)]
    else:
        found = told_locally(installation, statement_id, sender, limit)
    if as_json:
        print_json(found[0] if len(found) == 1 else found)
    else:
        for one in found:
            _tell(one)
    sys.exit(FINDINGS if not found or any(one["bad"] for one in found) else DONE)


def _tell(one: dict[str, Any]) -> None:
    say(
        f"{one['statement_id']} {one['party']} {one['period_from']}–{one['period_to']} · {one['state']}"
        f" · 已收 received {one['received']}/{one['size']}"
        f" · 明细 read {one['read']}/{one['lines']} · 问题行 bad {one['bad']}"
        + (f" · 退回原因 refused {one['refused_because']}" if "refused_because" in one else "")
    )
    if one["bad_lines"]:
        table(
            ["行 line", "代码 code", "栏 field"],
            [(bad["line"], bad["code"], bad["pointer"]) for bad in one["bad_lines"]],
        )


for command in DESK:
    statement.add_command(command)

COMMANDS: tuple[click.Command, ...] = (statement,)

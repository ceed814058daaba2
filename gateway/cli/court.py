"""法院客户端 `xianjie send`: reads a court's files, signs each row as one message, sends it, reports row by row.

Rules: a row that cannot be read or is refused is reported with file, row, field, code and what to do, in Chinese and
English; all other rows go through; what was accepted before is not sent again, so a corrected file may simply be sent
anew. Exit 0 all accepted, 1 some refused, 3 the gateway could not be reached (run it again).
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from gateway.cli.console import FINDINGS, UNAVAILABLE, json_option, print_json, say
from gateway.cli.partner import make_client, partner_options
from gateway.client import Outgoing, Refused, Sent
from gateway.domain.field_codes import load_field_codes
from gateway.errors import PartnerUnreachable
from gateway.workbook.court_files import read_court_file
from gateway.workbook.court_template import write_court_template
from gateway.workbook.rows import RowResult

_ID_OF = {"judicial_assistance.paid": "payment_id"}
"""What makes a message of a type the same one again; the referral for all others."""


@dataclass
class _Told:
    """What became of the rows."""

    accepted: int = 0
    replayed: int = 0
    refused: int = 0
    unreadable: int = 0
    rows: list[dict[str, Any]] = field(default_factory=list)


@click.command()
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--template", type=click.Path(dir_okay=False, path_type=Path), help="生成空白模板 writes a workbook to fill in"
)
@click.option("--check", is_flag=True, help="只检查不报送 reads and checks the files, sends nothing")
@partner_options
@json_option
def send(files: tuple[Path, ...], template: Path | None, check: bool, as_json: bool, **options: Any) -> None:
    """报送 Sends referrals, withdrawals and payments from FILES (JSON, NDJSON, XLSX)."""
    if template is not None:
        write_court_template(template)
        say(f"已生成模板 wrote {template.name}")
    if not files:
        if template is None:
            raise click.UsageError("没有文件 no FILE given; make one with --template")
        return
    told = _Told()
    outgoing = _readable(files, told, quiet=as_json)
    try:
        if check:
            for _ in outgoing:
                told.accepted += 1
        else:
            client = make_client(**options)
            for result in client.send_many(outgoing):
                _tell(result, told, quiet=as_json)
    except PartnerUnreachable as error:
        _sum_up(told, as_json)
        say(f"{error.title[0]} {error.title[1]}; 再次运行即可续报 run it again: nothing is sent twice")
        sys.exit(UNAVAILABLE)
    _sum_up(told, as_json, check=check)
    sys.exit(FINDINGS if told.refused or told.unreadable else 0)


def _readable(files: tuple[Path, ...], told: _Told, *, quiet: bool) -> Iterator[Outgoing]:
    """The rows that can be sent; the others are told at once."""
    for path in files:
        for row in read_court_file(path):
            if row.data is None:
                told.unreadable += 1
                _tell_unreadable(row, told, quiet=quiet)
                continue
            name = _ID_OF.get(row.type, "referral_id")
            yield Outgoing(
                type=row.type,
                data=row.data,
                subject=str(row.data["referral_id"]),
                effect=f"{row.type}:{row.data[name]}",
                reference=f"{row.file}:{row.sheet + '!' if row.sheet else ''}{row.row}",
            )


def _tell_unreadable(row: RowResult, told: _Told, *, quiet: bool) -> None:
    place = f"{row.file}:{row.sheet + '!' if row.sheet else ''}{row.row}"
    for problem in row.problems:
        told.rows.append(
            {"row": place, "field": problem.column or problem.pointer, "pointer": problem.pointer, "code": problem.code}
        )
        if not quiet:
            say_problem(place, problem.column.replace("\n", " ") or problem.pointer, problem.code, problem.note)


def _tell(result: Sent | Refused, told: _Told, *, quiet: bool) -> None:
    if isinstance(result, Sent):
        told.replayed += result.replayed
        told.accepted += not result.replayed
        for warning in result.warnings:
            told.rows.append(
                {"row": result.reference, "pointer": warning.pointer, "code": warning.code, "warning": True}
            )
            if not quiet:
                say_problem(f"{result.reference} 提示 warning", warning.pointer, warning.code, "")
        if result.holds:
            told.rows.append({"row": result.reference, "holds": list(result.holds)})
            if not quiet:
                say(f"{result.reference} 已接收,待人工核查 accepted, held for a person: {' '.join(result.holds)}")
        return
    told.refused += 1
    told.rows.append(
        {"row": result.reference, "code": result.code, "fault": result.fault, "errors": list(result.errors)}
    )
    if quiet:
        return
    say(f"{result.reference} 未接收 refused {result.code}: {result.title} → {result.next_step}")
    for error in result.errors:
        say_problem(f"{result.reference}  ", str(error["pointer"]), str(error["code"]), "")


def say_problem(place: str, where: str, code: str, note: str) -> None:
    known = load_field_codes().get(code)
    text = f"{known.zh}；{known.fix_zh} {known.en}. {known.fix_en}" if known else note
    say(f"{place} {where} [{code}] {text}")


def _sum_up(told: _Told, as_json: bool, *, check: bool = False) -> None:
    counts = {
        "accepted": told.accepted,
        "accepted_before": told.replayed,
        "refused": told.refused,
        "unreadable": told.unreadable,
    }
    if as_json:
        print_json({**counts, "rows": told.rows})
        return
    done = "可报送 ready" if check else "已接收 accepted"
    say(
        f"{done} {told.accepted} · 此前已接收 accepted before {told.replayed} · "
        f"未接收 refused {told.refused} · 无法读取 unreadable {told.unreadable}"
    )


COMMANDS = (send,)

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

from gateway.cli.console import DONE, FINDINGS, exit_code_of, explain, json_option, print_json, refuse_existing, say
from gateway.cli.partner import make_client, partner_options
from gateway.cli.telling import say_problem, say_refused, say_unusable
from gateway.client import Client, Outgoing, Refused, Sent
from gateway.errors import FileUnreadable, XianjieError
from gateway.workbook.court_files import read_court_file
from gateway.workbook.court_template import write_court_template
from gateway.workbook.rows import RowResult

_ID_OF = {
    "judicial_assistance.paid": "payment_id",
    "disbursement.planned": "plan_id",
    "fund_use.reported": "report_id",
    "follow_up.recorded": "visit_id",
    "amount.quantified": "quantification_id",
    "inquiry.asked": "inquiry_id",
    "clue.answered": "clue_id",
}
_SUBJECT_OF = {"inquiry.asked": "inquiry_id", "clue.answered": "clue_id"}
"""What makes a message of a type the same one again; the referral for all others."""


@dataclass
class _Told:
    """What became of the rows. ready: those that `--check` found nothing wrong with; stopped: why not all were sent."""

    accepted: int = 0
    replayed: int = 0
    refused: int = 0
    unreadable: int = 0
    ready: int = 0
    stopped: str | None = None
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
        refuse_existing(template)
        write_court_template(template)
        say(f"已生成模板 wrote {template.name}")
    if not files:
        if template is None:
            raise click.UsageError("没有文件 no FILE given; make one with --template")
        return
    client = None if check else make_client(**options)
    told = _Told()
    try:
        _exchange(client, _readable(files, told, quiet=as_json), told, quiet=as_json)
    except XianjieError as error:
        told.stopped = error.code
        _sum_up(told, as_json)
        explain(error)
        say("再次运行即可续报 run it again: nothing is sent twice")
        sys.exit(exit_code_of(error))
    _sum_up(told, as_json)
    sys.exit(FINDINGS if told.refused or told.unreadable else DONE)


def _exchange(client: Client | None, outgoing: Iterator[Outgoing], told: _Told, *, quiet: bool) -> None:
    """Sends every row that can be read; without a client only reads them."""
    if client is None:
        told.ready = sum(1 for _ in outgoing)
        return
    for result in client.send_many(outgoing):
        _tell(result, told, quiet=quiet)


def _readable(files: tuple[Path, ...], told: _Told, *, quiet: bool) -> Iterator[Outgoing]:
    """The rows that can be sent; rows and files that cannot be read are told at once and stop no others."""
    for path in files:
        try:
            yield from _rows_of(path, told, quiet=quiet)
        except FileUnreadable as error:
            told.unreadable += 1
            told.rows.append({"row": path.name, "code": error.code, "note": error.note})
            if not quiet:
                say_unusable(path.name, error)


def _rows_of(path: Path, told: _Told, *, quiet: bool) -> Iterator[Outgoing]:
    for row in read_court_file(path):
        if row.data is None:
            told.unreadable += 1
            _tell_unreadable(row, told, quiet=quiet)
            continue
        name = _ID_OF.get(row.type, "referral_id")
        yield Outgoing(
            type=row.type,
            data=row.data,
            subject=str(row.data[_SUBJECT_OF.get(row.type, "referral_id")]),
            effect=f"{row.type}:{row.data[name]}{':' + row.data['code'] if row.type == 'clue.answered' else ''}",
            reference=_place(row),
        )


def _place(row: RowResult) -> str:
    """`file:sheet!row` as the sender sees it."""
    return f"{row.file}:{row.sheet + '!' if row.sheet else ''}{row.row}"


def _tell_unreadable(row: RowResult, told: _Told, *, quiet: bool) -> None:
    place = _place(row)
    for problem in row.problems:
        told.rows.append(
            {"row": place, "field": problem.column or problem.pointer, "pointer": problem.pointer, "code": problem.code}
        )
        if not quiet:
            say_problem(place, problem.column or problem.pointer, problem.code, problem.note)


def _tell(result: Sent | Refused, told: _Told, *, quiet: bool) -> None:
    if isinstance(result, Sent):
        told.replayed += result.replayed
        told.accepted += not result.replayed
        for warning in result.warnings:
            told.rows.append(
                {"row": result.reference, "pointer": warning.pointer, "code": warning.code, "warning": True}
            )
            if not quiet:
                say_problem(f"{result.reference} 提示 warning", warning.pointer, warning.code)
        if result.holds:
            told.rows.append({"row": result.reference, "holds": list(result.holds)})
            if not quiet:
                say(f"{result.reference} 已接收,待人工核查 accepted, held for a person: {' '.join(result.holds)}")
        return
    told.refused += 1
    told.rows.append(
        {"row": result.reference, "code": result.code, "fault": result.fault, "errors": list(result.errors)}
    )
    if not quiet:
        say_refused(result)


def _sum_up(told: _Told, as_json: bool) -> None:
    counts = {
        "ready": told.ready,
        "accepted": told.accepted,
        "accepted_before": told.replayed,
        "refused": told.refused,
        "unreadable": told.unreadable,
    }
    if as_json:
        print_json({**counts, "stopped": told.stopped, "rows": told.rows})
        return
    checked = f"可报送 ready {told.ready} · " if told.ready else ""
    say(
        f"{checked}已接收 accepted {told.accepted} · 此前已接收 accepted before {told.replayed} · "
        f"未接收 refused {told.refused} · 无法读取 unreadable {told.unreadable}"
    )


COMMANDS = (send,)

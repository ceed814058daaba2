"""平衡命令 `xianjie balance`: the books by any dimension, with the place in the log at which they were read."""

import sys
from datetime import datetime

import click

from gateway.cli.console import FINDINGS, Installation, json_option, print_json, say, with_installation
from gateway.cli.days import DAY, MOMENT, day_of, moment_of
from gateway.cli.showing import show_balance_by
from gateway.domain.reconciliation.balance import Dimension
from gateway.flows import account
from gateway.flows.balance import BalanceRead, Scope, read_balance
from gateway.flows.balance import as_json as as_json_of

_GROUPS_OVERLAP = "特定群体可重叠 groups overlap: needs counted more than once"


@click.command()
@click.option(
    "--by",
    type=click.Choice([one.value for one in Dimension]),
    default=Dimension.COURT_AND_PERIOD.value,
    show_default=True,
    help="维度",
)
@click.option("--court", help="法院 party id; all when not given")
@click.option("--office", "offices", multiple=True, help="承办单位 office id: needs handed to it alone; repeatable")
@click.option("--from", "from_day", type=DAY, metavar="YYYY-MM-DD", help="受理起 accepted from")
@click.option("--to", "to_day", type=DAY, metavar="YYYY-MM-DD", help="受理止 accepted to")
@click.option(
    "--as-of", type=MOMENT, metavar="YYYY-MM-DD[THH:MM]", help="截至 a past moment as known then, or one to come"
)
@click.option("--signed", is_flag=True, help="按最近签署的检查点 at the newest signed checkpoint, as partners read it")
@json_option
@with_installation
def balance(
    installation: Installation,
    by: str,
    court: str | None,
    offices: tuple[str, ...],
    from_day: datetime | None,
    to_day: datetime | None,
    as_of: datetime | None,
    signed: bool,
    as_json: bool,
) -> None:
    """平衡 Needs accepted = what became of them. Exit 1 when a line does not balance."""
    scope = Scope(court=court, offices=offices or None, accepted=account.period(day_of(from_day), day_of(to_day)))
    with installation.open() as (context, clock):
        read = read_balance(
            context, now=clock(), as_of=moment_of(as_of), by=Dimension(by), scope=scope, newest=not signed
        )
    if as_json:
        print_json(as_json_of(read))
    else:
        _show(read)
    sys.exit(0 if all(line.balances for line in read.sheet.lines) else FINDINGS)


def _show(read: BalanceRead) -> None:
    sheet = read.sheet
    show_balance_by(sheet.by, sheet.lines, sheet.total)
    if sheet.overlap.accepted and sheet.by is Dimension.GROUP:
        say(f"{_GROUPS_OVERLAP} {sheet.overlap.accepted}")
    signed = "已签署 signed" if read.place.note else "尚未签署 not signed"
    say(f"存证日志 read at log size {read.place.known.size} root {read.place.known.root} · {signed}")


COMMANDS: tuple[click.Command, ...] = (balance,)

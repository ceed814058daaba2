"""命令总目 The tree of commands; each group in a module of its own."""

import logging
from typing import Any

import click

import gateway
from gateway.cli.accounts import COMMANDS as ACCOUNTS
from gateway.cli.agency import COMMANDS as AGENCY
from gateway.cli.backup import COMMANDS as BACKUP
from gateway.cli.balance import COMMANDS as BALANCE
from gateway.cli.calendar import COMMANDS as CALENDAR
from gateway.cli.console import Installation, exit_code_of, explain
from gateway.cli.court import COMMANDS as COURT
from gateway.cli.cutoff import COMMANDS as CUTOFF
from gateway.cli.demo import COMMANDS as DEMO
from gateway.cli.desk import COMMANDS as DESK
from gateway.cli.digest import COMMANDS as DIGEST
from gateway.cli.doctor import COMMANDS as DOCTOR
from gateway.cli.erase import COMMANDS as ERASE
from gateway.cli.exchanges import COMMANDS as EXCHANGES
from gateway.cli.findings import COMMANDS as FINDING
from gateway.cli.follow_up import COMMANDS as FOLLOW_UP
from gateway.cli.install import COMMANDS as INSTALL
from gateway.cli.keys import COMMANDS as KEYS
from gateway.cli.ledger import COMMANDS as LEDGER
from gateway.cli.log import COMMANDS as LOG
from gateway.cli.mailbox import COMMANDS as MAILBOX
from gateway.cli.matches import COMMANDS as MATCHES
from gateway.cli.missed import COMMANDS as MISSED
from gateway.cli.partner_cutoff import COMMANDS as COMMITMENT
from gateway.cli.reconcile import COMMANDS as RECONCILE
from gateway.cli.recovery import COMMANDS as RECOVERY
from gateway.cli.registry import COMMANDS as REGISTRY
from gateway.cli.reporting import COMMANDS as REPORTING
from gateway.cli.reserve import COMMANDS as RESERVE
from gateway.cli.run import COMMANDS as RUN
from gateway.cli.statement import COMMANDS as STATEMENT
from gateway.cli.verify import COMMANDS as VERIFY
from gateway.errors import XianjieError


class _Commands(click.Group):
    """Every error of ours becomes its code, its title and what to do, in Chinese and English, and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except XianjieError as error:
            explain(error)
            ctx.exit(exit_code_of(error))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(gateway.__version__, prog_name="xianjie")
@click.option("--config", "named", envvar="XIANJIE_CONFIG", help="配置文件 configuration file (default xianjie.toml)")
@click.pass_context
def root(context: click.Context, named: str | None) -> None:
    """衔接 Xianjie: 国家司法救助与社会救助衔接网关 the gateway between judicial and social assistance."""
    # what a command has to say it says itself; only the processes that stay write log lines
    logging.getLogger("gateway").addHandler(logging.NullHandler())
    context.obj = Installation(named)


GROUPS = (
    *(INSTALL, DOCTOR, REGISTRY, ACCOUNTS, CALENDAR, KEYS, RUN, BACKUP, RECOVERY),
    *(COURT, AGENCY, EXCHANGES, MAILBOX, COMMITMENT, RESERVE),
    *(MISSED, STATEMENT, LEDGER),
    *(RECONCILE, BALANCE, DIGEST, FINDING, MATCHES, DESK, FOLLOW_UP, ERASE, LOG, REPORTING, DEMO, CUTOFF, VERIFY),
)

for commands in GROUPS:
    for command in commands:
        root.add_command(command)

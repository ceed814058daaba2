"""清除 `xianjie erase`: the content of one case goes for ever, its traces in the log stay."""

import click

from gateway.cli.console import Installation, json_option, print_json, say, with_installation
from gateway.flows.erase import erase as erase_case


@click.command("erase")
@click.argument("referral_id")
@click.option("--who", required=True, help="决定人 who decides; kept on file")
@click.option("--why", required=True, help="理由 kept on file; no person's data")
@click.option("--court-order", help="法院文书号 sets the retention floor aside (P08); kept on file")
@click.confirmation_option(
    "--yes", prompt="内容清除后无法恢复,确定吗 What is erased never comes back. Go on?", help="不再询问 do not ask"
)
@json_option
@with_installation
def erase_command(
    installation: Installation, referral_id: str, who: str, why: str, court_order: str | None, as_json: bool
) -> None:
    """清除 Erases what was said in a case that has ended, by deleting its data key; digests and log entries stay."""
    with installation.open() as (context, clock):
        done = erase_case(context, referral_id, who=who, why=why, court_order=court_order, now=clock())
    if as_json:
        print_json(
            {
                "referral_id": done.referral_id,
                "decision_id": done.decision_id,
                "at": done.at.isoformat(),
                "scrubbed": done.scrubbed,
            }
        )
    say(f"已清除 erased {done.referral_id} · 决定 decision {done.decision_id}")
    if not done.scrubbed:
        say("数据库正被读取,旧页将在下次检查点清除 the file is being read; old pages go with the next checkpoint")
    say("此前的备份仍含密钥 copies made before still hold its key: see docs/operations.md")


COMMANDS = (erase_command,)

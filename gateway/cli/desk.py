"""管理台 What administrators watch and decide: chain, holds, outbox."""

import sys

import click

from gateway.cli.console import (
    FINDINGS,
    Installation,
    json_option,
    print_json,
    say,
    table,
    with_installation,
    yuan,
)
from gateway.domain.reconciliation.chain import CHAIN_NAMES
from gateway.flows import account, operate
from gateway.store import referrals, undelivered


@click.command()
@click.argument("referral_id")
@click.option("--who", required=True, help="查看人 who looks (kept on file)")
@click.option("--why", required=True, help="事由 why (kept on file)")
@json_option
@with_installation
def chain(installation: Installation, referral_id: str, who: str, why: str, as_json: bool) -> None:
    """一户一条救助链 The household's one time line behind a referral; each view is on file."""
    with installation.open() as (context, clock):
        found = account.chain(context, referral_id, who=who, why=why, now=clock())
    follows = {one.then: one.rule_id for one in found.complements}
    rows = [
        [
            event.day.isoformat() if event.day else "",
            CHAIN_NAMES[event.kind][0],
            event.what,
            event.programme or "",
            yuan(event.amount_fen),
            event.who,
            event.referral_id,
            follows.get(event.reference, ""),
        ]
        for event in found.events
    ]
    names = ("day", "step", "what", "programme", "yuan", "who", "referral", "complement")
    headings = [
        "日期 day",
        "环节 step",
        "内容 what",
        "项目 programme",
        "元 yuan",
        "单位 who",
        "移送 referral",
        "衔接 joins",
    ]
    if as_json:
        print_json([dict(zip(names, row, strict=True)) for row in rows])
    else:
        table(headings, rows)
        say(
            f"法院发放 paid by courts {yuan(found.paid_by_courts_fen)} 元 · "
            f"部门发放 paid by agencies {yuan(found.paid_by_agencies_fen)} 元 · 部门 agencies {len(found.agencies)}"
        )


@click.group()
def holds() -> None:
    """人工核查 Referrals that wait for a person's decision."""


@holds.command("list")
@json_option
@with_installation
def holds_list(installation: Installation, as_json: bool) -> None:
    """列出 Held referrals with the rules that hold them. Exit 1 when there are any."""
    with installation.open() as (context, _), context.store.reading() as connection:
        rows = [list(row) for row in referrals.held(connection)]
    if as_json:
        print_json([dict(zip(("referral_id", "court", "rules", "needs"), row, strict=True)) for row in rows])
    else:
        table(["移送 referral", "法院 court", "规则 rules", "需求 needs"], rows, empty="没有待核查 nothing is held")
    sys.exit(FINDINGS if rows else 0)


@holds.command("release")
@click.argument("referral_id")
@click.option("--who", required=True, help="决定人")
@click.option("--why", required=True, help="理由 kept on file")
@with_installation
def holds_release(installation: Installation, referral_id: str, who: str, why: str) -> None:
    """放行 The held needs go on."""
    with installation.open() as (context, clock):
        count = operate.release(context, referral_id, who=who, why=why, now=clock())
    say(f"已放行 released {count}")


@holds.command("uphold")
@click.argument("referral_id")
@click.option("--who", required=True, help="决定人")
@click.option("--why", required=True, help="理由 kept on file")
@with_installation
def holds_uphold(installation: Installation, referral_id: str, who: str, why: str) -> None:
    """不予放行 The referral was a mistake; its held needs end."""
    with installation.open() as (context, clock):
        count = operate.uphold(context, referral_id, who=who, why=why, now=clock())
    say(f"已终止 ended {count}")


@click.group()
def outbox() -> None:
    """发件 Messages that go no further by themselves."""


@outbox.command("list")
@json_option
@with_installation
def outbox_list(installation: Installation, as_json: bool) -> None:
    """列出 Parked and refused messages with their reasons. Exit 1 when there are any."""
    with installation.open() as (context, _), context.store.reading() as connection:
        rows = [
            [one.message_id, one.office_id, one.state.value, one.reason or "", one.attempts, one.referral_id or ""]
            for one in undelivered.listed(connection)
        ]
    names = ("message_id", "office", "state", "reason", "attempts", "referral")
    if as_json:
        print_json([dict(zip(names, row, strict=True)) for row in rows])
    else:
        table(list(names), rows, empty="没有搁置的报文 nothing is stuck")
    sys.exit(FINDINGS if rows else 0)


@outbox.command("retry")
@click.argument("message_ids", nargs=-1, required=True)
@click.option("--who", required=True, help="决定人")
@click.option("--why", required=True, help="理由 kept on file")
@with_installation
def outbox_retry(installation: Installation, message_ids: tuple[str, ...], who: str, why: str) -> None:
    """重发 The same bytes again, from the first rung of the retry table."""
    with installation.open() as (context, clock):
        count = operate.send_again(context, message_ids, who=who, why=why, now=clock())
    say(f"已重新排队 queued again {count} of {len(set(message_ids))}")
    sys.exit(0 if count == len(set(message_ids)) else FINDINGS)


COMMANDS: tuple[click.Command, ...] = (chain, holds, outbox)

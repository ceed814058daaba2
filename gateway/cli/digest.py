"""日报命令 `xianjie digest`: what courts and offices are told this morning, or would have been told on a past one."""

from datetime import datetime
from typing import Any

import click

from gateway.cli.console import Installation, json_option, print_json, say, table, with_installation
from gateway.cli.days import DAY, day_of
from gateway.cli.showing import show_balance
from gateway.flows.digest import Digests, court_json, digests, office_json


@click.command()
@click.option(
    "--day", type=DAY, metavar="YYYY-MM-DD", help="某日早八时所知 a past day, as known at eight in the morning"
)
@click.option("--to", "to", help="只看一个法院或单位 one court's party id or one office id")
@json_option
@with_installation
def digest(installation: Installation, day: datetime | None, to: str | None, as_json: bool) -> None:
    """日报 The balance, who is late, which duplicates and misses are open; sends nothing."""
    with installation.open() as (context, clock):
        found = digests(context, now=clock(), day=day_of(day))
    told = _told(found, to)
    if as_json:
        print_json(told)
    else:
        _show(found, told)


def _told(found: Digests, to: str | None) -> dict[str, Any]:
    courts = {key: court_json(one, found) for key, one in found.courts.items() if to in (None, key)}
    offices = {key: office_json(key, one, found) for key, one in found.offices.items() if to in (None, key)}
    return {"day": found.day.isoformat(), "courts": courts, "offices": offices}


def _show(found: Digests, told: dict[str, Any]) -> None:
    known = found.place.known
    say(f"{told['day']} · 存证日志 read at log size {known.size} root {known.root}")
    show_balance([line for key in told["courts"] for line in found.courts[key].lines])
    late = [
        [key, one.get("must_act", key), one.get("waits_for", ""), one["count"], " ".join(one["needs"][:5])]
        for key, body in (*told["courts"].items(), *told["offices"].items())
        for one in body["overdue"]
    ]
    table(
        ["收报 told", "办理 must act", "等待 waits for", "逾期 overdue", "需求 needs"],
        late,
        empty="没有逾期 nothing is late",
    )
    doubts = [
        [key, one["code"], one["count"], " ".join((one.get("referrals") or one.get("needs") or [])[:5])]
        for key, body in (*told["courts"].items(), *told["offices"].items())
        for one in body["findings"]
    ]
    table(
        ["收报 told", "疑点 finding", "未结 open", "编号 ids"], doubts, empty="没有未结疑点 no open duplicate or miss"
    )


COMMANDS: tuple[click.Command, ...] = (digest,)

"""恢复 `xianjie recovery`: after an older copy was restored, take back what partners hold, look, resume. For partners
`xianjie give-back`: gives the gateway what it lost (docs/recovery.md).

Nothing is signed until `resume`; it refuses while something is missing, unless a person accepts that with a reason.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import islice
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
from gateway.cli.install import write_private
from gateway.cli.partner import client_arguments, make_client, partner_options
from gateway.client.recovery import GivingBack
from gateway.errors import FileUnreadable, NotInRecovery
from gateway.flows.recovery.collecting import Collected, collect
from gateway.flows.recovery.resuming import rehearse, resume
from gateway.flows.recovery.taking import take
from gateway.flows.recovery.values import (
    LineOutcome,
    Obstacle,
    ObstacleKind,
    PartyStanding,
    Placed,
    Standing,
    StreamStanding,
    Took,
)
from gateway.store.witness import WitnessFile
from gateway.transport.address import resolve
from gateway.transport.answer import Answer
from gateway.transport.push import Pusher

GROUP = 64
FETCH_SECONDS = 60.0
_KINDS = {
    ObstacleKind.NOT_HEARD: "尚未交还 has not given back",
    ObstacleKind.NUMBERS_MISSING: "缺号 numbers missing",
    ObstacleKind.LINE_REFUSED: "无法证实 proves nothing",
    ObstacleKind.NOT_PLACED: "无法归位 has no place",
    ObstacleKind.WITNESS_UNREADABLE: "见证文件无法读取 witness file unreadable",
}
_CODES = {
    "unknown_kid": "密钥未登记;重新登记后再导入 the key is not registered; register it again, then give back again",
    "referral_missing": "其移送尚未交还 its referral has not come back",
    "referral_unknown": "其移送尚未交还 its referral has not come back",
    "need_missing": "移送中无此需求 its referral asks for no such need",
    "adapter_unknown": "未配置该部门适配器 no adapter for its agency",
    "office_unknown": "承办单位未登记;重新登记 its office is not registered; put it again",
    "handoff_missing": "其转办尚未交还 its handoff has not come back",
    "withdrawal_missing": "其撤回报文尚未交还 the court's withdrawal has not come back",
    "amendment_missing": "其更正报文尚未交还 the court's amendment has not come back",
    "issued_otherwise": "该需求已另行转办,须人工核对 its need was issued anew: somebody has to look",
    "receipted_otherwise": "已另行出具回执,须人工核对 another receipt was given since: somebody has to look",
    "same_id_different_bytes": "同一编号而内容不同,须人工核对 its id stands for other bytes: somebody has to look",
    "agreement_unknown": "会签文件未载入;重新载入 its agreement is not loaded; load it again",
    "case_erased": "该移送已清除 its case was erased",
}
"""Chinese and English by code; a code that explains itself is left alone."""


@click.group()
def recovery() -> None:
    """恢复 After an older copy of the database was restored."""


@recovery.command()
@json_option
@with_installation
def status(installation: Installation, as_json: bool) -> None:
    """进度 Since when, what is back, what is missing; rehearses the end, changes nothing. Exit 1 while something is."""
    with installation.open() as (context, clock):
        found, placed = rehearse(context, WitnessFile(installation.config.state), now=clock())
    if as_json:
        print_json(_as_json(found, placed))
    else:
        _show(found, placed)
    sys.exit(FINDINGS if found.obstacles else DONE)


@recovery.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
@with_installation
def import_(installation: Installation, file: Path, as_json: bool) -> None:
    """导入 Takes back what a partner wrote into FILE (`xianjie give-back --out`). Exit 1 when a line proved nothing."""
    outcomes: list[LineOutcome] = []
    with installation.open() as (context, clock):
        for group in _groups(file):
            outcomes += take(context, group, giver=None, now=clock())
    counts = {took.value: sum(one.took is took for one in outcomes) for took in Took}
    refused = [{"message_id": one.message_id, "code": one.code} for one in outcomes if one.took is Took.REFUSED]
    if as_json:
        print_json({**counts, "lines": refused})
    else:
        for line in refused:
            say(f"{line['message_id'] or '?'} {line['code']}")
        say(_counted(counts))
    sys.exit(FINDINGS if refused else DONE)


def _groups(file: Path) -> Iterator[list[bytes]]:
    try:
        with file.open("rb") as lines:
            stripped = (line.strip() for line in lines)
            filled = (line for line in stripped if line)
            while group := list(islice(filled, GROUP)):
                yield group
    except OSError as error:
        raise FileUnreadable(file.name) from error


def _counted(counts: Mapping[str, int]) -> str:
    return (
        f"已取回 taken {counts['taken']} · 已有 known {counts['known']} · 无回执留待重发 left {counts['left']} · "
        f"未能证实 refused {counts['refused']} · 交还声明 statements {counts['closed']}"
    )


@recovery.command("collect")
@json_option
@with_installation
def collect_(installation: Installation, as_json: bool) -> None:
    """收集 Asks the server of every office that is pushed to. Exit 1 when one did not give everything."""
    config, pusher = installation.config, Pusher(ca_bundle=installation.config.ca_bundle)

    def fetch(url: str, headers: Mapping[str, str]) -> Answer:
        return pusher.fetch(resolve(url, allowed=config.allow_addresses), headers=headers, timeout=FETCH_SECONDS)

    with installation.open() as (context, clock):
        found = collect(context, fetch, clock=clock)
    if as_json:
        print_json([asdict(one) for one in found])
    else:
        headings = ["单位 office", "主体 party", "取回 taken", "已有 known", "未证实 refused", "问题 trouble"]
        table(headings, [_row(one) for one in found], empty="没有可推送的单位 no office has a server")
    sys.exit(FINDINGS if any(one.trouble or one.refused for one in found) else DONE)


def _row(one: Collected) -> list[Any]:
    return [one.office_id, one.party_id, one.taken, one.known, one.refused, one.trouble or ""]


@recovery.command("resume")
@click.option("--who", required=True, help="决定人")
@click.option("--why", required=True, help="理由 kept on file")
@click.option("--accept-gaps", is_flag=True, help="接受缺失 goes on though something is missing; each is kept on file")
@json_option
@with_installation
def resume_(installation: Installation, who: str, why: str, accept_gaps: bool, as_json: bool) -> None:
    """恢复运行 Puts everything in its place and signs again, under the log's next name. Exit 1 while it refuses."""
    witness = WitnessFile(installation.config.state)
    with installation.open() as (context, clock):
        done = resume(context, witness, who=who, why=why, accept_gaps=accept_gaps, now=clock())
    if as_json:
        print_json({"origin": done.origin, "epoch": done.epoch, "tree_size": done.size, "root": done.root,
                    "placed": _placed(done.placed), "accepted": [_obstacle(one) for one in done.accepted]})  # fmt: skip
        return
    _show_obstacles(done.accepted)
    say(_said(done.placed))
    say(f"已恢复 resumed; 新日志名称 the log goes on as {done.origin}")


def _show(found: Standing, placed: Placed | None) -> None:
    if found.since is None:
        say(f"未处于恢复状态 not in recovery · {found.origin} · {found.size}")
    else:
        signed = found.witnessed.size if found.witnessed.is_readable else "无法读取 unreadable"
        say(
            f"恢复中,自 in recovery since {found.since.isoformat(timespec='seconds')} · 日志 log {found.origin} "
            f"{found.size} 条 entries · 曾签署 had signed {signed if signed is not None else '?'}"
        )
        headings = [
            "主体 party",
            "交还于 closed",
            "来文 to us",
            "缺 missing",
            "去文 from us",
            "缺 missing",
            "拒 refused",
        ]
        table(headings, [_party(one) for one in found.parties])
    _show_obstacles(found.obstacles)
    if placed is not None:
        say(f"届时 would be: {_said(placed)}")
    if found.since is not None and not found.obstacles:
        say("可以恢复 nothing is missing; next: xianjie recovery resume --who NAME --why REASON")


def _party(one: PartyStanding) -> list[Any]:
    closed = one.complete_at.isoformat(timespec="minutes") if one.complete_at else "—"
    streams = [cell for stream in (one.to_gateway, one.from_gateway) for cell in _stream(stream)]
    return [one.party_id, closed, *streams, one.refused or ""]


def _stream(one: StreamStanding) -> list[str]:
    """Numbers the copy has, and what came back beyond; the runs that nobody has shown."""
    beyond = f" → {one.highest} (+{one.back})" if one.highest > one.known or one.back else ""
    return [f"{one.known}{beyond}", " ".join(_run(first, last) for first, last in one.missing)]


def _run(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"


def _show_obstacles(obstacles: Sequence[Obstacle]) -> None:
    if obstacles:
        rows = [[_KINDS[one.kind], one.about, one.code or "", _CODES.get(one.code or "", "")] for one in obstacles]
        table(["问题 what", "对象 about", "代码 code", "说明 meaning"], rows)


def _said(placed: Placed) -> str:
    back = f"来文 received {placed.received} · 回执未达 never receipted {placed.accepted} · 去文 issued {placed.issued}"
    proven = f"送达证明 proven {placed.proven} · 补发撤回通知 notices {placed.notices}"
    return f"{back} · {proven} · 未归位 without a place {len(placed.unplaced)}"


def _as_json(found: Standing, placed: Placed | None) -> dict[str, Any]:
    return {
        "recovering": found.since is not None,
        "since": found.since,
        "origin": found.origin,
        "tree_size": found.size,
        "root": found.root,
        "witnessed": asdict(found.witnessed),
        "parties": [asdict(one) for one in found.parties],
        "obstacles": [_obstacle(one) for one in found.obstacles],
        "would_be": None if placed is None else _placed(placed),
    }


def _obstacle(one: Obstacle) -> dict[str, Any]:
    return {"kind": one.kind.value, "about": one.about, "code": one.code}


def _placed(placed: Placed) -> dict[str, Any]:
    return {**asdict(placed), "unplaced": [asdict(one) for one in placed.unplaced]}


@click.command("give-back")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="写入文件 into a file, to carry it there")
@partner_options
@json_option
def give_back(out: Path | None, as_json: bool, **options: Any) -> None:
    """交还 Gives the gateway, which lost some of it, what this journal holds. Twice changes nothing."""
    if out is not None:
        _write(out, options, as_json)
        return
    try:
        done = make_client(**options).give_back()
    except NotInRecovery:
        if as_json:
            print_json({"taken": 0, "known": 0, "left": 0, "refused": []})
        say("网关未丢失数据,无需交还 the gateway lost nothing; nothing was given")
        return
    if as_json:
        print_json(asdict(done))
    else:
        for message_id, code in done.refused:
            say(f"{message_id} {code}")
        refused = len(done.refused)
        say(f"已交还 given: 网关缺失 lacked {done.taken} · 网关已有 had {done.known} · 未能证实 refused {refused}")
    sys.exit(DONE if done.is_whole else FINDINGS)


def _write(out: Path, options: dict[str, Any], as_json: bool) -> None:
    """All the journal holds: nobody can ask the gateway what it lacks."""
    refuse_existing(out)
    known = client_arguments({}, **{name: value for name, value in options.items() if name != "url"})
    giving = GivingBack.offline(**{name: value for name, value in known.items() if name != "decryption"})
    lines = list(giving.lines())
    write_private(out, b"".join(line + b"\n" for line in lines))
    if as_json:
        print_json({"file": out.name, "lines": len(lines)})
    else:
        say(f"已写出 wrote {out.name}: {len(lines)} 行 lines; 交给网关管理员 hand it to the gateway's administrator")


COMMANDS = (recovery, give_back)

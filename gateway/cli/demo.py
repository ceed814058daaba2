"""演示 `xianjie demo`: the whole of it on this machine: courts, gateway, three agencies, each a process of its own.

1. a throw-away installation: database, keys, parties, the sample agreement;
2. the gateway and the three simulated agencies start on loopback ports the system chooses;
3. the synthetic province's referrals are written as files, read, signed and pushed as courts would;
4. the agencies answer, and everybody commits to what was exchanged; 5. reconcile; 6. log, rows and signed bytes
   compared; balance, findings, report. Then everything is stopped and removed, unless kept.
"""

import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, groupby
from pathlib import Path

import click

from gateway.app import build_context
from gateway.cli.console import FINDINGS, counted, say, table
from gateway.cli.demo_people import DEMO_PASSWORD, PEOPLE
from gateway.cli.demo_stage import DemoStage, read_mail
from gateway.cli.demo_world import (
    CHANNELS,
    COMMIT_EVERY,
    GATEWAY,
    PERIOD,
    PROVINCE,
    DemoWorld,
    agency_toml,
    demo_database,
    make_world,
    open_offices,
)
from gateway.cli.partner import read_jwks
from gateway.cli.processes import Processes, processes
from gateway.cli.showing import show_balance, show_findings
from gateway.client import Client, Journal, Outgoing, Refused
from gateway.domain.reconciliation.values import Finding
from gateway.domain.report.build import press_paragraph, render_text
from gateway.errors import ConfigError, XianjieError
from gateway.flows import account
from gateway.flows.completeness import PairState, pairs_status
from gateway.flows.context import Context
from gateway.flows.cutoff import cut_off
from gateway.flows.reconcile import look, reconcile_all
from gateway.flows.report import report
from gateway.sandbox.province import courts
from gateway.sandbox.province_files import WrittenFile, write_files
from gateway.sandbox.stories.programme import HALF_YEAR, LATER, STORIES, judge
from gateway.sandbox.stories.story import Story
from gateway.store import counts, findings
from gateway.workbook.court_files import read_court_file

QUIET_SECONDS = 4.0
LONGEST_SECONDS = 240.0
COURTS_COMMIT_EVERY = 60.0
"""Seconds between two comparisons of every court while the demonstration stays up."""


@dataclass
class Pushed:
    """What the courts sent."""

    accepted: int = 0
    refused: int = 0
    held: int = 0
    warned: int = 0


@click.command()
@click.option("--keep", is_flag=True, help="保持运行 leaves everything up and says where")
@click.option("--seed", type=int, default=2024, show_default=True, help="合成数据种子")
@click.option("--database", envvar="XIANJIE_DB", help="PostgreSQL 地址; a schema of its own is used [XIANJIE_DB]")
def demo(keep: bool, seed: int, database: str | None) -> None:
    """演示 Runs the main job end to end with synthetic people."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    folder = Path(tempfile.mkdtemp(prefix="xianjie-demo-"))
    try:
        with demo_database(database, folder, keep=keep) as url, processes(folder) as running:
            balanced = _play(make_world(folder, url), running, seed, keep=keep)
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
    sys.exit(0 if balanced else FINDINGS)


def _play(world: DemoWorld, running: Processes, seed: int, *, keep: bool) -> bool:
    kind = "SQLite" if world.config.database.startswith("sqlite") else "PostgreSQL"
    say(f"① 数据库与一次性密钥 database and throw-away keys ({kind})")
    gateway = running.start("gateway", "gateway.cli", ["serve", "--work", "--port", "0"], world.environment)
    url = str(gateway["address"])
    say(f"② 网关 gateway {url}")
    addresses = dict(_agencies(world, running, url))
    offices = open_offices(world, addresses)
    say(f"   承办单位 offices {offices}")
    written = write_files(world.folder / "court-files", seed)
    say(f"③ 法院文件 court files {len(written)} ({counted(_kinds(written))})")
    pushed = _push(world, url, written)
    say(f"   已接收 accepted {pushed.accepted} · 未接收 refused {pushed.refused}")
    say(f"   待人工核查 held {pushed.held} · 提示 warned {pushed.warned}")
    context = build_context(world.config)
    try:
        stage = DemoStage(world, url, GATEWAY, context)
        stage.play()
        say(f"   案例 told cases {len(STORIES)} · 报文 messages {stage.sent}")
        say("④ 部门办理 agencies at work")
        _wait_until_quiet(context, running)
        stage.commit()
        _wait_until_proven(context, world, url)
        balanced = _show(context, world)
    finally:
        context.store.close()
    if keep:
        _stay(world, running, url, addresses)
    return balanced


def _agencies(world: DemoWorld, running: Processes, url: str) -> Iterator[tuple[str, str]]:
    for agency, channel in CHANNELS.items():
        path = agency_toml(world, agency, url)
        started = running.start(agency, "gateway.sandbox.agency", ["--config", str(path)], {})
        say(f"   模拟部门 {agency} {started['address']} ({channel.value})")
        if channel.value == "push":
            yield agency, str(started["url"])


def _kinds(written: list[WrittenFile]) -> dict[str, int]:
    found: dict[str, int] = {}
    for file in written:
        found[file.type] = found.get(file.type, 0) + file.count
    return found


def _push(world: DemoWorld, url: str, written: list[WrittenFile]) -> Pushed:
    """Each court reads its own files and sends what is in them, referrals before what follows them."""
    pushed = Pushed()
    for court, files in groupby(sorted(written, key=lambda file: file.court), key=lambda file: file.court):
        client = _client(world, url, court)
        ordered = sorted(files, key=lambda file: (file.type != "referral.submitted", file.path.name))
        for result in client.send_many(_rows(ordered)):
            if isinstance(result, Refused):
                pushed.refused += 1
                say(f"   {court} {result.reference}: {result.code}")
                continue
            pushed.accepted += 1
            pushed.held += bool(result.holds)
            pushed.warned += bool(result.warnings)
    return pushed


def _client(world: DemoWorld, url: str, court: str) -> Client:
    return Client(
        url=url,
        key=world.key(court),
        gateway=GATEWAY,
        gateway_keys=read_jwks(world.folder / "gateway-keys.json", GATEWAY),
        journal=Journal(world.journal_path(court)),
        clock=world.clock,
    )


def _courts_commit(world: DemoWorld, url: str) -> None:
    """Every court that sent something compares and commits; what is missing or changed is told at once."""
    for court in courts():
        if not world.journal_path(court.party_id).exists():
            continue
        try:
            client = _client(world, url, court.party_id)
            read_mail(client)
            found = client.commit(world.clock())
        except XianjieError as error:
            say(f"   {court.party_id}: {error.code}")
            continue
        for sentence in () if found.is_whole else found.sentences():
            say(f"   {court.party_id} {sentence}")


def _wait_until_proven(context: Context, world: DemoWorld, url: str) -> None:
    """Until every stream of every pair is proven, or long enough for the agencies to have said what is not."""
    _courts_commit(world, url)
    until = time.monotonic() + 3 * COMMIT_EVERY
    while time.monotonic() < until:
        with context.store.reading() as connection:
            states = Counter(one.state for one in pairs_status(connection))
        if set(states) <= {PairState.PROVEN}:
            break
        time.sleep(0.5)
    said = counted({state.value: count for state, count in sorted(states.items())})
    say(f"   双方承诺 pairs: {said}")


def _rows(files: list[WrittenFile]) -> Iterator[Outgoing]:
    for file in files:
        for row in read_court_file(file.path):
            if row.data is None:
                raise ConfigError(f"{file.path.name}:{row.row} cannot be read: {row.problems[0].code}")
            own = row.data.get("payment_id", row.data["referral_id"])
            yield Outgoing(
                type=row.type,
                data=row.data,
                subject=row.data["referral_id"],
                effect=f"{row.type}:{own}",
                reference=f"{row.file}:{row.row}",
            )


def _wait_until_quiet(context: Context, running: Processes) -> None:
    """Until nothing is on its way and no need has moved for a while; a process that died ends the wait loudly."""
    began = last_change = time.monotonic()
    before: dict[str, int] = {}
    while time.monotonic() - began < LONGEST_SECONDS:
        for name in running.dead():
            raise ConfigError(f"{name} ended by itself: {running.last_words(name)}")
        with context.store.reading() as connection:
            now_there = counts.needs_by_state(connection) | _prefixed(counts.outbox_by_state(connection))
        now_there.pop("message.available", None)  # what courts are told goes on for a while
        moving = any(now_there.get(f"message.{state}") for state in ("queued", "sending", "unknown"))
        if now_there != before or moving or now_there.get("accepted"):
            if now_there != before:
                last_change = time.monotonic()
            before = now_there
        if time.monotonic() - last_change > QUIET_SECONDS and not moving:
            return
        time.sleep(0.5)


def _prefixed(counted_: dict[str, int]) -> dict[str, int]:
    return {f"message.{state}": count for state, count in counted_.items()}


def _show(context: Context, world: DemoWorld) -> bool:
    now = world.clock()
    with context.store.reading() as connection:
        say(f"   需求 needs: {counted(counts.needs_by_state(connection))}")
        say(f"   报文 messages: {counted(counts.outbox_by_state(connection))}")
    done = reconcile_all(context, now=now)
    say(f"⑤ 对账 reconciled {done.referrals} referrals")
    made = cut_off(context, now=now)
    say(f"⑥ 截止核对 cut-off: 存证 log {made.size} 条 leaves · 有误行 rows wrong {made.wrong}")
    with context.store.reading() as connection:
        open_now = findings.listed(connection, limit=100_000)
    click.echo("\n疑点 Findings")
    show_findings([kept.finding for kept in open_now])
    click.echo(f"\n如再过 {LATER.days} 天仍无进展 If nothing moves for {LATER.days} days")
    later = list(look(context, as_of=now + LATER, now=now))
    show_findings(later)
    half_year = list(look(context, as_of=now + HALF_YEAR, now=now))
    told = _show_stories([kept.finding for kept in open_now], later, half_year)
    click.echo("\n平衡表 Balance")
    lines = account.balance(context, as_of=now, now=now)
    show_balance(lines)
    counted_ = report(context, PERIOD, region=PROVINCE, now=now)
    click.echo("\n" + render_text(counted_, "zh"))
    click.echo("\n" + press_paragraph(counted_))
    return told and made.wrong == 0 and all(line.balances for line in lines)


def _show_stories(found: list[Finding], later: list[Finding], half_year: list[Finding]) -> bool:
    """Whether each told case was found once and no look-alike was accused."""
    click.echo("\n案例 Told cases")
    verdicts = judge(found, later, half_year)
    table(
        ["案例 case", "", "应有疑点 must be found", "结果 result"],
        [
            [
                one.story.zh,
                one.story.en,
                _must_be_found(one.story),
                "✓"
                if one.is_right
                else " ".join([*(f"-{c}" for c in one.missing), *(f"+{c}" for c in one.unexpected)]),
            ]
            for one in verdicts
        ],
    )
    return all(one.is_right for one in verdicts)


def _must_be_found(story: Story) -> str:
    told = (story.finds, [f"{code}({LATER.days}d)" for code in story.later])
    return " ".join(chain(*told, (f"{code}({HALF_YEAR.days}d)" for code in story.half_year))) or "无 nothing"


def _stay(world: DemoWorld, running: Processes, url: str, addresses: dict[str, str]) -> None:
    click.echo("\n保持运行中 Still running; Ctrl-C 停止 stops everything")
    table(
        ["什么 what", "在哪里 where"],
        [
            ["网关 gateway", url],
            ["从这里开始 begin here", f"{url}/tour"],
            ["账号 accounts", " ".join(one.name for one in PEOPLE)],
            ["口令 password", DEMO_PASSWORD],
            ["接口文档 API", f"{url}/docs"],
            *[[agency, address] for agency, address in addresses.items()],
            ["文件夹 folder", str(world.folder)],
            ["命令 commands", f"xianjie --config {world.config_path} findings"],
        ],
    )
    try:
        committed = time.monotonic()
        while not running.dead():
            time.sleep(1)
            if time.monotonic() - committed >= COURTS_COMMIT_EVERY:
                committed = time.monotonic()
                _courts_commit(world, url)
    except KeyboardInterrupt:
        say("正在停止 stopping")


COMMANDS = (demo,)

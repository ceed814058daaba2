"""疑点办理 `xianjie findings`: lists, shows in words, assigns, decides, closes, reopens; tells how many were false.

What is done to a filter (`--code`, `--referral`, …) instead of to named keys is shown first and done only with `--yes`.
Exit 1 from the list when any is open, and from a filter that was only shown.
"""

import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import click

from gateway.cli.console import FINDINGS, Installation, json_option, print_json, say, table, with_installation, yuan
from gateway.cli.showing import finding_row, show_finding_rows
from gateway.domain.calendar import CHINA, due_text, end_of_china_day
from gateway.domain.lifecycle import FindingState
from gateway.domain.person import SpecificGroup
from gateway.domain.reconciliation.evidence import DECISION_NAMES, FindingDecision
from gateway.domain.reconciliation.explain import explain, members
from gateway.domain.rules import read_table
from gateway.errors import ConfigError
from gateway.flows import findings_desk
from gateway.flows.context import Context
from gateway.flows.findings_desk import Shown
from gateway.store.finding_desk import OPEN, Wanted
from gateway.store.findings import Kept

DAY = click.DateTime(formats=["%Y-%m-%d"])
FAMILIES = ("duplicate", "missed", "mismatch", "payment")
Found = list[tuple[str, Kept]]


def filters(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say which findings are meant."""
    for option in reversed(
        (
            click.option("--code", help="疑点代码 e.g. MISS_NO_DECISION"),
            click.option("--family", type=click.Choice(FAMILIES), help="类别 family of codes"),
            click.option("--state", "states", multiple=True, type=click.Choice([one.value for one in FindingState])),
            click.option("--referral", help="移送 referral id"),
            click.option("--subject", help="对象 what else distinguishes it"),
            click.option("--court", help="法院 party id of the referral's court"),
            click.option("--office", help="承办单位 must act, or has the need"),
            click.option("--must-act", "must_act", help="应办理者 who must act"),
            click.option("--assigned-to", help="指派给 whoever it is assigned to"),
            click.option("--group", type=click.Choice([one.value for one in SpecificGroup]), help="特定群体"),
            click.option("--due-before", type=DAY, metavar="YYYY-MM-DD", help="期限早于 due before that day"),
        )
    ):
        command = option(command)
    return command


def _wanted(options: dict[str, Any], *, every_state: bool = False, keys: Sequence[str] = ()) -> Wanted:
    """Takes its own options out of those of the command. Keys are wanted whatever their state."""
    given = {name: options.pop(name) for name in _FILTERS}
    states = tuple(FindingState(state) for state in given["states"])
    codes = [] if given["code"] is None else [given["code"]]
    if given["family"] is not None:
        family = {row["code"] for row in read_table("findings") if row["family"] == given["family"]}
        codes = sorted(family.intersection(codes)) if codes else sorted(family)
        codes = codes or ["-"]
    due = given["due_before"]
    return Wanted(
        keys=keys,
        codes=codes,
        states=states or (() if every_state or keys else OPEN),
        referral_id=given["referral"],
        subject=given["subject"],
        court=given["court"],
        office=given["office"],
        must_act=given["must_act"],
        assigned_to=given["assigned_to"],
        group=None if given["group"] is None else SpecificGroup(given["group"]),
        due_before=None if due is None else due.replace(tzinfo=CHINA),
    )


_FILTERS = (
    *("code", "family", "states", "referral", "subject", "court", "office"),
    *("must_act", "assigned_to", "group", "due_before"),
)


@click.group("findings", invoke_without_command=True)
@filters
@click.option("--limit", type=click.IntRange(1), default=10_000, show_default=True, help="最多 at most so many")
@click.option("--all", "everything", is_flag=True, help="含已结 closed ones too")
@click.option("--minors-first", is_flag=True, help="未成年人优先 minors before everybody else")
@json_option
@click.pass_context
def findings(
    ctx: click.Context, /, limit: int, everything: bool, minors_first: bool, as_json: bool, **options: Any
) -> None:
    """疑点 Lists findings. Exit 1 when any is open."""
    if ctx.invoked_subcommand is not None:
        return
    installation: Installation = ctx.obj
    wanted = _wanted(options, every_state=everything)
    with installation.open() as (context, _):
        found = findings_desk.select(context, wanted, limit=limit, minors_first=minors_first)
    _print(found, as_json)
    sys.exit(FINDINGS if any(one.closed_at is None for _, one in found) else 0)


def _print(found: Found, as_json: bool) -> None:
    rows = [finding_row(one.finding, one.state.value, one.opened_at) | _handling(one) for _, one in found]
    if as_json:
        print_json(rows)
    else:
        show_finding_rows(rows)


def _handling(one: Kept) -> dict[str, Any]:
    return {
        "assigned_to": one.assigned_to,
        "assigned_due": due_text(one.assigned_due_at) or None,
        "decided_as": None if one.decided_as is None else one.decided_as.value,
        "recovered_fen": one.recovered_fen,
        "closed_because": one.closed_because,
    }


@findings.command("show")
@click.argument("key")
@json_option
@with_installation
def show(installation: Installation, key: str, as_json: bool) -> None:
    """说明 One finding in words: what, why, both sides, who must act until when, and its history."""
    with installation.open() as (context, _):
        shown = findings_desk.show(context, key)
    if shown is None:
        raise ConfigError("no such finding")
    told = explain(shown.kept.finding)
    if as_json:
        print_json(
            finding_row(shown.kept.finding, shown.kept.state.value, shown.kept.opened_at)
            | _handling(shown.kept)
            | {"zh": told.zh, "en": told.en, "rule_zh": told.rule_zh, "rule_en": told.rule_en, "source": told.source}
            | {"match": shown.match_id, "acts": shown.acts, "changes": shown.changes}
        )
        return
    _tell(shown)


def _tell(shown: Shown) -> None:
    kept, finding = shown.kept, shown.kept.finding
    told = explain(finding)
    say(f"{told.name_zh} {finding.code} · {kept.state.value}{'' if shown.match_id is None else f' · {shown.match_id}'}")
    click.echo(f"{told.zh}\n{told.en}\n")
    click.echo(f"依据 rule  {finding.rule_id} {told.rule_zh} {told.rule_en}")
    click.echo(f"出处 source  {told.source or '—'} · {kept.rulebook}")
    due = due_text(finding.due_at) or "—"
    click.echo(f"办理 must act  {finding.must_act} · 期限 due {due} · 涉及 at stake {yuan(finding.stake_fen)} 元\n")
    table(["证据 evidence", "", "值 value"], list(members(finding)))
    history = [
        *((one["at"], one["what"], one["decided_as"] or one["state"], one["evidence"]) for one in shown.changes),
        *((_moment(one["at"]), one["what"], one["who"], one["why"]) for one in shown.acts),
    ]
    if history:
        rows = [
            [f"{at.astimezone(CHINA):%Y-%m-%d %H:%M}", *rest] for at, *rest in sorted(history, key=lambda one: one[0])
        ]
        table(["时间 at", "何事 what", "何人 who", "内容 said"], rows)


def _moment(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, CHINA)


def acting(command: Callable[..., Any]) -> Callable[..., Any]:
    """Keys or a filter, who, why, and whether it is to be done."""
    for option in reversed(
        (
            click.argument("keys", nargs=-1),
            click.option("--who", required=True, help="办理人 who (kept on file)"),
            click.option("--why", required=True, help="理由 why (kept on file)"),
            click.option("--yes", is_flag=True, help="执行 do it to all that the filter names"),
        )
    ):
        command = option(command)
    return filters(command)


def _chosen(context: Context, keys: tuple[str, ...], options: dict[str, Any], *, yes: bool) -> list[str] | None:
    """Keys to act on; None where a filter was only shown."""
    asked = any(options[name] for name in _FILTERS)
    wanted = _wanted(options, keys=keys)
    if keys and asked:
        raise ConfigError("either keys or a filter")
    if not keys and not asked:
        raise ConfigError("name findings by their keys or by a filter")
    if keys:
        return list(dict.fromkeys(keys))
    found = findings_desk.select(context, wanted)
    if yes:
        return [key for key, _ in found]
    _print(found, as_json=False)
    say(f"将影响 would affect {len(found)} · 加 --yes 执行 add --yes to do it")
    return None


def _done(word: str, count: int | None) -> None:
    if count is None:
        sys.exit(FINDINGS)
    say(f"{word} {count}")


@findings.command("assign")
@acting
@click.option("--to", required=True, help="人员、承办单位或法院 a person, an office or a court")
@click.option("--due", type=DAY, metavar="YYYY-MM-DD", help="期限 until the end of that day")
@with_installation
def assign(
    installation: Installation, keys: tuple[str, ...], who: str, why: str, yes: bool, to: str, due: Any, **options: Any
) -> None:
    """指派 Gives findings to somebody."""
    until = None if due is None else end_of_china_day(due.date())
    with installation.open() as (context, clock):
        chosen = _chosen(context, keys, options, yes=yes)
        count = (
            None
            if chosen is None
            else findings_desk.assign(context, chosen, to=to, due=until, who=who, why=why, now=clock())
        )
    _done("已指派 assigned", count)


@findings.command("decide")
@acting
@click.option("--as", "decision", type=click.Choice([one.value for one in FindingDecision]), required=True)
@click.option("--recovered-fen", type=click.IntRange(1), help="追回金额(分) with RECOVERED: of each")
@with_installation
def decide(
    installation: Installation,
    keys: tuple[str, ...],
    who: str,
    why: str,
    yes: bool,
    decision: str,
    recovered_fen: int | None,
    **options: Any,
) -> None:
    """决定 What the doubts turned out to be."""
    what = FindingDecision(decision)
    findings_desk.require_amount(what, recovered_fen)
    with installation.open() as (context, clock):
        chosen = _chosen(context, keys, options, yes=yes)
        count = (
            None
            if chosen is None
            else findings_desk.decide(context, chosen, what, who=who, why=why, recovered_fen=recovered_fen, now=clock())
        )
    _done(f"已决定 decided {' '.join(DECISION_NAMES[what])}", count)


@findings.command("close")
@acting
@with_installation
def close(installation: Installation, keys: tuple[str, ...], who: str, why: str, yes: bool, **options: Any) -> None:
    """了结 Ends what was decided."""
    with installation.open() as (context, clock):
        chosen = _chosen(context, keys, options, yes=yes)
        count = None if chosen is None else findings_desk.close(context, chosen, who=who, why=why, now=clock())
    _done("已了结 closed", count)


@findings.command("reopen")
@acting
@with_installation
def reopen(installation: Installation, keys: tuple[str, ...], who: str, why: str, yes: bool, **options: Any) -> None:
    """重开 Puts decided findings before people again."""
    with installation.open() as (context, clock):
        chosen = _chosen(context, keys, options, yes=yes)
        count = None if chosen is None else findings_desk.reopen(context, chosen, who=who, why=why, now=clock())
    _done("已重开 reopened", count)


@findings.command("rates")
@json_option
@with_installation
def rates(installation: Installation, as_json: bool) -> None:
    """误配率 How many findings a person called false, by code and group; who is of two groups counts in both."""
    with installation.open() as (context, _):
        found = findings_desk.rates(context)
    rows = [[one.code, one.group, one.found, one.decided, one.false, _percent(one.false, one.decided)] for one in found]
    names = ("code", "group", "found", "decided", "false", "percent")
    if as_json:
        print_json([dict(zip(names, row, strict=True)) for row in rows])
    else:
        headings = ["代码 code", "群体 group", "发现 found", "已决定 decided", "误配 false", "误配率 %"]
        table(headings, rows, empty="没有疑点 no findings")


def _percent(part: int, whole: int) -> str:
    return "" if whole == 0 else f"{100 * part / whole:.1f}"


COMMANDS: tuple[click.Command, ...] = (findings,)
"""`xianjie findings …`."""

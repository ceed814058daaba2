"""匹配复核 `xianjie matches`: what is put before two sides, what they said, and what a person decides.

Exit 1 from `list` when a match waits for a person. A view of the notice for the person concerned is kept on file.
"""

import sys
from typing import Any

import click

from gateway.cli.console import (
    FINDINGS,
    Installation,
    counted,
    json_option,
    print_json,
    say,
    table,
    with_installation,
)
from gateway.domain.adjudication import RESOLUTION_NAMES, SIDES, DispositionCode, Resolution, StopsBy
from gateway.domain.calendar import CHINA, due_text
from gateway.domain.lifecycle import MatchState
from gateway.errors import MatchUnknown
from gateway.flows import match_notice, match_resolve, match_said
from gateway.flows.adjudicate import adjudicate
from gateway.store import decisions, matches
from gateway.store.matches import KeptMatch

STATE_WORDS = {
    MatchState.OPEN: "待通知 open",
    MatchState.NOTIFIED: "已通知双方 notified",
    MatchState.AWAITING_DISPOSITIONS: "等待另一方 awaiting",
    MatchState.ESCALATED: "待人决定 escalated",
    MatchState.RESOLVED_LAWFUL: "可并存 lawful",
    MatchState.RESOLVED_DUPLICATE: "重复成立 duplicate",
    MatchState.INVALID_MATCH: "误配 invalid",
    MatchState.APPEALED: "申诉 appealed",
    MatchState.CLOSED: "已结 closed",
}
RESOLUTIONS = [one.value for one in Resolution if one is not Resolution.NO_LONGER_SEEN]
who_option = click.option("--who", required=True, help="办理人 who (kept on file)")
why_option = click.option("--why", required=True, help="理由 why (kept on file)")


@click.group("matches")
def group() -> None:
    """匹配复核 Doubts about two sides: both are heard before anything is resolved."""


@group.command("list")
@click.option("--state", "states", multiple=True, type=click.Choice([state.value for state in MatchState]))
@click.option("--party", help="一方 party id")
@click.option("--referral", "referral_id", help="移送 referral id")
@click.option("--limit", type=click.IntRange(1), default=1000, show_default=True)
@json_option
@with_installation
def list_(
    installation: Installation,
    states: tuple[str, ...],
    party: str | None,
    referral_id: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """列出 Matches, oldest first. Exit 1 when one waits for a person."""
    with installation.open() as (context, _), context.store.reading() as connection:
        found = matches.listed(
            connection,
            states=[MatchState(state) for state in states],
            party=party,
            referral_id=referral_id,
            limit=limit,
        )
    if as_json:
        print_json([_as_json(one) for one in found])
    else:
        table(
            ["复核 match", "疑点 doubt", "状态 state", "甲方 A", "乙方 B", "期限 due"],
            [
                [
                    one.match.match_id,
                    one.match.code,
                    STATE_WORDS[one.match.state],
                    *(_side_words(one, side) for side in SIDES),
                    due_text(min((side.due_at for side in one.sides if side.due_at is not None), default=None)),
                ]
                for one in found
            ],
            empty="没有匹配复核 no matches",
        )
    sys.exit(FINDINGS if any(one.match.state is MatchState.ESCALATED for one in found) else 0)


def _side_words(kept: KeptMatch, side: str) -> str:
    here = next((one for one in kept.sides if one.side == side), None)
    if here is None:
        return ""
    said = kept.standing().get(side)
    return f"{here.office_id or here.party}{f' · {said.code}' if said is not None else ''}"


def _as_json(kept: KeptMatch) -> dict[str, Any]:
    match = kept.match
    return {
        "match_id": match.match_id,
        "code": match.code,
        "kind": match.kind.value,
        "state": match.state.value,
        "resolution": None if match.resolution is None else match.resolution.value,
        "round": match.round,
        "finding": match.finding_key,
        "opened": match.opened_at.isoformat(),
        "sides": [
            {
                "side": one.side,
                "party": one.party,
                "office": one.office_id,
                "referral": one.referral_id,
                "need": one.need_id,
                "programme": one.programme,
                "due": None if one.due_at is None else one.due_at.isoformat(),
            }
            for one in kept.sides
        ],
        "said": [
            {
                "side": one.side,
                "round": one.round,
                "code": one.code,
                "stops_by": None if one.stops_by is None else one.stops_by.value,
                "at": one.at.isoformat(),
                "by_operator": one.by_operator,
                "cause": one.cause,
            }
            for one in kept.said
        ],
    }


@group.command("show")
@click.argument("match_id")
@json_option
@with_installation
def show(installation: Installation, match_id: str, as_json: bool) -> None:
    """查看 One match: both sides, what they said, every move and every decision."""
    with installation.open() as (context, _), context.store.reading() as connection:
        kept = matches.find(connection, match_id)
        if kept is None:
            raise MatchUnknown(ids={"match": match_id})
        moves = matches.moves_of(connection, match_id)
        acts = [dict(row) for row in decisions.about(connection, match_id)]
    if as_json:
        told = [{name: one[name] for name in ("round", "from_state", "to_state", "at", "cause")} for one in moves]
        print_json(_as_json(kept) | {"moves": told, "decisions": acts})
        return
    match = kept.match
    resolution = "" if match.resolution is None else " · " + " ".join(RESOLUTION_NAMES[match.resolution])
    say(f"{match.match_id} · {match.code} · {STATE_WORDS[match.state]}{resolution}")
    table(
        ["方 side", "主体 party", "移送 referral", "需求 need", "期限 due", "意见 disposition"],
        [
            [
                one.side,
                one.office_id or one.party,
                one.referral_id,
                one.need_id,
                due_text(one.due_at),
                _last(kept, one.side),
            ]
            for one in kept.sides
        ],
    )
    table(
        ["轮 round", "由 from", "至 to", "时间 at", "缘由 cause"],
        [
            [
                one["round"],
                one["from_state"],
                one["to_state"],
                f"{one['at'].astimezone(CHINA):%Y-%m-%d %H:%M}",
                one["cause"],
            ]
            for one in moves
        ],
    )
    table(["何人 who", "何事 what", "理由 why"], [[one["who"], one["what"], one["why"]] for one in acts])


def _last(kept: KeptMatch, side: str) -> str:
    mine = [one for one in kept.said if one.side == side and one.round == kept.match.round]
    return mine[-1].code if mine else ""


@group.command("dispose")
@click.argument("match_id")
@click.option("--side", type=click.Choice(SIDES), required=True, help="一方 which side said so")
@click.option("--as", "code", type=click.Choice([one.value for one in DispositionCode]), required=True)
@click.option("--stops-by", type=click.Choice([one.value for one in StopsBy]), help="with STOP_MINE: how its help ends")
@who_option
@why_option
@with_installation
def dispose(
    installation: Installation, match_id: str, side: str, code: str, stops_by: str | None, who: str, why: str
) -> None:
    """代录意见 What a side without a server told the operator."""
    with installation.open() as (context, clock):
        state = match_said.enter(
            context,
            match_id,
            side,
            DispositionCode(code),
            stops_by=None if stops_by is None else StopsBy(stops_by),
            who=who,
            why=why,
            now=clock(),
        )
    say(f"已录入 entered · {STATE_WORDS[MatchState(state)]}")


@group.command("resolve")
@click.argument("match_id")
@click.option("--as", "resolution", type=click.Choice(RESOLUTIONS), required=True, help="结论 the resolution")
@click.option("--stops", type=click.Choice(SIDES), help="with DUPLICATE: which side gives way")
@who_option
@why_option
@with_installation
def resolve(installation: Installation, match_id: str, resolution: str, stops: str | None, who: str, why: str) -> None:
    """决定 A person resolves what the two sides could not."""
    with installation.open() as (context, clock):
        state = match_resolve.resolve(
            context, match_id, Resolution(resolution), stops=stops, who=who, why=why, now=clock()
        )
    say(f"已决定 resolved · {STATE_WORDS[state]}")


@group.command("appeal")
@click.argument("match_id")
@who_option
@why_option
@with_installation
def appeal(installation: Installation, match_id: str, who: str, why: str) -> None:
    """申诉 The person, or a side, does not accept it: both sides are heard again."""
    with installation.open() as (context, clock):
        match_resolve.appeal(context, match_id, who=who, why=why, now=clock())
    say("已受理申诉，双方将重新被听取 appealed: both sides are asked again")


@group.command("notice")
@click.argument("match_id")
@click.option("--side", type=click.Choice(SIDES), required=True, help="一方 whose person")
@click.option("--lang", type=click.Choice(("zh", "en", "both")), default="both", show_default=True)
@click.option("--by-safe-channel", is_flag=True, help="已确认安全联系方式 for a protected person, by hand")
@who_option
@why_option
@with_installation
def notice(
    installation: Installation, match_id: str, side: str, lang: str, by_safe_channel: bool, who: str, why: str
) -> None:
    """告知 The notice for the person concerned, to be printed. Exit 1 when it is held back for protection."""
    with installation.open() as (context, clock):
        made = match_notice.person_notice(
            context, match_id, side, who=who, why=why, by_safe_channel=by_safe_channel, now=clock()
        )
    for index, wanted in enumerate(("zh", "en")):
        if lang in (wanted, "both"):
            click.echo("\n".join(line[index] for line in made.lines) + "\n")
    sys.exit(FINDINGS if made.withheld else 0)


@group.command("turn")
@with_installation
def turn(installation: Installation) -> None:
    """推进 What the worker does by itself: opens matches, tells both sides, marks what is overdue."""
    with installation.open() as (context, clock):
        done = adjudicate(context, now=clock())
    counts = {"新开 opened": done.opened, "通知 notified": done.begun, "逾期 overdue": done.overdue}
    say(counted({**counts, "结束 ended": done.ended}))


COMMANDS: tuple[click.Command, ...] = (group,)
"""`xianjie matches …`."""

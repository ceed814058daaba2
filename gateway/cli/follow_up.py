"""回访与量化 `xianjie follow-ups`: visits still to be made; `xianjie standard`: a recommended amount, worked out.

`standard` needs no gateway and no network: a clerk computes beside the file, and the court records what it decided and
why with `amount.quantified` (`xianjie send`).
"""

import sys
from datetime import datetime

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
from gateway.cli.days import DAY
from gateway.domain.calendar import due_text
from gateway.domain.standard import SAMPLE, Circumstance, Recommendation, find_standard, recommend
from gateway.errors import ConfigError
from gateway.flows.follow_up import DueVisit, due_visits
from schemas.court_money import HARDSHIPS
from schemas.referral import GROUNDS

_PAST = {True: "逾期 overdue", False: "未到期 in time", None: "无法计算 cannot be told"}


@click.command("follow-ups")
@click.option("--court", help="只看一个法院 one court only")
@click.option("--overdue", is_flag=True, help="只看逾期 only those that are overdue")
@json_option
@with_installation
def follow_ups(installation: Installation, court: str | None, overdue: bool, as_json: bool) -> None:
    """回访清单 Return visits that are still to be made: overdue first, then minors. Exit 1 when one is overdue."""
    with installation.open() as (context, clock):
        found = [one for one in due_visits(context, now=clock(), court=court) if one.past is True or not overdue]
    if as_json:
        print_json([_visit(one) for one in found])
    else:
        table(
            ["法院 court", "移送 referral", "次 visit", "应于 due", "未成年 minor", "状态"],
            [
                [
                    one.court,
                    one.referral_id,
                    one.number,
                    due_text(one.due_at),
                    "是 yes" if one.is_minor else "",
                    _PAST[one.past],
                ]
                for one in found
            ],
            empty="没有待回访 no visit is to be made",
        )
    sys.exit(FINDINGS if any(one.past for one in found) else 0)


def _visit(one: DueVisit) -> dict[str, object]:
    return {
        "court": one.court,
        "referral_id": one.referral_id,
        "visit": one.number,
        "due_at": None if one.due_at is None else one.due_at.isoformat(),
        "overdue": one.past,
        "minor": one.is_minor,
    }


@click.command()
@click.option("--name", default=SAMPLE, show_default=True, help="标准名称 which table")
@click.option("--on", "day", type=DAY, required=True, metavar="YYYY-MM-DD", help="审结日 the day of the decision")
@click.option("--ground", type=click.Choice(GROUNDS), required=True, help="救助事由")
@click.option("--hardship", type=click.Choice(HARDSHIPS), default="ORDINARY", show_default=True, help="困难程度")
@click.option("--dependants", type=click.IntRange(0, 20), default=0, show_default=True, help="被扶养人数")
@click.option("--loss", type=click.IntRange(0), required=True, help="损失(分) in fen")
@click.option("--recovered", type=click.IntRange(0), default=0, show_default=True, help="已获赔(分) in fen")
@click.option("--wage", type=click.IntRange(1), required=True, help="职工月平均工资(分) a month's wage in fen")
@click.option("--cap-months", type=click.IntRange(0), default=36, show_default=True, help="限额月数 0: none")
@click.option("--balance", type=click.IntRange(0), help="未执行到位(分) in fen")
@click.option("--decided", type=click.IntRange(0), help="拟决定(分) compares it with the recommendation")
@json_option
def standard(
    name: str,
    day: datetime,
    ground: str,
    hardship: str,
    dependants: int,
    loss: int,
    recovered: int,
    wage: int,
    cap_months: int,
    balance: int | None,
    decided: int | None,
    as_json: bool,
) -> None:
    """量化标准 The recommended amount with its working. Exit 1 when what is to be decided needs a reason."""
    found = find_standard(name, day.date())
    if found is None:
        raise ConfigError(f"no standard {name} is in force on {day:%Y-%m-%d}")
    said = recommend(
        found,
        Circumstance(
            ground=ground,
            hardship=hardship,
            dependants=dependants,
            loss_fen=loss,
            recovered_fen=recovered,
            wage_fen=wage,
            cap_fen=wage * cap_months or None,
            balance_fen=balance,
        ),
    )
    needs_reason = decided is not None and said.needs_reason(decided)
    if as_json:
        print_json(_recommendation(said) | {"decided_fen": decided, "needs_reason": needs_reason})
    else:
        table(
            ["步骤 step", "", "元 yuan"],
            [[line.zh, line.en, yuan(line.amount_fen)] for line in said.lines],
        )
        say(f"建议金额 recommended {yuan(said.amount_fen)} 元 · {said.standard}/{said.version}")
        if needs_reason:
            say(f"偏离超过 {said.tolerance_percent}%：须说明理由 further off than the tolerance: say why")
    sys.exit(FINDINGS if needs_reason else 0)


def _recommendation(said: Recommendation) -> dict[str, object]:
    return {
        "standard": said.standard,
        "version": said.version,
        "recommended_fen": said.amount_fen,
        "tolerance_percent": said.tolerance_percent,
        "working": [
            {"row": line.code, "zh": line.zh, "en": line.en, "amount_fen": line.amount_fen} for line in said.lines
        ],
    }


COMMANDS = (follow_ups, standard)

"""截止核对 `xianjie cutoff`: compares the log, the rows and the signed bytes now, and names every row that is wrong."""

import sys
from dataclasses import asdict
from typing import Any

import click

from gateway.cli.console import DONE, FINDINGS, Installation, json_option, print_json, say, table, with_installation
from gateway.flows.audit.trouble import What
from gateway.flows.completeness import PairState, PairStatus, pairs_status
from gateway.flows.cutoff import MOST_KEPT, CutOff, cut_off
from gateway.store.witness import WitnessFile

_WORDS = {What.MISSING: "缺失 missing", What.ALTERED: "被改 altered", What.UNLOGGED: "无存证 unlogged"}


@click.command()
@json_option
@with_installation
def cutoff(installation: Installation, as_json: bool) -> None:
    """截止核对 Holds the log against the rows and the rows against what was signed; exit 1 when a row is wrong."""
    with installation.open() as (context, clock):
        made = cut_off(context, now=clock(), witness=WitnessFile(installation.config.state))
        with context.store.reading() as connection:
            pairs = pairs_status(connection)
    late = sum(pair.state is PairState.OVERDUE for pair in pairs)
    differ = [pair for pair in pairs if pair.state is PairState.DIFFERS]
    if as_json:
        print_json(
            {
                "cutoff_id": made.cutoff_id,
                "at": made.at.isoformat(),
                "tree_size": made.size,
                "root": made.root.hex(),
                "wrong": made.wrong,
                "troubles": [asdict(one) for one in made.troubles],
                "pairs": [_as_json(pair) for pair in pairs],
            }
        )
    else:
        _show(made)
        _show_pairs(pairs)
        say(f"双方承诺 pairs {len(pairs)}: 不一致 differ {len(differ)} · 尚未承诺 not committed {late}")
    sys.exit(FINDINGS if made.wrong or differ else DONE)


def _show(made: CutOff) -> None:
    table(
        ["表", "行", "如何", "列", "移送"],
        [[one.table, one.ref, _WORDS[one.what], one.column, one.referral_id] for one in made.troubles],
        empty="日志、数据行与签名字节一致 log, rows and signed bytes agree",
    )
    if made.wrong > MOST_KEPT:
        say(f"… {made.wrong - MOST_KEPT} 行未列出 more not listed")
    say(f"存证 log {made.size} 条 leaves · 有误 wrong {made.wrong}")


def _as_json(pair: PairStatus) -> dict[str, Any]:
    return {
        "party": pair.party_id,
        "direction": pair.direction.value,
        "state": pair.state.value,
        "cutoff": None if pair.cutoff is None else pair.cutoff.isoformat(),
        "high_water": pair.high_water,
        "rows": list(pair.rows),
    }


def _show_pairs(pairs: list[PairStatus]) -> None:
    """Every row that only one side has or both have differently, and who owes a commitment."""
    rows = [
        [pair.party_id, pair.direction.value, row.get("seq"), row["kind"], " ".join(row.get("message_id", ()))]
        for pair in pairs
        for row in pair.rows
    ]
    if rows:
        table(["主体", "方向", "号", "情况", "报文"], rows)
    for pair in pairs:
        if pair.state is PairState.OVERDUE:
            since = "从未承诺 never committed" if pair.cutoff is None else f"{pair.cutoff:%Y-%m-%d %H:%M} UTC"
            say(f"逾期未承诺 overdue {pair.party_id} {pair.direction.value}: {since}")


COMMANDS = (cutoff,)

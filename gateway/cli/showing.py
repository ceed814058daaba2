"""显示 Tables that more than one command prints: findings and the balance."""

from collections.abc import Sequence
from typing import Any

from gateway.cli.console import table, yuan
from gateway.domain.reconciliation.balance import COLUMNS, BalanceLine, total
from gateway.domain.reconciliation.values import Finding
from gateway.domain.rules import read_table

_HEADINGS = {
    "referrals": "移送",
    "accepted": "受理需求",
    "assisted": "已救助",
    "not_assisted": "未救助",
    "unexplained": "无理由",
    "withdrawn": "已撤回",
    "open_in_time": "办理中",
    "overdue": "逾期",
    "clock_unknown": "时限不明",
    "held": "核查中",
    "difference": "差额",
}
NO_FINDINGS = "没有未结疑点 no open findings"


def balance_row(line: BalanceLine) -> dict[str, Any]:
    """One line with its names."""
    counts = {name: getattr(line, name) for name in ("referrals", "accepted", *COLUMNS)}
    return {"court": line.court, "period": line.period, **counts, "difference": line.difference}


def show_balance(lines: Sequence[BalanceLine]) -> None:
    """Every line and their sum; the last column is what does not add up."""
    rows = [*lines, total(lines, court="合计 total")]
    table(["法院 court", "月份 month", *_HEADINGS.values()], [list(balance_row(line).values()) for line in rows])


def show_findings(findings: Sequence[Finding]) -> None:
    """How many of each code, the money in doubt, and one example."""
    names = {row["code"]: row["zh"] for row in read_table("findings")}
    by_code: dict[str, list[Finding]] = {}
    for finding in findings:
        by_code.setdefault(finding.code, []).append(finding)
    rows = [
        [code, names.get(code, ""), len(found), yuan(sum(one.stake_fen for one in found)), found[0].referral_id or ""]
        for code, found in sorted(by_code.items())
    ]
    table(["代码 code", "疑点 finding", "件 count", "元 yuan", "例 example"], rows, empty=NO_FINDINGS)

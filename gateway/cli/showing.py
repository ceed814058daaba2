"""显示 Tables that more than one command prints: findings and the balance."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from gateway.cli.console import table, yuan
from gateway.domain.calendar import due_text
from gateway.domain.reconciliation.balance import COLUMNS, BalanceLine, Dimension, total
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


_LABELS = {
    "court": "法院 court",
    "period": "月份 month",
    "agency": "部门 agency",
    "group": "群体 group",
    "case_type": "案件类型 type",
}


def show_balance(lines: Sequence[BalanceLine]) -> None:
    """Every line by court and month and their sum; the last column is what does not add up."""
    show_balance_by(Dimension.COURT_AND_PERIOD, lines, total(lines))


def show_balance_by(by: Dimension, lines: Sequence[BalanceLine], whole: BalanceLine) -> None:
    """Every line of one dimension and the total."""
    names = [*by.labels, "referrals", "accepted", *COLUMNS, "difference"]
    rows = [[getattr(line, name) for name in names] for line in (*lines, whole)]
    rows[-1][0] = "合计 total"
    table([*(_LABELS[name] for name in by.labels), *_HEADINGS.values()], rows)


def finding_row(finding: Finding, state: str = "", opened_at: datetime | None = None) -> dict[str, Any]:
    """One finding as a machine is told it."""
    return {
        "key": finding.key,
        "code": finding.code,
        "rule": finding.rule_id,
        "referral": finding.referral_id or "",
        "need": finding.need_id or "",
        "subject": finding.subject,
        "about": finding.need_id or finding.subject,
        "stake_fen": finding.stake_fen,
        "must_act": finding.must_act,
        "due": due_text(finding.due_at),
        "state": state,
        "opened": opened_at.isoformat() if opened_at else "",
        "evidence": dict(finding.evidence),
    }


def show_finding_rows(rows: Sequence[Mapping[str, Any]]) -> None:
    """One line each."""
    names = ("code", "referral", "about", "stake_fen", "must_act", "due")
    shown = [[yuan(row[name]) if name == "stake_fen" else row[name] for name in names] for row in rows]
    headings = ["疑点 finding", "移送 referral", "对象 about", "元 yuan", "办理 must act", "期限 due"]
    table(headings, shown, empty=NO_FINDINGS)


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

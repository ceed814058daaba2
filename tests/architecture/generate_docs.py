"""Pages that are written by the code: `docs/errors.md`, `docs/states.md` and `docs/same-help.md`.

    python -m tests.architecture.generate_docs           # says which page is out of step; exit 1 when one is
    python -m tests.architecture.generate_docs --write   # writes them

Errors come from `gateway.errors` and the field codes from their rule table; states come from the lifecycle tables.
"""

import sys
from collections.abc import Callable, Iterable
from enum import StrEnum
from pathlib import Path

from gateway.domain.coexistence import load_coexistence
from gateway.domain.field_codes import load_field_codes
from gateway.domain.lifecycle import MACHINES, Machine
from gateway.errors import XianjieError, every_error
from tests.architecture.sources import ROOT

NOTE = "<!-- Written by `python -m tests.architecture.generate_docs --write`; change the code, not this page. -->"


def errors_page() -> str:
    """Every error code with what it means and what to do, then every field code."""
    errors = [error for error in every_error() if error.__module__.startswith("gateway.errors.")]
    return _page(
        "# 错误代码 Errors",
        NOTE,
        "问题以 `application/problem+json`（RFC 9457）返回；`code` 发布后不再改变。\n"
        "所有身份与签名问题对外只有一种答复。\n"
        "Problems are answered as `application/problem+json` (RFC 9457); a `code` never changes once published. Every\n"
        "trust failure gives one and the same answer to the outside.",
        _table(
            ("code", "HTTP", "责任方 fault", "可重试 retry", "说明 meaning"),
            (
                (f"[`{e.code}`](#{e.code})", str(e.status), e.fault.value, _yes(e.retryable), " ".join(e.title))
                for e in errors
            ),
        ),
        *(_error(error) for error in errors),
        "## 字段代码 Field codes",
        "出现在 `errors[].code`；`pointer` 指明字段（RFC 6901）；从不回显字段的值。\n"
        "They stand in `errors[].code`; `pointer` names the field (RFC 6901); a field's value is never repeated.",
        _table(
            ("code", "级别 severity", "问题 problem", "处理 what to do"),
            (
                (f"`{c.code}`", c.severity.value, f"{c.zh}<br>{c.en}", f"{c.fix_zh}<br>{c.fix_en}")
                for c in load_field_codes().values()
            ),
        ),
    )


def _error(error: type[XianjieError]) -> str:
    meaning = " ".join((error.__doc__ or "").split())
    zh, en = error.title
    steps = [*error.next_step]
    if error.page_step != error.next_step:
        steps.append("页面上 On a page: " + " ".join(error.page_step))
    return f"## {error.code}\n\n**{zh}** {en}\n\n{meaning}\n\n" + "\n".join(f"- {one}" for one in steps)


def states_page() -> str:
    """Every lifecycle as a diagram and a table of its moves."""
    return _page(
        "# 状态 States",
        NOTE,
        "状态只按下列各表变化；表中没有的变化一律拒绝，且不改变任何东西。\n"
        "超期、疑似重复、结果不明是叠加标记，不是状态。\n"
        "A state changes only by a move in these tables; any other move is refused and changes nothing. Overdue,\n"
        "suspected duplicate and outcome-unknown are overlays, never states.",
        *(_machine(machine) for machine in MACHINES.values()),
    )


def _machine(machine: Machine) -> str:
    moves = [(here, there) for here in machine.moves for there in _in_order(machine, here)]
    arrows = [f"    [*] --> {machine.initial.value}", *(f"    {a.value} --> {b.value}" for a, b in moves)]
    arrows += [f"    {state.value} --> [*]" for state in machine.moves if state in machine.final]
    rows = (
        (
            f"`{state.value}`",
            "初始 first" if state is machine.initial else "终结 final" if state in machine.final else "",
            " ".join(f"`{there.value}`" for there in _in_order(machine, state)),
        )
        for state in machine.moves
    )
    diagram = "\n".join(["```mermaid", "stateDiagram-v2", *arrows, "```"])
    return f"## {machine.zh} {machine.name}\n\n{diagram}\n\n{_table(('状态 state', '', '可变为 may become'), rows)}"


def _in_order(machine: Machine, here: StrEnum) -> list[StrEnum]:
    """Successors in the order of the machine's own table, so that the page does not depend on hashing."""
    return [state for state in machine.moves if state in machine.moves[here]]


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = (head, ("---",) * len(head), *rows)
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _yes(value: bool) -> str:
    return "是 yes" if value else "否 no"


def _page(*parts: str) -> str:
    return "\n\n".join(parts) + "\n"


def same_help_page() -> str:
    """What counts as the same help, with the rule table as it is shipped."""
    rules = load_coexistence()
    return _page(
        "# 同一救助 What is the same help",
        NOTE,
        SAME_HELP_TEXT,
        "## 规则表 The rule table",
        _table(
            (
                "rule",
                "版 version",
                "有效 valid",
                "范围 scope",
                "甲 a",
                "乙 b",
                "判定 verdict",
                "条件 conditions",
                "资金 fund",
                "依据 basis",
            ),
            (
                (
                    rule.rule_id,
                    str(rule.version),
                    f"{rule.valid_from or '…'} – {rule.valid_to or '…'}",
                    rule.scope.value,
                    rule.programme_a,
                    rule.programme_b,
                    rule.verdict.value,
                    " ".join(rule.conditions) or "—",
                    rule.fund_source.value,
                    f"{rule.basis} ({rule.status})",
                )
                for rule in rules
            ),
        ),
    )


SAME_HELP_TEXT = """\
Read from `gateway/domain/rules/coexistence.csv`. Of the rows in force on the day the later help was given, the
one that names both sides wins. A row says its verdict only when every condition is met, and a fact nobody told
meets none.

- `forbidden_same_original_case`, `exclude`, `exclude_for_life`, `choose_higher`, `one_joint_case`: a finding.
- `ask_same_cause_within_year`: a finding only where two offices granted for one original case within twelve
  months and from one source of money; two causes, or causes nobody told, are no doubt.
- `complement`, `top_up`: how help is meant to follow help; never a finding.

**One matter, several numbers.** A court states first-instance, final and enforcement numbers in
`original_case_group`, parted by `；` or `、`. Numbers stated together, by anybody, are one matter
(`original_case_links`), followed to the end. Likeness joins nothing. D01 holds at intake and
`DUP_SAME_ORIGINAL_CASE` read this closure.

**Aid before the gateway.** `xianjie ledger template FILE`, `xianjie ledger import FILE --agreement DOCUMENT
--who WHO --why WHY` (CSV, XLSX, NDJSON), `xianjie ledger list`. Only under an agreement that authorises
matching (P06). A bad line costs itself only; the same file again changes nothing; a line whose organ,
programme, case number and person are there is not kept twice. Kept are keyed person keys, numbers, days,
amounts; name and identity number are sealed. The decision's leaf covers the file's SHA-256, the counts and the
root over all lines; the cut-off names lines changed, deleted, added.

**Families.** Two referrals are kin where an identity number of one stands in the other: one household
(beneficiary and household member), or related (a guardian, a person both name). Relatives of one dead victim
(G3) in cases of their own are `DUP_RELATIVES_SPLIT`, in one case or by joint aid not. A household's benefit by
two offices in one month is a finding, a person's is not.

**Accounts.** `judicial_assistance.paid` may carry `account`; a keyed hash is kept, and only where matching is
authorised. Two people who are not kin and share one are `SHARED_ACCOUNT`; a trustee's account under a plan is
not.

**Computed again.** A finding carries `rule_row`, `rule_version`, `rule_table` (SHA-256 of the table) and
`inputs`. `gateway.domain.same_help.recompute(rule_row, inputs)` and `xianjie ledger recompute EVIDENCE.json`
come to the same answer without the gateway. A bundle for an auditor or the operator carries these findings, open and
closed, and `xianjie verify` computes them again; the inputs are the gateway's word. A court's bundle carries none:
they tell of other courts' cases."""

PAGES: dict[str, Callable[[], str]] = {
    "docs/errors.md": errors_page,
    "docs/same-help.md": same_help_page,
    "docs/states.md": states_page,
}


def out_of_step(root: Path = ROOT) -> list[str]:
    """Names of pages that are absent or differ from what the code says."""
    return [name for name, page in PAGES.items() if not _same(root / name, page())]


def _same(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


def write(root: Path = ROOT) -> None:
    """Write every page."""
    for name, page in PAGES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(page(), encoding="utf-8")


def main(arguments: list[str]) -> int:
    """`--write` writes, without it only tells."""
    if arguments == ["--write"]:
        write()
    stale = out_of_step()
    sys.stdout.write("".join(f"out of step: {name}\n" for name in stale))
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

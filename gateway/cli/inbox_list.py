"""信箱清单 What waits, the most pressing first: minors, then urgent ones, then by deadline; what was withdrawn is last.

Ids, codes and days only: a list lies open on a desk. `open` shows one handoff with its person.
"""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import click

from gateway.cli.console import DONE, FINDINGS, explain, json_option, print_json, table
from gateway.cli.inbox_desk import AMENDED, ANSWERS, ISSUED, RETRIEVED, WITHDRAWN, ClerkDesk, now_utc
from gateway.client.clerk_book import PENDING, Answered, Letter
from gateway.domain.calendar import due_text
from gateway.errors import XianjieError

_RANKS = {"URGENT_24H": 0, "24小时内": 0, "URGENT_48H": 1, "48小时内": 1}
"""The words agencies' formats have for what cannot wait; any other is in the ordinary order."""
_ORDINARY = 2
_STATES = {
    "new": "待签收 new",
    "opened": "已签收 opened",
    "answered": "已反馈 answered",
    "prepared": "反馈待送 prepared",
    "withdrawn": "已撤回 withdrawn",
}


@dataclass(frozen=True, kw_only=True)
class Listed:
    """One line of the list."""

    letter: Letter
    state: str
    needs: tuple[str, ...]
    programmes: tuple[str, ...]
    urgency: str
    is_minor: bool
    is_overdue: bool

    @property
    def order(self) -> tuple[Any, ...]:
        """Rule R05: minors lead the queue."""
        due = self.letter.envelope.reply_by
        rank = _RANKS.get(self.urgency, _ORDINARY)
        late = due is None
        return (self.state == "withdrawn", not self.is_minor, rank, late, due, self.letter.envelope.seq or 0)

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        envelope = self.letter.envelope
        return {
            "seq": envelope.seq,
            "message_id": envelope.id,
            "type": envelope.type,
            "referral": envelope.subject,
            "reply_by": envelope.reply_by.isoformat() if envelope.reply_by else None,
            "state": self.state,
            "needs": list(self.needs),
            "programmes": list(self.programmes),
            "urgency": self.urgency,
            "minor": self.is_minor,
            "overdue": self.is_overdue,
            "withdrawn": self.state == "withdrawn",
        }

    def as_row(self) -> list[str]:
        """For people."""
        envelope = self.letter.envelope
        pressing = ["未成年 minor"] * self.is_minor + [self.urgency] * (self.urgency in _RANKS)
        due = due_text(envelope.reply_by)
        return [
            str(envelope.seq or ""),
            envelope.id,
            _TYPES.get(envelope.type, envelope.type),
            envelope.subject or "",
            "、".join(self.programmes),
            " ".join(pressing),
            f"{due} 超期 overdue" if self.is_overdue else due,
            _STATES[self.state],
        ]


_TYPES = {
    ISSUED: "转办 handoff",
    AMENDED: "更正 amendment",
    WITHDRAWN: "撤回 withdrawal",
    "handoff.reminder": "催办 reminder",
}
_HEADINGS = [
    "序号 no.",
    "报文 message",
    "类型",
    "移送 referral",
    "项目 programme",
    "紧急 pressing",
    "期限 due",
    "状态 state",
]


@click.command("list")
@click.option("--in-hand", is_flag=True, help="含已签收未办结的 with those opened here and not finished")
@json_option
@click.pass_obj
def list_(desk: ClerkDesk, in_hand: bool, as_json: bool) -> None:
    """列出 What waits: minors and urgent ones first, with deadlines; overdue and withdrawn ones are marked."""
    letters, unproven = desk.waiting()
    if in_hand:
        there = {letter.envelope.id for letter in letters}
        letters += [letter for letter in desk.in_hand() if letter.envelope.id not in there]
    show(desk, letters, as_json=as_json or desk.as_json)
    sys.exit(leave(unproven))


def show(desk: ClerkDesk, letters: Iterable[Letter], *, as_json: bool) -> None:
    """The list, on standard output."""
    lines = listed(desk, list(letters), now_utc())
    if as_json:
        print_json([line.as_json() for line in lines])
    else:
        table(_HEADINGS, [line.as_row() for line in lines], empty="没有待办 nothing waits")


def leave(unproven: Iterable[XianjieError]) -> int:
    """Tells what was not proven to be a message; the exit code."""
    errors = list(unproven)
    for error in errors:
        explain(error)
    return FINDINGS if errors else DONE


def listed(desk: ClerkDesk, letters: list[Letter], now: datetime) -> list[Listed]:
    """In the order of the work."""
    gone = {letter.envelope.in_reply_to for letter in letters if letter.envelope.type == WITHDRAWN}
    answered = desk.answered()
    lines = [
        _line(desk, letter, now, is_gone=_about(letter) in gone, answers=answered.get(letter.envelope.id, []))
        for letter in letters
    ]
    return sorted(lines, key=lambda line: line.order)


def _about(letter: Letter) -> str | None:
    """The message of the handoff: its own, or the one it amends."""
    return letter.envelope.in_reply_to if letter.envelope.type == AMENDED else letter.envelope.id


def _line(desk: ClerkDesk, letter: Letter, now: datetime, *, is_gone: bool, answers: list[Answered]) -> Listed:
    rows = desk.rows(letter)
    first: Mapping[str, str] = rows[0] if rows else {}
    due = letter.envelope.reply_by
    state = "withdrawn" if is_gone or letter.envelope.type == WITHDRAWN else _state(answers)
    return Listed(
        letter=letter,
        state=state,
        needs=tuple(row["need_id"] for row in rows),
        programmes=tuple(row.get("programme", "") for row in rows),
        urgency=first.get("urgency", ""),
        is_minor=first.get("minor") == "是",
        is_overdue=due is not None and due < now and state not in ("withdrawn", "answered"),
    )


def _state(answers: list[Answered]) -> str:
    """What this journal did about it; another clerk's journal is not known here."""
    told = [one for one in answers if one.envelope.type in ANSWERS]
    if any(one.state == PENDING for one in told):
        return "prepared"
    if told:
        return "answered"
    return "opened" if any(one.envelope.type == RETRIEVED for one in answers) else "new"

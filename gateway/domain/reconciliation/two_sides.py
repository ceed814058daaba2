"""两方对照 A finding's evidence side by side: what stands on this side, what on the other, and what is about both.

Rules: `other_x` stands beside `x`; two members that are one pair by their meaning (`_PAIRS`) stand in one line; a list
of two is one of each where the finding is about two sides (`_ONE_OF_EACH`); what has no counterpart is common.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from gateway.domain.reconciliation.values import Finding
from gateway.domain.rules import read_table

OTHER = "other_"
_PAIRS = (
    ("ours", "theirs"),
    ("told_fen", "listed_fen"),
    ("told_on", "listed_on"),
    ("told", "line"),
    ("approved_fen", "amounts_fen"),
    ("bound_fen", "decided_fen"),
    ("recommended_fen", "decided_fen"),
    ("decided_fen", "amounts_fen"),
    ("decided_fen", "paid_fen"),
)
"""(this side, the other side); the first pair of which both are there, and neither has another, is taken."""
_ONE_OF_EACH = frozenset({"offices", "programmes"})
_HIDDEN = frozenset({"waterfall", "working"})
"""Shown as a table of its own, or not at all."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SideLine:
    """对照行. member: by which the words are found; this, other: values as they are in the evidence, None where that
    side says nothing; common: a value about both, None where the two sides have their own."""

    member: str
    this: Any = None
    other: Any = None
    common: Any = None


def side_by_side(finding: Finding, **this_side: Any) -> list[SideLine]:
    """Every member once, pairs first. this_side: what is known of this side beside the evidence, shown where the other
    side says it too."""
    known = {name: value for name, value in this_side.items() if f"{OTHER}{name}" in finding.evidence}
    said = {"referral": finding.referral_id, "need": finding.need_id, **known, **finding.evidence}
    left = {name: value for name, value in said.items() if value not in (None, "", []) and name not in _HIDDEN}
    found = [*_others(left), *_pairs(left), *_lists(left)]
    return found + [SideLine(member=name, common=value) for name, value in left.items()]


def _others(left: dict[str, Any]) -> Iterator[SideLine]:
    for name in [one for one in left if one.startswith(OTHER)]:
        mine = name.removeprefix(OTHER)
        yield SideLine(member=mine, this=left.pop(mine, None), other=left.pop(name))


def _pairs(left: dict[str, Any]) -> Iterator[SideLine]:
    for this, other in _PAIRS:
        if this in left and other in left:
            yield SideLine(member=f"{this}/{other}", this=left.pop(this), other=left.pop(other))


def _lists(left: dict[str, Any]) -> Iterator[SideLine]:
    for name in sorted(_ONE_OF_EACH & left.keys()):
        if isinstance(left[name], (list, tuple)) and len(left[name]) == 2:
            this, other = left.pop(name)
            yield SideLine(member=name, this=this, other=other)


def member_words(member: str) -> tuple[str, str]:
    """(Chinese, English) of a member, or of a pair of them."""
    parts = [_words().get(name, (name, name)) for name in member.split("/")]
    return " / ".join(zh for zh, _ in parts), " / ".join(en for _, en in parts)


@cache
def _words() -> Mapping[str, tuple[str, str]]:
    return {row["member"]: (row["zh"], row["en"]) for row in read_table("evidence_words")}

"""疑点说明 A finding in words: what was seen on both sides, by which rule, in Chinese and English.

Rules: the sentences are data (`rules/explanations.csv`), one for every code of `findings.csv`; `{member}` is a member
of the evidence, `{stake}` the money in doubt; `[…]` is left out where a member inside it is not there. A member that is
not there outside brackets is said to be not on record, never guessed. A code without a sentence is told by its name.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from gateway.domain.calendar import CHINA
from gateway.domain.programmes import load_programmes
from gateway.domain.reconciliation.values import Finding
from gateway.domain.rules import read_table

ZH, EN = "zh", "en"
_OPTIONAL = re.compile(r"\[([^\[\]]*)\]")
_MEMBER = re.compile(r"\{(\w+)\}")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}.*")
_NOT_THERE = {ZH: "（未记录）", EN: "(not on record)"}
_YES = {ZH: ("是", "否"), EN: ("yes", "no")}
_JOIN = {ZH: "、", EN: ", "}
_PROGRAMMES = frozenset({"programme", "programmes", "other_programme"})
_CALLED = frozenset({"court", "other_court", "office", "other_office", "offices", "agency", "party"})
_CODES: Mapping[str, tuple[str, ...]] = {
    "ours": ("need", "handoff"),
    "theirs": ("reply",),
    "other_state": ("need",),
    "decision": ("referral_decision",),
    "waits_for": ("waits_for",),
    "answer": ("reply",),
    "last_answer": ("clue_answer",),
    "reason": ("unroutable", "denial", "reply"),
    "doubt": ("finding",),
    "irregularity": ("irregularity",),
    "circumstances": ("visit_circumstance",),
    "mode": ("plan_mode",),
    "kind": ("match_kind",),
    "verdict": ("match_verdict",),
}
"""Members that hold a code, with the kinds of words it may be of."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """疑点说明. name: of the kind of finding; rule: what it says and where it stands (`source`)."""

    name_zh: str
    zh: str
    en: str
    rule_zh: str
    rule_en: str
    source: str


def explain(finding: Finding, called: Callable[[str], str] = str) -> Explanation:
    """The finding in words. called: how whoever reads them calls a court, an office or an agency; by their ids else."""
    name = names().get(finding.code, finding.code)
    template = templates().get(finding.code) or {
        ZH: f"{name}（{finding.code}），尚无说明文字。",
        EN: f"{finding.code}; no explanation is written yet.",
    }
    rule = rules().get(finding.rule_id, {ZH: finding.rule_id, EN: finding.rule_id, "source": ""})
    return Explanation(
        name_zh=name,
        zh=_filled(template[ZH], finding, ZH, called),
        en=_filled(template[EN], finding, EN, called),
        rule_zh=rule[ZH],
        rule_en=rule[EN],
        source=rule["source"],
    )


def members(finding: Finding) -> Iterator[tuple[str, str, str]]:
    """(Chinese name, English name, value) of every member of the evidence, as far as there are words for it."""
    words = {row["member"]: (row["zh"], row["en"]) for row in read_table("evidence_words")}
    for name, value in finding.evidence.items():
        zh, en = words.get(name, (name, name))
        yield zh, en, said(name, value, EN)


@cache
def templates() -> Mapping[str, Mapping[str, str]]:
    """Sentences by code."""
    return {row["code"]: row for row in read_table("explanations")}


@cache
def rules() -> Mapping[str, Mapping[str, str]]:
    """Rules by id."""
    return {row["rule_id"]: row for row in read_table("rule_texts")}


@cache
def names() -> Mapping[str, str]:
    """Chinese names of findings by code."""
    return {row["code"]: row["zh"] for row in read_table("findings")}


def _filled(template: str, finding: Finding, language: str, called: Callable[[str], str]) -> str:
    values = {
        **finding.evidence,
        "stake_fen": finding.stake_fen,
        "subject": finding.subject,
        "referral": finding.evidence.get("referral", finding.referral_id),
        "need": finding.need_id,
    }

    def optional(match: re.Match[str]) -> str:
        there = all(values.get(name) not in (None, "", []) for name in _named(match[1]))
        return match[1] if there else ""

    def value(match: re.Match[str]) -> str:
        name = "stake_fen" if match[1] == "stake" else match[1]
        found = values.get(name)
        if name in _CALLED and found is not None:
            several = found if isinstance(found, (list, tuple)) else [found]
            return _JOIN[language].join(called(str(one)) for one in several)
        return _NOT_THERE[language] if found is None else worded(name, found, language)

    return _MEMBER.sub(value, _OPTIONAL.sub(optional, template))


def _named(text: str) -> list[str]:
    return ["stake_fen" if name == "stake" else name for name in _MEMBER.findall(text)]


def worded(name: str, value: Any, language: str) -> str:
    """One member in words: as `said`, and a code by its word where a table has one."""
    if isinstance(value, (list, tuple)):
        return _JOIN[language].join(worded(name, one, language) for one in value)
    for kind in _CODES.get(name, ()):
        if (found := _words().get((kind, str(value)))) is not None:
            return found[0 if language == ZH else 1]
    return said(name, value, language)


@cache
def _words() -> Mapping[tuple[str, str], tuple[str, str]]:
    return {(row["kind"], row["code"]): (row["zh"], row["en"]) for row in read_table("words")}


def said(name: str, value: Any, language: str) -> str:
    """One member as a reader reads it: money in yuan, moments in China's time, programmes by name."""
    if isinstance(value, (list, tuple)):
        return _JOIN[language].join(said(name, one, language) for one in value)
    if isinstance(value, bool):
        return _YES[language][0 if value else 1]
    if name.endswith("_fen") and isinstance(value, int):
        return f"{value / 100:,.2f}元" if language == ZH else f"CNY {value / 100:,.2f}"
    text = str(value)
    if name in _PROGRAMMES and (programme := load_programmes().get(text)) is not None:
        return f"{programme.name_zh}（{text}）" if language == ZH else f"{programme.english} ({text})"
    if _MOMENT.fullmatch(text):
        return datetime.fromisoformat(text).astimezone(CHINA).strftime("%Y-%m-%d %H:%M")
    return text

"""存证条目核对 Each leaf against the thing it is the leaf of, and each thing against its leaf.

No message, receipt or decision without a leaf; no leaf without the thing, unless the case was erased, which a decision
on file must say; every field of a leaf says what the thing itself says.
"""

from collections.abc import Mapping
from typing import Any

from gateway.evidence.contents import Contents, Leaf, Paper
from gateway.evidence.entry import EntryKind, decision_digest
from gateway.evidence.verifier.conclusions import Conclusions
from gateway.evidence.verifier.relations import TOLERANCE, later_than
from schemas.fields import format_moment

ERASED = "case_erased"
"""The decision that erases a case's content."""


def check_entries(contents: Contents, found: Conclusions) -> None:
    """Every check of this file."""
    _check_messages(contents, found)
    _check_receipts(contents, found)
    _check_decisions(contents, found)
    _check_order(contents, found)
    _check_erasure(contents, found)


def _check_messages(contents: Contents, found: Conclusions) -> None:
    leaves = _leaves(contents, EntryKind.MESSAGE)
    told = {(_field(leaf, "from"), leaf.entry.ref) for leaf in leaves}
    fixed = {leaf.entry.digest for leaf in leaves}
    unreadable = _unreadable(contents)
    for leaf in leaves:
        if _field(leaf, "about") != contents.referral_id:
            found.add("leaf_of_other_referral", _name(leaf))
        paper = contents.by_id.get((_field(leaf, "from"), leaf.entry.ref))
        if paper is None:
            if not _may_be_erased(leaf, contents) and leaf.entry.digest not in unreadable:
                found.add("message_withheld", _name(leaf), id=leaf.entry.ref)
        elif paper.digest == leaf.entry.digest:
            _check_message(leaf, paper, found)
        elif paper.digest not in fixed:
            found.add("message_altered", paper.name, leaf=leaf.index)
    for paper in contents.messages:
        if paper.digest not in fixed and (paper.envelope.source, paper.envelope.id) not in told:
            found.add("message_not_logged", paper.name)


def _check_message(leaf: Leaf, paper: Paper, found: Conclusions) -> None:
    if (_field(leaf, "to"), _field(leaf, "type")) != (paper.envelope.recipient, paper.envelope.type):
        found.add("message_logged_otherwise", paper.name, leaf=leaf.index)


def _check_receipts(contents: Contents, found: Conclusions) -> None:
    leaves = _leaves(contents, EntryKind.RECEIPT)
    by_digest = {paper.digest: paper for paper in contents.receipts}
    fixed = {leaf.entry.digest for leaf in leaves}
    astray: dict[tuple[str, ...], list[Paper]] = {}
    for paper in contents.receipts:
        if paper.digest not in fixed:
            astray.setdefault(_said_fields(paper), []).append(paper)
    unreadable = _unreadable(contents)
    for leaf in leaves:
        same = by_digest.get(leaf.entry.digest or "")
        others = astray.get(_receipt_fields(leaf))
        if same is not None:
            if _receipt_fields(leaf) != _said_fields(same):
                found.add("receipt_logged_otherwise", same.name, leaf=leaf.index)
        elif others:
            found.add("receipt_altered", others.pop().name, leaf=leaf.index)
        elif leaf.entry.digest not in unreadable:
            found.add("receipt_withheld", _name(leaf), id=leaf.entry.ref)
    for paper in (paper for left in astray.values() for paper in left):
        found.add("receipt_not_logged", paper.name)


def _receipt_fields(leaf: Leaf) -> tuple[str, ...]:
    return leaf.entry.ref, _field(leaf, "rung"), _field(leaf, "verdict"), _field(leaf, "from")


def _said_fields(paper: Paper) -> tuple[str, ...]:
    said, envelope = paper.said, paper.envelope
    if said is None:
        return ()
    return envelope.in_reply_to or "", said.rung.value, said.verdict.value, envelope.source


def _check_decisions(contents: Contents, found: Conclusions) -> None:
    leaves = {leaf.entry.ref: leaf for leaf in _leaves(contents, EntryKind.DECISION)}
    there: set[str] = set()
    for row in contents.decisions:
        leaf = leaves.get(row["decision_id"])
        there.add(row["decision_id"])
        if leaf is None:
            found.add("decision_not_logged", row["decision_id"])
        elif digest_of(row) != leaf.entry.digest or row["what"] != _field(leaf, "what"):
            found.add("decision_altered", row["decision_id"], leaf=leaf.index)
    for decision_id, leaf in leaves.items():
        if decision_id not in there:
            found.add("decision_withheld", decision_id, leaf=leaf.index)


def digest_of(row: Mapping[str, Any]) -> str:
    """What the leaf of this decision says."""
    return decision_digest(
        decision_id=row["decision_id"],
        at_ms=row["at"],
        who=row["who"],
        what=row["what"],
        subject=row["subject"],
        why=row["why"],
    )


def _check_order(contents: Contents, found: Conclusions) -> None:
    indexes: set[int] = set()
    latest: Leaf | None = None
    for leaf in sorted(contents.leaves, key=lambda leaf: leaf.index):
        if leaf.index in indexes:
            found.add("leaf_repeated", _name(leaf))
        indexes.add(leaf.index)
        if contents.is_live(leaf):
            if latest is not None and latest.at - leaf.at > TOLERANCE:
                found.add("log_time_backwards", _name(leaf), other=latest.index)
            if latest is None or leaf.at > latest.at:
                latest = leaf
        if later_than(leaf.at, contents.made_at):
            found.add("logged_after_export", _name(leaf))


def _check_erasure(contents: Contents, found: Conclusions) -> None:
    if contents.erased_at is None:
        return
    if not any(row["what"] == ERASED and row["subject"] == contents.referral_id for row in contents.decisions):
        found.add("erased_without_decision", contents.referral_id)
        return
    there = {paper.digest for paper in contents.messages}
    gone = [leaf for leaf in _leaves(contents, EntryKind.MESSAGE) if leaf.entry.digest not in there]
    found.add("content_erased", contents.referral_id, count=len(gone), at=format_moment(contents.erased_at))


def _may_be_erased(leaf: Leaf, contents: Contents) -> bool:
    """Whether its content was there to be erased when the case was."""
    return contents.erased_at is not None and not later_than(leaf.at, contents.erased_at)


def _unreadable(contents: Contents) -> set[str]:
    """Papers that are there but say nothing: told already."""
    return {paper.digest for paper in contents.unreadable}


def _leaves(contents: Contents, kind: EntryKind) -> list[Leaf]:
    return [leaf for leaf in contents.leaves if leaf.entry.kind is kind]


def _field(leaf: Leaf, name: str) -> str:
    return str(leaf.entry.fields.get(name, ""))


def _name(leaf: Leaf) -> str:
    return f"log #{leaf.index}"

"""关系核对 How the papers hang together: one referral, answers that name what they answer, numbers, times, and the rows
that tell of attempts, readings, rungs and decisions. Receipts have a file of their own."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from gateway.envelope.signing import FUTURE_TOLERANCE
from gateway.evidence.contents import Contents, Paper
from gateway.evidence.receipt import ReceiptVerdict
from gateway.evidence.rungs import RUNGS_OF_TYPE
from gateway.evidence.verifier.conclusions import Conclusions
from gateway.evidence.verifier.facts import Fact, Facts

TOLERANCE: timedelta = FUTURE_TOLERANCE
"""How far the clocks of honest machines may lie apart."""
_ID_END = re.compile(r"[A-Za-z0-9._-]")


def check_relations(contents: Contents, facts: Facts, found: Conclusions) -> None:
    """Every check of this file."""
    seen: set[tuple[str, str]] = set()
    for paper in contents.messages:
        key = (paper.envelope.source, paper.envelope.id)
        if key in seen:
            found.add("message_id_repeated", paper.name, id=paper.envelope.id)
        seen.add(key)
        _check_subject(paper, contents, found)
        _check_answer(paper, contents, facts, found)
        _check_times(paper, contents, found)
    _check_numbers(contents, found)
    _check_attempts(contents, facts, found)
    _check_readings(contents, facts, found)
    _check_needs(contents, found)
    for row in contents.rungs:
        _check_rung(row, facts, found)
    _check_decisions(contents, facts, found)


def _check_subject(paper: Paper, contents: Contents, found: Conclusions) -> None:
    """Ours carry the referral's id; of a court's message its body decides, of an agency's what it answers."""
    envelope, referral_id = paper.envelope, contents.referral_id
    if envelope.source == contents.gateway:
        ours = envelope.subject == envelope.conversation_id == referral_id
    else:
        body = envelope.data
        named = body.get("referral_id") if isinstance(body, dict) else None
        ours = envelope.in_reply_to is not None or named == referral_id
    if not ours:
        found.add("message_of_other_referral", paper.name)


def _check_answer(paper: Paper, contents: Contents, facts: Facts, found: Conclusions) -> None:
    """What answers must name id and digest of a message of this case that was sent to who answers.

    The gateway's own withdrawal names the handoff it takes back: an earlier message of its own to the same office.
    """
    envelope = paper.envelope
    if envelope.in_reply_to is None:
        return
    own = facts.find(envelope.source, envelope.in_reply_to) if envelope.source == contents.gateway else None
    answered = own or facts.find(envelope.recipient, envelope.in_reply_to)
    if answered is None:
        found.add("answered_message_missing", paper.name, id=envelope.in_reply_to)
    elif answered.digest != envelope.in_reply_to_digest:
        found.add("answered_digest_other", paper.name, id=envelope.in_reply_to)
    elif answered.recipient != (envelope.recipient if own else envelope.source):
        found.add("answered_by_other_party", paper.name, party=envelope.source, recipient=answered.recipient)
    elif _before(paper, answered, contents):
        found.add("answered_before_it_was_sent", paper.name, id=envelope.in_reply_to)


def _before(later: Paper, earlier: Fact, contents: Contents) -> bool:
    """Whether they stand in the wrong order; by their moments where the log did not grow as things happened."""
    leaf = contents.leaf_of.get(later.digest)
    if leaf is None or earlier.leaf is None:
        return False
    if contents.is_live(leaf) and contents.is_live(earlier.leaf):
        return leaf.index < earlier.leaf.index
    return earlier.paper is not None and later_than(earlier.at, contents.logged_at(later))


def _check_times(paper: Paper, contents: Contents, found: Conclusions) -> None:
    at, expires = contents.logged_at(paper), paper.envelope.expires_at
    if later_than(paper.envelope.time, at):
        found.add("time_after_logging", paper.name)
    if paper.envelope.source != contents.gateway and expires is not None and expires <= at:
        found.add("accepted_after_expiry", paper.name)


def _check_numbers(contents: Contents, found: Conclusions) -> None:
    """A number is given once a pair; the gateway gives its own in the order of the log."""
    streams: dict[tuple[str, str], list[Paper]] = {}
    for paper in contents.messages:
        if paper.envelope.seq is not None:
            streams.setdefault((paper.envelope.source, paper.envelope.recipient), []).append(paper)
    for (source, _), papers in streams.items():
        numbers: set[int | None] = set()
        for paper in papers:
            if paper.envelope.seq in numbers:
                found.add("seq_repeated", paper.name, seq=paper.envelope.seq)
            numbers.add(paper.envelope.seq)
        if source == contents.gateway:
            _check_order(papers, contents, found)


def _check_order(papers: list[Paper], contents: Contents, found: Conclusions) -> None:
    logged = [(leaf.index, paper) for paper in papers if (leaf := contents.leaf_of.get(paper.digest)) is not None]
    logged.sort(key=lambda item: item[0])
    for (_, before), (_, after) in pairwise(logged):
        if (after.envelope.seq or 0) < (before.envelope.seq or 0):
            found.add("seq_out_of_order", after.name, seq=after.envelope.seq)


def _check_attempts(contents: Contents, facts: Facts, found: Conclusions) -> None:
    numbers: dict[str, list[int]] = {}
    for row in contents.attempts:
        message_id = row["message_id"]
        if facts.find(contents.gateway, message_id) is None:
            found.add("attempt_of_unknown_message", message_id)
        numbers.setdefault(message_id, []).append(row["number"])
        if row.get("finished_at") is not None and row["finished_at"] < row["started_at"]:
            found.add("attempt_ends_before_it_begins", message_id, number=row["number"])
    for message_id, given in numbers.items():
        if sorted(given) != list(range(1, len(given) + 1)):
            found.add("attempt_missing", message_id)


def _check_readings(contents: Contents, facts: Facts, found: Conclusions) -> None:
    inbound = {fact.message_id for fact in facts.inbound}
    for row in contents.replies:
        if row["message_id"] not in inbound:
            found.add("reading_of_unknown_message", row["message_id"])
        need_id = row.get("need_id")
        if need_id is not None and row["applied"] and not _belongs(need_id, contents.referral_id):
            found.add("reading_of_other_referral", row["message_id"])


def _check_needs(contents: Contents, found: Conclusions) -> None:
    for row in contents.needs:
        if not _belongs(row["need_id"], contents.referral_id):
            found.add("need_of_other_referral", row["need_id"])


def _check_rung(row: Mapping[str, Any], facts: Facts, found: Conclusions) -> None:
    """A rung said by a message: of this case, to us, by the party the rung's message went to, of a type that can."""
    message = facts.find(facts.gateway, row["message_id"])
    evidence = facts.find(row["issuer"], row["evidence_id"])
    subject = f"{row['message_id']} {row['rung'].value}"
    if message is None:
        found.add("rung_of_unknown_message", subject)
    elif evidence is None:
        found.add("rung_without_evidence", subject, id=row["evidence_id"])
    elif evidence.source != message.recipient or not _answers(evidence, message):
        found.add("rung_by_other_message", subject, name=evidence.name)
    elif row["rung"] not in RUNGS_OF_TYPE.get(evidence.type, ()):
        found.add("rung_not_of_this_type", subject, type=evidence.type)
    elif not ReceiptVerdict(row["verdict"]).is_positive:
        found.add("rung_not_positive", subject)


def _answers(evidence: Fact, message: Fact) -> bool:
    """Whether it names the message; where its content is erased nobody can tell any more."""
    return evidence.paper is None or evidence.paper.envelope.in_reply_to == message.message_id


def _check_decisions(contents: Contents, facts: Facts, found: Conclusions) -> None:
    ids = {fact.message_id for fact in facts.all.values()}
    seen: set[str] = set()
    for row in contents.decisions:
        decision_id, subject = row["decision_id"], row["subject"]
        if decision_id in seen:
            found.add("decision_repeated", decision_id)
        seen.add(decision_id)
        if subject not in ids and not _belongs(subject, contents.referral_id):
            found.add("decision_of_other_referral", decision_id)


def _belongs(text: str, referral_id: str) -> bool:
    """Whether the referral's id stands in it as a whole word: a need's id, a finding's key, the id itself."""
    start = text.find(referral_id)
    while start >= 0:
        before, after = text[max(start - 1, 0) : start], text[start + len(referral_id) : start + len(referral_id) + 1]
        if not _ID_END.fullmatch(before) and not _ID_END.fullmatch(after):
            return True
        start = text.find(referral_id, start + 1)
    return False


def later_than(moment: datetime, limit: datetime) -> bool:
    """Whether it lies so far after `limit` that no honest clock explains it."""
    return moment - limit > TOLERANCE

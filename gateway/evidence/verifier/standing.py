"""办理进度结论 What is proven of each message and each handoff, and what is still open: the words a judge asks for.

A message is proven when its signature holds and its leaf stands in the checkpoint's tree; a rung when its evidence is.
An open rung is no fault: time may still run. What the gateway tells without anybody's signature is said to be so.
"""

from gateway.evidence.checkpoint import Checkpoint
from gateway.evidence.contents import Contents, Paper
from gateway.evidence.rungs import HandoffLadder, RungState, ladders
from gateway.evidence.verifier.conclusions import Conclusions
from gateway.evidence.words import word
from schemas.fields import format_moment


def conclude(contents: Contents, checkpoint: Checkpoint | None, found: Conclusions) -> None:
    """Adds what the checks leave standing."""
    proven = {
        paper.name
        for paper in (*contents.messages, *contents.receipts)
        if _is_proven(paper, contents, checkpoint, found)
    }
    for paper in contents.messages:
        if paper.name in proven:
            _message(paper, contents, found)
    for receipt in contents.receipts:
        if receipt.name in proven and receipt.said is not None:
            found.add(
                "receipt_proven",
                receipt.name,
                party=receipt.envelope.source,
                rung=word("rung", receipt.said.rung.value).zh,
                rung_en=receipt.said.rung.value,
                verdict=word("verdict", receipt.said.verdict.value).zh,
                verdict_en=receipt.said.verdict.value,
                at=format_moment(receipt.said.at),
            )
    for row in contents.decisions:
        if not found.about(row["decision_id"]):
            found.add("decision_proven", row["decision_id"], who=row["who"], what=row["what"])
    found_ladders = ladders(contents)
    for ladder in found_ladders:
        _ladder(ladder, proven, found)
    if not found_ladders and contents.erased_at is None:
        found.add("no_handoff", contents.referral_id)
    found.add("omission_not_excluded", contents.referral_id)
    if contents.attempts:
        found.add("attempts_told", contents.gateway, count=len(contents.attempts))
    told = len(contents.replies) + len(contents.needs)
    if told:
        found.add("readings_told", contents.gateway, count=told)


def _is_proven(paper: Paper, contents: Contents, checkpoint: Checkpoint | None, found: Conclusions) -> bool:
    leaf = contents.leaf_of.get(paper.digest)
    if leaf is None or checkpoint is None or leaf.index >= checkpoint.size:
        return False
    return not found.about(paper.name) and not found.about(f"log #{leaf.index}")


def _message(paper: Paper, contents: Contents, found: Conclusions) -> None:
    envelope = paper.envelope
    found.add(
        "message_proven",
        paper.name,
        source=envelope.source,
        recipient=envelope.recipient,
        type=word("type", envelope.type).zh,
        type_en=envelope.type,
        at=format_moment(contents.logged_at(paper)),
        leaf=contents.leaf_of[paper.digest].index,
    )


def _ladder(ladder: HandoffLadder, proven: set[str], found: Conclusions) -> None:
    office, handoff = ladder.handoff.envelope.recipient, ladder.handoff.envelope.id
    for state in ladder.states:
        values = {"office": office, "rung": word("rung", state.rung.value).zh, "rung_en": state.rung.value}
        subject = f"{handoff} {state.rung.value}"
        if state.reached is not None and state.reached.name in proven:
            _reached(state, subject, values, found)
        elif state.against and state.against[0].name in proven:
            found.add("rung_negative", subject, **values, at=format_moment(state.against[0].at))
        elif not ladder.implies(state.rung):
            found.add("rung_open", subject, **values)


def _reached(state: RungState, subject: str, values: dict[str, str], found: Conclusions) -> None:
    reached = state.reached
    if reached is None:
        return
    values |= {"at": format_moment(reached.at), "by": reached.by, "name": reached.name}
    if state.superseded:
        found.add("rung_superseded", subject, **values, before=format_moment(state.against[0].at))
    else:
        found.add("rung_reached", subject, **values)

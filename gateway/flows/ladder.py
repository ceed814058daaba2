"""证据阶梯 The six rungs of evidence of one message (WIRE §3): which were reached, by whose signature, which late.

Rules: what an agency signs is the evidence of its rung, whether a receipt or the message that says so; a limit of the
agreement that passes without it makes the gateway sign a negative receipt (`timeout`); positive evidence that comes
later stands beside it and supersedes it. A rung has at most one of each. A negative receipt decides nothing about the
need: what is overdue is a finding.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from gateway.domain.handoff import Outcome
from gateway.domain.reconciliation.clocks import DECISIONS, Waiting, running_clocks
from gateway.domain.reconciliation.values import Dossier, Rulebook
from gateway.domain.replies import ReplyCode
from gateway.evidence.receipt import Receipt, ReceiptVerdict, Rung, issue_timeout
from gateway.flows.context import Context
from gateway.store import handoffs, log, receipts
from gateway.store.clock import from_ms, to_ms

_OF_TYPE: Mapping[str, Rung] = {"handoff.delivered": Rung.DELIVERY, "handoff.retrieved": Rung.RETRIEVAL}
_OF_CLOCK: Mapping[Waiting, Rung] = {
    Waiting.RELAY: Rung.RELAY,
    Waiting.DELIVERY: Rung.DELIVERY,
    Waiting.DISPOSITION: Rung.DISPOSITION,
    Waiting.DECISION: Rung.OUTCOME,
    Waiting.PAYMENT: Rung.OUTCOME,
}
_SAY_NOTHING = frozenset({ReplyCode.UNREACHABLE, ReplyCode.STOPPED})
_ENDS = (DECISIONS - {ReplyCode.APPROVED}) | {ReplyCode.CLOSED}
"""An approval is a decision; the outcome is what was given, or that nothing is."""


def rungs_of(message_type: str, outcomes: Iterable[Outcome]) -> dict[Rung, str | None]:
    """Which rungs an agency's message is the evidence of, each with the common code that says so."""
    if message_type in _OF_TYPE:
        return {_OF_TYPE[message_type]: None}
    found: dict[Rung, str | None] = {}
    for outcome in outcomes:
        code = outcome.code
        if not isinstance(code, ReplyCode) or code in _SAY_NOTHING:
            continue
        found.setdefault(Rung.DISPOSITION, code.value)
        if code in _ENDS:
            found[Rung.OUTCOME] = code.value
    return found


def row_of_message(
    *, message_id: str, rung: Rung, code: str | None, issuer: str, at: datetime, evidence_id: str, now: datetime
) -> dict[str, Any]:
    """Evidence that is a message of the agency's own; message_id: what it answers."""
    return {
        "message_id": message_id,
        "rung": rung.value,
        "verdict": ReceiptVerdict.ACCEPTED.value,
        "positive": True,
        "reason_code": code,
        "issuer": issuer,
        "at": to_ms(at),
        "recorded_at": to_ms(now),
        "jws": "",
        "evidence_id": evidence_id,
    }


def row_of_receipt(receipt: Receipt, now: datetime) -> dict[str, Any]:
    """Evidence that is a receipt, ours or a partner's."""
    return {
        "message_id": receipt.message_id,
        "rung": receipt.rung.value,
        "verdict": receipt.verdict.value,
        "positive": receipt.verdict.is_positive,
        "reason_code": receipt.reason_code,
        "issuer": receipt.issuer,
        "at": to_ms(receipt.at),
        "recorded_at": to_ms(now),
        "jws": receipt.jws,
        "evidence_id": None,
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class Overdue:
    """A rung of a handoff whose limit has passed."""

    handoff_id: str
    rung: Rung
    limit_id: str


def overdue(dossier: Dossier, rulebook: Rulebook, as_of: datetime) -> list[Overdue]:
    """Rungs that no evidence reached in time; a limit that nobody can tell is never taken to have passed."""
    return [
        Overdue(handoff_id=need.handoff_id, rung=_OF_CLOCK[clock.waits_for], limit_id=clock.limit_id)
        for need in dossier.needs
        if need.handoff_id is not None
        for clock in running_clocks(need, dossier, rulebook, as_of)
        if clock.past and clock.waits_for in _OF_CLOCK
    ]


def put_timeouts(connection: Connection, context: Context, late: Sequence[Overdue], *, now: datetime) -> int:
    """Signs and keeps the negative receipt of each rung that has neither; how many were new."""
    issued = {row.handoff_id: row for row in handoffs.by_id(connection, {one.handoff_id for one in late})}
    on_file = receipts.of_messages(connection, [row.message_id for row in issued.values()])
    known = {(row["message_id"], row["rung"]) for row in on_file}
    fresh: dict[tuple[str, str], Receipt] = {}
    for one in late:
        sent = issued.get(one.handoff_id)
        if sent is None or (sent.message_id, one.rung.value) in known | fresh.keys():
            continue
        fresh[sent.message_id, one.rung.value] = timeout(
            connection,
            context,
            message_id=sent.message_id,
            digest=sent.digest,
            subject=sent.referral_id,
            reason_code=f"limit_{one.limit_id}",
            rung=one.rung,
            now=now,
        )
    receipts.put(connection, [row_of_receipt(receipt, now) for receipt in fresh.values()])
    return len(fresh)


def timeout(
    connection: Connection,
    context: Context,
    *,
    message_id: str,
    digest: str,
    subject: str | None,
    reason_code: str,
    rung: Rung,
    now: datetime,
) -> Receipt:
    """Our negative receipt, naming the message's leaf; it is not on file yet."""
    leaf = next((place for place in log.places(connection, [message_id]) if place.kind == "message"), None)
    return issue_timeout(
        message_id=message_id,
        message_digest=digest,
        subject=subject,
        reason_code=reason_code,
        key=context.key,
        now=now,
        rung=rung,
        place=None if leaf is None else context.place(log.open_tail(connection), leaf.index),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One piece of evidence on a rung. superseded_at: when positive evidence took a negative one's place."""

    rung: Rung
    verdict: ReceiptVerdict
    code: str | None
    issuer: str
    at: datetime
    superseded_at: datetime | None


def ladders(connection: Connection, message_ids: Sequence[str]) -> dict[str, list[Step]]:
    """The ladder of each message, lowest rung first."""
    found: dict[str, list[Step]] = {message_id: [] for message_id in message_ids}
    rows = receipts.of_messages(connection, message_ids)
    reached = {(row["message_id"], row["rung"]): from_ms(row["recorded_at"]) for row in rows if row["positive"]}
    for row in rows:
        later = None if row["positive"] else reached.get((row["message_id"], row["rung"]))
        found[row["message_id"]].append(
            Step(
                rung=Rung(row["rung"]),
                verdict=ReceiptVerdict(row["verdict"]),
                code=row["reason_code"],
                issuer=row["issuer"],
                at=from_ms(row["at"]),
                superseded_at=later,
            )
        )
    order = list(Rung)
    return {key: sorted(steps, key=lambda step: (order.index(step.rung), step.at)) for key, steps in found.items()}

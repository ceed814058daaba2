"""反馈接收 An agency's answer becomes outcomes per need (hop 10): prepared with what was sent, recorded in one commit.

1. prepare: the handoff the message answers is looked up (id and digest must both fit), the adapter interprets the body
   in the agency's own format into the common vocabulary; a body the adapter cannot read is refused;
2. record: each outcome is kept as a reply row for ever, applied to its need when it is newer and legal, and explained
   by a problem code when it is not.

A reply to nothing we sent is kept and becomes UNEXPECTED_REPLY; it changes no need. What another message said before
changes nothing either, and its sender is told (`repeats`). A denial without reasons (R09) is refused, and the refusal
itself is remembered until a proper decision comes.
"""

import hmac
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from gateway.domain.handoff import Outcome, SentHandoff, SentNeed
from gateway.domain.lifecycle import HANDOFF, HandoffState, NeedState
from gateway.domain.programmes import ProgrammeKind
from gateway.domain.replies import ReceiptCode, ReplyCode
from gateway.domain.routing import next_step
from gateway.envelope.message import new_id
from gateway.envelope.signing import VerifiedMessage
from gateway.errors import DeniedWithoutReason, FieldProblem, SchemaInvalid
from gateway.failpoints import failpoint
from gateway.flows.context import Context
from gateway.flows.ladder import row_of_message, rungs_of
from gateway.flows.message_kind import AGENCIES, MessageKind, Noted
from gateway.flows.needs import NeedInHand, apply
from gateway.flows.repeats import REPEATS, Fact, fact_of, told_before
from gateway.matching.identity import echo_key
from gateway.store import handoffs, mailbox, outbox, receipts, referrals, replies
from gateway.store.clock import to_ms
from gateway.store.handoffs import SentRow

DELIVERED, RETRIEVED = "handoff.delivered", "handoff.retrieved"
ANSWERS = frozenset({"handoff.disposition", "handoff.outcome", "status.changed"})
REPLY_TYPES = ANSWERS | {DELIVERED, RETRIEVED}


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """An agency's message, interpreted. sent is None when it answers nothing we sent."""

    context: Context
    message: VerifiedMessage
    sent: SentRow | None
    outcomes: tuple[Outcome, ...]
    denied_without_reason: bool
    now: datetime

    @property
    def subject(self) -> str | None:
        """The referral of the handoff it answers."""
        return self.sent.referral_id if self.sent else None


def look_up(messages: Sequence[VerifiedMessage], context: Context) -> dict[str, SentRow]:
    """The handoffs a group of messages answers, by the message id they name."""
    wanted = {message.envelope.in_reply_to for message in messages if message.envelope.in_reply_to}
    if not wanted:
        return {}
    with context.store.reading() as connection:
        return handoffs.sent(connection, wanted)


def prepare(message: VerifiedMessage, context: Context, sent: SentRow | None, *, now: datetime) -> Reply:
    """Everything that needs no database. Raises SchemaInvalid or MalformedXml for an unreadable body."""
    envelope = message.envelope
    if envelope.in_reply_to is None:
        problem = FieldProblem(pointer="/in_reply_to", code="required")
        raise SchemaInvalid("reply", problems=[problem], ids={"message_id": envelope.id})
    if not _answers(message, sent, context, now):
        return Reply(context=context, message=message, sent=None, outcomes=(), denied_without_reason=False, now=now)
    assert sent is not None  # noqa: S101 - `_answers` said so
    denied = False
    outcomes: tuple[Outcome, ...]
    if envelope.type in ANSWERS:
        try:
            outcomes = context.adapters[sent.agency].interpret(envelope.data, sent_handoff(sent))
        except DeniedWithoutReason as refusal:
            denied, outcomes = True, (_refused(refusal, envelope.time),)
    else:
        outcomes = (Outcome(code=ReceiptCode.RECEIVED, raw_code=envelope.type, at=envelope.time),)
    failpoint("receive.interpreted")
    return Reply(context=context, message=message, sent=sent, outcomes=outcomes, denied_without_reason=denied, now=now)


def _answers(message: VerifiedMessage, sent: SentRow | None, context: Context, now: datetime) -> bool:
    """Whether the message answers a handoff we sent to this very party, naming its digest (Law 4)."""
    if sent is None or sent.agency not in context.adapters:
        return False
    office = context.snapshot(now).offices.get(sent.office_id)
    return (
        office is not None
        and office.party_id == message.party_id
        and hmac.compare_digest(sent.digest, message.envelope.in_reply_to_digest or "")
    )


def sent_handoff(sent: SentRow) -> SentHandoff:
    """A handoff as an adapter judges answers to it."""
    return SentHandoff(
        handoff_id=sent.handoff_id,
        referral_id=sent.referral_id,
        agency=sent.agency,
        office_id=sent.office_id,
        needs=tuple(SentNeed(need_id=need_id, programme=programme) for need_id, programme in sent.needs),
    )


def _refused(refusal: DeniedWithoutReason, at: datetime) -> Outcome:
    need_id = refusal.ids.get("need_id")
    return Outcome(code=ReplyCode.DENIED, raw_code="DENIED", at=at, need_id=need_id)


def record(connection: Connection, items: Sequence[Reply]) -> list[Noted | Exception]:
    """One outcome each. A reply refused for R09 leaves its row and raises; all others are Noted."""
    sent = [item.sent for item in items if item.sent is not None]
    in_hand = _load_needs(connection, sent)
    states = {row.handoff_id: HandoffState(row.state) for row in handoffs.sent_now(connection, sent)}
    denied = [(i.sent.office_id, i.message.envelope.id) for i in items if i.sent and i.denied_without_reason]
    remembered = replies.refused_on_file(connection, denied)
    told = told_before(connection, {row.handoff_id for row in sent})
    rows: list[dict[str, Any]] = []
    outcomes: list[Noted | Exception] = []
    for item in items:
        mine: list[dict[str, Any]] = []
        if item.sent is None:
            mine = [_unexpected(item)]
        elif (item.sent.office_id, item.message.envelope.id) not in remembered:
            mine = _apply_all(item, item.sent, in_hand, told)
            states[item.sent.handoff_id] = _handoff_state(item, item.sent, states[item.sent.handoff_id], in_hand)
        rows += mine
        ids = {"message_id": item.message.envelope.id}
        outcomes.append(DeniedWithoutReason(ids=ids) if item.denied_without_reason else _noted(mine))
    failpoint("receive.applied")
    _save(connection, items, rows, in_hand, states)
    return outcomes


def _noted(rows: Iterable[Mapping[str, Any]]) -> Noted:
    """Where in the agency's own format the repeated answer stands only its adapter knows: the body is named."""
    repeats = any(row["problem"] == REPEATS for row in rows)
    return Noted(warnings=(FieldProblem(pointer="/data", code=REPEATS),) if repeats else ())


def _load_needs(connection: Connection, sent: Iterable[SentRow]) -> dict[str, NeedInHand]:
    found = referrals.needs_of(connection, {row.referral_id for row in sent}, lock=True)
    return {row["need_id"]: NeedInHand(row=dict(row)) for rows in found.values() for row in rows}


def _apply_all(item: Reply, sent: SentRow, in_hand: Mapping[str, NeedInHand], told: set[Fact]) -> list[dict[str, Any]]:
    """The rows of one reply; what it newly says is added to `told`."""
    rows = []
    known = {need_id for need_id, _ in sent.needs}
    for outcome, need_id in _about_needs(item, sent):
        row = _row(item, outcome, need_id=need_id)
        fact = fact_of(row)
        problem: str | None
        if item.denied_without_reason:
            problem = "denied_without_reason"
        elif need_id not in known or need_id not in in_hand:
            problem = "unknown_need"
        elif fact in told:
            problem = REPEATS
        else:
            problem = _apply_one(item, sent, outcome, in_hand[need_id])
        if problem is None and fact is not None:
            told.add(fact)
        rows.append(row | {"applied": problem is None, "problem": problem})
    return rows


def _about_needs(item: Reply, sent: SentRow) -> Iterator[tuple[Outcome, str]]:
    """Each outcome with each need it speaks of, oldest first; one that names none speaks of all."""
    known = sorted(need_id for need_id, _ in sent.needs)
    for outcome in sorted(item.outcomes, key=lambda outcome: outcome.at):
        for need_id in [outcome.need_id] if outcome.need_id is not None else known:
            yield outcome, need_id


def rows_of(item: Reply) -> list[dict[str, Any]]:
    """What a reply says, as its rows say it; whether each was applied depends on what stood before it."""
    if item.sent is None:
        return [_unexpected(item)]
    return [_row(item, outcome, need_id=need_id) for outcome, need_id in _about_needs(item, item.sent)]


def _apply_one(item: Reply, sent: SentRow, outcome: Outcome, need: NeedInHand) -> str | None:
    programme = item.context.programmes[need.row["programme"]]
    following = next_step(programme, sent.step, frozenset(item.context.adapters))
    return apply(
        need,
        outcome,
        step=sent.step,
        has_next=following is not None,
        is_status=programme.kind is ProgrammeKind.STATUS,
        now=item.now,
        cause=item.message.envelope.id,
    )


def _handoff_state(item: Reply, sent: SentRow, here: HandoffState, in_hand: Mapping[str, NeedInHand]) -> HandoffState:
    """Received, answered or completed, by what its needs say now; never a move the table lacks."""
    mine = [in_hand[need_id] for need_id, _ in sent.needs if need_id in in_hand]
    settled = all(_is_settled(need, sent) for need in mine)
    answered = any(need.row["disposition_at"] is not None for need in mine)
    there = HandoffState.COMPLETED if settled else HandoffState.ANSWERED if answered else HandoffState.RECEIVED
    rejected = {ReceiptCode.REJECTED_FORMAT, ReceiptCode.REJECTED_SIGNATURE}
    if any(outcome.code in rejected for outcome in item.outcomes):
        there = HandoffState.REJECTED
    return there if HANDOFF.may(here, there) else here


def _closes(item: Reply) -> bool:
    """Whether the office closed the matter: nothing about it waits in its mailbox any more."""
    return any(outcome.code is ReplyCode.CLOSED for outcome in item.outcomes)


def _is_settled(need: NeedInHand, sent: SentRow) -> bool:
    handed_on = need.row["step"] > sent.step
    done = {NeedState.ASSISTED, NeedState.NOT_ASSISTED, NeedState.FOLLOWED_UP, NeedState.CLOSED, NeedState.CANCELLED}
    return handed_on or need.state in done


def _row(item: Reply, outcome: Outcome, *, need_id: str | None) -> dict[str, Any]:
    """What the outcome says; whether it was applied is added by who knows."""
    sent = item.sent
    return {
        "reply_id": new_id(item.now),
        "message_id": item.message.envelope.id,
        "office": sent.office_id if sent else item.message.party_id,
        "referral_id": sent.referral_id if sent else None,
        "handoff_id": sent.handoff_id if sent else None,
        "need_id": need_id,
        "code": outcome.code.value if outcome.code is not None else None,
        "raw_code": outcome.raw_code[:64],
        "at": to_ms(outcome.at),
        "recorded_at": to_ms(item.now),
        "reason": outcome.reason.value if outcome.reason else None,
        "has_text": bool(outcome.text),
        "programme": outcome.programme,
        "amount_fen": outcome.amount_fen,
        "starts_on": outcome.starts_on.isoformat() if outcome.starts_on else None,
        "ends_on": outcome.ends_on.isoformat() if outcome.ends_on else None,
        "payee": outcome.payee,
        "person_matches": _person_matches(item, outcome),
        "next_due": outcome.next_due.isoformat() if outcome.next_due else None,
        "forwarded_to": outcome.forwarded_to and outcome.forwarded_to[:100],
        "suggested_agency": outcome.suggested_agency and outcome.suggested_agency[:40],
        "suggested_region": outcome.suggested_region,
    }


def _person_matches(item: Reply, outcome: Outcome) -> bool | None:
    sent = item.sent
    if sent is None or sent.echo_key is None or not outcome.person_id_number:
        return None
    echoed = echo_key(sent.handoff_id, outcome.person_id_number, secret=item.context.matching_secret)
    return hmac.compare_digest(echoed, sent.echo_key)


def _evidence(item: Reply) -> Iterator[dict[str, Any]]:
    """The rungs this message is the evidence of, for the handoff it answers; a refused one is none."""
    if item.sent is None or item.denied_without_reason:
        return
    for rung, code in rungs_of(item.message.envelope.type, item.outcomes).items():
        yield row_of_message(
            message_id=item.sent.message_id,
            rung=rung,
            code=code,
            issuer=item.message.party_id,
            at=min(item.message.envelope.time, item.now),
            evidence_id=item.message.envelope.id,
            now=item.now,
        )


def _unexpected(item: Reply) -> dict[str, Any]:
    outcome = Outcome(code=None, raw_code=item.message.envelope.type, at=item.message.envelope.time)
    return _row(item, outcome, need_id=None) | {"applied": False, "problem": "unexpected"}


def _save(
    connection: Connection,
    items: Sequence[Reply],
    rows: Sequence[Mapping[str, Any]],
    in_hand: Mapping[str, NeedInHand],
    states: Mapping[str, HandoffState],
) -> None:
    replies.put(connection, rows)
    receipts.put(connection, [row for item in items for row in _evidence(item)])
    changed = [need for need in in_hand.values() if need.changed]
    referrals.save_needs(connection, [need.row for need in changed], [move for need in changed for move in need.moves])
    before = {item.sent.handoff_id: item.sent for item in items if item.sent is not None}
    handoffs.save_states(connection, {key: state for key, state in states.items() if before[key].state != state})
    answered = [item.sent.message_id for item in items if item.sent is not None]
    # what is refused answers nothing: the message stays in the mailbox, though we know by now that it arrived
    taken = [item.sent.message_id for item in items if item.sent is not None and not item.denied_without_reason]
    mailbox.mark_retrieved(connection, taken)
    outbox.mark_proven(connection, answered)
    closed = [item.sent.handoff_id for item in items if item.sent is not None and _closes(item)]
    mailbox.mark_all_retrieved(connection, closed)
    if items:
        referrals.touch(connection, {sent.referral_id for sent in before.values()}, now=items[0].now)


KINDS = tuple(
    MessageKind(type=type_, senders=AGENCIES, prepare=prepare, record=record, answers_handoff=True)
    for type_ in sorted(REPLY_TYPES)
)

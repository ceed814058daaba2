"""由报文而来的行 Rows that were made from signed messages are made again from the very bytes and compared.

Referrals and needs from the court's message, payments, handoffs from ours, answers through the agency's adapter; the
moves of a need lead from its beginning to its present state without a gap. So a row that somebody deleted or changed
shows although nobody signed the row itself. What an erased case held cannot be read again: its rows are only counted.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

from sqlalchemy import Connection

from gateway.domain.lifecycle import NeedState
from gateway.domain.rerouting import is_sent_on
from gateway.domain.routing import programme_of
from gateway.envelope.signing import VerifiedMessage, verify
from gateway.errors import XianjieError
from gateway.flows import court, receive
from gateway.flows.audit.amended import amended_troubles
from gateway.flows.audit.asked import asked_troubles
from gateway.flows.audit.compared import Proven, compared_troubles, matches_troubles
from gateway.flows.audit.reserved import reservation_troubles
from gateway.flows.audit.told import on_nothing, told_troubles
from gateway.flows.audit.trouble import Trouble, What
from gateway.flows.context import Context
from gateway.flows.issue import ISSUED_TYPE
from gateway.flows.read_referral import read_referral
from gateway.flows.receive import REPLY_TYPES
from gateway.store import audit_rows, handoffs
from gateway.store import tables as t
from gateway.store.clock import from_ms

REFERRAL, PAID = "referral.submitted", "judicial_assistance.paid"
_BEGINNINGS = frozenset({NeedState.ACCEPTED.value, NeedState.HELD.value})
_TOLD = (
    "need_id", "code", "raw_code", "at", "reason", "has_text", "programme", "amount_fen", "starts_on", "ends_on",
    "payee", "next_due", "forwarded_to", "suggested_agency", "suggested_region",
)  # fmt: skip
"""Columns of an answer that say what it told."""

Message = tuple[Mapping[str, Any], VerifiedMessage | None]
"""An inbox row and its message, proven again; None where it cannot be read."""


def derived_troubles(connection: Connection, context: Context, *, now: datetime) -> Iterator[Trouble]:
    """Every accepted message with what stands on it, then what stands on nothing."""
    for page in audit_rows.pages(connection, t.inbox):
        messages = list(_prove(connection, context, page, now))
        yield from _referrals(connection, context, [one for one in messages if one[0]["type"] == REFERRAL], now)
        yield from _payments(connection, context, [one for one in messages if one[0]["type"] == PAID], now)
        yield from _replies(connection, context, [one for one in messages if one[0]["type"] in REPLY_TYPES], now)
        yield from told_troubles(connection, context, messages)
    yield from _handoffs(connection)
    yield from _moves(connection)
    yield from _on_nothing(connection)
    yield from matches_troubles(connection)
    yield from on_nothing(connection)
    yield from reservation_troubles(connection, now=now)
    yield from asked_troubles(connection)


def _prove(
    connection: Connection, context: Context, page: Sequence[Mapping[str, Any]], now: datetime
) -> Iterator[Message]:
    stored = audit_rows.inbound(connection, [row["message_id"] for row in page])
    keyring = context.snapshot(now).keyring
    for row in page:
        text = stored[row["source"], row["message_id"]].text
        message = None
        if text is not None:
            try:
                received = from_ms(row["received_at"])
                message = verify(text.encode(), keyring, recipient=context.party_id, now=received, check_time=False)
            except XianjieError:
                message = None  # a digest that differs is named by `logged`, a signature that fails too
        yield row, message


def _referrals(
    connection: Connection, context: Context, messages: Sequence[Message], now: datetime
) -> Iterator[Trouble]:
    subjects = [row["subject"] for row, _ in messages]
    referrals = audit_rows.by(connection, t.referrals.c.referral_id, subjects)
    needs = audit_rows.by(connection, t.needs.c.referral_id, subjects)
    proven: list[Proven] = []
    for row, message in messages:
        referral_id = row["subject"]
        stored = next(iter(referrals.get(referral_id, ())), None)
        if stored is None:
            yield Trouble(table="referrals", ref=referral_id, what=What.MISSING, referral_id=referral_id)
            continue
        asked = dict.fromkeys((f"{referral_id}:{n}" for n in range(1, stored["needs_accepted"] + 1)), "")
        if message is not None:
            referral = read_referral(message.envelope.data, court=message.party_id)
            column = next((name for name, said in _particulars(referral, row).items() if stored[name] != said), None)
            if column is not None:
                yield Trouble(
                    table="referrals", ref=referral_id, what=What.ALTERED, referral_id=referral_id, column=column
                )
            programmes = [programme_of(need, context.programmes) for need in referral.needs]
            asked = {f"{referral_id}:{n}": p.code if p else "" for n, p in enumerate(programmes, start=1)}
            proven.append((stored, referral))
        yield from _needs(referral_id, asked, needs.get(referral_id, ()))
    yield from compared_troubles(connection, context, proven, now=now)
    yield from amended_troubles(connection, [row for rows in referrals.values() for row in rows])


def _particulars(referral: Any, row: Mapping[str, Any]) -> dict[str, Any]:
    """What the court signed, as the row must say it."""
    return {
        "court": referral.court,
        "message_id": row["message_id"],
        "document": referral.agreement_document,
        "case_number": referral.case_number,
        "original_case_group": referral.original_case_group,
        "decision": referral.decision.value,
        "decided_amount_fen": referral.decided_amount_fen,
        "advance_fen": referral.advance_fen,
        "joint_id": referral.joint_id,
        "ground_code": referral.ground_code,
        "refusal_code": referral.refusal_code,
        "inquiry_ref": referral.inquiry_ref,
        "inquiry_waived": referral.inquiry_waived_reason is not None,
        "urgency": referral.urgency.value,
        "is_minor": referral.is_minor,
        "concluded_on": referral.concluded_on.isoformat(),
        "accepted_at": row["received_at"],
        "needs_accepted": len(referral.needs),
    }


def _needs(referral_id: str, asked: Mapping[str, str], stored: Sequence[Mapping[str, Any]]) -> Iterator[Trouble]:
    there = {row["need_id"]: row for row in stored}
    for need_id, programme in asked.items():
        if need_id not in there:
            yield Trouble(table="needs", ref=need_id, what=What.MISSING, referral_id=referral_id)
        elif programme and there[need_id]["programme"] != programme:
            yield Trouble(table="needs", ref=need_id, what=What.ALTERED, referral_id=referral_id, column="programme")
    for need_id in there.keys() - asked.keys():
        if is_sent_on(need_id, referral_id):
            continue  # it rests on an answer or a decision, not on the court's message: `audit.late`
        yield Trouble(table="needs", ref=need_id, what=What.UNLOGGED, referral_id=referral_id)


def _payments(
    connection: Connection, context: Context, messages: Sequence[Message], now: datetime
) -> Iterator[Trouble]:
    stored = audit_rows.by(connection, t.court_payments.c.referral_id, [row["subject"] for row, _ in messages])
    for row, message in messages:
        if message is None:
            continue
        said = court.prepare_payment(message, context, now=now)
        mine = [one for one in stored.get(row["subject"], ()) if one["payment_id"] == said.payment_id]
        if not mine:
            yield Trouble(table="court_payments", ref=said.payment_id, what=What.MISSING, referral_id=row["subject"])
        elif (mine[0]["amount_fen"], mine[0]["paid_on"], mine[0]["payee"], mine[0]["court"]) != (
            said.amount_fen,
            said.paid_on.isoformat(),
            said.payee,
            message.party_id,
        ):
            yield Trouble(table="court_payments", ref=said.payment_id, what=What.ALTERED, referral_id=row["subject"])


def _replies(connection: Connection, context: Context, messages: Sequence[Message], now: datetime) -> Iterator[Trouble]:
    stored = audit_rows.by(connection, t.replies.c.message_id, [row["message_id"] for row, _ in messages])
    named = {m.envelope.in_reply_to for _, m in messages if m is not None and m.envelope.in_reply_to}
    sent = handoffs.sent(connection, named)
    for row, message in messages:
        there = stored.get(row["message_id"], ())
        if message is None:
            continue
        try:
            reply = receive.prepare(message, context, sent.get(message.envelope.in_reply_to or ""), now=now)
        except XianjieError:
            continue  # an adapter that reads otherwise than it did: its own tests are the place for that
        answered = {reply.sent.handoff_id if reply.sent else None}
        if there and {one["handoff_id"] for one in there} != answered:
            continue  # what it answers is not there, or its office is another party's by now: told elsewhere
        expected = Counter(_told(said) for said in receive.rows_of(reply))
        unlike = [one for one in there if not _take(expected, _told(one))]
        yield from (_reply_trouble(one["reply_id"], What.ALTERED, row["subject"]) for one in unlike)
        if expected.total() > len(unlike):
            yield _reply_trouble(row["message_id"], What.MISSING, row["subject"])


def _take(expected: Counter[tuple[Any, ...]], said: tuple[Any, ...]) -> bool:
    """Whether one like this is expected; then it is no more."""
    if expected[said] == 0:
        return False
    expected[said] -= 1
    return True


def _told(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in _TOLD)


def _reply_trouble(ref: str, what: What, referral_id: str | None) -> Trouble:
    return Trouble(table="replies", ref=ref, what=what, referral_id=referral_id)


def _handoffs(connection: Connection) -> Iterator[Trouble]:
    """Every issued handoff's message has its row, and every row its message."""
    o = t.outbox.c
    for page in audit_rows.pages(connection, t.outbox, o.message_id, o.type, o.handoff_id, o.referral_id):
        issued = [row for row in page if row["type"] == ISSUED_TYPE]
        stored = audit_rows.by(connection, t.handoffs.c.message_id, [row["message_id"] for row in issued])
        for row in issued:
            if row["message_id"] not in stored:
                yield Trouble(
                    table="handoffs", ref=row["handoff_id"], what=What.MISSING, referral_id=row["referral_id"]
                )
    h = t.handoffs.c
    for page in audit_rows.pages(connection, t.handoffs, h.handoff_id, h.message_id, h.referral_id):
        sent = audit_rows.by(connection, t.outbox.c.message_id, [row["message_id"] for row in page])
        for row in page:
            mine = sent.get(row["message_id"])
            if mine is None or mine[0]["handoff_id"] != row["handoff_id"]:
                yield Trouble(
                    table="handoffs", ref=row["handoff_id"], what=What.UNLOGGED, referral_id=row["referral_id"]
                )


def _moves(connection: Connection) -> Iterator[Trouble]:
    """A need's moves lead from accepted or held to its present state, each beginning where the one before ended."""
    n = t.needs.c
    for page in audit_rows.pages(connection, t.needs, n.need_id, n.referral_id, n.state):
        moves = audit_rows.by(connection, t.need_moves.c.need_id, [row["need_id"] for row in page])
        for row in page:
            states = [(move["from_state"], move["to_state"]) for move in moves.get(row["need_id"], ())]
            if not _leads(states, row["state"]):
                whole = bool(states) and states[0][0] in _BEGINNINGS and _connected(states)
                table, what, column = ("needs", What.ALTERED, "state") if whole else ("need_moves", What.MISSING, None)
                yield Trouble(table=table, ref=row["need_id"], what=what, referral_id=row["referral_id"], column=column)


def _leads(states: Sequence[tuple[str, str]], here: str) -> bool:
    if not states:
        return here in _BEGINNINGS
    return states[0][0] in _BEGINNINGS and _connected(states) and states[-1][1] == here


def _connected(states: Sequence[tuple[str, str]]) -> bool:
    return all(before[1] == after[0] for before, after in pairwise(states))


def _on_nothing(connection: Connection) -> Iterator[Trouble]:
    """Referrals, payments and answers whose message is not there."""
    r, p, a = t.referrals.c, t.court_payments.c, t.replies.c
    for page in audit_rows.pages(connection, t.referrals, r.referral_id, r.message_id):
        there = audit_rows.by(connection, t.inbox.c.message_id, [row["message_id"] for row in page])
        for row in page:
            if row["message_id"] not in there:
                yield Trouble(
                    table="referrals", ref=row["referral_id"], what=What.UNLOGGED, referral_id=row["referral_id"]
                )
    for page in audit_rows.pages(connection, t.replies, a.reply_id, a.message_id, a.problem, a.referral_id):
        there = audit_rows.by(connection, t.inbox.c.message_id, [row["message_id"] for row in page])
        for row in page:
            # a denial without reasons is refused, and remembered without its message (R09)
            if row["message_id"] not in there and row["problem"] != "denied_without_reason":
                yield _reply_trouble(row["reply_id"], What.UNLOGGED, row["referral_id"])
    for page in audit_rows.pages(connection, t.court_payments, p.payment_id, p.referral_id, p.court):
        paid = audit_rows.by(connection, t.inbox.c.subject, [row["referral_id"] for row in page])
        for row in page:
            if all(one["type"] != PAID for one in paid.get(row["referral_id"], ())):
                yield Trouble(
                    table="court_payments",
                    ref=row["payment_id"],
                    what=What.UNLOGGED,
                    referral_id=row["referral_id"],
                )

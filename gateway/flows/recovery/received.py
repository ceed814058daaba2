"""再收 A partner's message that we had accepted is taken in again, as of then, with the very receipt it had been given.

The flow of its type reads and records it as it did the first time; only the receipt is not issued anew, and notices to
offices wait until it is known which of them had left. What our receipt promised to hold for a person is held. A
commitment is kept and not compared: the rows it speaks of are just coming back.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from gateway.domain.lifecycle import NeedState
from gateway.envelope.message import digest
from gateway.envelope.signing import VerifiedMessage
from gateway.errors import UnknownMessageType
from gateway.evidence.entry import message_entry, receipt_entry
from gateway.evidence.receipt import ReceiptVerdict, Rung, issue
from gateway.flows import receive
from gateway.flows.amend import Amendment
from gateway.flows.completeness import COMMITMENT_TYPE
from gateway.flows.context import Context
from gateway.flows.court import Withdrawal
from gateway.flows.intake import Submission
from gateway.flows.kinds import BY_TYPE
from gateway.flows.message_kind import Item, Noted
from gateway.flows.needs import NeedInHand
from gateway.flows.receive import Reply
from gateway.flows.recovery.proving import Prover, Theirs
from gateway.store import handoffs, inbox, log, referrals, restored
from gateway.store.inbox import Inbound
from gateway.store.outbox import Outbound

OTHER_BYTES, OTHER_RECEIPT, NO_HANDOFF = "same_id_different_bytes", "receipted_otherwise", "handoff_missing"


class Received:
    """Partners' messages, one after the other, inside one transaction."""

    def __init__(
        self, connection: Connection, context: Context, prover: Prover, notices: list[Outbound], now: datetime
    ) -> None:
        self._connection, self._context, self._prover = connection, context, prover
        self._notices, self._now = notices, now

    def put(self, raw: bytes, receipt: bytes, *, final: bool) -> str | None:
        """None when it is in its place; else why not. final: an answer to nothing we have is kept as such. Raises what
        refuses it."""
        proven = self._prover.theirs(raw, receipt)
        message = proven.message
        key = (message.party_id, message.envelope.id)
        before = inbox.earlier(self._connection, [key]).get(key)
        if before is not None:
            if before.digest != message.digest:
                return OTHER_BYTES
            return None if before.receipt == proven.receipt.jws else OTHER_RECEIPT
        receipt_ = (proven.receipt.jws, proven.accepted_at)
        if message.envelope.type == COMMITMENT_TYPE:
            self._keep(message, None, *receipt_)
            return None
        prepared = self._prepare(message, proven.accepted_at, final=final)
        if prepared is None:
            return NO_HANDOFF
        noted = self._record(prepared)
        if isinstance(prepared, Submission):
            self._hold(prepared, noted, proven)
        self._keep(message, prepared.subject, *receipt_)
        return None

    def about(self, message: VerifiedMessage) -> str | None:
        """The referral a partner's message is about, as far as the rows tell; None where they do not."""
        body, answered = message.envelope.data, message.envelope.in_reply_to
        if answered is not None:
            sent = handoffs.sent(self._connection, [answered]).get(answered)
            return None if sent is None else sent.referral_id
        found = body.get("referral_id") if isinstance(body, dict) else None
        return found if isinstance(found, str) else None

    def accept(self, message: VerifiedMessage, *, at: datetime) -> str | None:
        """A message whose receipt never arrived, though what followed from it shows that it had been accepted by `at`.
        It is taken in as of then, and its sender's retry gets the receipt issued now. Returns and raises as `put`."""
        key = (message.party_id, message.envelope.id)
        if key in inbox.earlier(self._connection, [key]):
            return OTHER_RECEIPT
        prepared = self._prepare(message, at, final=False)
        if prepared is None:
            return NO_HANDOFF
        noted = self._record(prepared)
        tail = log.open_tail(self._connection)
        receipt = issue(
            message,
            key=self._context.key,
            now=self._now,
            rung=Rung.SUBMISSION,
            warnings=noted.warnings,
            holds=noted.holds,
            place=self._context.place(tail, tail.size_before),
            answer=noted.answer,
        )
        self._keep(message, prepared.subject, receipt, at)
        return None

    def _prepare(self, message: VerifiedMessage, at: datetime, *, final: bool) -> Item | None:
        party, kind = self._context.snapshot(self._now).parties[message.party_id], BY_TYPE.get(message.envelope.type)
        if kind is None or party.kind not in kind.senders:
            raise UnknownMessageType(ids={"message_id": message.envelope.id, "type": message.envelope.type})
        if kind.answers_handoff:
            return self._reply(message, at, final=final)
        found: Any = kind.prepare(message, self._context, now=at)
        prepared: Item = replace(found, queue=self._note) if isinstance(found, Withdrawal | Amendment) else found
        return prepared

    def _reply(self, message: VerifiedMessage, at: datetime, *, final: bool) -> Reply | None:
        answered = message.envelope.in_reply_to or ""
        sent = handoffs.sent(self._connection, [answered]).get(answered)
        if sent is None and not final:
            return None
        return receive.prepare(message, self._context, sent, now=at)

    def _note(self, _connection: Connection, _source: str, messages: list[Outbound], *, now: datetime) -> None:  # noqa: ARG002 - as `outbox.put`
        self._notices.extend(messages)

    def _record(self, prepared: Item) -> Noted:
        """By the flow of its type. Raises what refuses it."""
        found = BY_TYPE[prepared.message.envelope.type].record(self._connection, [prepared])[0]
        if isinstance(found, Exception):
            raise found
        return found

    def _hold(self, prepared: Submission, noted: Noted, proven: Theirs) -> None:
        """The court was told that a person looks first; whatever made us say so may not be back yet."""
        promised = set(proven.receipt.holds) - set(noted.holds)
        if not promised:
            return
        rules = promised | set(noted.holds)
        referral_id = prepared.referral.referral_id
        rows = referrals.needs_of(self._connection, [referral_id], lock=True).get(referral_id, [])
        needs = [NeedInHand(row=dict(row)) for row in rows if row["state"] == NeedState.ACCEPTED]
        for need in needs:
            need.move(NeedState.HELD, at=prepared.now, now=self._now, cause=proven.message.envelope.id)
            need.set(held_for=" ".join(sorted(rules)), dispatch_at=None)
        referrals.save_needs(self._connection, [need.row for need in needs], [m for need in needs for m in need.moves])
        restored.hold(self._connection, referral_id, rules)

    def _keep(self, message: VerifiedMessage, subject: str | None, receipt: str, received_at: datetime) -> None:
        """The row with its receipt, each with a leaf of the new epoch: the message's first."""
        log.append(
            self._connection,
            [
                message_entry(
                    message_id=message.envelope.id,
                    source=message.party_id,
                    recipient=self._context.party_id,
                    message_type=message.envelope.type,
                    digest=message.digest,
                    about=subject,
                    at=self._now,
                ),
                receipt_entry(
                    message_id=message.envelope.id,
                    rung=Rung.SUBMISSION.value,
                    verdict=ReceiptVerdict.ACCEPTED.value,
                    issuer=self._context.party_id,
                    digest=digest(receipt),
                    at=self._now,
                ),
            ],
        )
        inbound = Inbound(
            source=message.party_id,
            message_id=message.envelope.id,
            type=message.envelope.type,
            digest=message.digest,
            subject=subject,
            seq=message.envelope.seq,
            received_at=received_at,
            kid=message.kid,
            jws=message.jws,
            receipt=receipt,
        )
        inbox.put(self._connection, [inbound])

"""再列 A message of ours that a partner holds is listed again as sent: nothing is ever issued twice for its need.

1. one the database has: the recipient's receipt shows that it arrived, and it goes no more;
2. a handoff it does not have: outbox, handoff and needs stand again as dispatch and delivery had left them, under the
   same number and the same effect key; an office that gave no receipt gets the same bytes again (Law 3);
3. a notice of withdrawal or of an amendment: the same, for the handoff it speaks of;
4. anything else of ours keeps its number, so that the number is never given again.

Which needs a handoff is for, its adapter reads from the body it once wrote; the step follows from where they stand.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from gateway.domain.agreement import Channel, Office
from gateway.domain.lifecycle import HANDOFF, HandoffState, MessageState, NeedState
from gateway.domain.referral import Referral
from gateway.domain.routing import OfficeIndex, Routed, next_step, place_for, route_step
from gateway.envelope.signing import VerifiedMessage
from gateway.errors import XianjieError
from gateway.evidence.receipt import Receipt
from gateway.flows.context import Context
from gateway.flows.court import WITHDRAWN_TYPE
from gateway.flows.issue import AMENDED_TYPE, ISSUED_TYPE, amended_effect, effect_of
from gateway.flows.ladder import row_of_receipt
from gateway.flows.needs import NeedInHand
from gateway.flows.notice import EFFECT, effect_key
from gateway.flows.recall import recall
from gateway.flows.recovery.proving import Ours, Prover
from gateway.flows.recovery.sent_on import open_sent_on
from gateway.matching.identity import echo_key
from gateway.store import amendments, handoffs, receipts, referrals, restored
from gateway.store.clock import to_ms
from gateway.store.handoffs import SentRow
from gateway.store.referrals import Waiting

OTHER_BYTES, NO_REFERRAL, NO_NEED = "same_id_different_bytes", "referral_missing", "need_missing"
NO_ADAPTER, NO_OFFICE, NO_HANDOFF = "adapter_unknown", "office_unknown", "handoff_missing"
NO_WITHDRAWAL, NO_AMENDMENT, TAKEN = "withdrawal_missing", "amendment_missing", "issued_otherwise"
RECOVERED = "recovered"
_BEFORE = frozenset({NeedState.ACCEPTED, NeedState.HELD, NeedState.ROUTED})


@dataclass(frozen=True, kw_only=True, slots=True)
class _Handoff:
    """A handoff as its message tells of it, and where it belongs."""

    handoff_id: str
    referral: Referral | None
    office: Office
    step: int
    because: str
    needs: tuple[NeedInHand, ...]

    @property
    def effect_key(self) -> str:
        return effect_of(self.needs[0].row["need_id"], len(self.needs), self.office.office_id, self.step)


class Issued:
    """Our own messages, one after the other, inside one transaction."""

    def __init__(self, connection: Connection, context: Context, prover: Prover, now: datetime) -> None:
        self._connection, self._context, self._prover, self._now = connection, context, prover, now
        self._snapshot = context.snapshot(now)

    def put(self, raw: bytes, receipt: bytes | None) -> tuple[str | None, bool]:
        """(None when it is in its place, else why not; whether the database did not have it)."""
        proven = self._prover.ours(raw, receipt)
        message = proven.message
        before = restored.sent(self._connection, [message.envelope.id]).get(message.envelope.id)
        if before is not None:
            if before.digest != message.digest:
                return OTHER_BYTES, False
            self._prove(before, proven.receipt)
            return None, False
        if message.envelope.type == ISSUED_TYPE:
            return self._put_handoff(proven), True
        if message.envelope.type == WITHDRAWN_TYPE:
            return self._put_notice(proven), True
        if message.envelope.type == AMENDED_TYPE:
            return self._put_amended(proven), True
        return self._put_other(proven), True

    # --- what the database has ---

    def _prove(self, before: restored.Sent, receipt: Receipt | None) -> None:
        if receipt is None:
            return
        receipts.put(self._connection, [row_of_receipt(receipt, self._now)])
        if not receipt.verdict.is_positive:
            return
        there = MessageState.RETRIEVED if before.state is MessageState.AVAILABLE else MessageState.RELAYED
        restored.bring_to(self._connection, before, there)
        if before.handoff_id is not None:
            self._relay(before, receipt)

    def _relay(self, before: restored.Sent, receipt: Receipt) -> None:
        """The handoff and its needs follow the message they were issued with."""
        for row in handoffs.by_id(self._connection, [before.handoff_id or ""]):
            if row.message_id != before.message_id:
                continue
            if HANDOFF.may(HandoffState(row.state), HandoffState.RELAYED):
                handoffs.save_states(self._connection, {row.handoff_id: HandoffState.RELAYED})
            rows = referrals.needs_of(self._connection, [row.referral_id], lock=True).get(row.referral_id, [])
            needs = [NeedInHand(row=dict(one)) for one in rows if one["handoff_id"] == row.handoff_id]
            self._hand_off(needs, receipt)
            self._save(needs)

    def _hand_off(self, needs: Sequence[NeedInHand], receipt: Receipt) -> None:
        at = min(receipt.at, self._now)
        for need in needs:
            if need.state is NeedState.ROUTED:
                need.move(NeedState.HANDED_OFF, at=at, now=self._now, cause=need.row["handoff_id"])
            need.set(relayed_at=need.row["relayed_at"] or to_ms(at))

    def _save(self, needs: Sequence[NeedInHand]) -> None:
        changed = [need for need in needs if need.changed]
        moves = [move for need in changed for move in need.moves]
        referrals.save_needs(self._connection, [need.row for need in changed], moves)
        referrals.touch(self._connection, {need.row["referral_id"] for need in changed}, now=self._now)

    # --- a handoff ---

    def _put_handoff(self, proven: Ours) -> str | None:
        message = proven.message
        found = self._read(message)
        if isinstance(found, str):
            return found
        if self._is_otherwise(found, message, found.effect_key):
            return TAKEN
        issued_at = message.envelope.time
        taken = [need for need in found.needs if need.state in _BEFORE and need.row["handoff_id"] is None]
        for need in taken:
            self._hand_over(need, found, issued_at)
        state = self._state(proven, found.office)
        if proven.receipt is not None and proven.receipt.verdict.is_positive:
            self._hand_off(taken, proven.receipt)
        self._save(taken)
        priority = min(need.row["priority"] for need in found.needs)
        self._put_row(proven, state, found.effect_key, found.office.office_id, found.handoff_id, priority)
        handoffs.put(self._connection, [self._handoff_row(found, message, proven.receipt)])
        return None

    def _read(self, message: VerifiedMessage) -> _Handoff | str:
        envelope = message.envelope
        agency = str((envelope.mapping or {}).get("adapter"))
        adapter, referral_id = self._context.adapters.get(agency), envelope.subject or ""
        if adapter is None:
            return NO_ADAPTER
        kept = restored.referral(self._connection, referral_id)
        if kept is None:
            return NO_REFERRAL
        cells = adapter.sheet_rows(envelope.data)
        wanted = list(dict.fromkeys(row["need_id"] for row in cells))
        rows = referrals.needs_of(self._connection, [referral_id], lock=True).get(referral_id, [])
        by_id = {row["need_id"]: NeedInHand(row=dict(row)) for row in rows}
        desk = self._office(envelope.recipient, agency, None)
        if desk is not None and wanted:
            by_id = open_sent_on(self._connection, self._context, wanted, by_id, desk, at=envelope.time)
        if not wanted or any(need_id not in by_id for need_id in wanted):
            return NO_NEED
        needs = tuple(by_id[need_id] for need_id in wanted)
        referral = self._recall(kept)
        routed = self._route(needs[0], referral, kept)
        office = self._office(envelope.recipient, agency, routed)
        step = self._step(needs[0])
        if office is None or step is None:
            return NO_OFFICE
        fits = routed is not None and routed.office_id == office.office_id
        return _Handoff(
            handoff_id=cells[0]["handoff_id"],
            referral=referral,
            office=office,
            step=step,
            because=routed.because if fits and routed is not None else RECOVERED,
            needs=needs,
        )

    def _recall(self, kept: Waiting) -> Referral | None:
        found = recall(self._connection, [kept], self._context, now=self._now)[kept.referral_id]
        return None if isinstance(found, XianjieError) else found

    def _step(self, need: NeedInHand) -> int | None:
        """The step of the route the need stood at, as dispatch reckons it."""
        programme = self._context.programmes.get(need.row["programme"])
        if programme is None:
            return None
        reachable = frozenset(self._context.adapters)
        before = need.row["step"] - 1 if need.row["step"] > 0 else None
        return next_step(programme, before, reachable)

    def _route(self, need: NeedInHand, referral: Referral | None, kept: Waiting) -> Routed | None:
        programme = self._context.programmes.get(need.row["programme"])
        profile = self._snapshot.agreements.get(kept.agreement_row)
        if referral is None or programme is None or profile is None:
            return None
        place = place_for(
            referral.person,
            urgency=referral.urgency,
            place_of_event=referral.place_of_event,
            regions=self._context.regions,
        )
        found = route_step(
            programme,
            self._step(need),
            place=place,
            profile=profile,
            regions=self._context.regions,
            offices=OfficeIndex(self._snapshot.offices.values()),
            agencies_with_adapter=frozenset(self._context.adapters),
        )
        return found if isinstance(found, Routed) else None

    def _office(self, recipient: str, agency: str, routed: Routed | None) -> Office | None:
        """The office it went to: the recipient's, of the adapter's agency; of several the one the need is routed to."""
        mine = [office for office in self._snapshot.office_of(recipient) if office.agency == agency]
        if len(mine) == 1:
            return mine[0]
        return next((one for one in mine if routed is not None and one.office_id == routed.office_id), None)

    def _is_otherwise(self, found: _Handoff, message: VerifiedMessage, effect_key: str) -> bool:
        """Whether another handoff stands for one of its needs, or another message for its number."""
        elsewhere = any(
            need.row["handoff_id"] not in (None, found.handoff_id) and need.row["step"] == found.step
            for need in found.needs
        )
        envelope = message.envelope
        return elsewhere or restored.is_taken(
            self._connection, recipient=envelope.recipient, seq=envelope.seq or 0, effect_key=effect_key
        )

    def _hand_over(self, need: NeedInHand, found: _Handoff, issued_at: datetime) -> None:
        if need.state is NeedState.HELD:  # our own signature says that a person let it go
            need.move(NeedState.ACCEPTED, at=issued_at, now=self._now, cause=found.handoff_id)
        if need.state is not NeedState.ROUTED:
            need.move(NeedState.ROUTED, at=issued_at, now=self._now, cause=found.handoff_id)
        need.set(
            agency=found.office.agency,
            office_id=found.office.office_id,
            handoff_id=found.handoff_id,
            step=found.step,
            because=found.because,
            unroutable=None,
            held_for=None,
            issued_at=to_ms(issued_at),
            dispatch_at=None,
        )

    def _handoff_row(self, found: _Handoff, message: VerifiedMessage, receipt: Receipt | None) -> dict[str, Any]:
        number = found.referral.person.id_number if found.referral is not None else None
        secret = self._context.matching_secret
        state = HandoffState.ISSUED
        if receipt is not None:
            state = HandoffState.RELAYED if receipt.verdict.is_positive else HandoffState.REJECTED
        return {
            "handoff_id": found.handoff_id,
            "message_id": message.envelope.id,
            "referral_id": message.envelope.subject,
            "office_id": found.office.office_id,
            "agency": found.office.agency,
            "step": found.step,
            "state": state.value,
            "issued_at": to_ms(message.envelope.time),
            "need_ids": json.dumps([[need.row["need_id"], need.row["programme"]] for need in found.needs]),
            "echo_key": echo_key(found.handoff_id, number, secret=secret) if number else None,
        }

    # --- a notice of withdrawal or of an amendment, and anything else ---

    def _put_notice(self, proven: Ours) -> str | None:
        envelope = proven.message.envelope
        handoff_id = envelope.data.get("handoff_id") if isinstance(envelope.data, dict) else None
        found = handoffs.by_id(self._connection, [str(handoff_id)])
        if not found:
            return NO_HANDOFF
        if not referrals.is_withdrawn(self._connection, found[0].referral_id):
            return NO_WITHDRAWAL
        return self._put_about(proven, found[0], f"withdrawn:{found[0].handoff_id}")

    def _put_amended(self, proven: Ours) -> str | None:
        """Which version it tells of, the moment says: office and amendment were told in one commit."""
        envelope = proven.message.envelope
        sent = handoffs.sent(self._connection, [envelope.in_reply_to or ""]).get(envelope.in_reply_to or "")
        if sent is None:
            return NO_HANDOFF
        kept = amendments.all_of(self._connection, sent.referral_id)
        version = next((one.version for one in kept if one.accepted_at == envelope.time), None)
        if version is None:
            return NO_AMENDMENT
        return self._put_about(proven, sent, amended_effect(sent.handoff_id, version))

    def _put_about(self, proven: Ours, sent: SentRow, effect_key: str) -> str | None:
        """A message about a handoff that is there, in its place in the queue."""
        envelope, office = proven.message.envelope, self._snapshot.offices.get(sent.office_id)
        if office is None:
            return NO_OFFICE
        if restored.is_taken(
            self._connection, recipient=envelope.recipient, seq=envelope.seq or 0, effect_key=effect_key
        ):
            return TAKEN
        rows = referrals.needs_of(self._connection, [sent.referral_id]).get(sent.referral_id, [])
        priority = min((row["priority"] for row in rows), default=0)
        self._put_row(proven, self._state(proven, office), effect_key, sent.office_id, sent.handoff_id, priority)
        return None

    def _put_other(self, proven: Ours) -> str | None:
        envelope = proven.message.envelope
        body = envelope.data
        said = body.get(EFFECT) if isinstance(body, dict) else None
        key = effect_key(envelope.type, said) if isinstance(said, str) else f"{RECOVERED}:{envelope.id}"
        if restored.is_taken(self._connection, recipient=envelope.recipient, seq=envelope.seq or 0, effect_key=key):
            return TAKEN
        self._put_row(proven, MessageState.RELAYED, key, None, None, 0)
        return None

    def _state(self, proven: Ours, office: Office) -> MessageState:
        """By the receipt; without one its office gets the same bytes once more, and answers as it did."""
        receipt, pushed = proven.receipt, office.channel is Channel.PUSH
        if receipt is None:
            return MessageState.UNKNOWN if pushed else MessageState.AVAILABLE
        if not receipt.verdict.is_positive:
            return MessageState.REFUSED
        return MessageState.RELAYED if pushed else MessageState.RETRIEVED

    def _put_row(
        self,
        proven: Ours,
        state: MessageState,
        effect_key: str,
        office_id: str | None,
        handoff_id: str | None,
        priority: int,
    ) -> None:
        envelope = proven.message.envelope
        row = {
            "message_id": envelope.id,
            "effect_key": effect_key,
            "office_id": office_id,
            "recipient": envelope.recipient,
            "type": envelope.type,
            "referral_id": envelope.subject,
            "handoff_id": handoff_id,
            "seq": envelope.seq,
            "priority": priority,
            "jws": proven.message.jws,
            "digest": proven.message.digest,
            "state": state.value,
            "created_at": to_ms(envelope.time),
            "due_at": to_ms(self._now) if state is MessageState.UNKNOWN else None,
        }
        restored.put_outbound(self._connection, self._context.party_id, row, now=self._now)
        if proven.receipt is not None:
            receipts.put(self._connection, [row_of_receipt(proven.receipt, self._now)])

"""归位 What came back is put in its place, in the order in which the gateway itself had once done it.

1. order: by our own clock and our own numbers (receipts name the leaf, messages their `seq`); so a referral comes
   before its handoff, the handoff before its answers, and a withdrawal between the answers it stood between;
2. each item goes through the flow of its kind, as of the moment it was accepted, and keeps our first receipt's bytes;
3. where one lacks what it followed from, partners' messages without a receipt about that case are taken in:
   they had been accepted, and only their receipts never arrived;
4. what still lacks something waits for the next pass; at last answers to nothing we have are kept as such;
5. offices that had not been told of a withdrawal or an amendment are told now.

Every item stands or falls alone (a savepoint); what has no place is told with its reason, never dropped.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from gateway.errors import ReferralUnknown, RuleBlocked, XianjieError
from gateway.flows.context import Context
from gateway.flows.court import WITHDRAWN_TYPE
from gateway.flows.issue import AMENDED_TYPE, ISSUED_TYPE
from gateway.flows.recall import AMENDED
from gateway.flows.receive import REPLY_TYPES
from gateway.flows.recovery.issued import NO_AMENDMENT, NO_REFERRAL, NO_WITHDRAWAL, TAKEN, Issued
from gateway.flows.recovery.proving import Line, Ours, Prover, Theirs
from gateway.flows.recovery.received import Received
from gateway.flows.recovery.values import Placed, Unplaced
from gateway.store import given_back, outbox, restored
from gateway.store.given_back import GivenState, Waiting
from gateway.store.outbox import Outbound

logger = logging.getLogger(__name__)

PAGE = 100
_SAID_AGAIN = (ISSUED_TYPE, WITHDRAWN_TYPE, AMENDED_TYPE)
CONFLICT, INTERNAL, ANOTHER_CASE = "conflict", "internal", "another_case"
_SUBMITTED, _AMENDED = frozenset({"referral.submitted"}), frozenset({AMENDED})
_LACKING: Mapping[str, Collection[str]] = {
    ReferralUnknown.code: _SUBMITTED,
    NO_REFERRAL: _SUBMITTED,
    NO_WITHDRAWAL: frozenset({"referral.withdrawn"}),
    NO_AMENDMENT: _AMENDED,
    RuleBlocked.code: _AMENDED,
    TAKEN: REPLY_TYPES,
}
"""Why something has no place → messages it may have followed from. A handoff of a need that another one stands for may
be the next organ's, after an approval; an amendment that is refused may be of one that is not back."""


class _LeftError(Exception):
    """The item has no place yet; what was written for it is undone."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def place_all(connection: Connection, context: Context, *, now: datetime) -> Placed:
    """Everything that waits, in one transaction. Nothing may be in recovery any more: the epoch has begun."""
    return _Placing(connection, context, now).run()


class _Placing:
    def __init__(self, connection: Connection, context: Context, now: datetime) -> None:
        self._connection, self._context, self._now = connection, context, now
        self._notices: list[Outbound] = []
        self._prover = prover = Prover(context, now)
        self._received = Received(connection, context, prover, self._notices, now)
        self._issued = Issued(connection, context, prover, now)
        pending = [item.digest for item in given_back.waiting(connection, GivenState.PENDING)]
        texts = given_back.texts(connection, pending)
        self._pending = {digest: texts[digest][0].encode("ascii") for digest in pending}
        """By digest what partners hold no receipt for: what was on its way when the gateway stopped."""
        self._counts = {"received": 0, "accepted": 0, "issued": 0, "proven": 0}

    def run(self) -> Placed:
        left = self._passes(self._notices_first(given_back.waiting(self._connection)), final=False)
        left = self._passes([item for item, _ in left], final=True)
        given_back.forget(self._connection, GivenState.PENDING)
        for item in (item for item, _ in left if item.source == self._context.party_id):
            # it has no place yet, but its number was given
            restored.raise_counter(self._connection, item.source, item.recipient, item.seq or 0)
        notices = self._tell_offices()
        given_back.note_codes(self._connection, [(item.digest, code) for item, code in left])
        unplaced = tuple(
            Unplaced(digest=item.digest, party_id=item.party_id, message_id=item.message_id, type=item.type, code=code)
            for item, code in left
        )
        return Placed(**self._counts, notices=notices, unplaced=unplaced)

    def _notices_first(self, items: Iterable[Waiting]) -> list[Waiting]:
        """What is taken in again says again what was said because of it, unless that is there already; a notice needs
        nothing to be there."""
        own = self._context.party_id
        return sorted(in_order(items, own), key=lambda item: item.source != own or item.type in _SAID_AGAIN)

    def _passes(self, items: Sequence[Waiting], *, final: bool) -> list[tuple[Waiting, str]]:
        """Again and again until a pass moves nothing; what is left, with why."""
        while items:
            left = list(self._pass(items, final=final))
            if len(left) == len(items):
                return left
            items = [item for item, _ in left]
        return []

    def _pass(self, items: Sequence[Waiting], *, final: bool) -> Iterator[tuple[Waiting, str]]:
        for page in _pages(items):
            texts = given_back.texts(self._connection, [item.digest for item in page])
            placed = []
            for item in page:
                put = partial(self._put, item, *texts[item.digest], final=final)
                code = self._try(put)
                if code is not None and self._pending and self._accept_what_it_lacks(code, *texts[item.digest]):
                    code = self._try(put)
                if code is None:
                    placed.append(item.digest)
                else:
                    yield item, code
            given_back.mark_placed(self._connection, placed)

    def _try(self, work: Callable[[], None]) -> str | None:
        """None when it is in its place; else why not."""
        try:
            with self._connection.begin_nested():
                work()
        except _LeftError as left:
            return left.code
        except XianjieError as error:
            return error.code
        except IntegrityError:
            return CONFLICT
        except Exception as error:  # one that nobody thought of must not cost the others their place
            logger.error("not put back", extra={"error": type(error).__name__})
            return INTERNAL
        return None

    def _put(self, item: Waiting, jws: str, receipt: str | None, *, final: bool) -> None:
        raw, proof = jws.encode("ascii"), None if receipt is None else receipt.encode("ascii")
        if item.source == self._context.party_id:
            code, is_new = self._issued.put(raw, proof)
            kind = "issued" if is_new else "proven"
        else:
            code = self._received.put(raw, proof or b"", final=final)
            kind = "received"
        if code is not None:
            raise _LeftError(code)
        self._counts[kind] += 1

    def _accept_what_it_lacks(self, code: str, jws: str, receipt: str | None) -> bool:
        """Whether anything was accepted that it may have followed from."""
        types = _LACKING.get(code)
        if types is None:
            return False
        raw, proof = jws.encode("ascii"), None if receipt is None else receipt.encode("ascii")
        proven = self._prover.prove(Line(name="", claimed=None, message=raw, receipt=proof))
        if isinstance(proven, Theirs):
            return self._accept_pending(types, self._received.about(proven.message), proven.accepted_at)
        assert isinstance(proven, Ours)  # noqa: S101 - what waits is one or the other
        return self._accept_pending(types, proven.message.envelope.subject, proven.message.envelope.time)

    def _accept_pending(self, types: Collection[str], referral_id: str | None, at: datetime) -> bool:
        """What partners hold no receipt for, of some types, about one referral, as of the moment of what followed from
        it; whether anything was accepted. What is refused is left to its sender, who will be told why."""
        accepted = [
            digest
            for digest, raw in self._pending.items()
            if self._try(partial(self._accept, raw, types, referral_id, at)) is None
        ]
        for digest in accepted:
            del self._pending[digest]
        given_back.mark_placed(self._connection, accepted)
        self._counts["accepted"] += len(accepted)
        return bool(accepted)

    def _accept(self, raw: bytes, types: Collection[str], referral_id: str | None, at: datetime) -> None:
        message = self._prover.pending(raw)
        if message.envelope.type not in types or referral_id is None or self._received.about(message) != referral_id:
            raise _LeftError(ANOTHER_CASE)
        code = self._received.accept(message, at=at)
        if code is not None:
            raise _LeftError(code)

    def _tell_offices(self) -> int:
        """Those notices that nobody gave back had not arrived anywhere."""
        missing = [one for one in self._notices if not restored.has_effect(self._connection, one.effect_key)]
        outbox.put(self._connection, self._context.party_id, missing, now=self._now)
        return len(missing)


def in_order(items: Iterable[Waiting], own: str) -> list[Waiting]:
    """As our own log had them: by our clock, but never against our own numbers, which a clock that was set back
    cannot change."""
    found = list(items)
    moments = {item.digest: item.at for item in found}
    streams: dict[str, list[Waiting]] = {}
    for item in found:
        if item.source == own or item.leaf_index is not None:
            streams.setdefault(item.recipient, []).append(item)
    for stream in streams.values():
        last = 0
        for item in sorted(stream, key=lambda item: _number(item, own)):
            last = moments[item.digest] = max(last, moments[item.digest])
    # of one moment: what was received caused what was issued
    return sorted(found, key=lambda item: (moments[item.digest], item.source == own, _number(item, own)))


def _number(item: Waiting, own: str) -> tuple[int, int]:
    """Ours: of its pair; a partner's: its leaf, of the log that our receipt named."""
    return (0, item.seq or 0) if item.source == own else (item.epoch or 0, item.leaf_index or 0)


def _pages(items: Sequence[Waiting]) -> Iterator[Sequence[Waiting]]:
    for at in range(0, len(items), PAGE):
        yield items[at : at + PAGE]

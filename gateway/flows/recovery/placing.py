"""归位 What came back is put in its place, in the order in which the gateway itself had once done it.

1. order: by our own clock and our own numbers (receipts name the leaf, messages their `seq`); so a referral comes
   before its handoff, the handoff before its answers, and a withdrawal between the answers it stood between;
2. each item goes through the flow of its kind, as of the moment it was accepted, and keeps our first receipt's bytes;
3. what lacks something waits for the next pass; when a pass moves nothing, answers to nothing we have are kept as such;
4. offices that had not been told of a withdrawal are told now.

Every item stands or falls alone (a savepoint); what has no place is told with its reason, never dropped.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from gateway.errors import XianjieError
from gateway.flows.context import Context
from gateway.flows.recovery.issued import Issued
from gateway.flows.recovery.proving import Prover
from gateway.flows.recovery.received import Received
from gateway.flows.recovery.values import Placed, Unplaced
from gateway.store import given_back, outbox, restored
from gateway.store.given_back import Waiting
from gateway.store.outbox import Outbound

logger = logging.getLogger(__name__)

PAGE = 100
CONFLICT, INTERNAL = "conflict", "internal"


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
        prover = Prover(context, now)
        self._received = Received(connection, context, prover, self._notices, now)
        self._issued = Issued(connection, context, prover, now)
        self._counts = {"received": 0, "issued": 0, "proven": 0}

    def run(self) -> Placed:
        left = self._passes(in_order(given_back.waiting(self._connection), self._context.party_id), final=False)
        left = self._passes([item for item, _ in left], final=True)
        notices = self._tell_offices()
        given_back.note_codes(self._connection, [(item.digest, code) for item, code in left])
        unplaced = tuple(
            Unplaced(digest=item.digest, party_id=item.party_id, message_id=item.message_id, type=item.type, code=code)
            for item, code in left
        )
        return Placed(**self._counts, notices=notices, unplaced=unplaced)

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
                code = self._place(item, *texts[item.digest], final=final)
                if code is None:
                    placed.append(item.digest)
                else:
                    yield item, code
            given_back.mark_placed(self._connection, placed)

    def _place(self, item: Waiting, jws: str, receipt: str | None, *, final: bool) -> str | None:
        """None when it is in its place; else why not."""
        try:
            with self._connection.begin_nested():
                self._put(item, jws, receipt, final=final)
        except _LeftError as left:
            return left.code
        except XianjieError as error:
            return error.code
        except IntegrityError:
            return CONFLICT
        except Exception as error:  # one that nobody thought of must not cost the others their place
            logger.error("not put back", extra={"message_id": item.message_id, "error": type(error).__name__})
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

    def _tell_offices(self) -> int:
        """Those notices of withdrawals that nobody gave back had not arrived anywhere."""
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

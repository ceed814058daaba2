"""取回 Lines that partners give back are proven and kept; nothing is put in its place before the recovery ends.

1. each line is read, opened, proven (`proving`); who gives may give of its own pair only;
2. what the database has is passed over; what has no receipt of ours is left to its sender's ordinary retry, and kept
   meanwhile: something of ours may show that it had been accepted and only its receipt never arrived;
3. the rest is kept, and so is the name of every line that proved nothing: a person sees it, nothing is dropped;
4. a party that was not reached in time may give back later: it is put in its place when its statement closes the
   giving, as far as it still fits.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from sqlalchemy import Connection

from gateway.envelope.signing import VerifiedMessage
from gateway.errors import Forbidden, NotInRecovery, StaleMessage, TrustError, XianjieError
from gateway.evidence import entry
from gateway.evidence.entry import EntryKind
from gateway.flows.context import Context
from gateway.flows.recovery.placing import place_all
from gateway.flows.recovery.proving import Closing, Line, Ours, Prover, Theirs, Unanswered
from gateway.flows.recovery.values import Holding, LineOutcome, Took
from gateway.store import given_back, inbox, log, receipts, restored
from gateway.store.given_back import GivenBack, GivenState, Unproven
from gateway.store.log import FIRST_EPOCH

logger = logging.getLogger(__name__)

NOT_YOURS = "not_yours"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Read:
    """One line after it was looked at: what to keep, or what to answer at once."""

    outcome: LineOutcome
    item: GivenBack | None = None
    unproven: Unproven | None = None


def holding(context: Context, party_id: str, *, now: datetime) -> Holding:
    """What the database has of one pair; a giving back begins behind it. Raises NotInRecovery."""
    with context.store.reading() as connection:
        _require_loss(connection)
        # what came after the end of a recovery may have a number of what was lost
        before = _ended(connection) or now
        return Holding(
            since=restored.since(connection),
            to_gateway=_unbroken(restored.numbers_from(connection, party_id, before=before)),
            from_gateway=_unbroken(restored.numbers_to(connection, party_id, before=before)),
        )


def _ended(connection: Connection) -> datetime | None:
    """When the last recovery ended; None while one goes on, whose copy holds nothing newer than itself."""
    if restored.since(connection) is not None:
        return None
    leaves = [entry.read(place.entry.encode()) for place in log.of_kind(connection, EntryKind.RECOVERY.value)]
    return datetime.fromisoformat(str(leaves[-1].fields["at"])) if leaves else None


def _unbroken(numbers: Sequence[int]) -> int:
    """The highest number up to which none is missing."""
    last = 0
    for number in numbers:
        if number > last + 1:
            break
        last = number
    return last


def _require_loss(connection: Connection) -> bool:
    """Whether the recovery still goes on. Raises NotInRecovery where nothing was ever lost."""
    head = log.head(connection)
    if not head.recovering and head.epoch == FIRST_EPOCH:
        raise NotInRecovery
    return head.recovering


def take(context: Context, raws: Sequence[bytes], *, giver: str | None, now: datetime) -> list[LineOutcome]:
    """An outcome for each line, in order. giver: who is asking; None for a file that an operator brings. Raises
    NotInRecovery."""
    with context.store.reading() as connection:
        recovering = _require_loss(connection)
        # a statement of an earlier recovery says nothing about this one; afterwards it is only the end of a giving
        copied_at = restored.newest_leaf(connection) if recovering else None
    prover = Prover(context, now)
    read = [_read(raw, prover, giver, copied_at) for raw in raws]
    with context.store.reading() as connection:
        known = _known(connection, [one.item for one in read if one.item is not None])
    outcomes = context.store.write(lambda connection: _keep(connection, read, known, now))
    if not recovering and any(outcome.took is Took.CLOSED for outcome in outcomes):
        context.store.write(lambda connection: place_all(connection, context, now=now))
    counts = {took.value: sum(outcome.took is took for outcome in outcomes) for took in Took}
    logger.info("given back", extra={"count": counts["taken"], "refused": counts["refused"], "party_id": giver})
    return outcomes


def _read(raw: bytes, prover: Prover, giver: str | None, copied_at: datetime | None) -> _Read:
    line: Line | None = None
    try:
        line = prover.read(raw)
        return _as_item(prover.prove(line), giver, copied_at)
    except XianjieError as error:
        # why a signature proves nothing is for the operator; its giver is told as everybody is
        why = error.note if isinstance(error, TrustError) and error.note else error.code
        name, claimed = (sha256(raw).hexdigest(), None) if line is None else (line.name, line.claimed)
        return _Read(
            outcome=LineOutcome(took=Took.REFUSED, message_id=claimed, code=error.code),
            unproven=Unproven(digest=name, party_id=giver, message_id=claimed, code=why[:64]),
        )


def _as_item(proven: Theirs | Ours | Unanswered | Closing, giver: str | None, copied_at: datetime | None) -> _Read:
    if isinstance(proven, Unanswered):
        left = LineOutcome(took=Took.LEFT, message_id=proven.message_id)
        if proven.message is None or giver not in (None, proven.message.party_id):
            return _Read(outcome=left)
        return _Read(outcome=left, item=_item(proven.message, None, GivenState.PENDING))
    message = proven.message
    party_id = proven.recipient if isinstance(proven, Ours) else message.party_id
    if giver not in (None, party_id):
        raise Forbidden(NOT_YOURS, ids={"message_id": message.envelope.id})
    if isinstance(proven, Closing):
        if copied_at is not None and message.envelope.time <= copied_at:
            raise StaleMessage(ids={"message_id": message.envelope.id})  # of an earlier recovery
        took = LineOutcome(took=Took.CLOSED, message_id=message.envelope.id)
        return _Read(outcome=took, item=_item(message, None, GivenState.STATEMENT))
    if isinstance(proven, Ours) and message.envelope.seq is None:  # an answer to a question, kept nowhere
        return _Read(outcome=LineOutcome(took=Took.LEFT, message_id=message.envelope.id))
    code = proven.code if isinstance(proven, Ours) else None
    outcome = LineOutcome(took=Took.TAKEN, message_id=message.envelope.id, code=code)
    return _Read(outcome=outcome, item=_item(message, proven, GivenState.WAITING))


def _item(message: VerifiedMessage, proven: Theirs | Ours | None, state: GivenState) -> GivenBack:
    """proven: with its receipt; None for a message that has none of ours."""
    receipt = None if proven is None else proven.receipt
    theirs = proven if isinstance(proven, Theirs) else None
    place = None if theirs is None else theirs.receipt.place
    at = message.envelope.time if theirs is None else theirs.receipt.at
    return GivenBack(
        digest=message.digest,
        party_id=proven.recipient if isinstance(proven, Ours) else message.party_id,
        source=message.party_id,
        recipient=message.envelope.recipient,
        message_id=message.envelope.id,
        type=message.envelope.type,
        seq=message.envelope.seq,
        at=at,
        jws=message.jws,
        receipt=None if receipt is None else receipt.jws,
        epoch=None if theirs is None else theirs.epoch,
        leaf_index=None if place is None else place.index,
        state=state,
    )


def _known(connection: Connection, items: Iterable[GivenBack]) -> set[str]:
    """Digests of what the database has with all that was given about it."""
    found = list(items)
    theirs = inbox.earlier(connection, [(item.source, item.message_id) for item in found])
    ours = restored.sent(connection, [item.message_id for item in found])
    on_file = {row["jws"] for row in receipts.of_messages(connection, list(ours))}
    known = set()
    for item in found:
        before, sent = theirs.get((item.source, item.message_id)), ours.get(item.message_id)
        same = before is not None and before.digest == item.digest and item.receipt in (None, before.receipt)
        left = sent is not None and sent.digest == item.digest and item.receipt in (None, *on_file)
        if same or left:
            known.add(item.digest)
    return known


def _keep(connection: Connection, read: Sequence[_Read], known: set[str], now: datetime) -> list[LineOutcome]:
    fresh = [one.item for one in read if one.item is not None and one.item.digest not in known]
    new = {
        item.digest for item, is_new in zip(fresh, given_back.keep(connection, fresh, now=now), strict=True) if is_new
    }
    given_back.keep_unproven(connection, [one.unproven for one in read if one.unproven is not None], now=now)
    outcomes = []
    for one in read:
        took, item = one.outcome.took, one.item
        if took is Took.TAKEN and item is not None and item.digest not in new:
            took = Took.KNOWN
        new -= {item.digest} if item is not None else set()
        outcomes.append(LineOutcome(took=took, message_id=one.outcome.message_id, code=one.outcome.code))
    return outcomes

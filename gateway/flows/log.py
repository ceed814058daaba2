"""存证查询 What anybody may ask of the log, what its operator is told, and the proof that the whole of it holds.

Rules: hashes and signatures are public, entries are not (they tell who wrote to whom). A tile or a proof is answered
for every tree up to the committed one, a note only when it was signed. A cosignature counts when a configured witness
made it over a checkpoint of ours. Reading changes nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.errors import CheckpointInvalid, ConfigError, FieldProblem, InvalidQuery, NotFound, TrustError
from gateway.evidence.checkpoint import (
    Checkpoint,
    NoteVerifier,
    open_note,
    read_cosignature,
    unverified,
    with_cosignature,
)
from gateway.evidence.merkle import (
    TILE_HEIGHT,
    TILE_WIDTH,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_at,
    verify_inclusion,
)
from gateway.flows.context import Context
from gateway.flows.log_verdict import LogVerdict
from gateway.flows.log_walk import LogTrouble, Signed, TroubleKind, Walk
from gateway.store import checkpoints, log
from gateway.store.clock import from_ms
from gateway.store.log import Head, Place
from gateway.store.witness import WitnessFile

MAX_TILE_LEVEL = 63
AHEAD = timedelta(minutes=5)
"""A witness whose clock is further ahead than this is asked to mend it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class InclusionProof:
    """Leaf `index` of the tree of `size` leaves; hashes are 32 bytes each."""

    origin: str
    index: int
    size: int
    leaf: bytes
    root: bytes
    proof: tuple[bytes, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ConsistencyProof:
    """The tree of `old` leaves is the beginning of that of `new` leaves."""

    origin: str
    old: int
    new: int
    old_root: bytes
    new_root: bytes
    proof: tuple[bytes, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Logged:
    """One leaf about an id, and its proof in the newest checkpoint (None while none covers it). holds: whether entry,
    leaf hash and proof lead to the signed root."""

    place: Place
    proof: InclusionProof | None
    holds: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class LogStatus:
    """How the log stands. signed_at: of the newest checkpoint of this epoch; cosigned: witness' name → the size of the
    largest tree it cosigned, None for none."""

    origin: str
    head: Head
    signed_size: int | None
    signed_at: datetime | None
    cosigned: dict[str, int | None]


def note(context: Context, *, size: int | None = None, witnesses: int = 0) -> str:
    """The newest signed checkpoint, or that of one size, or the newest that so many witnesses cosigned; with every
    cosignature there is. Raises NotFound."""
    with context.store.reading() as connection:
        epoch = log.head(connection).epoch
        if size is not None:
            row = checkpoints.at_size(connection, epoch=epoch, size=size)
        elif witnesses:
            row = checkpoints.newest_cosigned(connection, epoch=epoch, least=witnesses)
        else:
            row = checkpoints.newest(connection)
        if row is None:
            raise NotFound("no_checkpoint")
        return _cosigned(connection, row)


def _cosigned(connection: Connection, row: sa.RowMapping) -> str:
    found: str = row["note"]
    for line in checkpoints.cosignatures(connection, epoch=row["epoch"], size=row["size"]):
        found = with_cosignature(found, line)
    return found


def tile(context: Context, *, level: int, number: int, width: int) -> bytes:
    """`width` (1…256) hashes of a tile (C2SP tlog-tiles), one after the other. Raises NotFound for what is not there
    yet, or cannot be."""
    with context.store.reading() as connection:
        complete = log.head(connection).size >> (TILE_HEIGHT * level) if level <= MAX_TILE_LEVEL else 0
        first = number * TILE_WIDTH
        if not 0 < width <= TILE_WIDTH or first + width > complete:
            raise NotFound("no_tile")
        return b"".join(log.hashes(connection)(level, first, first + width))


def inclusion(context: Context, *, index: int, size: int | None = None) -> InclusionProof:
    """The proof of one leaf. size: the newest checkpoint's by default. Raises InvalidQuery."""
    with context.store.reading() as connection:
        head = log.head(connection)
        wanted = _signed_size(connection, head) if size is None else size
        _require(wanted <= head.size, "/size")
        _require(index < wanted, "/index")
        return _inclusion(context, connection, head, index, wanted)


def _inclusion(context: Context, connection: Connection, head: Head, index: int, size: int) -> InclusionProof:
    hashes = log.hashes(connection)
    return InclusionProof(
        origin=context.origin(head.epoch),
        index=index,
        size=size,
        leaf=hashes(0, index, index + 1)[0],
        root=root_at(hashes, size),
        proof=tuple(inclusion_proof(hashes, index, size)),
    )


def consistency(context: Context, *, old: int, new: int | None = None) -> ConsistencyProof:
    """The proof that nothing before `old` was changed. new: the newest checkpoint's size by default. Raises
    InvalidQuery."""
    with context.store.reading() as connection:
        head = log.head(connection)
        wanted = _signed_size(connection, head) if new is None else new
        _require(wanted <= head.size, "/to")
        _require(old <= wanted, "/from")
        hashes = log.hashes(connection)
        return ConsistencyProof(
            origin=context.origin(head.epoch),
            old=old,
            new=wanted,
            old_root=root_at(hashes, old),
            new_root=root_at(hashes, wanted),
            proof=tuple(consistency_proof(hashes, old, wanted)),
        )


def _signed_size(connection: Connection, head: Head) -> int:
    """The size of the newest checkpoint; of the committed tree while there is none."""
    newest = checkpoints.newest(connection)
    return head.size if newest is None else int(newest["size"])


def _require(is_there: bool, pointer: str) -> None:
    if not is_there:
        raise InvalidQuery(problems=[FieldProblem(pointer=pointer, code="out_of_range")])


def take_cosignatures(context: Context, lines: Sequence[str], *, size: int | None = None, now: datetime) -> str:
    """Keeps witnesses' signature lines about one of our checkpoints (the newest by default); the note with them.

    Lines of keys that are not configured are passed over, but one must be known. Raises CheckpointInvalid for what is
    no line or comes from the future, TrustError for a signature that is not the witness' own over this checkpoint,
    NotFound for a tree that was not signed.
    """
    with context.store.reading() as connection:
        epoch = log.head(connection).epoch
        newest = checkpoints.newest(connection)
        row = newest if size is None else checkpoints.at_size(connection, epoch=epoch, size=size)
    if row is None:
        raise NotFound("no_checkpoint")
    signed = unverified(row["note"])
    found = [(read, line) for line in lines if (read := _known_line(context, line, signed, now)) is not None]
    if not found:
        raise TrustError("unknown_witness")

    def keep(connection: Connection) -> None:
        for witness, line in found:
            checkpoints.put_cosignature(
                connection, epoch=row["epoch"], size=row["size"], witness=witness, line=f"{line}\n", now=now
            )

    context.store.write(keep)
    with context.store.reading() as connection:
        return _cosigned(connection, row)


def _known_line(context: Context, line: str, signed: Checkpoint, now: datetime) -> str | None:
    """The witness that made the line; None for one we do not know."""
    try:
        witness, at = read_cosignature(line, signed, witnesses_of(context))
    except CheckpointInvalid as error:
        if error.note == "unknown_key":
            return None
        if error.note in ("cosignature_wrong", "no_cosignature"):
            raise TrustError(error.note) from error
        raise
    if at > now + AHEAD:
        raise CheckpointInvalid("cosignature_time")
    return witness


def witnesses_of(context: Context) -> tuple[NoteVerifier, ...]:
    """Those whose cosignatures count. Raises ConfigError for a verifier key that is none."""
    try:
        return tuple(NoteVerifier.from_vkey(text) for text in context.witnesses)
    except CheckpointInvalid as error:
        raise ConfigError(f"`witnesses` holds something that is no verifier key ({error.note})") from error


def status(context: Context) -> LogStatus:
    """How the log stands."""
    witnesses = witnesses_of(context)
    with context.store.reading() as connection:
        head = log.head(connection)
        newest = checkpoints.newest(connection)
        largest = checkpoints.largest_cosigned(connection, epoch=head.epoch)
    if newest is not None and newest["epoch"] != head.epoch:
        newest = None
    return LogStatus(
        origin=context.origin(head.epoch),
        head=head,
        signed_size=None if newest is None else newest["size"],
        signed_at=None if newest is None else from_ms(newest["at"]),
        cosigned={witness.name: largest.get(witness.name) for witness in witnesses},
    )


def about(context: Context, ref: str) -> list[Logged]:
    """The leaves about one id (a message, decision, key, party, …), each with its proof, checked here."""
    with context.store.reading() as connection:
        head = log.head(connection)
        newest = checkpoints.newest(connection)
        signed = None if newest is None or newest["epoch"] != head.epoch else unverified(newest["note"])
        return [_logged(context, connection, head, place, signed) for place in log.places(connection, [ref])]


def _logged(context: Context, connection: Connection, head: Head, place: Place, signed: Checkpoint | None) -> Logged:
    if signed is None or not place.index < signed.size <= head.size:
        return Logged(place=place, proof=None, holds=leaf_hash(place.entry.encode()) == place.leaf_hash)
    proof = _inclusion(context, connection, head, place.index, signed.size)
    holds = verify_inclusion(
        leaf_hash(place.entry.encode()), index=place.index, size=signed.size, proof=proof.proof, root=signed.root
    )
    return Logged(place=place, proof=proof, holds=holds)


def verify_log(
    context: Context,
    *,
    witness: WitnessFile | None = None,
    told: Callable[[int, int], None] | None = None,
    last: int | None = None,
) -> LogVerdict:
    """Walks the whole log. witness: the checkpoint this node kept outside the database; told: hears leaves walked, and
    of how many; last: only so many leaves, and a tile at most, where somebody waits for the answer. Reads only."""
    with context.store.reading() as connection:
        log.hold_still(connection)
        head, is_readable = _head(connection)
        outside = None if witness is None else _outside(context, head, witness)
        begin = 0 if last is None else max(0, head.size - last) // TILE_WIDTH * TILE_WIDTH
        if outside is not None and outside.size < begin:
            outside = None
        walk = Walk(
            connection,
            head,
            lambda epoch: _verifier(context, epoch),
            witness=outside,
            told=None if told is None else lambda walked: told(walked, head.size),
            begin=begin,
        )
        walk.run()
    troubles = walk.troubles.found
    if not is_readable:
        troubles = [LogTrouble(kind=TroubleKind.HEAD_DIFFERS, first=head.size, last=head.size), *troubles]
    return LogVerdict(
        origin=context.origin(head.epoch),
        size=head.size,
        root=head.root,
        checkpoints=walk.checkpoints,
        signatures=walk.signatures,
        proven=walk.proven,
        has_key=context.log_key is not None,
        has_witness=outside is not None,
        troubles=tuple(troubles),
        unlisted=walk.troubles.unlisted,
        begin=begin,
    )


def _head(connection: Connection) -> tuple[Head, bool]:
    """The head; where its edge cannot be read, what the other rows say."""
    try:
        return log.head(connection), True
    except ValueError:
        newest = checkpoints.newest(connection)
        epoch = log.FIRST_EPOCH if newest is None else newest["epoch"]
        return Head(epoch=epoch, size=log.extent(connection), root=b"", recovering=False), False


def _outside(context: Context, head: Head, witness: WitnessFile) -> Signed | None:
    """The note kept outside the database, if it is of this log under its present name. One that is not signed by our
    key counts as one that is never met."""
    kept, verifier = witness.read(), _verifier(context, head.epoch)
    if kept is None or verifier is None or not kept.startswith(f"{verifier.name}\n"):
        return None
    try:
        signed = open_note(kept, verifier).checkpoint
    except CheckpointInvalid:
        return Signed(epoch=head.epoch, size=head.size, root="", note=kept, is_witness=True)
    return Signed(epoch=head.epoch, size=signed.size, root=signed.root.hex(), note=kept, is_witness=True)


def _verifier(context: Context, epoch: int) -> NoteVerifier | None:
    return None if context.log_key is None else context.log_key.named(context.origin(epoch)).verifier()

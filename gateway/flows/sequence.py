"""定序签发 The sequencer signs what the log has become; the guard refuses for a database that went back in time.

1. read the committed tree (a checkpoint is never signed before the commit of what it covers);
2. compare it with the last checkpoint kept outside the database: a smaller tree, or another one of that size, means
   that an older copy was restored or rows were changed: the gateway enters recovery and signs nothing;
3. sign, keep the note outside the database, then publish it under the sequencer's fence, and beside it how far every
   table reached, so that it can be asked what was known then.

One sequencer at a time, under a lease. Every node checks its own file when it starts.
"""

import logging
from datetime import datetime

from sqlalchemy import Connection

from gateway.errors import CheckpointInvalid, ConfigError, InRecovery
from gateway.evidence.checkpoint import Checkpoint, LogKey, NoteVerifier, open_note, sign_checkpoint
from gateway.evidence.merkle import root_at
from gateway.flows.context import Context
from gateway.store import checkpoints, history, leases, log
from gateway.store.leases import Lease
from gateway.store.log import Head
from gateway.store.witness import WitnessFile

logger = logging.getLogger(__name__)

OLDER, DIFFERENT, UNREADABLE = "older_than_signed", "different_from_signed", "witness_unreadable"


def guard(context: Context, witness: WitnessFile, *, now: datetime) -> str | None:
    """Why this database cannot be what was signed, as a code; None when it can. Enters recovery in the first case."""
    with context.store.reading() as connection:
        head = log.head(connection)
        trouble = trouble_of(connection, context, head, witness)
    if trouble is not None and not head.recovering:
        context.store.write(lambda connection: log.enter_recovery(connection, now=now))
        logger.error("recovery entered", extra={"reason": trouble, "tree_size": head.size})
    return trouble


def trouble_of(connection: Connection, context: Context, head: Head, witness: WitnessFile) -> str | None:
    """Why the database cannot be what was signed; None when it can. Changes nothing."""
    try:
        kept = witness.read()
    except ConfigError:
        return UNREADABLE
    if kept is None:
        return None
    origin = kept.partition("\n")[0]
    if origin != context.origin(head.epoch):
        # a log that began anew has left the old one behind; one that is older than the file's has not
        known = {context.origin(epoch) for epoch in range(1, head.epoch)}
        return None if origin in known else OLDER
    try:
        signed = open_note(kept, _verifier(context, origin)).checkpoint
    except CheckpointInvalid:
        return UNREADABLE
    if signed.size > head.size:
        return OLDER
    return None if root_at(log.hashes(connection), signed.size) == signed.root else DIFFERENT


def has_grown(context: Context) -> bool:
    """Whether there is something to sign: asked before the lease is taken, so that an idle gateway writes nothing."""
    with context.store.reading() as connection:
        head = log.head(connection)
        last = checkpoints.newest(connection)
    return (
        head.size > 0
        and not head.recovering
        and (last is None or (last["epoch"], last["size"]) != (head.epoch, head.size))
    )


def publish(context: Context, witness: WitnessFile, lease: Lease, *, now: datetime) -> Checkpoint | None:
    """Signs the committed tree when it has grown; None when there is nothing to sign. Raises InRecovery, LeaseLost."""
    with context.store.reading() as connection:
        log.hold_still(connection)
        head = log.head(connection)
        last = checkpoints.newest(connection)
        reached = history.marks(connection)
    if head.size == 0 or (last is not None and (last["epoch"], last["size"]) == (head.epoch, head.size)):
        return None
    if head.recovering or guard(context, witness, now=now) is not None:
        raise InRecovery(retry_after=log.RECOVERY_SECONDS)
    checkpoint = Checkpoint(origin=context.origin(head.epoch), size=head.size, root=head.root)
    note = sign_checkpoint(checkpoint, _key(context, checkpoint.origin))
    witness.keep(note)

    def write(connection: Connection) -> None:
        leases.require(connection, lease)
        checkpoints.put(
            connection,
            epoch=head.epoch,
            size=head.size,
            root=head.root,
            note=note,
            fence=lease.fence,
            now=now,
        )
        history.keep(connection, epoch=head.epoch, size=head.size, reached=reached, now=now)

    context.store.write(write)
    logger.info("checkpoint signed", extra={"tree_size": head.size})
    return checkpoint


def _key(context: Context, origin: str) -> LogKey:
    if context.log_key is None:
        raise ConfigError("no log key; make one with `xianjie init`")
    return context.log_key.named(origin)


def _verifier(context: Context, origin: str) -> NoteVerifier:
    return NoteVerifier.from_vkey(_key(context, origin).vkey())

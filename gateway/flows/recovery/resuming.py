"""恢复运行 The end of a recovery, in one commit: all that came back is in its place, the log goes on under a new name.

1. refuse while a party was not heard, a number is missing or a line proved nothing, unless a person accepts these with
   a reason;
2. the next epoch, beyond any that anybody has seen; its first leaf, `recovery`, names the tree it goes on from and the
   checkpoint that was signed and is lost;
3. everything is put in its place (`placing`); what has none is an obstacle like the others;
4. the decision, with who and why. Then receipts are signed again, naming the new origin, and the sequencer signs it.

A rehearsal does the same and undoes it.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NoReturn

from sqlalchemy import Connection

from gateway.envelope.message import new_id
from gateway.errors import FieldProblem, NotInRecovery, RecoveryIncomplete
from gateway.evidence.entry import recovery_entry
from gateway.flows.context import Context
from gateway.flows.operate import MAX_REASON, require_reason
from gateway.flows.recovery.placing import place_all
from gateway.flows.recovery.standing import read_witness, standing_of
from gateway.flows.recovery.values import Obstacle, ObstacleKind, Placed, Resumed, Standing, Witnessed
from gateway.store import decisions, given_back, log
from gateway.store.given_back import GivenState
from gateway.store.witness import WitnessFile

logger = logging.getLogger(__name__)

RESUMED, GAPS_ACCEPTED = "recovery_resumed", "recovery_gaps_accepted"
PATIENCE_S = 3600.0
"""One commit may hold all that was exchanged in a day."""


class _RehearsedError(Exception):
    """Undoes the transaction and carries what it had come to."""

    def __init__(self, resumed: Resumed, standing: Standing) -> None:
        super().__init__("rehearsed")
        self.resumed, self.standing = resumed, standing


def resume(
    context: Context, witness: WitnessFile, *, who: str, why: str, accept_gaps: bool = False, now: datetime
) -> Resumed:
    """Ends the recovery. Raises NotInRecovery, RecoveryIncomplete (nothing is changed then), ConfigError."""
    require_reason(who, why)
    witnessed = read_witness(context, witness, now=now)

    def write(connection: Connection) -> Resumed:
        standing = standing_of(connection, context, witnessed, now=now)
        _require(standing, accepted=accept_gaps)
        resumed = _resume(connection, context, standing, now)
        if resumed.accepted and not accept_gaps:
            _refuse(resumed.accepted)
        _decide(connection, resumed, who=who, why=why, now=now)
        given_back.forget(connection, GivenState.STATEMENT)
        return resumed

    resumed = _write(context, write)
    if not witnessed.is_readable:
        witness.set_aside(f"unreadable-before-epoch-{resumed.epoch}")
    logger.warning("recovery ended", extra={"tree_size": resumed.size, "count": resumed.placed.received})
    return resumed


def rehearse(context: Context, witness: WitnessFile, *, now: datetime) -> tuple[Standing, Placed | None]:
    """How it stands, with what could not be put in its place; nothing is changed. None for what would be put back where
    there is no recovery."""
    witnessed = read_witness(context, witness, now=now)

    def write(connection: Connection) -> NoReturn:
        standing = standing_of(connection, context, witnessed, now=now)
        if standing.since is None:
            raise NotInRecovery
        raise _RehearsedError(_resume(connection, context, standing, now), standing)

    try:
        _write(context, write)
    except _RehearsedError as rehearsed:
        return replace(rehearsed.standing, obstacles=rehearsed.resumed.accepted), rehearsed.resumed.placed
    except NotInRecovery:
        pass
    with context.store.reading() as connection:
        return standing_of(connection, context, witnessed, now=now), None


def _write(context: Context, work: Callable[[Connection], Resumed]) -> Resumed:
    """In the writer's turn, however long it takes."""
    found: Resumed = context.store.submit(_alone, [work])[0].result(PATIENCE_S)
    return found


def _alone(connection: Connection, works: list[Callable[[Connection], Resumed]]) -> list[Resumed]:
    return [work(connection) for work in works]


def _require(standing: Standing, *, accepted: bool) -> None:
    if standing.since is None:
        raise NotInRecovery
    if standing.obstacles and not accepted:
        _refuse(standing.obstacles)


def _refuse(obstacles: Sequence[Obstacle]) -> NoReturn:
    raise RecoveryIncomplete(
        str(len(obstacles)),
        problems=[
            FieldProblem(pointer=one.about, code=one.kind.value if one.code is None else one.code) for one in obstacles
        ],
    )


def _resume(connection: Connection, context: Context, standing: Standing, now: datetime) -> Resumed:
    beyond = max(standing.witnessed.epoch, given_back.highest_epoch(connection))
    epoch = log.begin_epoch(connection, beyond=beyond)
    origin = context.origin(epoch)
    lost = _lost(standing.witnessed)
    leaf = recovery_entry(
        recovery_id=new_id(now),
        size=standing.size,
        root=bytes.fromhex(standing.root),
        at=now,
        epoch=epoch,
        origin=origin,
        **lost,
    )
    log.append(connection, [leaf])
    placed = place_all(connection, context, now=now)
    unplaced = tuple(
        Obstacle(kind=ObstacleKind.NOT_PLACED, about=f"{one.party_id} {one.message_id}", code=one.code)
        for one in placed.unplaced
    )
    return Resumed(
        origin=origin,
        epoch=epoch,
        size=standing.size,
        root=standing.root,
        placed=placed,
        accepted=(*standing.obstacles, *unplaced),
    )


def _lost(witnessed: Witnessed) -> dict[str, str | int]:
    if witnessed.size is None or witnessed.root is None:
        return {}
    return {"witnessed_size": witnessed.size, "witnessed_root": witnessed.root}


def _decide(connection: Connection, resumed: Resumed, *, who: str, why: str, now: datetime) -> None:
    decisions.put(connection, who=who, what=RESUMED, subject=resumed.origin, why=why, now=now)
    if resumed.accepted:
        named = "; ".join(f"{one.kind.value} {one.about}" for one in resumed.accepted)
        decisions.put(connection, who=who, what=GAPS_ACCEPTED, subject=resumed.origin, why=named[:MAX_REASON], now=now)

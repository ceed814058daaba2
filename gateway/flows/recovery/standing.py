"""恢复进度 How a recovery stands: who has given everything back, which numbers nobody has shown, what proved nothing.

A number is missing when it is higher than all the restored copy has of its stream, lower than or equal to one that
somebody has shown or told of, and itself neither shown nor told to be still without a receipt. A party that has not
closed its giving is an obstacle like a gap: what it holds is not known (Law 3).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from gateway.domain.agreement import PartyKind
from gateway.envelope import strict_json
from gateway.envelope.compact import decode_segment, split
from gateway.errors import CheckpointInvalid, ConfigError
from gateway.evidence.checkpoint import open_note
from gateway.flows.context import Context
from gateway.flows.recovery.proving import Prover
from gateway.flows.recovery.values import (
    Obstacle,
    ObstacleKind,
    PartyStanding,
    Range,
    Standing,
    StreamStanding,
    Witnessed,
)
from gateway.store import given_back, log, restored
from gateway.store.given_back import Unproven, Waiting
from gateway.store.witness import WitnessFile

_PARTNERS = frozenset({PartyKind.COURT, PartyKind.AGENCY})


@dataclass(frozen=True, kw_only=True, slots=True)
class _Statement:
    """What a party said when it closed its giving."""

    sent: int
    open: frozenset[int]
    received: int
    at: datetime


def standing(context: Context, witness: WitnessFile, *, now: datetime) -> Standing:
    """How it stands now."""
    witnessed = read_witness(context, witness, now=now)
    with context.store.reading() as connection:
        return standing_of(connection, context, witnessed, now=now)


def standing_of(connection: Connection, context: Context, witnessed: Witnessed, *, now: datetime) -> Standing:
    """The same inside a transaction."""
    head = log.head(connection)
    unproven = given_back.unproven(connection)
    parties = tuple(_parties(connection, context, unproven, now))
    since = restored.since(connection)
    in_the_way = _obstacles(parties, unproven, witnessed) if since else _left_over(connection, unproven)
    return Standing(
        origin=context.origin(head.epoch),
        epoch=head.epoch,
        since=since,
        size=head.size,
        root=head.root.hex(),
        witnessed=witnessed,
        parties=parties,
        obstacles=tuple(in_the_way),
    )


def read_witness(context: Context, witness: WitnessFile, *, now: datetime) -> Witnessed:
    """What this node's file outside the database says was signed last."""
    try:
        kept = witness.read()
    except ConfigError:
        return Witnessed(is_readable=False)
    if kept is None:
        return Witnessed()
    origin = kept.partition("\n")[0]
    own = context.party_id
    if context.log_key is None or not (origin == own or origin.startswith(f"{own}/")):
        return Witnessed(is_readable=False)
    try:
        signed = open_note(kept, context.log_key.named(origin).verifier()).checkpoint
    except CheckpointInvalid:
        return Witnessed(is_readable=False)
    return Witnessed(epoch=Prover(context, now).epoch_of(origin), size=signed.size, root=signed.root.hex())


def _parties(
    connection: Connection, context: Context, unproven: Sequence[Unproven], now: datetime
) -> Iterator[PartyStanding]:
    """Every court and agency that is active, and whoever gave something back."""
    waiting: dict[str, list[Waiting]] = {}
    for item in given_back.waiting(connection):
        waiting.setdefault(item.party_id, []).append(item)
    statements = {party_id: _statement(jws, at) for party_id, (jws, at) in given_back.statements(connection).items()}
    refused = [one.party_id for one in unproven]
    received, issued = restored.highest_from(connection), restored.last_given(connection, context.party_id)
    active = {
        party.party_id for party in context.snapshot(now).parties.values() if party.active and party.kind in _PARTNERS
    }
    for party_id in sorted(active | waiting.keys() | statements.keys()):
        mine, said = waiting.get(party_id, []), statements.get(party_id)
        to_us = [item for item in mine if item.source == party_id]
        from_us = [item for item in mine if item.source != party_id]
        yield PartyStanding(
            party_id=party_id,
            complete_at=None if said is None else said.at,
            to_gateway=_stream(
                received.get(party_id, 0), to_us, said.sent if said else 0, said.open if said else frozenset()
            ),
            from_gateway=_stream(issued.get(party_id, 0), from_us, said.received if said else 0, frozenset()),
            refused=refused.count(party_id),
        )


def _statement(jws: str, at: datetime) -> _Statement:
    """It was proven when it was taken."""
    payload: Mapping[str, Any] = strict_json.loads(decode_segment(split(jws.encode("ascii")).payload_segment))
    sent, received = payload["data"]["sent"], payload["data"]["received"]
    return _Statement(
        sent=sent["high_water"], open=frozenset(sent.get("open", ())), received=received["high_water"], at=at
    )


def _stream(known: int, items: Sequence[Waiting], told: int, open_: frozenset[int]) -> StreamStanding:
    shown = {item.seq for item in items if item.seq is not None}
    highest = max([known, told, *shown])
    return StreamStanding(
        known=known,
        highest=highest,
        back=len(items),
        missing=tuple(_between(known, highest, shown | open_)),
    )


def _between(known: int, highest: int, there: Iterable[int]) -> Iterator[Range]:
    """The runs of numbers in known+1…highest that are not there; never counted out, since they are only told."""
    expected = known + 1
    for number in sorted(number for number in there if known < number <= highest):
        if number > expected:
            yield expected, number - 1
        expected = number + 1
    if expected <= highest:
        yield expected, highest


def _obstacles(
    parties: Sequence[PartyStanding], unproven: Sequence[Unproven], witnessed: Witnessed
) -> Iterator[Obstacle]:
    if not witnessed.is_readable:
        yield Obstacle(kind=ObstacleKind.WITNESS_UNREADABLE, about="state/checkpoint")
    for party in parties:
        if party.complete_at is None:
            yield Obstacle(kind=ObstacleKind.NOT_HEARD, about=party.party_id)
        for direction, stream in (("to_gateway", party.to_gateway), ("from_gateway", party.from_gateway)):
            for first, last in stream.missing:
                numbers = str(first) if first == last else f"{first}-{last}"
                yield Obstacle(kind=ObstacleKind.NUMBERS_MISSING, about=f"{party.party_id} {direction} {numbers}")
    yield from _refused(unproven)


def _left_over(connection: Connection, unproven: Sequence[Unproven]) -> Iterator[Obstacle]:
    """After a recovery: what was given back and has no place."""
    for item in given_back.waiting(connection):
        yield Obstacle(kind=ObstacleKind.NOT_PLACED, about=f"{item.party_id} {item.message_id}", code=item.code)
    yield from _refused(unproven)


def _refused(unproven: Sequence[Unproven]) -> Iterator[Obstacle]:
    for line in unproven:
        name = " ".join(part for part in (line.party_id, line.message_id or line.digest) if part)
        yield Obstacle(kind=ObstacleKind.LINE_REFUSED, about=name, code=line.code)

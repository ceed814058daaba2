"""取回件的存取 What partners gave back after a loss: kept, sealed, until each message is in its place again.

Rules: one row a message, by its digest, whoever gives it and however often; the earliest receipt for it counts; what
could not be proven is kept by its code alone, without a byte of it. A row's text is emptied when the message is back in
its own table: people's data stands in one place.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.store import tables as t
from gateway.store.clock import from_ms, to_ms
from gateway.store.prepared import among, ids
from gateway.store.vault import CaseKeys, case_of


class GivenState(StrEnum):
    """Where what was given back stands."""

    WAITING = "waiting"
    PENDING = "pending"
    """Without a receipt of ours: put in its place only where something of ours shows that it had been accepted."""
    PLACED = "placed"
    REFUSED = "refused"
    STATEMENT = "statement"


@dataclass(frozen=True, kw_only=True, slots=True)
class GivenBack:
    """One proven message. party_id: the partner of the pair; at: when we accepted it, or when we issued it; epoch and
    leaf_index: where our receipt says that it stood."""

    digest: str
    party_id: str
    source: str
    recipient: str
    message_id: str
    type: str
    seq: int | None
    at: datetime
    jws: str
    receipt: str | None = None
    epoch: int | None = None
    leaf_index: int | None = None
    state: GivenState = GivenState.WAITING


@dataclass(frozen=True, kw_only=True, slots=True)
class Unproven:
    """One line that proves nothing, or not enough. message_id: as it names itself."""

    digest: str
    party_id: str | None
    message_id: str | None
    code: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """One message that waits for its place, without its text."""

    digest: str
    party_id: str
    source: str
    recipient: str
    message_id: str
    type: str
    seq: int | None
    at: int
    epoch: int | None
    leaf_index: int | None
    code: str | None


def keep(connection: Connection, items: Sequence[GivenBack], *, now: datetime) -> list[bool]:
    """Keeps messages; for each whether it says something new: the message, or an earlier receipt for it."""
    known = _known(connection, [item.digest for item in items])
    keys = CaseKeys.for_writing(connection, {case_of(None, item.party_id) for item in items}, now=now)
    fresh = []
    for item in items:
        before = known.get(item.digest)
        fresh.append(before is None or _says_more(item, before))
        if not fresh[-1]:
            continue
        if item.state is GivenState.STATEMENT:
            _forget_statements(connection, item.party_id)
        if before is not None:
            connection.execute(t.given_back.delete().where(_C.digest == item.digest))
        connection.execute(_INSERT, _row(item, keys, now))
        known |= _known(connection, [item.digest])
    return fresh


def _row(item: GivenBack, keys: CaseKeys, now: datetime) -> dict[str, Any]:
    return {
        "digest": item.digest,
        "party_id": item.party_id,
        "state": item.state.value,
        "source": item.source,
        "recipient": item.recipient,
        "message_id": item.message_id,
        "type": item.type,
        "seq": item.seq,
        "at": to_ms(item.at),
        "epoch": item.epoch,
        "leaf_index": item.leaf_index,
        "jws": keys.seal(case_of(None, item.party_id), _field(item.digest), item.jws),
        "receipt": item.receipt,
        "taken_at": to_ms(now),
        "code": None,
    }


def _says_more(item: GivenBack, before: sa.RowMapping) -> bool:
    if before["state"] == GivenState.REFUSED.value:
        return True
    if before["state"] == GivenState.PENDING.value:
        return item.state is GivenState.WAITING
    if before["state"] != GivenState.WAITING.value or item.receipt in (None, before["receipt"]):
        return False
    return before["receipt"] is None or to_ms(item.at) < before["at"]


def keep_unproven(connection: Connection, lines: Sequence[Unproven], *, now: datetime) -> None:
    """Remembers that these were given, and why they were not taken; the same again changes its code."""
    known = _known(connection, [line.digest for line in lines])
    for line in {line.digest: line for line in lines}.values():
        before = known.get(line.digest)
        if before is None:
            connection.execute(_INSERT, _refused_row(line, now))
        elif before["state"] == GivenState.REFUSED.value:
            connection.execute(
                t.given_back.update()
                .where(_C.digest == line.digest)
                .values(code=line.code, party_id=line.party_id, taken_at=to_ms(now))
            )


def _refused_row(line: Unproven, now: datetime) -> dict[str, Any]:
    blank = dict.fromkeys(("source", "recipient", "type", "seq", "epoch", "leaf_index", "receipt"))
    return {
        **blank,
        "digest": line.digest,
        "party_id": line.party_id,
        "state": GivenState.REFUSED.value,
        "message_id": line.message_id,
        "at": to_ms(now),
        "jws": "",
        "taken_at": to_ms(now),
        "code": line.code,
    }


def _known(connection: Connection, digests: Iterable[str]) -> dict[str, sa.RowMapping]:
    return {row["digest"]: row for row in connection.execute(_KNOWN, ids(set(digests))).mappings()}


def _forget_statements(connection: Connection, party_id: str) -> None:
    is_one = _C.state == GivenState.STATEMENT.value
    connection.execute(t.given_back.delete().where(_C.party_id == party_id, is_one))


def _field(digest: str) -> str:
    return f"given_back.jws:{digest}"


_C = t.given_back.c
_INSERT = t.given_back.insert()
_KNOWN = sa.select(_C.digest, _C.state, _C.receipt, _C.at).where(among(_C.digest))
_IN_STATE = sa.select(t.given_back).where(_C.state == sa.bindparam("b_state")).order_by(_C.at, _C.row)


def waiting(connection: Connection, state: GivenState = GivenState.WAITING) -> list[Waiting]:
    """All that is not in its place yet, oldest first; or all that is pending."""
    return [
        Waiting(
            digest=row["digest"],
            party_id=row["party_id"],
            source=row["source"],
            recipient=row["recipient"],
            message_id=row["message_id"],
            type=row["type"],
            seq=row["seq"],
            at=row["at"],
            epoch=row["epoch"],
            leaf_index=row["leaf_index"],
            code=row["code"],
        )
        for row in connection.execute(_IN_STATE, {"b_state": state.value}).mappings()
    ]


def texts(connection: Connection, digests: Iterable[str]) -> dict[str, tuple[str, str | None]]:
    """(compact JWS, receipt) by digest."""
    rows = connection.execute(_TEXTS, ids(set(digests))).mappings().all()
    keys = CaseKeys.of(connection, {case_of(None, row["party_id"]) for row in rows})
    return {
        row["digest"]: (keys.open(case_of(None, row["party_id"]), _field(row["digest"]), row["jws"]), row["receipt"])
        for row in rows
    }


_TEXTS = sa.select(_C.digest, _C.party_id, _C.jws, _C.receipt).where(among(_C.digest))


def statements(connection: Connection) -> dict[str, tuple[str, datetime]]:
    """By party its closing statement and when it was taken."""
    is_one = _C.state == GivenState.STATEMENT.value
    rows = connection.execute(sa.select(_C.digest, _C.party_id, _C.taken_at).where(is_one)).mappings().all()
    found = texts(connection, [row["digest"] for row in rows])
    return {row["party_id"]: (found[row["digest"]][0], from_ms(row["taken_at"])) for row in rows}


def forget(connection: Connection, state: GivenState) -> None:
    """Statements speak of one recovery, and it has ended; what is pending is sent again by its sender."""
    connection.execute(t.given_back.delete().where(_C.state == state.value))


def unproven(connection: Connection) -> list[Unproven]:
    """Every line that was given and not taken."""
    is_one = _C.state == GivenState.REFUSED.value
    rows = connection.execute(sa.select(t.given_back).where(is_one).order_by(_C.row)).mappings()
    return [
        Unproven(
            digest=row["digest"], party_id=row["party_id"], message_id=row["message_id"], code=row["code"] or "internal"
        )
        for row in rows
    ]


def mark_placed(connection: Connection, digests: Sequence[str]) -> None:
    """These are in their place again."""
    if digests:
        connection.execute(
            t.given_back.update()
            .where(_C.digest == sa.bindparam("b_digest"))
            .values(state=GivenState.PLACED.value, jws="", code=None),
            [{"b_digest": digest} for digest in digests],
        )


def note_codes(connection: Connection, codes: Sequence[tuple[str, str]]) -> None:
    """Why these (digest, code) are not in their place."""
    if codes:
        connection.execute(
            t.given_back.update().where(_C.digest == sa.bindparam("b_digest")).values(code=sa.bindparam("b_code")),
            [{"b_digest": digest, "b_code": code} for digest, code in codes],
        )


def highest_epoch(connection: Connection) -> int:
    """Of the logs our receipts named; 0 for none."""
    return int(connection.scalar(sa.select(sa.func.max(_C.epoch))) or 0)


def placed_counts(connection: Connection) -> dict[tuple[str, str], int]:
    """(party, source) → how many of the pair's messages were put back, ever."""
    placed = _C.state == GivenState.PLACED.value
    statement = sa.select(_C.party_id, _C.source, sa.func.count()).where(placed).group_by(_C.party_id, _C.source)
    return {(row[0], row[1]): int(row[2]) for row in connection.execute(statement)}

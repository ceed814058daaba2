"""封存 The texts that hold people's data, on their way into the rows and out of them.

Rules: `inbox.jws`, `outbox.jws` and `outbox.wire` are sealed under the key of the case the message belongs to, bound to
their column and row; a message of no case goes under its party's own. Where the recipient has registered an encryption
key, what travels is made once, with the message, and kept. What does not open, because it was erased or changed, is
left out and logged: one row never costs the others theirs. Everything else in the rows is ids, codes and digests.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.envelope.encryption import encrypt
from gateway.errors import CaseErased, SealBroken
from gateway.store import tables as t
from gateway.store.party_keys import encryption_keys
from gateway.store.vault import SEALED, CaseKeys, case_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Queued:
    """One message of ours: what was signed, and what travels (the same, unless it is encrypted)."""

    jws: str
    wire: str


def seal_inbound(connection: Connection, rows: Sequence[dict[str, Any]], *, now: datetime) -> None:
    """Seals `jws` of inbox rows in place. Raises CaseErased."""
    cases = [case_of(row["subject"], row["source"]) for row in rows]
    keys = CaseKeys.for_writing(connection, cases, now=now)
    for row, case in zip(rows, cases, strict=True):
        row["jws"] = keys.seal(case, _inbox_field(row), row["jws"])


def seal_outbound(connection: Connection, rows: Sequence[dict[str, Any]], *, now: datetime) -> None:
    """Encrypts for recipients who want it, then seals `jws` and `wire` of outbox rows in place. Raises CaseErased."""
    recipients = encryption_keys(connection, (row["recipient"] for row in rows), now=now)
    cases = [case_of(row["referral_id"], row["recipient"]) for row in rows]
    keys = CaseKeys.for_writing(connection, cases, now=now)
    for row, case in zip(rows, cases, strict=True):
        key = recipients.get(row["recipient"])
        wire = None if key is None else encrypt(row["jws"], key)
        row["wire"] = None if wire is None else keys.seal(case, _outbox_field(row, "wire"), wire)
        row["jws"] = keys.seal(case, _outbox_field(row, "jws"), row["jws"])


def inbound(connection: Connection, rows: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], str]:
    """The compact JWS of inbox rows (`source`, `message_id`, `subject`, `jws`) by (source, message id)."""
    found = list(rows)
    keys = CaseKeys.of(connection, (case_of(row["subject"], row["source"]) for row in found))
    opened: dict[tuple[str, str], str] = {}
    for row in found:
        try:
            jws = keys.open(case_of(row["subject"], row["source"]), _inbox_field(row), row["jws"])
        except (CaseErased, SealBroken) as error:
            _leave_out(row, error)
        else:
            opened[row["source"], row["message_id"]] = jws
    return opened


def outbound(connection: Connection, rows: Iterable[Mapping[str, Any]]) -> dict[str, Queued]:
    """What outbox rows (`message_id`, `recipient`, `referral_id`, `jws`, `wire`) hold, by message id."""
    found = list(rows)
    keys = CaseKeys.of(connection, (case_of(row["referral_id"], row["recipient"]) for row in found))
    opened: dict[str, Queued] = {}
    for row in found:
        case = case_of(row["referral_id"], row["recipient"])
        try:
            jws = keys.open(case, _outbox_field(row, "jws"), row["jws"])
            wire = jws if row["wire"] is None else keys.open(case, _outbox_field(row, "wire"), row["wire"])
        except (CaseErased, SealBroken) as error:
            _leave_out(row, error)
        else:
            opened[row["message_id"]] = Queued(jws=jws, wire=wire)
    return opened


def seal_older(connection: Connection, *, now: datetime, limit: int = 500) -> int:
    """Seals some rows that an earlier version stored as they were; how many. Zero: none is left."""
    count = 0
    for table, seal in ((t.inbox, _seal_older_inbound), (t.outbox, _seal_older_outbound)):
        c = table.c
        statement = sa.select(table).where(c.jws.not_like(f"{SEALED}%")).order_by(c.row).limit(limit).with_for_update()
        rows = [dict(row) for row in connection.execute(statement).mappings()]
        if rows:
            seal(connection, rows, now)
            sealed = [{"b_row": row["row"], "b_jws": row["jws"]} for row in rows]
            connection.execute(
                table.update().where(c.row == sa.bindparam("b_row")).values(jws=sa.bindparam("b_jws")), sealed
            )
        count += len(rows)
    return count


def _seal_older_inbound(connection: Connection, rows: Sequence[dict[str, Any]], now: datetime) -> None:
    seal_inbound(connection, rows, now=now)


def _seal_older_outbound(connection: Connection, rows: Sequence[dict[str, Any]], now: datetime) -> None:
    """As they are on their way already, so they stay: nothing is encrypted that may have been sent."""
    cases = [case_of(row["referral_id"], row["recipient"]) for row in rows]
    keys = CaseKeys.for_writing(connection, cases, now=now)
    for row, case in zip(rows, cases, strict=True):
        row["jws"] = keys.seal(case, _outbox_field(row, "jws"), row["jws"])


def _leave_out(row: Mapping[str, Any], error: CaseErased | SealBroken) -> None:
    if isinstance(error, SealBroken):
        logger.error("stored text does not open", extra={"code": error.code, "message_id": row["message_id"]})


def _inbox_field(row: Mapping[str, Any]) -> str:
    return f"inbox.jws:{row['source']}:{row['message_id']}"


def _outbox_field(row: Mapping[str, Any], column: str) -> str:
    return f"outbox.{column}:{row['message_id']}"

"""旧台账的存取 Aid granted before the gateway: lines by keyed person keys, their texts sealed, their digests covered.

Rules: a line's digest covers every column that says something (the sealed text as it lies there, the key left out: it
follows from the text); a ledger's root covers its lines' digests in order, and the decision leaf covers the root.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.reconciliation.rows_same_help import LedgerAidRow, OrganKind
from gateway.store import tables as t
from gateway.store.clock import from_ms
from gateway.store.prepared import among, ids

SEPARATOR = "；"
DIGESTED = (
    *("line_id", "ledger_id", "number", "organ", "organ_kind", "programme", "case_number", "original_cases"),
    *("decided_on", "amount_fen", "joint_id", "person"),
)
Place = tuple[str, str, str, str]
"""(organ, programme, case number, person key): the same of all four is one aid told twice."""
_G, _A = t.aid_ledgers.c, t.ledger_aids.c


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptLedger:
    """One imported file."""

    ledger_id: str
    sha256: str
    document: str
    imported: int
    repeated: int
    refused: int
    root: str
    decision_id: str
    at: datetime


def line_digest(row: Mapping[str, Any]) -> str:
    """What a line says, hex."""
    said = [row[name] for name in DIGESTED]
    return sha256(json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


def root_of(digests: Iterable[str]) -> str:
    """Over the digests of a ledger's lines in order, hex."""
    return sha256("".join(f"{digest}\n" for digest in digests).encode()).hexdigest()


def by_digest(connection: Connection, file_sha256: str) -> KeptLedger | None:
    """The ledger of this very file, if it is there."""
    row = connection.execute(sa.select(t.aid_ledgers).where(_G.sha256 == file_sha256)).mappings().first()
    return None if row is None else _kept(row)


def listed(connection: Connection) -> list[KeptLedger]:
    """Every ledger, oldest first."""
    return [_kept(row) for row in connection.execute(sa.select(t.aid_ledgers).order_by(_G.row)).mappings()]


def _kept(row: sa.RowMapping) -> KeptLedger:
    names = ("ledger_id", "sha256", "document", "imported", "repeated", "refused", "root", "decision_id")
    return KeptLedger(**{name: row[name] for name in names}, at=from_ms(row["at"]))


def on_file(connection: Connection, wanted: Collection[Place]) -> set[Place]:
    """Those that are there."""
    keys = {place[-1] for place in wanted}
    found = set[Place]()
    pages = list(keys)
    for start in range(0, len(pages), _AT_ONCE):
        rows = connection.execute(_ON_FILE, ids(pages[start : start + _AT_ONCE]))
        found |= {(row.organ, row.programme, row.case_number, row.person_key) for row in rows}
    return found & set(wanted)


_AT_ONCE = 500
_ON_FILE = sa.select(_A.organ, _A.programme, _A.case_number, _A.person_key).where(among(_A.person_key))


def put(connection: Connection, ledger: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]) -> None:
    """A new ledger with its lines."""
    connection.execute(t.aid_ledgers.insert(), [dict(ledger)])
    if lines:
        connection.execute(t.ledger_aids.insert(), [dict(line) for line in lines])


def mark_persons(connection: Connection, person_keys: Collection[str], *, at: int) -> None:
    """Marks these persons' referrals for reconciliation: they are known to have had aid before."""
    keys = list(person_keys)
    for start in range(0, len(keys), _AT_ONCE):
        connection.execute(_MARK, ids(keys[start : start + _AT_ONCE]) | {"at": at})


_R, _K = t.referrals.c, t.identity_keys.c
_MARK = (
    t.referrals.update()
    .where(_R.referral_id.in_(sa.select(_K.referral_id).where(among(_K.key), _K.role == "beneficiary")))
    .values(reconcile_at=sa.bindparam("at"))
)


def aids_of(connection: Connection, person_keys: Collection[str]) -> dict[str, list[LedgerAidRow]]:
    """Old aid by person key, oldest first."""
    found: dict[str, list[LedgerAidRow]] = {}
    for row in connection.execute(_AIDS, ids(person_keys)).mappings() if person_keys else ():
        found.setdefault(row["person_key"], []).append(_aid(row))
    return found


_AIDS = sa.select(t.ledger_aids).where(among(_A.person_key)).order_by(_A.decided_on, _A.row)


def _aid(row: sa.RowMapping) -> LedgerAidRow:
    return LedgerAidRow(
        line_id=row["line_id"],
        organ=row["organ"],
        organ_kind=OrganKind(row["organ_kind"]),
        case_number=row["case_number"],
        numbers=tuple(part for part in row["original_cases"].split(SEPARATOR) if part),
        decided_on=date.fromisoformat(row["decided_on"]),
        amount_fen=row["amount_fen"],
        joint_id=row["joint_id"],
        programme=row["programme"],
    )

"""疑点依据的存取 The cases findings stand between, and what was decided before on the same evidence."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.store import tables as t
from gateway.store.findings import AnyRow, digest_on_file
from gateway.store.prepared import among, ids

_F, _C = t.findings.c, t.finding_changes.c
_UNDONE = sa.select(_C.finding_key, _C.evidence_digest, _C.decided_as).where(
    among(_C.finding_key), _C.decided_as.is_not(None)
)
_DECIDED = sa.select(t.findings).where(among(_F.referral_id), _F.decided_as.is_not(None))


def decided_before(connection: Connection, rows: Sequence[AnyRow]) -> Mapping[str, str]:
    """Of these rows of `findings` those whose evidence was decided before, each with how: of the finding itself before
    it was opened again, or of another about the same referral, need and kind."""
    by_digest = {(row["key"], digest_on_file(row)): row["key"] for row in rows}
    found: dict[str, str] = {}
    for undone in connection.execute(_UNDONE, ids([row["key"] for row in rows])):
        key = by_digest.get((undone.finding_key, undone.evidence_digest))
        if key is not None:
            found[key] = undone.decided_as
    about = {row["referral_id"] for row in rows if row["referral_id"] is not None}
    decided = {_thing(row): row for row in connection.execute(_DECIDED, ids(about)).mappings()} if about else {}
    for row in rows:
        twin = decided.get(_thing(row))
        if row["referral_id"] is not None and twin is not None and twin["key"] != row["key"]:
            found.setdefault(row["key"], twin["decided_as"])
    return found


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseFacts:
    """One side's case, nothing of its person."""

    referral_id: str
    court: str
    case_number: str
    concluded_on: str
    decision: str
    decided_fen: int
    is_minor: bool
    withdrawn: bool


def cases(connection: Connection, referral_ids: Collection[str]) -> Mapping[str, CaseFacts]:
    """By referral, as far as they are on file."""
    r = t.referrals.c
    columns = (r.referral_id, r.court, r.case_number, r.concluded_on, r.decision, r.decided_amount_fen, r.is_minor)
    statement = sa.select(*columns, r.withdrawn_at).where(r.referral_id.in_(list(referral_ids)))
    return {
        row.referral_id: CaseFacts(
            referral_id=row.referral_id,
            court=row.court,
            case_number=row.case_number,
            concluded_on=row.concluded_on,
            decision=row.decision,
            decided_fen=row.decided_amount_fen,
            is_minor=row.is_minor,
            withdrawn=row.withdrawn_at is not None,
        )
        for row in connection.execute(statement)
    }


def _thing(row: AnyRow) -> tuple[str, ...]:
    return (row["code"], row["referral_id"] or "", row["need_id"] or "", digest_on_file(row))

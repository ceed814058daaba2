"""疑点所属 Whose matter a finding is, kept beside it from its opening: lists of a million are drawn up by it.

Rules: the court of the finding's referral; where it belongs to none, the court its evidence names, else the court of
the referral its evidence names, else the court that must act. What belongs to the exchange as a whole belongs to no
court. A referral's court and its person's groups never change, so neither do a finding's; the groups are those of the
finding's own referral only. The office is the one that has the need; when the need gets another, the database itself
moves the need's findings along, in the same transaction, whoever changes it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.agreement import PartyKind
from gateway.domain.reconciliation.values import Finding
from gateway.store import tables as t
from gateway.store.prepared import among, ids

AT_ONCE = 5_000
_R, _N = t.referrals.c, t.needs.c
_REFERRALS = sa.select(_R.referral_id, _R.court, _R.is_minor, _R.groups).where(among(_R.referral_id))
_OFFICES = sa.select(_N.need_id, _N.office_id).where(among(_N.need_id))
_COURTS = sa.select(t.parties.c.party_id).where(t.parties.c.kind == PartyKind.COURT.value)


def of(connection: Connection, found: Sequence[Finding]) -> Mapping[str, dict[str, Any]]:
    """By key: the columns `of_court`, `of_minor`, `of_groups` and `of_office`."""
    about = {finding.key: finding.referral_id or _text(finding, "referral") for finding in found}
    known = {row.referral_id: row for row in _rows(connection, _REFERRALS, about.values())}
    needs = _rows(connection, _OFFICES, (finding.need_id for finding in found))
    offices = {row.need_id: row.office_id for row in needs}
    courts = set(connection.scalars(_COURTS)) if any(about[one.key] not in known for one in found) else set()
    return {
        finding.key: {
            **_of_referral(finding, known.get(about[finding.key] or ""), courts),
            "of_office": offices.get(finding.need_id or ""),
        }
        for finding in found
    }


def _of_referral(finding: Finding, referral: sa.Row[Any] | None, courts: set[str]) -> dict[str, Any]:
    if referral is not None:
        groups = referral.groups if finding.referral_id is not None else ""
        return {"of_court": referral.court, "of_minor": referral.is_minor, "of_groups": groups}
    named = (_text(finding, "court"), finding.must_act)
    return {"of_court": next((one for one in named if one in courts), None), "of_minor": False, "of_groups": ""}


def _text(finding: Finding, member: str) -> str | None:
    value = finding.evidence.get(member)
    return value if isinstance(value, str) else None


def _rows(connection: Connection, statement: sa.Select[Any], named: Iterable[str | None]) -> Iterator[sa.Row[Any]]:
    wanted = sorted({one for one in named if one is not None})
    for start in range(0, len(wanted), AT_ONCE):
        yield from connection.execute(statement, ids(wanted[start : start + AT_ONCE]))


# --- kept in step ---

_FOLLOW = "UPDATE findings SET of_office = NEW.office_id WHERE referral_id = NEW.referral_id AND need_id = NEW.need_id"
_ON_SQLITE = (
    "DROP TRIGGER IF EXISTS follow_needs",
    "CREATE TRIGGER follow_needs AFTER UPDATE OF office_id ON needs WHEN OLD.office_id IS NOT NEW.office_id "
    f"BEGIN {_FOLLOW}; END",
)
_ON_POSTGRESQL = (
    "CREATE OR REPLACE FUNCTION follow_needs() RETURNS trigger LANGUAGE plpgsql AS $$ "
    f"BEGIN {_FOLLOW}; RETURN NULL; END $$",
    "DROP TRIGGER IF EXISTS follow_needs ON needs",
    "CREATE TRIGGER follow_needs AFTER UPDATE ON needs FOR EACH ROW "
    "WHEN (OLD.office_id IS DISTINCT FROM NEW.office_id) EXECUTE FUNCTION follow_needs()",
)


def install(connection: Connection) -> None:
    """Puts the trigger over the present tables; run again it puts the same."""
    for statement in _ON_SQLITE if connection.dialect.name == "sqlite" else _ON_POSTGRESQL:
        connection.exec_driver_sql(statement)

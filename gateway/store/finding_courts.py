"""疑点所属法院 Whose matter a finding is, kept beside it from its opening: lists of a million are drawn up by it.

Rules: the court of the finding's referral; where it belongs to none, the court its evidence names, else the court of
the referral its evidence names, else the court that must act. What belongs to the exchange as a whole belongs to no
court. A referral's court and whether it is a minor's never change, so neither does this.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.agreement import PartyKind
from gateway.domain.reconciliation.values import Finding
from gateway.store import tables as t
from gateway.store.prepared import among, ids

AT_ONCE = 5_000
_REFERRALS = sa.select(t.referrals.c.referral_id, t.referrals.c.court, t.referrals.c.is_minor).where(
    among(t.referrals.c.referral_id)
)
_COURTS = sa.select(t.parties.c.party_id).where(t.parties.c.kind == PartyKind.COURT.value)


def of(connection: Connection, found: Sequence[Finding]) -> Mapping[str, dict[str, Any]]:
    """By key: the columns `of_court` and `of_minor`."""
    about = {finding.key: finding.referral_id or _text(finding, "referral") for finding in found}
    wanted = sorted({referral_id for referral_id in about.values() if referral_id is not None})
    known: dict[str, tuple[str, bool]] = {}
    for page in _pages(wanted):
        known |= {row.referral_id: (row.court, row.is_minor) for row in connection.execute(_REFERRALS, ids(page))}
    courts = set(connection.scalars(_COURTS)) if any(about[one.key] not in known for one in found) else set()
    return {finding.key: _columns(finding, known.get(about[finding.key] or ""), courts) for finding in found}


def _columns(finding: Finding, referral: tuple[str, bool] | None, courts: set[str]) -> dict[str, Any]:
    if referral is not None:
        return {"of_court": referral[0], "of_minor": referral[1]}
    named = (_text(finding, "court"), finding.must_act)
    return {"of_court": next((one for one in named if one in courts), None), "of_minor": False}


def _text(finding: Finding, member: str) -> str | None:
    value = finding.evidence.get(member)
    return value if isinstance(value, str) else None


def _pages(wanted: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(wanted), AT_ONCE):
        yield wanted[start : start + AT_ONCE]

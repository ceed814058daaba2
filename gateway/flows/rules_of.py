"""卷宗与规则 Dossiers, each with the rules of the agreement version its referral came under."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from gateway.domain.reconciliation.values import Dossier, Rulebook
from gateway.flows.context import Context
from gateway.flows.remind import Superiors
from gateway.store import dossiers


def with_rules(
    connection: Connection, context: Context, referral_ids: Sequence[str], now: datetime
) -> list[tuple[Dossier, Rulebook]]:
    """Dossiers, each with the rules of its agreement version."""
    agreements = context.snapshot(now).agreements
    versions = dossiers.agreement_rows(connection, referral_ids)
    books = {row: context.rulebook(agreements[row]) for row in set(versions.values())}
    superiors = Superiors(context, now=now)
    return [
        (superiors.place(dossier, agreements[row]), books[row])
        for dossier in dossiers.read(connection, referral_ids)
        for row in (versions[dossier.referral.referral_id],)
    ]

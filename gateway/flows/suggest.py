"""应享未请清单 Persons whose circumstances point at a programme nobody asked for, read from the court's signed bytes.

Nothing of it is stored: what a person is (a class of women, a kind of disability) stands in no row, and a rule that
changes today speaks of every referral today. It is a list for the court to look at; the gateway asks for nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from gateway.domain.entitlement import EntitlementRule, load_entitlements, suggested
from gateway.domain.lifecycle import NeedState
from gateway.domain.reconciliation.values import Dossier
from gateway.errors import XianjieError
from gateway.flows.context import Context
from gateway.flows.recall import recall
from gateway.store import dossiers, households

_NOT_ASKED = frozenset({NeedState.WITHDRAWN, NeedState.CANCELLED, NeedState.ENTERED_IN_ERROR})


@dataclass(frozen=True, kw_only=True, slots=True)
class Suggested:
    """应享未请: one programme for one person."""

    referral_id: str
    court: str
    rule: EntitlementRule
    is_minor: bool


def suggestions(context: Context, *, now: datetime, court: str | None = None) -> Iterator[Suggested]:
    """Every suggestion, referrals in the order they came; court: its own only."""
    with context.store.reading() as connection:
        for page in dossiers.pages(connection, court=court):
            yield from _of_page(connection, context, page, now)


def _of_page(connection: Connection, context: Context, page: list[str], now: datetime) -> Iterator[Suggested]:
    known = {dossier.referral.referral_id: dossier for dossier in dossiers.read(connection, page)}
    kept = households.recallable(connection, page)
    proven = recall(connection, kept, context, now=now)
    agreements, rules = context.snapshot(now).agreements, load_entitlements()
    for one in kept:
        referral, dossier = proven[one.referral_id], known[one.referral_id]
        if isinstance(referral, XianjieError) or dossier.referral.withdrawn:
            continue
        programmes = agreements[one.agreement_row].programmes
        for rule in suggested(referral, _asked(dossier), programmes, rules):
            yield Suggested(referral_id=one.referral_id, court=one.court, rule=rule, is_minor=dossier.referral.is_minor)


def _asked(dossier: Dossier) -> set[str]:
    """Programmes asked for the person, in this referral or another."""
    needs = [*dossier.needs, *(need for other in dossier.others for need in other.needs)]
    return {need.programme for need in needs if need.state not in _NOT_ASKED}

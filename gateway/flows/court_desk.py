"""法院经办 What a court's clerk reads of its own referrals: the list with what is held or late, and one whole case.

Reads only; a stranger's referral gets the same answer as none. Of a finding the court is told its kind and its rule,
never the other side's case: what two sides say of each other is put before both by a match (Law 6).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.domain.lifecycle import NeedState
from gateway.domain.reconciliation.balance import overdue_needs
from gateway.domain.reconciliation.rows_court import CourtMoney
from gateway.domain.reconciliation.values import CourtPaymentRow, Dossier, NeedRow, Rulebook
from gateway.errors import ReferralUnknown
from gateway.flows import account
from gateway.flows.account import Fate
from gateway.flows.context import Context
from gateway.flows.follow_up import DueVisit, due_visit
from gateway.flows.rules_of import with_rules
from gateway.store import court_desk, findings, matches
from gateway.store.court_desk import Line, Place, Wanted
from gateway.store.findings import Kept
from gateway.store.matches import KeptMatch


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """One line of the list. overdue: needs past a limit; unknown: needs whose limit nobody can tell."""

    line: Line
    needs: tuple[NeedRow, ...]
    overdue: int
    unknown: int

    @property
    def held(self) -> int:
        """Needs that wait for a person."""
        return sum(need.state is NeedState.HELD for need in self.needs)


def listed(
    context: Context, court: str, wanted: Wanted, *, after: Place | None, most: int, now: datetime
) -> tuple[list[Listed], Place | None]:
    """A page, newest first, and where the next one begins."""
    with context.store.reading() as connection:
        lines = court_desk.page(connection, court, wanted, now=now, after=after, most=most)
        shown = lines[:most]
        pairs = {
            dossier.referral.referral_id: (dossier, rulebook)
            for dossier, rulebook in with_rules(connection, context, [one.referral_id for one in shown], now)
        }
    found = [_listed(one, pairs[one.referral_id], now) for one in shown]
    return found, shown[-1].place if len(lines) > most else None


def _listed(line: Line, pair: tuple[Dossier, Rulebook], now: datetime) -> Listed:
    dossier, rulebook = pair
    late = [one.past for one in overdue_needs(dossier, rulebook, now)]
    return Listed(line=line, needs=dossier.needs, overdue=late.count(True), unknown=late.count(None))


@dataclass(frozen=True, kw_only=True, slots=True)
class CourtCase:
    """一案 Everything the court may see of one referral."""

    fate: Fate
    line: Line
    payments: tuple[CourtPaymentRow, ...]
    money: CourtMoney
    findings: tuple[Kept, ...]
    matches: tuple[KeptMatch, ...]
    due: DueVisit | None
    decided_fen: int

    @property
    def paid_fen(self) -> int:
        """As the court itself said."""
        return sum(one.amount_fen for one in self.payments)


def case_of(context: Context, referral_id: str, *, court: str, now: datetime) -> CourtCase:
    """Raises ReferralUnknown."""
    fate = account.fate(context, referral_id, court=court, now=now)
    with context.store.reading() as connection:
        ((dossier, rulebook),) = with_rules(connection, context, [referral_id], now)
        line = court_desk.line_of(connection, court, referral_id)
        found = findings.of_referral(connection, referral_id)
        heard = matches.listed(connection, party=court, referral_id=referral_id, limit=100)
    if line is None:
        raise ReferralUnknown(ids={"referral_id": referral_id})
    visit = due_visit(dossier, rulebook, now)
    return CourtCase(
        fate=fate,
        line=line,
        payments=dossier.court_payments,
        money=dossier.court_money,
        findings=tuple(found),
        matches=tuple(_of(heard, court, referral_id)),
        due=None if visit is None else visit[0],
        decided_fen=dossier.referral.decided_amount_fen,
    )


def _of(heard: Sequence[KeptMatch], court: str, referral_id: str) -> list[KeptMatch]:
    """Those in which the court is heard about this very referral."""
    return [one for one in heard if any((side.party, side.referral_id) == (court, referral_id) for side in one.sides)]

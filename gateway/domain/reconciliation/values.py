"""对账 What reconciliation reads (rows) and what it says (findings, 疑点).

A `Dossier` is everything recorded about one referral, plus the few facts about other referrals of the same person that
the checks need. Rows hold ids, codes, amounts and dates, never names or identity numbers: `person_key` is a keyed hash
and None where the agreement does not authorise matching (rule P06). Money is integer fen.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from gateway.domain.calendar import WorkCalendar
from gateway.domain.coexistence import CoexistenceRule
from gateway.domain.deadlines import Limit
from gateway.domain.lifecycle import HandoffState, NeedState
from gateway.domain.programmes import Programme
from gateway.domain.reconciliation.rows_court import CourtMoney
from gateway.domain.reconciliation.rows_exchange import CitedInquiryRow
from gateway.domain.reconciliation.rows_household import CircumstancesRow, MemberRow
from gateway.domain.reconciliation.rows_identity import PossibleMatchRow
from gateway.domain.reconciliation.rows_reminders import ReminderRow
from gateway.domain.reconciliation.rows_same_help import SameHelp
from gateway.domain.referral import Decision, ReferralAssessment


@dataclass(frozen=True, kw_only=True, slots=True)
class ReferralRow:
    """One referral as reconciliation sees it. cap_fen: 36-month cap in force, None when no wage was filled in.

    needs_accepted: how many needs intake counted, kept apart from the need rows so that the two can be compared.
    amended_at: when its court last amended it.
    """

    referral_id: str
    court: str
    document: str
    case_number: str
    original_case_group: str | None
    decision: Decision
    decided_amount_fen: int
    concluded_on: date
    accepted_at: datetime
    assessment: ReferralAssessment | None
    is_minor: bool
    withdrawn: bool = False
    person_key: str | None = None
    cap_fen: int | None = None
    cap_exceeded_reason: bool = False
    unenforced_balance_fen: int | None = None
    joint_id: str | None = None
    advance_fen: int = 0
    needs_accepted: int = 0
    joint_decided_fen: int | None = None
    ground_code: str | None = None
    refusal_code: str | None = None
    inquiry_ref: str | None = None
    inquiry_waived: bool = False
    case_type: str | None = None
    groups: tuple[str, ...] = ()
    amended_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class NeedRow:
    """One need with its clocks. `step` counts the organs of a serial route from 0; clocks are those of that step.

    unroutable: dispatch found no office (reason code in `unroutable`); None otherwise. state_at: since when it stands
    in `state`; without it the clocks of a need that waits for its handoff start at `accepted_at`.
    """

    need_id: str
    referral_id: str
    programme: str
    state: NeedState
    accepted_at: datetime
    agency: str | None = None
    office_id: str | None = None
    handoff_id: str | None = None
    step: int = 0
    unroutable: str | None = None
    issued_at: datetime | None = None
    relayed_at: datetime | None = None
    received_at: datetime | None = None
    disposition_at: datetime | None = None
    decided_at: datetime | None = None
    paid_at: datetime | None = None
    approved_fen: int | None = None
    paid_fen: int | None = None
    state_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class HandoffRow:
    """One handoff."""

    handoff_id: str
    referral_id: str
    office_id: str
    agency: str
    state: HandoffState
    issued_at: datetime
    parked_reason: str | None = None
    step: int = 0
    need_ids: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplyRow:
    """One recorded answer about one need. code: common code, None when the agency's code is unknown.

    problem: None, or why the reply was not applied (`unknown_code`, `illegal_move`, `superseded`, `unknown_need`,
    `unexpected`, `denied_without_reason`). person_matches: None when the reply echoes no identity.
    """

    reply_id: str
    message_id: str
    referral_id: str | None
    need_id: str | None
    handoff_id: str | None
    office: str
    code: str | None
    raw_code: str
    at: datetime
    recorded_at: datetime
    applied: bool
    problem: str | None = None
    reason: str | None = None
    has_text: bool = False
    programme: str | None = None
    amount_fen: int | None = None
    starts_on: date | None = None
    ends_on: date | None = None
    payee: str | None = None
    person_matches: bool | None = None
    forwarded_to: str | None = None
    suggested_agency: str | None = None
    suggested_region: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CourtPaymentRow:
    """司法救助金发放: one payment of the court itself."""

    payment_id: str
    referral_id: str
    amount_fen: int
    paid_on: date
    payee: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RelativeRow:
    """Another referral of the same person (same `person_key`), with its needs and what was granted on them."""

    referral: ReferralRow
    needs: tuple[NeedRow, ...] = ()
    replies: tuple[ReplyRow, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Dossier:
    """卷宗: everything reconciliation reads about one referral."""

    referral: ReferralRow
    needs: tuple[NeedRow, ...] = ()
    handoffs: tuple[HandoffRow, ...] = ()
    replies: tuple[ReplyRow, ...] = ()
    court_payments: tuple[CourtPaymentRow, ...] = ()
    others: tuple[RelativeRow, ...] = ()
    circumstances: CircumstancesRow | None = None
    household: tuple[MemberRow, ...] = ()
    """The minors and elders of the household."""
    reminders: tuple[ReminderRow, ...] = ()
    offices_above: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """For each office of a need the same agency's offices above it, nearest first."""
    possible_matches: tuple[PossibleMatchRow, ...] = ()
    court_money: CourtMoney = field(default_factory=CourtMoney)
    cited_inquiry: CitedInquiryRow | None = None
    same_help: SameHelp = field(default_factory=SameHelp)
    kin: tuple[RelativeRow, ...] = ()
    """Referrals of other people of the family, in the order of `same_help.kin`."""


@dataclass(frozen=True, kw_only=True)
class Rulebook:
    """The rules a run applies, all of them data with a version."""

    version: str
    limits: tuple[Limit, ...]
    calendar: WorkCalendar
    programmes: Mapping[str, Programme]
    coexistence: tuple[CoexistenceRule, ...]
    cap_months: int = 0
    """Months of wage the cap stands for; 0: not told."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """疑点: a point in doubt, never a verdict.

    `key` names the thing itself (code and ids), so a second run finds the same key and changes nothing. `evidence`
    holds ids, codes, amounts and dates only, each a JSON value. stake_fen: money in doubt. must_act: a court's party
    id, an office id, or `operator`. due_at None: no limit governs it, or the calendar of that year is not published
    (then the evidence names the year).
    """

    code: str
    rule_id: str
    referral_id: str | None
    need_id: str | None
    subject: str
    """What else distinguishes this finding: the other referral, the reply, the programme pair. May be empty."""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    stake_fen: int = 0
    must_act: str = ""
    due_at: datetime | None = None

    @property
    def key(self) -> str:
        """Stable identity of the finding."""
        return "|".join((self.code, self.referral_id or "-", self.need_id or "-", self.subject))


Check = Callable[[Dossier, Rulebook, datetime], Iterable[Finding]]
"""(dossier, rules, as_of) → findings; pure."""

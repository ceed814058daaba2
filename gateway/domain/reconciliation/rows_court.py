"""法院资金与回访之行 What a court said of its own money and visits, as reconciliation reads it. Amounts in fen."""

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class InstalmentRow:
    """One instalment of a plan."""

    number: int
    due_on: date
    amount_fen: int


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanRow:
    """发放计划 of one referral; the newest counts."""

    plan_id: str
    mode: str
    purposes: tuple[str, ...]
    instalments: tuple[InstalmentRow, ...]
    recorded_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class UseReportRow:
    """资金使用报告. spent: (purpose, fen)."""

    report_id: str
    from_day: date
    to_day: date
    spent: tuple[tuple[str, int], ...]
    irregularity: str | None
    irregular_fen: int | None
    recorded_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class VisitRow:
    """回访记录."""

    visit_id: str
    visited_on: date
    situation: str
    circumstances: tuple[str, ...]
    recovered_fen: int | None
    next_visit_on: date | None
    recorded_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class QuantificationRow:
    """量化测算 of one referral; the newest counts."""

    quantification_id: str
    standard: str
    loss_fen: int
    recovered_fen: int
    hardship: str
    dependants: int
    has_reason: bool
    recorded_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class CourtMoney:
    """法院资金管理: everything of one referral, each oldest first."""

    plans: tuple[PlanRow, ...] = ()
    use_reports: tuple[UseReportRow, ...] = ()
    visits: tuple[VisitRow, ...] = ()
    quantifications: tuple[QuantificationRow, ...] = ()

    @property
    def plan(self) -> PlanRow | None:
        """The one that counts."""
        return self.plans[-1] if self.plans else None

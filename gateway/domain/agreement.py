"""会签文件 Parties 交换主体, offices 承办单位 and agreement profiles 会签文件: who exchanges what, on which document.

Everything that differs by place is data of a profile: parties, programmes, limits, field masks, caps, whether the
operator may correlate persons (rule P06, off by default), validity. The text is read by `flows.agreements`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import lru_cache

from gateway.domain.deadlines import Limit


class PartyKind(StrEnum):
    """交换主体类别."""

    COURT = "court"
    AGENCY = "agency"
    GATEWAY = "gateway"
    AUDITOR = "auditor"


class Channel(StrEnum):
    """How an office receives: pushed over HTTP, pulled from its mailbox, or a sheet carried by hand."""

    PUSH = "push"
    MAILBOX = "mailbox"
    SPREADSHEET = "spreadsheet"


@dataclass(frozen=True, kw_only=True, slots=True)
class Party:
    """交换主体, e.g. `cn/court/520100`; region is a GB/T 2260 code."""

    party_id: str
    kind: PartyKind
    name_zh: str
    region: str
    active: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Office:
    """承办单位: one agency's desk for one region, reached through one channel. batch: handoffs per push request."""

    office_id: str
    party_id: str
    agency: str
    region: str
    channel: Channel
    name_zh: str = ""
    url: str | None = None
    batch: int = 1
    paused: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class AmountRule:
    """三十六个月限额 (rule A01): months of last year's average monthly wage, in fen by (region, year); may be empty."""

    months: int = 36
    wage_scope: str = "province"
    monthly_wage_fen: Mapping[tuple[str, int], int] = field(default_factory=dict)

    def cap_fen(self, region: str, year: int) -> int | None:
        """The cap for a decision of `year` (last year's wage counts); None when no wage was filled in."""
        wage = self.monthly_wage_fen.get((region, year - 1))
        return None if wage is None else wage * self.months


@dataclass(frozen=True, kw_only=True, slots=True)
class AgreementProfile:
    """会签文件. Party patterns use shell wildcards over party ids (`cn/court/52*`)."""

    document: str
    version: int
    title_zh: str
    valid_from: date
    valid_to: date | None
    parties: tuple[str, ...]
    programmes: frozenset[str]
    limits: tuple[Limit, ...]
    masks: Mapping[str, frozenset[str]]
    matching_authorised: bool = False
    impact_assessment: str | None = None
    severe_includes_mental_grades: bool = False
    allow_synthetic: bool = False
    agencies_see_each_other: bool = False
    amounts: AmountRule = field(default_factory=AmountRule)
    sample: bool = False

    def is_valid_on(self, day: date) -> bool:
        """Whether the document is in force on that China day."""
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)

    def names(self, party_id: str) -> bool:
        """Whether the document names the party."""
        return _names(self.parties, party_id)


@lru_cache(maxsize=4096)
def _names(patterns: tuple[str, ...], party_id: str) -> bool:
    return any(fnmatchcase(party_id, pattern) for pattern in patterns)

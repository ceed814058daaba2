"""统计报表 What the statistical report (DOMAIN §8) reads and what it says: rows in, lines out.

Cases are counted by case number, people by `person_ref` (an opaque hash; where it is None every referral counts as a
person of its own, because nobody may say otherwise, rule P06). Money is integer fen. A line knows how many people or
things stand behind it (`cell`), so that public output can leave out what would point at somebody.
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from gateway.domain.lifecycle import FindingState
from gateway.domain.person import SpecificGroup
from gateway.domain.referral import Decision, ReferralAssessment, Urgency

RESIDENT_ID_TYPE = "111"


class Section(StrEnum):
    """报表章节, in the order they are printed."""

    CONCLUDED = "concluded"
    AMOUNT = "amount"
    MONTH = "month"
    CASE_TYPE = "case_type"
    GROUND = "ground"
    REFUSAL = "refusal"
    GROUP = "group"
    OVERLAP = "overlap"
    MINOR = "minor"
    INQUIRY = "inquiry"
    ASSESSMENT = "assessment"
    EXCHANGE = "exchange"
    DENIAL = "denial"
    PACE = "pace"
    CLUE = "clue"
    DUPLICATE = "duplicate"
    MISSED = "missed"
    STATEMENT = "statement"
    FOLLOW_UP = "follow_up"
    QUALITY = "quality"


SECTION_NAMES: dict[Section, tuple[str, str]] = {
    Section.CONCLUDED: ("审结与救助", "Concluded and assisted"),
    Section.AMOUNT: ("人数与金额", "Persons and amounts"),
    Section.MONTH: ("按月", "By month"),
    Section.CASE_TYPE: ("案件类型", "By case type"),
    Section.GROUND: ("救助事由", "By ground"),
    Section.REFUSAL: ("不予救助事由", "Refusals by reason"),
    Section.GROUP: ("特定群体", "Specific groups"),
    Section.OVERLAP: ("特定群体交叉", "Overlap of specific groups"),
    Section.MINOR: ("未成年人", "Minors"),
    Section.INQUIRY: ("协查", "Inquiries"),
    Section.ASSESSMENT: ("移送评估", "Referral assessment"),
    Section.EXCHANGE: ("移送办理", "Referrals by agency and programme"),
    Section.DENIAL: ("社会救助不予理由", "Denial reasons"),
    Section.PACE: ("各环节时长", "Days per step"),
    Section.CLUE: ("线索", "Clues"),
    Section.DUPLICATE: ("重复救助疑点", "Duplicates in doubt"),
    Section.MISSED: ("遗漏疑点", "Missed in doubt"),
    Section.STATEMENT: ("对账单", "Statements"),
    Section.FOLLOW_UP: ("回访", "Return visits"),
    Section.QUALITY: ("数据质量", "Data quality"),
}


class Unit(StrEnum):
    """计量单位 of a line's value."""

    CASE = "case"
    PERSON = "person"
    REFERRAL = "referral"
    NEED = "need"
    FINDING = "finding"
    INQUIRY = "inquiry"
    QUESTION = "question"
    CLUE = "clue"
    STATEMENT = "statement"
    LINE = "line"
    VISIT = "visit"
    FEN = "fen"
    PERCENT = "percent"
    DAY = "day"


UNIT_NAMES: dict[Unit, tuple[str, str]] = {
    Unit.CASE: ("件", "cases"),
    Unit.PERSON: ("人", "persons"),
    Unit.REFERRAL: ("份移送", "referrals"),
    Unit.NEED: ("项需求", "needs"),
    Unit.FINDING: ("条疑点", "findings"),
    Unit.INQUIRY: ("件协查", "inquiries"),
    Unit.QUESTION: ("项协查事项", "questions"),
    Unit.CLUE: ("条线索", "clues"),
    Unit.STATEMENT: ("份对账单", "statements"),
    Unit.LINE: ("行明细", "lines"),
    Unit.VISIT: ("次回访", "visits"),
    Unit.FEN: ("元", "yuan"),
    Unit.PERCENT: ("%", "%"),
    Unit.DAY: ("天", "days"),
}
COUNTS = frozenset(Unit) - {Unit.FEN, Unit.PERCENT, Unit.DAY}
OF_ONE_PERSON = frozenset({Unit.CASE, Unit.PERSON, Unit.INQUIRY, Unit.QUESTION, Unit.CLUE})
"""What is so much of one person that what a count lacks of its total tells as much as the count."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportRow:
    """One referral as the report counts it. groups: `Person.groups_on(concluded_on)`; custody: whether one is set up.

    synthetic: the person is an invented one (the press paragraph says so). paid_on: the court's own payment.
    withdrawn: the court took the request for help back; its decision stands (`report.facts.counted`).
    """

    referral_id: str
    court: str
    case_number: str
    case_type: str | None
    decision: Decision
    decided_amount_fen: int
    concluded_on: date
    ground_code: str | None = None
    refusal_code: str | None = None
    assessment: ReferralAssessment | None = None
    groups: frozenset[SpecificGroup] = frozenset()
    is_minor: bool = False
    urgency: Urgency = Urgency.NORMAL
    custody: bool = False
    paid_on: date | None = None
    person_ref: str | None = None
    accepted_at: datetime | None = None
    id_type: str | None = RESIDENT_ID_TYPE
    has_birth_date: bool = True
    has_region: bool = True
    synthetic: bool = False
    withdrawn: bool = False

    @property
    def is_assisted(self) -> bool:
        return self.decision is Decision.ASSIST


@dataclass(frozen=True, kw_only=True, slots=True)
class FindingCount:
    """One finding as the report counts it. disposition: how a person decided it, None while nobody has; groups: of the
    person it is about."""

    code: str
    state: FindingState
    stake_fen: int = 0
    disposition: str | None = None
    groups: frozenset[SpecificGroup] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportLine:
    """One line. value: a count, fen, a decimal as text, or None when nothing was there to compute or it is suppressed.

    cell: how many people or things stand behind the value; lines of one of the `partitions` add up to a known total;
    lines of one `family` are about the same people, and are left out together.
    """

    section: Section
    key: str
    label_zh: str
    label_en: str
    value: int | str | None
    unit: Unit
    denominator: int | None = None
    denominator_label: str = ""
    persons: int | None = None
    suppressed: bool = False
    cell: int | None = None
    partitions: tuple[str, ...] = ()
    family: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Narrowed:
    """统计范围: whose cases a report counts, within its period; what is None is not asked. courts: of any of these;
    region: its leading digits, where they are all the courts of one."""

    courts: tuple[str, ...] | None = None
    region: str | None = None
    case_type: str | None = None
    group: SpecificGroup | None = None
    agency: str | None = None

    @property
    def is_whole(self) -> bool:
        """Whether every case of its courts counts, so that the figures are those courts publish."""
        return self.case_type is None and self.group is None and self.agency is None

    @property
    def is_of_cases(self) -> bool:
        """Whether it asks for what only a referral tells: inquiries, clues and statements know neither."""
        return self.case_type is not None or self.group is not None

    @property
    def tells_statements(self) -> bool:
        """Whether it asks for what an office's statement tells, which is of no court."""
        return not self.is_of_cases and (self.courts is None or self.region is not None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """统计报表 of one period (both days included) and region. public: cells under five are left out; court_zh: the one
    court it is of; within: what it counts alone, Chinese and English, where it does not count everything."""

    period_from: date
    period_to: date
    region: str
    lines: tuple[ReportLine, ...]
    region_zh: str = ""
    synthetic: bool = False
    public: bool = False
    court_zh: str = ""
    within: tuple[str, str] = ("", "")

    def line(self, key: str) -> ReportLine:
        """The line with this key; KeyError when the report has none."""
        for found in self.lines:
            if found.key == key:
                return found
        raise KeyError(key)

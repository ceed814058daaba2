"""统计计数 What stands in no referral, as the report counts it: one row each, of ids, codes, amounts and moments.

`past` says whether its time was over when the rows were read; None where no published calendar can tell. Nothing here
names anybody: `person_ref` is the same opaque hash as a referral's, and None where nobody may match (rule P06).
"""

from dataclasses import dataclass
from datetime import datetime

from gateway.domain.lifecycle import StatementState
from gateway.domain.referral import Decision
from gateway.domain.replies import ClueAnswer


@dataclass(frozen=True, kw_only=True, slots=True)
class QuestionCount:
    """协查事项: one programme asked about. agency None: nobody could be asked; answer: the newest; answered_at: when
    the first came."""

    agency: str | None
    answer: str | None = None
    answered_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class InquiryCount:
    """One inquiry (协查). decision: of the case it was asked for, ASSIST where anybody was aided, None while no
    referral tells; cited: whether a refusal as already assisted (X6) rests on it."""

    inquiry_id: str
    asked_at: datetime
    due_at: datetime | None
    past: bool | None
    questions: tuple[QuestionCount, ...]
    person_ref: str | None = None
    decision: Decision | None = None
    cited: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class ClueCount:
    """One clue (线索). agency: of the party that told it; forwarded: whether a court of the region could be told;
    answers: its codes, oldest first; past: whether the court's time for the next answer is over; became_referral:
    whether a referral of that court stands under a case number it answered with."""

    agency: str
    forwarded: bool
    answers: tuple[ClueAnswer, ...] = ()
    past: bool | None = False
    became_referral: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class StatementCount:
    """One statement (对账单). announced: lines its manifest names; kept, bad, named: of those that were read, all,
    those compared with nothing, those that name a need. undecided, decided, gone: its doubts by what became of them."""

    agency: str
    state: StatementState
    is_replaced: bool = False
    announced: int = 0
    kept: int = 0
    bad: int = 0
    named: int = 0
    undecided: int = 0
    decided: int = 0
    gone: int = 0

    @property
    def doubts(self) -> int:
        """All of them."""
        return self.undecided + self.decided + self.gone


@dataclass(frozen=True, kw_only=True, slots=True)
class FollowUpCount:
    """The return visits (回访) of one referral. is_awaited: whether one is still to be made."""

    referral_id: str
    visits: int
    is_awaited: bool
    past: bool | None = None

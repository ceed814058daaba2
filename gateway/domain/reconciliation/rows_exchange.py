"""所引协查之行 The inquiry a referral cites, as reconciliation reads it: which court asked, and what was answered."""

from dataclasses import dataclass

SUPPORTING = frozenset({"ACTIVE", "ENDED"})


@dataclass(frozen=True, kw_only=True, slots=True)
class CitedInquiryRow:
    """所引协查. answers: (programme, answer); a question nobody answered has NOT_ANSWERED."""

    inquiry_id: str
    court: str
    person_key: str | None
    answers: tuple[tuple[str, str], ...]

    @property
    def supports(self) -> bool:
        """Whether somebody answered that the person is or was helped."""
        return any(answer in SUPPORTING for _, answer in self.answers)

"""疑似同一人之行 What the comparison at intake found, as reconciliation reads it: codes and points, nothing of the
persons."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class PossibleMatchRow:
    """疑似同一人: a referral that came when `other_referral_id` was there. verdict: SAME (records of one person that
    differ) or POSSIBLE; waterfall: (field, outcome, points) each."""

    match_id: str
    other_referral_id: str
    other_withdrawn: bool
    verdict: str
    kind: str
    score: int
    waterfall: tuple[tuple[str, str, int], ...]
    version: str
    at: datetime

"""得分瀑布图 How a comparison's points add up, drawn: one bar a field from where the last one ended, and both limits.

Codes and points only, nothing of the two people. Everything the picture says stands in the table beside it too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gateway.matching.compare import CAP
from gateway.matching.weights import load_weights
from gateway.web.pages.shown import t, word

WIDTH, LABEL, RIGHT, ROW, TOP = 760, 170, 60, 30, 34
_MARGIN = 10
_CAPPED = ("亲属共有之项合计封顶", "what relatives share is capped")


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """One field's bar. x, width, y in the picture's units; total: the sum so far."""

    field: str
    outcome: str
    points: int
    total: int
    x: float
    width: float
    y: int

    @property
    def sort(self) -> str:
        """Speaks for one person, against, or neither."""
        return "good" if self.points > 0 else "bad" if self.points < 0 else "none"


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """A limit: a line through the picture."""

    x: float
    points: int
    words: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Chart:
    """瀑布图. label: how wide the words on the left are."""

    bars: tuple[Bar, ...]
    marks: tuple[Mark, ...]
    score: int
    zero: float
    height: int
    verdict: str
    version: str
    width: int = WIDTH
    label: int = LABEL
    top: int = TOP


def chart(steps: Sequence[Sequence[Any]], *, verdict: str, version: str) -> Chart:
    """Of (field, outcome, points) each."""
    weights, totals, total = load_weights(), [0], 0
    for _, _, points in steps:
        total += int(points)
        totals.append(total)
    low = min(*totals, 0) - _MARGIN
    high = max(*totals, weights.same_from) + _MARGIN
    scale = (WIDTH - LABEL - RIGHT) / (high - low)

    def at(points: int) -> float:
        return round(LABEL + (points - low) * scale, 1)

    bars = tuple(
        Bar(
            field=word(field, "match_field"),
            outcome=_outcome(str(field), str(outcome)),
            points=int(points),
            total=totals[index + 1],
            x=at(min(totals[index], totals[index + 1])),
            width=max(round(abs(int(points)) * scale, 1), 1.5),
            y=TOP + index * ROW,
        )
        for index, (field, outcome, points) in enumerate(steps)
    )
    marks = (
        Mark(x=at(weights.possible_from), points=weights.possible_from, words=t("可能", "possible")),
        Mark(x=at(weights.same_from), points=weights.same_from, words=t("同一人", "the same")),
    )
    height = TOP + len(bars) * ROW + _MARGIN
    return Chart(bars=bars, marks=marks, score=total, zero=at(0), height=height, verdict=verdict, version=version)


def _outcome(field: str, outcome: str) -> str:
    if outcome == CAP:
        return t(*_CAPPED)
    found = load_weights().words.get((field, outcome))
    return outcome if found is None else t(*found)

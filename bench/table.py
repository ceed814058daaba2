"""表 One table: what was measured, how much, how that stands to this machine's floor or to the aim."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from unicodedata import east_asian_width


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """One line. against: what `ratio` relates to."""

    what: str
    value: float
    unit: str
    ratio: float | None = None
    against: str = ""
    note: str = ""


def middle(values: Sequence[float]) -> float:
    """The median; 0 of nothing."""
    return median(values) if values else 0.0


def show(heading: str, rows: Sequence[Measured]) -> None:
    """Prints one section."""
    print(f"\n{heading}")
    cells = [(row.what, _number(row.value), row.unit, _ratio(row), row.note) for row in rows]
    widths = [max(_width(line[at]) for line in cells) for at in range(4)]
    for what, value, unit, ratio, note in cells:
        line = (
            f"  {_pad(what, widths[0])}  {value:>{widths[1]}} {_pad(unit, widths[2])}  {_pad(ratio, widths[3])}  {note}"
        )
        print(line.rstrip(), flush=True)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:,.2f}"


def _ratio(row: Measured) -> str:
    return "" if row.ratio is None else f"{row.ratio:.2f}× {row.against}"


def _pad(text: str, width: int) -> str:
    return text + " " * (width - _width(text))


def _width(text: str) -> int:
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)

"""场景 What `make faults` runs: named scenarios, each a number of runs and the four counts they came to.

A scenario is a function of the `Settings` that yields one `Row` for each part of it; the table adds them up. Whoever
has another kind of fault (an old backup, a partition) writes such a function and names it in `tests.faults.__main__`.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from tests.faults.judge import Counts

COLUMNS = ("lost", "unexpected", "duplicated", "recovered")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the command line asks for. thorough: long sweeps try everything, not an even share of it."""

    seed: int = 0
    runs: int = 10_000
    workers: int = 1
    verbose: bool = False
    thorough: bool = False
    say: Callable[[str], None] = lambda _: None

    def tell(self, line: str) -> None:
        """Says it to whoever wants to know everything."""
        if self.verbose:
            self.say(line)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table."""

    name: str
    runs: int
    counts: Counts = field(default_factory=Counts)
    note: str = ""


Scenario = Callable[[Settings], Iterable[Row]]


def lines(rows: Iterable[Row]) -> Iterator[str]:
    """The table, line by line, as its rows come; the total last."""
    head = f"{'scenario':44s} {'runs':>7s} " + " ".join(f"{name:>10s}" for name in COLUMNS)
    yield head
    yield "-" * len(head)
    total, runs = Counts(), 0
    for row in rows:
        total, runs = total + row.counts, runs + row.runs
        yield _line(row.name, row.runs, row.counts) + (f"  {row.note}" if row.note else "")
    yield "-" * len(head)
    yield _line("total", runs, total)
    yield from (f"  {complaint}" for complaint in total.complaints)


def _line(name: str, runs: int, counts: Counts) -> str:
    return f"{name:44s} {runs:7d} " + " ".join(f"{getattr(counts, column):10d}" for column in COLUMNS)

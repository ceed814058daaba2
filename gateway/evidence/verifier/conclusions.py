"""核验结论 What a check concludes: proven, open or refuted, about what, in plain words in Chinese and English.

The words stand in `conclusions.csv`, one line a code; a code has one standing for ever. What is put into the words
comes from the bundle, a stranger's hand: it is cut and cleaned of what could make a text show other than it holds.
"""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files

from gateway.errors import ConfigError

LONGEST = 200


class Standing(StrEnum):
    """How far a conclusion reaches."""

    PROVEN = "proven"
    OPEN = "open"
    REFUTED = "refuted"


@dataclass(frozen=True, kw_only=True, slots=True)
class Words:
    """One line of the table."""

    standing: Standing
    zh: str
    en: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Conclusion:
    """核验结论. subject: the member, id or party it is about; empty for the bundle as a whole."""

    code: str
    standing: Standing
    subject: str
    zh: str
    en: str


class Conclusions:
    """What was concluded so far, in order; the same about the same once."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], Conclusion] = {}
        self._doubted: set[str] = set()

    def add(self, code: str, subject: str = "", **values: object) -> None:
        """One conclusion; values fill the blanks of its words."""
        words = table()[code]
        if words.standing is Standing.REFUTED:
            self._doubted.add(subject)
        shown = {name: clean(str(value)) for name, value in values.items()} | {"subject": clean(subject)}
        self._found.setdefault(
            (code, subject),
            Conclusion(
                code=code,
                standing=words.standing,
                subject=clean(subject),
                zh=words.zh.format_map(shown),
                en=words.en.format_map(shown),
            ),
        )

    def all(self) -> tuple[Conclusion, ...]:
        """Everything."""
        return tuple(self._found.values())

    @property
    def refuted(self) -> bool:
        """Whether anything was refuted."""
        return bool(self._doubted)

    def about(self, subject: str) -> bool:
        """Whether something about this subject was refuted."""
        return subject in self._doubted


def clean(text: str) -> str:
    """One line of at most `LONGEST` characters without controls, marks of direction and what has no shape."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text[:LONGEST])


@cache
def table() -> Mapping[str, Words]:
    """Every code with its words."""
    text = files(__package__).joinpath("conclusions.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    found = {row["code"]: Words(standing=Standing(row["standing"]), zh=row["zh"], en=row["en"]) for row in rows}
    if len(found) != len(rows):
        raise ConfigError("conclusions.csv names a code twice")
    return found

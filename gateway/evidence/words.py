"""用语 How codes are called on the page for people and in the verifier's conclusions, in Chinese and English.

The words stand in `words.csv`; a code without words is shown as itself. Codes of replies have theirs in the domain.
"""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from gateway.domain.rules import read_table


@dataclass(frozen=True, kw_only=True, slots=True)
class Word:
    """One code's names."""

    zh: str
    en: str


def word(kind: str, code: str) -> Word:
    """The names of a code."""
    return _table().get((kind, code), Word(zh=code, en=code))


@cache
def _table() -> Mapping[tuple[str, str], Word]:
    text = files(__package__).joinpath("words.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    found = {(row["kind"], row["code"]): Word(zh=row["zh"], en=row["en"]) for row in rows}
    found |= {("reply", row["code"]): Word(zh=row["zh"], en=row["code"]) for row in read_table("replies")}
    return found

"""行 One row of a file a party hands in: either the data to send, or every reason why it cannot be sent.

A problem names where it is as the sender sees it (row, heading) and as the wire does (pointer, code); never the value.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from marshmallow import Schema

from schemas.problems import flatten

REFERRAL_SUBMITTED = "referral.submitted"


@dataclass(frozen=True, kw_only=True, slots=True)
class RowProblem:
    """One thing wrong with a row.

    row: as the program that made the file counts them; column: the heading of the template, "" in formats without;
    pointer: RFC 6901 into the row's data; code: of `rules/field_codes.csv`, or of an error where the row as a whole
    cannot be read, with `note` saying which rule it breaks.
    """

    row: int
    pointer: str
    code: str
    column: str = ""
    sheet: str = ""
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class RowResult:
    """One row. type: of the message its data is for; data: the wire's dict, None exactly where there are problems."""

    row: int
    data: dict[str, Any] | None
    problems: tuple[RowProblem, ...] = ()
    type: str = REFERRAL_SUBMITTED
    file: str = ""
    sheet: str = ""

    def __post_init__(self) -> None:
        if (self.data is None) is not bool(self.problems):
            raise ValueError("a row has either data or problems")


def shape_problems(schema: Schema, data: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(pointer, code) of everything the wire's shape refuses."""
    return flatten(schema.validate(data))


def unreadable(row: int, code: str, *, note: str = "") -> tuple[RowProblem, ...]:
    """The one problem of a row nothing can be read of."""
    return (RowProblem(row=row, pointer="", code=code, note=note),)


def as_problems(row: int, found: Iterable[tuple[str, str]]) -> tuple[RowProblem, ...]:
    """Problems of a row in a format without columns."""
    return tuple(RowProblem(row=row, pointer=pointer, code=code) for pointer, code in found)

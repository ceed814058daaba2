"""核对疑点 One row that is not what the log or the signed bytes say it must be, named.

A trouble is a point in doubt, not an error: the cut-off goes on and names every one.
"""

from dataclasses import dataclass
from enum import StrEnum


class What(StrEnum):
    """What is the matter with a row."""

    MISSING = "missing"
    """The log, or a signed message, says it was there."""
    ALTERED = "altered"
    """It says something else than the log or the signed message."""
    UNLOGGED = "unlogged"
    """It is there, and neither the log nor any signed message knows of it."""


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Trouble:
    """One row by its table and its own id. referral_id: whose case it is, where that is known."""

    table: str
    ref: str
    what: What
    referral_id: str | None = None
    column: str | None = None
    """Which part of it, where one alone is wrong."""

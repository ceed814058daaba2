"""催办之行 A reminder that was sent, as our own message says it."""

from dataclasses import dataclass
from datetime import datetime

ABOVE = "up"


@dataclass(frozen=True, kw_only=True, slots=True)
class ReminderRow:
    """One reminder: for which handoff, which of its needs (by number), which limit; level 0: to the office itself."""

    handoff_id: str
    need_number: str
    waits_for: str
    level: int
    number: int
    at: datetime


def effect_of(handoff_id: str, need_number: str, waits_for: str, *, level: int, number: int) -> str:
    """What a reminder stands for, once for ever."""
    last = f"{ABOVE}{level}" if level else str(number)
    return f"{handoff_id}/{need_number}:{waits_for}:{last}"


def read_effect(effect: str, at: datetime) -> ReminderRow | None:
    """The reminder an effect stands for; None for what is no reminder of ours."""
    handoff_id, slash, rest = effect.partition("/")
    parts = rest.split(":")
    if not slash or len(parts) != len(("need", "waits_for", "last")):
        return None
    need_number, waits_for, last = parts
    raised, digits = last.startswith(ABOVE), last.removeprefix(ABOVE)
    if not (digits.isascii() and digits.isdigit()):
        return None
    value = int(digits)
    return ReminderRow(
        handoff_id=handoff_id,
        need_number=need_number,
        waits_for=waits_for,
        level=value if raised else 0,
        number=1 if raised else value,
        at=at,
    )

"""占位 Whether a grant that an agency means to make would help one person twice, judged before it is made.

Rules: two grants conflict as the coexistence table says of their programmes: the same one in a common month, one that
excludes the other in a common month, a one-time one ever again. A grant on the very need the reservation is for is no
conflict. Nothing is refused for good: the agency is told what stands against it, and a person decides (Law 6).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from gateway.domain.coexistence import CoexistenceRule, CoexistenceVerdict, verdict
from gateway.domain.programmes import Programme

Month = tuple[int, int]
MOST_MONTHS = 36
"""A benefit without an end is held so many months ahead; it is asked for again before they are over."""
_ONCE = "once"


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """拟给付: what is to be granted. last None: on and on."""

    programme: str
    first: Month
    last: Month | None = None
    need_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """已占: what stands already: a reservation, or a grant an agency told. agency: whose; reference: its own id."""

    programme: str
    first: Month
    last: Month | None
    party: str
    agency: str
    is_grant: bool
    reference: str
    state: str
    need_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Conflict:
    """占位冲突: one thing that stands against the grant, by finding code and rule."""

    code: str
    rule_id: str
    taken: Taken


def conflicts(
    wanted: Wanted,
    taken: Iterable[Taken],
    *,
    coexistence: tuple[CoexistenceRule, ...],
    programmes: Mapping[str, Programme],
) -> Iterator[Conflict]:
    """Everything that stands against it, in the order given."""
    for one in taken:
        if one.is_grant and one.need_id is not None and one.need_id == wanted.need_id:
            continue
        said = _judge(wanted, one, coexistence, programmes)
        if said is not None:
            yield Conflict(code=said[0], rule_id=said[1], taken=one)


def slots(who: str, wanted: Wanted, programmes: Mapping[str, Programme]) -> list[str]:
    """Names that only one reservation at a time may hold: its months, or the programme for life."""
    programme = programmes.get(wanted.programme)
    if programme is not None and programme.one_time:
        return [f"{who}:{wanted.programme}:{_ONCE}"]
    return [f"{who}:{wanted.programme}:{year:04d}-{month:02d}" for year, month in months(wanted)]


def months(wanted: Wanted) -> list[Month]:
    """Every month from the first to the last, at most `MOST_MONTHS`."""
    start = wanted.first[0] * 12 + wanted.first[1] - 1
    end = start + MOST_MONTHS - 1 if wanted.last is None else wanted.last[0] * 12 + wanted.last[1] - 1
    return [divmod_month(number) for number in range(start, min(end, start + MOST_MONTHS - 1) + 1)]


def divmod_month(number: int) -> Month:
    """The month of a running number (years times twelve plus months from 0)."""
    return number // 12, number % 12 + 1


def month_of_text(text: str) -> Month:
    """`2026-03` → (2026, 3)."""
    return int(text[:4]), int(text[5:7])


def month_text(month: Month) -> str:
    """(2026, 3) → `2026-03`."""
    return f"{month[0]:04d}-{month[1]:02d}"


def _meets(wanted: Wanted, one: Taken) -> bool:
    return (one.last is None or wanted.first <= one.last) and (wanted.last is None or one.first <= wanted.last)


def _judge(
    wanted: Wanted, one: Taken, coexistence: tuple[CoexistenceRule, ...], programmes: Mapping[str, Programme]
) -> tuple[str, str] | None:
    rule = verdict(wanted.programme, one.programme, rules=coexistence)
    programme = programmes.get(wanted.programme)
    if wanted.programme == one.programme:
        rule_id = "" if rule is None else rule.rule_id
        if programme is not None and programme.one_time:
            return "DUP_ONE_TIME_REPEATED", rule_id
        return ("DUP_SAME_PROGRAMME_PERIOD", rule_id) if _meets(wanted, one) else None
    if rule is None or rule.verdict is not CoexistenceVerdict.EXCLUDE or not _meets(wanted, one):
        return None
    return "DUP_EXCLUSIVE_PROGRAMMES", rule.rule_id

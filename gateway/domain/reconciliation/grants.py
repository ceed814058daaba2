"""救助给付 What agencies say they granted and paid: months of each grant, and the payments that still stand.

Rules: a continuing benefit runs from its first month to its last, or to the month it was stopped, else on and on; a
one-off grant has the month it was made in. An amount approved for a continuing benefit is per month. A payment the bank
returned does not stand, and one told twice is one. On a serial route only the organ that has the need now grants (R07).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from gateway.domain.calendar import china_day
from gateway.domain.lifecycle import NeedState
from gateway.domain.programmes import Programme, ProgrammeKind
from gateway.domain.reconciliation.findings import in_order
from gateway.domain.reconciliation.values import NeedRow, ReferralRow, ReplyRow, Rulebook
from gateway.domain.replies import ReplyCode

Month = tuple[int, int]
"""(year, month)."""

_GRANTING = frozenset({ReplyCode.APPROVED, ReplyCode.PAID, ReplyCode.SERVICE_DELIVERED, ReplyCode.ALREADY_COVERED})
_ENDING = frozenset({ReplyCode.STOPPED, ReplyCode.DECEASED, ReplyCode.CLOSED})
_CONTINUING_KINDS = frozenset({ProgrammeKind.BASIC, ProgrammeKind.STATUS, ProgrammeKind.CHILD})
_MONTHLY_SUBSIDIES = frozenset({"LSD", "NSD"})
_HEARD = frozenset({None, "superseded", "illegal_move"})
"""Problems under which an answer still says what the agency did; others are about nothing of ours."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Grant:
    """One programme granted on one need. last None: it goes on. told_only: it was there before, not granted here."""

    referral: ReferralRow
    need: NeedRow
    programme: str
    office: str
    first: Month
    last: Month | None
    amount_fen: int | None
    reply_id: str
    told_only: bool = False

    def meets(self, other: "Grant") -> bool:
        """Whether both have a month in common."""
        return (other.last is None or self.first <= other.last) and (self.last is None or other.first <= self.last)


def grants_of(
    referral: ReferralRow, needs: Iterable[NeedRow], replies: Sequence[ReplyRow], rulebook: Rulebook
) -> Iterator[Grant]:
    """One grant per need and programme, from the newest answer that grants it."""
    for need in needs:
        if need.state is NeedState.ENTERED_IN_ERROR:
            continue
        mine = in_order([reply for reply in replies if reply.need_id == need.need_id and reply.applied])
        programme = rulebook.programmes.get(need.programme)
        newest = {reply.programme or need.programme: reply for reply in mine if _grants(reply, need, programme)}
        for code, reply in newest.items():
            yield _grant(referral, need, code, reply, mine, rulebook)


def standing_payments(need: NeedRow, replies: Iterable[ReplyRow]) -> list[ReplyRow]:
    """The agency's payments on the need that were neither returned by the bank nor told before, oldest first."""
    standing: list[ReplyRow] = []
    told: set[tuple[object, ...]] = set()
    for reply in in_order([reply for reply in replies if reply.need_id == need.need_id and reply.problem in _HEARD]):
        if reply.code == ReplyCode.PAYMENT_RETURNED and standing:
            standing.pop()
        if reply.code != ReplyCode.PAID:
            continue
        fact = (reply.at, reply.amount_fen, reply.starts_on, reply.ends_on, reply.payee)
        if fact not in told:
            told.add(fact)
            standing.append(reply)
    return standing


def is_continuing(code: str, rulebook: Rulebook) -> bool:
    """Whether the programme is paid month after month."""
    programme = rulebook.programmes.get(code)
    return code in _MONTHLY_SUBSIDIES or (programme is not None and programme.kind in _CONTINUING_KINDS)


def month_of(day: date) -> Month:
    """The calendar month."""
    return day.year, day.month


def months_between(first: date, last: date) -> int:
    """Months touched from first to last, both included."""
    return (last.year - first.year) * 12 + last.month - first.month + 1


def _grants(reply: ReplyRow, need: NeedRow, programme: Programme | None) -> bool:
    if reply.code not in _GRANTING:
        return False
    serial = programme is not None and len(programme.serial_route) > 1
    return not serial or reply.code != ReplyCode.APPROVED or reply.handoff_id == need.handoff_id


def _grant(
    referral: ReferralRow,
    need: NeedRow,
    programme: str,
    reply: ReplyRow,
    replies: Sequence[ReplyRow],
    rulebook: Rulebook,
) -> Grant:
    period = next((said for said in reversed(replies) if said.code in _GRANTING and said.starts_on is not None), reply)
    first = month_of(period.starts_on or china_day(reply.at))
    return Grant(
        referral=referral,
        need=need,
        programme=programme,
        office=reply.office,
        first=first,
        last=_last_month(programme, first, period, reply, replies, rulebook),
        amount_fen=reply.amount_fen,
        reply_id=reply.reply_id,
        told_only=reply.code == ReplyCode.ALREADY_COVERED,
    )


def _last_month(
    programme: str, first: Month, period: ReplyRow, reply: ReplyRow, replies: Sequence[ReplyRow], rulebook: Rulebook
) -> Month | None:
    ended = [said for said in replies if said.code in _ENDING and said.at >= reply.at]
    stated = None if period.ends_on is None else month_of(period.ends_on)
    if stated is None and not is_continuing(programme, rulebook):
        stated = first
    stops = [month_of(stop_day(said)) for said in ended]
    return min([*stops, *([stated] if stated is not None else [])], default=None)


def stop_day(reply: ReplyRow) -> date:
    """The first day a stop or a death counts: as stated, else the day it was told."""
    return reply.starts_on or china_day(reply.at)

"""时钟 Which time limits run for a need right now, and whether each has passed.

Rules: a clock starts at the last fact and stops at the next one (`limits` of the agreement say how long); a forwarded
need keeps its clock (R08); a need nobody may act on (held, ended) has none. A year whose holiday notice is not loaded
is never guessed: `past` is then None, unless even a year without holidays could not have used the days up.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum

from gateway.domain.calendar import CHINA, china_day, end_of_china_day
from gateway.domain.deadlines import Limit, due, find_limit, is_past
from gateway.domain.lifecycle import OPEN_NEEDS, NeedState
from gateway.domain.programmes import ProgrammeKind
from gateway.domain.reconciliation.values import Dossier, NeedRow, ReplyRow, Rulebook
from gateway.domain.replies import ReplyCode
from gateway.errors import CalendarUnpublished

CONCLUDED, ASSESSED = "case_concluded", "referral_assessment"
ISSUED, RELAYED, DELIVERED = "handoff.issued", "receipt.relay", "receipt.delivery"
DISPOSITION, DECISION, PAID = "disposition", "decision", "paid"
ASKED, ANSWERED = "inquiry.asked", "inquiry.answered"
UNREACHABLE, CONTACTED = "unreachable", "contacted"

COURT = "court"
ANY_PROGRAMME = "*"

BOUNCES = frozenset({ReplyCode.NOT_IN_SCOPE, ReplyCode.NOT_IN_REGION, ReplyCode.MOVED})
"""Answers that leave a need with nobody until it is handed on."""
REFUSALS = frozenset({ReplyCode.DENIED, ReplyCode.ALREADY_COVERED, ReplyCode.PERSON_DECLINED, ReplyCode.DECEASED})
DECISIONS = REFUSALS | {ReplyCode.APPROVED, ReplyCode.PAID, ReplyCode.SERVICE_DELIVERED}


class Waiting(StrEnum):
    """What a clock waits for."""

    ASSESSMENT = "assessment"
    HANDOFF = "handoff"
    RELAY = "relay"
    DELIVERY = "delivery"
    DISPOSITION = "disposition"
    DECISION = "decision"
    PAYMENT = "payment"
    REISSUE = "reissue"
    ONWARD = "onward"
    ANSWER = "answer"
    FOLLOW_UP = "follow_up"
    USE_REPORT = "use_report"
    CONTACT = "contact"


@dataclass(frozen=True, kw_only=True, slots=True)
class Clock:
    """One running limit. past None: it cannot be told, because the notice of `unpublished_year` is not loaded.

    due_at None: the last moment lies in a year that is not published yet.
    """

    waits_for: Waiting
    limit_id: str
    started_at: datetime
    past: bool | None
    due_at: datetime | None
    unpublished_year: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Term:
    """From which fact to which, and when the first one happened."""

    waits_for: Waiting
    from_step: str
    to_step: str
    start: datetime


def read_clock(
    limit: Limit, start: datetime, as_of: datetime, *, minor: bool, rulebook: Rulebook, waits_for: Waiting
) -> Clock:
    """The limit as it stands at `as_of`; never raises for a year without a notice."""
    due_at, year = None, None
    try:
        due_at = due(limit, start, minor=minor, calendar=rulebook.calendar)
        past: bool | None = as_of > due_at
    except CalendarUnpublished as gap:
        year = int(gap.ids["year"])
        past = _past_without_notice(limit, start, as_of, minor=minor, rulebook=rulebook)
    return Clock(
        waits_for=waits_for,
        limit_id=limit.limit_id,
        started_at=start,
        past=past,
        due_at=due_at,
        unpublished_year=year,
    )


def _past_without_notice(
    limit: Limit, start: datetime, as_of: datetime, *, minor: bool, rulebook: Rulebook
) -> bool | None:
    try:
        return is_past(limit, start, as_of, minor=minor, calendar=rulebook.calendar)
    except CalendarUnpublished:
        earliest = end_of_china_day(china_day(start) + timedelta(days=limit.amount(minor=minor)))
        return None if as_of > earliest else False


def assessment_clock(dossier: Dossier, rulebook: Rulebook, as_of: datetime) -> Clock | None:
    """R01: the court's time to assess a concluded case; None when the agreement sets none."""
    since = start_of_china_day(dossier.referral.concluded_on)
    term = _Term(waits_for=Waiting.ASSESSMENT, from_step=CONCLUDED, to_step=ASSESSED, start=since)
    return _clock(term, COURT, ANY_PROGRAMME, dossier, rulebook, as_of)


def payment_clock(
    dossier: Dossier, rulebook: Rulebook, as_of: datetime, *, since: datetime, need: NeedRow | None = None
) -> Clock | None:
    """The time from a decision to its payment: of a need, or of the court itself."""
    term = _Term(waits_for=Waiting.PAYMENT, from_step=DECISION, to_step=PAID, start=since)
    agency, programme = (COURT, ANY_PROGRAMME) if need is None else (need.agency or "", need.programme)
    return _clock(term, agency, programme, dossier, rulebook, as_of)


def answer_clock(dossier: Dossier, rulebook: Rulebook, since: datetime, as_of: datetime) -> Clock | None:
    """How long whoever must act may take to answer a doubt that arose at `since` (the limit for inquiries)."""
    term = _Term(waits_for=Waiting.ANSWER, from_step=ASKED, to_step=ANSWERED, start=since)
    return _clock(term, "", ANY_PROGRAMME, dossier, rulebook, as_of)


def contact_clock(
    need: NeedRow, dossier: Dossier, rulebook: Rulebook, since: datetime, as_of: datetime
) -> Clock | None:
    """How long an office may look for a person it cannot reach before the court does."""
    term = _Term(waits_for=Waiting.CONTACT, from_step=UNREACHABLE, to_step=CONTACTED, start=since)
    return _need_clock(term, need, dossier, rulebook, as_of)


def running_clocks(need: NeedRow, dossier: Dossier, rulebook: Rulebook, as_of: datetime) -> tuple[Clock, ...]:
    """Every limit that runs for the need, in the order its steps are due."""
    replies = applied_to(need, dossier.replies)
    found = [_need_clock(term, need, dossier, rulebook, as_of) for term in _terms(need, replies, rulebook)]
    clocks = tuple(clock for clock in found if clock is not None)
    if not clocks and _is_forwarded(need, replies):
        # no limit of its own: the next organ's answer is due as any first answer is
        term = _Term(waits_for=Waiting.DECISION, from_step=ISSUED, to_step=DISPOSITION, start=replies[-1].at)
        fallback = _need_clock(term, need, dossier, rulebook, as_of)
        clocks = () if fallback is None else (fallback,)
    return clocks


def worst_of(clocks: Iterable[Clock]) -> Clock | None:
    """The first that has passed, else the first that cannot be told, else the first."""
    return min(clocks, key=lambda clock: {True: 0, None: 1, False: 2}[clock.past], default=None)


def clocks_to_watch(dossier: Dossier, rulebook: Rulebook, as_of: datetime) -> tuple[Clock, ...]:
    """Every limit whose passing alone can change what the checks find about the referral."""
    found = [clock for need in dossier.needs for clock in running_clocks(need, dossier, rulebook, as_of)]
    referral = dossier.referral
    wanted = []
    if referral.assessment is None and not referral.withdrawn:
        wanted.append(assessment_clock(dossier, rulebook, as_of))
    if dossier.court_payments:
        since = start_of_china_day(referral.concluded_on)
        wanted.append(payment_clock(dossier, rulebook, as_of, since=since))
    for need in dossier.needs:
        if need.paid_at is not None and need.approved_fen is not None:
            since = need.decided_at or need.paid_at
            wanted.append(payment_clock(dossier, rulebook, as_of, since=since, need=need))
        said = applied_to(need, dossier.replies)
        if said and said[-1].code == ReplyCode.UNREACHABLE:
            wanted.append(contact_clock(need, dossier, rulebook, said[-1].at, as_of))
    return (*found, *(clock for clock in wanted if clock is not None))


def applied_to(need: NeedRow, replies: Iterable[ReplyRow]) -> list[ReplyRow]:
    """The answers that were applied to the need, oldest first."""
    mine = (reply for reply in replies if reply.need_id == need.need_id and reply.applied)
    return sorted(mine, key=lambda reply: (reply.at, reply.recorded_at, reply.reply_id))


def start_of_china_day(day: date) -> datetime:
    """0:00 China time of `day`."""
    return datetime.combine(day, time(), tzinfo=CHINA)


def _is_forwarded(need: NeedRow, replies: Sequence[ReplyRow]) -> bool:
    return need.state in OPEN_NEEDS and bool(replies) and replies[-1].code == ReplyCode.FORWARDED


def _terms(need: NeedRow, replies: Sequence[ReplyRow], rulebook: Rulebook) -> Iterator[_Term]:
    if need.state is NeedState.ASSISTED:
        yield from _returned(need, replies)
    elif need.state is NeedState.DECLINED:
        bounced = [reply.at for reply in replies if reply.code in BOUNCES]
        since = bounced[-1] if bounced else need.disposition_at or need.state_at or need.accepted_at
        yield _Term(waits_for=Waiting.ONWARD, from_step=ISSUED, to_step=RELAYED, start=since)
    elif need.state not in OPEN_NEEDS or need.state is NeedState.CANCEL_REQUESTED:
        return
    elif need.issued_at is None:
        since = max([need.accepted_at, need.state_at or need.accepted_at, *(reply.at for reply in replies)])
        yield _Term(waits_for=Waiting.HANDOFF, from_step=ISSUED, to_step=RELAYED, start=since)
    elif need.disposition_at is None:
        yield from _unanswered(need, need.issued_at)
    elif is_approved(need, replies):
        yield from _unpaid(need, need.disposition_at, rulebook)
    else:
        yield _Term(waits_for=Waiting.DECISION, from_step=DISPOSITION, to_step=DECISION, start=need.disposition_at)
        yield _Term(waits_for=Waiting.DECISION, from_step=DISPOSITION, to_step=PAID, start=need.disposition_at)


def _returned(need: NeedRow, replies: Sequence[ReplyRow]) -> Iterator[_Term]:
    """A payment the bank sent back: the need stands as assisted and the person has nothing."""
    money = [reply for reply in replies if reply.code in (ReplyCode.PAID, ReplyCode.PAYMENT_RETURNED)]
    if need.paid_at is None and money and money[-1].code == ReplyCode.PAYMENT_RETURNED:
        yield _Term(waits_for=Waiting.REISSUE, from_step=DECISION, to_step=PAID, start=money[-1].at)


def _unanswered(need: NeedRow, issued_at: datetime) -> Iterator[_Term]:
    if need.received_at is None:
        if need.relayed_at is None:
            yield _Term(waits_for=Waiting.RELAY, from_step=ISSUED, to_step=RELAYED, start=issued_at)
        yield _Term(waits_for=Waiting.DELIVERY, from_step=ISSUED, to_step=DELIVERED, start=issued_at)
    yield _Term(waits_for=Waiting.DISPOSITION, from_step=ISSUED, to_step=DISPOSITION, start=issued_at)


def _unpaid(need: NeedRow, disposition_at: datetime, rulebook: Rulebook) -> Iterator[_Term]:
    programme = rulebook.programmes.get(need.programme)
    if need.paid_at is not None or (programme is not None and programme.kind is ProgrammeKind.STATUS):
        return  # a status such as the low-income margin is the help itself: nothing is paid
    since = need.decided_at or disposition_at
    yield _Term(waits_for=Waiting.PAYMENT, from_step=DISPOSITION, to_step=PAID, start=disposition_at)
    yield _Term(waits_for=Waiting.PAYMENT, from_step=DECISION, to_step=PAID, start=since)


def is_approved(need: NeedRow, replies: Sequence[ReplyRow]) -> bool:
    """Whether help was decided and the decision stands: a refusal taken back is no decision."""
    said = [reply.code for reply in replies if reply.code in DECISIONS]
    return need.decided_at is not None and (not said or said[-1] not in REFUSALS)


def _need_clock(term: _Term, need: NeedRow, dossier: Dossier, rulebook: Rulebook, as_of: datetime) -> Clock | None:
    return _clock(term, need.agency or "", need.programme, dossier, rulebook, as_of)


def _clock(
    term: _Term, agency: str, programme: str, dossier: Dossier, rulebook: Rulebook, as_of: datetime
) -> Clock | None:
    limit = find_limit(
        rulebook.limits, agency=agency, programme=programme, from_step=term.from_step, to_step=term.to_step
    )
    if limit is None:
        return None
    return read_clock(
        limit,
        term.start,
        as_of,
        minor=dossier.referral.is_minor,
        rulebook=rulebook,
        waits_for=term.waits_for,
    )

"""经办 What a simulated office says at each step about each need of a handoff, decided by `behaviour` and the ids.

Benefits are approved and then paid, services provided, a first organ of a serial route only reviews and lets the next
one decide, matters of an organ outside the exchange are forwarded. A denial always has its reason and its text (R09);
an answer that is not final says when the next one is due.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta

from gateway.domain.calendar import china_day
from gateway.domain.programmes import Programme, ProgrammeKind, load_programmes
from gateway.domain.replies import DenialReason, ReplyCode
from gateway.sandbox.behaviour import Behaviour, Fate, Step, fate_of
from gateway.sandbox.formats import AskedHandoff, AskedNeed, OfficeAnswer

MONTHLY_FEN: Mapping[str, int] = {
    "MLG": 65_000,
    "DST": 88_000,
    "ORP": 120_000,
    "DFU": 100_000,
    "LSD": 10_000,
    "NSD": 12_000,
    "CAN2": 1_000_000,
}
"""Invented sums of programmes that pay; once or by the month."""
EMERGENCY_FEN = 300_000
OVERPAID_FEN = 10_000
NEXT_ANSWER_WITHIN = timedelta(days=14)
REASONS = (
    (DenialReason.INCOME_OVER, "模拟答复：家庭人均收入超过当地标准，司法救助金未计入收入。"),
    (DenialReason.ASSETS_OVER, "模拟答复：家庭财产状况超过当地规定。"),
    (DenialReason.NOT_CONFIRMED, "模拟答复：经入户核查，所述困难情况不属实。"),
)


def answers(step: Step, asked: AskedHandoff, behaviour: Behaviour, now: datetime) -> list[OfficeAnswer]:
    """One answer for every need that has something to say at this step; may be empty."""
    found = (_answer(step, need, asked, behaviour, now) for need in asked.needs)
    return [answer for answer in found if answer is not None]


def _answer(
    step: Step, need: AskedNeed, asked: AskedHandoff, behaviour: Behaviour, now: datetime
) -> OfficeAnswer | None:
    fate = fate_of(behaviour, asked.handoff_id, need.need_id)
    match step:
        case Step.DISPOSITION:
            return _disposition(need, now)
        case Step.DECISION:
            return _decision(need, fate, asked, behaviour, now)
        case Step.PAYMENT if fate in (Fate.HELPED, Fate.OVERPAID) and not need.review_only:
            return _help(need, fate, asked, now)
        case Step.CLOSING:
            return OfficeAnswer(need=need, code=ReplyCode.CLOSED, at=now, text="模拟答复：法院已撤回，办结。")
        case _:
            return None


def _disposition(need: AskedNeed, now: datetime) -> OfficeAnswer:
    other = forwarded_to(need.programme)
    return OfficeAnswer(
        need=need,
        code=ReplyCode.ACCEPTED if other is None else ReplyCode.FORWARDED,
        at=now,
        next_due=china_day(now + NEXT_ANSWER_WITHIN),
        forwarded_to=other,
    )


def _decision(
    need: AskedNeed, fate: Fate, asked: AskedHandoff, behaviour: Behaviour, now: datetime
) -> OfficeAnswer | None:
    if fate is Fate.UNKNOWN_CODE:
        return OfficeAnswer(need=need, code=ReplyCode.APPROVED, at=now, raw_code=UNKNOWN)
    if fate is Fate.DENIED:
        pick = int(behaviour.fraction("reason", asked.handoff_id, need.need_id) * len(REASONS))
        reason, text = REASONS[pick]
        return OfficeAnswer(need=need, code=ReplyCode.DENIED, at=now, reason=reason, text=text)
    if forwarded_to(need.programme) is not None and not need.review_only:
        return None
    amount = None if need.review_only else amount_of(need.programme)
    first, last = (None, None) if amount is None else _twelve_months(china_day(now))
    return OfficeAnswer(
        need=need,
        code=ReplyCode.APPROVED,
        at=now,
        amount_fen=amount,
        first_month=first,
        last_month=last,
        next_due=china_day(now + NEXT_ANSWER_WITHIN),
        person_number=asked.person_number,
    )


UNKNOWN = "unknown"
"""Stands for the format's own unknown code until the reply is written."""


def _help(need: AskedNeed, fate: Fate, asked: AskedHandoff, now: datetime) -> OfficeAnswer:
    amount = amount_of(need.programme)
    if amount is None:
        return OfficeAnswer(
            need=need,
            code=ReplyCode.SERVICE_DELIVERED,
            at=now,
            service="模拟服务：已提供",
            person_number=asked.person_number,
        )
    first, last = _twelve_months(china_day(now))
    return OfficeAnswer(
        need=need,
        code=ReplyCode.PAID,
        at=now,
        amount_fen=amount + (OVERPAID_FEN if fate is Fate.OVERPAID else 0),
        first_month=first,
        last_month=last,
        person_number=asked.person_number,
    )


def amount_of(code: str) -> int | None:
    """What the programme pays; None for a service, a status or an unknown programme."""
    programme = _programme(code)
    if programme is not None and programme.kind is ProgrammeKind.EMERGENCY:
        return EMERGENCY_FEN
    return MONTHLY_FEN.get(code)


def forwarded_to(code: str) -> str | None:
    """The organ outside the exchange that serves the programme."""
    programme = _programme(code)
    if programme is None or programme.kind is not ProgrammeKind.SPECIAL_FORWARDED:
        return None
    return programme.serial_route[-1]


def _programme(code: str) -> Programme | None:
    return load_programmes().get(code)


def _twelve_months(day: date) -> tuple[date, date]:
    """First day of this month and last day of the eleventh after it."""
    first = day.replace(day=1)
    return first, first.replace(year=first.year + 1) - timedelta(days=1)

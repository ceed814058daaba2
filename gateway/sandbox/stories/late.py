"""逾期与遗漏案例 Who was not helped in time, by nobody, or otherwise than was said; and who is in order."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from gateway.domain.calendar import china_day
from gateway.domain.replies import DenialReason, ReplyCode
from gateway.errors import DeniedWithoutReason
from gateway.sandbox.people import resident_id
from gateway.sandbox.stories.story import ELSEWHERE, Said, Stage, Story, answer, handoff

Play = Callable[[Stage, Story], Iterator[None]]
BORN = date(2015, 6, 1)
STEP = timedelta(seconds=10)
UNCALENDARED = "2022-09-06"


def _said(code: ReplyCode, raw: str, **fields: Any) -> Said:
    return Said(code=code, raw=raw, fields=fields or None)


def _money(stage: Stage, fen: int = 60_000, **more: Any) -> dict[str, Any]:
    return {"amount_fen": fen, **_months(stage, 0), **more}


_ACCEPTED = _said(ReplyCode.ACCEPTED, "10")
_RETURNED = _said(ReplyCode.RETURNED, "11", missing=("身份证明",))
_VERIFYING = _said(ReplyCode.IN_VERIFICATION, "20")
_UNREACHABLE = _said(ReplyCode.UNREACHABLE, "51")
_FORWARDED = _said(ReplyCode.FORWARDED, "14", forwarded_to="医疗保障局")


def _child(story: Story) -> Mapping[str, str]:
    """A child at home of whom no referral tells."""
    serial = 2 + 2 * (sum(map(ord, story.name)) % 400)
    number = resident_id(BORN, serial)
    return {"name": "样例小禾", "relation": "20", "id_type": "111", "id_number": number, "birth_date": "2015-06-01"}


def _answers(*acts: Sequence[Said], needs: Sequence[str] = ("MLG",), **referral: Any) -> Play:
    """A referral, and what civil affairs says of its first need, one act after the other."""

    def play(stage: Stage, story: Story) -> Iterator[None]:
        story.refer(stage, needs=needs, **referral)
        yield
        for act in acts:
            answer(stage, handoff(stage, story.id(1)), *act)
            yield

    return play


def _gives(*acts: Callable[[Stage], Sequence[Said]], needs: Sequence[str] = ("MLG",)) -> Play:
    """The same where what is said depends on the stage's day."""

    def play(stage: Stage, story: Story) -> Iterator[None]:
        story.refer(stage, needs=needs)
        yield
        for act in acts:
            answer(stage, handoff(stage, story.id(1)), *act(stage))
            yield

    return play


def _approves(stage: Stage, **more: Any) -> Said:
    return Said(code=ReplyCode.APPROVED, ago=STEP, fields=_money(stage, **more))


def _pays(stage: Stage, fen: int = 60_000, **more: Any) -> Said:
    return Said(code=ReplyCode.PAID, fields=_money(stage, fen, **more))


def _helps(stage: Stage) -> Sequence[Said]:
    return _approves(stage), _pays(stage)


def _stops(reason: DenialReason) -> Callable[[Stage], Sequence[Said]]:
    return lambda _: (Said(code=ReplyCode.STOPPED, raw="60", fields={"reason": reason}),)


def _stops_now(stage: Stage) -> Sequence[Said]:
    """From next month on."""
    return (Said(code=ReplyCode.STOPPED, raw="60", fields={"reason": DenialReason.INCOME_OVER, **_months(stage, 1)}),)


def _months(stage: Stage, later: int) -> dict[str, date]:
    """The period of one month, this one or a later one."""
    month = stage.now.date().month - 1 + later
    day = date(stage.now.year + month // 12, month % 12 + 1, 1)
    return {"first_month": day, "last_month": day}


def _sends_back(_stage: Stage) -> Sequence[Said]:
    return (_said(ReplyCode.PAYMENT_RETURNED, "41"),)


def _denied_without_reason(stage: Stage, story: Story) -> Iterator[None]:
    """The adapter refuses the answer; what was tried is remembered."""
    story.refer(stage)
    yield
    answer(stage, handoff(stage, story.id(1)), _ACCEPTED)
    yield
    try:
        answer(stage, handoff(stage, story.id(1)), _said(ReplyCode.DENIED, "31"))
    except DeniedWithoutReason:
        return
    raise AssertionError("a denial without reasons was taken")


def _member(*needs: str) -> Play:
    def play(stage: Stage, story: Story) -> Iterator[None]:
        story.refer(stage, needs=needs, person=story.person(household=[_child(story)]))
        yield

    return play


def _elsewhere(stage: Stage, story: Story) -> Iterator[None]:
    """Not our district, says the office, and names the one; the gateway sends it on."""
    story.refer(stage)
    yield
    answer(stage, handoff(stage, story.id(1)), _said(ReplyCode.NOT_IN_REGION, "13", suggested_region=ELSEWHERE))
    yield


def _outside(stage: Stage, story: Story) -> Iterator[None]:
    story.refer(stage, person=story.person(household_registration_region="430000"))
    yield


def _concluded(day: str | None, assessment: str | None) -> Play:
    """day None: today, so that its limits can be told."""

    def play(stage: Stage, story: Story) -> Iterator[None]:
        on = day or china_day(stage.now).isoformat()
        number = f"（{on[:4]}）黔01司救执{story.serial}号"
        story.refer(stage, needs=(), concluded_on=on, notice_given_at=on, assessment=assessment, case_number=number)
        yield

    return play


_UNANSWERED, _UNDECIDED = ("MISS_NO_RECEIPT",), ("MISS_NO_DECISION",)

STORIES = (
    Story(
        name="late-unassessed",
        zh="结案未评估",
        en="Nobody assessed the case",
        play=_concluded(None, None),
        later=("MISS_NO_ASSESSMENT",),
    ),
    Story(
        name="late-no-notice",
        zh="时限所在年份无放假安排",
        en="A limit in a year without a holiday notice",
        play=_concluded(UNCALENDARED, None),
        finds=("MISS_CLOCK_UNKNOWN",),
    ),
    Story(name="late-outside", zh="外省户籍", en="No office there", play=_outside, finds=("MISS_UNROUTABLE",)),
    Story(name="late-silent", zh="未签收", en="Nobody signed for it", play=_answers(), later=_UNANSWERED),
    Story(
        name="late-undecided",
        zh="逾期未决定",
        en="Accepted and never decided",
        play=_answers((_ACCEPTED,)),
        later=_UNDECIDED,
    ),
    Story(
        name="late-unpaid",
        zh="已批未发",
        en="Approved and never paid",
        play=_gives(lambda stage: (_approves(stage),)),
        later=("MISS_APPROVED_UNPAID",),
    ),
    Story(
        name="late-returned",
        zh="退回未补正",
        en="Returned for material, never brought",
        play=_answers((_RETURNED,)),
        later=("MISS_RETURNED_NOT_RESUBMITTED",),
    ),
    Story(
        name="late-bounced",
        zh="推诿",
        en="Not our business, and nobody else's",
        play=_answers((_said(ReplyCode.NOT_IN_SCOPE, "12"),)),
        finds=("MISS_BOUNCED",),
    ),
    Story(
        name="late-forwarded",
        zh="转办失联",
        en="Forwarded and lost",
        play=_answers((_FORWARDED,), needs=("MED",)),
        later=("MISS_FORWARDED_LOST",),
    ),
    Story(
        name="late-child-at-home",
        zh="家中儿童遗漏",
        en="A child at home nobody thought of",
        play=_member("LEG"),
        finds=("MISS_MEMBER",),
        later=_UNANSWERED,
    ),
    Story(
        name="late-no-paper",
        zh="缺核对授权",
        en="No authorisation to check",
        play=_answers((_ACCEPTED,), verification_authorization=None),
        finds=("MISS_NO_AUTHORISATION",),
        later=_UNDECIDED,
    ),
    Story(
        name="late-no-reason",
        zh="不予救助无理由",
        en="Denied without a reason",
        play=_denied_without_reason,
        finds=("MISS_DENIED_NO_REASON",),
        later=_UNDECIDED,
    ),
    Story(
        name="late-lapsed",
        zh="应续未续",
        en="An allowance that stopped",
        play=_gives(_helps, _stops(DenialReason.CHILD_CONDITION_NOT_MET), needs=("DFU",)),
        finds=("MISS_LAPSED",),
    ),
    Story(
        name="late-unreachable",
        zh="失联",
        en="Nobody can reach the person",
        play=_answers((_UNREACHABLE,)),
        finds=("MISS_UNREACHABLE",),
        later=_UNANSWERED,
    ),
    Story(
        name="late-money-back",
        zh="退票未处理",
        en="The bank sent the money back",
        play=_gives(_helps, _sends_back),
        later=("PAYMENT_RETURNED_OPEN",),
    ),
    Story(
        name="late-paid-after-stop",
        zh="停发后发放",
        en="Paid after the stop",
        play=_gives(_helps, _stops_now, lambda stage: (_pays(stage, 60_000, **_months(stage, 1)),)),
        finds=("PAID_AFTER_STOP",),
    ),
    Story(
        name="late-wrong-amount",
        zh="金额不符",
        en="More paid than approved",
        play=_gives(lambda stage: (_approves(stage), _pays(stage, 70_000))),
        finds=("MM_AMOUNT",),
    ),
    Story(
        name="late-wrong-person",
        zh="身份不符",
        en="The answer is about another person",
        play=_answers((_said(ReplyCode.ACCEPTED, "10", person_number=resident_id(date(1971, 2, 3), 7)),)),
        finds=("MM_PERSON",),
        later=_UNDECIDED,
    ),
    Story(
        name="late-odd-code",
        zh="未知代码",
        en="A code nobody knows",
        play=_answers((_said(ReplyCode.ACCEPTED, "77"),)),
        finds=("MM_UNKNOWN_CODE",),
        later=_UNANSWERED,
    ),
    Story(
        name="late-undone",
        zh="状态不符",
        en="Paid, says the office, and then: refused",
        play=_gives(
            _helps,
            lambda _: (_said(ReplyCode.DENIED, "31", reason=DenialReason.NOT_CONFIRMED, text="合成理由：情况不属实"),),
        ),
        finds=("MM_STATUS",),
    ),
    # --- look-alikes: nothing may be found ---
    Story(name="late-fine-no-need", zh="评估无需求", en="Assessed: no need", play=_concluded(None, "NO_NEED")),
    Story(
        name="late-fine-sent-on",
        zh="改派他县",
        en="Sent on to the county it belongs to",
        play=_elsewhere,
        later=_UNANSWERED,
    ),
    Story(
        name="late-fine-brought",
        zh="补正后续办",
        en="Returned, brought, helped",
        play=_gives(lambda _: (_RETURNED,), lambda _: (_VERIFYING,), _helps),
    ),
    Story(
        name="late-fine-reached",
        zh="失联后找到",
        en="Unreachable, reached, helped",
        play=_gives(lambda _: (_UNREACHABLE,), lambda _: (_VERIFYING,), _helps),
    ),
    Story(
        name="late-fine-paid-again",
        zh="退票后重发",
        en="Sent back by the bank and paid again",
        play=_gives(_helps, _sends_back, lambda stage: (_pays(stage),)),
    ),
    Story(
        name="late-fine-family",
        zh="一家同保",
        en="The child is in the family's allowance",
        play=_member("MLG"),
        later=_UNANSWERED,
    ),
    Story(
        name="late-fine-richer",
        zh="收入超标停发",
        en="Stopped because the family is no longer poor",
        play=_gives(_helps, _stops(DenialReason.INCOME_OVER)),
    ),
    Story(
        name="late-fine-refused",
        zh="书面不予救助",
        en="Refused in writing",
        play=_answers((_said(ReplyCode.DENIED, "31", reason=DenialReason.INCOME_OVER, text="合成理由：收入高于标准"),)),
    ),
    Story(
        name="late-fine-forwarded",
        zh="转办后办成",
        en="Forwarded, and the next organ helped",
        play=_gives(lambda _: (_FORWARDED,), _helps, needs=("MED",)),
    ),
)

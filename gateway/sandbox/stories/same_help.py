"""同一救助案例 One help given twice under another number, before the gateway, to relatives or into one account."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from gateway.domain.replies import ReplyCode
from gateway.sandbox.stories.story import (
    AGREEMENT,
    COURT,
    ELSEWHERE,
    OTHER_COURT,
    Said,
    Stage,
    Story,
    answer,
    handoff,
)

PAID_ON = "2022-09-16"
HEADING = "organ,organ_kind,case_number,original_cases,name,id_number,decided_on,amount_yuan\n"


def _group(story: Story, kind: str = "刑初", court: str = "黔0103") -> str:
    serial = story.referral(1)["original_case_group"].rpartition("执")[2]
    return f"（2021）{court}{kind}{serial}"


def _again(stage: Stage, story: Story, **changes: Any) -> None:
    """The same person at another court, with nothing to refer."""
    honest: dict[str, Any] = {"number": 2, "case_number": _case(story, 2), "needs": ()}
    story.refer(stage, court=OTHER_COURT, **(honest | changes))


def _case(story: Story, number: int) -> str:
    serial = story.referral(number)["case_number"].rpartition("执")[2]
    return f"（2022）黔03司救刑{serial}"


def _paid(stage: Stage, story: Story, number: int = 1, court: str = COURT, **changes: Any) -> None:
    honest = {"amount_fen": 2_000_000, "paid_on": PAID_ON, "payee": "BENEFICIARY"}
    body = {"referral_id": story.id(number), "payment_id": story.id(f"p{len(changes)}{number}"), **(honest | changes)}
    stage.send(court, "judicial_assistance.paid", body, subject=story.id(number))


def _final_instance(stage: Stage, story: Story) -> Iterator[None]:
    """The first court stated both numbers; the second cites the final instance alone, and is held."""
    final = _group(story, "刑终", "黔01")
    story.refer(stage, needs=(), original_case_group=f"{_group(story)}；{final}")
    yield
    _again(stage, story, original_case_group=final)


def _old_ledger(stage: Stage, story: Story) -> Iterator[None]:
    """Paid by a procuratorate in 2015, asked again: the old ledger was imported."""
    person, group = story.person(), _group(story)
    line = f"样例检察院,检察院,{story.id('old')},{group},{person['name']},{person['id_number']},2015-04-01,8000\n"
    stage.operate("ledger", raw=(HEADING + line).encode(), name="old.csv", document=AGREEMENT)
    yield
    story.refer(stage, needs=(), original_case_group=group)


def _joint(stage: Stage, story: Story) -> Iterator[None]:
    """Two courts aid one person jointly, and the shares come to the decision: one aid."""
    shares: dict[str, Any] = {"joint_id": story.id("j"), "joint_decided_fen": 4_000_000, "needs": ()}
    story.refer(stage, **shares)
    yield
    _again(stage, story, **shares)


def _family(story: Story, number: int, **more: Any) -> dict[str, Any]:
    mother = story.person(1, sex="2")
    member = {name: mother[name] for name in ("name", "id_type", "id_number", "birth_date")} | {"relation": "52"}
    return story.person(number, household=[member], **more)


def _relatives(stage: Stage, story: Story) -> Iterator[None]:
    """Widow and son of one dead victim, each in a case of his own."""
    death: dict[str, Any] = {"ground_code": "G3", "original_case_group": _group(story), "needs": ()}
    story.refer(stage, person=story.person(1, sex="2"), **death)
    yield
    _again(stage, story, person=_family(story, 2), **death)


def _one_joint_case(stage: Stage, story: Story) -> Iterator[None]:
    """Widow and son in one case: as the rule wants it."""
    death: dict[str, Any] = {"ground_code": "G3", "original_case_group": _group(story), "needs": ()}
    story.refer(stage, person=story.person(1, sex="2"), case_number=_case(story, 1), **death)
    yield
    story.refer(stage, number=2, person=_family(story, 2), case_number=_case(story, 1), **death)


def _account(story: Story) -> str:
    return f"6217{int(story.referral(1)['case_number'].rpartition('执')[2][:-1]):012d}"


def _strangers(stage: Stage, story: Story) -> Iterator[None]:
    """The money of two people who are nothing to each other goes into one account."""
    story.refer(stage, needs=())
    _again(stage, story, person=story.person(2), original_case_group=_group(story, "民初"))
    yield
    _paid(stage, story, account=_account(story))
    _paid(stage, story, 2, OTHER_COURT, account=_account(story))


def _siblings(stage: Stage, story: Story) -> Iterator[None]:
    """Two people of one household are paid into one account."""
    story.refer(stage, needs=(), person=story.person(1, sex="2"))
    _again(stage, story, person=_family(story, 2), original_case_group=_group(story, "民初"))
    yield
    _paid(stage, story, account=_account(story))
    _paid(stage, story, 2, OTHER_COURT, account=_account(story))


def _advance(stage: Stage, story: Story) -> Iterator[None]:
    """The whole decision is paid beside the advance."""
    story.refer(stage, needs=(), advance_fen=500_000)
    yield
    _paid(stage, story)
    _paid(stage, story, amount_fen=500_000, paid_on="2022-09-17")


def _paid_twice(stage: Stage, story: Story) -> Iterator[None]:
    """One decision, the whole amount twice."""
    story.refer(stage, needs=())
    yield
    _paid(stage, story)
    _paid(stage, story, amount_fen=2_000_000, paid_on="2022-09-17")


def _stranger_took_it(stage: Stage, story: Story) -> Iterator[None]:
    """The payee is neither the person, nor guardian or agent, and no trustee was planned."""
    story.refer(stage, needs=())
    yield
    _paid(stage, story, payee="OTHER")


def _over_balance(stage: Stage, story: Story) -> Iterator[None]:
    """Decided above what is left unenforced."""
    yield
    story.refer(stage, needs=(), unenforced_balance_fen=1_500_000)


def _granted(stage: Stage, story: Story, number: int, agency: str, county: str, **fields: Any) -> None:
    sent = handoff(stage, story.id(number), agency, county)
    place: dict[str, Any] = {"agency": agency, "county": county}
    answer(stage, sent, Said(code=ReplyCode.APPROVED, ago=timedelta(seconds=2), fields=fields), **place)
    answer(stage, sent, Said(code=ReplyCode.PAID, fields=fields), **place)


def _months(stage: Stage) -> dict[str, Any]:
    month: date = stage.now.date().replace(day=1)
    return {"amount_fen": 60_000, "first_month": month, "last_month": month}


def _two(stage: Stage, story: Story, first: str, second: str) -> None:
    """One person, two courts, two counties."""
    story.refer(stage, needs=(first,))
    moved = story.person() | {"household_registration_region": ELSEWHERE}
    changes = {"person": moved, "recipient_region": ELSEWHERE, "original_case_group": _group(story, "民初")}
    _again(stage, story, needs=(second,), **changes)


def _two_counties(stage: Stage, story: Story) -> Iterator[None]:
    """The guarantee in one month from two counties."""
    _two(stage, story, "MLG", "MLG")
    yield
    _granted(stage, story, 1, "civil_affairs", "520103", **_months(stage))
    _granted(stage, story, 2, "civil_affairs", ELSEWHERE, **_months(stage))


def _excluded(stage: Stage, story: Story) -> Iterator[None]:
    """The guarantee here, support for the destitute there."""
    _two(stage, story, "MLG", "DST")
    yield
    _granted(stage, story, 1, "civil_affairs", "520103", **_months(stage))
    _granted(stage, story, 2, "civil_affairs", ELSEWHERE, **_months(stage))


def _twice_in_life(stage: Stage, story: Story) -> Iterator[None]:
    """The aid for two cancers, once in a life, from two counties."""
    _two(stage, story, "CAN2", "CAN2")
    yield
    for number, county in ((1, "520103"), (2, ELSEWHERE)):
        _granted(stage, story, number, "womens_federation", county, amount_fen=1_000_000)


def _died(stage: Stage, story: Story) -> Iterator[None]:
    """One county told of the death; the other paid on for the month after."""
    _two(stage, story, "MLG", "NSD")
    yield
    month: date = stage.now.date().replace(day=1)
    before = (month - timedelta(days=1)).replace(day=1)
    sent = handoff(stage, story.id(1))
    answer(stage, sent, Said(code=ReplyCode.DECEASED, raw="52", fields={"first_month": before}))
    _granted(stage, story, 2, "disabled_persons", ELSEWHERE, **_months(stage))


STORIES = (
    Story(
        name="final-instance",
        zh="换用终审案号",
        en="Cited by the final number",
        play=_final_instance,
        finds=("DUP_SAME_ORIGINAL_CASE",),
    ),
    Story(
        name="old-ledger",
        zh="旧台账已救助",
        en="Aided in an old ledger",
        play=_old_ledger,
        finds=("DUP_SAME_ORIGINAL_CASE",),
    ),
    Story(name="joint-shares", zh="联动救助分担", en="Shares of joint aid", play=_joint),
    Story(
        name="relatives-split",
        zh="近亲属分案",
        en="Relatives in two cases",
        play=_relatives,
        finds=("DUP_RELATIVES_SPLIT",),
    ),
    Story(name="relatives-joint", zh="近亲属一案", en="Relatives in one case", play=_one_joint_case),
    Story(
        name="shared-account",
        zh="陌生人同一账户",
        en="Strangers, one account",
        play=_strangers,
        finds=("SHARED_ACCOUNT",),
    ),
    Story(name="family-account", zh="一家同一账户", en="One family's account", play=_siblings),
    Story(
        name="advance-kept",
        zh="先行救助未扣减",
        en="Advance not netted",
        play=_advance,
        finds=("DUP_ADVANCE_NOT_NETTED",),
    ),
    Story(
        name="court-paid-twice",
        zh="法院重复支付",
        en="Paid twice by the court",
        play=_paid_twice,
        finds=("DUP_PAYMENT",),
    ),
    Story(
        name="stranger-took",
        zh="他人领款",
        en="A stranger took it",
        play=_stranger_took_it,
        finds=("PAYEE_NOT_BENEFICIARY",),
    ),
    Story(name="over-balance", zh="超未执行到位金额", en="Above the balance", play=_over_balance, finds=("OVER_CAP",)),
    Story(
        name="twice-in-life",
        zh="两癌救助两次",
        en="Once in a life, twice",
        play=_twice_in_life,
        finds=("DUP_ONE_TIME_REPEATED",),
    ),
    Story(
        name="died-elsewhere",
        zh="他县已报死亡",
        en="Dead in another county's books",
        play=_died,
        finds=("PAID_DECEASED",),
        later=("MISS_NO_RECEIPT",),  # the route's second organ has not taken the need
    ),
    Story(
        name="two-counties",
        zh="两县同期低保",
        en="The guarantee in two counties",
        play=_two_counties,
        finds=("DUP_SAME_PROGRAMME_PERIOD",),
    ),
    Story(
        name="excluded-pair",
        zh="互斥项目两县",
        en="Two that exclude each other",
        play=_excluded,
        finds=("DUP_EXCLUSIVE_PROGRAMMES",),
    ),
)

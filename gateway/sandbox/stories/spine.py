"""主干案例 A referral that goes all the way round, and one that two courts open for one need."""

from collections.abc import Iterator
from datetime import timedelta

from gateway.domain.replies import ReplyCode
from gateway.sandbox.stories.story import OTHER_COURT, Said, Stage, Story, answer, handoff


def _helped(stage: Stage, story: Story) -> Iterator[None]:
    """Accepted, approved and paid by civil affairs: nothing to find."""
    story.refer(stage)
    yield
    sent = handoff(stage, story.id(1))
    answer(stage, sent, Said(code=ReplyCode.ACCEPTED), type_="handoff.disposition")
    yield
    month = stage.now.date().replace(day=1)
    given = {"amount_fen": 60_000, "first_month": month, "last_month": month}
    answer(stage, sent, Said(code=ReplyCode.APPROVED, ago=timedelta(seconds=2), fields=given))
    answer(stage, sent, Said(code=ReplyCode.PAID, fields=given))


def _open_elsewhere(stage: Stage, story: Story) -> Iterator[None]:
    """One person, one programme, two courts: the second referral is warned of and found, and goes on all the same."""
    story.refer(stage)
    yield
    told = story.refer(
        stage,
        court=OTHER_COURT,
        number=2,
        case_number="（2022）黔03司救执90001号",
        original_case_group="（2021）黔0302执90001号",
    )
    if "open_elsewhere" not in told.warnings:
        raise AssertionError("the second court was not warned")


STORIES = (
    Story(name="helped", zh="一次办成", en="Helped once", play=_helped),
    Story(
        name="open-elsewhere",
        zh="同一需求两院移送",
        en="One need, two courts",
        play=_open_elsewhere,
        finds=("DUP_OPEN_REFERRAL",),
        later=("MISS_NO_RECEIPT", "MISS_NO_RECEIPT"),
    ),
)

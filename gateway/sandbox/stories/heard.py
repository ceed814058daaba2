"""复核案例 Doubts between two courts that are put before both: lawful, a duplicate, no match, and one side silent."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from gateway.sandbox.stories.story import COURT, OTHER_COURT, Stage, Story

Play = Callable[[Stage, Story], Iterator[None]]
_OWN = {COURT: 1, OTHER_COURT: 2}
"""Which of the two referrals is whose."""


def _say(stage: Stage, story: Story, court: str, disposition: str, **more: Any) -> None:
    """A court's word about the match it was asked of."""
    matter = story.id(_OWN[court])
    asked = stage.heard(court, "match.notice", matter)[-1].envelope.data
    own = {name: asked[name] for name in ("match_id", "side", "referral_id")}
    body = {**own, "disposition": disposition, "reason": "经查阅案卷并联系本人（合成内容）。", **more}
    stage.send(court, "match.disposition", body, subject=matter)


def _heard(words: dict[str, dict[str, Any]], stage: Stage, story: Story, *, days: int = 0) -> Iterator[None]:
    """Two courts ask for one programme for one person; both are asked, and say their words."""
    story.refer(stage)
    yield
    story.refer(
        stage,
        court=OTHER_COURT,
        number=2,
        case_number=story.referral(number=2)["case_number"].replace("黔01", "黔03"),
        original_case_group=story.referral(number=2)["original_case_group"].replace("黔0103", "黔0302"),
    )
    yield
    stage.operate("hear", about=story.id(""))
    yield
    for court, said in words.items():
        _say(stage, story, court, **said)
    if days:
        stage.operate("hear", about=story.id(""), days=days)


def _story(name: str, zh: str, en: str, words: dict[str, dict[str, Any]], **more: Any) -> Story:
    days = more.pop("days", 0)
    play: Play = partial(_heard, words, days=days)
    return Story(name=name, zh=zh, en=en, play=play, **more)


_WAITS = ("MISS_NO_RECEIPT", "MISS_NO_RECEIPT")
_FOUND_ALWAYS = ("DUP_OPEN_REFERRAL", *_WAITS)
"""What the checks see whatever was decided of it: the file knows that it is decided."""

STORIES = (
    _story(
        "heard-lawful",
        "双方认为可以并存",
        "Heard: both are lawful",
        {COURT: {"disposition": "LAWFUL_BOTH"}, OTHER_COURT: {"disposition": "LAWFUL_BOTH"}},
        later=_FOUND_ALWAYS,
    ),
    _story(
        "heard-duplicate",
        "一方停止，重复成立",
        "Heard: a duplicate, one gives way",
        {
            COURT: {"disposition": "SAME_HELP_KEEP_MINE"},
            OTHER_COURT: {"disposition": "STOP_MINE", "stops_by": "WITHDRAWAL"},
        },
        later=_FOUND_ALWAYS,
    ),
    _story(
        "heard-false",
        "双方认为不是同一救助",
        "Heard: no match",
        {COURT: {"disposition": "NOT_SAME_HELP"}, OTHER_COURT: {"disposition": "NOT_SAME_HELP"}},
        later=_FOUND_ALWAYS,
    ),
    _story(
        "one-is-silent",
        "一方逾期不答",
        "One side does not answer",
        {COURT: {"disposition": "LAWFUL_BOTH"}},
        days=10,
        finds=("DUP_OPEN_REFERRAL", "MISS_DISPOSITION"),
        later=_WAITS,
    ),
)

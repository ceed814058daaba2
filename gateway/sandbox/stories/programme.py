"""案例节目单 Every story, how all are played side by side, and whether each was found as it must be.

A finding belongs to a story when one of its ids or its evidence names an id of that story.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from gateway.domain.reconciliation.values import Finding
from gateway.sandbox.stories import court_money, exchanges, heard, identity, late, listed, reserved, same_help, spine
from gateway.sandbox.stories.story import PREFIX, Stage, Story

STORIES: tuple[Story, ...] = (
    *spine.STORIES,
    *late.STORIES,
    *identity.STORIES,
    *heard.STORIES,
    *reserved.STORIES,
    *court_money.STORIES,
    *exchanges.STORIES,
    *listed.STORIES,
    *same_help.STORIES,
)
MOST_ACTS = 20
LATER, HALF_YEAR = timedelta(days=60), timedelta(days=185)
"""When it is looked again, with nothing having moved."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What was found of one story, against what had to be."""

    story: Story
    missing: tuple[str, ...]
    """Codes that had to be found and were not."""
    unexpected: tuple[str, ...]
    """Codes nobody had to find, or found twice."""

    @property
    def is_right(self) -> bool:
        """Everything found once, nothing else."""
        return not self.missing and not self.unexpected


def acts(stage: Stage, stories: Sequence[Story] = STORIES) -> Iterator[None]:
    """Plays all stories one act at a time; after each act the mail is delivered. Ends when every story is told."""
    running = {story.name: story.play(stage, story) for story in stories}
    if len(running) < len(stories):
        raise ValueError("two stories of one name")
    for _ in range(MOST_ACTS):
        for name, play in list(running.items()):
            if next(play, _TOLD) is _TOLD:
                del running[name]
        if not running:
            return
        yield
    raise ValueError(f"stories without an end: {', '.join(running)}")


_TOLD = object()


def judge(
    found: Iterable[Finding], later: Iterable[Finding], half_year: Iterable[Finding], stories: Sequence[Story] = STORIES
) -> list[Verdict]:
    """One verdict a story. later, half_year: what would be found when nothing moves for `LATER` and `HALF_YEAR`."""
    now, then, at_last = _by_story(found), _by_story(later), _by_story(half_year)
    verdicts = []
    for story in stories:
        wanted, had = Counter(story.finds), now.get(story.name, Counter())
        missing, unexpected = wanted - had, had - wanted
        wanted_later, had_later = Counter((*story.finds, *story.later)), then.get(story.name, Counter())
        missing |= wanted_later - had_later
        unexpected |= had_later - wanted_later
        missing |= Counter(story.half_year) - at_last.get(story.name, Counter())
        verdicts.append(
            Verdict(
                story=story,
                missing=tuple(sorted(missing.elements())),
                unexpected=tuple(sorted(unexpected.elements())),
            )
        )
    return verdicts


def _by_story(found: Iterable[Finding]) -> dict[str, Counter[str]]:
    counted: dict[str, Counter[str]] = {}
    for finding in found:
        name = story_of(finding)
        if name is not None:
            counted.setdefault(name, Counter())[finding.code] += 1
    return counted


def story_of(finding: Finding) -> str | None:
    """The story a finding is about, by the first of its ids that names one; None for the rest of the province."""
    said = (finding.referral_id, finding.need_id, finding.subject, json.dumps(finding.evidence, default=str))
    for text in said:
        if text and PREFIX in text:
            rest = text.split(PREFIX, 1)[1]
            return max((story.name for story in STORIES if rest.startswith(f"{story.name}-")), key=len, default=None)
    return None

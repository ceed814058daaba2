"""案例 Every told case is found once, explained by its code, and no look-alike is accused."""

import pytest

from gateway.flows.reconcile import look, reconcile_all
from gateway.sandbox.stories.programme import HALF_YEAR, LATER, STORIES, Verdict, acts, judge
from gateway.store import findings
from tests.gateway_world import World
from tests.stories.world_stage import WorldStage


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Verdict]:
    """All stories played once on one gateway."""
    world = World(f"sqlite:///{tmp_path_factory.mktemp('stories') / 'gateway.sqlite'}")
    stage = WorldStage(world)
    for _ in acts(stage):
        stage.deliver()
    stage.deliver()
    reconcile_all(world.context, now=world.now)
    with world.store.reading() as connection:
        found = [kept.finding for kept in findings.listed(connection, limit=100_000)]
    later, half_year = (
        list(look(world.context, as_of=world.now + after, now=world.now)) for after in (LATER, HALF_YEAR)
    )
    world.close()
    return {verdict.story.name: verdict for verdict in judge(found, later, half_year)}


@pytest.mark.parametrize("name", [story.name for story in STORIES])
def test_a_story_is_found_as_it_must_be(name: str, verdicts: dict[str, Verdict]) -> None:
    verdict = verdicts[name]
    assert (verdict.missing, verdict.unexpected) == ((), ())

"""证据包: a referral's evidence holds what its side was asked and said of a match, and nothing of the other side."""

import pytest

from gateway.envelope.compact import decode_segment, split
from gateway.evidence.bundle import read_bundle
from gateway.evidence.verifier.conclusions import Standing
from tests.flows.test_adjudicate import asked_twice, say
from tests.flows.test_evidence import exported, judged
from tests.gateway_world import World
from tests.log_world import LogWorld


@pytest.fixture
def heard(sqlite_world: World) -> LogWorld:
    logged = LogWorld(sqlite_world)
    sqlite_world.context = logged.context
    asked_twice(sqlite_world)
    say(sqlite_world, sqlite_world.court, "NOT_SAME_HELP")
    say(sqlite_world, sqlite_world.neighbour, "NOT_SAME_HELP")
    logged.sign()
    return logged


def test_what_a_side_was_asked_and_said_is_proven(heard: LogWorld) -> None:
    verification = judged(heard)
    assert [one for one in verification.conclusions if one.standing is Standing.REFUTED] == []


def test_nothing_of_the_other_side_is_in_it(heard: LogWorld) -> None:
    files = read_bundle(exported(heard))
    signed = [decode_segment(split(one).payload_segment) for name, one in files.items() if name.startswith("messages/")]
    assert sum(b"match.notice" in one for one in signed) == 1
    for content in (*files.values(), *signed):
        assert b"r-2" not in content
        assert b"cn/court/520300" not in content

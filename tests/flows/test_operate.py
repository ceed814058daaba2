"""人工处置 A person decides, says why, and moves things only where the lifecycle lets them."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from gateway.errors import ConfigError, IllegalMove, ReferralUnknown
from gateway.flows.operate import release, send_again, uphold
from gateway.store import decisions
from gateway.store import tables as t
from gateway.transport.answer import Answer
from tests.gateway_world import CIVIL_AFFAIRS, World

Decide = Callable[..., int]


def held(world: World) -> None:
    world.refer(unenforced_balance_fen=1, needs=[{"programme": "MLG"}, {"programme": "ASD"}])


def decide(world: World, what: Decide, referral_id: str = "r-1", who: str = "法官甲", why: str = "已核实") -> int:
    return what(world.context, referral_id, who=who, why=why, now=world.now)


def log(world: World, subject: str) -> list[tuple[str, str, str]]:
    with world.store.reading() as connection:
        return [(row["who"], row["what"], row["why"]) for row in decisions.about(connection, subject)]


def refused(world: World) -> str:
    """A handoff the office refused; its message id."""
    world.refer()
    world.dispatch()
    world.offices[CIVIL_AFFAIRS].fault = lambda _: Answer(status=422, body=b"")
    world.deliver()
    world.offices[CIVIL_AFFAIRS].fault = None
    return str(world.rows(t.outbox)[0]["message_id"])


def test_releasing_a_hold_lets_its_needs_go_on(world: World) -> None:
    held(world)
    assert decide(world, release) == 2
    assert world.states() == ["accepted", "accepted"]
    assert {row["held_for"] for row in world.rows(t.needs)} == {None}
    assert world.dispatch().handoffs == 2
    assert log(world, "r-1")[-1] == ("法官甲", "hold_released", "已核实")
    assert {row["cause"] for row in world.rows(t.need_moves)[:2]} == {"decision:法官甲"}


def test_upholding_a_hold_ends_its_needs_and_nobody_is_asked(world: World) -> None:
    held(world)
    assert decide(world, uphold) == 2
    assert world.states() == ["entered_in_error", "entered_in_error"]
    assert world.dispatch().handoffs == 0
    assert log(world, "r-1")[-1][1] == "hold_upheld"


@pytest.mark.parametrize("what", [release, uphold])
def test_a_hold_is_decided_once(world: World, what: Decide) -> None:
    held(world)
    decide(world, what)
    with pytest.raises(IllegalMove):
        decide(world, what)
    assert len([entry for entry in log(world, "r-1") if entry[1].startswith("hold_")]) == 1


def test_what_is_not_held_or_not_there_cannot_be_released(world: World) -> None:
    world.refer()
    with pytest.raises(IllegalMove):
        decide(world, release)
    with pytest.raises(ReferralUnknown):
        decide(world, release, "r-none")
    assert world.states() == ["accepted"]


@pytest.mark.parametrize(
    ("who", "why"), [("", "已核实"), ("法官甲", "  "), ("法" * 101, "已核实"), ("法官甲", "x" * 501)]
)
def test_nobody_decides_without_a_name_and_a_reason(world: World, who: str, why: str) -> None:
    held(world)
    for what in (release, uphold):
        with pytest.raises(ConfigError):
            decide(world, what, who=who, why=why)
    with pytest.raises(ConfigError):
        send_again(world.context, ["m"], who=who, why=why, now=world.now)
    assert world.states() == ["held", "held"]


def test_the_longest_name_and_reason_that_are_allowed_are_kept(world: World) -> None:
    held(world)
    assert decide(world, release, who="法" * 100, why="因" * 500) == 2
    assert log(world, "r-1")[-1] == ("法" * 100, "hold_released", "因" * 500)


def test_a_withdrawal_beats_a_release(world: World) -> None:
    held(world)
    body = {"referral_id": "r-1", "reason": "报送有误"}
    world.accept(world.court.sign("referral.withdrawn", body, now=world.now))
    with pytest.raises(IllegalMove):
        decide(world, release)
    assert world.states() == ["withdrawn", "withdrawn"]


def test_a_refused_message_is_sent_again_with_its_own_bytes(world: World) -> None:
    message_id = refused(world)
    assert send_again(world.context, [message_id], who="运维", why="格式已修复", now=world.now) == 1
    assert log(world, message_id) == [("运维", "sent_again", "格式已修复")]
    world.wait(timedelta(seconds=1))
    assert world.deliver().relayed == 1
    assert len(set(world.offices[CIVIL_AFFAIRS].bodies)) == 1
    assert world.states() == ["handed_off"]
    assert [row["state"] for row in world.rows(t.handoffs)] == ["relayed"]


def test_what_is_not_stuck_is_not_sent_again_and_nothing_is_logged(world: World) -> None:
    world.hand_over()
    message_id = str(world.rows(t.outbox)[0]["message_id"])
    assert send_again(world.context, [message_id, "none"], who="运维", why="再试", now=world.now) == 0
    assert log(world, message_id) == []
    assert world.deliver().sent == 0


def test_sending_again_twice_sends_once(world: World) -> None:
    message_id = refused(world)
    counts = [send_again(world.context, [message_id], who="运维", why="再试", now=world.now) for _ in range(2)]
    assert counts == [1, 0]
    assert [world.deliver().sent for _ in range(2)] == [1, 0]


def test_a_handoff_that_was_answered_to_the_end_is_not_issued_anew(world: World) -> None:
    message_id = refused(world)
    office = world.offices[CIVIL_AFFAIRS]
    office.receipt(world.rows(t.outbox)[0]["jws"].encode())
    world.answer(office.received[-1], "50")
    assert world.states() == ["not_assisted"]
    assert send_again(world.context, [message_id], who="运维", why="再试", now=world.now) == 0

"""What the consoles read of lanes, the log and the machine says the same on either engine."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from gateway.domain.lifecycle import MessageState
from gateway.evidence.completeness import Direction
from gateway.flows.diagnose import diagnose, report
from gateway.store import decisions, key_uses, lanes, leases, log_desk, machine
from gateway.store import tables as t
from gateway.transport.answer import Answer
from tests.builders import an_id_number
from tests.gateway_world import CIVIL_AFFAIRS, COURT, GATEWAY, START, World, a_referral_body


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    made = World(database_url)
    yield made
    made.close()


def handed_out(world: World, count: int) -> list[str]:
    """So many handoffs to civil affairs; their message ids, oldest first."""
    for number in range(count):
        person = a_referral_body()["person"] | {"id_number": an_id_number(serial=number + 1)}
        world.refer(referral_id=f"r-{number}", person=person, original_case_group=f"（2025）黔0102民初{number + 1}号")
    while world.dispatch().handoffs:
        pass
    return [row["message_id"] for row in world.rows(t.outbox) if row["office_id"] == CIVIL_AFFAIRS]


def test_a_lane_counts_what_is_open_by_state_and_since_when(world: World) -> None:
    handed_out(world, 3)
    world.offices[CIVIL_AFFAIRS].fault = lambda _: Answer(status=400, body=b"")
    world.deliver()
    with world.store.reading() as connection:
        (lane,) = lanes.lanes(connection, [CIVIL_AFFAIRS])
        every = lanes.lanes(connection)
    assert lane.open == {MessageState.QUEUED: 2, MessageState.REFUSED: 1}
    assert (lane.waiting, lane.stuck, lane.oldest) == (2, 1, START)
    assert [one.office_id for one in every] == sorted(world.offices)
    assert next(one for one in every if one.office_id != CIVIL_AFFAIRS).oldest is None


def test_messages_of_all_states_come_in_one_order(world: World) -> None:
    wanted = handed_out(world, 4)
    world.deliver()
    world.offices[CIVIL_AFFAIRS].fault = lambda _: Answer(status=400, body=b"")
    world.deliver()
    with world.store.reading() as connection:
        first = lanes.messages(connection, CIVIL_AFFAIRS, limit=3)
        rest = lanes.messages(connection, CIVIL_AFFAIRS, before=first[-1].row, limit=3)
        refused = lanes.messages(connection, CIVIL_AFFAIRS, state=MessageState.REFUSED, limit=3)
        (attempt,) = lanes.attempts(connection, refused[0].message_id)
    assert [one.message_id for one in (*first, *rest)] == wanted[::-1]
    assert (attempt.outcome, attempt.http_status, attempt.error) == ("refused", 400, "http_400")


def test_what_got_stuck_since_is_told_by_its_last_attempt(world: World) -> None:
    (message_id,) = handed_out(world, 1)
    world.wait(timedelta(days=1))
    world.offices[CIVIL_AFFAIRS].fault = lambda _: Answer(status=400, body=b"")
    world.deliver()
    with world.store.reading() as connection:
        assert lanes.stuck_since(connection, CIVIL_AFFAIRS, world.now, limit=9) == [message_id]
        assert lanes.stuck_since(connection, CIVIL_AFFAIRS, world.now + timedelta(seconds=1), limit=9) == []


def test_what_waits_for_courts_is_counted(world: World) -> None:
    handoff = world.hand_over()
    world.answer(handoff, "20")
    with world.store.reading() as connection:
        assert lanes.unfetched(connection) == []
    values = {"office_id": None, "recipient": COURT, "state": "available", "due_at": None, "seq": 999}
    world.change(t.outbox.update().values(**values))
    with world.store.reading() as connection:
        assert [(one.party_id, one.count) for one in lanes.unfetched(connection)] == [(COURT, 1)]


def test_uses_of_a_key_are_counted_and_paged(world: World) -> None:
    handed_out(world, 3)
    kid = world.court.key.kid
    with world.store.reading() as connection:
        first = key_uses.uses(connection, kid, limit=2)
        rest = key_uses.uses(connection, kid, since=START, before=first[-1].row, limit=2)
        assert (len(first), len(rest), key_uses.count(connection, kid)) == (2, 1, 3)
        assert key_uses.count(connection, kid, since=START + timedelta(seconds=1)) == 0


def test_acts_are_found_by_who_and_what(world: World) -> None:
    def write(connection: object) -> None:
        for who, what in (("account:a", "signed_in"), ("account:b", "signed_in"), ("account:a", "searched")):
            decisions.put(connection, who=who, what=what, subject="x", why="x", now=START)  # type: ignore[arg-type]

    world.store.write(write)
    with world.store.reading() as connection:
        of_a = log_desk.acts(connection, who="account:a", limit=9)
        signed_in = log_desk.acts(connection, what="signed_in", limit=9)
        both = log_desk.acts(connection, who="account:a", what="signed_in", limit=9)
        older = log_desk.acts(connection, who="account:a", before=of_a[0].row, limit=9)
    assert [one.what for one in of_a] == ["searched", "signed_in"]
    assert [one.who for one in signed_in] == ["account:b", "account:a"]
    assert both == older


def test_streams_without_a_commitment_are_there_where_something_was_exchanged(world: World) -> None:
    world.refer()
    with world.store.reading() as connection:
        found = log_desk.streams(connection, GATEWAY, [COURT, "cn/court/520300"])
    assert [(one.party_id, one.direction, one.cutoff) for one in found] == [(COURT, Direction.TO_GATEWAY, None)]


def test_the_machine_is_told_alike(world: World) -> None:
    world.refer()
    world.store.write(lambda c: leases.take(c, "sequencer", owner="w", now=world.now, length=timedelta(seconds=9)))
    with world.store.reading() as connection:
        assert machine.size(connection) > 0
        assert machine.server_version(connection)[0].isdigit()
        assert (machine.server_time(connection) is None) is world.store.is_sqlite
        assert machine.newest_moment(connection) == START
        assert [one.name for one in machine.leases(connection)] == ["sequencer"]
        assert machine.sessions(connection, world.now) == 0
        assert machine.waiting_to_route(connection) == 1
    assert report(diagnose(world.context, now=world.now))["queues"]["to_route"] == 1

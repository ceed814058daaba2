"""更换比对密钥 After a rotation the same people are found, under keys that the former secret does not make."""

from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.errors import ConfigError
from gateway.flows.cutoff import cut_off
from gateway.flows.rekey import rekey
from gateway.matching.identity import identity_key
from gateway.matching.keyed import layers, relayered
from gateway.store import rekeying
from gateway.store import tables as t
from tests.gateway_world import World, a_referral_body

PERSON = a_referral_body()["person"]
WHY: dict[str, Any] = {"who": "测试员", "why": "按年度更换"}


def rotated(world: World) -> bytes:
    return world.context.matching_secret + b"\n" + b"another secret for tests, 32 byte"


def rotate(world: World, **more: Any) -> int:
    secret = rotated(world)
    done = rekey(world.context, secret, now=world.now, **WHY, **more)
    world.context = replace(world.context, matching_secret=secret)
    return done.changed


def a_second(world: World, **said: Any) -> None:
    world.refer(
        world.neighbour,
        referral_id="r-2",
        case_number="（2026）黔03司救民2号",
        original_case_group="（2024）黔0302民初2号",
        person=PERSON | said,
    )


def test_the_same_person_is_found_after_a_rotation_and_every_row_still_follows_from_its_message(world: World) -> None:
    handoff = world.hand_over()
    before = world.rows(t.match_keys)
    assert rotate(world) > len(before)
    assert {row["key"] for row in before}.isdisjoint(row["key"] for row in world.rows(t.match_keys))
    a_second(world)
    assert len({row["person_key"] for row in world.rows(t.referrals)}) == 1
    world.answer(handoff, "20", axdf0004=PERSON["id_number"])
    assert [row["person_matches"] for row in world.rows(t.replies)] == [True]
    assert cut_off(world.context, now=world.now).troubles == ()


def test_a_rotation_is_a_decision_and_done_once(sqlite_world: World) -> None:
    sqlite_world.refer()
    former = sqlite_world.context
    rotate(sqlite_world)
    assert sqlite_world.rows(t.decisions)[-1]["what"] == "matching_rekeyed"
    again = rekey(former, sqlite_world.context.matching_secret, now=sqlite_world.now, **WHY)
    assert (again.changed, again.decision_id) == (0, None)


def test_a_process_with_the_former_secret_compares_nobody(sqlite_world: World) -> None:
    sqlite_world.refer()
    former = sqlite_world.context
    rotate(sqlite_world)
    sqlite_world.context = former
    with pytest.raises(ConfigError):
        a_second(sqlite_world)
    assert len(sqlite_world.rows(t.referrals)) == 1


def test_a_break_leaves_every_key_as_it_was(sqlite_world: World) -> None:
    sqlite_world.refer()
    before = sqlite_world.rows(t.match_keys)
    with pytest.raises(ConfigError):
        rekey(sqlite_world.context, b"x" * 40, now=sqlite_world.now, **WHY)
    with pytest.raises(ConfigError):
        rekey(sqlite_world.context, rotated(sqlite_world), who="", why="", now=sqlite_world.now)
    assert sqlite_world.rows(t.match_keys) == before


def test_lines_of_statements_keep_their_keys_only_if_somebody_says_so(sqlite_world: World) -> None:
    line = {"statement_row": 1, "line": 1, "person_key": "0" * 64, "mark": "0" * 16}
    sqlite_world.change(t.statement_lines.insert().values(**line))
    with pytest.raises(ConfigError):
        rotate(sqlite_world)
    rotate(sqlite_world, leave_statements=True)
    assert sqlite_world.rows(t.statement_lines)[0]["person_key"] == "0" * 64


def test_every_column_of_keys_is_changed_or_known_to_stay() -> None:
    """A table that gains a key gains a line in `store.rekeying`."""
    named = {"key", "person_key", "echo_key", "account_key", "slot"}
    apart = {("findings", "key")}
    found = {
        (table.name, column.name)
        for table in t.metadata.sorted_tables
        for column in table.columns
        if column.name in named and isinstance(column.type, sa.String)
    }
    known = {(table.name, column) for table, column in rekeying.KEYED + rekeying.STAYING}
    assert found - apart == known


def test_a_key_under_two_layers_is_the_key_of_the_first_under_the_second(sqlite_world: World) -> None:
    secret = rotated(sqlite_world)
    one, other = (
        identity_key("111", PERSON["id_number"], secret=s, regions=sqlite_world.context.regions)
        for s in (sqlite_world.context.matching_secret, secret)
    )
    assert one != other
    assert other == rekeying_of(one or "", secret)


def rekeying_of(key: str, secret: bytes) -> str:
    return relayered(key, layers(secret)[-1])

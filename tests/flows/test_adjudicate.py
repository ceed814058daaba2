"""匹配复核 Both sides are heard before a doubt about two is resolved; no side sees or decides what is another's."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from gateway.domain.adjudication import DispositionCode, Resolution, StopsBy
from gateway.domain.lifecycle import MatchState
from gateway.envelope.signing import VerifiedMessage, verify
from gateway.errors import ConfigError, IllegalMove, MatchUnknown, SchemaInvalid
from gateway.evidence.receipt import Receipt
from gateway.flows import findings_desk
from gateway.flows.adjudicate import Adjudicated, adjudicate
from gateway.flows.cutoff import cut_off
from gateway.flows.mailbox import pull
from gateway.flows.match_resolve import appeal, resolve
from gateway.flows.match_said import enter
from gateway.flows.reconcile import reconcile_all
from gateway.store import matches
from gateway.store import tables as t
from gateway.store.matches import KeptMatch
from tests.gateway_world import COURT, NEIGHBOUR, Partner, World

WHO = {"who": "督导员", "why": "测试复核"}
THE_SAME = {"original_case_group": "（2025）黔0102民初1号"}


@pytest.fixture
def two(world: World) -> World:
    """One person, one programme, asked for by two courts."""
    return asked_twice(world)


@pytest.fixture
def two_here(sqlite_world: World) -> World:
    """The same where the engine has no say."""
    return asked_twice(sqlite_world)


def asked_twice(world: World, second: Partner | None = None) -> World:
    world.refer()
    world.wait(timedelta(minutes=1))
    world.refer(
        second or world.neighbour,
        referral_id="r-2",
        case_number="（2026）黔03司救执2号",
        original_case_group="（2025）黔0302民初2号",
    )
    reconcile_all(world.context, now=world.now)
    assert world.open_codes() == ["DUP_OPEN_REFERRAL"]
    assert turn(world) == Adjudicated(opened=1, begun=1)
    return world


def turn(world: World) -> Adjudicated:
    return adjudicate(world.context, now=world.now)


def match(world: World) -> KeptMatch:
    with world.store.reading() as connection:
        (found,) = matches.listed(connection)
    return found


def letters(world: World, party: str, type_: str = "match.notice") -> list[VerifiedMessage]:
    """What lies in a court's mailbox."""
    found = pull(world.context, party, after=0, limit=100)
    read = [verify(wire.encode(), world.keyring, recipient=party, now=world.now) for _, wire in found]
    return [one for one in read if one.envelope.type == type_]


def say(world: World, partner: Partner, disposition: str, **changes: Any) -> Receipt:
    """A court's disposition of the newest notice it got."""
    return world.accept(said(world, partner, disposition, **changes))


def said(world: World, partner: Partner, disposition: str, type_: str = "match.disposition", **changes: Any) -> bytes:
    asked = letters(world, partner.party_id)[-1].envelope.data
    honest = {"match_id": asked["match_id"], "side": asked["side"], "referral_id": asked["referral_id"]}
    honest |= {"reason": "经查", **({} if type_ == "match.appealed" else {"disposition": disposition})}
    if disposition == "STOP_MINE":
        honest["stops_by"] = "WITHDRAWAL"
    data = {name: value for name, value in (honest | changes).items() if value is not None}
    return partner.sign(type_, data, now=world.now)


def finding(world: World) -> Any:
    (row,) = [row for row in world.rows(t.findings) if row["code"].startswith("DUP_")]
    return row


# --- opening ---


def test_a_doubt_about_two_sides_is_put_before_both_once(two: World) -> None:
    found = match(two)
    assert (found.match.state, found.match.round) == (MatchState.NOTIFIED, 1)
    assert [(one.side, one.party, one.referral_id) for one in found.sides] == [
        ("A", NEIGHBOUR, "r-2"),
        ("B", COURT, "r-1"),
    ]
    assert turn(two) == Adjudicated()
    assert [len(letters(two, party)) for party in (COURT, NEIGHBOUR)] == [1, 1]


def test_a_side_learns_its_own_case_and_nothing_of_the_others(two_here: World) -> None:
    (letter,) = letters(two_here, COURT)
    data = letter.envelope.data
    assert {"referral_id": "r-1", "kind": "same_help", "programme": "MLG", "side": "B"}.items() <= data.items()
    assert "r-2" not in letter.jws
    assert NEIGHBOUR not in letter.jws
    assert (letter.envelope.subject, letter.envelope.reply_by is not None) == ("r-1", True)


def test_both_agreeing_that_both_are_lawful_explains_the_finding_and_closes(two: World) -> None:
    say(two, two.court, "LAWFUL_BOTH")
    assert match(two).match.state is MatchState.AWAITING_DISPOSITIONS
    told = say(two, two.neighbour, "LAWFUL_BOTH")
    assert told.answer is not None
    assert told.answer["state"] == "closed"
    assert (match(two).match.state, match(two).match.resolution) == (MatchState.CLOSED, Resolution.LAWFUL)
    assert (finding(two)["state"], finding(two)["closed_because"]) == ("closed", "EXPLAINED")
    assert [one.envelope.data["resolution"] for one in letters(two, COURT, "match.resolved")] == ["LAWFUL"]
    reconcile_all(two.context, now=two.now)
    assert two.open_codes() == []
    assert turn(two) == Adjudicated()
    assert cut_off(two.context, now=two.now).troubles == ()

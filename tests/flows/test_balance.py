"""平衡表 Numbers and checkpoint are of one moment; lines of every dimension add up to one total."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.domain.reconciliation.balance import BalanceSheet, Dimension
from gateway.errors import ConfigError
from gateway.evidence.checkpoint import LogKey, open_note
from gateway.flows.balance import BalanceRead, Scope, as_json, read_balance
from gateway.flows.sequence import publish
from gateway.store import leases
from gateway.store import tables as t
from gateway.store.witness import WitnessFile
from tests.builders import an_id_number
from tests.flows.test_dispatch import approved_xml
from tests.gateway_world import CIVIL_AFFAIRS, COURT, DISABLED_PERSONS, GATEWAY, World, a_referral_body

KEY = LogKey.generate(GATEWAY)
LENGTH, DAY = timedelta(seconds=15), timedelta(days=1)
PERSON = a_referral_body()["person"]
ALL = list(Dimension)


@pytest.fixture
def sign(world: World, tmp_path: Path) -> Callable[[], None]:
    """What the sequencer does."""
    object.__setattr__(world.context, "log_key", KEY)
    witness = WitnessFile(tmp_path / "state")

    def sign() -> None:
        lease = world.store.write(lambda c: leases.take(c, "sequencer", owner="one", now=world.now, length=LENGTH))
        assert lease is not None
        publish(world.context, witness, lease, now=world.now)

    return sign


def another(serial: int, **changes: Any) -> dict[str, Any]:
    return {"referral_id": f"r-{serial + 1}", "person": PERSON | {"id_number": an_id_number(serial=serial)}} | changes


def read(world: World, **more: Any) -> BalanceRead:
    return read_balance(world.context, now=world.now, **more)


def accepted(sheet: BalanceSheet, label: str) -> dict[str, int]:
    return {getattr(line, label): line.accepted for line in sheet.lines}


def test_while_the_log_grows_the_numbers_are_those_of_the_signed_tree(world: World, sign: Callable[[], None]) -> None:
    world.refer()
    sign()
    signed = read(world)
    world.refer(**another(1))
    world.dispatch()
    found = read(world)
    assert (found.sheet, found.place.known.size, found.place.note) == (
        signed.sheet,
        signed.place.known.size,
        signed.place.note,
    )
    assert found.place.note is not None
    assert open_note(found.place.note, KEY.verifier()).checkpoint.root.hex() == found.place.known.root
    assert found.place.log_size > found.place.known.size
    sign()
    assert read(world).sheet.total.accepted == 2


def test_where_nothing_is_signed_the_answer_says_so(world: World) -> None:
    world.refer()
    found = read(world)
    assert (found.place.note, found.place.known.size, found.sheet.total.accepted) == (None, found.place.log_size, 1)


def test_whoever_wants_the_newest_numbers_gets_them_unsigned(world: World, sign: Callable[[], None]) -> None:
    world.refer()
    sign()
    world.refer(**another(1))
    found = read(world, newest=True)
    assert (found.place.note, found.sheet.total.accepted, found.place.known.size) == (None, 2, found.place.log_size)


def test_a_past_day_is_read_as_it_was_known_then(world: World, sign: Callable[[], None]) -> None:
    world.refer()
    sign()
    then = world.now
    world.wait(DAY)
    world.refer(**another(1))
    sign()
    assert read(world, as_of=then + timedelta(hours=1)).sheet.total.accepted == 1
    with pytest.raises(ConfigError, match="not kept"):
        read(world, as_of=then - DAY)


@pytest.mark.parametrize("by", ALL)
def test_the_lines_of_every_dimension_less_their_overlap_are_the_total(sqlite_world: World, by: Dimension) -> None:
    world = sqlite_world
    child = PERSON | {"id_number": an_id_number(serial=9), "specific_groups": ["DISABLED", "WOMAN"]}
    world.refer(needs=[{"programme": "MLG"}, {"programme": "PSY"}])
    world.refer(referral_id="r-9", person=child, case_number="（2026）黔01司救民9号")
    world.refer(world.neighbour, referral_id="r-10", person=PERSON | {"id_number": an_id_number(serial=10)})
    world.dispatch()
    sheet = read(world, by=by).sheet
    assert sheet.reconciles
    assert (sheet.total.accepted, sheet.total.difference) == (4, 0)
    assert all(line.balances for line in sheet.lines)


def test_somebody_in_two_groups_stands_in_both_lines_and_in_the_overlap(sqlite_world: World) -> None:
    world = sqlite_world
    world.refer(person=PERSON | {"specific_groups": ["DISABLED", "WOMAN"]})
    sheet = read(world, by=Dimension.GROUP).sheet
    assert accepted(sheet, "group") == {"DISABLED": 1, "WOMAN": 1}
    assert (sheet.total.accepted, sheet.overlap.accepted, sheet.overlap.referrals) == (1, 1, 1)


def test_an_agency_has_what_our_newest_handoff_of_the_present_step_names(sqlite_world: World) -> None:
    """A serial route: the federation reviews, civil affairs decides; in between nobody has it."""
    world = sqlite_world

    def by_agency() -> dict[str, int]:
        sheet = read(world, by=Dimension.AGENCY).sheet
        assert sheet.reconciles
        assert all(line.balances for line in sheet.lines)
        return accepted(sheet, "agency")

    world.refer(needs=[{"programme": "LSD"}])
    assert by_agency() == {"-": 1}
    world.dispatch()
    assert by_agency() == {"disabled_persons": 1}
    world.deliver(DISABLED_PERSONS)
    (first,) = world.offices[DISABLED_PERSONS].received
    world.wait(timedelta(hours=1))
    body, kind = approved_xml(world), "application/xml"
    world.accept(world.reply(DISABLED_PERSONS, first, "handoff.outcome", body, datacontenttype=kind))
    assert by_agency() == {"-": 1}
    world.dispatch()
    assert by_agency() == {"civil_affairs": 1}


def test_a_need_the_handoff_does_not_name_shows_as_a_difference(sqlite_world: World) -> None:
    world = sqlite_world
    world.hand_over()
    world.change(t.needs.update().values(agency="womens_federation"))
    sheet = read(world, by=Dimension.AGENCY).sheet
    assert {line.agency: line.difference for line in sheet.lines} == {"civil_affairs": 1, "womens_federation": -1}
    assert sheet.total.balances


def test_offices_read_what_they_were_handed_and_nothing_else(sqlite_world: World) -> None:
    world = sqlite_world
    world.hand_over(needs=[{"programme": "MLG"}, {"programme": "PSY"}])
    world.refer(**another(1))
    mine = read(world, by=Dimension.AGENCY, scope=Scope(offices=(CIVIL_AFFAIRS,))).sheet
    assert (accepted(mine, "agency"), mine.total.referrals) == ({"civil_affairs": 1}, 1)
    assert read(world, scope=Scope(offices=())).sheet.lines == ()
    assert read(world, scope=Scope(court=COURT)).sheet.total.accepted == 3


def test_a_machine_is_told_the_labels_of_the_dimension_alone(sqlite_world: World) -> None:
    sqlite_world.refer()
    found = as_json(read(sqlite_world, by=Dimension.CASE_TYPE))
    assert {"case_type", "difference"} < found["lines"][0].keys()
    assert "court" not in found["lines"][0]
    assert found["read_at"]["origin"] == GATEWAY

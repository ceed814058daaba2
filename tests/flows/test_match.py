"""比对 A referral whose person may be known: the same is joined, a possible one waits for a person, strangers pass; and
what was kept for it is named by the cut-off when somebody touches it."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.domain.lifecycle import NeedState
from gateway.envelope import strict_json
from gateway.envelope.compact import decode_segment
from gateway.flows.accept import accept_many
from gateway.flows.audit.trouble import Trouble, What
from gateway.flows.cutoff import cut_off
from gateway.flows.match_older import fill_in
from gateway.flows.reconcile import reconcile_all
from gateway.store import erasure, findings
from gateway.store import tables as t
from gateway.store.persons import MOST_IN_BLOCK
from tests.builders import an_id_number
from tests.gateway_world import AGREEMENT, World, a_referral_body

PERSON = a_referral_body()["person"]


def refer(world: World, number: int, **said: Any) -> dict[str, Any]:
    """Another court's referral of PERSON in another case, some things of the person said otherwise; the receipt."""
    world.refer(
        world.neighbour,
        referral_id=f"r-{number}",
        case_number=f"（2026）黔03司救民{number}号",
        original_case_group=f"（2024）黔0302民初{number}号",
        needs=[{"programme": "TMP_E"}],
        person={name: value for name, value in (PERSON | said).items() if value is not None},
    )
    row = next(row for row in world.rows(t.inbox) if row["subject"] == f"r-{number}")
    body: dict[str, Any] = strict_json.loads(decode_segment(row["receipt"].encode().split(b".")[1]))["data"]
    return body


def keys(world: World) -> set[str]:
    return {row["person_key"] for row in world.rows(t.referrals)}


def kept(world: World) -> list[tuple[str, str, str, str]]:
    return [
        (row["referral_id"], row["other_referral_id"], row["verdict"], row["kind"])
        for row in world.rows(t.possible_matches)
    ]


def codes(world: World) -> list[str]:
    with world.store.reading() as connection:
        found = [one.finding for one in findings.listed(connection)]
    return [finding.code for finding in found if finding.code.startswith("DUP_")]


def test_one_person_alike_in_everything_is_joined_without_a_word(world: World) -> None:
    world.refer()
    receipt = refer(world, 2)
    assert "warnings" not in receipt
    assert "holds" not in receipt
    assert len(keys(world)) == 1
    assert kept(world) == []


def test_a_name_in_other_characters_is_the_same_person_and_found_once(world: World) -> None:
    world.refer(person=PERSON | {"name": "刘晓红"})
    receipt = refer(world, 2, name="劉曉紅")
    assert "holds" not in receipt
    assert kept(world) == [("r-2", "r-1", "SAME", "name_variant")]
    for _ in range(2):
        reconcile_all(world.context, now=world.now)
        assert codes(world) == ["DUP_IDENTITY"]


def test_a_possible_person_waits_with_the_points_on_file_and_nobody_is_refused(world: World) -> None:
    world.refer()
    receipt = refer(world, 2, id_type="414", id_number="E12345678")
    assert receipt["verdict"] == "accepted"
    assert receipt["holds"] == ["MATCH"]
    assert receipt["warnings"] == [{"pointer": "/data/person", "code": "possible_same_person"}]
    assert world.states("r-2") == [NeedState.HELD]
    row = world.rows(t.possible_matches)[0]
    assert (row["verdict"], row["kind"], row["score"]) == ("POSSIBLE", "without_number", 129)
    assert '["name","exact",43]' in row["waterfall"]


def test_the_court_learns_nothing_of_the_other_referral(sqlite_world: World) -> None:
    sqlite_world.refer()
    assert "r-1" not in str(refer(sqlite_world, 2, id_type="414", id_number="E12345678"))


def test_two_in_one_group_meet_as_two_that_came_apart(sqlite_world: World) -> None:
    bodies = [
        a_referral_body(referral_id=f"r-{n}", case_number=f"（2026）黔01司救执{n}号", original_case_group=None)
        | {"person": PERSON | number}
        for n, number in ((1, {}), (2, {"id_type": "414", "id_number": "E12345678"}))
    ]
    sent = [
        sqlite_world.court.sign("referral.submitted", {k: v for k, v in body.items() if v}, now=sqlite_world.now)
        for body in bodies
    ]
    accept_many(sent, sqlite_world.context, now=sqlite_world.now)
    assert kept(sqlite_world) == [("r-2", "r-1", "POSSIBLE", "without_number")]


def test_twins_and_namesakes_pass(sqlite_world: World) -> None:
    sqlite_world.refer()
    twin = refer(sqlite_world, 2, name="测试乙", id_number=an_id_number(serial=2))
    namesake = refer(
        sqlite_world, 3, id_number=an_id_number(serial=3), phone="13900000099", household_registration_region="520302"
    )
    assert ("holds" in twin, "holds" in namesake) == (False, False)
    assert kept(sqlite_world) == []
    assert len(keys(sqlite_world)) == 3


def test_certificates_of_one_holder_join_two_papers(sqlite_world: World) -> None:
    certificate = {"certificate": f"{PERSON['id_number']}41"}
    sqlite_world.refer(person=PERSON | {"disability": certificate})
    receipt = refer(sqlite_world, 2, id_type="414", id_number="E12345678", disability=certificate)
    assert "holds" not in receipt
    assert kept(sqlite_world) == [("r-2", "r-1", "SAME", "certificate")]
    assert len(keys(sqlite_world)) == 1


def test_a_household_booklet_makes_no_one_person_of_a_family(sqlite_world: World) -> None:
    booklet = {"id_type": "113", "id_number": "520102001"}
    sqlite_world.refer(person=PERSON | booklet | {"name": "王大勇", "birth_date": "1960-05-05", "sex": "1"})
    receipt = refer(sqlite_world, 2, **booklet)
    assert "holds" not in receipt
    assert keys(sqlite_world) == {None}


def test_a_withdrawn_referral_holds_nobody(sqlite_world: World) -> None:
    world = sqlite_world
    world.refer()
    world.accept(world.court.sign("referral.withdrawn", {"referral_id": "r-1", "reason": "误报"}, now=world.now))
    assert "holds" not in refer(world, 2, id_type="414", id_number="E12345678")


def test_a_number_that_is_also_the_guardians_is_told_to_the_court(sqlite_world: World) -> None:
    guardian = {"name": "测试母", "relation": "52", "id_type": "111", "id_number": PERSON["id_number"]}
    receipt = refer(sqlite_world, 2, guardian=guardian)
    assert {"pointer": "/data/person/id_number", "code": "relatives_number"} in receipt["warnings"]


def test_a_block_that_holds_too_many_is_told_and_not_passed_over(
    sqlite_world: World, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [{"key": "x", "kind": "ph", "referral_id": f"nobody-{n}"} for n in range(MOST_IN_BLOCK + 1)]
    sqlite_world.refer()
    phone = next(row["key"] for row in sqlite_world.rows(t.match_keys) if row["kind"] == "ph")
    sqlite_world.store.write(lambda c: c.execute(t.match_keys.insert(), [row | {"key": phone} for row in rows]))
    refer(sqlite_world, 2)
    assert "block of persons too large" in caplog.text
    assert sqlite_world.rows(t.decisions)[-1]["why"].endswith(" full:ph")


def test_nothing_is_kept_where_the_agreement_authorises_no_matching(database_url: str) -> None:
    """P06."""
    world = World(
        database_url, agreement=AGREEMENT.replace("matching_authorised = true", "matching_authorised = false")
    )
    world.refer()
    refer(world, 2, name="测试乙")
    tables = (t.persons, t.match_keys, t.possible_matches, t.identity_keys, t.decisions)
    assert [world.rows(table) for table in tables] == [[], [], [], [], []]
    world.close()


def test_referrals_from_before_records_were_kept_get_theirs_and_are_met(world: World) -> None:
    world.refer()
    for table in (t.persons, t.match_keys):
        world.change(table.delete())
    assert [fill_in(world.context, now=world.now) for _ in range(2)] == [1, 0]
    assert cut_off(world.context, now=world.now).troubles == ()
    assert refer(world, 2, id_type="414", id_number="E12345678")["holds"] == ["MATCH"]


def test_what_an_erased_person_was_compared_by_is_gone_and_the_points_stay(sqlite_world: World) -> None:
    sqlite_world.refer()
    refer(sqlite_world, 2, id_type="414", id_number="E12345678")
    sqlite_world.store.write(lambda connection: erasure.blank(connection, "r-2"))
    assert {row["referral_id"] for table in (t.persons, t.match_keys) for row in sqlite_world.rows(table)} == {"r-1"}
    assert [row[0] for row in kept(sqlite_world)] == ["r-2"]


# --- what somebody does to the rows ---

Tampering = Callable[[World], tuple[sa.Executable, str, What]]

TAMPERINGS: dict[str, Tampering] = {
    "record deleted": lambda _: (t.persons.delete().where(t.persons.c.referral_id == "r-1"), "persons", What.MISSING),
    "record changed": lambda _: (
        t.persons.update().where(t.persons.c.referral_id == "r-1").values(record="xjv1:AAAA"),
        "persons",
        What.ALTERED,
    ),
    "secret renamed": lambda _: (t.persons.update().values(secret_name="00000000"), "persons", What.ALTERED),
    "key deleted": lambda w: (
        t.match_keys.delete().where(t.match_keys.c.row == w.rows(t.match_keys)[0]["row"]),
        "match_keys",
        What.ALTERED,
    ),
    "key of nobody": lambda _: (
        t.match_keys.insert().values(key="0" * 32, kind="id", referral_id="nobody"),
        "match_keys",
        What.UNLOGGED,
    ),
    "match deleted": lambda _: (t.possible_matches.delete(), "possible_matches", What.MISSING),
    "score changed": lambda _: (t.possible_matches.update().values(score=1), "possible_matches", What.ALTERED),
    "match put in": lambda w: (
        t.possible_matches.insert().values(
            {k: v for k, v in w.rows(t.possible_matches)[0].items() if k != "row"} | {"match_id": "match-x"}
        ),
        "possible_matches",
        What.UNLOGGED,
    ),
}


@pytest.fixture
def told_apart(sqlite_world: World) -> World:
    sqlite_world.refer()
    refer(sqlite_world, 2, id_type="414", id_number="E12345678")
    return sqlite_world


def test_an_honest_comparison_is_no_trouble(told_apart: World) -> None:
    assert cut_off(told_apart.context, now=told_apart.now).troubles == ()


@pytest.mark.parametrize("name", TAMPERINGS)
def test_whatever_is_done_to_what_was_kept_is_named(name: str, told_apart: World) -> None:
    statement, table, what = TAMPERINGS[name](told_apart)
    told_apart.change(statement)
    found = cut_off(told_apart.context, now=told_apart.now).troubles
    assert [one for one in found if (one.table, one.what) == (table, what)], found
    assert {one.table for one in found if isinstance(one, Trouble)} == {table}

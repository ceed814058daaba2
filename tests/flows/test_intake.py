"""移送接收 What blocks changes nothing, what is held waits for a person, what only warns goes on."""

import json
from typing import Any

import pytest

from gateway.domain.lifecycle import NeedState
from gateway.envelope.compact import decode_segment, split
from gateway.errors import AgreementUnknown, FieldProblem, MessageError, ReferralIdTaken, RuleBlocked, SchemaInvalid
from gateway.evidence.receipt import Receipt, read
from gateway.flows.accept import accept, accept_many
from gateway.store import tables as t
from tests.builders import an_id_number
from tests.gateway_world import AGREEMENT, GATEWAY, NEIGHBOUR, World, a_referral_body

PERSON = a_referral_body()["person"]


def body_of(receipt: Receipt) -> dict[str, Any]:
    """What the sender reads in its receipt."""
    found: dict[str, Any] = json.loads(decode_segment(split(receipt.jws.encode()).payload_segment))
    return dict(found["data"])


def refused(world: World, **changes: Any) -> MessageError:
    with pytest.raises(MessageError) as caught:
        world.refer(**changes)
    for table in (t.inbox, t.referrals, t.needs, t.identity_keys, t.decisions):
        assert world.rows(table) == []
    return caught.value


def the_neighbours(world: World, **changes: Any) -> Receipt:
    own = {"referral_id": "r-2", "case_number": "（2026）黔03司救民7号"}
    return world.refer(world.neighbour, **(own | changes))


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in a_referral_body().items() if key != name}


# --- B ---


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"person": PERSON | {"id_number": "529999198601010021"}}, "/data/person/id_number", None),
        ({"needs": []}, "/data/needs", "needs_missing"),
        ({"ground_code": "X9"}, "/data/ground_code", "unknown_code"),
        ({"decided_amount_fen": 0}, "/data/decided_amount_fen", "amount_missing"),
        ({"decided_amount_fen": -1}, "/data/decided_amount_fen", "out_of_range"),
        ({"decided_amount_fen": "2000000"}, "/data/decided_amount_fen", "not_integer"),
        ({"concluded_on": "2026-03-04"}, "/data/concluded_on", "day_in_future"),
        ({"needs": [{"programme": "MLG"}, {"programme": "MLG"}]}, "/data/needs/1", "repeated"),
        ({"case_number": "黔01司救执1号"}, "/data/case_number", "case_number_form"),
        ({"surprise": 1}, "/data/surprise", "unknown_field"),
    ],
)
def test_what_blocks_names_its_field_and_changes_nothing(
    sqlite_world: World, changes: dict[str, Any], pointer: str, code: str | None
) -> None:
    error = refused(sqlite_world, **changes)
    (found,) = [problem for problem in error.problems if problem.pointer == pointer]
    assert code in (None, found.code)


def test_every_problem_is_told_at_once(sqlite_world: World) -> None:
    error = refused(sqlite_world, survey=a_referral_body()["survey"] | {"investigators": ["一人"]}, ground_code=None)
    assert isinstance(error, SchemaInvalid)
    body = without("notice_given_at") | {"survey": a_referral_body()["survey"] | {"investigators": ["一人"]}}
    with pytest.raises(RuleBlocked) as caught:
        sqlite_world.accept(sqlite_world.court.sign("referral.submitted", body, now=sqlite_world.now))
    assert set(caught.value.problems) == {
        FieldProblem(pointer="/data/survey/investigators", code="survey_investigators"),
        FieldProblem(pointer="/data/notice_given_at", code="notice_missing"),
    }


@pytest.mark.parametrize("data", [None, [], "text", 7])
def test_a_body_that_is_no_object_is_refused(sqlite_world: World, data: Any) -> None:
    with pytest.raises(SchemaInvalid):
        sqlite_world.accept(sqlite_world.court.sign("referral.submitted", data, now=sqlite_world.now))


@pytest.mark.parametrize(
    "change",
    [
        ("valid_from = 2022-08-05", "valid_from = 2026-03-04"),
        ("valid_from = 2022-08-05", "valid_from = 2022-08-05\nvalid_to = 2026-03-02"),
        ('parties = ["cn/*"]', 'parties = ["cn/court/520300"]'),
    ],
)
def test_an_agreement_that_does_not_cover_the_court_today_is_refused(
    sqlite_world: World, change: tuple[str, str]
) -> None:
    world = sqlite_world
    world.load_agreement(AGREEMENT.replace("version = 1", "version = 2").replace(*change))
    assert isinstance(refused(world), AgreementUnknown)


def test_an_agreement_nobody_loaded_is_refused(sqlite_world: World) -> None:
    assert isinstance(refused(sqlite_world, agreement_document="没有的文号"), AgreementUnknown)


def test_invented_people_are_refused_where_the_agreement_does_not_admit_them(sqlite_url: str) -> None:
    world = World(sqlite_url, agreement=AGREEMENT.replace("allow_synthetic = true", "allow_synthetic = false"))
    assert isinstance(refused(world), RuleBlocked)
    world.close()


# --- H and W ---


def test_a_held_referral_is_accepted_and_waits_for_a_person(world: World) -> None:
    receipt = world.refer(unenforced_balance_fen=1_999_999)
    assert body_of(receipt)["holds"] == ["A02"]
    (need,) = world.rows(t.needs)
    assert (need["state"], need["held_for"], need["dispatch_at"]) == ("held", "A02", None)
    assert world.dispatch().handoffs == 0


def test_a_warning_travels_with_the_receipt_and_holds_nothing(world: World) -> None:
    receipt = world.refer(case_number="（2026）黔03司救执1号")
    assert body_of(receipt)["warnings"] == [{"pointer": "/data/case_number", "code": "case_number_court_mismatch"}]
    assert world.dispatch().handoffs == 1


def test_an_honest_referral_has_neither(world: World) -> None:
    assert set(body_of(world.refer())) == {"rung", "verdict", "at", "log"}


# --- D01 ---


def test_a_second_aid_for_the_same_case_at_another_court_is_held_not_refused(world: World) -> None:
    world.refer()
    receipt = the_neighbours(world)
    assert body_of(receipt)["holds"] == ["D01"]
    assert world.states("r-2") == ["held"]
    assert world.states("r-1") == ["accepted"]


def test_a_second_aid_is_noticed_within_one_group(world: World) -> None:
    second = a_referral_body(referral_id="r-2", case_number="（2026）黔03司救民7号")
    raws = [
        world.court.sign("referral.submitted", a_referral_body(), now=world.now),
        world.neighbour.sign("referral.submitted", second, now=world.now),
    ]
    accept_many(raws, world.context, now=world.now)
    assert (world.states("r-1"), world.states("r-2")) == (["accepted"], ["held"])


@pytest.mark.parametrize(
    "spelling", ["(2025)黔0102民初1号", "〔2025〕黔0102民初1号", "（2025） 黔0102民初1号", "（２０２５）黔0102民初1号"]
)
def test_another_spelling_of_the_case_does_not_hide_a_second_aid(sqlite_world: World, spelling: str) -> None:
    sqlite_world.refer()
    assert body_of(the_neighbours(sqlite_world, original_case_group=spelling))["holds"] == ["D01"]


@pytest.mark.parametrize(
    "changes",
    [
        {"original_case_group": "（2024）黔0302民初9号"},
        {"decision": "NOT_ASSIST", "refusal_code": "X1", "decided_amount_fen": 0, "ground_code": None},
        {"person": PERSON | {"id_number": an_id_number(serial=1)}},
    ],
)
def test_what_is_no_second_aid_is_not_held(sqlite_world: World, changes: dict[str, Any]) -> None:
    sqlite_world.refer()
    body = {
        name: value
        for name, value in a_referral_body(referral_id="r-2", case_number="（2026）黔03司救民7号", **changes).items()
        if value is not None
    }
    receipt = sqlite_world.accept(sqlite_world.neighbour.sign("referral.submitted", body, now=sqlite_world.now))
    assert "holds" not in body_of(receipt)


def test_joint_aid_of_two_courts_is_one_aid(world: World) -> None:
    world.refer(joint_id="j-1", joint_decided_fen=4_000_000)
    assert "holds" not in body_of(the_neighbours(world, joint_id="j-1", joint_decided_fen=4_000_000))


def test_a_withdrawn_referral_is_no_first_aid(world: World) -> None:
    world.refer()
    withdrawal = {"referral_id": "r-1", "reason": "报送有误"}
    world.accept(world.court.sign("referral.withdrawn", withdrawal, now=world.now))
    assert "holds" not in body_of(world.refer(referral_id="r-2"))


def test_an_old_style_number_of_the_same_person_is_recognised(world: World) -> None:
    world.refer()
    number = an_id_number()
    old = number[:6] + number[8:17]
    receipt = the_neighbours(world, person=PERSON | {"id_number": old})
    assert body_of(receipt)["holds"] == ["D01"]


# --- D09 ---


def test_the_same_need_open_elsewhere_warns_and_never_blocks(world: World) -> None:
    world.refer()
    receipt = the_neighbours(world, original_case_group="（2024）黔0302民初9号")
    assert {"pointer": "/data/needs/0", "code": "open_elsewhere"} in body_of(receipt)["warnings"]
    assert world.states("r-2") == ["accepted"]


def test_the_warning_does_not_tell_one_court_of_another(world: World) -> None:
    world.refer()
    receipt = the_neighbours(world, original_case_group="（2024）黔0302民初9号")
    assert "r-1" not in str(body_of(receipt))
    assert "520100" not in str(body_of(receipt))


def test_another_need_of_the_same_person_does_not_warn(world: World) -> None:
    world.refer()
    receipt = the_neighbours(world, original_case_group="（2024）黔0302民初9号", needs=[{"programme": "EDU"}])
    assert "warnings" not in body_of(receipt)


def test_an_ended_need_does_not_warn(world: World) -> None:
    world.refer()
    world.change(t.needs.update().values(state=NeedState.ASSISTED.value))
    receipt = the_neighbours(world, original_case_group="（2024）黔0302民初9号")
    assert "warnings" not in body_of(receipt)


# --- P06 ---


def test_nobody_is_matched_where_the_agreement_does_not_authorise_it(database_url: str) -> None:
    world = World(
        database_url, agreement=AGREEMENT.replace("matching_authorised = true", "matching_authorised = false")
    )
    world.refer()
    assert "holds" not in body_of(the_neighbours(world))
    assert world.rows(t.identity_keys) == []
    assert world.rows(t.decisions) == []
    assert {row["person_key"] for row in world.rows(t.referrals)} == {None}
    world.close()


def test_every_use_of_matching_is_logged_and_the_keys_name_nobody(world: World) -> None:
    child = {"name": "测试丙", "relation": "20", "id_type": "111", "id_number": an_id_number(serial=4, female=False)}
    world.refer(person=PERSON | {"household": [child]})
    assert [(row["what"], row["subject"]) for row in world.rows(t.decisions)] == [("matching_used", "r-1")]
    keys = world.rows(t.identity_keys)
    assert [row["role"] for row in keys] == ["beneficiary", "household"]
    assert PERSON["id_number"] not in str(keys)


def test_names_and_numbers_stand_in_the_signed_bytes_alone(world: World) -> None:
    world.hand_over()
    tables = [table for table in t.metadata.sorted_tables if table.name not in ("parties",)]
    shown = "".join(str(row) for table in tables for row in world.rows(table))
    for secret in (PERSON["name"], PERSON["id_number"], PERSON["phone"], PERSON["residence"]):
        assert secret not in shown


# --- ids ---


def test_a_referral_id_belongs_to_who_used_it_first(world: World) -> None:
    world.refer()
    with pytest.raises(ReferralIdTaken):
        world.refer(world.neighbour, case_number="（2026）黔03司救民7号")
    with pytest.raises(ReferralIdTaken):
        world.refer()
    assert [row["court"] for row in world.rows(t.referrals)] == [world.court.party_id]
    assert NEIGHBOUR not in {row["source"] for row in world.rows(t.inbox)}


def test_a_referral_without_needs_is_counted_and_asks_nobody(world: World) -> None:
    world.refer(assessment="NO_NEED", needs=[])
    (row,) = world.rows(t.referrals)
    assert row["needs_accepted"] == 0
    assert world.rows(t.needs) == []
    assert world.dispatch().handoffs == 0


def test_the_receipt_of_a_referral_is_proven_by_its_court(world: World) -> None:
    done = accept(
        world.court.sign("referral.submitted", a_referral_body(), now=world.now), world.context, now=world.now
    )
    receipt = read(done.receipt.encode(), world.keyring, recipient=done.party_id, issuer=GATEWAY, now=world.now)
    assert receipt.message_id == done.message_id

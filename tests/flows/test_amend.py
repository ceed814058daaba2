"""移送更正 What a court may put right of a referral that was sent, whom that is told to, and what is never amended."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from adapters.civil_affairs.adapter import CivilAffairs
from gateway.domain.handoff import Draft, Handoff
from gateway.envelope.signing import VerifiedMessage
from gateway.errors import IllegalMove, ReferralUnknown, RuleBlocked, SchemaInvalid
from gateway.evidence.receipt import Receipt
from gateway.flows.accept import Accepted, accept_many
from gateway.flows.dispatch import dispatch
from gateway.flows.operate import release
from gateway.flows.own_referral import own_referral
from gateway.flows.reconcile import reconcile_all
from gateway.store import amendments
from gateway.store import tables as t
from tests.gateway_world import CIVIL_AFFAIRS, COURT, DISABLED_PERSONS, World, a_referral_body

PHONE = "13800000009"
NEW_PHONE: dict[str, Any] = {"person": {"phone": PHONE}}


def amended_body(
    world: World, referral_id: str = "r-1", *, amends: str | None = None, **changes: Any
) -> dict[str, Any]:
    """The referral's present version with something changed."""
    present = own_referral(world.context, referral_id, court=COURT, now=world.now)
    body = dict(present.data) | {"amends": amends or present.message_id, "amendment_reason": "登记有误"}
    return body | changes | {"person": body["person"] | changes.get("person", {})}


def amend(world: World, referral_id: str = "r-1", **changes: Any) -> Receipt:
    """The court amends it."""
    body = amended_body(world, referral_id, **changes)
    return world.accept(world.court.sign("referral.amended", body, now=world.now))


def refused(world: World, **changes: Any) -> list[tuple[str, str]]:
    with pytest.raises(RuleBlocked) as caught:
        amend(world, **changes)
    return [(one.pointer, one.code) for one in caught.value.problems]


def received(world: World, office_id: str = CIVIL_AFFAIRS) -> list[VerifiedMessage]:
    for _ in range(3):
        world.deliver(office_id)
    return world.offices[office_id].received


def phone(world: World) -> str | None:
    return own_referral(world.context, "r-1", court=COURT, now=world.now).referral.person.phone


def versions(world: World) -> list[int]:
    return [row["version"] for row in world.rows(t.referrals)]


# --- who is told what ---


def test_what_was_not_handed_over_goes_out_as_amended(world: World) -> None:
    world.refer()
    amend(world, **NEW_PHONE)
    assert phone(world) == PHONE
    world.dispatch()
    (handoff,) = received(world)
    assert handoff.envelope.type == "handoff.issued"
    assert PHONE in str(handoff.envelope.data)


def test_an_office_at_work_gets_the_same_handoff_with_what_was_amended(world: World) -> None:
    handoff = world.hand_over()
    world.wait(timedelta(days=1))
    amend(world, **NEW_PHONE)
    again = received(world)[-1]
    assert again.envelope.type == "handoff.amended"
    assert (again.envelope.in_reply_to, again.envelope.in_reply_to_digest) == (handoff.envelope.id, handoff.digest)
    assert again.envelope.reply_by == handoff.envelope.reply_by
    said = str(handoff.envelope.data).replace("13900000000", PHONE)
    assert str(again.envelope.data) == said
    assert world.states() == ["handed_off"]


def test_an_amendment_between_plan_and_handoff_is_in_the_handoff(world: World) -> None:
    world.refer()

    class Interrupted(CivilAffairs):
        def translate(self, handoff: Handoff) -> Draft:
            if versions(world) == [1]:
                amend(world, **NEW_PHONE)
            return super().translate(handoff)

    slow = replace(world.context, adapters={**world.context.adapters, "civil_affairs": Interrupted()})
    assert dispatch(slow, now=world.now).handoffs == 0
    assert world.dispatch().handoffs == 1
    (handoff,) = received(world)
    assert handoff.envelope.type == "handoff.issued" and PHONE in str(handoff.envelope.data)


def test_an_office_that_learns_nothing_new_is_told_nothing(world: World) -> None:
    world.hand_over()
    amend(world, committee_signoff="测试审议2号")
    assert [one.envelope.type for one in received(world)] == ["handoff.issued"]
    assert versions(world) == [2]


def test_each_office_of_the_referral_is_told_once(world: World) -> None:
    world.refer(needs=[{"programme": "MLG"}, {"programme": "LSD"}], person=_disabled())
    world.dispatch()
    amend(world, **NEW_PHONE)
    amend(world, person={"residence": "测试路2号"})
    for office_id in (CIVIL_AFFAIRS, DISABLED_PERSONS):
        types = [one.envelope.type for one in received(world, office_id)]
        assert types == ["handoff.issued", "handoff.amended", "handoff.amended"]
    assert versions(world) == [3]


def _disabled() -> dict[str, Any]:
    person = a_referral_body()["person"]
    return person | {"disability": {"certificate": person["id_number"] + "44", "kind": 4, "grade": 4}}


def test_an_office_may_answer_either_message(world: World) -> None:
    world.hand_over()
    amend(world, **NEW_PHONE)
    world.answer(received(world)[-1], "10")
    assert world.states() != ["handed_off"]
    assert [row["problem"] for row in world.rows(t.replies)] == [None]


def test_a_handoff_that_is_done_with_is_not_sent_again(world: World) -> None:
    world.hand_over()
    world.change(t.handoffs.update().values(state="completed"))
    amend(world, **NEW_PHONE)
    assert [one.envelope.type for one in received(world)] == ["handoff.issued"]


def test_an_office_that_declined_learns_nothing_more_of_the_person(world: World) -> None:
    world.answer(world.hand_over(), "12")
    assert world.states() == ["declined"]
    amend(world, **NEW_PHONE)
    assert [one.envelope.type for one in received(world)] == ["handoff.issued"]


def test_what_waits_for_a_person_still_waits_and_goes_out_as_amended(world: World) -> None:
    world.refer(unenforced_balance_fen=1)
    amend(world, **NEW_PHONE)
    assert world.states() == ["held"]
    release(world.context, "r-1", who="测试管理员", why="已核实", now=world.now)
    world.dispatch()
    assert PHONE in str(received(world)[-1].envelope.data)


def test_an_office_that_asked_for_material_acts_again_once_the_court_has_amended(world: World) -> None:
    handoff = world.hand_over()
    world.answer(handoff, "11", xj_missing=["身份证复印件"])
    assert world.states() == ["information_requested"]
    world.wait(timedelta(days=120))
    reconcile_all(world.context, now=world.now)
    assert "MISS_RETURNED_NOT_RESUBMITTED" in world.open_codes()
    amend(world, attachments=[{"sha256": "ab" * 32, "media_type": "application/pdf", "size": 9}])
    reconcile_all(world.context, now=world.now)
    assert "MISS_RETURNED_NOT_RESUBMITTED" not in world.open_codes()
    assert "MISS_NO_DECISION" in world.open_codes()
    assert [one.envelope.type for one in received(world)][:2] == ["handoff.issued", "handoff.amended"]


# --- what may not be amended ---


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"decided_amount_fen": 3_000_000}, "/data/decided_amount_fen"),
        ({"person": {"name": "测试乙"}}, "/data/person/name"),
        ({"person": {"household_registration_region": "520103"}}, "/data/person/household_registration_region"),
        ({"needs": [{"programme": "MLG"}, {"programme": "MEDICAL"}]}, "/data/needs"),
        ({"needs": [{"programme": "MEDICAL", "note": "无固定收入"}]}, "/data/needs/0/programme"),
        ({"urgency": "URGENT_24H"}, "/data/urgency"),
    ],
)
def test_who_what_and_how_much_are_never_amended(world: World, changes: dict[str, Any], pointer: str) -> None:
    world.refer()
    assert refused(world, **changes) == [(pointer, "not_amendable")]
    assert versions(world) == [1]
    assert world.rows(t.referral_amendments) == []


def test_an_amendment_that_changes_nothing_is_refused(world: World) -> None:
    world.refer()
    assert refused(world) == [("/data", "nothing_amended")]


def test_what_is_amended_must_keep_the_rules_of_intake(world: World) -> None:
    world.refer()
    survey = a_referral_body()["survey"] | {"investigators": ["测试法官"]}
    assert refused(world, survey=survey) == [("/data/survey/investigators", "survey_investigators")]
    assert refused(world, notice_given_at="2027-01-01") == [("/data/notice_given_at", "day_in_future")]


def test_of_two_who_amend_one_version_the_second_is_told(world: World) -> None:
    world.refer()
    (first,) = (row["message_id"] for row in world.rows(t.referrals))
    amend(world, **NEW_PHONE)
    assert refused(world, amends=first, custody="由村委会代管") == [("/data/amends", "amended_meanwhile")]
    assert phone(world) == PHONE


def test_another_courts_referral_and_none_at_all_answer_alike(world: World) -> None:
    world.refer()
    body = amended_body(world, **NEW_PHONE)
    for named in ("r-1", "r-none"):
        with pytest.raises(ReferralUnknown):
            world.accept(world.neighbour.sign("referral.amended", body | {"referral_id": named}, now=world.now))


def test_a_withdrawn_referral_is_not_amended(world: World) -> None:
    world.refer()
    body = amended_body(world, **NEW_PHONE)
    world.accept(world.court.sign("referral.withdrawn", {"referral_id": "r-1", "reason": "报送有误"}, now=world.now))
    with pytest.raises(IllegalMove):
        world.accept(world.court.sign("referral.amended", body, now=world.now))


@pytest.mark.parametrize("missing", ["amends", "amendment_reason"])
def test_an_amendment_says_what_it_amends_and_why(world: World, missing: str) -> None:
    world.refer()
    body = amended_body(world, **NEW_PHONE)
    del body[missing]
    with pytest.raises(SchemaInvalid) as caught:
        world.accept(world.court.sign("referral.amended", body, now=world.now))
    assert [(one.pointer, one.code) for one in caught.value.problems] == [(f"/data/{missing}", "required")]


# --- what stays on file, what follows ---


def test_every_version_stays_on_file_with_what_it_says_of_custody_and_authorisation(world: World) -> None:
    world.refer()
    amend(world, custody="由村委会代管")
    body = amended_body(world)
    del body["custody"], body["verification_authorization"]
    world.accept(world.court.sign("referral.amended", body, now=world.now))
    with world.store.reading() as connection:
        found = amendments.all_of(connection, "r-1")
    assert [(one.version, one.has_custody, one.has_authorisation) for one in found] == [
        (2, True, True),
        (3, False, False),
    ]
    assert [row["type"] for row in world.rows(t.inbox)] == ["referral.submitted", *["referral.amended"] * 2]


def test_a_group_may_hold_a_referral_and_its_amendments(world: World) -> None:
    """A court that was cut off sends all it has at once."""
    first = world.court.sign("referral.submitted", a_referral_body(), now=world.now, id="m-1")
    body = a_referral_body() | {"amends": "m-1", "amendment_reason": "登记有误"}
    second = world.court.sign("referral.amended", body | {"custody": "由村委会代管"}, now=world.now, id="m-2")
    third = world.court.sign("referral.amended", body | {"amends": "m-2"}, now=world.now, id="m-3")
    gone = world.court.sign("referral.withdrawn", {"referral_id": "r-1", "reason": "报送有误"}, now=world.now, id="m-4")
    outcomes = accept_many([first, second, third, gone], world.context, now=world.now)
    assert all(isinstance(one, Accepted) for one in outcomes), outcomes
    assert (versions(world), world.states()) == ([3], ["withdrawn"])


def test_the_same_bytes_again_amend_nothing_again(world: World) -> None:
    world.refer()
    raw = world.court.sign("referral.amended", amended_body(world, **NEW_PHONE), now=world.now)
    first, second = world.accept(raw), world.accept(raw)
    assert first == second
    assert versions(world) == [2]

"""协查与线索 Courts ask, agencies answer; agencies tell, courts answer; and courts hear what becomes of their needs."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.domain.agreement import Channel
from gateway.envelope.signing import VerifiedMessage, verify
from gateway.errors import ClueUnknown, InquiryUnknown, NoticeUnknown, RuleBlocked, SchemaInvalid
from gateway.evidence.receipt import Receipt
from gateway.flows.cutoff import cut_off
from gateway.flows.inquiry_result import tell_due
from gateway.flows.mailbox import pull
from gateway.flows.reconcile import reconcile_all
from gateway.flows.tell_court import tell_courts
from gateway.store import tables as t
from tests.builders import an_id_number
from tests.gateway_world import DISABLED_PERSONS, WOMENS_FEDERATION, Partner, World, a_referral_body

CIVIL = "civil_affairs-520103"
PERSON = {
    "name": "测试甲",
    "id_type": "111",
    "id_number": an_id_number(),
    "sex": "2",
    "birth_date": "1986-01-01",
    "household_registration_region": "520103",
}


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """With mailbox offices in another county."""
    made = World(database_url)
    made.add_office("civil_affairs", Channel.MAILBOX, "520103")
    made.add_office("disabled_persons", Channel.MAILBOX, "520103")
    yield made
    made.close()


def ask(world: World, court: Partner | None = None, **changes: Any) -> Receipt:
    body = {
        "inquiry_id": "i-1",
        "agreement_document": "黔高法〔2022〕98号",
        "case_number": "（2026）黔01司救执1号",
        "person": PERSON,
        "programmes": ["MLG", "ASD"],
        "legal_basis": "STATUTORY_DUTY",
        "notice_given_at": "2026-02-28",
    }
    data = {name: value for name, value in (body | changes).items() if value is not None}
    return world.accept((court or world.court).sign("inquiry.asked", data, now=world.now))


def heard(world: World, party: str, type_: str) -> list[VerifiedMessage]:
    found = pull(world.context, party, after=0, limit=500)
    proven = [verify(wire.encode(), world.keyring, recipient=party, now=world.now) for _, wire in found]
    return [message for message in proven if message.envelope.type == type_]


def asked_of(world: World, office_id: str) -> VerifiedMessage:
    party = world.offices[office_id].partner.party_id
    return heard(world, party, "inquiry.forwarded")[-1]


def answer(world: World, office_id: str, programme: str, said: str, **changes: Any) -> Receipt:
    world.wait(timedelta(seconds=1))
    one = {"programme": programme, "answer": said, "as_of": "2026-03-01"}
    data = {"inquiry_id": "i-1", "answers": [one | changes]}
    return world.accept(world.reply(office_id, asked_of(world, office_id), "inquiry.answered", data))


def results(world: World) -> list[dict[str, Any]]:
    return [message.envelope.data for message in heard(world, world.court.party_id, "inquiry.result")]


def test_each_agency_is_asked_of_its_own_programmes_and_told_who_it_is_and_no_more(world: World) -> None:
    ask(world)
    civil, disabled = (asked_of(world, f"{agency}-520103") for agency in ("civil_affairs", "disabled_persons"))
    assert (civil.envelope.data["programmes"], disabled.envelope.data["programmes"]) == (["MLG"], ["ASD"])
    assert set(civil.envelope.data["person"]) == set(PERSON)
    assert "case_number" not in civil.envelope.data


def test_the_court_gets_the_result_when_everybody_answered(world: World) -> None:
    ask(world)
    answer(world, CIVIL, "MLG", "ACTIVE", since="2025-01-01", amount_fen=60_000)
    assert results(world) == []
    answer(world, "disabled_persons-520103", "ASD", "UNKNOWN")
    (result,) = results(world)
    assert result["complete"] is True
    assert [(one["programme"], one["answer"], one["as_of"]) for one in result["answers"]] == [
        ("MLG", "ACTIVE", "2026-03-01"),
        ("ASD", "UNKNOWN", "2026-03-01"),
    ]


def test_when_the_time_is_over_the_court_gets_what_there_is_and_later_what_comes(world: World) -> None:
    ask(world)
    answer(world, CIVIL, "MLG", "NEVER")
    world.wait(timedelta(days=9))
    assert [tell_due(world.context, now=world.now) for _ in range(2)] == [1, 0]
    assert [one["answer"] for one in results(world)[-1]["answers"]] == ["NEVER", "NOT_ANSWERED"]
    reconcile_all(world.context, now=world.now)
    (row,) = world.rows(t.findings)
    assert (row["code"], row["must_act"]) == ("MISS_INQUIRY_UNANSWERED", "disabled_persons-520103")
    answer(world, "disabled_persons-520103", "ASD", "ENDED", until="2025-12-31")
    assert [one["answer"] for one in results(world)[-1]["answers"]] == ["NEVER", "ENDED"]
    reconcile_all(world.context, now=world.now)
    assert world.open_codes() == []


def test_what_nobody_can_be_asked_is_told_at_once(world: World) -> None:
    receipt = ask(world, person={**PERSON, "household_registration_region": "430000"})
    assert [(one.pointer, one.code) for one in receipt.warnings] == [
        ("/data/programmes/0", "nobody_to_ask"),
        ("/data/programmes/1", "nobody_to_ask"),
    ]


def test_only_the_office_that_was_asked_answers_and_of_what_it_was_asked(world: World) -> None:
    ask(world)
    sent = asked_of(world, CIVIL)
    one = {"programme": "MLG", "answer": "ACTIVE", "as_of": "2026-03-01"}
    data = {"inquiry_id": "i-1", "answers": [one]}
    with pytest.raises(InquiryUnknown):
        world.accept(world.reply(DISABLED_PERSONS, sent, "inquiry.answered", data))
    with pytest.raises(InquiryUnknown):
        world.accept(
            world.offices[CIVIL].partner.sign(
                "inquiry.answered", data, now=world.now, in_reply_to=sent.envelope.id, in_reply_to_digest="0" * 64
            )
        )
    with pytest.raises(SchemaInvalid):
        answer(world, CIVIL, "ASD", "ACTIVE")


def test_an_inquiry_id_is_used_once_by_anybody(world: World) -> None:
    ask(world)
    with pytest.raises(RuleBlocked):
        ask(world, world.neighbour)


@pytest.mark.parametrize(
    "changes",
    [{"programmes": []}, {"programmes": ["NONE"]}, {"person": {**PERSON, "id_number": "529999198601010010"}}],
)
def test_what_cannot_be_asked_is_refused_with_its_field(world: World, changes: dict[str, Any]) -> None:
    with pytest.raises(SchemaInvalid):
        ask(world, **changes)


def refuse(world: World, referral_id: str = "r-1", **changes: Any) -> Receipt:
    body: dict[str, Any] = {
        "referral_id": referral_id,
        "decision": "NOT_ASSIST",
        "refusal_code": "X6",
        "ground_code": None,
        "decided_amount_fen": 0,
    }
    data = {name: value for name, value in (a_referral_body() | body | changes).items() if value is not None}
    return world.accept(world.court.sign("referral.submitted", data, now=world.now))


def test_a_refusal_as_already_assisted_rests_on_an_answer(world: World) -> None:
    ask(world)
    answer(world, CIVIL, "MLG", "ACTIVE")
    assert refuse(world, inquiry_ref="i-1").warnings == ()
    reconcile_all(world.context, now=world.now)
    assert world.open_codes() == []


@pytest.mark.parametrize(
    ("said", "ref", "warned"),
    [("NEVER", "i-1", "inquiry_not_supporting"), ("ACTIVE", "i-9", "inquiry_not_on_file")],
)
def test_a_refusal_that_rests_on_nothing_is_taken_and_found(world: World, said: str, ref: str, warned: str) -> None:
    ask(world)
    answer(world, CIVIL, "MLG", said)
    assert [one.code for one in refuse(world, inquiry_ref=ref).warnings] == [warned]
    reconcile_all(world.context, now=world.now)
    assert world.open_codes() == ["X6_NOT_SUPPORTED"]


def test_a_court_that_says_why_it_did_not_ask_is_believed(world: World) -> None:
    refuse(world, inquiry_waived_reason="入户调查已查明")
    reconcile_all(world.context, now=world.now)
    assert world.open_codes() == []


def test_needs_of_a_refused_case_go_their_way(world: World) -> None:
    for number, decision in enumerate(("NOT_ASSIST", "SUSPENDED", "TERMINATED"), start=1):
        changes = {} if decision == "NOT_ASSIST" else {"refusal_code": None}
        refuse(
            world,
            f"r-{number}",
            decision=decision,
            case_number=f"（2026）黔01司救执{number}号",
            original_case_group=f"（2025）黔0102民初{number}号",
            **({"refusal_code": "X5"} if decision == "NOT_ASSIST" else changes),
        )
    world.dispatch()
    assert [world.states(f"r-{number}") for number in (1, 2, 3)] == [["routed"]] * 3


# --- clues ---


def tell(world: World, office_id: str = WOMENS_FEDERATION, **changes: Any) -> Receipt:
    body = {
        "clue_id": "k-1",
        "person": PERSON,
        "circumstances": ["DOMESTIC_VIOLENCE"],
        "legal_basis": "STATUTORY_DUTY",
        "note": "测试备注",
    }
    return world.accept(world.offices[office_id].partner.sign("clue.submitted", body | changes, now=world.now))


def reply(world: World, code: str, court: Partner | None = None, **more: Any) -> Receipt:
    world.wait(timedelta(seconds=1))
    data = {"clue_id": "k-1", "code": code, **more}
    return world.accept((court or world.court).sign("clue.answered", data, now=world.now))


def test_a_clue_goes_to_the_court_of_the_region_and_its_answer_comes_back(world: World) -> None:
    tell(world)
    (clue,) = heard(world, world.court.party_id, "clue.forwarded")
    assert (clue.envelope.data["clue_id"], clue.envelope.data["note"]) == ("k-1", "测试备注")
    reply(world, "FILED", case_number="（2026）黔01司救刑2号")
    party = world.offices[WOMENS_FEDERATION].partner.party_id
    (back,) = heard(world, party, "clue.answer")
    assert (back.envelope.data["code"], back.envelope.data["court"]) == ("FILED", world.court.party_id)


def test_a_clue_is_answered_to_the_end_or_found(world: World) -> None:
    tell(world)
    world.wait(timedelta(days=17))
    reconcile_all(world.context, now=world.now)
    (row,) = world.rows(t.findings)
    assert (row["code"], row["must_act"]) == ("MISS_CLUE_UNANSWERED", world.court.party_id)
    reply(world, "INFORMED_PERSON")
    reconcile_all(world.context, now=world.now)
    assert world.open_codes() == []
    world.wait(timedelta(days=17))
    reconcile_all(world.context, now=world.now)
    assert world.open_codes() == ["MISS_CLUE_UNANSWERED"]
    reply(world, "NOT_ASSISTED", refusal_code="X5")
    reconcile_all(world.context, now=world.now)
    assert world.open_codes() == []


def test_a_clue_from_where_no_court_is_goes_before_the_operator(world: World) -> None:
    receipt = tell(world, person={**PERSON, "household_registration_region": "430000"})
    assert [one.code for one in receipt.warnings] == ["no_court"]
    reconcile_all(world.context, now=world.now)
    (row,) = world.rows(t.findings)
    assert (row["code"], row["must_act"]) == ("MISS_CLUE_UNANSWERED", "operator")


def test_an_answer_brings_along_what_it_must_and_another_court_has_no_say(world: World) -> None:
    tell(world)
    with pytest.raises(SchemaInvalid):
        reply(world, "FILED")
    with pytest.raises(ClueUnknown):
        reply(world, "INFORMED_PERSON", world.neighbour)


# --- words to courts ---


def test_a_court_is_told_where_its_needs_stand_and_how_they_ended_once(world: World) -> None:
    handoff = world.hand_over()
    world.answer(handoff, "10")
    assert tell_courts(world.context, now=world.now) == 0
    world.wait(timedelta(minutes=1))
    assert tell_courts(world.context, now=world.now) > 0
    assert tell_courts(world.context, now=world.now) == 0
    (status,) = heard(world, world.court.party_id, "referral.status")
    assert [need["state"] for need in status.envelope.data["needs"]] == ["accepted_by_agency"]
    world.answer(handoff, "30", xj_amount="600.00", abaf0028="202603", abaf0029="202612")
    world.answer(handoff, "40", xj_amount="600.00", abaf0028="202603", abaf0029="202603")
    world.wait(timedelta(minutes=1))
    tell_courts(world.context, now=world.now)
    (outcome,) = heard(world, world.court.party_id, "referral.outcome")
    (need,) = outcome.envelope.data["needs"]
    assert (need["state"], need["approved_fen"], need["paid_fen"], need["code"]) == ("assisted", 60_000, 60_000, "PAID")


def test_a_notice_is_taken_out_of_the_mailbox_by_name_and_digest(world: World) -> None:
    tell(world)
    (clue,) = heard(world, world.court.party_id, "clue.forwarded")
    named = {"in_reply_to": clue.envelope.id, "in_reply_to_digest": clue.digest}
    with pytest.raises(NoticeUnknown):
        world.accept(world.neighbour.sign("message.retrieved", {}, now=world.now, **named))
    with pytest.raises(NoticeUnknown):
        world.accept(
            world.court.sign("message.retrieved", {}, now=world.now, **(named | {"in_reply_to_digest": "0" * 64}))
        )
    world.accept(world.court.sign("message.retrieved", {}, now=world.now, **named))
    assert heard(world, world.court.party_id, "clue.forwarded") == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (t.inquiries.delete(), "inquiries"),
        (t.inquiry_answers.update().values(answer="NEVER"), "inquiry_answers"),
        (t.clue_answers.delete(), "clue_answers"),
        (t.clues.update().values(party="cn/agency/other.520102"), "clues"),
        (t.clues.update().values(court_asked="cn/court/520300"), "clues"),
        (t.inquiry_questions.delete(), "inquiry_questions"),
        (t.inquiry_questions.update().values(party="cn/agency/other.520102"), "inquiry_questions"),
        (t.referrals.update().values(inquiry_waived=True), "referrals"),
    ],
)
def test_a_cut_off_names_what_somebody_changed(world: World, change: sa.Executable, named: str) -> None:
    ask(world)
    answer(world, CIVIL, "MLG", "ACTIVE")
    tell(world)
    reply(world, "INFORMED_PERSON")
    refuse(world, inquiry_ref="i-1")
    assert cut_off(world.context, now=world.now).wrong == 0
    world.change(change)
    assert named in {trouble.table for trouble in cut_off(world.context, now=world.now).troubles}


def test_people_stand_in_the_sealed_messages_alone(world: World) -> None:
    ask(world)
    answer(world, CIVIL, "MLG", "ACTIVE")
    tell(world)
    kept = "".join(str(world.rows(table)) for table in (t.inquiries, t.inquiry_questions, t.inquiry_answers, t.clues))
    assert "测试" not in kept
    assert an_id_number() not in kept

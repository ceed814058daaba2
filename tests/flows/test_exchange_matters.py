"""协查与线索是独立事项: masks, strangers, repetitions, persons, erasure, loss."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.domain.agreement import Channel
from gateway.domain.masking import load_default_masks
from gateway.envelope.signing import verify
from gateway.errors import ClueUnknown, IllegalMove, InquiryUnknown, ReferralUnknown, SchemaInvalid
from gateway.flows.account import as_json, fate
from gateway.flows.cutoff import cut_off
from gateway.flows.erase import erase
from gateway.flows.inquiry_result import tell_due
from gateway.flows.mailbox import pull
from gateway.flows.reconcile import reconcile_all
from gateway.flows.tell_court import tell_courts
from gateway.store import tables as t
from gateway.worker import Worker
from tests.builders import an_id_number
from tests.flows.test_exchanges import CIVIL, PERSON, answer, ask, asked_of, heard, refuse, reply, results, tell
from tests.gateway_world import AGREEMENT, COURT, NEIGHBOUR, WOMENS_FEDERATION, World
from tests.recovery_world import Book, KeepingOffice, KeepingWorld

ERASED: dict[str, Any] = {"who": "档案员甲", "why": "期满清除", "court_order": "（2026）黔01行初1号"}
DISABLED = "disabled_persons-520103"


@pytest.fixture
def world(sqlite_url: str) -> Iterator[World]:
    made = with_offices(World(sqlite_url))
    yield made
    made.close()


def with_offices(made: Any) -> Any:
    made.add_office("civil_affairs", Channel.MAILBOX, "520103")
    made.add_office("disabled_persons", Channel.MAILBOX, "520103")
    return made


def test_what_the_agreement_closes_to_an_agency_is_not_told_to_it(sqlite_url: str) -> None:
    world = with_offices(World(sqlite_url, agreement=closed("civil_affairs", "person.name", "person.birth_date")))
    try:
        ask(world)
        civil, disabled = (asked_of(world, office).envelope.data["person"] for office in (CIVIL, DISABLED))
        assert set(PERSON) - set(civil) == {"name", "birth_date"}
        assert set(disabled) == set(PERSON)
    finally:
        world.close()


def closed(agency: str, *masks: str) -> str:
    """The agreement with some masks of one agency closed."""
    open_ = {name: sorted(found - set(masks if name == agency else ())) for name, found in load_default_masks().items()}
    return AGREEMENT + "[masks]\n" + "".join(f"{name} = {json.dumps(found)}\n" for name, found in open_.items())


def test_a_neighbour_neither_reads_nor_cites_another_court_s_inquiry(world: World) -> None:
    ask(world)
    answer(world, CIVIL, "MLG", "ACTIVE")
    answer(world, DISABLED, "ASD", "NEVER")
    assert pull(world.context, NEIGHBOUR, after=0, limit=500) == []
    world.refer(world.neighbour, inquiry_ref="i-1", case_number="（2026）黔03司救执1号")
    told = as_json(fate(world.context, "r-1", court=NEIGHBOUR, now=world.now))["inquiry"]
    assert told == {"inquiry_id": "i-1", "on_file": False, "complete": False, "answers": []}


def test_the_fate_of_a_referral_shows_the_inquiry_it_cites(world: World) -> None:
    ask(world)
    answer(world, CIVIL, "MLG", "ACTIVE")
    refuse(world, inquiry_ref="i-1")
    told = as_json(fate(world.context, "r-1", court=COURT, now=world.now))["inquiry"]
    assert (told["on_file"], told["complete"]) == (True, False)
    assert [(one["programme"], one["answer"], one["as_of"]) for one in told["answers"]] == [
        ("MLG", "ACTIVE", "2026-03-01"),
        ("ASD", "NOT_ANSWERED", None),
    ]


def test_a_refusal_about_another_person_is_warned_of_and_found(world: World) -> None:
    ask(world, person={**PERSON, "id_number": an_id_number(serial=7)})
    answer(world, CIVIL, "MLG", "ACTIVE")
    assert [one.code for one in refuse(world, inquiry_ref="i-1").warnings] == ["inquiry_other_person"]
    reconcile_all(world.context, now=world.now)
    assert world.open_codes() == ["X6_NOT_SUPPORTED"]


def test_an_agency_named_as_such_is_asked_of_all_it_leads_by_when_the_court_wishes(world: World) -> None:
    wish = world.now + timedelta(hours=6)
    ask(world, programmes=["ASD"], agencies=["disabled_persons"], reply_by=wish.isoformat())
    asked = asked_of(world, DISABLED).envelope
    assert asked.data["programmes"] == ["ASD", "REHAB", "DEMP", "DCERT"]
    assert asked.reply_by == wish
    world.wait(timedelta(days=1))
    assert tell_due(world.context, now=world.now) == 0
    with pytest.raises(SchemaInvalid):
        ask(world, inquiry_id="i-2", agencies=["nobody"])


def test_the_person_is_told_first_unless_it_is_an_emergency(world: World) -> None:
    from_body = {"notice_given_at": None}
    with pytest.raises(SchemaInvalid):
        ask(world, **from_body)
    ask(world, legal_basis="EMERGENCY", **from_body)


def test_where_nobody_can_be_asked_the_court_has_its_result_at_once(world: World) -> None:
    ask(world, person={**PERSON, "household_registration_region": "430000"})
    (result,) = results(world)
    assert {(one["answer"], "reason" in one) for one in result["answers"]} == {("NOT_ANSWERED", True)}


def test_a_later_result_names_the_one_it_takes_the_place_of_and_each_answer_its_message(world: World) -> None:
    ask(world)
    asked = asked_of(world, CIVIL)
    answer(world, CIVIL, "MLG", "NEVER")
    answer(world, DISABLED, "ASD", "NEVER")
    world.wait(timedelta(seconds=1))
    data = {"inquiry_id": "i-1", "answers": [{"programme": "MLG", "answer": "ACTIVE", "as_of": "2026-03-01"}]}
    world.accept(world.reply(CIVIL, asked, "inquiry.answered", data))
    first, second = heard(world, COURT, "inquiry.result")
    assert "supersedes" not in first.envelope.data
    assert second.envelope.data["supersedes"] == first.envelope.id
    kept = {row["message_id"]: row["digest"] for row in world.rows(t.inbox)}
    assert all(kept[one["message_id"]] == one["digest"] for one in second.envelope.data["answers"])
    assert tell_due(world.context, now=world.now + timedelta(days=20)) == 0


def test_an_inquiry_leaves_the_office_s_mailbox_when_all_of_it_is_answered(world: World) -> None:
    ask(world, programmes=["MLG", "DST"])
    party = world.offices[CIVIL].partner.party_id
    asked = asked_of(world, CIVIL)
    for programme, waiting in (("MLG", 1), ("DST", 0)):
        data = {"inquiry_id": "i-1", "answers": [{"programme": programme, "answer": "NEVER", "as_of": "2026-03-01"}]}
        world.accept(world.reply(CIVIL, asked, "inquiry.answered", data))
        assert len(heard(world, party, "inquiry.forwarded")) == waiting


def test_the_same_bytes_again_change_nothing(world: World) -> None:
    ask(world)
    data = {"inquiry_id": "i-1", "answers": [{"programme": "MLG", "answer": "ACTIVE", "as_of": "2026-03-01"}]}
    raw = world.reply(CIVIL, asked_of(world, CIVIL), "inquiry.answered", data)
    assert world.accept(raw).jws == world.accept(raw).jws
    assert len(world.rows(t.inquiry_answers)) == 1


def test_an_answer_to_a_clue_that_names_another_message_is_refused(world: World) -> None:
    tell(world)
    body = {"clue_id": "k-1", "code": "INFORMED_PERSON"}
    (clue,) = heard(world, COURT, "clue.forwarded")
    wrong = {"in_reply_to": clue.envelope.id, "in_reply_to_digest": "0" * 64}
    with pytest.raises(ClueUnknown):
        world.accept(world.court.sign("clue.answered", body, now=world.now, **wrong))
    world.accept(
        world.court.sign("clue.answered", body, now=world.now, **(wrong | {"in_reply_to_digest": clue.digest}))
    )
    assert heard(world, COURT, "clue.forwarded") == []


def test_a_clue_goes_to_the_court_it_names(world: World) -> None:
    tell(world, court=NEIGHBOUR)
    assert [row["court_asked"] for row in world.rows(t.clues)] == [NEIGHBOUR]


# --- erasure ---


def test_an_inquiry_is_erased_when_nobody_owes_an_answer_and_the_log_still_verifies(world: World) -> None:
    ask(world)
    sent = asked_of(world, CIVIL)
    with pytest.raises(IllegalMove):
        erase(world.context, "i-1", now=world.now, **ERASED)
    answer(world, CIVIL, "MLG", "ACTIVE")
    answer(world, DISABLED, "ASD", "NEVER")
    erase(world.context, "i-1", now=world.now, **ERASED)
    assert [row["person_key"] for row in world.rows(t.inquiries)] == [None]
    data = {"inquiry_id": "i-1", "answers": [{"programme": "MLG", "answer": "ENDED", "as_of": "2026-03-01"}]}
    with pytest.raises(InquiryUnknown):
        world.accept(world.reply(CIVIL, sent, "inquiry.answered", data))
    assert cut_off(world.context, now=world.now).troubles == ()


def test_a_clue_is_erased_when_it_is_answered_to_the_end(world: World) -> None:
    tell(world)
    reply(world, "INFORMED_PERSON")
    with pytest.raises(IllegalMove):
        erase(world.context, "k-1", now=world.now, **ERASED)
    reply(world, "NOT_ASSISTED", refusal_code="X5")
    women = world.offices[WOMENS_FEDERATION].partner
    for told in heard(world, women.party_id, "clue.answer"):
        named = {"in_reply_to": told.envelope.id, "in_reply_to_digest": told.digest}
        world.accept(women.sign("message.retrieved", {}, now=world.now, **named))
    erase(world.context, "k-1", now=world.now, **ERASED)
    assert cut_off(world.context, now=world.now).troubles == ()
    with pytest.raises(ReferralUnknown):
        erase(world.context, "k-9", now=world.now, **ERASED)


def test_nobody_is_told_of_an_erased_case_and_the_others_are(world: World) -> None:
    for number in (1, 2):
        changes = {
            "case_number": f"（2026）黔01司救执{number}号",
            "original_case_group": f"（2025）黔0102民初{number}号",
        }
        refuse(world, f"r-{number}", needs=None, assessment="NO_NEED", **changes)
    handoff = world.hand_over(referral_id="r-3")
    world.answer(handoff, "10")
    world.wait(timedelta(minutes=1))
    erase(world.context, "r-1", now=world.now, **ERASED)
    worker = Worker(world.context, world.courier().push, lambda: world.now, "w")
    assert (worker.tell_courts() > 0, worker.tell_courts()) == (True, 0)
    assert [one.envelope.subject for one in heard(world, COURT, "referral.status")] == ["r-3"]


# --- loss ---


def test_a_lost_inquiry_comes_back_with_its_answers_and_nobody_is_asked_twice(sqlite_url: str, tmp_path: Path) -> None:
    world = with_offices(KeepingWorld(sqlite_url, tmp_path))
    for office_id in (CIVIL, DISABLED):
        partner = world.offices[office_id].partner
        world.books[partner.party_id] = Book(partner=partner)
        world.offices[office_id] = KeepingOffice(partner=partner, world=world)
    try:
        world.sign_log()
        copy = world.copy()
        world.wait(timedelta(minutes=1))
        ask(world)
        keep_letters(world)
        answer(world, CIVIL, "MLG", "ACTIVE")
        answer(world, DISABLED, "ASD", "NEVER")
        keep_letters(world)
        world.sign_log()
        world.wait(timedelta(minutes=1))
        world.restore(copy)
        assert world.rows(t.inquiries) == []
        assert world.recover().placed.unplaced == ()
        assert [row["answer"] for row in world.rows(t.inquiry_answers)] == ["ACTIVE", "NEVER"]
        counted = [row["type"] for row in world.rows(t.outbox)]
        assert (counted.count("inquiry.forwarded"), counted.count("inquiry.result")) == (2, 1)
        assert {row["forwarded_id"] for row in world.rows(t.inquiry_questions)} <= {
            row["message_id"] for row in world.rows(t.outbox)
        }
        assert cut_off(world.context, now=world.now).troubles == ()
    finally:
        world.close()


def keep_letters(world: KeepingWorld) -> None:
    """Everybody empties his mailbox into his book."""
    for party in (COURT, *(world.offices[office].partner.party_id for office in (CIVIL, DISABLED))):
        for seq, wire in pull(world.context, party, after=0, limit=500):
            message = verify(wire.encode(), world.keyring, recipient=party, now=world.now)
            world.books[party].received.setdefault(message.envelope.id, (seq, message.jws, None))


def test_telling_courts_again_after_a_loss_says_nothing_twice(world: World) -> None:
    world.answer(world.hand_over(), "10")
    world.wait(timedelta(minutes=1))
    tell_courts(world.context, now=world.now)
    world.change(t.told_marks.delete())
    assert tell_courts(world.context, now=world.now) > 0
    assert len(heard(world, COURT, "referral.status")) == 1

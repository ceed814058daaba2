"""转办分派 Each agency gets what it may see, from the court's own signed bytes, once, minors first."""

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from adapters.civil_affairs.adapter import CivilAffairs
from gateway.domain.agreement import Channel
from gateway.domain.handoff import Draft, Handoff, Outcome, SentHandoff
from gateway.envelope.message import digest
from gateway.envelope.signing import VerifiedMessage, verify
from gateway.flows.dispatch import TRY_AGAIN, dispatch
from gateway.flows.operate import release
from gateway.store import directory, mailbox
from gateway.store import tables as t
from schemas.fields import format_moment
from tests.builders import an_id_number
from tests.gateway_world import (
    CIVIL_AFFAIRS,
    COURT,
    DISABLED_PERSONS,
    GATEWAY,
    WOMENS_FEDERATION,
    World,
    a_referral_body,
)

PERSON = a_referral_body()["person"]


def a_person(serial: int = 0, born: date = date(1986, 1, 1), **changes: Any) -> dict[str, Any]:
    number = an_id_number(born, serial=serial)
    return PERSON | {"id_number": number, "birth_date": born.isoformat()} | changes


def handoff_rows(world: World) -> list[dict[str, Any]]:
    return world.rows(t.handoffs)


def sent(world: World) -> dict[str, bytes]:
    """The payload bytes each office would get, by office."""
    found = {}
    for row in world.rows(t.outbox):
        message = verify(row["jws"].encode(), world.keyring, recipient=row["recipient"], now=world.now)
        found[row["office_id"]] = json.dumps(message.envelope.data, ensure_ascii=False).encode()
        mapping = json.dumps(message.envelope.mapping, ensure_ascii=False).encode()
        assert b"masked" not in mapping
    return found


def pulled_by(world: World, office_id: str = WOMENS_FEDERATION) -> list[VerifiedMessage]:
    party = world.offices[office_id].partner.party_id
    with world.store.reading() as connection:
        pulled = mailbox.pull(connection, party, after=0, limit=99, most_bytes=10**6)
    return [verify(jws.encode(), world.keyring, recipient=party, now=world.now) for _, _, jws in pulled]


# --- what a handoff is ---


def test_a_handoff_is_numbered_signed_queued_and_explained_in_one_commit(world: World) -> None:
    world.refer()
    assert world.dispatch().handoffs == 1
    (handoff,), (message,), (need,) = handoff_rows(world), world.rows(t.outbox), world.rows(t.needs)
    assert (message["state"], message["seq"], message["type"]) == ("queued", 1, "handoff.issued")
    assert message["digest"] == digest(message["jws"])
    assert handoff["message_id"] == message["message_id"]
    assert (need["state"], need["handoff_id"], need["office_id"]) == ("routed", handoff["handoff_id"], CIVIL_AFFAIRS)
    assert "programme=MLG" in need["because"]
    assert [row["to_state"] for row in world.rows(t.need_moves)] == ["routed"]
    proven = verify(message["jws"].encode(), world.keyring, recipient=message["recipient"], now=world.now)
    assert (proven.party_id, proven.envelope.subject, proven.envelope.seq) == (GATEWAY, "r-1", 1)
    assert proven.envelope.legal_basis == "STATUTORY_DUTY 黔高法〔2022〕98号"
    assert proven.envelope.mapping == {
        "adapter": "civil_affairs",
        "version": "1.0",
        "loss": proven.envelope.mapping and proven.envelope.mapping["loss"],
    }


def test_a_second_run_does_nothing(world: World) -> None:
    world.refer()
    world.dispatch()
    before = [world.rows(table) for table in (t.needs, t.handoffs, t.outbox, t.need_moves)]
    assert (world.dispatch().handoffs, world.dispatch().unroutable) == (0, 0)
    assert [world.rows(table) for table in (t.needs, t.handoffs, t.outbox, t.need_moves)] == before


def test_needs_for_one_office_travel_together_and_each_agency_has_its_own(world: World) -> None:
    world.refer(needs=[{"programme": code} for code in ("MLG", "ASD", "EDU", "PSY")])
    assert world.dispatch().handoffs == 3
    by_office = {row["office_id"]: [need for need, _ in json.loads(row["need_ids"])] for row in handoff_rows(world)}
    assert by_office == {
        CIVIL_AFFAIRS: ["r-1:1", "r-1:3"],
        DISABLED_PERSONS: ["r-1:2"],
        WOMENS_FEDERATION: ["r-1:4"],
    }


def test_the_womens_federation_finds_its_handoff_in_its_mailbox(world: World) -> None:
    world.refer(needs=[{"programme": "PSY"}])
    world.dispatch()
    (message,) = pulled_by(world)
    assert message.envelope.data["移送编号"] == "r-1"
    assert world.states() == ["routed"]


# --- masks ---


def everything(world: World) -> dict[str, bytes]:
    """A referral that says all there is, for all three agencies."""
    world.refer(
        person=a_person(
            women_class="W2",
            protection_order=True,
            safety_flag=True,
            phone="13900000001",
            disability={"certificate": an_id_number() + "71", "kind": 7, "grade": 1},
        ),
        survey=a_referral_body()["survey"] | {"summary": "测试案情:被害经过,金丝雀一号。"},
        needs=[{"programme": "MLG"}, {"programme": "ASD"}, {"programme": "PSY"}],
        decided_amount_fen=1_234_567,
    )
    world.dispatch()
    return sent(world)


def test_a_sensitive_womens_class_goes_to_the_womens_federation_alone(world: World) -> None:
    found = everything(world)
    assert {office for office, body in found.items() if b"W2" in body} == {WOMENS_FEDERATION}


def test_the_court_amount_is_civil_affairs_alone(world: World) -> None:
    found = everything(world)
    assert {office for office, body in found.items() if b"12345.67" in body} == {CIVIL_AFFAIRS}


def test_medical_detail_does_not_reach_the_womens_federation(world: World) -> None:
    found = everything(world)
    assert DISABLED_PERSONS in {office for office, body in found.items() if (an_id_number() + "71").encode() in body}
    assert (an_id_number() + "71").encode() not in found[WOMENS_FEDERATION]


def test_the_facts_of_the_case_reach_no_federation(world: World) -> None:
    found = everything(world)
    for office in (DISABLED_PERSONS, WOMENS_FEDERATION):
        assert "金丝雀一号".encode() not in found[office]


def test_no_agency_learns_of_anothers_handoff(world: World) -> None:
    found = everything(world)
    for office, body in found.items():
        others = [row["handoff_id"] for row in handoff_rows(world) if row["office_id"] != office]
        assert not [other for other in others if other.encode() in body]
        assert not [other for other in found if other != office and other.encode() in body]


def test_a_minors_case_facts_reach_nobody_and_no_public_notice_is_forced(world: World) -> None:
    child = a_person(born=date(2015, 6, 1), guardian={"name": "测试乙", "relation": "61"})
    world.refer(
        person=child,
        survey=a_referral_body()["survey"] | {"summary": "被害经过,金丝雀二号。"},
        needs=[{"programme": "MLG"}, {"programme": "PSY"}],
        no_public_notice=False,
    )
    world.dispatch()
    found = sent(world)
    assert len(found) == 2
    for body in found.values():
        assert "金丝雀二号".encode() not in body
    assert json.loads(found[CIVIL_AFFAIRS])["xj_no_public_notice"] is True
    assert json.loads(found[WOMENS_FEDERATION])["不得公示"] == "是"


# --- routes ---


def test_an_urgent_need_goes_to_the_place_of_the_event(world: World) -> None:
    world.add_office("civil_affairs", Channel.PUSH, "520103")
    world.refer(urgency="URGENT_24H", place_of_event="520103", needs=[{"programme": "TMP_U"}])
    world.dispatch()
    (need,) = world.rows(t.needs)
    assert need["office_id"] == "civil_affairs-520103"
    assert "by=place_of_event" in need["because"]


def test_a_need_in_its_time_goes_by_household_registration(world: World) -> None:
    world.add_office("civil_affairs", Channel.PUSH, "520103")
    world.refer(place_of_event="520103")
    world.dispatch()
    assert world.rows(t.needs)[0]["office_id"] == CIVIL_AFFAIRS


def test_a_need_without_an_office_waits_visibly_and_is_routed_once_there_is_one(world: World) -> None:
    world.refer(person=a_person(household_registration_region="520302"))
    assert world.dispatch().unroutable == 1
    (need,) = world.rows(t.needs)
    assert (need["state"], need["unroutable"]) == ("accepted", "no_office")
    world.add_office("civil_affairs", Channel.PUSH, "520302")
    assert world.dispatch().handoffs == 0
    world.wait(TRY_AGAIN)
    assert world.dispatch().handoffs == 1
    (need,) = world.rows(t.needs)
    assert (need["state"], need["unroutable"], need["office_id"]) == ("routed", None, "civil_affairs-520302")


def test_a_paused_office_is_still_the_right_one(world: World) -> None:
    world.change_office(CIVIL_AFFAIRS, paused=True)
    world.refer()
    assert world.dispatch().handoffs == 1


def test_a_serial_route_is_walked_step_by_step_with_clocks_of_its_own(world: World) -> None:
    world.refer(needs=[{"programme": "LSD"}])
    world.dispatch()
    assert [row["office_id"] for row in handoff_rows(world)] == [DISABLED_PERSONS]
    world.deliver(DISABLED_PERSONS)
    (first,) = world.offices[DISABLED_PERSONS].received
    world.wait(timedelta(hours=1))
    world.accept(
        world.reply(DISABLED_PERSONS, first, "handoff.outcome", approved_xml(world), datacontenttype="application/xml")
    )
    (need,) = world.rows(t.needs)
    assert (need["state"], need["step"], need["issued_at"], need["answered_at"]) == ("routed", 1, None, None)
    assert world.dispatch().handoffs == 1
    assert [row["office_id"] for row in handoff_rows(world)] == [DISABLED_PERSONS, CIVIL_AFFAIRS]
    assert [row["state"] for row in handoff_rows(world)] == ["completed", "issued"]
    world.deliver()
    assert world.states() == ["handed_off"]
    (need,) = world.rows(t.needs)
    assert need["step"] == 1
    assert need["relayed_at"] is not None


def approved_xml(world: World) -> str:
    """The federation's own format for an approval of its first handoff's need."""
    row = world.rows(t.handoffs)[-1]
    cells = {"handoff_id": row["handoff_id"], "need_id": "r-1:1", "result": "APPROVED", "at": "2026-03-03 10:00"}
    body = world.context.adapters["disabled_persons"].sheet_reply(cells)
    assert isinstance(body, str)
    return body


def test_minors_lead_the_queue(world: World) -> None:
    world.refer(referral_id="adult", person=a_person(1))
    child = a_person(2, date(2015, 6, 1), guardian={"name": "测试乙", "relation": "61"})
    world.refer(referral_id="child", person=child)
    assert dispatch(world.context, now=world.now, limit=1).handoffs == 1
    assert [row["referral_id"] for row in handoff_rows(world)] == ["child"]
    world.dispatch()
    world.deliver()
    assert [message.envelope.subject for message in world.offices[CIVIL_AFFAIRS].received] == ["child"]


def test_a_held_need_goes_out_only_after_a_person_let_it(world: World) -> None:
    world.refer(unenforced_balance_fen=1)
    assert world.dispatch().handoffs == 0
    release(world.context, "r-1", who="测试法官", why="已核实", now=world.now)
    assert world.dispatch().handoffs == 1


# --- an insider with the database's password ---


def tamper(world: World, jws: str, message_id: str = "m-1") -> None:
    world.change(t.inbox.update().where(t.inbox.c.message_id == message_id).values(jws=jws))


def submit(world: World, referral_id: str, message_id: str, person: Mapping[str, Any]) -> bytes:
    body = a_referral_body(referral_id=referral_id, person=person)
    raw = world.court.sign("referral.submitted", body, now=world.now, id=message_id)
    world.accept(raw)
    return raw


def test_bytes_changed_in_the_database_are_not_dispatched(world: World) -> None:
    raw = submit(world, "r-1", "m-1", PERSON).decode()
    head, payload, signature = raw.split(".")
    tamper(world, f"{head}.{payload[:-8]}AAAAAAAA.{signature}")
    assert world.dispatch().unroutable == 1
    (need,) = world.rows(t.needs)
    assert (need["unroutable"], world.rows(t.outbox)) == ("message_not_proven", [])


def test_another_message_of_the_same_court_in_its_place_is_not_dispatched(world: World) -> None:
    submit(world, "r-1", "m-1", PERSON)
    other = submit(world, "r-2", "m-2", a_person(5))
    tamper(world, other.decode())
    assert world.dispatch().handoffs == 1
    assert [row["referral_id"] for row in handoff_rows(world)] == ["r-2"]
    assert [row["unroutable"] for row in world.rows(t.needs)] == ["message_not_proven", None]


def test_a_message_the_insider_signed_with_a_key_of_another_party_is_not_dispatched(world: World) -> None:
    submit(world, "r-1", "m-1", PERSON)
    forged = world.neighbour.sign("referral.submitted", a_referral_body(), now=world.now, id="m-1")
    tamper(world, forged.decode())
    assert world.dispatch().handoffs == 0


def test_bytes_that_are_gone_are_told_and_stop_nobody(world: World) -> None:
    submit(world, "r-1", "m-1", PERSON)
    submit(world, "r-2", "m-2", a_person(5))
    world.change(t.inbox.delete().where(t.inbox.c.message_id == "m-1"))
    done = world.dispatch()
    assert (done.handoffs, done.unroutable) == (1, 1)


@pytest.mark.parametrize("forged", [{"programme": "PSY"}, {"need_id": "r-1:2"}, {"need_id": "r-1:0"}])
def test_a_need_the_court_did_not_sign_is_sent_nowhere(world: World, forged: dict[str, str]) -> None:
    world.refer()
    world.change(t.needs.update().values(**forged))
    assert world.dispatch().unroutable == 1
    assert ([row["unroutable"] for row in world.rows(t.needs)], world.rows(t.outbox)) == (["message_not_proven"], [])


def test_a_key_that_ended_after_the_message_came_still_proves_it(world: World) -> None:
    world.refer()
    ended = world.now + timedelta(minutes=1)
    world.store.write(
        lambda c: directory.end_key(c, world.court.key.kid, at=ended, now=world.now, revoked_because="lost")
    )
    world.context.directory.forget()
    world.wait(timedelta(hours=1))
    assert world.dispatch().handoffs == 1


# --- one bad referral costs nobody ---


class Brittle:
    """Civil affairs whose format cannot carry one referral."""

    agency, version, content_type = "civil_affairs", "1.0", "application/json"

    def __init__(self) -> None:
        self._honest = CivilAffairs()

    def translate(self, handoff: Handoff) -> Draft:
        if handoff.referral_id == "r-1":
            raise KeyError(handoff.person.name)
        return self._honest.translate(handoff)

    def interpret(self, body: Any, sent: SentHandoff) -> tuple[Outcome, ...]:
        return self._honest.interpret(body, sent)

    def sheet_columns(self) -> Sequence[tuple[str, str]]:
        return self._honest.sheet_columns()

    def sheet_rows(self, body: Any) -> Sequence[Mapping[str, str]]:
        return self._honest.sheet_rows(body)

    def sheet_reply(self, row: Mapping[str, str]) -> Any:
        return self._honest.sheet_reply(row)


def test_a_referral_that_cannot_be_translated_waits_visibly_and_stops_nobody(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    submit(world, "r-1", "m-1", PERSON)
    submit(world, "r-2", "m-2", a_person(5))
    broken = replace(world.context, adapters={**world.context.adapters, "civil_affairs": Brittle()})
    done = dispatch(broken, now=world.now)
    assert (done.handoffs, done.unroutable) == (1, 1)
    assert [row["unroutable"] for row in world.rows(t.needs)] == ["not_translated", None]
    assert PERSON["name"] not in caplog.text
    world.wait(TRY_AGAIN)
    assert world.dispatch().handoffs == 1


def test_a_plan_that_cannot_be_written_stops_nobody(world: World) -> None:
    submit(world, "r-1", "m-1", PERSON)
    submit(world, "r-2", "m-2", a_person(5))
    world.dispatch()
    # r-1's need stands open again although its handoff is on file: its effect key is taken
    world.change(
        t.needs.update().where(t.needs.c.referral_id == "r-1").values(state="accepted", handoff_id=None, dispatch_at=0)
    )
    submit(world, "r-3", "m-3", a_person(6))
    assert world.dispatch().handoffs == 1
    assert [row["referral_id"] for row in handoff_rows(world)] == ["r-1", "r-2", "r-3"]


# --- several at once ---


def test_two_dispatchers_at_once_make_one_handoff_each_need(world: World) -> None:
    twin = world.twin()
    for at in range(12):
        world.refer(referral_id=f"r-{at}", person=a_person(at), needs=[{"programme": "MLG"}, {"programme": "ASD"}])
    done: list[int] = []

    def work(context: Any) -> None:
        for _ in range(3):
            done.append(dispatch(context, now=world.now).handoffs)

    threads = [threading.Thread(target=work, args=(context,)) for context in (world.context, twin)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    world.dispatch()
    twin.store.close()
    assert len(handoff_rows(world)) == len(world.rows(t.outbox)) == 24
    for office in (CIVIL_AFFAIRS, DISABLED_PERSONS):
        seqs = [row["seq"] for row in world.rows(t.outbox) if row["office_id"] == office]
        assert sorted(seqs) == list(range(1, 13))
    assert len(world.rows(t.need_moves)) == 24


def test_a_withdrawal_between_plan_and_write_wins(world: World) -> None:
    world.refer()
    body = {"referral_id": "r-1", "reason": "报送有误"}
    withdrawal = world.court.sign("referral.withdrawn", body, now=world.now)

    class Interrupted(Brittle):
        def translate(self, handoff: Handoff) -> Draft:
            world.accept(withdrawal)
            return self._honest.translate(handoff)

    slow = replace(world.context, adapters={**world.context.adapters, "civil_affairs": Interrupted()})
    assert dispatch(slow, now=world.now).handoffs == 0
    assert (world.states(), world.rows(t.outbox)) == (["withdrawn"], [])


def test_a_run_takes_no_more_than_its_limit_and_the_next_takes_the_rest(world: World) -> None:
    for at in range(5):
        world.refer(referral_id=f"r-{at}", person=a_person(at))
    assert [dispatch(world.context, now=world.now, limit=2).handoffs for _ in range(4)] == [2, 2, 1, 0]


def test_a_handoff_says_by_when_an_answer_is_due(world: World) -> None:
    handoff = world.hand_over()
    assert handoff.envelope.reply_by is not None
    assert handoff.envelope.data["xj_reply_by"] == format_moment(handoff.envelope.reply_by)
    assert handoff.envelope.data["xj_court"] == COURT

"""催办与上报 An office hears of its limit before it runs out; unanswered, the office above does; nothing twice."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from gateway.domain.agreement import Channel
from gateway.envelope.signing import VerifiedMessage
from gateway.evidence.verifier.conclusions import Standing
from gateway.evidence.verifier.trust import Trusted
from gateway.evidence.verifier.verify import verify_bundle
from gateway.flows.cutoff import cut_off
from gateway.flows.evidence import OVER_HTTP, export
from gateway.flows.reconcile import reconcile_all, reconcile_due
from gateway.store import findings, vault
from gateway.store import tables as t
from gateway.store.reminders import REMINDER_TYPE
from tests.builders import an_id_number
from tests.gateway_world import CIVIL_AFFAIRS, COURT, World, a_referral_body
from tests.log_world import LogWorld

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
CHILD = a_referral_body()["person"] | {
    "birth_date": "2016-01-01",
    "id_type": "000",
    "id_number": None,
    "guardian": {"name": "测试乙", "relation": "61"},
}
CHILD.pop("id_number")


def look(world: World) -> None:
    """As the worker does it: until nothing is due."""
    for _ in range(5):
        world.wait(timedelta(seconds=3))
        if reconcile_due(world.context, now=world.now).referrals == 0:
            return


def go_on_until(world: World, moment: datetime) -> None:
    """Lets time pass, looking twice a day."""
    while world.now < moment:
        world.wait(min(12 * HOUR, moment - world.now))
        look(world)


def reminders(world: World, office_id: str = CIVIL_AFFAIRS) -> list[VerifiedMessage]:
    """What the office was sent of them."""
    for _ in range(10):
        world.deliver(office_id)
    return [one for one in world.offices[office_id].received if one.envelope.type == REMINDER_TYPE]


def late(world: World) -> Any:
    with world.store.reading() as connection:
        (kept,) = findings.listed(connection)
    return kept.finding


def the_first_limit(world: World) -> datetime:
    """5 working days from Tuesday 3 March: the end of Tuesday the 10th in China."""
    return datetime.fromisoformat("2026-03-11T00:00+08:00")


def test_an_office_is_reminded_before_its_limit_runs_out_and_again_when_it_has(world: World) -> None:
    handoff = world.hand_over()
    look(world)
    assert reminders(world) == []
    go_on_until(world, the_first_limit(world) - HOUR)
    (first,) = reminders(world)
    assert first.envelope.data == {
        "handoff_id": handoff.envelope.data["xj_handoff"],
        "need": "r-1:1",
        "programme": "MLG",
        "waits_for": "disposition",
        "limit": "L03",
        "since": "2026-03-03T01:00:00.000Z",
        "due_at": "2026-03-10T16:00:00.000Z",
        "number": 1,
        "effect": first.envelope.data["effect"],
    }
    assert (first.envelope.in_reply_to, first.envelope.subject) == (handoff.envelope.id, "r-1")
    go_on_until(world, the_first_limit(world) + HOUR)
    assert [one.envelope.data["number"] for one in reminders(world)] == [1, 2]


def test_each_reminder_is_sent_once_for_ever_and_nothing_when_idle(world: World) -> None:
    world.hand_over()
    go_on_until(world, the_first_limit(world) + DAY)
    before = len(world.rows(t.outbox))
    look(world)
    reconcile_all(world.context, now=world.now)
    reconcile_all(world.context, now=world.now)
    assert len(world.rows(t.outbox)) == before
    assert cut_off(world.context, now=world.now).troubles == ()


def test_of_what_fell_due_meanwhile_only_the_last_is_said(sqlite_world: World) -> None:
    sqlite_world.hand_over()
    sqlite_world.wait(9 * DAY)
    look(sqlite_world)
    assert [one.envelope.data["number"] for one in reminders(sqlite_world)] == [2]


def test_an_answer_ends_the_reminders_of_the_step(sqlite_world: World) -> None:
    handoff = sqlite_world.hand_over()
    sqlite_world.wait(DAY)
    sqlite_world.answer(handoff, "10")
    go_on_until(sqlite_world, the_first_limit(sqlite_world) + 5 * DAY)
    assert reminders(sqlite_world) == []


def test_a_minors_office_is_reminded_sooner(sqlite_world: World) -> None:
    sqlite_world.hand_over(person=CHILD)
    go_on_until(sqlite_world, sqlite_world.now + 2 * DAY)
    assert [one.envelope.data["number"] for one in reminders(sqlite_world)] == [1]


def test_a_paused_office_is_not_reminded_until_it_goes_on(sqlite_world: World) -> None:
    sqlite_world.hand_over()
    sqlite_world.change_office(CIVIL_AFFAIRS, paused=True)
    go_on_until(sqlite_world, the_first_limit(sqlite_world) + 2 * DAY)
    assert [row["type"] for row in sqlite_world.rows(t.outbox)] == ["handoff.issued"]
    sqlite_world.change_office(CIVIL_AFFAIRS, paused=False)
    go_on_until(sqlite_world, sqlite_world.now + 12 * HOUR)
    assert len(reminders(sqlite_world)) == 1


def test_a_withdrawn_referral_reminds_nobody(sqlite_world: World) -> None:
    sqlite_world.hand_over()
    sqlite_world.accept(
        sqlite_world.court.sign("referral.withdrawn", {"referral_id": "r-1", "reason": "测试"}, now=sqlite_world.now)
    )
    go_on_until(sqlite_world, the_first_limit(sqlite_world) + 9 * DAY)
    assert reminders(sqlite_world) == []


@pytest.mark.parametrize("status", ["11"], ids=["returned for material"])
def test_while_the_court_must_act_the_office_is_not_reminded(sqlite_world: World, status: str) -> None:
    handoff = sqlite_world.hand_over()
    sqlite_world.answer(handoff, status, xj_missing=["身份证明"])
    assert sqlite_world.states() == ["information_requested"]
    go_on_until(sqlite_world, sqlite_world.now + 60 * DAY)
    assert reminders(sqlite_world) == []


# --- going up ---


def test_unanswered_the_office_above_is_told_ids_and_nothing_of_the_person(world: World) -> None:
    above = world.add_office("civil_affairs", Channel.PUSH, region="520100")
    handoff = world.hand_over()
    go_on_until(world, the_first_limit(world) + 6 * DAY)
    (raised,) = reminders(world, "civil_affairs-520100")
    assert raised.envelope.recipient == above.partner.party_id
    assert raised.envelope.data == {
        "handoff_id": handoff.envelope.data["xj_handoff"],
        "need": "r-1:1",
        "programme": "MLG",
        "waits_for": "disposition",
        "limit": "L03",
        "since": "2026-03-03T01:00:00.000Z",
        "due_at": "2026-03-10T16:00:00.000Z",
        "number": 1,
        "escalated_from": CIVIL_AFFAIRS,
        "level": 1,
        "effect": raised.envelope.data["effect"],
    }
    assert raised.envelope.in_reply_to is None


def test_the_finding_says_how_often_and_who_has_to_act_by_now(world: World) -> None:
    world.add_office("civil_affairs", Channel.PUSH, region="520100")
    world.hand_over()
    go_on_until(world, the_first_limit(world) + HOUR)
    assert (late(world).must_act, late(world).evidence["reminders"]) == (CIVIL_AFFAIRS, 2)
    go_on_until(world, the_first_limit(world) + 6 * DAY)
    finding = late(world)
    assert (finding.must_act, finding.evidence["escalated"]) == ("civil_affairs-520100", 1)
    assert finding.evidence["office"] == CIVIL_AFFAIRS
    go_on_until(world, the_first_limit(world) + 12 * DAY)
    assert (late(world).must_act, late(world).evidence["escalated"]) == ("operator", 2)


def test_without_an_office_above_the_operator_has_to_act(sqlite_world: World) -> None:
    sqlite_world.hand_over()
    go_on_until(sqlite_world, the_first_limit(sqlite_world) + 6 * DAY)
    assert (late(sqlite_world).must_act, late(sqlite_world).evidence["escalated_to"]) == ("operator", "operator")


def test_an_answer_takes_it_down_again(sqlite_world: World) -> None:
    sqlite_world.add_office("civil_affairs", Channel.PUSH, region="520000")
    handoff = sqlite_world.hand_over()
    go_on_until(sqlite_world, the_first_limit(sqlite_world) + 6 * DAY)
    sqlite_world.answer(handoff, "10")
    look(sqlite_world)
    assert sqlite_world.open_codes() == []


def test_reminders_are_evidence_of_the_case_like_any_message(sqlite_world: World) -> None:
    logged = LogWorld(sqlite_world)
    sqlite_world.add_office("civil_affairs", Channel.PUSH, region="520100")
    sqlite_world.hand_over()
    go_on_until(sqlite_world, the_first_limit(sqlite_world) + 6 * DAY)
    assert [reminders(sqlite_world), reminders(sqlite_world, "civil_affairs-520100")] != [[], []]
    logged.sign()
    raw = export(logged.context, "r-1", who=COURT, why=OVER_HTTP, now=sqlite_world.now, court=COURT)
    keys = sqlite_world.context.snapshot(sqlite_world.now).keys
    found = verify_bundle(raw, Trusted(keys=keys, vkeys=(logged.key.vkey(),)))
    assert [one.code for one in found.of(Standing.REFUTED)] == []


def test_nobody_is_reminded_of_a_case_that_was_erased_and_the_others_are(sqlite_world: World) -> None:
    sqlite_world.hand_over()
    sqlite_world.store.write(lambda connection: vault.erase(connection, "r-1", now=sqlite_world.now))
    sqlite_world.hand_over(**another_case())
    go_on_until(sqlite_world, the_first_limit(sqlite_world) + HOUR)
    assert {one.envelope.subject for one in reminders(sqlite_world)} == {"r-2"}


def another_case() -> dict[str, Any]:
    """Of somebody else."""
    own = {
        "name": "样例丁",
        "birth_date": "1971-05-06",
        "id_number": an_id_number(date(1971, 5, 6)),
        "phone": "13900000002",
    }
    return {
        "referral_id": "r-2",
        "case_number": "（2026）黔01司救执2号",
        "original_case_group": "（2025）黔0102民初2号",
        "person": a_referral_body()["person"] | own,
    }

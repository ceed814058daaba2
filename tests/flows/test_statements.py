"""What agencies say they paid against what they told us, in either direction; an honest statement raises nothing."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway.domain.agreement import Channel
from gateway.flows.reconcile import look, reconcile_all
from gateway.flows.statement_reconcile import reconcile_all as compare_all
from gateway.store import tables as t
from gateway.store.findings import Changes
from tests.builders import an_id_number
from tests.flows.statement_world import a_line, codes, found, state
from tests.gateway_world import AGREEMENT, CIVIL_AFFAIRS, DISABLED_PERSONS, World

OTHER = "civil_affairs-520103"
MONTH = {"abaf0028": "202603", "abaf0029": "202612"}


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """With a second civil affairs office in another county."""
    made = World(database_url)
    made.add_office("civil_affairs", Channel.MAILBOX, "520103")
    yield made
    made.close()


@pytest.fixture
def small(sqlite_url: str) -> Iterator[World]:
    """Where the engine says nothing."""
    made = World(sqlite_url)
    made.add_office("civil_affairs", Channel.MAILBOX, "520103")
    yield made
    made.close()


def told(world: World, **changes: Any) -> None:
    """The minimum living guarantee asked for, approved at 600 yuan a month and paid for March."""
    handoff = world.hand_over(**changes)
    world.answer(handoff, "30", xj_amount="600.00", **MONTH)
    world.answer(handoff, "40", xj_amount="600.00", abaf0028="202603", abaf0029="202603")


def told_once(world: World, amount: str = "800.00", **changes: Any) -> None:
    """A one-off grant, approved and paid."""
    handoff = world.hand_over(needs=[{"programme": "TMP_E"}], **changes)
    world.answer(handoff, "30", xj_amount=amount)
    world.answer(handoff, "40", xj_amount=amount)


def test_an_honest_statement_raises_nothing(world: World) -> None:
    told(world)
    read = state(world, [a_line()])
    assert [(one.kept, one.bad) for one in read] == [(1, 0)]
    assert codes(world) == []


def test_a_payment_that_was_told_and_is_not_listed_is_missed(world: World) -> None:
    told(world)
    state(world, [])
    (one,) = found(world)
    assert one.finding.code == "MISS_ABSENT_FROM_STATEMENT"
    assert (one.finding.need_id, one.finding.must_act, one.finding.stake_fen) == ("r-1:1", CIVIL_AFFAIRS, 60_000)


def test_of_an_incomplete_statement_nothing_is_missed(small: World) -> None:
    told(small)
    state(small, [], complete=False)
    assert codes(small) == []


def test_of_another_month_or_programme_nothing_is_missed(small: World) -> None:
    told(small)
    state(small, [], period_from="2026-01", period_to="2026-02")
    state(small, [], statement_id="s-2", programmes=["TMP_E"])
    assert codes(small) == []


def test_a_statement_that_lacks_lines_of_its_own_misses_nobody(small: World) -> None:
    told(small)
    state(small, [], lines=3)
    assert codes(small) == []


def test_a_payment_told_in_the_next_month_is_listed_in_its_own(small: World) -> None:
    handoff = small.hand_over()
    small.answer(handoff, "30", xj_amount="600.00", **MONTH)
    small.wait(timedelta(days=30))
    small.answer(handoff, "40", xj_amount="600.00", abaf0028="202603", abaf0029="202603")
    state(small, [a_line(paid_on="2026-03-31")])
    state(small, [], statement_id="s-2", period_from="2026-04", period_to="2026-04")
    assert codes(small) == []


def test_a_person_on_their_list_of_whom_we_were_told_nothing(world: World) -> None:
    world.hand_over()
    state(world, [a_line()])
    (one,) = found(world)
    assert (one.finding.code, one.finding.evidence["lines"]) == ("MM_ROSTER", [1])


def test_the_same_without_the_needs_number_is_found_by_the_person(world: World) -> None:
    world.hand_over()
    state(world, [a_line(need_id=None)], covers="ROSTER", complete=False)
    assert codes(world) == ["MM_ROSTER"]


def test_who_was_on_the_roster_before_we_asked_is_not_in_doubt(small: World) -> None:
    small.hand_over()
    line = a_line(need_id=None, status="ACTIVE", month_from="2021-01", paid_on=None)
    state(small, [line], covers="ROSTER")
    assert codes(small) == []


def test_an_amount_off_the_approved_rate(world: World) -> None:
    told(world)
    state(world, [a_line(amount_fen=65_000)])
    (one,) = found(world)
    assert (one.finding.code, one.finding.stake_fen) == ("MM_AMOUNT", 5_000)
    assert (one.finding.evidence["approved_fen"], one.finding.evidence["listed_fen"]) == (60_000, 65_000)


def test_an_amount_of_a_one_off_grant(world: World) -> None:
    told_once(world)
    state(world, [a_line(programme="TMP_E", amount_fen=70_000, month_from=None)])
    (one,) = found(world)
    assert (one.finding.code, one.finding.stake_fen) == ("MM_AMOUNT", 10_000)


def test_what_the_answers_themselves_put_in_doubt_is_not_said_again(small: World) -> None:
    handoff = small.hand_over(needs=[{"programme": "TMP_E"}])
    small.answer(handoff, "30", xj_amount="800.00")
    small.answer(handoff, "40", xj_amount="900.00")
    state(small, [a_line(programme="TMP_E", amount_fen=70_000, month_from=None)])
    reconcile_all(small.context, now=small.now)
    assert small.open_codes().count("MM_AMOUNT") == 1
    assert codes(small) == []


def test_a_date_far_from_the_one_that_was_told(small: World) -> None:
    told_once(small)
    line = a_line(programme="TMP_E", amount_fen=80_000, month_from=None, paid_on="2026-08-20")
    state(small, [line], period_from="2026-08", period_to="2026-08")
    (one,) = found(small)
    assert (one.finding.code, one.finding.evidence["told_on"]) == ("MM_AMOUNT", ["2026-03-03"])


def test_another_person(world: World) -> None:
    told(world)
    state(world, [a_line(id_number=an_id_number(serial=7))])
    assert codes(world) == ["MM_PERSON"]


def test_a_need_that_was_denied_is_listed_as_paid(world: World) -> None:
    handoff = world.hand_over()
    world.answer(handoff, "31", xj_reason="701", xj_reason_text="收入超过标准")
    state(world, [a_line()])
    (one,) = found(world)
    assert (one.finding.code, one.finding.evidence["theirs"]) == ("MM_STATUS", ["PAID"])


def test_a_stop_that_was_never_told(small: World) -> None:
    told(small)
    state(small, [a_line(status="STOPPED", amount_fen=None, paid_on=None)], covers="ROSTER")
    assert codes(small) == ["MM_STATUS"]


def test_one_month_paid_twice(world: World) -> None:
    told(world)
    state(world, [a_line(), a_line(paid_on="2026-03-20")])
    (one,) = found(world)
    assert (one.finding.code, one.finding.stake_fen, one.finding.evidence["lines"]) == ("DUP_PAYMENT", 60_000, [2])


def test_paid_after_the_stop_that_was_told(world: World) -> None:
    handoff = world.hand_over()
    world.answer(handoff, "30", xj_amount="600.00", **MONTH)
    world.answer(handoff, "40", xj_amount="600.00", abaf0028="202603", abaf0029="202603")
    world.answer(handoff, "60", abaf0028="202604")
    line = a_line(paid_on="2026-06-10", month_from="2026-06")
    state(world, [line], period_from="2026-06", period_to="2026-06")
    assert codes(world) == ["PAID_AFTER_STOP"]


def test_two_offices_list_one_person_in_one_month(world: World) -> None:
    state(world, [a_line(need_id=None)])
    state(world, [a_line(need_id=None, account="1")], office_id=OTHER)
    (one,) = found(world)
    assert one.finding.code == "DUP_SAME_PROGRAMME_PERIOD"
    assert one.finding.evidence["offices"] == [OTHER, CIVIL_AFFAIRS]
    assert one.finding.must_act == OTHER


def test_one_office_lists_what_another_told(world: World) -> None:
    told(world)
    state(world, [a_line(need_id=None)], office_id=OTHER)
    (one,) = found(world)
    assert (one.finding.code, one.finding.referral_id) == ("DUP_SAME_PROGRAMME_PERIOD", "r-1")


def test_two_programmes_that_exclude_each_other(world: World) -> None:
    state(world, [a_line(need_id=None, programme="DST")])
    line = a_line(need_id=None, programme="LSD", account="1")
    state(world, [line], office_id=DISABLED_PERSONS, agency="disabled_persons")
    assert codes(world) == ["DUP_EXCLUSIVE_PROGRAMMES"]


def test_programmes_that_complement_each_other_and_months_that_do_not_meet_are_lawful(small: World) -> None:
    state(small, [a_line(need_id=None)])
    state(small, [a_line(need_id=None, programme="LSD")], office_id=DISABLED_PERSONS, agency="disabled_persons")
    later = a_line(need_id=None, month_from="2026-04", paid_on="2026-04-10")
    state(small, [later], office_id=OTHER, period_from="2026-04", period_to="2026-04")
    assert codes(small) == []


def test_one_account_for_people_nobody_knows_as_one_household(world: World) -> None:
    lines = [a_line(need_id=None), a_line(need_id=None, id_number=an_id_number(serial=7))]
    state(world, lines)
    (one,) = found(world)
    assert (one.finding.code, one.finding.evidence["persons"], one.finding.stake_fen) == ("SHARED_ACCOUNT", 2, 120_000)


def test_an_account_that_a_guardian_holds_for_two_is_not_shared(small: World) -> None:
    lines = [a_line(need_id=None, id_number=an_id_number(serial=serial), payee="GUARDIAN") for serial in (1, 7)]
    state(small, lines)
    assert codes(small) == []


def test_one_agency_lists_as_dead_whom_another_pays(small: World) -> None:
    dead = a_line(
        need_id=None, programme="LSD", status="DECEASED", amount_fen=None, month_from=None, paid_on="2026-01-05"
    )
    state(small, [dead], office_id=DISABLED_PERSONS, agency="disabled_persons")
    state(small, [a_line(need_id=None)])
    assert codes(small) == ["PAID_DECEASED"]


def test_a_person_listed_a_thousand_times_is_one_doubt(small: World) -> None:
    state(small, [a_line(need_id=None, paid_on=f"2026-03-{number % 28 + 1:02d}") for number in range(1000)])
    assert codes(small) == ["DUP_PAYMENT"]


def test_a_second_run_changes_nothing(world: World) -> None:
    told(world)
    state(world, [a_line(amount_fen=65_000)])
    before = world.rows(t.findings)
    changes = compare_all(world.context, now=world.now + timedelta(days=1))
    assert (changes.opened, changes.closed, changes.unchanged) == (0, 0, 1)
    assert world.rows(t.findings) == before


def test_a_correction_changes_only_what_it_changed(world: World) -> None:
    told(world)
    told_once(
        world, referral_id="r-2", case_number="（2026）黔01司救执2号", original_case_group="（2025）黔0102民初2号"
    )
    wrong = a_line(need_id="r-2:1", programme="TMP_E", amount_fen=70_000, month_from=None)
    state(world, [a_line(amount_fen=65_000), wrong])
    assert codes(world) == ["MM_AMOUNT", "MM_AMOUNT"]
    before = {row["need_id"]: row["evidence_digest"] for row in world.rows(t.findings)}
    world.wait(timedelta(days=1))
    state(world, [wrong, a_line()], statement_id="s-2", replaces="s-1")
    (one,) = found(world)
    assert (one.finding.need_id, one.finding.evidence["statement"]) == ("r-2:1", "s-2")
    assert one.opened_at < world.now - timedelta(hours=1)
    # who decided about it need not do so again: the line is another, the doubt is the same
    assert {row["need_id"]: row["evidence_digest"] for row in world.rows(t.findings)} == before


def test_without_authorised_matching_only_lines_that_name_a_need_are_compared(world: World) -> None:
    text = AGREEMENT.replace("version = 1", "version = 2").replace("authorised = true", "authorised = false")
    world.load_agreement(text)
    told(world)
    other = a_line(need_id=None, id_number=an_id_number(serial=7))
    state(world, [a_line(amount_fen=65_000), other, a_line(need_id=None, amount_fen=1)])
    assert codes(world) == ["MM_AMOUNT"]
    kept = world.rows(t.statement_lines)
    assert {(row["person_key"], row["account_key"]) for row in kept} == {(None, None)}
    assert [row for row in world.rows(t.decisions) if row["what"] == "matching_used"] == []


def test_without_matching_another_person_is_seen_by_the_handoff_alone(small: World) -> None:
    text = AGREEMENT.replace("version = 1", "version = 2").replace("authorised = true", "authorised = false")
    small.load_agreement(text)
    told(small)
    state(small, [a_line(id_number=an_id_number(serial=7))])
    assert codes(small) == ["MM_PERSON"]


def test_after_the_matching_secret_was_layered_an_old_statement_accuses_nobody(small: World) -> None:
    told(small)
    state(small, [a_line(need_id=None)])
    layered = replace(
        small.context, matching_secret=small.context.matching_secret + b"\n" + b"another layer of thirty-two bytes"
    )
    assert compare_all(layered, now=small.now) == Changes()
    assert codes(small) == []


def test_a_nightly_run_and_a_look_say_the_same(small: World) -> None:
    told(small)
    state(small, [a_line(amount_fen=65_000)])
    reconcile_all(small.context, now=small.now)
    seen = [one.key for one in look(small.context, as_of=small.now, now=small.now)]
    assert [one.finding.key for one in found(small)] == [key for key in seen if "s-1@" in key]

"""法院资金与回访 What a court says of its own money and visits, and what is found where it is late or wrong."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.domain.calendar import china_day
from gateway.errors import ReferralUnknown, RuleBlocked, SchemaInvalid
from gateway.evidence.receipt import Receipt
from gateway.flows.cutoff import cut_off
from gateway.flows.follow_up import DUE_TYPE, due_visits
from gateway.flows.reconcile import reconcile_all, reconcile_due
from gateway.store import tables as t
from tests.gateway_world import AGREEMENT, CIVIL_AFFAIRS, Partner, World

WAGES = """
[amounts]
months = 36
[[amounts.wage]]
region = "520000"
year = 2025
monthly_fen = 600000
"""


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """One referral that was paid, and needs nothing of an agency."""
    made = World(database_url)
    made.load_agreement(AGREEMENT.replace("version = 1", "version = 2") + WAGES)
    made.refer(needs=[], assessment="NO_NEED")
    say(
        made, "judicial_assistance.paid", payment_id="p-1", amount_fen=2_000_000, paid_on="2026-03-02", payee="GUARDIAN"
    )
    yield made
    made.close()


def say(world: World, type_: str, court: Partner | None = None, **data: Any) -> Receipt:
    world.wait(timedelta(seconds=1))
    body = {"referral_id": "r-1", **data}
    return world.accept((court or world.court).sign(type_, body, now=world.now))


def visit(world: World, number: int = 1, **data: Any) -> Receipt:
    honest = {
        "visit_id": f"f-{number}",
        "visited_on": china_day(world.now).isoformat(),
        "mode": "ON_SITE",
        "situation": "STABLE",
    }
    return say(world, "follow_up.recorded", **(honest | data))


def plan(world: World, **data: Any) -> Receipt:
    honest = {"plan_id": "d-1", "mode": "THROUGH_GUARDIAN", "purposes": ["LIVING", "SCHOOLING"]}
    return say(world, "disbursement.planned", **(honest | data))


def report(world: World, number: int = 1, **data: Any) -> Receipt:
    honest = {
        "report_id": f"u-{number}",
        "from_day": "2026-03-02",
        "to_day": china_day(world.now).isoformat(),
        "spent": [{"purpose": "LIVING", "amount_fen": 500_000}],
    }
    return say(world, "fund_use.reported", **(honest | data))


def quantify(world: World, **data: Any) -> Receipt:
    honest = {
        "quantification_id": "q-1",
        "standard": "SAMPLE",
        "loss_fen": 20_000_000,
        "hardship": "ORDINARY",
        "dependants": 1,
    }
    return say(world, "amount.quantified", **(honest | data))


def found(world: World) -> list[str]:
    reconcile_all(world.context, now=world.now)
    return world.open_codes()


def test_a_visit_is_due_after_the_payment_and_overdue_when_nobody_came(world: World) -> None:
    (due,) = due_visits(world.context, now=world.now)
    assert (due.number, due.past, china_day(due.due_at or world.now)) == (1, False, date(2026, 6, 2))
    assert found(world) == []
    world.wait(timedelta(days=92))
    assert found(world) == ["MISS_FOLLOW_UP"]
    visit(world)
    assert found(world) == []


def test_a_court_is_told_once_before_a_visit_is_due(world: World) -> None:
    reconcile_due(world.context, now=world.now + timedelta(seconds=2))
    for days in (80, 4, 1, 1):
        world.wait(timedelta(days=days))
        reconcile_due(world.context, now=world.now)
    told = [row for row in world.rows(t.outbox) if row["type"] == DUE_TYPE]
    assert [(row["recipient"], row["referral_id"], row["state"]) for row in told] == [
        (world.court.party_id, "r-1", "available")
    ]


def test_the_day_the_last_visit_named_is_kept(world: World) -> None:
    visit(world, next_visit_on="2026-04-10")
    world.wait(timedelta(days=39))
    assert found(world) == ["MISS_FOLLOW_UP"]
    visit(world, 2)
    assert found(world) == []
    assert due_visits(world.context, now=world.now) == []


def test_a_visit_moves_what_was_helped_and_help_may_go_on_after_it(world: World) -> None:
    handoff = world.hand_over(
        referral_id="r-2", case_number="（2026）黔01司救执2号", original_case_group="（2025）黔0102民初2号"
    )
    paid = {"xj_amount": "600.00", "abaf0028": "202603", "abaf0029": "202603"}
    world.answer(handoff, "30", **paid)
    world.answer(handoff, "40", **paid)
    assert world.states("r-2") == ["assisted"]
    visit(world, referral_id="r-2")
    assert world.states("r-2") == ["followed_up"]
    world.answer(handoff, "40", **paid | {"abaf0028": "202604", "abaf0029": "202604"})
    assert world.states("r-2") == ["assisted"]
    assert "MM_STATUS" not in found(world)


def test_money_given_out_in_parts_is_not_owed_before_its_day(world: World) -> None:
    world.refer(
        referral_id="r-2",
        needs=[],
        assessment="NO_NEED",
        case_number="（2026）黔01司救执2号",
        original_case_group="（2025）黔0102民初2号",
    )
    parts = [{"number": n, "due_on": f"2026-{2 + n:02d}-20", "amount_fen": 500_000} for n in (1, 2, 3, 4)]
    plan(world, referral_id="r-2", mode="INSTALMENTS", instalments=parts)
    first = {"amount_fen": 500_000, "paid_on": "2026-03-03", "payee": "BENEFICIARY"}
    say(world, "judicial_assistance.paid", referral_id="r-2", payment_id="p-2", **first)
    world.wait(timedelta(days=40))
    assert found(world) == []
    world.wait(timedelta(days=14))
    assert found(world) == ["MM_AMOUNT"]


def test_a_trustee_may_take_the_money_where_the_plan_says_so(world: World) -> None:
    plan(world, mode="THROUGH_TRUSTEE")
    say(world, "judicial_assistance.paid", payment_id="p-9", amount_fen=1, paid_on="2026-03-02", payee="OTHER")
    assert "PAYEE_NOT_BENEFICIARY" not in found(world)


def test_money_in_others_hands_is_accounted_for_in_time(world: World) -> None:
    plan(world)
    visit(world)
    world.wait(timedelta(days=182))
    assert found(world) == ["MISS_USE_REPORT"]
    report(world, spent=[{"purpose": "LIVING", "amount_fen": 2_000_000}])
    assert found(world) == []


@pytest.mark.parametrize(
    "said",
    [
        {"irregularity": "DIVERTED", "irregular_fen": 300_000},
        {"spent": [{"purpose": "HOUSING", "amount_fen": 300_000}]},
    ],
)
def test_what_was_used_otherwise_than_planned_is_found(world: World, said: dict[str, Any]) -> None:
    plan(world)
    report(world, **said)
    assert found(world) == ["FUND_MISUSE"]


def test_more_spent_than_paid_is_found(world: World) -> None:
    plan(world)
    report(world, spent=[{"purpose": "LIVING", "amount_fen": 2_000_001}])
    assert found(world) == ["FUND_MISUSE"]


def test_an_honest_report_accuses_nobody(world: World) -> None:
    plan(world)
    report(world)
    assert found(world) == []


def test_an_enforcement_that_succeeded_later_is_looked_at_once_more(world: World) -> None:
    visit(world, circumstances=["ENFORCEMENT_SUCCEEDED"], recovered_fen=800_000)
    assert found(world) == ["CLAWBACK_REVIEW"]
    (row,) = world.rows(t.findings)
    assert row["stake_fen"] == 800_000


def test_a_decision_far_from_the_standard_says_why(world: World) -> None:
    quantify(world)
    assert found(world) == ["AMOUNT_OFF_STANDARD"]
    quantify(world, quantification_id="q-2", deviation_reason="子女重病，另有大额支出")
    assert found(world) == []


def test_a_decision_near_the_standard_needs_no_reason(world: World) -> None:
    quantify(world, loss_fen=4_000_000)
    assert found(world) == []


@pytest.mark.parametrize(
    ("type_", "data", "code"),
    [
        ("follow_up.recorded", {"visited_on": "2099-01-01"}, "day_in_future"),
        ("follow_up.recorded", {"next_visit_on": "2026-01-01"}, "days_reversed"),
        ("disbursement.planned", {"mode": "INSTALMENTS"}, "required"),
        (
            "disbursement.planned",
            {"instalments": [{"number": 2, "due_on": "2026-04-01", "amount_fen": 1}]},
            "instalments_disordered",
        ),
        ("fund_use.reported", {"to_day": "2026-01-01"}, "days_reversed"),
    ],
)
def test_what_cannot_be_is_told_with_its_field(world: World, type_: str, data: dict[str, Any], code: str) -> None:
    sends = {"follow_up.recorded": visit, "disbursement.planned": plan, "fund_use.reported": report}
    with pytest.raises(SchemaInvalid) as refused:
        sends[type_](world, **data)
    assert [problem.code for problem in refused.value.problems] == [code]


def test_a_neighbour_cannot_speak_of_anothers_case(world: World) -> None:
    with pytest.raises(ReferralUnknown):
        visit(world, court=world.neighbour)


def test_an_id_is_used_once(world: World) -> None:
    visit(world)
    with pytest.raises(RuleBlocked):
        visit(world)


@pytest.mark.parametrize(
    "change",
    [
        t.visits.delete(),
        t.visits.update().values(circumstances=""),
        t.disbursement_plans.update().values(mode="AT_ONCE"),
    ],
)
def test_a_cut_off_names_what_somebody_changed(world: World, change: sa.Executable) -> None:
    plan(world)
    visit(world, circumstances=["MISUSE_SEEN"])
    assert cut_off(world.context, now=world.now).wrong == 0
    world.change(change)
    assert cut_off(world.context, now=world.now).wrong == 1


def test_notes_and_names_stay_in_the_sealed_message(world: World) -> None:
    plan(world, manager_name="样例受托人", note="样例备注")
    visit(world, note="样例备注", visitors=["样例法官"])
    assert CIVIL_AFFAIRS  # the office is not concerned
    assert "样例" not in str(world.rows(t.disbursement_plans)) + str(world.rows(t.visits))

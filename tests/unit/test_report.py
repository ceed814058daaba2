"""The statistical report: what each line counts, beside which denominator, and how many people stand behind it."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pytest

from gateway.domain.lifecycle import FindingState, NeedState
from gateway.domain.person import SpecificGroup
from gateway.domain.reconciliation.values import NeedRow, ReplyRow
from gateway.domain.referral import Decision, ReferralAssessment
from gateway.domain.report.build import FindingCount, Report, ReportRow, Section, build_report, facts_of
from gateway.domain.report.facts import average, median, median_days, percent, tenths
from tests.builders import a_need, a_reply, at

PERIOD = (date(2026, 1, 1), date(2026, 3, 31))
AGENCIES = {"civil_affairs": ("民政", "Civil affairs")}


def a_row(number: int = 1, **changes: Any) -> ReportRow:
    """One assisted person in a case of their own, paid four days later."""
    honest: dict[str, Any] = {
        "referral_id": f"r-{number}",
        "court": "cn/court/520100",
        "case_number": f"（2026）黔01司救执{number}号",
        "case_type": "enforcement",
        "decision": Decision.ASSIST,
        "decided_amount_fen": 1_000_000,
        "concluded_on": date(2026, 3, 2),
        "ground_code": "G6",
        "assessment": ReferralAssessment.REFER,
        "paid_on": date(2026, 3, 6),
        "person_ref": f"p-{number}",
        "accepted_at": at("2026-03-03 09:00"),
    }
    return ReportRow(**{**honest, **changes})


def refused(number: int, **changes: Any) -> ReportRow:
    honest: dict[str, Any] = {
        "decision": Decision.NOT_ASSIST,
        "decided_amount_fen": 0,
        "ground_code": None,
        "refusal_code": "X5",
        "paid_on": None,
    }
    return a_row(number, **{**honest, **changes})


def report_of(
    *rows: ReportRow,
    needs: Sequence[NeedRow] = (),
    replies: Sequence[ReplyRow] = (),
    findings: Sequence[FindingCount] = (),
    **more: Any,
) -> Report:
    facts = facts_of(rows, needs, replies, findings, period=PERIOD, region="520000", agency_names=AGENCIES)
    return build_report(facts, **more)


def value(report: Report, key: str) -> int | str | None:
    return report.line(key).value


# --- cases and persons ---


def test_a_joint_case_is_one_case_and_as_many_persons_as_it_has_referrals() -> None:
    joint = {"case_number": "（2026）黔01司救刑1号"}
    report = report_of(a_row(1, **joint), a_row(2, **joint), a_row(3))
    assert value(report, "concluded.cases") == 2
    assert value(report, "amount.persons") == 3
    assert value(report, "amount.per_case") == 1_500_000


def test_a_case_is_assisted_when_one_of_its_beneficiaries_is() -> None:
    joint = {"case_number": "（2026）黔01司救刑1号"}
    report = report_of(a_row(1, **joint), refused(2, **joint), refused(3))
    assert (value(report, "concluded.assisted"), value(report, "concluded.not_assist")) == (1, 1)
    assert value(report, "concluded.rate") == "50.0"
    assert report.line("concluded.rate").denominator == 2


def test_one_person_in_two_cases_is_one_person() -> None:
    report = report_of(a_row(1), a_row(2, person_ref="p-1"))
    assert (value(report, "concluded.cases"), value(report, "amount.persons")) == (2, 1)
    assert value(report, "amount.median") == 2_000_000


def test_people_nobody_may_match_count_one_by_one() -> None:
    report = report_of(a_row(1, person_ref=None), a_row(2, person_ref=None))
    assert value(report, "amount.persons") == 2
    assert value(report, "quality.not_matched") == 2


@pytest.mark.parametrize(
    ("day", "cases"),
    [(date(2025, 12, 31), 0), (date(2026, 1, 1), 1), (date(2026, 3, 31), 1), (date(2026, 4, 1), 0)],
)
def test_the_period_includes_its_first_and_its_last_day(day: date, cases: int) -> None:
    assert value(report_of(a_row(concluded_on=day, paid_on=None)), "concluded.cases") == cases


def test_suspended_and_terminated_cases_are_concluded_and_not_refused() -> None:
    report = report_of(
        refused(1), refused(2, decision=Decision.SUSPENDED), refused(3, decision=Decision.TERMINATED), a_row(4)
    )
    assert [value(report, f"concluded.{word}") for word in ("not_assist", "suspended", "terminated")] == [1, 1, 1]
    assert report.line("refusal.X5").denominator == 1


def test_an_empty_period_has_no_rate_and_no_average_instead_of_zero() -> None:
    report = report_of()
    assert value(report, "concluded.cases") == 0
    assert [value(report, key) for key in ("concluded.rate", "amount.per_case", "amount.median")] == [None] * 3


# --- withdrawn referrals ---


def test_a_withdrawn_referral_still_counts_because_the_decision_stands() -> None:
    report = report_of(a_row(1, withdrawn=True), a_row(2))
    assert (value(report, "concluded.cases"), value(report, "amount.total")) == (2, 2_000_000)
    assert value(report, "quality.withdrawn") == 1


@pytest.mark.parametrize("person", ["p-1", None])
def test_a_withdrawn_referral_that_was_sent_anew_counts_once(person: str | None) -> None:
    anew = a_row(2, case_number=a_row(1).case_number, person_ref="p-1")
    report = report_of(a_row(1, withdrawn=True, person_ref=person), anew)
    assert value(report, "amount.total") == 1_000_000


def test_another_beneficiary_of_the_case_does_not_stand_in_a_withdrawn_ones_place() -> None:
    report = report_of(a_row(1, withdrawn=True), a_row(2, case_number=a_row(1).case_number))
    assert value(report, "amount.total") == 2_000_000


# --- months ---

MONTHS = ("2026-01", "2026-02", "2026-03")
PARTS = {"cases": "concluded.cases", "assisted": "concluded.assisted", "amount": "amount.total"}


def test_a_case_and_its_money_are_of_the_month_it_was_first_decided_in() -> None:
    joint = {"case_number": "（2026）黔01司救刑1号"}
    report = report_of(
        a_row(1, **joint, concluded_on=date(2026, 1, 31), paid_on=None),
        a_row(2, **joint, concluded_on=date(2026, 2, 1), paid_on=None),
        refused(3),
    )
    found = {month: [value(report, f"month.{month}.{part}") for part in PARTS] for month in MONTHS}
    assert found == {"2026-01": [1, 1, 2_000_000], "2026-02": [0, 0, 0], "2026-03": [1, 0, 0]}


def test_the_months_add_up_to_the_period() -> None:
    days = {number: date(2026, 1 + number % 3, 3) for number in range(1, 9)}
    report = report_of(*(a_row(number, concluded_on=day, paid_on=None) for number, day in days.items()))
    for part, total in PARTS.items():
        months = [value(report, f"month.{month}.{part}") for month in MONTHS]
        assert sum(one for one in months if isinstance(one, int)) == value(report, total)


def test_a_period_within_one_month_has_no_section_of_months() -> None:
    facts = facts_of([a_row(1)], period=(date(2026, 3, 1), date(2026, 3, 31)), region="520000")
    assert [line.key for line in build_report(facts).lines if line.section is Section.MONTH] == []


# --- kinds, grounds, groups ---


def test_money_of_every_case_type_and_ground_adds_up_to_the_total() -> None:
    report = report_of(a_row(1), a_row(2, case_type="civil", ground_code="G7"), a_row(3, ground_code=None), refused(4))
    for section in (Section.CASE_TYPE, Section.GROUND):
        amounts = [line.value for line in report.lines if line.section is section and line.key.endswith(".amount")]
        assert sum(amount for amount in amounts if isinstance(amount, int)) == value(report, "amount.total")
    assert value(report, "ground.none.persons") == 1


def test_groups_overlap_and_their_exact_combinations_add_up() -> None:
    both = frozenset({SpecificGroup.ELDERLY, SpecificGroup.DISABLED})
    report = report_of(
        a_row(1, groups=both), a_row(2, groups=frozenset({SpecificGroup.ELDERLY})), a_row(3), refused(4, groups=both)
    )
    assert value(report, "group.any.persons") == 2
    assert (value(report, "group.elderly.persons"), value(report, "group.disabled.persons")) == (2, 1)
    assert value(report, "overlap.elderly+disabled.persons") == 1
    assert value(report, "overlap.elderly.amount") == 1_000_000
    assert report.line("group.elderly.persons").denominator == 2
    assert report.line("group.any.persons").denominator == 3


def test_minors_days_stand_beside_everybody_elses() -> None:
    young = a_row(1, is_minor=True, paid_on=date(2026, 3, 4), custody=True)
    report = report_of(young, a_row(2), a_row(3, paid_on=date(2026, 3, 7)))
    assert (value(report, "minor.days_to_pay"), value(report, "adult.days_to_pay")) == ("2.0", "4.5")
    assert (value(report, "minor.custody"), report.line("minor.custody").denominator) == (1, 1)


def test_a_case_without_an_assessment_lowers_the_coverage() -> None:
    report = report_of(a_row(1), a_row(2), a_row(3, assessment=None))
    assert value(report, "assessment.coverage") == "66.7"
    assert (value(report, "assessment.missing"), value(report, "assessment.refer")) == (1, 2)


# --- the exchange ---


def test_a_needs_way_through_an_agency_is_a_funnel() -> None:
    paid = a_need(need_id="n-2", referral_id="r-2", state=NeedState.ASSISTED, received_at=at("2026-03-04 10:00"))
    replies = [
        a_reply("ACCEPTED", need_id="n-2", referral_id="r-2"),
        a_reply("APPROVED", "2026-03-06 10:00", need_id="n-2", referral_id="r-2"),
        a_reply("PAID", "2026-03-09 10:00", need_id="n-2", referral_id="r-2"),
    ]
    report = report_of(a_row(1), a_row(2), needs=[a_need(), paid], replies=replies)
    steps = ("sent", "received", "accepted", "returned", "denied", "approved", "paid")
    assert [value(report, f"exchange.civil_affairs.{step}") for step in steps] == [2, 1, 1, 0, 0, 1, 1]
    assert report.line("exchange.civil_affairs.paid").label_zh == "民政·发放或提供"
    assert report.line("exchange.civil_affairs.paid").persons == 1
    assert value(report, "programme.MLG.sent") == 2
    assert value(report, "exchange.assisted") == 1


def test_a_reply_that_was_not_applied_counts_for_nothing() -> None:
    stale = a_reply("PAID", applied=False, problem="superseded")
    report = report_of(a_row(1), needs=[a_need()], replies=[stale])
    assert value(report, "exchange.civil_affairs.paid") == 0


def test_held_and_unroutable_needs_are_counted_apart_from_what_was_sent() -> None:
    held = a_need(need_id="n-2", state=NeedState.HELD, agency=None, issued_at=None, relayed_at=None)
    lost = a_need(
        need_id="n-3", state=NeedState.ACCEPTED, agency=None, issued_at=None, relayed_at=None, unroutable="no_office"
    )
    report = report_of(a_row(1), needs=[a_need(), held, lost])
    keys = ("accepted", "held", "unroutable", "civil_affairs.sent")
    assert [value(report, f"exchange.{key}") for key in keys] == [3, 1, 1, 1]


def test_needs_of_another_periods_referral_are_left_out() -> None:
    report = report_of(a_row(1), needs=[a_need(), a_need(need_id="n-9", referral_id="r-9")])
    assert value(report, "exchange.accepted") == 1


def test_a_person_with_two_agencies_is_a_chain_across_referrals() -> None:
    other = a_need(need_id="n-2", referral_id="r-2", agency="womens_federation", programme="PSY")
    joined = report_of(a_row(1), a_row(2, person_ref="p-1"), needs=[a_need(), other])
    apart = report_of(a_row(1), a_row(2), needs=[a_need(), other])
    assert (value(joined, "exchange.chains"), value(apart, "exchange.chains")) == (1, 0)


def test_a_need_denied_twice_for_one_reason_is_one_denial() -> None:
    replies = [a_reply("DENIED", when, reason="INCOME_OVER") for when in ("2026-03-05 10:00", "2026-03-06 10:00")]
    report = report_of(a_row(1), needs=[a_need()], replies=replies)
    line = report.line("denial.INCOME_OVER")
    assert (line.value, line.denominator, line.persons) == (1, 1, 1)


def test_days_per_step_are_medians_of_what_has_passed_the_step() -> None:
    needs = [
        a_need(need_id=f"n-{days}", disposition_at=at("2026-03-03 10:00") + timedelta(days=days)) for days in (1, 2, 6)
    ]
    report = report_of(a_row(1), needs=[*needs, a_need()])
    assert (value(report, "pace.disposition"), report.line("pace.disposition").denominator) == ("2.0", 3)
    assert value(report, "pace.payment") is None


def test_clocks_that_run_backwards_are_no_span() -> None:
    report = report_of(a_row(1), needs=[a_need(disposition_at=at("2026-03-01 10:00"))])
    assert report.line("pace.disposition").denominator == 0


def test_findings_are_counted_with_their_money_by_what_became_of_them() -> None:
    twice, state = "DUP_SAME_ORIGINAL_CASE", FindingState.DECIDED
    report = report_of(
        a_row(1),
        findings=[
            FindingCount(code=twice, state=FindingState.OPEN, stake_fen=500),
            FindingCount(code=twice, state=state, stake_fen=700, disposition="RECOVERED"),
            FindingCount(code=twice, state=state, stake_fen=900, disposition="FALSE_MATCH"),
            FindingCount(code="MISS_NO_ASSESSMENT", state=FindingState.CLOSED),
            FindingCount(code="MM_AMOUNT", state=FindingState.OPEN),
        ],
    )
    keys = ("found", "confirmed", "recovered", "undecided")
    assert [value(report, f"duplicate.{key}") for key in keys] == [3, 1, 1, 1]
    assert [value(report, f"duplicate.{key}.stake") for key in keys] == [2100, 700, 700, 500]
    assert (value(report, "missed.found"), value(report, "missed.rate")) == (1, "100.0")


# --- arithmetic ---


@pytest.mark.parametrize(("total", "count", "expected"), [(10, 4, 3), (9, 4, 2), (1, 2, 1), (0, 3, 0), (5, 0, None)])
def test_an_average_is_rounded_half_up(total: int, count: int, expected: int | None) -> None:
    assert average(total, count) == expected


@pytest.mark.parametrize(
    ("part", "whole", "expected"), [(665, 808, "82.3"), (1, 8, "12.5"), (0, 5, "0.0"), (1, 0, None)]
)
def test_a_rate_has_one_decimal(part: int, whole: int, expected: str | None) -> None:
    assert percent(part, whole) == expected


def test_a_median_of_an_even_count_is_the_middle_of_the_two() -> None:
    assert median([]) is None
    assert median([3, 1, 2]) == (2, 1)
    assert median([4, 1, 2, 3]) == (5, 2)
    assert median_days([86_400, 2 * 86_400]) == "1.5"
    assert tenths(5, 100) == "0.1"


def test_every_line_has_its_own_key_and_a_section_in_order() -> None:
    report = report_of(a_row(1), refused(2), needs=[a_need()])
    keys = [line.key for line in report.lines]
    assert len(set(keys)) == len(keys)
    order = list(Section)
    places = [order.index(line.section) for line in report.lines]
    assert places == sorted(places)


def test_false_matches_are_told_by_the_group_of_the_person() -> None:
    minor, woman = frozenset({SpecificGroup.MINOR}), frozenset({SpecificGroup.WOMAN})
    decided = [
        FindingCount(code="DUP_IDENTITY", state=FindingState.CLOSED, disposition="FALSE_MATCH", groups=minor),
        FindingCount(code="DUP_IDENTITY", state=FindingState.CLOSED, disposition="FALSE_MATCH", groups=minor | woman),
        FindingCount(code="DUP_IDENTITY", state=FindingState.DECIDED, disposition="CONFIRMED", groups=woman),
        FindingCount(code="DUP_IDENTITY", state=FindingState.OPEN, groups=minor),
    ]
    report = report_of(a_row(), findings=decided)
    told = {name: report.line(f"duplicate.false.{name}") for name in ("minor", "woman", "elderly", "none")}
    assert {name: (one.value, one.denominator) for name, one in told.items()} == {
        "minor": ("100.0", 2),
        "woman": ("50.0", 2),
        "elderly": (None, 0),
        "none": (None, 0),
    }

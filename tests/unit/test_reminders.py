"""催办规则 The table is whole and reminds in time; an effect read back says what it stood for."""

from collections.abc import Mapping
from datetime import timedelta

import pytest

from gateway.domain.calendar import load_calendar
from gateway.domain.reconciliation.clocks import Waiting
from gateway.domain.reconciliation.rows_reminders import effect_of, read_effect
from gateway.domain.reminders import load_reminder_rules, reminder_rules_from_rows
from gateway.domain.rules import read_table
from gateway.errors import ConfigError
from tests.builders import at

CALENDAR = load_calendar()
START, DUE = at("2026-03-03 09:00"), at("2026-03-11 00:00")


def moments(waits_for: str, *, minor: bool, urgent: bool = False) -> list[str]:
    rule = load_reminder_rules()[waits_for]
    found = [
        rule.remind_at(number, START, DUE, minor=minor, urgent=urgent, calendar=CALENDAR)
        for number in range(1, rule.most + 1)
    ]
    return [moment.strftime("%m-%d %H:%M") for moment in found if moment is not None]


def test_every_rule_is_for_something_a_clock_waits_for_and_has_its_source() -> None:
    rules = load_reminder_rules().values()
    assert {Waiting(rule.waits_for) for rule in rules} == {
        Waiting.DISPOSITION,
        Waiting.DECISION,
        Waiting.PAYMENT,
        Waiting.REISSUE,
    }
    assert [rule.rule_id for rule in rules if not rule.source] == []


def test_the_first_comes_before_the_limit_the_second_with_it_and_a_minors_sooner() -> None:
    assert moments("disposition", minor=False) == ["03-07 14:48", "03-10 16:00", "03-13 16:00", "03-18 16:00"]
    assert moments("disposition", minor=True) == ["03-06 20:30", "03-10 16:00", "03-12 16:00", "03-16 16:00"]


def test_where_the_limit_is_in_hours_the_repetitions_are_too() -> None:
    assert moments("payment", minor=False, urgent=True)[1:] == ["03-10 16:00", "03-11 04:00", "03-11 16:00"]


def test_no_holiday_notice_means_no_moment_and_no_guess() -> None:
    rule, end = load_reminder_rules()["disposition"], at("2026-12-31 00:00")
    assert rule.remind_at(3, START, end, minor=False, urgent=False, calendar=CALENDAR) is None
    assert rule.escalate_at(end, minor=False, urgent=False, calendar=CALENDAR) is None


@pytest.mark.parametrize(
    "change",
    [
        {"before_percent": "100"},
        {"minor_before_percent": "80"},
        {"minor_repeat": "9"},
        {"escalate": "x"},
        {"most": "0"},
    ],
    ids=["after the limit", "minors later", "minors seldom", "no number", "never"],
)
def test_a_rule_that_makes_no_sense_stops_whoever_reads_it(change: Mapping[str, str]) -> None:
    row = read_table("reminders")[0]
    with pytest.raises(ConfigError):
        reminder_rules_from_rows([row | change])


@pytest.mark.parametrize(("level", "number"), [(0, 1), (0, 4), (1, 1), (2, 1)])
def test_an_effect_read_back_says_what_it_stood_for(level: int, number: int) -> None:
    effect = effect_of("h-1", "1-1", "decision", level=level, number=number)
    row = read_effect(effect, START)
    assert row is not None
    assert (row.handoff_id, row.need_number, row.waits_for) == ("h-1", "1-1", "decision")
    assert (row.level, row.number, row.at) == (level, number, START)


@pytest.mark.parametrize("effect", ["recovered:x", "h-1/1:decision:", "h-1/1:decision:upx", "h-1:decision:1"])
def test_what_is_no_reminder_is_read_as_none(effect: str) -> None:
    assert read_effect(effect, START + timedelta(0)) is None

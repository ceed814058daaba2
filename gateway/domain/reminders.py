"""催办规则 When an office is reminded of a limit, and after how long without an answer its superior office is.

Rules: the first reminder comes before the limit runs out, the second when it has, then one every `repeat` working days
up to `most`; escalation counts `escalate` working days from the limit, or from the first reminder where that came
later. A minor's come sooner (R05). Where the limit itself is in hours, so are the repetitions (`urgent_hours`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from gateway.domain.calendar import WorkCalendar, china_day, end_of_china_day
from gateway.domain.deadlines import INSTANT
from gateway.domain.rules import read_table
from gateway.errors import CalendarUnpublished, ConfigError

WHOLE = 100
AFTER_THE_LIMIT = timedelta(seconds=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class ReminderRule:
    """催办规则 for what a clock waits for. Percentages of the limit's time; spans in working days."""

    rule_id: str
    waits_for: str
    before_percent: int
    minor_before_percent: int
    most: int
    repeat: int
    minor_repeat: int
    escalate: int
    minor_escalate: int
    urgent_hours: int
    source: str = ""

    def __post_init__(self) -> None:
        """ConfigError for a rule that reminds after the limit first, never, or of minors later than of others."""
        sooner = self.minor_before_percent <= self.before_percent < WHOLE
        shorter = 1 <= self.minor_repeat <= self.repeat and 1 <= self.minor_escalate <= self.escalate
        if not (self.minor_before_percent > 0 and sooner and shorter and self.most >= 1 and self.urgent_hours >= 1):
            raise ConfigError(f"{self.rule_id}: a reminder comes before its limit, a minor's never later")

    def remind_at(
        self, number: int, started_at: datetime, due_at: datetime, *, minor: bool, urgent: bool, calendar: WorkCalendar
    ) -> datetime | None:
        """When the reminder of this number (from 1) is due; None where no holiday notice is there to tell."""
        if number == 1:
            percent = self.minor_before_percent if minor else self.before_percent
            return started_at + (due_at - started_at) * percent / WHOLE
        repeat = self.minor_repeat if minor else self.repeat
        return self._later(due_at, (number - 2) * repeat, number - 2, urgent=urgent, calendar=calendar)

    def escalate_at(self, since: datetime, *, minor: bool, urgent: bool, calendar: WorkCalendar) -> datetime | None:
        """When the superior office is told after nothing was heard since then; None as above."""
        return self._later(since, self.minor_escalate if minor else self.escalate, 1, urgent=urgent, calendar=calendar)

    def _later(
        self, since: datetime, workdays: int, times: int, *, urgent: bool, calendar: WorkCalendar
    ) -> datetime | None:
        if urgent:
            return since + AFTER_THE_LIMIT + timedelta(hours=times * self.urgent_hours)
        if workdays == 0:
            return since + AFTER_THE_LIMIT
        try:
            return end_of_china_day(calendar.add_workdays(china_day(since - INSTANT), workdays)) + AFTER_THE_LIMIT
        except CalendarUnpublished:
            return None


@cache
def load_reminder_rules() -> Mapping[str, ReminderRule]:
    """The shipped rules by what a clock waits for."""
    return reminder_rules_from_rows(read_table("reminders"))


def reminder_rules_from_rows(rows: Iterable[Mapping[str, str]]) -> Mapping[str, ReminderRule]:
    """Rules from rows; ConfigError when one cannot be read or two speak of the same step."""
    found: dict[str, ReminderRule] = {}
    for row in rows:
        rule = _from_row(row)
        if rule.waits_for in found:
            raise ConfigError(f"{rule.rule_id} repeats {found[rule.waits_for].rule_id}")
        found[rule.waits_for] = rule
    return found


def _from_row(row: Mapping[str, str]) -> ReminderRule:
    texts = ("rule_id", "waits_for", "source")
    try:
        numbers = {name: int(cell) for name, cell in row.items() if name not in texts}
        return ReminderRule(**{name: row[name] for name in texts}, **numbers)  # type: ignore[arg-type]
    except (KeyError, TypeError, ValueError) as wrong:
        raise ConfigError("reminder table: a row cannot be read", ids={"rule": row.get("rule_id", "")}) from wrong

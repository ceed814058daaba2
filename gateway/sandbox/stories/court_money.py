"""法院资金案例 The court's own money: given out by plan and visited in time, or not."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from gateway.sandbox.stories.story import COURT, Stage, Story

PAID_ON = date(2022, 9, 16)


def _paid(stage: Stage, story: Story, **payment: Any) -> None:
    """A decision with nothing to refer, and its payment."""
    story.refer(stage, needs=())
    honest = {"payment_id": story.id("p"), "amount_fen": 2_000_000, "paid_on": PAID_ON.isoformat()}
    _say(stage, story, "judicial_assistance.paid", **({**honest, "payee": "BENEFICIARY"} | payment))


def _say(stage: Stage, story: Story, type_: str, **data: Any) -> None:
    stage.send(COURT, type_, {"referral_id": story.id(1), **data}, subject=story.id(1))


def _visit(stage: Stage, story: Story, number: int = 1, **data: Any) -> None:
    honest = {"visit_id": story.id(f"f{number}"), "mode": "ON_SITE", "situation": "STABLE"}
    _say(stage, story, "follow_up.recorded", **({**honest, "visited_on": _today(stage).isoformat()} | data))


def _today(stage: Stage) -> date:
    return (stage.now + timedelta(hours=8)).date()


def _in_order(stage: Stage, story: Story) -> Iterator[None]:
    """Through a trustee, accounted for, visited: nothing to find."""
    yield
    _paid(stage, story, payee="OTHER")
    _say(
        stage,
        story,
        "disbursement.planned",
        plan_id=story.id("d"),
        mode="THROUGH_TRUSTEE",
        purposes=["LIVING", "SCHOOLING"],
    )
    _say(
        stage,
        story,
        "fund_use.reported",
        report_id=story.id("u"),
        from_day=PAID_ON.isoformat(),
        to_day=_today(stage).isoformat(),
        spent=[{"purpose": "SCHOOLING", "amount_fen": 2_000_000}],
    )
    _visit(stage, story)


def _nobody_came(stage: Stage, story: Story) -> Iterator[None]:
    """The last visit named a day, and nobody came again."""
    yield
    _paid(stage, story)
    before = _today(stage) - timedelta(days=90)
    _visit(
        stage,
        story,
        visited_on=before.isoformat(),
        situation="STILL_POOR",
        next_visit_on=(before + timedelta(days=60)).isoformat(),
    )


def _diverted(stage: Stage, story: Story) -> Iterator[None]:
    """The guardian spent it on himself."""
    yield
    _paid(stage, story, payee="GUARDIAN")
    _say(stage, story, "disbursement.planned", plan_id=story.id("d"), mode="THROUGH_GUARDIAN", purposes=["SCHOOLING"])
    _say(
        stage,
        story,
        "fund_use.reported",
        report_id=story.id("u"),
        from_day=PAID_ON.isoformat(),
        to_day=_today(stage).isoformat(),
        spent=[{"purpose": "SCHOOLING", "amount_fen": 500_000}, {"purpose": "OTHER", "amount_fen": 1_500_000}],
        irregularity="DIVERTED",
        irregular_fen=1_500_000,
    )
    _visit(stage, story)


def _recovered(stage: Stage, story: Story) -> Iterator[None]:
    """Enforcement succeeded after the aid."""
    yield
    _paid(stage, story)
    _visit(stage, story, circumstances=["ENFORCEMENT_SUCCEEDED"], recovered_fen=1_200_000)


def _not_accounted(stage: Stage, story: Story) -> Iterator[None]:
    """Through the guardian, who never tells what for: not due yet, overdue after half a year."""
    yield
    _paid(stage, story, payee="GUARDIAN")
    _say(stage, story, "disbursement.planned", plan_id=story.id("d"), mode="THROUGH_GUARDIAN", purposes=["LIVING"])
    _visit(stage, story)


STORIES = (
    Story(name="money-in-order", zh="资金使用规范", en="Money used as planned", play=_in_order),
    Story(
        name="nobody-came",
        zh="逾期未回访",
        en="A visit that was not made",
        play=_nobody_came,
        finds=("MISS_FOLLOW_UP",),
    ),
    Story(name="diverted", zh="监护人挪用", en="Diverted by the guardian", play=_diverted, finds=("FUND_MISUSE",)),
    Story(
        name="recovered",
        zh="执行到位后核查",
        en="Enforcement succeeded later",
        play=_recovered,
        finds=("CLAWBACK_REVIEW",),
    ),
    Story(
        name="not-accounted",
        zh="使用情况半年未报",
        en="Not accounted for within half a year",
        play=_not_accounted,
        half_year=("MISS_USE_REPORT",),
    ),
)

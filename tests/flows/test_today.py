"""今日 What the database counts is what drawing up the books gives, and it is counted once a minute at most."""

from datetime import date, timedelta
from typing import Any

from gateway.domain.reconciliation.balance import Dimension
from gateway.flows.balance import read_balance
from gateway.flows.reconcile import reconcile_due
from gateway.flows.today import Board, count
from gateway.store import findings
from gateway.store import tables as t
from gateway.store.clock import to_ms
from tests.builders import an_id_number
from tests.gateway_world import CIVIL_AFFAIRS, COURT, NEIGHBOUR, World, a_referral_body
from tests.store.test_findings import a_finding

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
APPROVED: dict[str, Any] = {"xj_amount": "650.00", "abaf0028": "202603", "abaf0029": "202702"}
PAID: dict[str, Any] = {"xj_amount": "650.00", "abaf0028": "202603", "abaf0029": "202603", "xj_payee": "1"}

DENIED: dict[str, Any] = {"xj_reason": "701", "xj_reason_text": "家庭人均收入超过标准"}


def a_case(number: int, **changes: Any) -> dict[str, Any]:
    born = date(1970, 1, 1) + number * DAY
    person = {**a_referral_body()["person"], "id_number": an_id_number(born), "birth_date": born.isoformat()}
    return {
        "referral_id": f"o-{number}",
        "case_number": f"（2026）黔01司救执{100 + number}号",
        "original_case_group": f"（2025）黔0102民初{100 + number}号",
        "person": person,
        **changes,
    }


def a_busy_world(world: World) -> None:
    """Every column of the balance has something in it, but for needs that are missing."""
    paid = world.hand_over(**a_case(1))
    world.answer(paid, "30", **APPROVED)
    world.answer(paid, "40", **PAID)
    denied = world.hand_over(**a_case(2))
    world.answer(denied, "31", **DENIED)
    world.hand_over(**a_case(3))
    world.refer(**a_case(4))
    world.accept(world.court.sign("referral.withdrawn", {"referral_id": "o-4", "reason": "误报"}, now=world.now))
    world.refer(**a_case(5))
    world.refer(world.neighbour, **a_case(6, original_case_group="（2025）黔0102民初105号", person=a_case(5)["person"]))
    child = a_case(7)["person"] | {"id_number": an_id_number(date(2015, 6, 1)), "birth_date": "2015-06-01"}
    guardian = {"guardian": {"name": "测试监护", "relation": "50"}}
    world.refer(**a_case(7, person=child | guardian, guardian_consent_ref="测试同意"))
    world.hand_over(**a_case(9))
    ended = t.needs.c.need_id == "o-9:1"
    world.change(t.needs.update().where(ended).values(state="closed"))  # and nobody said why
    world.refer(**a_case(8, needs=[{"programme": "MLG"}, {"programme": "REH"}]))


def look(world: World) -> None:
    world.wait(MINUTE)
    while reconcile_due(world.context, now=world.now).referrals:
        world.wait(timedelta(milliseconds=2))


def agree(world: World) -> None:
    """The two ways of counting give one line."""
    counted = count(world.context, None, now=world.now)
    drawn = read_balance(world.context, now=world.now, by=Dimension.COURT, newest=True).sheet
    assert counted.balance == drawn.total
    for line in drawn.lines:
        of_court = count(world.context, (line.court,), now=world.now).balance
        names = ("referrals", "accepted", "assisted", "not_assisted", "unexplained", "withdrawn")
        names += ("open_in_time", "overdue", "clock_unknown", "held")
        assert [getattr(of_court, name) for name in names] == [getattr(line, name) for name in names]


def test_counting_gives_what_drawing_up_gives_whatever_the_hour(world: World) -> None:
    a_busy_world(world)
    look(world)
    agree(world)
    for _ in range(3):
        world.wait(9 * DAY)
        look(world)
        agree(world)
    world.dispatch()
    look(world)
    agree(world)
    seen = count(world.context, None, now=world.now).balance
    assert seen.overdue
    assert seen.held
    assert seen.withdrawn
    assert seen.assisted
    assert seen.not_assisted
    assert seen.unexplained == 1
    assert seen.balances


def test_a_limit_that_passes_is_overdue_before_anybody_looks_again(world: World) -> None:
    world.hand_over()
    look(world)
    assert count(world.context, None, now=world.now).overdue == ()
    world.wait(20 * DAY)
    assert count(world.context, None, now=world.now).overdue == ((CIVIL_AFFAIRS, 1, 0),)
    assert count(world.context, (NEIGHBOUR,), now=world.now).overdue == ()
    assert count(world.context, (COURT,), now=world.now).overdue == ((CIVIL_AFFAIRS, 1, 0),)


def test_an_answer_ends_a_limit_before_anybody_looks_again(world: World) -> None:
    handoff = world.hand_over()
    look(world)
    world.wait(20 * DAY)
    world.answer(handoff, "31", **DENIED)
    assert count(world.context, None, now=world.now).overdue == ()


def test_no_calendar_no_guess(world: World) -> None:
    world.wait(timedelta(days=365 * 8))
    world.hand_over(concluded_on=world.now.date().isoformat(), notice_given_at=world.now.date().isoformat())
    look(world)
    agree(world)
    assert count(world.context, None, now=world.now).balance.clock_unknown in (0, 1)
    world.wait(9 * DAY)
    look(world)
    agree(world)
    assert count(world.context, None, now=world.now).balance.clock_unknown == 1


def test_what_a_need_row_hides_shows_as_a_difference(world: World) -> None:
    a_busy_world(world)
    world.change(t.needs.delete().where(t.needs.c.need_id == "o-3:1"))
    look(world)
    assert count(world.context, None, now=world.now).balance.difference == 1


def test_deadlines_come_by_day_and_minors_first(world: World) -> None:
    a_busy_world(world)
    look(world)
    seen = count(world.context, None, now=world.now)
    assert [one.clock.is_minor for one in seen.deadlines] == sorted(
        (one.clock.is_minor for one in seen.deadlines), reverse=True
    )
    assert seen.deadlines[0].clock.referral_id == "o-7"
    assert sum(number for _, number, _ in seen.days) == len(seen.deadlines)
    assert sum(minors for _, _, minors in seen.days) == 1
    assert list(seen.days) == sorted(seen.days)


def test_open_doubts_are_counted_with_their_money_and_what_is_due_of_them(world: World) -> None:
    world.refer(**a_case(1))
    dues = (-1, 6, 30, None)
    made = [
        a_finding(
            code, "o-1", subject=str(at), stake_fen=100 + at, due_at=None if due is None else world.now + due * DAY
        )
        for code in ("DUP_PAYMENT", "MM_AMOUNT")
        for at, due in enumerate(dues)
    ]
    world.store.write(lambda c: findings.open_now(c, [(one, "v1") for one in made], now=world.now))
    f = t.findings
    world.change(f.update().where(f.c.code == "MM_AMOUNT", f.c.subject == "0").values(state="closed"))
    later = to_ms(world.now + 30 * DAY)
    world.change(f.update().where(f.c.code == "MM_AMOUNT", f.c.subject == "1").values(assigned_due_at=later))
    seen = count(world.context, None, now=world.now)
    told = {one.family: (one.count, one.stake_fen, one.new) for one in seen.doubts if one.count}
    assert told == {"duplicate": (4, 406, 4), "mismatch": (3, 306, 3)}
    assert seen.due_doubts == 2
    assert count(world.context, (COURT,), now=world.now).due_doubts == 2
    assert count(world.context, (NEIGHBOUR,), now=world.now).due_doubts == 0


def test_a_second_look_says_the_same(world: World) -> None:
    a_busy_world(world)
    look(world)
    before = world.rows(t.need_clocks)
    assert before
    world.change(t.referrals.update().values(reconcile_at=1))
    look(world)
    assert world.rows(t.need_clocks) == before


def test_it_is_counted_once_a_minute_for_each_scope(world: World) -> None:
    board = Board()
    world.refer()
    first = board.today(world.context, None, now=world.now)
    assert (first.balance.accepted, first.accepted_today) == (1, 0)  # it came in this very moment
    world.refer(**a_case(1))
    world.wait(timedelta(seconds=59))
    assert board.today(world.context, None, now=world.now) is first
    assert board.today(world.context, (COURT,), now=world.now).balance.accepted == 2
    world.wait(timedelta(seconds=2))
    assert board.today(world.context, None, now=world.now).balance.accepted == 2

"""The report beside the ledger: each figure on the exchanges counted once more from the tables, by other means."""

from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from gateway.domain.agreement import Channel
from gateway.domain.calendar import china_day
from gateway.domain.report.build import Narrowed, Report, Section
from gateway.errors import TooLarge
from gateway.flows.follow_up import due_visits
from gateway.flows.report import report
from gateway.store import tables as t
from tests.builders import an_id_number
from tests.flows.statement_world import a_line, manifest, ndjson, state, submit
from tests.flows.test_court_money import say, visit
from tests.flows.test_exchanges import CIVIL, PERSON, ask, asked_of, reply, tell
from tests.flows.test_statements import told
from tests.gateway_world import COURT, NEIGHBOUR, World, a_referral_body

DISABLED = "disabled_persons-520103"
PERIOD = (date(2026, 1, 1), date(2026, 12, 31))


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    made = World(database_url)
    made.add_office("civil_affairs", Channel.MAILBOX, "520103")
    made.add_office("disabled_persons", Channel.MAILBOX, "520103")
    yield made
    made.close()


def counted(world: World, **narrowed: Any) -> Report:
    return report(world.context, PERIOD, region="520000", now=world.now, narrowed=Narrowed(**narrowed))


def value(made: Report, key: str) -> Any:
    return made.line(key).value


def asked_about(world: World, number: int, **changes: Any) -> None:
    ask(world, inquiry_id=f"i-{number}", case_number=f"（2026）黔01司救执{number}号", **changes)


# --- inquiries ---


def answer(world: World, office_id: str, programme: str, *said: str, inquiry_id: str = "i-1") -> None:
    """To the newest message that office was asked by; what is said later takes the place of what was said."""
    letter = asked_of(world, office_id)
    for one in said:
        world.wait(timedelta(seconds=1))
        answers = [{"programme": programme, "answer": one, "as_of": "2026-03-01"}]
        data = {"inquiry_id": inquiry_id, "answers": answers}
        world.accept(world.reply(office_id, letter, "inquiry.answered", data))


def some_inquiries(world: World) -> None:
    """Of the first both answer, and another case is refused because of it; of the second one answers, corrects itself,
    and its case is assisted; the third a neighbour asks; for the fourth there is nobody to ask."""
    asked_about(world, 1)
    answer(world, CIVIL, "MLG", "ACTIVE")
    answer(world, DISABLED, "ASD", "NEVER")
    refused = {"decision": "NOT_ASSIST", "decided_amount_fen": 0, "ground_code": None, "refusal_code": "X6"}
    body = a_referral_body(**refused, inquiry_ref="i-1", case_number="（2026）黔01司救执9号")
    sent = {name: one for name, one in body.items() if one is not None}
    world.accept(world.court.sign("referral.submitted", sent, now=world.now))
    ask(world, inquiry_id="i-2", case_number="(2026)黔01司救执2号")
    refer(world, 2)
    answer(world, CIVIL, "MLG", "UNKNOWN", "ENDED", inquiry_id="i-2")
    ask(world, world.neighbour, inquiry_id="i-3", case_number="（2026）黔03司救执3号", programmes=["MLG"])
    away = {**PERSON, "household_registration_region": "430000"}
    asked_about(world, 4, person=away)


def test_inquiries_are_counted_as_their_rows_tell(world: World) -> None:
    some_inquiries(world)
    made = counted(world)
    inquiries, questions, answers = (world.rows(one) for one in (t.inquiries, t.inquiry_questions, t.inquiry_answers))
    put = [row for row in questions if row["party"] is not None]
    newest = {(row["inquiry_id"], row["programme"]): row["answer"] for row in answers}
    assert value(made, "inquiry.asked") == len(inquiries) == 4
    assert value(made, "inquiry.nobody") == len(inquiries) - len({row["inquiry_id"] for row in put}) == 1
    assert (value(made, "inquiry.answered"), value(made, "inquiry.waiting")) == (1, 2)
    assert value(made, "inquiry.questions") == len(put) == 5
    said = Counter(newest.values())
    assert said == {"ACTIVE": 1, "NEVER": 1, "ENDED": 1}
    assert {code: value(made, f"inquiry.answer.{code.lower()}") for code in said} == said
    assert value(made, "inquiry.answer.not_answered") == len(put) - len(newest)
    by_agency = Counter(row["agency"] for row in put)
    assert {agency: value(made, f"inquiry.{agency}.asked") for agency in by_agency} == by_agency
    assert [value(made, f"inquiry.came.{key}") for key in ("cited", "assisted", "other", "none")] == [1, 1, 0, 2]


def test_an_inquiry_is_overdue_when_its_time_is_over_and_late_when_it_is_answered_then(world: World) -> None:
    asked_about(world, 1)
    answer(world, CIVIL, "MLG", "NEVER")
    world.wait(timedelta(days=9))
    assert [value(counted(world), f"inquiry.{key}") for key in ("waiting", "overdue", "late")] == [0, 1, 0]
    answer(world, DISABLED, "ASD", "ENDED")
    assert [value(counted(world), f"inquiry.{key}") for key in ("answered", "overdue", "late")] == [1, 0, 1]


def test_inquiries_are_of_their_court_their_agency_and_their_days(world: World) -> None:
    some_inquiries(world)
    courts = [value(counted(world, courts=one), "inquiry.asked") for one in ((COURT,), (NEIGHBOUR,), (), None)]
    assert courts == [3, 1, 0, 4]
    disabled = counted(world, agency="disabled_persons")
    assert [value(disabled, f"inquiry.{key}") for key in ("asked", "questions", "answered")] == [2, 2, 1]
    day = world.now.date()
    before = report(world.context, (date(2026, 1, 1), day - timedelta(days=1)), region="520000", now=world.now)
    assert value(before, "inquiry.asked") == 0


# --- clues ---


def some_clues(world: World) -> None:
    """Of the women's federation the first became a referral, the second was filed; the others' went to nobody."""
    tell(world)
    reply(world, "FILED", case_number="(2026)黔01司救执1号")
    world.refer()
    tell(world, clue_id="k-2")
    reply(world, "FILED", clue_id="k-2", case_number="（2026）黔01司救执2号")
    tell(world, CIVIL, clue_id="k-3")
    tell(world, CIVIL, clue_id="k-4", person={**PERSON, "household_registration_region": "110101"})
    reply(world, "NOT_COURT", clue_id="k-3", to="检察院")


def test_clues_are_counted_as_their_rows_tell(world: World) -> None:
    some_clues(world)
    made = counted(world)
    clues, answers, referrals = (world.rows(one) for one in (t.clues, t.clue_answers, t.referrals))
    numbers = {row["case_number"] for row in referrals}
    answered = {row["clue_id"] for row in answers}
    filed = {row["clue_id"]: (row["case_number"] or "").replace("(", "（").replace(")", "）") for row in answers}
    assert value(made, "clue.submitted") == len(clues) == 4
    assert value(made, "clue.forwarded") == sum(row["court_asked"] is not None for row in clues) == 3
    assert value(made, "clue.answered") == len(answered) == 3
    assert value(made, "clue.referral") == sum(number in numbers for number in filed.values()) == 1
    assert value(made, "clue.filed") == sum(row["code"] == "FILED" for row in answers) == 2
    assert [value(made, f"clue.end.{key}") for key in ("waiting", "not_court", "no_court")] == [2, 1, 1]
    assert [value(made, f"clue.{one}.submitted") for one in ("civil_affairs", "womens_federation")] == [2, 2]


def test_a_clue_is_overdue_when_the_courts_time_is_over(world: World) -> None:
    some_clues(world)
    world.wait(timedelta(days=60))
    found = counted(world)
    assert [value(found, f"clue.end.{key}") for key in ("waiting", "overdue", "not_court")] == [0, 2, 1]


def test_clues_are_of_the_court_they_went_to_and_of_the_agency_that_told_them(world: World) -> None:
    some_clues(world)
    asked: tuple[dict[str, Any], ...] = ({"courts": (COURT,)}, {"courts": (NEIGHBOUR,)}, {"agency": "civil_affairs"})
    assert [value(counted(world, **one), "clue.submitted") for one in asked] == [3, 0, 2]


# --- statements ---


def some_statements(world: World) -> None:
    """Of March: one line agrees in all but the amount, one names nothing we know, one is none; then a ledger that takes
    its place and leaves out what was paid; and one whose lines never came."""
    told(world)
    strange = a_line(need_id=None, id_number=None, name=None, programme="MLG")
    state(world, [a_line(amount_fen=65_000), strange, {"status": "PAID"}])
    state(world, [], statement_id="s-2", replaces="s-1")
    submit(world, manifest(ndjson([a_line()]), 1, statement_id="s-3", period_from="2026-02", period_to="2026-02"))


def test_statements_are_counted_as_their_rows_tell(world: World) -> None:
    some_statements(world)
    made = counted(world)
    manifests, lines, findings = (world.rows(one) for one in (t.statements, t.statement_lines, t.findings))
    mine = [row for row in findings if row["origin"] == "statement"]
    assert value(made, "statement.received") == len(manifests) == 3
    assert value(made, "statement.replaced") == sum(row["replaces"] is not None for row in manifests) == 1
    assert [value(made, f"statement.state.{one}") for one in ("read", "awaiting_lines")] == [2, 1]
    assert value(made, "statement.lines") == len(lines) == 3
    assert value(made, "statement.lines.bad") == sum(row["problem"] is not None for row in lines)
    good = [row for row in lines if row["problem"] is None]
    assert value(made, "statement.lines.matched") == sum(row["need_id"] is not None for row in good) == 1
    assert value(made, "statement.doubts") == len(mine) > 1
    gone = [row for row in mine if row["closed_at"] is not None]
    assert value(made, "statement.doubts.gone") == len(gone) > 0
    assert value(made, "statement.doubts.undecided") == len(mine) - len(gone)


def test_a_doubt_that_a_person_decided_is_decided_whatever_became_of_it(world: World) -> None:
    some_statements(world)
    before = value(counted(world), "statement.doubts")
    world.change(t.findings.update().where(t.findings.c.origin == "statement").values(decided_as="EXPLAINED"))
    made = counted(world)
    assert [value(made, f"statement.doubts.{one}") for one in ("decided", "undecided", "gone")] == [before, 0, 0]


def test_statements_are_of_their_agency_and_of_the_offices_of_a_region(world: World) -> None:
    some_statements(world)
    asked: tuple[dict[str, Any], ...] = (
        {"agency": "civil_affairs"},
        {"agency": "disabled_persons"},
        {"courts": (COURT,), "region": "5201"},
        {"courts": (COURT,), "region": "5203"},
    )
    assert [value(counted(world, **one), "statement.received") for one in asked] == [3, 0, 3, 0]
    assert [line for line in counted(world, courts=(COURT,)).lines if line.section is Section.STATEMENT] == []


def test_statements_of_other_days_are_left_out(world: World) -> None:
    some_statements(world)
    days = (date(2026, 1, 1), world.now.date() - timedelta(days=1))
    before = report(world.context, days, region="520000", now=world.now)
    assert [value(before, f"statement.{one}") for one in ("received", "lines", "doubts")] == [0, 0, 0]


# --- return visits ---


def some_visits(world: World) -> None:
    """Four referrals: the first was visited, the second too, for another day to come; the third was paid and nobody
    came; the fourth was never paid."""
    for number in range(1, 5):
        refer(world, number)
    for number in range(1, 4):
        paid = {"payment_id": f"p-{number}", "amount_fen": 2_000_000, "payee": "BENEFICIARY"}
        say(world, "judicial_assistance.paid", referral_id=f"r-{number}", paid_on="2026-03-02", **paid)
    visit(world, 1)
    visit(world, 2)
    later = (china_day(world.now) + timedelta(days=200)).isoformat()
    visit(world, 3, referral_id="r-2", next_visit_on=later)


def refer(world: World, number: int) -> None:
    born = date(1970, 1, number)
    own = {"id_number": an_id_number(born, serial=2 * number), "birth_date": born.isoformat()}
    world.refer(
        referral_id=f"r-{number}",
        case_number=f"（2026）黔01司救执{number}号",
        original_case_group=f"（2025）黔0102民初{number}号",
        person={**a_referral_body()["person"], **own},
        needs=[],
        assessment="NO_NEED",
    )


def test_return_visits_are_counted_as_rows_and_the_courts_own_list_tell(world: World) -> None:
    some_visits(world)
    for waited, overdue in ((0, 0), (92, 1), (150, 2)):
        world.wait(timedelta(days=waited))
        made, due, rows = counted(world), due_visits(world.context, now=world.now), world.rows(t.visits)
        paid = {row["referral_id"] for row in world.rows(t.court_payments)}
        assert value(made, "follow_up.owed") == len(paid) == 3
        assert value(made, "follow_up.visits") == len(rows) == 3
        assert value(made, "follow_up.visited") == len({row["referral_id"] for row in rows}) == 2
        assert value(made, "follow_up.end.overdue") == sum(one.past is True for one in due) == overdue
        assert value(made, "follow_up.end.waiting") == sum(one.past is False for one in due) == 2 - overdue
        assert value(made, "follow_up.end.done") == len(paid) - len(due) == 1


# --- too much at once ---


def test_more_inquiries_than_are_wanted_are_refused(world: World) -> None:
    some_inquiries(world)
    with pytest.raises(TooLarge, match="inquiries"):
        report(world.context, PERIOD, region="520000", now=world.now, most=3)
    assert report(world.context, PERIOD, region="520000", now=world.now, most=4).line("inquiry.asked").value == 4

"""The sections of the report on what stands in no referral: each figure counted by hand from the rows beside it."""

from datetime import date
from typing import Any

import pytest

from gateway.domain.lifecycle import StatementState
from gateway.domain.person import SpecificGroup
from gateway.domain.referral import Decision
from gateway.domain.replies import ClueAnswer
from gateway.domain.report.build import Narrowed, Report, ReportRow, Section, build_report, facts_of
from gateway.domain.report.exchange_counts import ClueCount, FollowUpCount, InquiryCount, QuestionCount, StatementCount
from gateway.domain.report.follow_up_section import follow_up_of
from tests.builders import a_court_payment, a_dossier, a_referral_row, a_rulebook, at
from tests.unit.test_report import a_row

PERIOD = (date(2026, 1, 1), date(2026, 3, 31))
AGENCIES = {"civil_affairs": ("民政", "Civil affairs"), "disabled_persons": ("残联", "Disabled persons' federation")}
ASKED, DUE, IN_TIME, LATE = (
    at(text) for text in ("2026-03-02 09:00", "2026-03-09 18:00", "2026-03-04 09:00", "2026-03-12 09:00")
)


def report_of(*referrals: ReportRow, public: bool = False, narrowed: Narrowed | None = None, **rows: Any) -> Report:
    facts = facts_of(referrals, period=PERIOD, region="520000", agency_names=AGENCIES, narrowed=narrowed, **rows)
    return build_report(facts, public=public)


def values(report: Report, section: Section) -> dict[str, Any]:
    """By key, without the section's name; nothing that counts nothing."""
    found = {line.key.partition(".")[2]: line.value for line in report.lines if line.section is section}
    return {key: value for key, value in found.items() if value not in (0, None)}


def parts(report: Report, name: str) -> int:
    """What the lines of one partition come to."""
    return sum(line.value for line in report.lines if name in line.partitions and isinstance(line.value, int))


# --- inquiries ---


def a_question(answer: str | None = None, **changes: Any) -> QuestionCount:
    honest = {"agency": "civil_affairs", "answer": answer, "answered_at": IN_TIME if answer else None}
    return QuestionCount(**{**honest, **changes})


def an_inquiry(number: int, *questions: QuestionCount, **changes: Any) -> InquiryCount:
    """Of a person of its own, whose time is not over."""
    honest: dict[str, Any] = {
        "inquiry_id": f"i-{number}",
        "asked_at": ASKED,
        "due_at": DUE,
        "past": False,
        "questions": questions,
        "person_ref": f"p-{number}",
    }
    return InquiryCount(**{**honest, **changes})


SEVEN = (
    # answered to the end; the case was refused because of it
    an_inquiry(1, a_question("ACTIVE"), a_question("NEVER", agency="disabled_persons"), cited=True),
    # answered, one question late; the case was assisted
    an_inquiry(2, a_question("ENDED", answered_at=LATE), past=True, decision=Decision.ASSIST),
    # one of two questions is overdue
    an_inquiry(3, a_question("UNKNOWN"), a_question(agency="disabled_persons"), past=True),
    # in time
    an_inquiry(4, a_question(), decision=Decision.TERMINATED),
    # the year of its limit has no calendar
    an_inquiry(5, a_question(), due_at=None, past=None),
    # nobody could be asked
    an_inquiry(6, a_question(agency=None), past=True),
    # about the first one's person
    an_inquiry(7, a_question("NEVER"), person_ref="p-1", decision=Decision.ASSIST),
)


def test_every_inquiry_stands_in_one_place_and_its_case_came_to_one_thing() -> None:
    found = values(report_of(inquiries=SEVEN), Section.INQUIRY)
    standing = {"asked": 7, "answered": 3, "waiting": 1, "overdue": 1, "untold": 1, "nobody": 1}
    came = {"came.cited": 1, "came.assisted": 2, "came.other": 1, "came.none": 3}
    assert standing.items() <= found.items()
    assert came.items() <= found.items()
    assert sum(came.values()) == 7 == sum(standing.values()) - 7


def test_questions_are_counted_by_answer_with_hits_delay_and_days() -> None:
    """Asked 8, of which 5 answered: two days four times, ten days once."""
    report = report_of(inquiries=SEVEN)
    found = values(report, Section.INQUIRY)
    answers = {"active": 1, "ended": 1, "never": 2, "unknown": 1, "not_answered": 3}
    assert {f"answer.{key}": count for key, count in answers.items()}.items() <= found.items()
    assert (found["questions"], found["hits"], found["rate"], found["late"]) == (8, 2, "40.0", 1)
    assert (found["days"], report.line("inquiry.days").denominator) == ("2.0", 5)
    assert report.line("inquiry.questions").persons == 5
    assert report.line("inquiry.answer.never").persons == 1


def test_each_agency_has_its_own_questions() -> None:
    report = report_of(inquiries=SEVEN)
    steps = ("asked", "answered", "overdue", "hits")
    assert [report.line(f"inquiry.civil_affairs.{step}").value for step in steps] == [6, 4, 0, 2]
    assert [report.line(f"inquiry.disabled_persons.{step}").value for step in steps] == [2, 1, 1, 0]
    assert report.line("inquiry.disabled_persons.overdue").label_zh == "残联·逾期未答复"
    assert report.line("inquiry.civil_affairs.hits").denominator == 4


def test_what_adds_up_to_the_inquiries_and_to_the_questions_does() -> None:
    report = report_of(inquiries=SEVEN)
    assert [parts(report, name) for name in ("inquiry", "inquiry.came")] == [7, 7]
    assert [parts(report, name) for name in ("inquiry.answer", "inquiry.agency.asked")] == [8, 8]
    assert parts(report, "inquiry.agency.hits") == report.line("inquiry.hits").value


def test_two_questions_about_somebody_nobody_may_match_are_one_person() -> None:
    two = an_inquiry(1, a_question("NEVER"), a_question("NEVER", agency="disabled_persons"), person_ref=None)
    report = report_of(inquiries=[two, an_inquiry(2, a_question("NEVER"), person_ref=None)])
    assert report.line("inquiry.questions").persons == 2


def test_a_share_is_left_out_with_the_few_behind_it() -> None:
    """Nine of twelve answers NEVER, three ACTIVE: neither the three nor what they can be worked out from is printed."""
    some = [an_inquiry(number, a_question("ACTIVE" if number < 3 else "NEVER")) for number in range(12)]
    report = report_of(inquiries=some, public=True)
    hidden = {line.key for line in report.lines if line.section is Section.INQUIRY and line.suppressed}
    assert {"inquiry.answer.active", "inquiry.answer.never", "inquiry.hits", "inquiry.rate"} <= hidden
    assert report.line("inquiry.asked").value == 12


NARROWED = (Narrowed(case_type="civil"), Narrowed(group=SpecificGroup.MINOR))


@pytest.mark.parametrize("narrowed", NARROWED)
def test_what_tells_no_case_type_and_no_group_is_left_out_where_one_is_asked(narrowed: Narrowed) -> None:
    report = report_of(inquiries=SEVEN, clues=EIGHT, statements=FOUR, narrowed=narrowed)
    sections = {line.section for line in report.lines}
    assert sections.isdisjoint({Section.INQUIRY, Section.CLUE, Section.STATEMENT})


# --- clues ---


def a_clue(*answers: str, **changes: Any) -> ClueCount:
    honest: dict[str, Any] = {"agency": "civil_affairs", "forwarded": True}
    return ClueCount(answers=tuple(ClueAnswer(one) for one in answers), **{**honest, **changes})


EIGHT = (
    a_clue("FILED", "ASSISTED", became_referral=True),
    a_clue("FILED", "NOT_ASSISTED", became_referral=True),
    a_clue("NOT_COURT"),
    # filed is not the end of it
    a_clue("FILED", past=True),
    a_clue("INFORMED_PERSON"),
    a_clue(past=True, agency="disabled_persons"),
    a_clue(past=None),
    a_clue(forwarded=False, past=True, agency="disabled_persons"),
)


def test_every_clue_stands_in_one_place() -> None:
    report = report_of(clues=EIGHT)
    found = values(report, Section.CLUE)
    way = {"submitted": 8, "forwarded": 7, "answered": 5, "filed": 3, "referral": 2, "rate": "28.6"}
    ends = {"assisted": 1, "not_assisted": 1, "not_court": 1, "waiting": 1, "overdue": 2, "untold": 1, "no_court": 1}
    assert way.items() <= found.items()
    assert {f"end.{key}": count for key, count in ends.items()}.items() <= found.items()
    assert parts(report, "clue") == sum(ends.values()) == 8
    assert (report.line("clue.filed").denominator, report.line("clue.submitted").persons) == (7, 8)


def test_each_agency_has_its_own_clues() -> None:
    report = report_of(clues=EIGHT)
    steps = ("submitted", "forwarded", "answered", "overdue", "referral")
    found = {agency: [report.line(f"clue.{agency}.{step}").value for step in steps] for agency in AGENCIES}
    assert found == {"civil_affairs": [6, 6, 5, 1, 2], "disabled_persons": [2, 1, 0, 1, 0]}


def test_no_clue_has_no_share_instead_of_zero() -> None:
    report = report_of()
    assert (report.line("clue.submitted").value, report.line("clue.rate").value) == (0, None)


# --- statements ---

READ, WAITING = StatementState.READ, StatementState.AWAITING_LINES
FOUR = (
    StatementCount(
        agency="civil_affairs", state=READ, announced=100, kept=100, bad=3, named=60, undecided=2, decided=5
    ),
    StatementCount(agency="civil_affairs", state=READ, is_replaced=True, announced=20, kept=18, named=18, gone=4),
    StatementCount(agency="civil_affairs", state=WAITING, announced=50),
    StatementCount(agency="disabled_persons", state=READ, announced=7, kept=7, decided=1),
)


def test_statements_are_counted_with_their_lines_and_the_doubts_they_led_to() -> None:
    report = report_of(statements=FOUR)
    assert (
        values(report, Section.STATEMENT).items()
        >= {
            "received": 4,
            "state.read": 3,
            "state.awaiting_lines": 1,
            "replaced": 1,
            "lines": 125,
            "lines.matched": 78,
            "lines.others": 44,
            "lines.bad": 3,
            "doubts": 12,
            "doubts.undecided": 2,
            "doubts.decided": 6,
            "doubts.gone": 4,
        }.items()
    )
    assert (report.line("statement.lines").denominator, report.line("statement.lines.bad").denominator) == (177, 125)
    sums = {name: parts(report, f"statement{name}") for name in ("", ".lines", ".doubts", ".agency.lines")}
    assert sums == {"": 4, ".lines": 125, ".doubts": 12, ".agency.lines": 125}


def test_each_agency_has_its_own_statements() -> None:
    report = report_of(statements=FOUR)
    steps = ("received", "lines", "matched", "doubts", "undecided")
    found = {agency: [report.line(f"statement.{agency}.{step}").value for step in steps] for agency in AGENCIES}
    assert found == {"civil_affairs": [3, 118, 78, 11, 2], "disabled_persons": [1, 7, 0, 1, 0]}


def test_a_statement_is_of_a_region_and_of_no_court() -> None:
    of_court, of_region = Narrowed(courts=("c-1",)), Narrowed(courts=("c-1",), region="5201")
    found = [report_of(statements=FOUR, narrowed=one) for one in (of_court, of_region)]
    assert [Section.STATEMENT in {line.section for line in one.lines} for one in found] == [False, True]


# --- return visits ---


def a_follow_up(number: int, visits: int = 0, *, is_awaited: bool = True, past: bool | None = False) -> FollowUpCount:
    return FollowUpCount(referral_id=f"r-{number}", visits=visits, is_awaited=is_awaited, past=past)


FIVE = (
    a_follow_up(1, visits=2, is_awaited=False),
    a_follow_up(2, visits=1, past=True),
    a_follow_up(3),
    a_follow_up(4, past=True),
    a_follow_up(5, past=None),
)


def test_every_referral_to_be_visited_stands_in_one_place() -> None:
    report = report_of(*(a_row(number) for number in range(1, 8)), follow_ups=FIVE)
    found = values(report, Section.FOLLOW_UP)
    ends = {"end.done": 1, "end.waiting": 1, "end.overdue": 2, "end.untold": 1}
    assert found == {"owed": 5, "visited": 2, "unvisited": 3, "rate": "40.0", "visits": 3, **ends}
    assert report.line("follow_up.owed").denominator == 7
    assert parts(report, "follow_up") == 5


def test_visits_of_another_periods_referral_are_left_out() -> None:
    assert values(report_of(a_row(1), follow_ups=FIVE), Section.FOLLOW_UP)["owed"] == 1


def test_that_a_few_were_never_visited_cannot_be_worked_out() -> None:
    """Twenty to be visited, eighteen visited: the two are not told, nor what they follow from."""
    visited = [a_follow_up(number, visits=min(number // 3, 1), is_awaited=number < 3) for number in range(1, 21)]
    report = report_of(*(a_row(number) for number in range(1, 21)), follow_ups=visited, public=True)
    hidden = {line.key.partition(".")[2] for line in report.lines if line.suppressed}
    assert {"visited", "unvisited", "rate", "end.waiting", "end.done"} <= hidden
    assert report.line("follow_up.owed").value == 20


PAID = (a_court_payment(),)


@pytest.mark.parametrize(
    ("changes", "as_of", "expected"),
    [
        ({"court_payments": ()}, "2026-12-20 09:00", None),
        ({"court_payments": PAID, "referral": a_referral_row(withdrawn=True)}, "2026-12-20 09:00", None),
        ({"court_payments": PAID}, "2026-03-20 09:00", (0, True, False)),
        ({"court_payments": PAID}, "2026-12-20 09:00", (0, True, True)),
    ],
)
def test_a_referral_is_to_be_visited_once_help_was_given(changes: Any, as_of: str, expected: Any) -> None:
    found = follow_up_of(a_dossier(**changes), a_rulebook(), at(as_of))
    assert (None if found is None else (found.visits, found.is_awaited, found.past)) == expected

"""统计的读取 What a report counts besides referrals: inquiries and clues of its days, by columns that name nobody.

Rules: rows are read page by page along their own numbers; what came of an inquiry is told by its case number at its
own court and by the refusals that cite it, of a clue by the numbers it was answered with. Of one agency: the questions
put to it, and the inquiries that hold one.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.case_number import full_width
from gateway.domain.intake_rules import ALREADY_ASSISTED
from gateway.domain.referral import Decision
from gateway.domain.report.exchange_counts import InquiryCount, QuestionCount
from gateway.domain.report.values import Narrowed
from gateway.store import exchanges
from gateway.store import tables as t
from gateway.store.clock import from_ms, to_ms
from gateway.store.dossiers import CHUNK, Days, within
from gateway.store.exchanges import KeptClue
from gateway.store.prepared import among, ids

_I, _Q, _A = t.inquiries.c, t.inquiry_questions.c, t.inquiry_answers.c
_C, _R = t.clues.c, t.referrals.c


def largest(connection: Connection, days: Days, narrowed: Narrowed, *, most: int) -> int:
    """How many inquiries, or clues, are of these days, whichever are more; counted up to `most`."""
    return max(
        _count(connection, t.inquiries, _inquiries_asked(days, narrowed), most),
        _count(connection, t.clues, _clues_received(days, narrowed), most),
    )


def _count(connection: Connection, table: sa.Table, asked: Iterable[sa.ColumnElement[bool]], most: int) -> int:
    rows = sa.select(table.c.row).where(*asked).limit(most)
    return connection.scalar(sa.select(sa.func.count()).select_from(rows.subquery())) or 0


# --- inquiries ---


def inquiries(connection: Connection, asked: Days, narrowed: Narrowed, *, now: datetime) -> list[InquiryCount]:
    """Those asked within these days, oldest first."""
    found: list[InquiryCount] = []
    cited = _cited(connection, asked, narrowed)
    for page in _pages(connection, t.inquiries, _inquiries_asked(asked, narrowed)):
        questions = _questions(connection, page, narrowed.agency)
        decided = _decided(connection, page)
        for row in page:
            if narrowed.agency is None or row["inquiry_id"] in questions:
                found.append(
                    InquiryCount(
                        inquiry_id=row["inquiry_id"],
                        asked_at=from_ms(row["asked_at"]),
                        due_at=from_ms(row["due_at"]),
                        past=None if row["due_at"] is None else row["due_at"] < to_ms(now),
                        questions=tuple(questions.get(row["inquiry_id"], ())),
                        person_ref=row["person_key"],
                        decision=decided.get((row["court"], full_width(row["case_number"]))),
                        cited=(row["court"], row["inquiry_id"]) in cited,
                    )
                )
    return found


def _inquiries_asked(asked: Days, narrowed: Narrowed) -> list[sa.ColumnElement[bool]]:
    return [within(_I.asked_at, asked), *([] if narrowed.courts is None else [_I.court.in_(narrowed.courts)])]


def _questions(
    connection: Connection, page: Sequence[sa.RowMapping], agency: str | None
) -> Mapping[str, Sequence[QuestionCount]]:
    """By inquiry; of one agency where one is asked for."""
    wanted = ids(row["inquiry_id"] for row in page)
    said: dict[tuple[str, str, str], list[sa.RowMapping]] = defaultdict(list)
    for row in connection.execute(_ANSWERS, wanted).mappings():
        said[row["inquiry_id"], row["programme"], row["party"]].append(row)
    found: dict[str, list[QuestionCount]] = defaultdict(list)
    for row in connection.execute(_QUESTIONS, wanted).mappings():
        if agency in (None, row["agency"]):
            answers = said.get((row["inquiry_id"], row["programme"], row["party"] or ""))
            found[row["inquiry_id"]].append(
                QuestionCount(
                    agency=row["agency"],
                    answer=answers[-1]["answer"] if answers else None,
                    answered_at=from_ms(answers[0]["at"]) if answers else None,
                )
            )
    return found


def _cited(connection: Connection, asked: Days, narrowed: Narrowed) -> set[tuple[str, str]]:
    """(court, inquiry) a refusal as already assisted rests on; none is decided before it was asked."""
    refused = sa.select(_R.court, _R.inquiry_ref).where(
        _R.refusal_code == ALREADY_ASSISTED, _R.inquiry_ref.is_not(None), _R.concluded_on >= asked[0].isoformat()
    )
    rows = connection.execute(refused if narrowed.courts is None else refused.where(_R.court.in_(narrowed.courts)))
    return {(row.court, row.inquiry_ref) for row in rows}


def _decided(connection: Connection, page: Sequence[sa.RowMapping]) -> Mapping[tuple[str, str], Decision]:
    """What each case came to, by court and number."""
    decided: dict[tuple[str, str], Decision] = {}
    for row in connection.execute(_OF_CASES, ids({full_width(row["case_number"]) for row in page})):
        decision, case = Decision(row.decision), (row.court, row.case_number)
        if decision is Decision.ASSIST or case not in decided:
            decided[case] = decision
    return decided


_QUESTIONS = sa.select(_Q.inquiry_id, _Q.programme, _Q.agency, _Q.party).where(among(_Q.inquiry_id)).order_by(_Q.row)
_ANSWERS = (
    sa.select(_A.inquiry_id, _A.programme, _A.party, _A.answer, _A.at)
    .where(among(_A.inquiry_id))
    .order_by(_A.at, _A.row)
)
_OF_CASES = (
    sa.select(
        _R.court,
        _R.case_number,
        _R.decision,
    )
    .where(among(_R.case_number))
    .order_by(_R.row)
)


# --- clues ---


def clues(connection: Connection, received: Days, narrowed: Narrowed) -> Iterator[tuple[KeptClue, bool]]:
    """Those received within these days, oldest first, and whether a referral of the court came of each."""
    for page in _pages(connection, t.clues, _clues_received(received, narrowed)):
        found = exchanges.clues(connection, [row["clue_id"] for row in page])
        cases = {case for one in found for case in _cases_of(one)}
        rows = connection.execute(_OF_CASES, ids({number for _, number in cases}))
        referred = {(row.court, row.case_number) for row in rows}
        for one in found:
            yield one, not referred.isdisjoint(_cases_of(one))


def _cases_of(clue: KeptClue) -> set[tuple[str, str]]:
    """(court, case number) of its answers."""
    if clue.court_asked is None:
        return set()
    return {(clue.court_asked, full_width(said.case_number)) for said in clue.answers if said.case_number is not None}


def _clues_received(received: Days, narrowed: Narrowed) -> list[sa.ColumnElement[bool]]:
    of_courts = [] if narrowed.courts is None else [_C.court_asked.in_(narrowed.courts)]
    return [within(_C.received_at, received), *of_courts]


def _pages(
    connection: Connection, table: sa.Table, conditions: Iterable[sa.ColumnElement[bool]]
) -> Iterator[Sequence[sa.RowMapping]]:
    last, asked = 0, sa.select(table).where(*conditions).order_by(table.c.row).limit(CHUNK)
    while page := connection.execute(asked.where(table.c.row > last)).mappings().all():
        yield page
        last = page[-1]["row"]

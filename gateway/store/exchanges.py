"""协查与线索的存取 Inquiries, their questions and answers; clues and theirs: rows are only ever added."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.domain.reconciliation.rows_exchange import CitedInquiryRow
from gateway.store import tables as t
from gateway.store.clock import from_ms, to_day, to_ms
from gateway.store.prepared import among, ids

_I, _Q, _A = t.inquiries.c, t.inquiry_questions.c, t.inquiry_answers.c
NOT_ANSWERED = "NOT_ANSWERED"
PAGE = 1000
ITSELF = "beneficiary"
"""Whose keys are the person's own (`identity_keys.role`)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answered:
    """协查答复: the newest answer about one programme."""

    answer: str
    as_of: date
    since: date | None
    until: date | None
    amount_fen: int | None
    message_id: str
    digest: str | None
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """协查事项: one programme asked of one office. unroutable: why nobody could be asked."""

    programme: str
    agency: str | None
    office_id: str | None
    party: str | None
    unroutable: str | None
    forwarded_id: str | None
    answered: Answered | None


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptInquiry:
    """协查 as it stands on file. due_at None: it cannot be told."""

    inquiry_id: str
    message_id: str
    court: str
    case_number: str
    person_key: str | None
    is_minor: bool
    asked_at: datetime
    due_at: datetime | None
    questions: tuple[Question, ...]

    @property
    def is_answered(self) -> bool:
        """Whether every question that could be put has an answer."""
        return all(one.answered is not None or one.party is None for one in self.questions)


def put_inquiry(connection: Connection, row: Mapping[str, Any], questions: Sequence[Mapping[str, Any]]) -> None:
    """A new inquiry with its questions."""
    connection.execute(t.inquiries.insert(), dict(row))
    connection.execute(t.inquiry_questions.insert(), [dict(one) for one in questions])


def put_answers(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """What an agency answered; earlier answers stay."""
    if rows:
        connection.execute(t.inquiry_answers.insert(), [dict(row) for row in rows])


def inquiries(connection: Connection, inquiry_ids: Iterable[str]) -> dict[str, KeptInquiry]:
    """Inquiries by id with everything of theirs."""
    wanted = ids(set(inquiry_ids))
    heads = connection.execute(_HEADS, wanted).mappings().all()
    answered: dict[tuple[str, str, str], Answered] = {}
    for row in connection.execute(_ANSWERS, wanted).mappings():
        answered[row["inquiry_id"], row["programme"], row["party"]] = _answered(row)
    questions: dict[str, list[Question]] = {}
    for row in connection.execute(_QUESTIONS, wanted).mappings():
        said = answered.get((row["inquiry_id"], row["programme"], row["party"] or ""))
        questions.setdefault(row["inquiry_id"], []).append(_question(row, said))
    return {row["inquiry_id"]: _inquiry(row, questions.get(row["inquiry_id"], ())) for row in heads}


_HEADS = sa.select(t.inquiries).where(among(_I.inquiry_id)).order_by(_I.row)
_QUESTIONS = sa.select(t.inquiry_questions).where(among(_Q.inquiry_id)).order_by(_Q.row)
_ANSWERS = (
    sa.select(t.inquiry_answers, t.inbox.c.digest)
    .select_from(
        t.inquiry_answers.outerjoin(
            t.inbox, sa.and_(t.inbox.c.source == _A.party, t.inbox.c.message_id == _A.message_id)
        )
    )
    .where(among(_A.inquiry_id))
    .order_by(_A.at, _A.row)
)


def cited(connection: Connection, inquiry_ids: Iterable[str | None]) -> dict[str | None, CitedInquiryRow]:
    """What referrals cite, by id; what is not on file is left out."""
    wanted = {one for one in inquiry_ids if one is not None}
    if not wanted:
        return {}
    return {
        key: CitedInquiryRow(
            inquiry_id=key,
            court=kept.court,
            person_key=kept.person_key,
            answers=tuple(
                (one.programme, NOT_ANSWERED if one.answered is None else one.answered.answer) for one in kept.questions
            ),
        )
        for key, kept in inquiries(connection, wanted).items()
    }


def cited_by(connection: Connection, rows: Sequence[sa.RowMapping]) -> dict[str, CitedInquiryRow]:
    """The inquiry each of these referrals cites, by referral; one about a number of the person's own is about the
    person, whichever key stands for the person."""
    found = cited(connection, {row["inquiry_ref"] for row in rows})
    k = t.identity_keys.c
    own: dict[str, set[str]] = {}
    wanted = ids({row["referral_id"] for row in rows if row["inquiry_ref"] in found})
    for row in connection.execute(
        sa.select(k.referral_id, k.key).where(among(k.referral_id), k.role == ITSELF), wanted
    ):
        own.setdefault(row.referral_id, set()).add(row.key)
    return {
        row["referral_id"]: replace(one, person_key=row["person_key"])
        if one.person_key in own.get(row["referral_id"], ())
        else one
        for row in rows
        if (one := found.get(row["inquiry_ref"])) is not None
    }


def asked_by(connection: Connection, forwarded_ids: Iterable[str]) -> dict[str, str]:
    """The inquiry each of our forwarding messages belongs to."""
    rows = connection.execute(
        sa.select(_Q.forwarded_id, _Q.inquiry_id).where(_Q.forwarded_id.in_(list(set(forwarded_ids))))
    )
    return {row.forwarded_id: row.inquiry_id for row in rows}


_ANSWER_EXISTS = sa.exists().where(_A.inquiry_id == _Q.inquiry_id, _A.programme == _Q.programme, _A.party == _Q.party)


def overdue(connection: Connection, *, now: datetime, since: datetime) -> list[str]:
    """Inquiries whose time passed between the two moments while a question had no answer."""
    statement = (
        sa.select(_I.inquiry_id)
        .select_from(t.inquiries.join(t.inquiry_questions, _Q.inquiry_id == _I.inquiry_id))
        .where(_I.due_at < to_ms(now), _I.due_at >= to_ms(since), _Q.party.is_not(None), ~_ANSWER_EXISTS)
    )
    return sorted(set(connection.scalars(statement)))


def page(connection: Connection, *, limit: int = 1000) -> list[KeptInquiry]:
    """The newest inquiries, newest first."""
    found = list(connection.scalars(sa.select(_I.inquiry_id).order_by(_I.row.desc()).limit(limit)))
    by_id = inquiries(connection, found)
    return [by_id[one] for one in found]


def unanswered(connection: Connection, *, as_of: datetime) -> list[tuple[KeptInquiry, Question]]:
    """Questions whose time is over and that nobody answered."""
    statement = (
        sa.select(_Q.inquiry_id)
        .select_from(t.inquiry_questions.join(t.inquiries, _I.inquiry_id == _Q.inquiry_id))
        .where(_I.due_at < to_ms(as_of), _Q.party.is_not(None), ~_ANSWER_EXISTS)
        .distinct()
    )
    found = inquiries(connection, connection.scalars(statement))
    return [
        (one, question)
        for one in found.values()
        for question in one.questions
        if question.party is not None and question.answered is None
    ]


def _inquiry(row: sa.RowMapping, questions: Sequence[Question]) -> KeptInquiry:
    return KeptInquiry(
        inquiry_id=row["inquiry_id"],
        message_id=row["message_id"],
        court=row["court"],
        case_number=row["case_number"],
        person_key=row["person_key"],
        is_minor=bool(row["is_minor"]),
        asked_at=from_ms(row["asked_at"]),
        due_at=from_ms(row["due_at"]),
        questions=tuple(questions),
    )


def _question(row: sa.RowMapping, answered: Answered | None) -> Question:
    return Question(
        programme=row["programme"],
        agency=row["agency"],
        office_id=row["office_id"],
        party=row["party"],
        unroutable=row["unroutable"],
        forwarded_id=row["forwarded_id"],
        answered=answered,
    )


def _answered(row: sa.RowMapping) -> Answered:
    return Answered(
        answer=row["answer"],
        as_of=date.fromisoformat(row["as_of"]),
        since=to_day(row["since"]),
        until=to_day(row["until"]),
        amount_fen=row["amount_fen"],
        message_id=row["message_id"],
        digest=row["digest"],
        at=from_ms(row["at"]),
    )


# --- clues ---

_C, _K = t.clues.c, t.clue_answers.c


@dataclass(frozen=True, kw_only=True, slots=True)
class ClueSaid:
    """线索反馈: one answer of a court."""

    code: str
    at: datetime
    case_number: str | None
    amount_fen: int | None
    refusal_code: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptClue:
    """线索 as it stands on file. court_asked None: no court of the region is a party."""

    clue_id: str
    party: str
    region: str
    circumstances: tuple[str, ...]
    is_minor: bool
    court_asked: str | None
    received_at: datetime
    answers: tuple[ClueSaid, ...]


def put_clue(connection: Connection, row: Mapping[str, Any]) -> None:
    """A new clue."""
    connection.execute(t.clues.insert(), dict(row))


def put_clue_answer(connection: Connection, row: Mapping[str, Any]) -> None:
    """What a court answered; earlier answers stay."""
    connection.execute(t.clue_answers.insert(), dict(row))


def every_clue(connection: Connection) -> Iterator[KeptClue]:
    """All of them, oldest first, a page at a time."""
    last = 0
    asked = sa.select(_C.row, _C.clue_id).order_by(_C.row).limit(PAGE)
    while rows := connection.execute(asked.where(_C.row > last)).all():
        yield from clues(connection, [row.clue_id for row in rows])
        last = rows[-1].row


def clues(connection: Connection, clue_ids: Collection[str]) -> list[KeptClue]:
    """Clues with their answers, oldest first."""
    statement = sa.select(t.clues).where(_C.clue_id.in_(list(clue_ids))).order_by(_C.row)
    heads = connection.execute(statement).mappings().all()
    said: dict[str, list[ClueSaid]] = {}
    wanted = ids({row["clue_id"] for row in heads})
    answers = sa.select(t.clue_answers).where(among(_K.clue_id)).order_by(_K.at, _K.row)
    for row in connection.execute(answers, wanted).mappings():
        said.setdefault(row["clue_id"], []).append(
            ClueSaid(
                code=row["code"],
                at=from_ms(row["at"]),
                case_number=row["case_number"],
                amount_fen=row["amount_fen"],
                refusal_code=row["refusal_code"],
            )
        )
    return [
        KeptClue(
            clue_id=row["clue_id"],
            party=row["party"],
            region=row["region"],
            circumstances=tuple(row["circumstances"].split()),
            is_minor=bool(row["is_minor"]),
            court_asked=row["court_asked"],
            received_at=from_ms(row["received_at"]),
            answers=tuple(said.get(row["clue_id"], ())),
        )
        for row in heads
    ]


def sent_notice(connection: Connection, recipient: str, message_id: str) -> tuple[str, str | None] | None:
    """(digest, matter) of a message of ours to a party; None when there is none."""
    o = t.outbox.c
    row = connection.execute(
        sa.select(o.digest, o.referral_id).where(o.message_id == message_id, o.recipient == recipient)
    ).first()
    return None if row is None else (row.digest, row.referral_id)


def last_notice(connection: Connection, type_: str, matter: str) -> str | None:
    """Our newest message of a type about a matter."""
    o = t.outbox.c
    statement = sa.select(o.message_id).where(o.referral_id == matter, o.type == type_).order_by(o.row.desc()).limit(1)
    found: str | None = connection.scalar(statement)
    return found


def stated_by(connection: Connection, effect_keys: Collection[str]) -> dict[str, str]:
    """Our message that stands for each of these effects, where there is one."""
    o = t.outbox.c
    rows = connection.execute(sa.select(o.effect_key, o.message_id).where(o.effect_key.in_(list(effect_keys))))
    return {row.effect_key: row.message_id for row in rows}

"""催办与其他来件 Reminders, inquiries to answer, matches to answer, and what else the gateway wrote to the office.

Rules: the list shows types, matters and days, never a person; a letter that names one is opened on record; an inquiry
is answered programme by programme, a match with a disposition and its reason, each to the very message that asked
(Law 4); what needs no answer is taken as read. Each form is one message for ever.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from werkzeug.wrappers import Response

from gateway.domain.access import Right
from gateway.domain.adjudication import HEARING, NOTICE, DispositionCode, StopsBy
from gateway.domain.calendar import china_day
from gateway.envelope.signing import VerifiedMessage
from gateway.errors import FieldProblem, MessageError, NotFound, SchemaInvalid, XianjieError
from gateway.flows.agency_desk import open_letter
from gateway.flows.clue import ANSWER as CLUE_ANSWERED
from gateway.flows.inquiry import FORWARDED
from gateway.flows.inquiry_answer import ANSWERED
from gateway.flows.match_said import DISPOSED
from gateway.flows.match_words import RESOLVED
from gateway.flows.retrieved import TYPE as READ_TYPE
from gateway.store import agency_desk, exchanges, matches
from gateway.store.agency_desk import ListedLetter
from gateway.store.matches import KeptMatch
from gateway.web.agency.clues import clue_address
from gateway.web.agency.parts import due_of, is_whole, office_names, offices_of
from gateway.web.desk import Desk
from gateway.web.pages.appealed import APPEAL_FIELDS, APPEAL_SENT, may_appeal, send_appeal
from gateway.web.pages.asked import row_of
from gateway.web.pages.clerk import MOST, act_of, can_send, form_of, new_form, party_of, send
from gateway.web.pages.filled import at_fields, iso_day, on_top, plain, read_field, typed_of
from gateway.web.pages.routes import Pages
from gateway.web.pages.said import tells
from gateway.web.pages.shown import worded
from gateway.web.pages.visit import Visit
from gateway.workbook.spellings import read_yuan
from schemas.exchanges import INQUIRY_ANSWERS

VIEWED = "letter_viewed"
ANSWER_SENT = tells("agency_inquiry_answered", "协查答复已报送并接收。", "The inquiry was answered.")
DISPOSITION_SENT = tells("agency_disposition_sent", "处置意见已报送并接收。", "Your disposition was sent.")
TAKEN = tells("agency_letter_read", "已阅。", "Taken as read.")
_INQUIRY_FIELDS = ("answer", "as_of", "since", "until", "amount_yuan")
_MATCH_FIELDS = ("disposition", "stops_by", "reason", "evidence")


def pages(desk: Desk) -> Pages:
    """The list, one letter, and what may be answered to it."""
    found = Pages(desk, "agency_letters", "/agency/letters")

    @found.get("", Right.AGENCY_WORK)
    def letters(visit: Visit) -> Response:
        before = row_of(visit.asked("before", 20))
        with visit.context.store.reading() as connection:
            rows = agency_desk.letters(
                connection, party_of(visit), offices_of(visit), whole=is_whole(visit), before=before, limit=MOST + 1
            )
        more = rows[MOST - 1].row if len(rows) > MOST else None
        return visit.page(
            "agency/letters.html", letters=rows[:MOST], before=before, more=more, offices=office_names(visit)
        )

    @found.get("/<message_id>", Right.AGENCY_WORK)
    def letter(visit: Visit, message_id: str) -> Response:
        return _shown(visit, *_own(visit, message_id))

    @found.post("/<message_id>/read", Right.AGENCY_WORK)
    def take_as_read(visit: Visit, message_id: str) -> Response:
        _, message = _own(visit, message_id)
        send(visit, READ_TYPE, {}, form=f"read:{message_id}", **_answers(message))
        return visit.back("/agency/letters", TAKEN)

    @found.post("/<message_id>/inquiry", Right.AGENCY_WORK)
    def answer_inquiry(visit: Visit, message_id: str) -> Response:
        return _answer_inquiry(visit, *_own(visit, message_id))

    @found.post("/<message_id>/match", Right.AGENCY_WORK)
    def answer_match(visit: Visit, message_id: str) -> Response:
        return _answer_match(visit, *_own(visit, message_id))

    @found.post("/<message_id>/appeal", Right.AGENCY_WORK)
    def appeal_match(visit: Visit, message_id: str) -> Response:
        return _appeal(visit, *_own(visit, message_id))

    return found


def _own(visit: Visit, message_id: str) -> tuple[ListedLetter, VerifiedMessage]:
    return open_letter(
        visit.context, party_of(visit), offices_of(visit), message_id, whole=is_whole(visit), now=visit.now
    )


def _answers(message: VerifiedMessage) -> dict[str, str]:
    return {"in_reply_to": message.envelope.id, "in_reply_to_digest": message.digest}


def _body(message: VerifiedMessage) -> dict[str, Any]:
    return message.envelope.data if isinstance(message.envelope.data, dict) else {}


def _shown(
    visit: Visit,
    letter: ListedLetter,
    message: VerifiedMessage,
    *,
    refused: XianjieError | None = None,
    typed: Mapping[str, str] | None = None,
    wrong: Mapping[str, str] | None = None,
) -> Response:
    visit.log(VIEWED, letter.subject or letter.message_id, f"type={letter.type} message={letter.message_id}")
    with visit.context.store.reading() as connection:
        asked = exchanges.inquiries(connection, [letter.subject or ""]).get(letter.subject or "")
        about_match = letter.type in (NOTICE, RESOLVED)
        match = matches.find(connection, str(_body(message).get("match_id", ""))) if about_match else None
    questions = [] if asked is None else [one for one in asked.questions if one.forwarded_id == letter.message_id]
    return visit.page(
        "agency/letter.html",
        status=200 if refused is None else refused.status,
        refused=on_top(refused, wrong or {}),
        letter=letter,
        body=_body(message),
        due=due_of(message.envelope.reply_by, visit.now),
        office=office_names(visit).get(letter.office_id or "", ""),
        questions=questions if letter.type == FORWARDED else [],
        answers=worded(INQUIRY_ANSWERS, "inquiry_answer"),
        match=match,
        clue=clue_address(visit, letter.subject or "") if letter.type == CLUE_ANSWERED else None,
        own_said=_own_said(match, _body(message), party_of(visit)),
        is_heard=match is not None and letter.type == NOTICE and match.match.state in HEARING,
        may_appeal=match is not None and may_appeal(match),
        dispositions=worded(DispositionCode, "disposition"),
        stops=worded(StopsBy, "stops_by"),
        today=china_day(visit.now).isoformat(),
        typed=typed or {},
        wrong=wrong or {},
        form_id=new_form() if refused is None else visit.text("form", 60),
        can_send=can_send(visit),
    )


def _own_said(match: KeptMatch | None, body: Mapping[str, Any], party: str) -> list[Any]:
    """What this side said; the other's word is the other's."""
    if match is None:
        return []
    return [one for one in match.said if (one.side, one.party) == (body.get("side"), party)]


# --- inquiries ---


def _answer_inquiry(visit: Visit, letter: ListedLetter, message: VerifiedMessage) -> Response:
    if letter.type != FORWARDED:
        raise NotFound
    programmes = [str(code) for code in _body(message).get("programmes", ())]
    names = [f"{code}-{name}" for code in programmes for name in _INQUIRY_FIELDS]
    typed = {name: visit.text(name, 40) for name in names}
    try:
        said = _inquiry_answers(programmes, typed)
        data = {"inquiry_id": _body(message).get("inquiry_id"), "answers": said}
        send(visit, ANSWERED, data, form=act_of(form_of(visit), data), subject=letter.subject, **_answers(message))
    except MessageError as error:
        problems = [_at_programme(one, programmes, typed) for one in error.problems]
        wrong, others = at_fields(problems, typed)
        return _shown(visit, letter, message, refused=plain(error, others), typed=typed, wrong=wrong)
    return visit.back(f"/agency/letters/{quote(letter.message_id, safe='')}", ANSWER_SENT)


def _inquiry_answers(programmes: Sequence[str], typed: Mapping[str, str]) -> list[dict[str, Any]]:
    """One entry for each programme that was answered. Raises SchemaInvalid."""
    problems: list[FieldProblem] = []
    found = []
    for code in (one for one in programmes if typed[f"{one}-answer"]):
        given: dict[str, Any] = {"programme": code, "answer": typed[f"{code}-answer"]}
        for name in ("as_of", "since", "until"):
            given[name] = read_field(iso_day, typed, f"{code}-{name}", problems)
        given["amount_fen"] = read_field(read_yuan, typed, f"{code}-amount_yuan", problems)
        found.append({name: value for name, value in given.items() if value is not None})
    if not found and not problems:
        problems = [FieldProblem(pointer=f"/{code}-answer", code="required") for code in programmes]
    if problems:
        raise SchemaInvalid(problems=problems)
    return found


def _at_programme(problem: FieldProblem, programmes: Sequence[str], typed: Mapping[str, str]) -> FieldProblem:
    """`/data/answers/0/as_of` at the field of the first programme that was answered."""
    parts = problem.pointer.split("/")
    answered = [code for code in programmes if typed[f"{code}-answer"]]
    if len(parts) < 5 or parts[2] != "answers" or not parts[3].isdigit() or int(parts[3]) >= len(answered):
        return problem
    name = "amount_yuan" if parts[4] == "amount_fen" else parts[4]
    return FieldProblem(pointer=f"/{answered[int(parts[3])]}-{name}", code=problem.code)


# --- matches ---


def _answer_match(visit: Visit, letter: ListedLetter, message: VerifiedMessage) -> Response:
    if letter.type != NOTICE:
        raise NotFound
    typed = {name: visit.text(name, 1001) for name in _MATCH_FIELDS}
    body = _body(message)
    data = {
        "match_id": body.get("match_id"),
        "side": body.get("side"),
        "referral_id": body.get("referral_id"),
        "disposition": typed["disposition"],
        "stops_by": typed["stops_by"],
        "reason": typed["reason"],
        "evidence": [line.strip() for line in typed["evidence"].split("\n") if line.strip()],
    }
    given = {name: value for name, value in data.items() if value}
    try:
        send(visit, DISPOSED, given, form=act_of(form_of(visit), given), subject=letter.subject, **_answers(message))
    except MessageError as error:
        wrong, others = at_fields(error.problems, typed)
        return _shown(visit, letter, message, refused=plain(error, others), typed=typed, wrong=wrong)
    return visit.back(f"/agency/letters/{quote(letter.message_id, safe='')}", DISPOSITION_SENT)


def _appeal(visit: Visit, letter: ListedLetter, message: VerifiedMessage) -> Response:
    if letter.type not in (NOTICE, RESOLVED):
        raise NotFound
    form, typed, body = form_of(visit), typed_of(APPEAL_FIELDS), _body(message)
    side = {name: body.get(name) for name in ("match_id", "side", "referral_id")}
    try:
        send_appeal(visit, side, typed, form=form, **_answers(message))
    except MessageError as error:
        wrong, others = at_fields(error.problems, APPEAL_FIELDS)
        return _shown(visit, letter, message, refused=plain(error, others), typed=typed, wrong=wrong)
    return visit.back(f"/agency/letters/{quote(letter.message_id, safe='')}", APPEAL_SENT)

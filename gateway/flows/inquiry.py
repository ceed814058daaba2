"""协查 A court asks, before it decides, whether agencies help the person already; each answers of its own programmes.

1. ask: the agreement and the number are checked; each programme is routed by household registration and put to its
   office in one message an office (`inquiry.forwarded`), with no more of the person than tells who it is and the
   agreement's mask lets that agency see;
2. answer: ACTIVE, ENDED, NEVER or UNKNOWN with the day it is true of; UNKNOWN is not NEVER, and no answer is neither;
3. result: when everybody answered, or the time is over, the court gets `inquiry.result`, signed, per programme with the
   message that says so; what comes later gives it a new one.
One agency learns nothing of what another was asked or answered.
"""

import hmac
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from gateway.domain.agreement import AgreementProfile
from gateway.domain.calendar import china_day
from gateway.domain.deadlines import due, find_limit, load_limits
from gateway.domain.identifiers import IdType, check_identity
from gateway.domain.person import Person
from gateway.domain.reconciliation.findings import doubt
from gateway.domain.reconciliation.values import Finding
from gateway.domain.referral import Urgency
from gateway.domain.routing import OfficeIndex, Routed, next_step, place_for, route_step, steps_of
from gateway.envelope.signing import VerifiedMessage
from gateway.errors import AgreementUnknown, CalendarUnpublished, InquiryUnknown, RuleBlocked, SchemaInvalid
from gateway.flows import notice
from gateway.flows.context import Context
from gateway.flows.message_kind import AGENCIES, COURTS, MessageKind, Noted, Told
from gateway.flows.notice import Notice
from gateway.flows.reading import problem, read_body
from gateway.matching.identity import identity_key
from gateway.store import decisions, exchanges
from gateway.store import tables as t
from gateway.store.clock import to_ms
from gateway.store.exchanges import NOT_ANSWERED, KeptInquiry
from schemas.exchanges import INQUIRY, INQUIRY_ANSWER
from schemas.fields import format_moment

ASKED, FORWARDED, ANSWERED, RESULT = "inquiry.asked", "inquiry.forwarded", "inquiry.answered", "inquiry.result"
PURPOSE = "inquiry"
LOOK_BACK = timedelta(days=30)
_MASKS = {
    "name": "person.name",
    "id_type": "person.id",
    "id_number": "person.id",
    "sex": "person.sex",
    "birth_date": "person.birth_date",
    "household_registration_region": "person.region",
}
"""What an agency is told of the person, and the mask that must open it; never more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Inquiry:
    """协查, read. person: as the court wrote it."""

    context: Context
    message: VerifiedMessage
    inquiry_id: str
    case_number: str
    person: Mapping[str, Any]
    programmes: tuple[str, ...]
    legal_basis: str
    agreement_row: int
    profile: AgreementProfile
    person_key: str | None
    now: datetime

    @property
    def subject(self) -> str:
        """The inquiry is a matter of its own."""
        return self.inquiry_id


@dataclass(frozen=True, kw_only=True, slots=True)
class InquiryAnswer:
    """协查答复, read."""

    context: Context
    message: VerifiedMessage
    inquiry_id: str
    answers: tuple[Mapping[str, Any], ...]
    now: datetime

    @property
    def subject(self) -> str:
        """The inquiry."""
        return self.inquiry_id


def prepare(message: VerifiedMessage, context: Context, *, now: datetime) -> Inquiry:
    """Reads `inquiry.asked`. Raises SchemaInvalid, AgreementUnknown."""
    fields, ids = read_body(message, INQUIRY), {"message_id": message.envelope.id}
    found = context.snapshot(now).agreement_for(fields["agreement_document"])
    if found is None or not found[1].is_valid_on(china_day(now)) or not found[1].names(message.party_id):
        raise AgreementUnknown(problems=[problem("agreement_document", "unknown_code")], ids=ids)
    row, profile = found
    problems = list(_problems(fields, context, profile))
    if problems:
        raise SchemaInvalid(problems=problems, ids=ids)
    person = fields["person"]
    return Inquiry(
        context=context,
        message=message,
        inquiry_id=fields["inquiry_id"],
        case_number=fields["case_number"],
        person=person,
        programmes=tuple(fields["programmes"]),
        legal_basis=fields["legal_basis"],
        agreement_row=row,
        profile=profile,
        person_key=identity_key(
            person["id_type"], person.get("id_number"), secret=context.matching_secret, regions=context.regions
        )
        if profile.matching_authorised
        else None,
        now=now,
    )


def _problems(fields: Mapping[str, Any], context: Context, profile: AgreementProfile) -> Iterator[Any]:
    if not fields["programmes"]:
        yield problem("programmes", "required")
    for at, code in enumerate(fields["programmes"]):
        if code not in context.programmes:
            yield problem(f"programmes/{at}", "programme_unknown")
    person = fields["person"]
    number = person.get("id_number")
    if number is None:
        return
    verdict = check_identity(
        IdType(person["id_type"]), number, regions=context.regions, allow_synthetic=profile.allow_synthetic
    )
    if not verdict.is_acceptable:
        yield problem("person/id_number", verdict.errors[0] if verdict.errors else "id_unusable")


def record(connection: Connection, items: Sequence[Inquiry]) -> list[Noted | Exception]:
    """One outcome each; an inquiry id that was used, by whomever, is refused."""
    taken = set(exchanges.inquiries(connection, [item.inquiry_id for item in items]))
    outcomes: list[Noted | Exception] = []
    for item in items:
        if item.inquiry_id in taken:
            refused = [problem("inquiry_id", "repeated")]
            outcomes.append(RuleBlocked(problems=refused, ids={"message_id": item.message.envelope.id}))
            continue
        taken.add(item.inquiry_id)
        outcomes.append(_ask(connection, item))
    return outcomes


def _ask(connection: Connection, item: Inquiry) -> Noted:
    routes = {code: _route(item, code) for code in item.programmes}
    offices = item.context.snapshot(item.now).offices
    by_office: dict[str, list[str]] = {}
    for code, routed in routes.items():
        if isinstance(routed, Routed):
            by_office.setdefault(routed.office_id, []).append(code)
    due_at = _due_at(item)
    sent = notice.send(
        connection,
        item.context,
        [_forwarded(item, office_id, codes, due_at) for office_id, codes in by_office.items()],
        now=item.now,
    )
    forwarded = dict(zip(by_office, sent, strict=True))
    questions = [
        {
            "inquiry_id": item.inquiry_id,
            "programme": code,
            "agency": routed.agency if isinstance(routed, Routed) else None,
            "office_id": routed.office_id if isinstance(routed, Routed) else None,
            "party": offices[routed.office_id].party_id if isinstance(routed, Routed) else None,
            "unroutable": None if isinstance(routed, Routed) else routed,
            "forwarded_id": forwarded.get(routed.office_id) if isinstance(routed, Routed) else None,
        }
        for code, routed in routes.items()
    ]
    exchanges.put_inquiry(connection, _row(item) | {"due_at": to_ms(due_at)}, questions)
    if item.person_key is not None:
        decisions.put(
            connection,
            who=item.context.party_id,
            what="matching_used",
            subject=item.inquiry_id,
            why=f"P06 {item.profile.document} inquiry",
            now=item.now,
        )
    stuck = [at for at, code in enumerate(item.programmes) if not isinstance(routes[code], Routed)]
    return Noted(warnings=tuple(problem(f"programmes/{at}", "nobody_to_ask") for at in stuck))


def _route(item: Inquiry, code: str) -> Routed | str:
    context, programme = item.context, item.context.programmes[code]
    reachable = frozenset(context.adapters)
    place = place_for(
        Person(household_registration_region=item.person["household_registration_region"]),
        urgency=Urgency.NORMAL,
        place_of_event=None,
        regions=context.regions,
    )
    steps = steps_of(programme)
    # the agency that leads decides, so it knows whether the help is given
    leads = programme.lead_agency in reachable and programme.lead_agency in steps
    routed = route_step(
        programme,
        steps.index(programme.lead_agency) if leads else next_step(programme, None, reachable),
        place=place,
        profile=item.profile,
        regions=context.regions,
        offices=OfficeIndex(context.snapshot(item.now).offices.values()),
        agencies_with_adapter=reachable,
    )
    return routed if isinstance(routed, Routed) else routed.code.value


def _forwarded(item: Inquiry, office_id: str, codes: Sequence[str], due_at: datetime | None) -> Notice:
    office = item.context.snapshot(item.now).offices[office_id]
    allowed = item.profile.masks.get(office.agency, frozenset())
    person = {
        name: _plain(item.person[name]) for name, mask in _MASKS.items() if name in item.person and mask in allowed
    }
    return Notice(
        to=office,
        type=FORWARDED,
        subject=item.inquiry_id,
        effect=f"{item.inquiry_id}:{office_id}",
        data={"inquiry_id": item.inquiry_id, "person": person, "programmes": list(codes)},
        reply_by=due_at,
        purpose=PURPOSE,
        legal_basis=f"{item.legal_basis} {item.profile.document}",
    )


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value


def _due_at(item: Inquiry) -> datetime | None:
    limit = find_limit(
        (*item.profile.limits, *load_limits()), agency="", programme="", from_step=ASKED, to_step=ANSWERED
    )
    try:
        return (
            None
            if limit is None
            else due(limit, item.now, minor=_is_minor(item.person, item.now), calendar=item.context.calendar)
        )
    except CalendarUnpublished:
        return None


def _is_minor(person: Mapping[str, Any], now: datetime) -> bool:
    born = Person(id_type=person.get("id_type"), id_number=person.get("id_number"), birth_date=person.get("birth_date"))
    return born.is_minor_on(china_day(now))


def _row(item: Inquiry) -> dict[str, Any]:
    """What the court's message says."""
    return {
        "message_id": item.message.envelope.id,
        "inquiry_id": item.inquiry_id,
        "court": item.message.party_id,
        "agreement_row": item.agreement_row,
        "case_number": item.case_number,
        "region": item.person["household_registration_region"],
        "person_key": item.person_key,
        "is_minor": _is_minor(item.person, item.now),
        "asked_at": to_ms(item.now),
    }


def told(item: Inquiry) -> Iterator[Told]:
    """The inquiry's own columns; which version of the agreement it came under is not the court's word."""
    yield Told(table=t.inquiries, row={k: v for k, v in _row(item).items() if k != "agreement_row"})


def prepare_answer(message: VerifiedMessage, context: Context, *, now: datetime) -> InquiryAnswer:
    """Reads `inquiry.answered`. Raises SchemaInvalid, also for a day that is still to come."""
    fields, ids = read_body(message, INQUIRY_ANSWER), {"message_id": message.envelope.id}
    today = china_day(now)
    problems = [
        problem(f"answers/{at}/as_of", "day_in_future")
        for at, one in enumerate(fields["answers"])
        if one["as_of"] > today
    ]
    if message.envelope.in_reply_to is None:
        problems.append(problem("inquiry_id", "required"))
    if problems:
        raise SchemaInvalid(problems=problems, ids=ids)
    return InquiryAnswer(
        context=context, message=message, inquiry_id=fields["inquiry_id"], answers=tuple(fields["answers"]), now=now
    )


def record_answers(connection: Connection, items: Sequence[InquiryAnswer]) -> list[Noted | Exception]:
    """One outcome each; a stranger's inquiry and none at all get the same answer."""
    outcomes: list[Noted | Exception] = []
    for item in items:
        try:
            outcomes.append(_answer(connection, item))
        except (InquiryUnknown, SchemaInvalid) as refusal:
            outcomes.append(refusal)
    return outcomes


def _answer(connection: Connection, item: InquiryAnswer) -> Noted:
    ids, envelope, party = {"message_id": item.message.envelope.id}, item.message.envelope, item.message.party_id
    sent = exchanges.sent_notice(connection, party, envelope.in_reply_to or "")
    asked = exchanges.asked_by(connection, [envelope.in_reply_to or ""])
    kept = exchanges.inquiries(connection, [item.inquiry_id]).get(item.inquiry_id)
    if (
        sent is None
        or kept is None
        or asked.get(envelope.in_reply_to or "") != item.inquiry_id
        or not hmac.compare_digest(sent[0], envelope.in_reply_to_digest or "")
    ):
        raise InquiryUnknown(ids=ids)
    mine = {question.programme for question in kept.questions if question.party == party}
    strange = [
        problem(f"answers/{at}/programme", "not_asked")
        for at, one in enumerate(item.answers)
        if one["programme"] not in mine
    ]
    if strange:
        raise SchemaInvalid(problems=strange, ids=ids)
    exchanges.put_answers(connection, _answer_rows(item))
    now_there = exchanges.inquiries(connection, [item.inquiry_id])[item.inquiry_id]
    if now_there.is_answered or (now_there.due_at is not None and now_there.due_at < item.now):
        notice.send(connection, item.context, [_result(now_there, envelope.id)], now=item.now)
    return Noted()


def _answer_rows(item: InquiryAnswer) -> list[dict[str, Any]]:
    return [
        {
            "message_id": item.message.envelope.id,
            "party": item.message.party_id,
            "inquiry_id": item.inquiry_id,
            "programme": one["programme"],
            "answer": one["answer"],
            "as_of": one["as_of"].isoformat(),
            "since": one["since"].isoformat() if "since" in one else None,
            "until": one["until"].isoformat() if "until" in one else None,
            "amount_fen": one.get("amount_fen"),
            "at": to_ms(item.now),
        }
        for one in item.answers
    ]


def told_answer(item: InquiryAnswer) -> Iterator[Told]:
    """The whole rows."""
    yield from (Told(table=t.inquiry_answers, row=row) for row in _answer_rows(item))


def _result(kept: KeptInquiry, because: str) -> Notice:
    """What the court is told by now. because: the answer it follows, or `due`."""
    return Notice(
        to=kept.court,
        type=RESULT,
        subject=kept.inquiry_id,
        effect=f"{kept.inquiry_id}:{because}",
        data={
            "inquiry_id": kept.inquiry_id,
            "case_number": kept.case_number,
            "complete": kept.is_answered,
            "answers": [_answer_json(one) for one in kept.questions],
        },
    )


def _answer_json(question: exchanges.Question) -> dict[str, Any]:
    said = question.answered
    known: dict[str, Any] = {"programme": question.programme, "agency": question.agency, "reason": question.unroutable}
    if said is None:
        known["answer"] = NOT_ANSWERED
    else:
        known |= {
            "answer": said.answer,
            "as_of": said.as_of.isoformat(),
            "since": _plain(said.since),
            "until": _plain(said.until),
            "amount_fen": said.amount_fen,
            "message_id": said.message_id,
            "answered_at": format_moment(said.at),
        }
    return {name: value for name, value in known.items() if value is not None}


def tell_due(context: Context, *, now: datetime) -> int:
    """Courts whose inquiries' time is over get what there is; how many were told. Writes nothing when none is due."""
    with context.store.reading() as connection:
        due_now = exchanges.overdue(connection, now=now, since=now - LOOK_BACK)
        keys = {one: notice.effect_key(RESULT, f"{one}:due") for one in due_now}
        said = notice.said_before(connection, list(keys.values()))
        wanted = [one for one in due_now if keys[one] not in said]
    if not wanted:
        return 0

    def write(connection: Connection) -> int:
        kept = exchanges.inquiries(connection, wanted)
        notices = [_result(one, "due") for one in kept.values() if not one.is_answered]
        return sum(sent is not None for sent in notice.send(connection, context, notices, now=now))

    return context.store.write(write)


def unanswered(connection: Connection, _context: Context, as_of: datetime) -> Iterator[Finding]:
    """Questions whose time is over: one doubt an inquiry and office."""
    late: dict[tuple[str, str], tuple[KeptInquiry, list[str]]] = {}
    for kept, question in exchanges.unanswered(connection, as_of=as_of):
        late.setdefault((kept.inquiry_id, question.office_id or ""), (kept, []))[1].append(question.programme)
    for (inquiry_id, office_id), (kept, programmes) in sorted(late.items()):
        yield doubt(
            "MISS_INQUIRY_UNANSWERED",
            "L17",
            referral_id=None,
            subject=f"{inquiry_id}:{office_id}",
            must_act=office_id,
            court=kept.court,
            asked_at=kept.asked_at,
            due_at=kept.due_at,
            programmes=programmes,
        )


KINDS = (
    MessageKind(type=ASKED, senders=COURTS, prepare=prepare, record=record, told=told, tables=(t.inquiries,)),
    MessageKind(
        type=ANSWERED,
        senders=AGENCIES,
        prepare=prepare_answer,
        record=record_answers,
        told=told_answer,
        tables=(t.inquiry_answers,),
    ),
)

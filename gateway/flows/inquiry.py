"""协查 A court asks, before it decides, whether agencies help the person already; each answers of its own programmes.

1. the agreement, the notice (P01) and the number are checked; an agency named as such stands for what it leads;
2. each programme is routed by household registration and put to its office in one message an office
   (`inquiry.forwarded`), with no more of the person than tells who it is and the agreement's mask lets that agency see;
3. answers come by `inquiry_answer`, the court is told by `inquiry_result`; where nobody can be asked, at once.
One agency learns nothing of what another was asked or answered. A court that is in haste says so (`reply_by`); the
limit, after which an office is late, stays the agreement's.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from gateway.domain.agreement import AgreementProfile
from gateway.domain.calendar import china_day
from gateway.domain.deadlines import due, find_limit, load_limits
from gateway.domain.identifiers import IdType, check_identity
from gateway.domain.person import Person
from gateway.domain.referral import LegalBasis, Urgency
from gateway.domain.routing import OfficeIndex, Routed, next_step, place_for, route_step, steps_of
from gateway.envelope.signing import VerifiedMessage
from gateway.errors import AgreementUnknown, CalendarUnpublished, RuleBlocked, SchemaInvalid
from gateway.flows import inquiry_result, notice
from gateway.flows.context import Context
from gateway.flows.inquiry_answer import ANSWERED
from gateway.flows.message_kind import COURTS, MessageKind, Noted, Told
from gateway.flows.notice import Notice
from gateway.flows.reading import is_minor, plain, problem, read_body
from gateway.matching.identity import identity_key
from gateway.store import decisions, exchanges
from gateway.store import tables as t
from gateway.store.clock import to_ms
from schemas.exchanges import INQUIRY

ASKED, FORWARDED = "inquiry.asked", "inquiry.forwarded"
PURPOSE = "inquiry"
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
    """协查, read. person: as the court wrote it; wished: by when the court would like to know."""

    context: Context
    message: VerifiedMessage
    inquiry_id: str
    case_number: str
    person: Mapping[str, Any]
    programmes: tuple[str, ...]
    legal_basis: str
    wished: datetime | None
    agreement_row: int
    profile: AgreementProfile
    person_key: str | None
    now: datetime

    @property
    def subject(self) -> str:
        """The inquiry is a matter of its own."""
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
        programmes=_asked_for(fields, context),
        legal_basis=fields["legal_basis"],
        wished=fields.get("reply_by"),
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
    if not fields.get("programmes") and not fields.get("agencies"):
        yield problem("programmes", "required")
    for at, code in enumerate(fields.get("programmes", ())):
        if code not in context.programmes:
            yield problem(f"programmes/{at}", "programme_unknown")
    leading = {programme.lead_agency for programme in context.programmes.values()}
    for at, agency in enumerate(fields.get("agencies", ())):
        if agency not in leading:
            yield problem(f"agencies/{at}", "unknown_code")
    if "notice_given_at" not in fields and fields["legal_basis"] != LegalBasis.EMERGENCY:
        yield problem("notice_given_at", "notice_missing")
    person = fields["person"]
    number = person.get("id_number")
    if number is None:
        return
    verdict = check_identity(
        IdType(person["id_type"]), number, regions=context.regions, allow_synthetic=profile.allow_synthetic
    )
    if not verdict.is_acceptable:
        yield problem("person/id_number", verdict.errors[0] if verdict.errors else "id_unusable")


def _asked_for(fields: Mapping[str, Any], context: Context) -> tuple[str, ...]:
    """Each programme once: those named, then what the named agencies lead."""
    named = list(fields.get("programmes", ()))
    for agency in fields.get("agencies", ()):
        named += [code for code, programme in context.programmes.items() if programme.lead_agency == agency]
    return tuple(dict.fromkeys(named))


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
    # after a loss it may have been asked already, and the office gave our message back
    before = exchanges.stated_by(connection, [notice.effect_key(FORWARDED, _effect(item, one)) for one in by_office])
    forwarded = {
        office_id: message_id or before.get(notice.effect_key(FORWARDED, _effect(item, office_id)))
        for office_id, message_id in zip(by_office, sent, strict=True)
    }
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
    if not by_office:
        kept = exchanges.inquiries(connection, [item.inquiry_id])[item.inquiry_id]
        inquiry_result.tell(connection, item.context, kept, inquiry_result.NOBODY, now=item.now)
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
        name: plain(item.person[name]) for name, mask in _MASKS.items() if name in item.person and mask in allowed
    }
    return Notice(
        to=office,
        type=FORWARDED,
        subject=item.inquiry_id,
        effect=_effect(item, office_id),
        data={"inquiry_id": item.inquiry_id, "person": person, "programmes": list(codes)},
        reply_by=min((one for one in (item.wished, due_at) if one is not None), default=None),
        purpose=PURPOSE,
        legal_basis=f"{item.legal_basis} {item.profile.document}",
    )


def _effect(item: Inquiry, office_id: str) -> str:
    return f"{item.inquiry_id}:{office_id}"


def _due_at(item: Inquiry) -> datetime | None:
    limit = find_limit(
        (*item.profile.limits, *load_limits()), agency="", programme="", from_step=ASKED, to_step=ANSWERED
    )
    try:
        return (
            None
            if limit is None
            else due(limit, item.now, minor=is_minor(item.person, item.now), calendar=item.context.calendar)
        )
    except CalendarUnpublished:
        return None


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
        "is_minor": is_minor(item.person, item.now),
        "asked_at": to_ms(item.now),
    }


def told(item: Inquiry) -> Iterator[Told]:
    """The inquiry's own columns; which version of the agreement it came under is not the court's word."""
    yield Told(table=t.inquiries, row={k: v for k, v in _row(item).items() if k != "agreement_row"})


KINDS = (MessageKind(type=ASKED, senders=COURTS, prepare=prepare, record=record, told=told, tables=(t.inquiries,)),)

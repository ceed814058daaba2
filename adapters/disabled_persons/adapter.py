"""残联适配器 Handoffs as XML of our own design, checked against `xjdp-1.0.xsd`, and replies back in the common words.

Rules: what is not stated is left out; money is yuan as text with its currency; each need says whether the federation
reviews or decides (rule R07). Money of the court, the household, offence facts, the women's class and the protection
flags have no element on purpose (DOMAIN §4). The codes are `codes`, reading and checking is `document`.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from lxml import etree

from adapters.base import (
    TRUNCATED,
    LossNote,
    SheetReply,
    answered_need,
    load_shape,
    read_sheet_reply,
    refuse,
    require_same_handoff,
    stated_fen,
    word,
    yuan_of,
)
from adapters.disabled_persons.codes import DECIDE, TABLES, steps
from adapters.disabled_persons.document import is_writable, new_root, qualified, read_document, write_document
from adapters.disabled_persons.results import REPLY, reply_fields
from adapters.disabled_persons.sheet import COLUMNS, sheet_rows
from gateway.domain.handoff import Draft, Handoff, HandoffNeed, Outcome, SentHandoff
from gateway.domain.person import Disability, Guardian, Person
from gateway.domain.referral import Attachment, CaseContact, Survey
from schemas.fields import format_moment

LINE_MAX = 200
TEXT_MAX = 2000
LONG_TEXT_MAX = 20_000
REPLACEMENT = "\ufffd"
CURRENCY = "CNY"


class DisabledPersons:
    """残联. Stateless: one instance may serve any number of threads."""

    agency = "disabled_persons"
    version = "1.0"
    content_type = "application/xml"

    def translate(self, handoff: Handoff) -> Draft:
        """A `Handoff` document as text. ValueError for a handoff the XSD has no form for, such as an id with blanks."""
        note, person = LossNote(), handoff.person
        note.no_field(
            {
                "/case_type": handoff.case_type,
                "/decided_amount_fen": handoff.decided_amount_fen,
                "/paid_at": handoff.paid_at,
                "/ground_code": handoff.ground_code,
                "/verification_authorization": handoff.verification_authorization,
                "/custody": handoff.custody,
                "/person/ethnic_group": person.ethnic_group,
                "/person/household": person.household,
                "/person/women_class": person.women_class,
                "/person/protection_order": person.protection_order,
                "/person/safety_flag": person.safety_flag,
            }
        )
        root = new_root("Handoff", id=handoff.handoff_id, referral=handoff.referral_id)
        _HandoffWriter(note).write(root, handoff)
        return Draft(content_type=self.content_type, body=write_document(root), losses=note.losses)

    def interpret(self, body: Any, sent: SentHandoff) -> tuple[Outcome, ...]:
        """One outcome per `Result`, in their order."""
        reply = load_shape(REPLY, reply_fields(read_document(body, "HandoffReply")))
        require_same_handoff(sent, reply["handoff"], "/handoff")
        return tuple(_outcome(result, sent, f"/Result/{number}") for number, result in enumerate(reply["Result"]))

    def sheet_columns(self) -> Sequence[tuple[str, str]]:
        """Key and heading of each column."""
        return COLUMNS

    def sheet_rows(self, body: Any) -> Sequence[Mapping[str, str]]:
        """One row per `Need`."""
        return sheet_rows(read_document(body, "Handoff"))

    def sheet_reply(self, row: Mapping[str, str]) -> Any:
        """A `HandoffReply` document with one result."""
        reply = read_sheet_reply(row, agency=self.agency)
        _require_writable(row)
        root = new_root("HandoffReply", handoff=reply.handoff_id)
        about = {} if reply.need_id is None else {"need": reply.need_id}
        result = _child(root, "Result", code=TABLES.statuses.theirs(reply.code), **about)
        _write_result(result, reply)
        return write_document(root)


# --- out ---


class _HandoffWriter:
    """Puts the parts of a handoff in the XSD's order; notes every text it had to cut or mend."""

    def __init__(self, note: LossNote) -> None:
        self._note = note

    def write(self, root: etree._Element, handoff: Handoff) -> None:
        """Everything the format has an element for."""
        self._routing(root, handoff)
        self._beneficiary(_child(root, "Beneficiary"), handoff.person)
        if handoff.survey is not None:
            self._survey(_child(root, "Survey"), handoff.survey)
        if handoff.contact is not None:
            self._contact(_child(root, "Contact"), handoff.contact)
        for number, paper in enumerate(handoff.attachments):
            self._attachment(root, paper, f"/attachments/{number}")
        for number, need in enumerate(handoff.needs):
            self._need(root, need, f"/needs/{number}")

    def _routing(self, root: etree._Element, handoff: Handoff) -> None:
        self._text(root, "Agreement", handoff.agreement_document, "/agreement_document")
        _put(root, "Agency", handoff.agency)
        _put(root, "Office", handoff.office_id)
        _put(root, "Region", handoff.office_region)
        _put(root, "Court", handoff.court)
        _put(root, "Issued", format_moment(handoff.issued_at))
        _put(root, "ReplyBy", _moment(handoff.reply_by))
        _put(root, "Urgency", handoff.urgency.value)
        _put(root, "Minor", _flag(handoff.is_minor))
        _put(root, "NoPublicNotice", _flag(handoff.no_public_notice))
        _put(root, "LegalBasis", word(handoff.legal_basis))
        self._text(root, "CaseNumber", handoff.case_number, "/case_number")
        _put(root, "Decision", word(handoff.decision))

    def _beneficiary(self, parent: etree._Element, person: Person) -> None:
        self._text(parent, "Name", person.name, "/person/name")
        _put(parent, "IdentityKind", person.id_type)
        self._text(parent, "IdentityNumber", person.id_number, "/person/id_number")
        _put(parent, "Sex", person.sex)
        _put(parent, "BirthDate", _day(person.birth_date))
        self._text(parent, "Phone", person.phone, "/person/phone")
        _put(parent, "RegistrationRegion", person.household_registration_region)
        self._text(parent, "Residence", person.residence, "/person/residence", limit=TEXT_MAX)
        for group in sorted(group.value for group in person.specific_groups):
            _put(parent, "Group", group)
        if person.disability is not None:
            self._disability(_child(parent, "Disability"), person.disability)
        if person.guardian is not None:
            self._guardian(_child(parent, "Guardian"), person.guardian)

    def _disability(self, parent: etree._Element, disability: Disability) -> None:
        self._text(parent, "Certificate", disability.certificate, "/person/disability/certificate")
        _put(parent, "Kind", _number(disability.kind))
        _put(parent, "Grade", _number(disability.grade))

    def _guardian(self, parent: etree._Element, guardian: Guardian) -> None:
        self._text(parent, "Name", guardian.name, "/person/guardian/name")
        self._text(parent, "Relation", guardian.relation, "/person/guardian/relation", limit=32)
        _put(parent, "IdentityKind", guardian.id_type)
        self._text(parent, "IdentityNumber", guardian.id_number, "/person/guardian/id_number")
        self._text(parent, "Phone", guardian.phone, "/person/guardian/phone")

    def _survey(self, parent: etree._Element, survey: Survey) -> None:
        _put(parent, "Mode", survey.mode.value)
        _put(parent, "Date", _day(survey.date))
        for number, name in enumerate(survey.investigators):
            self._text(parent, "Investigator", name, f"/survey/investigators/{number}")
        self._text(parent, "Summary", survey.summary, "/survey/summary", limit=LONG_TEXT_MAX)

    def _contact(self, parent: etree._Element, contact: CaseContact) -> None:
        self._text(parent, "Name", contact.name, "/contact/name")
        self._text(parent, "Phone", contact.phone, "/contact/phone")

    def _attachment(self, root: etree._Element, paper: Attachment, pointer: str) -> None:
        media_type = self._carried(paper.media_type, f"{pointer}/media_type", LINE_MAX)
        _child(root, "Attachment", sha256=paper.sha256, mediaType=media_type, size=str(paper.size))

    def _need(self, root: etree._Element, need: HandoffNeed, pointer: str) -> None:
        parent = _child(root, "Need", id=need.need_id, step=steps().get(need.programme, DECIDE))
        _put(parent, "Programme", need.programme)
        self._text(parent, "Note", need.note, f"{pointer}/note", limit=LONG_TEXT_MAX)

    def _text(
        self, parent: etree._Element, tag: str, value: str | None, pointer: str, *, limit: int = LINE_MAX
    ) -> None:
        """A free text, as much of it as the element takes."""
        _put(parent, tag, value and self._carried(value, pointer, limit))

    def _carried(self, value: str, pointer: str, limit: int) -> str:
        kept = "".join(character if is_writable(character) else REPLACEMENT for character in value[:limit])
        if kept != value:
            self._note.add(pointer, TRUNCATED)
        return kept


def _child(parent: etree._Element, tag: str, **attributes: str) -> etree._Element:
    return etree.SubElement(parent, qualified(tag), attributes)


def _put(parent: etree._Element, tag: str, value: str | None, **attributes: str) -> None:
    """An element with a text; nothing for a value that is not stated."""
    if value:
        _child(parent, tag, **attributes).text = value


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else format_moment(moment)


def _number(number: int | None) -> str | None:
    return None if number is None else str(number)


# --- from the sheet ---


def _require_writable(cells: Mapping[str, str]) -> None:
    """SchemaInvalid for the first cell that holds a character XML cannot write."""
    for key, text in cells.items():
        if text and not all(map(is_writable, text)):
            raise refuse(f"/{key}", "control_character")


def _write_result(result: etree._Element, reply: SheetReply) -> None:
    _put(result, "At", format_moment(reply.at))
    _put(result, "Amount", None if reply.amount_fen is None else yuan_of(reply.amount_fen), currency=CURRENCY)
    _put(result, "Delivered", reply.service)
    _put(result, "From", _day(reply.starts_on))
    _put(result, "Until", _day(reply.ends_on))
    _put(result, "Reason", None if reply.reason is None else TABLES.reasons.theirs(reply.reason))
    _put(result, "Explanation", reply.text)
    _put(result, "NextDue", _day(reply.next_due))
    _put(result, "ForwardedTo", reply.forwarded_to)
    _put(result, "SuggestedAgency", reply.suggested_agency)
    _put(result, "SuggestedRegion", reply.suggested_region)
    _put_all(result, "Missing", reply.missing)
    _put(result, "Payee", None if reply.payee is None else TABLES.payees.theirs(reply.payee))
    _put(result, "Officer", reply.officer)


def _put_all(parent: etree._Element, tag: str, values: Iterable[str]) -> None:
    for value in values:
        _put(parent, tag, value)


# --- back ---


def _outcome(result: Mapping[str, Any], sent: SentHandoff, at: str) -> Outcome:
    need = answered_need(sent, result.get("need"), f"{at}/need")
    reason, text = result.get("Reason"), result.get("Explanation")
    judged = TABLES.judge(result["code"], reason, text, at=at, need_id=result.get("need"))
    return Outcome(
        code=judged.code,
        raw_code=judged.raw_code,
        reason=judged.reason,
        at=result["At"],
        need_id=None if need is None else need.need_id,
        programme=None if need is None else need.programme,
        amount_fen=stated_fen(result.get("Amount"), f"{at}/Amount"),
        service=result.get("Delivered"),
        starts_on=result.get("From"),
        ends_on=result.get("Until"),
        text=text,
        judicial_aid_counted=result.get("JudicialAidCounted"),
        next_due=result.get("NextDue"),
        forwarded_to=result.get("ForwardedTo"),
        suggested_agency=result.get("SuggestedAgency"),
        suggested_region=result.get("SuggestedRegion"),
        missing=tuple(result.get("Missing", ())),
        payee=TABLES.payee(result.get("Payee"), f"{at}/Payee"),
        person_id_number=result.get("PersonNumber"),
        officer=result.get("Officer"),
    )

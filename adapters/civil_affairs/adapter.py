"""民政适配器 Handoffs as JSON in civil affairs' own field names, and its replies back in the common vocabulary.

Rules: what is not stated is left out; `abax6002` is sent only where it is certain; money is yuan as text; a benefit
runs from the first day of its first month to the last day of its last. Offence facts, the women's class and the
protection flags have no field on purpose (DOMAIN §4). The shapes are `schemas.civil_affairs`, the codes `codes`.
"""

from calendar import monthrange
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from adapters.base import (
    CODE_COARSENED,
    LossNote,
    answered_need,
    is_stated,
    joined,
    load_shape,
    programme_name,
    read_sheet_reply,
    require_same_handoff,
    stated_fen,
    word,
    yes_no,
    yuan_of,
)
from adapters.civil_affairs.codes import NO_CODES, TABLES, benefit_codes
from gateway.domain.calendar import due_text
from gateway.domain.handoff import Draft, Handoff, HandoffNeed, Outcome, SentHandoff
from gateway.domain.person import Disability, Guardian, HouseholdMember, Person
from gateway.domain.regions import load_regions
from schemas.civil_affairs import REPLY
from schemas.fields import format_moment

RELATION_SELF = "01"

COLUMNS = (
    ("handoff_id", "转办编号 Handoff"),
    ("need_id", "需求编号 Need"),
    ("programme", "救助项目 Programme"),
    ("benefit_code", "民政救助类别 Benefit code"),
    ("urgency", "紧急程度 Urgency"),
    ("reply_by", "反馈期限 Reply by"),
    ("name", "姓名 Name"),
    ("id_number", "证件号码 Identity number"),
    ("phone", "电话 Phone"),
    ("registration", "户籍地 Registered at"),
    ("residence", "居住地 Residence"),
    ("household_size", "家庭人口 Household size"),
    ("minor", "未成年人 Minor"),
    ("no_public_notice", "不予公示 No public notice"),
    ("guardian", "监护人 Guardian"),
    ("judicial_aid", "司法救助金(元) Judicial aid (yuan)"),
    ("need_note", "救助事由 Reason"),
    ("survey", "法院调查情况 Court's survey"),
    ("court_contact", "法院联系人 Contact at the court"),
)


class CivilAffairs:
    """民政. Stateless: one instance may serve any number of threads."""

    agency = "civil_affairs"
    version = "1.0"
    content_type = "application/json"

    def translate(self, handoff: Handoff) -> Draft:
        """A JSON object of `schemas.civil_affairs.HandoffSchema`."""
        person, note = handoff.person, LossNote()
        note.no_field(
            {
                "/case_type": handoff.case_type,
                "/ground_code": handoff.ground_code,
                "/person/women_class": person.women_class,
                "/person/protection_order": person.protection_order,
                "/person/safety_flag": person.safety_flag,
            }
        )
        body = _stated(
            {
                **_routing(handoff),
                **_case(handoff),
                **_head(person),
                "xj_person": _person(person),
                "xj_disability": _disability(person.disability),
                "xj_guardian": _guardian(person.guardian),
                "xj_household": [_member(member) for member in person.household],
                **_papers(handoff),
                "xj_items": [_item(need, number, note) for number, need in enumerate(handoff.needs)],
            }
        )
        return Draft(content_type=self.content_type, body=body, losses=note.losses)

    def interpret(self, body: Any, sent: SentHandoff) -> tuple[Outcome, ...]:
        """One outcome per entry of `xj_results`, in their order."""
        reply = load_shape(REPLY, body)
        require_same_handoff(sent, reply["xj_handoff"], "/xj_handoff")
        return tuple(
            _outcome(result, sent, f"/xj_results/{number}") for number, result in enumerate(reply["xj_results"])
        )

    def sheet_columns(self) -> Sequence[tuple[str, str]]:
        """Key and heading of each column."""
        return COLUMNS

    def sheet_rows(self, body: Any) -> Sequence[Mapping[str, str]]:
        """One row per entry of `xj_items`."""
        common = _common_cells(body)
        return [
            {
                "handoff_id": body["xj_handoff"],
                "need_id": item["xj_need"],
                "programme": programme_name(item["xj_programme"]),
                "benefit_code": item.get("abax6002") or " / ".join(item.get("xj_candidates", ())),
                "need_note": item.get("abaf0005", ""),
                **common,
            }
            for item in body["xj_items"]
        ]

    def sheet_reply(self, row: Mapping[str, str]) -> Any:
        """A reply with one entry; days become the months they lie in, as benefits here run by whole months."""
        reply = read_sheet_reply(row, agency=self.agency)
        result = {
            "xj_need": reply.need_id,
            "xj_status": TABLES.statuses.theirs(reply.code),
            "xj_at": format_moment(reply.at),
            "abaf0028": _month(reply.starts_on),
            "abaf0029": _month(reply.ends_on),
            "xj_amount": None if reply.amount_fen is None else yuan_of(reply.amount_fen),
            "xj_service": reply.service,
            "xj_reason": None if reply.reason is None else TABLES.reasons.theirs(reply.reason),
            "xj_reason_text": reply.text,
            "xj_next_due": _day(reply.next_due),
            "xj_forwarded_to": reply.forwarded_to,
            "xj_suggest_agency": reply.suggested_agency,
            "xj_suggest_region": reply.suggested_region,
            "xj_missing": list(reply.missing),
            "xj_payee": None if reply.payee is None else TABLES.payees.theirs(reply.payee),
            "xj_officer": reply.officer,
        }
        return {"xj_handoff": reply.handoff_id, "xj_results": [_stated(result)]}


# --- out ---


def _stated(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Only the fields that hold something; an empty object or list is left out too."""
    return {name: value for name, value in fields.items() if is_stated(value) and value not in ({}, [])}


def _routing(handoff: Handoff) -> dict[str, Any]:
    return {
        "xj_handoff": handoff.handoff_id,
        "xj_referral": handoff.referral_id,
        "xj_document": handoff.agreement_document,
        "xj_agency": handoff.agency,
        "xj_office": handoff.office_id,
        "abax9999": handoff.office_region,
        "xj_court": handoff.court,
        "xj_issued": format_moment(handoff.issued_at),
        "xj_reply_by": _moment(handoff.reply_by),
        "xj_urgency": handoff.urgency.value,
        "xj_minor": handoff.is_minor,
        "xj_no_public_notice": handoff.no_public_notice,
        "xj_legal_basis": word(handoff.legal_basis),
    }


def _case(handoff: Handoff) -> dict[str, Any]:
    decided = handoff.decided_amount_fen
    return {
        "xj_case_number": handoff.case_number,
        "xj_decision": word(handoff.decision),
        "xj_judicial_aid": None if decided is None else yuan_of(decided),
        "xj_judicial_aid_paid": _day(handoff.paid_at),
        "xj_custody": handoff.custody,
    }


def _head(person: Person) -> dict[str, Any]:
    """The beneficiary stands where the system expects the head, and relations are told to the beneficiary."""
    return {
        "axdf0002": person.name,
        "axdf0004": person.id_number,
        "axdf0005": _household_size(person.household),
        "abaf0004": _registration_address(person.household_registration_region),
    }


def _household_size(household: Sequence[HouseholdMember]) -> int | None:
    """Everyone, the beneficiary included; None when no household was stated."""
    if not household:
        return None
    return len(household) + all(member.relation != RELATION_SELF for member in household)


def _registration_address(region: str | None) -> str | None:
    """The region's names from the province down; None where the county is not in the list."""
    if region is None:
        return None
    county, prefecture, province = load_regions().ancestors(region)
    if county is None or prefecture is None or province is None:
        return None
    return province.name_zh + prefecture.name_zh + county.name_zh


def _person(person: Person) -> dict[str, Any]:
    return _stated(
        {
            "xj_id_type": person.id_type,
            "xj_sex": person.sex,
            "xj_birth": _day(person.birth_date),
            "xj_phone": person.phone,
            "xj_ethnic_group": person.ethnic_group,
            "xj_registration_region": person.household_registration_region,
            "xj_residence": person.residence,
            "xj_groups": sorted(group.value for group in person.specific_groups),
        }
    )


def _disability(disability: Disability | None) -> dict[str, Any]:
    if disability is None:
        return {}
    return _stated({"xj_certificate": disability.certificate, "xj_kind": disability.kind, "xj_grade": disability.grade})


def _guardian(guardian: Guardian | None) -> dict[str, Any]:
    if guardian is None:
        return {}
    return _stated(
        {
            "xj_name": guardian.name,
            "xj_relation": guardian.relation,
            "xj_id_type": guardian.id_type,
            "xj_id_number": guardian.id_number,
            "xj_phone": guardian.phone,
        }
    )


def _member(member: HouseholdMember) -> dict[str, Any]:
    return _stated(
        {
            "xj_name": member.name,
            "xj_relation": member.relation,
            "xj_id_type": member.id_type,
            "xj_id_number": member.id_number,
            "xj_birth": _day(member.birth_date),
        }
    )


def _papers(handoff: Handoff) -> dict[str, Any]:
    """Survey, authorization, contact and attachments."""
    survey, leave, contact = handoff.survey, handoff.verification_authorization, handoff.contact
    return {
        "xj_survey": survey
        and _stated(
            {
                "xj_mode": survey.mode.value,
                "xj_date": _day(survey.date),
                "xj_investigators": list(survey.investigators),
                "xj_summary": survey.summary,
            }
        ),
        "xj_authorization": leave
        and {"xj_ref": leave.ref, "xj_signed": _day(leave.signed_at), "xj_scope": leave.scope},
        "xj_contact": contact and {"xj_name": contact.name, "xj_phone": contact.phone},
        "xj_attachments": [
            {"xj_sha256": paper.sha256, "xj_media_type": paper.media_type, "xj_size": paper.size}
            for paper in handoff.attachments
        ],
    }


def _item(need: HandoffNeed, number: int, note: LossNote) -> dict[str, Any]:
    """The programme in our word, and in theirs as far as it is certain."""
    benefit = benefit_codes().get(need.programme, NO_CODES)
    if not benefit.is_exact:
        note.add(f"/needs/{number}/programme", CODE_COARSENED)
    return _stated(
        {
            "xj_need": need.need_id,
            "xj_programme": need.programme,
            "abax6002": benefit.certain,
            "xj_candidates": [] if benefit.certain else list(benefit.codes),
            "abaf0005": need.note,
        }
    )


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else format_moment(moment)


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _month(day: date | None) -> str | None:
    return None if day is None else f"{day.year:04d}{day.month:02d}"


# --- the sheet ---


def _common_cells(body: Mapping[str, Any]) -> dict[str, str]:
    """The cells every need of a handoff has alike."""
    person, guardian = body.get("xj_person", {}), body.get("xj_guardian", {})
    contact, survey = body.get("xj_contact", {}), body.get("xj_survey", {})
    reply_by = body.get("xj_reply_by")
    return {
        "urgency": body["xj_urgency"],
        "reply_by": due_text(datetime.fromisoformat(reply_by) if reply_by else None),
        "name": body.get("axdf0002", ""),
        "id_number": body.get("axdf0004", ""),
        "phone": person.get("xj_phone", ""),
        "registration": body.get("abaf0004") or person.get("xj_registration_region", ""),
        "residence": person.get("xj_residence", ""),
        "household_size": str(body.get("axdf0005", "")),
        "minor": yes_no(body["xj_minor"]),
        "no_public_notice": yes_no(body["xj_no_public_notice"]),
        "guardian": joined(guardian.get("xj_name"), guardian.get("xj_phone")),
        "judicial_aid": body.get("xj_judicial_aid", ""),
        "survey": survey.get("xj_summary", ""),
        "court_contact": joined(contact.get("xj_name"), contact.get("xj_phone")),
    }


# --- back ---


def _outcome(result: Mapping[str, Any], sent: SentHandoff, at: str) -> Outcome:
    need = answered_need(sent, result.get("xj_need"), f"{at}/xj_need")
    reason, text = result.get("xj_reason"), result.get("xj_reason_text")
    judged = TABLES.judge(result["xj_status"], reason, text, at=at, need_id=result.get("xj_need"))
    return Outcome(
        code=judged.code,
        raw_code=judged.raw_code,
        reason=judged.reason,
        at=result["xj_at"],
        need_id=None if need is None else need.need_id,
        programme=None if need is None else need.programme,
        amount_fen=stated_fen(result.get("xj_amount"), f"{at}/xj_amount"),
        service=result.get("xj_service"),
        starts_on=_first_day(result.get("abaf0028")),
        ends_on=_last_day(result.get("abaf0029")),
        text=text,
        judicial_aid_counted=result.get("xj_income_counted"),
        next_due=result.get("xj_next_due"),
        forwarded_to=result.get("xj_forwarded_to"),
        suggested_agency=result.get("xj_suggest_agency"),
        suggested_region=result.get("xj_suggest_region"),
        missing=tuple(result.get("xj_missing", ())),
        payee=TABLES.payee(result.get("xj_payee"), f"{at}/xj_payee"),
        person_id_number=result.get("axdf0004"),
        officer=result.get("xj_officer"),
    )


def _first_day(month: str | None) -> date | None:
    return None if month is None else date(int(month[:4]), int(month[4:]), 1)


def _last_day(month: str | None) -> date | None:
    if month is None:
        return None
    year, number = int(month[:4]), int(month[4:])
    return date(year, number, monthrange(year, number)[1])

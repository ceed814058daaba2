"""妇联适配器 Handoffs as one flat JSON object in a clerk's own Chinese words, and the answers back in the common ones.

Rules: what is not stated is left out; who she is, her class (W1–W7), the protection order and the safety flag travel.
Illness, disability, means, money, the household and the case have no field on purpose (DOMAIN §4), nor has the survey's
summary, because its free text speaks of all of them. On the sheet, which is printed and passed around, a raised safety
flag hides address and telephone numbers. The shapes are `schemas.womens_federation`, the words `codes`.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from marshmallow import ValidationError

from adapters.base import (
    CODE_COARSENED,
    LossNote,
    SheetReply,
    answered_need,
    is_stated,
    joined,
    programme_name,
    read_sheet_reply,
    require_same_handoff,
    stated_fen,
    word,
    yes_no,
    yuan_of,
)
from adapters.womens_federation.codes import (
    GROUPS,
    ID_TYPES,
    LEGAL_BASES,
    SEXES,
    SURVEY_MODES,
    TABLES,
    URGENCIES,
    WOMEN_CLASSES,
    programme_names,
)
from gateway.domain.calendar import CHINA, due_text
from gateway.domain.handoff import Draft, Handoff, HandoffNeed, Outcome, SentHandoff
from gateway.domain.person import Guardian, Person
from gateway.errors import FieldProblem, SchemaInvalid
from schemas.womens_federation import REPLY, flatten_chinese

YES = yes_no(True)
HIDDEN = "（安全保护：请与法院联系人联系）"
"""Stands on the sheet where address and telephone numbers would."""

COLUMNS = (
    ("handoff_id", "转办编号 Handoff"),
    ("need_id", "事项编号 Need"),
    ("programme", "救助项目 Programme"),
    ("need_note", "事项说明 Note"),
    ("urgency", "紧急程度 Urgency"),
    ("reply_by", "反馈期限 Reply by"),
    ("safety", "安全保护 Safety"),
    ("protection_order", "人身安全保护令 Protection order"),
    ("women_class", "困难妇女类别 Class"),
    ("name", "姓名 Name"),
    ("id_type", "证件种类 Kind of document"),
    ("id_number", "证件号码 Identity number"),
    ("birth_date", "出生日期 Birth date"),
    ("phone", "联系电话 Phone"),
    ("registration", "户籍地区 Registered at"),
    ("residence", "居住地址 Residence"),
    ("guardian", "监护人 Guardian"),
    ("minor", "未成年人 Minor"),
    ("no_public_notice", "不得公示 No public notice"),
    ("survey", "法院调查 Court's survey"),
    ("court_contact", "法院联系人 Contact at the court"),
)


class WomensFederation:
    """妇联. Stateless: one instance may serve any number of threads."""

    agency = "womens_federation"
    version = "1.0"
    content_type = "application/json"

    def translate(self, handoff: Handoff) -> Draft:
        """A JSON object of `schemas.womens_federation.HandoffSchema`."""
        note, person = LossNote(), handoff.person
        note.no_field(_not_carried(handoff))
        if any(group not in GROUPS for group in person.specific_groups):
            note.add("/person/specific_groups", CODE_COARSENED)
        body = _stated(
            {
                **_routing(handoff),
                **_person(person),
                **_guardian(person.guardian),
                **_court(handoff),
                "事项": [_item(need) for need in handoff.needs],
            }
        )
        return Draft(content_type=self.content_type, body=body, losses=note.losses)

    def interpret(self, body: Any, sent: SentHandoff) -> tuple[Outcome, ...]:
        """One outcome per entry of 反馈, in their order."""
        reply = _read(body)
        require_same_handoff(sent, reply["handoff_id"], "/转办编号")
        return tuple(_outcome(answer, sent, f"/反馈/{number}") for number, answer in enumerate(reply["answers"]))

    def sheet_columns(self) -> Sequence[tuple[str, str]]:
        """Key and heading of each column."""
        return COLUMNS

    def sheet_rows(self, body: Any) -> Sequence[Mapping[str, str]]:
        """One row per entry of 事项."""
        common = _common_cells(body)
        return [
            {
                "handoff_id": body["转办编号"],
                "need_id": item["事项编号"],
                "programme": programme_name(item["项目代码"]),
                "need_note": item.get("事项说明", ""),
                **common,
            }
            for item in body["事项"]
        ]

    def sheet_reply(self, row: Mapping[str, str]) -> Any:
        """A reply with one answer."""
        reply = read_sheet_reply(row, agency=self.agency)
        return {"转办编号": reply.handoff_id, "反馈": [_answer(reply)]}


# --- out ---


def _stated(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Only the fields that hold something; an empty list is left out too."""
    return {name: value for name, value in fields.items() if is_stated(value) and value != []}


def _not_carried(handoff: Handoff) -> dict[str, object]:
    person, survey = handoff.person, handoff.survey
    return {
        "/case_number": handoff.case_number,
        "/case_type": handoff.case_type,
        "/decision": handoff.decision,
        "/decided_amount_fen": handoff.decided_amount_fen,
        "/paid_at": handoff.paid_at,
        "/ground_code": handoff.ground_code,
        "/survey/summary": None if survey is None else survey.summary,
        "/verification_authorization": handoff.verification_authorization,
        "/custody": handoff.custody,
        "/attachments": handoff.attachments,
        "/person/ethnic_group": person.ethnic_group,
        "/person/household": person.household,
        "/person/disability": person.disability,
    }


def _routing(handoff: Handoff) -> dict[str, Any]:
    return {
        "转办编号": handoff.handoff_id,
        "移送编号": handoff.referral_id,
        "会签文件": handoff.agreement_document,
        "承办部门": handoff.agency,
        "承办单位": handoff.office_id,
        "承办地区": handoff.office_region,
        "移送法院": handoff.court,
        "转办时间": _moment(handoff.issued_at),
        "反馈期限": _moment(handoff.reply_by),
        "紧急程度": URGENCIES[handoff.urgency],
        "处理依据": None if handoff.legal_basis is None else LEGAL_BASES[handoff.legal_basis],
        "未成年人": yes_no(handoff.is_minor),
        "不得公示": yes_no(handoff.no_public_notice),
    }


def _person(person: Person) -> dict[str, Any]:
    return {
        "姓名": person.name,
        "证件种类": person.id_type,
        "证件号码": person.id_number,
        "性别": None if person.sex is None else SEXES[person.sex],
        "出生日期": _day(person.birth_date),
        "联系电话": person.phone,
        "户籍地区": person.household_registration_region,
        "居住地址": person.residence,
        "特定群体": [zh for group, zh in GROUPS.items() if group in person.specific_groups],
        "困难妇女类别": word(person.women_class),
        "人身安全保护令": _yes_no(person.protection_order),
        "安全保护": _yes_no(person.safety_flag),
    }


def _guardian(guardian: Guardian | None) -> dict[str, Any]:
    if guardian is None:
        return {}
    return {
        "监护人姓名": guardian.name,
        "监护人关系": guardian.relation,
        "监护人证件种类": guardian.id_type,
        "监护人证件号码": guardian.id_number,
        "监护人电话": guardian.phone,
    }


def _court(handoff: Handoff) -> dict[str, Any]:
    """What the court found out and whom to ask there."""
    survey, contact = handoff.survey, handoff.contact
    found = (
        {}
        if survey is None
        else {
            "调查方式": SURVEY_MODES[survey.mode],
            "调查日期": _day(survey.date),
            "调查人": list(survey.investigators),
        }
    )
    asked = {} if contact is None else {"法院联系人": contact.name, "法院联系电话": contact.phone}
    return {**found, **asked}


def _item(need: HandoffNeed) -> dict[str, Any]:
    return _stated(
        {
            "事项编号": need.need_id,
            "项目代码": need.programme,
            "项目名称": programme_names().get(need.programme),
            "事项说明": need.note,
        }
    )


def _yes_no(flag: bool | None) -> str | None:
    return None if flag is None else yes_no(flag)


def _moment(moment: datetime | None) -> str | None:
    """China time with its offset, which a clerk can read as it stands."""
    return None if moment is None else moment.astimezone(CHINA).isoformat(timespec="milliseconds")


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


# --- the sheet ---


def _common_cells(body: Mapping[str, Any]) -> dict[str, str]:
    """The cells every need of a handoff has alike."""
    reply_by = body.get("反馈期限")
    women_class = body.get("困难妇女类别", "")
    return {
        "urgency": body["紧急程度"],
        "reply_by": due_text(datetime.fromisoformat(reply_by) if reply_by else None),
        "safety": body.get("安全保护", ""),
        "protection_order": body.get("人身安全保护令", ""),
        "women_class": joined(women_class, WOMEN_CLASSES.get(women_class)),
        "name": body.get("姓名", ""),
        "id_type": joined(body.get("证件种类"), ID_TYPES.get(body.get("证件种类", ""))),
        "id_number": body.get("证件号码", ""),
        "birth_date": body.get("出生日期", ""),
        "registration": body.get("户籍地区", ""),
        **_whereabouts(body),
        "minor": body["未成年人"],
        "no_public_notice": body["不得公示"],
        "survey": joined(body.get("调查方式"), body.get("调查日期"), "、".join(body.get("调查人", ()))),
        "court_contact": joined(body.get("法院联系人"), body.get("法院联系电话")),
    }


def _whereabouts(body: Mapping[str, Any]) -> dict[str, str]:
    """How she can be found: a sheet lies open on desks, so with the safety flag it does not say."""
    name = body.get("监护人姓名")
    if body.get("安全保护") == YES:
        return {"phone": HIDDEN, "residence": HIDDEN, "guardian": joined(name)}
    return {
        "phone": body.get("联系电话", ""),
        "residence": body.get("居住地址", ""),
        "guardian": joined(name, body.get("监护人电话")),
    }


def _answer(reply: SheetReply) -> dict[str, Any]:
    return _stated(
        {
            "事项编号": reply.need_id,
            "办理结果": TABLES.statuses.theirs(reply.code),
            "办理时间": _moment(reply.at),
            "金额": None if reply.amount_fen is None else yuan_of(reply.amount_fen),
            "起始日期": _day(reply.starts_on),
            "截止日期": _day(reply.ends_on),
            "服务内容": reply.service,
            "不予理由": None if reply.reason is None else TABLES.reasons.theirs(reply.reason),
            "书面说明": reply.text,
            "下次反馈": _day(reply.next_due),
            "转往单位": reply.forwarded_to,
            "建议部门": reply.suggested_agency,
            "建议地区": reply.suggested_region,
            "需补材料": list(reply.missing),
            "领款人": None if reply.payee is None else TABLES.payees.theirs(reply.payee),
            "经办人": reply.officer,
        }
    )


# --- back ---


def _read(body: Any) -> dict[str, Any]:
    """The reply; SchemaInvalid whose pointers use the format's Chinese names."""
    try:
        reply: dict[str, Any] = REPLY.load(body)
    except ValidationError as error:
        found = flatten_chinese(error.messages)
        raise SchemaInvalid(problems=[FieldProblem(pointer=at, code=code) for at, code in found]) from error
    return reply


def _outcome(answer: Mapping[str, Any], sent: SentHandoff, at: str) -> Outcome:
    need = answered_need(sent, answer.get("need_id"), f"{at}/事项编号")
    reason, text = answer.get("reason"), answer.get("text")
    judged = TABLES.judge(answer["result"], reason, text, at=at, need_id=answer.get("need_id"))
    return Outcome(
        code=judged.code,
        raw_code=judged.raw_code,
        reason=judged.reason,
        at=answer["at"],
        need_id=None if need is None else need.need_id,
        programme=None if need is None else need.programme,
        amount_fen=stated_fen(answer.get("amount"), f"{at}/金额"),
        service=answer.get("service"),
        starts_on=answer.get("starts_on"),
        ends_on=answer.get("ends_on"),
        text=text,
        next_due=answer.get("next_due"),
        forwarded_to=answer.get("forwarded_to"),
        suggested_agency=answer.get("suggested_agency"),
        suggested_region=answer.get("suggested_region"),
        missing=tuple(answer.get("missing", ())),
        payee=TABLES.payee(answer.get("payee"), f"{at}/领款人"),
        person_id_number=answer.get("id_number"),
        officer=answer.get("officer"),
    )

"""残联转办表 A handoff document as rows for the offices that work in a sheet: one row per need, codes in words."""

from collections.abc import Mapping
from datetime import datetime

from lxml import etree

from adapters.base import joined, programme_name, yes_no
from adapters.disabled_persons.codes import DISABILITY_GRADES, DISABILITY_KINDS, SEXES, STEPS
from adapters.disabled_persons.document import qualified
from gateway.domain.calendar import due_text

COLUMNS = (
    ("handoff_id", "转办编号 Handoff"),
    ("need_id", "需求编号 Need"),
    ("programme", "救助项目 Programme"),
    ("step", "残联职责 Review or decide"),
    ("urgency", "紧急程度 Urgency"),
    ("reply_by", "反馈期限 Reply by"),
    ("name", "姓名 Name"),
    ("id_number", "证件号码 Identity number"),
    ("sex", "性别 Sex"),
    ("birth_date", "出生日期 Birth date"),
    ("phone", "电话 Phone"),
    ("registration", "户籍地 Registered at"),
    ("residence", "居住地 Residence"),
    ("certificate", "残疾人证号 Disability certificate"),
    ("disability", "残疾类别和等级 Kind and grade"),
    ("minor", "未成年人 Minor"),
    ("no_public_notice", "不予公示 No public notice"),
    ("guardian", "监护人 Guardian"),
    ("need_note", "需求说明 Need in words"),
    ("survey", "法院调查情况 Court's survey"),
    ("court_contact", "法院联系人 Contact at the court"),
)


def sheet_rows(handoff: etree._Element) -> list[Mapping[str, str]]:
    """One row per `Need` of a valid document, keyed by `COLUMNS`."""
    common = _handoff_cells(handoff) | _person_cells(handoff)
    return [
        {
            "handoff_id": handoff.get("id", ""),
            "need_id": need.get("id", ""),
            "programme": programme_name(_text(need, "Programme")),
            "step": STEPS[need.get("step", "")],
            "need_note": _text(need, "Note"),
            **common,
        }
        for need in handoff.iterfind(qualified("Need"))
    ]


def _handoff_cells(handoff: etree._Element) -> dict[str, str]:
    reply_by = _text(handoff, "ReplyBy")
    return {
        "urgency": _text(handoff, "Urgency"),
        "reply_by": due_text(datetime.fromisoformat(reply_by) if reply_by else None),
        "minor": yes_no(_text(handoff, "Minor") == "true"),
        "no_public_notice": yes_no(_text(handoff, "NoPublicNotice") == "true"),
        "survey": _text(handoff, "Survey", "Summary"),
        "court_contact": joined(_text(handoff, "Contact", "Name"), _text(handoff, "Contact", "Phone")),
    }


def _person_cells(handoff: etree._Element) -> dict[str, str]:
    def of(*tags: str) -> str:
        return _text(handoff, "Beneficiary", *tags)

    kind = DISABILITY_KINDS.get(of("Disability", "Kind"))
    return {
        "name": of("Name"),
        "id_number": of("IdentityNumber"),
        "sex": SEXES.get(of("Sex"), ""),
        "birth_date": of("BirthDate"),
        "phone": of("Phone"),
        "registration": of("RegistrationRegion"),
        "residence": of("Residence"),
        "certificate": of("Disability", "Certificate"),
        "disability": joined(kind, DISABILITY_GRADES.get(of("Disability", "Grade"))),
        "guardian": joined(of("Guardian", "Name"), of("Guardian", "Phone")),
    }


def _text(element: etree._Element, *tags: str) -> str:
    """The text at the end of a path of tags; empty where there is none."""
    found = element.findtext("/".join(qualified(tag) for tag in tags))
    return found or ""

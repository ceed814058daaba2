"""部门格式 The agencies' own formats as a partner's engineer would write them: a handoff read, a reply written.

Written from the published shapes alone (`schemas.civil_affairs`, `schemas.womens_federation`, `xjdp-1.0.xsd`), without
the gateway's adapters, so that the two check each other. Only what the simulator needs is read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol

from lxml import etree

from gateway.domain.replies import DenialReason, ReplyCode
from gateway.errors import MalformedXml, SchemaInvalid
from schemas.fields import format_moment

REVIEW = "REVIEW"


@dataclass(frozen=True, kw_only=True, slots=True)
class AskedNeed:
    """One need as an office was asked. review_only: another organ decides after this one (rule R07)."""

    need_id: str
    programme: str
    review_only: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class AskedHandoff:
    """What the simulator remembers of a handoff. person_number: echoed in replies so that it can be compared."""

    handoff_id: str
    needs: tuple[AskedNeed, ...]
    person_number: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class OfficeAnswer:
    """One answer before it is written. raw_code stands in the code's place where it is given. Amounts in fen."""

    need: AskedNeed
    code: ReplyCode
    at: datetime
    raw_code: str | None = None
    amount_fen: int | None = None
    first_month: date | None = None
    last_month: date | None = None
    service: str | None = None
    reason: DenialReason | None = None
    text: str | None = None
    next_due: date | None = None
    forwarded_to: str | None = None
    person_number: str | None = None
    suggested_region: str | None = None
    missing: tuple[str, ...] = ()


class AgencyFormat(Protocol):
    """部门格式 of one agency."""

    content_type: str
    unknown_code: str
    """A code that no table has."""

    def read(self, body: Any) -> AskedHandoff:
        """Raises SchemaInvalid or MalformedXml for what is no handoff."""
        ...

    def write(self, asked: AskedHandoff, answers: Sequence[OfficeAnswer]) -> Any:
        """The body of a reply."""
        ...


class CivilAffairsFormat:
    """民政: JSON; money is yuan as text, months `yyyymm`."""

    content_type = "application/json"
    unknown_code = "77"

    _CODES: Mapping[ReplyCode, str] = {
        ReplyCode.ACCEPTED: "10",
        ReplyCode.FORWARDED: "14",
        ReplyCode.APPROVED: "30",
        ReplyCode.DENIED: "31",
        ReplyCode.PAID: "40",
        ReplyCode.SERVICE_DELIVERED: "42",
        ReplyCode.CLOSED: "90",
    }
    _REASONS: Mapping[DenialReason, str] = {
        DenialReason.INCOME_OVER: "701",
        DenialReason.ASSETS_OVER: "702",
        DenialReason.NOT_CONFIRMED: "706",
        DenialReason.MATERIAL_MISSING: "704",
        DenialReason.AUTHORISATION_MISSING: "705",
        DenialReason.CHILD_CONDITION_NOT_MET: "723",
    }

    def read(self, body: Any) -> AskedHandoff:
        try:
            needs = tuple(
                AskedNeed(need_id=item["xj_need"], programme=item["xj_programme"]) for item in body["xj_items"]
            )
            return AskedHandoff(handoff_id=body["xj_handoff"], needs=needs, person_number=body.get("axdf0004"))
        except (KeyError, TypeError, AttributeError) as error:
            raise SchemaInvalid("not a civil affairs handoff") from error

    def write(self, asked: AskedHandoff, answers: Sequence[OfficeAnswer]) -> Any:
        return {"xj_handoff": asked.handoff_id, "xj_results": [self._result(answer) for answer in answers]}

    def _result(self, answer: OfficeAnswer) -> dict[str, Any]:
        known = {
            "xj_need": answer.need.need_id,
            "xj_status": answer.raw_code or self._CODES[answer.code],
            "xj_at": format_moment(answer.at),
            "abaf0028": _month(answer.first_month),
            "abaf0029": _month(answer.last_month),
            "xj_amount": _yuan(answer.amount_fen),
            "xj_service": answer.service,
            "xj_reason": None if answer.reason is None else self._REASONS[answer.reason],
            "xj_reason_text": answer.text,
            "xj_income_counted": False if answer.reason is DenialReason.INCOME_OVER else None,
            "xj_next_due": None if answer.next_due is None else answer.next_due.isoformat(),
            "xj_forwarded_to": answer.forwarded_to,
            "xj_suggest_region": answer.suggested_region,
            "xj_missing": list(answer.missing) or None,
            "xj_payee": None if answer.amount_fen is None else "1",
            "axdf0004": answer.person_number,
        }
        return {name: value for name, value in known.items() if value is not None}


class DisabledPersonsFormat:
    """残联: XML of `urn:xianjie:dp:1.0`; elements in the order the XSD has them."""

    content_type = "application/xml"
    unknown_code = "X7"

    _CODES: Mapping[ReplyCode, str] = {
        ReplyCode.ACCEPTED: "B1",
        ReplyCode.FORWARDED: "B5",
        ReplyCode.APPROVED: "D1",
        ReplyCode.DENIED: "D2",
        ReplyCode.PAID: "E1",
        ReplyCode.SERVICE_DELIVERED: "E3",
        ReplyCode.CLOSED: "G9",
    }
    _REVIEW_CODES: Mapping[ReplyCode, str] = {ReplyCode.APPROVED: "D3", ReplyCode.DENIED: "D4"}
    _REASONS: Mapping[DenialReason, str] = {
        DenialReason.INCOME_OVER: "K01",
        DenialReason.ASSETS_OVER: "K02",
        DenialReason.NOT_CONFIRMED: "K06",
    }
    _NAMESPACE = "urn:xianjie:dp:1.0"

    def read(self, body: Any) -> AskedHandoff:
        if not isinstance(body, str):
            raise MalformedXml("not a text")
        try:
            root = etree.fromstring(body.encode(), _careful())
        except (etree.XMLSyntaxError, ValueError) as error:
            raise MalformedXml("syntax") from error
        handoff_id = root.get("id")
        if root.tag != self._tag("Handoff") or handoff_id is None:
            raise MalformedXml("not a handoff")
        return AskedHandoff(
            handoff_id=handoff_id,
            needs=tuple(
                AskedNeed(
                    need_id=need.get("id", ""),
                    programme=need.findtext(self._tag("Programme")) or "",
                    review_only=need.get("step") == REVIEW,
                )
                for need in root.iterfind(self._tag("Need"))
            ),
            person_number=root.findtext(f"{self._tag('Beneficiary')}/{self._tag('IdentityNumber')}"),
        )

    def write(self, asked: AskedHandoff, answers: Sequence[OfficeAnswer]) -> Any:
        root = etree.Element(self._tag("HandoffReply"), {"version": "1.0", "handoff": asked.handoff_id})
        for answer in answers:
            self._result(root, answer)
        return etree.tostring(root, encoding="unicode")

    def _result(self, root: etree._Element, answer: OfficeAnswer) -> None:
        codes = {**self._CODES, **(self._REVIEW_CODES if answer.need.review_only else {})}
        code = answer.raw_code or codes[answer.code]
        result = etree.SubElement(root, self._tag("Result"), {"code": code, "need": answer.need.need_id})
        known = {
            "At": format_moment(answer.at),
            "Amount": _yuan(answer.amount_fen),
            "Delivered": answer.service,
            "From": None if answer.first_month is None else answer.first_month.isoformat(),
            "Until": None if answer.last_month is None else answer.last_month.isoformat(),
            "Reason": None if answer.reason is None else self._REASONS[answer.reason],
            "Explanation": answer.text,
            "NextDue": None if answer.next_due is None else answer.next_due.isoformat(),
            "ForwardedTo": answer.forwarded_to,
            "Payee": None if answer.amount_fen is None else "Z1",
            "PersonNumber": answer.person_number,
        }
        for name, value in known.items():
            if value is not None:
                element = etree.SubElement(result, self._tag(name), {"currency": "CNY"} if name == "Amount" else None)
                element.text = value

    def _tag(self, name: str) -> str:
        return f"{{{self._NAMESPACE}}}{name}"


class WomensFederationFormat:
    """妇联: flat JSON, names and codes in the words of the federation's sheet."""

    content_type = "application/json"
    unknown_code = "另行研究"

    _WORDS: Mapping[ReplyCode, str] = {
        ReplyCode.ACCEPTED: "受理",
        ReplyCode.FORWARDED: "已转介",
        ReplyCode.APPROVED: "予以救助",
        ReplyCode.DENIED: "不予救助",
        ReplyCode.PAID: "已发放",
        ReplyCode.SERVICE_DELIVERED: "已帮扶",
        ReplyCode.CLOSED: "办结",
    }
    _REASONS: Mapping[DenialReason, str] = {
        DenialReason.INCOME_OVER: "收入超标",
        DenialReason.ASSETS_OVER: "财产超标",
        DenialReason.NOT_CONFIRMED: "情况不属实",
    }

    def read(self, body: Any) -> AskedHandoff:
        try:
            needs = tuple(AskedNeed(need_id=item["事项编号"], programme=item["项目代码"]) for item in body["事项"])
            return AskedHandoff(handoff_id=body["转办编号"], needs=needs, person_number=body.get("证件号码"))
        except (KeyError, TypeError, AttributeError) as error:
            raise SchemaInvalid("not a women's federation handoff") from error

    def write(self, asked: AskedHandoff, answers: Sequence[OfficeAnswer]) -> Any:
        return {"转办编号": asked.handoff_id, "反馈": [self._answer(answer) for answer in answers]}

    def _answer(self, answer: OfficeAnswer) -> dict[str, Any]:
        known = {
            "事项编号": answer.need.need_id,
            "办理结果": answer.raw_code or self._WORDS[answer.code],
            "办理时间": format_moment(answer.at),
            "金额": _yuan(answer.amount_fen),
            "起始日期": None if answer.first_month is None else answer.first_month.isoformat(),
            "截止日期": None if answer.last_month is None else answer.last_month.isoformat(),
            "服务内容": answer.service,
            "不予理由": None if answer.reason is None else self._REASONS[answer.reason],
            "书面说明": answer.text,
            "下次反馈": None if answer.next_due is None else answer.next_due.isoformat(),
            "转往单位": answer.forwarded_to,
            "领款人": None if answer.amount_fen is None else "本人",
            "证件号码": answer.person_number,
        }
        return {name: value for name, value in known.items() if value is not None}


FORMATS: Mapping[str, AgencyFormat] = {
    "civil_affairs": CivilAffairsFormat(),
    "disabled_persons": DisabledPersonsFormat(),
    "womens_federation": WomensFederationFormat(),
}
"""By agency."""


def _careful() -> etree.XMLParser:
    """No document type, no entities, no network."""
    return etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)


def _yuan(fen: int | None) -> str | None:
    return None if fen is None else f"{fen // 100}.{fen % 100:02d}"


def _month(day: date | None) -> str | None:
    return None if day is None else f"{day:%Y%m}"

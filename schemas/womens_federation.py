"""妇联报文 The wire shapes of the women's federation: one flat JSON object out, its answers 反馈 back.

Nothing public exists about the federation's interfaces, so all of this is our own design, for clerks who work in a
spreadsheet: field names and codes are the Chinese words of the sheet, money is yuan as text, moments have an offset.
There is no field for illness, disability, means or the case, and there shall be none (DOMAIN §4). An answer and a
denial reason may be any short text here: an unknown one is a point in doubt and not a broken message.
"""

from collections.abc import Collection, Mapping
from typing import Any

from marshmallow import Schema, ValidationError, validates_schema

from schemas.fields import (
    Code,
    Day,
    ListOf,
    MessageId,
    Moment,
    Nest,
    PartyId,
    RegionCode,
    StrictSchema,
    Text,
    Token,
)
from schemas.problems import flatten

WORD_MAX = 32
LINE_MAX = 200
TEXT_MAX = 2000
LONG_TEXT_MAX = 20_000
YES_NO = ("是", "否")


class Yuan(Token):
    """Yuan as text, at most two decimals, no sign and no exponent: `650`, `650.5`, `1234.56`."""

    PATTERN = r"(?:0|[1-9][0-9]{0,11})(?:\.[0-9]{1,2})?"


class ItemSchema(StrictSchema):
    """事项: one need."""

    need_id = MessageId(required=True, data_key="事项编号")
    programme = Text(max=WORD_MAX, required=True, data_key="项目代码")
    programme_name = Text(max=LINE_MAX, data_key="项目名称")
    note = Text(max=LONG_TEXT_MAX, lines=True, data_key="事项说明")


class HandoffSchema(StrictSchema):
    """转办单: a handoff as the federation receives it."""

    handoff_id = MessageId(required=True, data_key="转办编号")
    referral_id = MessageId(required=True, data_key="移送编号")
    agreement_document = Text(max=LINE_MAX, required=True, data_key="会签文件")
    agency = Text(max=WORD_MAX, required=True, data_key="承办部门")
    office_id = Text(max=LINE_MAX, required=True, data_key="承办单位")
    office_region = RegionCode(required=True, data_key="承办地区")
    court = PartyId(required=True, data_key="移送法院")
    issued_at = Moment(required=True, data_key="转办时间")
    reply_by = Moment(data_key="反馈期限")
    urgency = Code(["一般", "48小时内", "24小时内"], required=True, data_key="紧急程度")
    legal_basis = Code(["履行法定职责", "本人同意", "紧急情况"], data_key="处理依据")
    is_minor = Code(YES_NO, required=True, data_key="未成年人")
    no_public_notice = Code(YES_NO, required=True, data_key="不得公示")
    name = Text(max=LINE_MAX, data_key="姓名")
    id_type = Text(max=WORD_MAX, data_key="证件种类")
    id_number = Text(max=LINE_MAX, data_key="证件号码")
    sex = Code(["未知", "男", "女", "未说明"], data_key="性别")
    birth_date = Day(data_key="出生日期")
    phone = Text(max=LINE_MAX, data_key="联系电话")
    registration_region = RegionCode(data_key="户籍地区")
    residence = Text(max=TEXT_MAX, lines=True, data_key="居住地址")
    guardian_name = Text(max=LINE_MAX, data_key="监护人姓名")
    guardian_relation = Text(max=WORD_MAX, data_key="监护人关系")
    guardian_id_type = Text(max=WORD_MAX, data_key="监护人证件种类")
    guardian_id_number = Text(max=LINE_MAX, data_key="监护人证件号码")
    guardian_phone = Text(max=LINE_MAX, data_key="监护人电话")
    groups = ListOf(Code(["未成年人", "老年人", "妇女"]), unique=True, data_key="特定群体")
    women_class = Code(["W1", "W2", "W3", "W4", "W5", "W6", "W7"], data_key="困难妇女类别")
    protection_order = Code(YES_NO, data_key="人身安全保护令")
    safety_flag = Code(YES_NO, data_key="安全保护")
    survey_mode = Code(["实地走访", "书面审查"], data_key="调查方式")
    survey_date = Day(data_key="调查日期")
    investigators = ListOf(Text(max=LINE_MAX), data_key="调查人")
    contact_name = Text(max=LINE_MAX, data_key="法院联系人")
    contact_phone = Text(max=LINE_MAX, data_key="法院联系电话")
    items = ListOf(Nest(ItemSchema), min=1, required=True, data_key="事项")


class AnswerSchema(StrictSchema):
    """One answer; without 事项编号 (or with null) it is about the whole handoff."""

    need_id = MessageId(allow_none=True, data_key="事项编号")
    result = Text(max=WORD_MAX, required=True, data_key="办理结果")
    at = Moment(required=True, data_key="办理时间")
    amount = Yuan(data_key="金额")
    starts_on = Day(data_key="起始日期")
    ends_on = Day(data_key="截止日期")
    service = Text(max=LINE_MAX, data_key="服务内容")
    reason = Text(max=WORD_MAX, data_key="不予理由")
    text = Text(max=TEXT_MAX, lines=True, data_key="书面说明")
    next_due = Day(data_key="下次反馈")
    forwarded_to = Text(max=LINE_MAX, data_key="转往单位")
    suggested_agency = Text(max=LINE_MAX, data_key="建议部门")
    suggested_region = RegionCode(data_key="建议地区")
    missing = ListOf(Text(max=LINE_MAX), max=50, data_key="需补材料")
    payee = Text(max=WORD_MAX, data_key="领款人")
    id_number = Text(max=LINE_MAX, data_key="证件号码")
    officer = Text(max=LINE_MAX, data_key="经办人")

    @validates_schema
    def check_period(self, fields: dict[str, Any], **_: Any) -> None:
        """A period ends on or after the day it starts."""
        if "starts_on" in fields and "ends_on" in fields and fields["ends_on"] < fields["starts_on"]:
            raise ValidationError({"截止日期": ["out_of_range"]})


class ReplySchema(StrictSchema):
    """反馈单: a reply to one handoff."""

    handoff_id = MessageId(required=True, data_key="转办编号")
    answers = ListOf(Nest(AnswerSchema), min=1, required=True, data_key="反馈")


HANDOFF = HandoffSchema()
REPLY = ReplySchema()


def flatten_chinese(messages: Mapping[Any, Any] | Collection[Any]) -> list[tuple[str, str]]:
    """As `schemas.fields.flatten`, which shows a name it does not know as `?`: the names of this format are known."""
    plain = flatten(_renamed(messages))
    return [("/".join(_CHINESE.get(step, step) for step in pointer.split("/")), code) for pointer, code in plain]


def _renamed(node: Any) -> Any:
    if not isinstance(node, Mapping):
        return node
    return {_PLAIN.get(name, name): _renamed(inner) for name, inner in node.items()}


def _keys(*schemas: Schema) -> dict[str, str]:
    return {field.data_key or name: f"zh_{name}" for schema in schemas for name, field in schema.fields.items()}


_PLAIN = _keys(REPLY, AnswerSchema())
"""A name of the reply in Chinese → a stand-in `flatten` lets pass."""
_CHINESE = {plain: chinese for chinese, plain in _PLAIN.items()}

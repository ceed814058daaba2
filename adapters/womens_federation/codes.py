"""妇联代码 The words of the women's federation, one table each; all of them are our own design.

Nothing public exists about the federation's interfaces. Its offices work in a spreadsheet, so a code here is the word a
clerk picks from the list of the sheet; a second word for one code is read and never written. To follow a real system
only these rows change. Columns: their word, the common code, when to use it.
"""

from functools import cache

from adapters.base import PAYEES as PAYEE_WORDS
from adapters.base import CodeTable, Status, Tables
from gateway.domain.identifiers import IdType
from gateway.domain.person import SpecificGroup, WomenClass
from gateway.domain.programmes import load_programmes
from gateway.domain.referral import LegalBasis, SurveyMode, Urgency
from gateway.domain.replies import DenialReason, ReceiptCode, ReplyCode

STATUSES: CodeTable[Status] = CodeTable(
    [
        ("已签收", ReceiptCode.RECEIVED, "收到转办单"),
        ("格式不符", ReceiptCode.REJECTED_FORMAT, "转办单无法读取"),
        ("验签失败", ReceiptCode.REJECTED_SIGNATURE, "签名未能证实"),
        ("重复报文", ReceiptCode.DUPLICATE_MESSAGE, "同一转办单已收到"),
        ("受理", ReplyCode.ACCEPTED, "已开始办理"),
        ("退回补正", ReplyCode.RETURNED, "缺材料，列明需补材料"),
        ("不属本部门职责", ReplyCode.NOT_IN_SCOPE, "写明建议部门"),
        ("非本辖区", ReplyCode.NOT_IN_REGION, "写明建议地区"),
        ("已转办", ReplyCode.FORWARDED, "写明转往单位"),
        ("已转介", ReplyCode.FORWARDED, "已转介法律援助、医院、庇护场所等，写明转往单位"),
        ("已享受同类救助", ReplyCode.ALREADY_COVERED, "写明自何时起"),
        ("核对/入户调查中", ReplyCode.IN_VERIFICATION, "正在走访或核实"),
        ("公示中", ReplyCode.IN_PUBLIC_NOTICE, "写明公示截止日期"),
        ("予以救助", ReplyCode.APPROVED, "已决定救助，写明金额或服务"),
        ("不予救助", ReplyCode.DENIED, "必须写明理由和书面说明"),
        ("已发放", ReplyCode.PAID, "救助金已到账"),
        ("退票", ReplyCode.PAYMENT_RETURNED, "银行退回"),
        ("服务已提供", ReplyCode.SERVICE_DELIVERED, "疏导、调解、庇护等已提供，写明服务内容"),
        ("已帮扶", ReplyCode.SERVICE_DELIVERED, "同“服务已提供”"),
        ("本人放弃", ReplyCode.PERSON_DECLINED, "本人不愿接受"),
        ("无法联系", ReplyCode.UNREACHABLE, "多次联系未果"),
        ("已死亡", ReplyCode.DECEASED, ""),
        ("户籍迁移", ReplyCode.MOVED, "写明迁往地区"),
        ("停发/终止", ReplyCode.STOPPED, "写明自何日起"),
        ("办结", ReplyCode.CLOSED, "事项全部办完"),
    ]
)

REASONS: CodeTable[DenialReason] = CodeTable(
    [
        ("不属困难妇女类别", DenialReason.NOT_TARGET_CLASS, "不在困难妇女七类之内"),
        ("未确诊", DenialReason.NOT_DIAGNOSED, "两癌救助"),
        ("已享受一次性救助", DenialReason.ONE_TIME_USED, "两癌救助终身一次"),
        ("未被认定为低收入", DenialReason.NOT_LOW_INCOME_IDENTIFIED, "两癌救助"),
        ("收入超标", DenialReason.INCOME_OVER, ""),
        ("财产超标", DenialReason.ASSETS_OVER, ""),
        ("非本地户籍", DenialReason.NOT_LOCAL, ""),
        ("材料不全逾期", DenialReason.MATERIAL_MISSING, ""),
        ("未授权核对", DenialReason.AUTHORISATION_MISSING, ""),
        ("情况不属实", DenialReason.NOT_CONFIRMED, ""),
        ("已享受其他同类", DenialReason.COVERED_BY_OTHER, ""),
        ("资金或名额不足", DenialReason.QUOTA_OR_FUND, ""),
        ("公示异议成立", DenialReason.OBJECTION_UPHELD, ""),
        ("虚报冒领", DenialReason.FRAUD, ""),
        ("其他", DenialReason.OTHER, ""),
    ]
)

PAYEES: CodeTable[str] = CodeTable((word, payee, "") for payee, word in PAYEE_WORDS.items())

TABLES = Tables(statuses=STATUSES, reasons=REASONS, payees=PAYEES)

URGENCIES = {Urgency.NORMAL: "一般", Urgency.URGENT_48H: "48小时内", Urgency.URGENT_24H: "24小时内"}
LEGAL_BASES = {
    LegalBasis.STATUTORY_DUTY: "履行法定职责",
    LegalBasis.CONSENT: "本人同意",
    LegalBasis.EMERGENCY: "紧急情况",
}
SURVEY_MODES = {SurveyMode.ON_SITE: "实地走访", SurveyMode.DOCUMENT: "书面审查"}
SEXES = {"0": "未知", "1": "男", "2": "女", "9": "未说明"}
GROUPS = {SpecificGroup.MINOR: "未成年人", SpecificGroup.ELDERLY: "老年人", SpecificGroup.WOMAN: "妇女"}
"""Without the disabled: that is a fact of health, which has no field in this format."""
WOMEN_CLASSES = {
    WomenClass.W1: "防止返贫监测对象",
    WomenClass.W2: "遭受家庭暴力、性侵害或拐卖",
    WomenClass.W3: "主要劳动力因犯罪死亡或致残，抚养子女或赡养老人",
    WomenClass.W4: "重病或残疾",
    WomenClass.W5: "无人赡养的老年妇女",
    WomenClass.W6: "遭受就业歧视或性骚扰",
    WomenClass.W7: "因家庭暴力离婚",
}
ID_TYPES = {
    IdType.RESIDENT_ID: "居民身份证",
    IdType.HOUSEHOLD_BOOKLET: "户口簿",
    IdType.BIRTH_CERTIFICATE: "出生医学证明",
    IdType.PASSPORT: "普通护照",
    IdType.HONG_KONG: "香港特别行政区护照",
    IdType.MACAU: "澳门特别行政区护照",
    IdType.TAIWAN_PERMIT: "台湾居民来往大陆通行证",
    IdType.HONG_KONG_MACAU_PERMIT: "港澳居民来往内地通行证",
    IdType.NONE_YET: "尚无证件",
}


@cache
def programme_names() -> dict[str, str]:
    """项目名称 by programme code."""
    return {programme.code: programme.name_zh for programme in load_programmes().values()}

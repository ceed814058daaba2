"""残联代码 The codes of the disabled persons' federation, one table each; all of them are our own design.

Nothing public exists about the federation's interfaces, so to follow a real system only these rows change. The kinds
and grades of disability are those of the certificate number (characters 19 and 20); lists copied from hand to hand swap
kinds 1 and 2, so check a list against a certificate before trusting it. Columns: their code, the common code, words.
"""

from functools import cache

from adapters.base import CodeTable, Status, Tables
from gateway.domain.programmes import load_programmes
from gateway.domain.replies import DenialReason, ReceiptCode, ReplyCode

STATUSES: CodeTable[Status] = CodeTable(
    [
        ("A1", ReceiptCode.RECEIVED, "已签收"),
        ("A2", ReceiptCode.REJECTED_FORMAT, "格式不符"),
        ("A3", ReceiptCode.REJECTED_SIGNATURE, "验签失败"),
        ("A4", ReceiptCode.DUPLICATE_MESSAGE, "重复报文"),
        ("B1", ReplyCode.ACCEPTED, "受理"),
        ("B2", ReplyCode.RETURNED, "退回补正"),
        ("B3", ReplyCode.NOT_IN_SCOPE, "不属残联职责"),
        ("B4", ReplyCode.NOT_IN_REGION, "非本辖区"),
        ("B5", ReplyCode.FORWARDED, "已转办"),
        ("B6", ReplyCode.ALREADY_COVERED, "已享受同类服务或补贴"),
        ("C1", ReplyCode.IN_VERIFICATION, "核对、评估或入户调查中"),
        ("C2", ReplyCode.IN_PUBLIC_NOTICE, "公示中"),
        ("D1", ReplyCode.APPROVED, "予以救助"),
        ("D2", ReplyCode.DENIED, "不予救助"),
        ("D3", ReplyCode.APPROVED, "审核通过，转民政审定"),
        ("D4", ReplyCode.DENIED, "审核不通过"),
        ("E1", ReplyCode.PAID, "已发放"),
        ("E2", ReplyCode.PAYMENT_RETURNED, "退票"),
        ("E3", ReplyCode.SERVICE_DELIVERED, "器具或服务已提供"),
        ("F1", ReplyCode.PERSON_DECLINED, "本人放弃"),
        ("F2", ReplyCode.UNREACHABLE, "无法联系"),
        ("F3", ReplyCode.DECEASED, "已死亡"),
        ("F4", ReplyCode.MOVED, "户籍迁移"),
        ("G1", ReplyCode.STOPPED, "停发或终止"),
        ("G9", ReplyCode.CLOSED, "办结"),
    ]
)

REASONS: CodeTable[DenialReason] = CodeTable(
    [
        ("K01", DenialReason.INCOME_OVER, "收入超标"),
        ("K02", DenialReason.ASSETS_OVER, "财产超标"),
        ("K03", DenialReason.NOT_LOCAL, "非本地户籍"),
        ("K04", DenialReason.MATERIAL_MISSING, "材料不全逾期"),
        ("K05", DenialReason.AUTHORISATION_MISSING, "未授权核对"),
        ("K06", DenialReason.NOT_CONFIRMED, "情况不属实"),
        ("K07", DenialReason.COVERED_BY_OTHER, "已享受其他同类"),
        ("K08", DenialReason.QUOTA_OR_FUND, "资金或名额不足"),
        ("K09", DenialReason.OBJECTION_UPHELD, "公示异议成立"),
        ("K10", DenialReason.FRAUD, "虚报冒领"),
        ("L01", DenialReason.NO_CERTIFICATE, "未持残疾人证"),
        ("L02", DenialReason.GRADE_INSUFFICIENT, "残疾等级不符"),
        ("L03", DenialReason.CERT_EXPIRED, "残疾人证过期或注销"),
        ("L04", DenialReason.AGE_OUT_OF_RANGE, "年龄不符"),
        ("K99", DenialReason.OTHER, "其他"),
    ]
)

PAYEES: CodeTable[str] = CodeTable(
    [
        ("Z1", "BENEFICIARY", "本人"),
        ("Z2", "GUARDIAN", "监护人"),
        ("Z3", "AGENT", "代理人"),
        ("Z9", "OTHER", "其他"),
    ]
)

TABLES = Tables(statuses=STATUSES, reasons=REASONS, payees=PAYEES)

DISABILITY_KINDS = {
    "1": "视力残疾",
    "2": "听力残疾",
    "3": "言语残疾",
    "4": "肢体残疾",
    "5": "智力残疾",
    "6": "精神残疾",
    "7": "多重残疾",
}
DISABILITY_GRADES = {"1": "一级", "2": "二级", "3": "三级", "4": "四级"}
SEXES = {"0": "未知", "1": "男", "2": "女", "9": "未说明"}

REVIEW = "REVIEW"
DECIDE = "DECIDE"
STEPS = {REVIEW: "审核", DECIDE: "办理"}


@cache
def steps() -> dict[str, str]:
    """What the federation does for a programme: REVIEW where its route leads on to another organ, else DECIDE (R07)."""
    return {
        programme.code: REVIEW if programme.serial_route[:1] == ("disabled_persons",) else DECIDE
        for programme in load_programmes().values()
    }

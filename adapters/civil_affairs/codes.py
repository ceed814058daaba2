"""民政代码 The codes of civil affairs, one table each; to follow a real system only these rows change.

Known: the values of `abax6002` (`civil_affairs_code` of `gateway/domain/rules/programmes.csv`, DOMAIN §5) and the field
names in `schemas/civil_affairs.py` without `xj_`. Our own design: the status, denial and payee codes below, since no
public text lists theirs. Columns: their code, the common code, the words they would show.
"""

from dataclasses import dataclass
from functools import cache

from adapters.base import CodeTable, Status, Tables
from gateway.domain.programmes import load_programmes
from gateway.domain.replies import DenialReason, ReceiptCode, ReplyCode

STATUSES: CodeTable[Status] = CodeTable(
    [
        ("01", ReceiptCode.RECEIVED, "已签收"),
        ("02", ReceiptCode.REJECTED_FORMAT, "格式不符"),
        ("03", ReceiptCode.REJECTED_SIGNATURE, "验签失败"),
        ("04", ReceiptCode.DUPLICATE_MESSAGE, "重复报文"),
        ("10", ReplyCode.ACCEPTED, "受理"),
        ("11", ReplyCode.RETURNED, "退回补正"),
        ("12", ReplyCode.NOT_IN_SCOPE, "不属民政职责"),
        ("13", ReplyCode.NOT_IN_REGION, "非本辖区"),
        ("14", ReplyCode.FORWARDED, "已转其他部门"),
        ("15", ReplyCode.ALREADY_COVERED, "已享受同类救助"),
        ("20", ReplyCode.IN_VERIFICATION, "核对或入户调查中"),
        ("21", ReplyCode.IN_PUBLIC_NOTICE, "公示中"),
        ("30", ReplyCode.APPROVED, "审核确认通过"),
        ("31", ReplyCode.DENIED, "审核确认不通过"),
        ("40", ReplyCode.PAID, "资金已发放"),
        ("41", ReplyCode.PAYMENT_RETURNED, "银行退票"),
        ("42", ReplyCode.SERVICE_DELIVERED, "服务已提供"),
        ("50", ReplyCode.PERSON_DECLINED, "本人放弃"),
        ("51", ReplyCode.UNREACHABLE, "无法联系"),
        ("52", ReplyCode.DECEASED, "已死亡"),
        ("53", ReplyCode.MOVED, "户籍迁移"),
        ("60", ReplyCode.STOPPED, "停发或终止"),
        ("90", ReplyCode.CLOSED, "办结"),
    ]
)

REASONS: CodeTable[DenialReason] = CodeTable(
    [
        ("701", DenialReason.INCOME_OVER, "家庭人均收入超过标准"),
        ("702", DenialReason.ASSETS_OVER, "家庭财产超过标准"),
        ("703", DenialReason.NOT_LOCAL, "非本地户籍"),
        ("704", DenialReason.MATERIAL_MISSING, "材料不全逾期未补"),
        ("705", DenialReason.AUTHORISATION_MISSING, "未授权经济状况核对"),
        ("706", DenialReason.NOT_CONFIRMED, "所述情况不属实"),
        ("707", DenialReason.COVERED_BY_OTHER, "已享受其他同类救助"),
        ("708", DenialReason.QUOTA_OR_FUND, "资金或名额不足"),
        ("709", DenialReason.OBJECTION_UPHELD, "公示异议成立"),
        ("710", DenialReason.FRAUD, "虚报冒领"),
        ("721", DenialReason.NOT_HOUSEHOLD, "非共同生活家庭成员"),
        ("722", DenialReason.REFUSED_JOB_3X, "连续三次拒绝介绍就业"),
        ("723", DenialReason.CHILD_CONDITION_NOT_MET, "不符合孤儿或事实无人抚养条件"),
        ("799", DenialReason.OTHER, "其他"),
    ]
)

PAYEES: CodeTable[str] = CodeTable(
    [
        ("1", "BENEFICIARY", "本人"),
        ("2", "GUARDIAN", "监护人"),
        ("3", "AGENT", "代理人"),
        ("9", "OTHER", "其他"),
    ]
)

TABLES = Tables(statuses=STATUSES, reasons=REASONS, payees=PAYEES)

KNOWN_UNUSED = ("660",)
"""A value of `abax6002` that is known to exist and that no programme of ours stands for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BenefitCodes:
    """救助类别 of one programme. is_exact: their one code says all that our programme says."""

    codes: tuple[str, ...]
    is_exact: bool

    @property
    def certain(self) -> str | None:
        """The code, where there is exactly one."""
        return self.codes[0] if len(self.codes) == 1 else None


NO_CODES = BenefitCodes(codes=(), is_exact=True)


@cache
def benefit_codes() -> dict[str, BenefitCodes]:
    """By programme code.

    Of a pair such as 110/120 neither is certain: what tells them apart (we take it: town and country) is not in a
    referral. 500 serves both kinds of temporary assistance, so it is certain and yet coarser than the programme.
    """
    programmes = load_programmes().values()
    users = [code for programme in programmes for code in programme.civil_affairs_codes]
    return {
        programme.code: BenefitCodes(
            codes=programme.civil_affairs_codes,
            is_exact=len(programme.civil_affairs_codes) < 2
            and all(users.count(code) == 1 for code in programme.civil_affairs_codes),
        )
        for programme in programmes
    }

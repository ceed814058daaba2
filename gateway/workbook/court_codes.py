"""代码说明 The words beside each code in the court's template: a clerk picks `ASSIST 予以救助`, the wire gets `ASSIST`.

The codes are the domain's own; a test holds the two equal. Relations (GB/T 4761) and ethnic groups are open: the list
offers the usual ones and what is not in it stays as written.
"""

from collections.abc import Mapping, Sequence
from functools import cache

from gateway.domain.identifiers import IdType, Sex
from gateway.domain.person import SpecificGroup, WomenClass
from gateway.domain.programmes import load_programmes
from gateway.domain.referral import Decision, LegalBasis, ReferralAssessment, SurveyMode, Urgency
from gateway.domain.regions import RegionLevel, load_regions
from gateway.domain.rules import read_table
from gateway.domain.values import InvalidValue

Words = Mapping[str, str]
"""Code → Chinese word."""

OPEN_LISTS = frozenset({"region", "relation", "case_type"})
"""Lists that suggest: a cell may hold something else."""

_WORDS: dict[str, Words] = {
    "decision": {
        Decision.ASSIST: "予以救助",
        Decision.NOT_ASSIST: "不予救助",
        Decision.SUSPENDED: "中止办理",
        Decision.TERMINATED: "终结办理",
    },
    "assessment": {
        ReferralAssessment.REFER: "需要社会救助，移送",
        ReferralAssessment.NO_NEED: "无社会救助需求",
        ReferralAssessment.PERSON_DECLINES: "本人不愿意",
        ReferralAssessment.ALREADY_COVERED: "已享受社会救助",
    },
    "urgency": {
        Urgency.NORMAL: "一般",
        Urgency.URGENT_48H: "48小时内",
        Urgency.URGENT_24H: "24小时内",
    },
    "legal_basis": {
        LegalBasis.STATUTORY_DUTY: "履行法定职责",
        LegalBasis.CONSENT: "本人同意",
        LegalBasis.EMERGENCY: "紧急情况",
    },
    "survey_mode": {SurveyMode.ON_SITE: "实地走访", SurveyMode.DOCUMENT: "书面审查"},
    "ground": {
        "G1": "受到犯罪侵害致重伤或严重残疾",
        "G2": "受到犯罪侵害急需救治",
        "G3": "被害人死亡，依靠其收入为主要生活来源的近亲属",
        "G4": "财产遭受重大损失",
        "G5": "因举报、作证、鉴定受打击报复",
        "G6": "追索赡养费、扶养费、抚育费等执行不能",
        "G7": "交通事故等民事侵权造成人身伤害",
        "G8": "其他需要救助的情形",
        "GP": "涉诉信访",
    },
    "refusal": {
        "X1": "对案件发生有重大过错",
        "X2": "无正当理由拒绝配合查明案件事实",
        "X3": "故意作虚伪陈述或伪造证据",
        "X4": "主动放弃民事赔偿或拒绝加害方赔偿",
        "X5": "生活困难非案件原因所导致",
        "X6": "已通过社会救助等得到合理补偿、救助",
        "X7": "法人或其他组织",
        "X8": "其他",
    },
    "id_type": {
        IdType.RESIDENT_ID: "居民身份证",
        IdType.HOUSEHOLD_BOOKLET: "户口簿",
        IdType.BIRTH_CERTIFICATE: "出生医学证明",
        IdType.PASSPORT: "普通护照",
        IdType.HONG_KONG: "香港特别行政区护照",
        IdType.MACAU: "澳门特别行政区护照",
        IdType.TAIWAN_PERMIT: "台湾居民来往大陆通行证",
        IdType.HONG_KONG_MACAU_PERMIT: "港澳居民来往内地通行证",
        IdType.NONE_YET: "尚无证件",
    },
    "sex": {Sex.UNKNOWN: "未知", Sex.MALE: "男", Sex.FEMALE: "女", Sex.UNSTATED: "未说明"},
    "group": {
        SpecificGroup.MINOR: "未成年人",
        SpecificGroup.ELDERLY: "老年人",
        SpecificGroup.WOMAN: "妇女",
        SpecificGroup.DISABLED: "残疾人",
    },
    "women_class": {
        WomenClass.W1: "防止返贫监测对象",
        WomenClass.W2: "遭受家庭暴力、性侵害或拐卖",
        WomenClass.W3: "家庭主要劳动力因犯罪死亡或致残并抚养子女或赡养老人",
        WomenClass.W4: "重病或残疾",
        WomenClass.W5: "无人赡养的老年妇女",
        WomenClass.W6: "遭受就业歧视或性骚扰",
        WomenClass.W7: "因家庭暴力离婚",
    },
    "disability_kind": {"1": "视力", "2": "听力", "3": "言语", "4": "肢体", "5": "智力", "6": "精神", "7": "多重"},
    "disability_grade": {"1": "一级（最重）", "2": "二级", "3": "三级", "4": "四级"},
    "flag": {"是": "", "否": ""},
    "relation": {
        "01": "本人",
        "02": "户主",
        "10": "配偶",
        "20": "子",
        "30": "女",
        "40": "孙子女、外孙子女",
        "50": "父母",
        "51": "父亲",
        "52": "母亲",
        "60": "祖父母、外祖父母",
        "70": "兄弟姐妹",
        "90": "其他",
    },
}


@cache
def words_of(name: str) -> Words:
    """Code → Chinese of one list; KeyError for a list that does not exist."""
    if name == "region":
        return dict(_regions())
    if name == "case_type":
        return {row["code_name"]: row["name_zh"] for row in read_table("case_types")}
    if name == "need":
        return _needs()
    return _WORDS[name]


def choices(name: str) -> Sequence[str]:
    """What the drop-down offers, in order."""
    return [f"{code} {word}".strip() for code, word in words_of(name).items()]


def read_code(name: str, text: str) -> str:
    """The code of a cell: `ASSIST 予以救助`, `ASSIST`, `assist` or `予以救助`.

    InvalidValue `unknown_code`, except for an open list, whose cells stay as written. A code that lost its leading
    zero to the spreadsheet program gets it back.
    """
    words = words_of(name)
    first = text.split()[0]
    for candidate in (text, first, first.upper(), first.lower(), first.zfill(_width(words))):
        if candidate in words:
            return str(candidate)
    for code, word in words.items():
        if word and text == word:
            return str(code)
    if name in OPEN_LISTS:
        return text
    raise InvalidValue("unknown_code")


def need_of(text: str) -> dict[str, str]:
    """`{"programme": …}` or `{"need_code": …}` of a need cell; InvalidValue `unknown_code`."""
    code = read_code("need", text)
    return {"programme" if code in load_programmes() else "need_code": code}


def _width(words: Words) -> int:
    """Length of the codes where all are digits of one length, else 0."""
    lengths = {len(code) for code in words}
    return lengths.pop() if len(lengths) == 1 and all(code.isdigit() for code in words) else 0


def _regions() -> list[tuple[str, str]]:
    known = load_regions()
    rows = [row["code"] for row in read_table("regions")]
    found = [region for code in rows if (region := known.get(code)) and not known.is_abolished(code)]
    return [(region.code, region.name_zh) for region in found if region.level is not RegionLevel.PROVINCE]


def _needs() -> Words:
    programmes = load_programmes()
    plain = {need: programme.name_zh for programme in programmes.values() for need in programme.need_codes}
    return {code: programme.name_zh for code, programme in programmes.items()} | {
        need: f"{name}（按需求）" for need, name in plain.items()
    }

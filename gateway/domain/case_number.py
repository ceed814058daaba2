"""案号 Case numbers of judicial assistance, e.g. （2024）黔01司救执1号, and the looser ones of original cases 原案件.

Rules: parsed whole, never searched in a text; half-width brackets are read and full-width ones stored, so one case has
one spelling. No digits after the province character: High Court; two: intermediate; four: basic court. A court's
region is compared with a number only where the numbering is certain, and disagrees only when it certainly does.
Left out on purpose: spellings of assistance numbers from before the present rules, and numbers of other organs than
courts; a case of theirs is named in words.
"""

import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from gateway.domain.values import InvalidValue

FIRST_ASSISTANCE_YEAR = 2014
"""The year of the opinion that set up national judicial assistance; no such case is older."""
FIRST_ORIGINAL_YEAR = 1949

SUPREME_COURT = "最高法"
PROVINCE_OF_CHARACTER = {
    "京": "110000", "津": "120000", "冀": "130000", "晋": "140000", "内": "150000",
    "辽": "210000", "吉": "220000", "黑": "230000",
    "沪": "310000", "苏": "320000", "浙": "330000", "皖": "340000", "闽": "350000", "赣": "360000", "鲁": "370000",
    "豫": "410000", "鄂": "420000", "湘": "430000", "粤": "440000", "桂": "450000", "琼": "460000",
    "渝": "500000", "川": "510000", "黔": "520000", "云": "530000", "藏": "540000",
    "陕": "610000", "甘": "620000", "青": "630000", "宁": "640000", "新": "650000", "兵": "650000",
}  # fmt: skip
"""First character of a court's abbreviation → province; 兵 is the production corps in Xinjiang."""

REGION_OF_COURT = {
    "黔01": "520100",
    "黔02": "520200",
    "黔03": "520300",
    "黔05": "520500",
}
"""Intermediate courts whose number was seen in a source; the others are left out, never guessed."""


class CaseType(StrEnum):
    """案件类型 of judicial assistance; codes and names are in `rules/case_types.csv`."""

    CRIMINAL = "criminal"
    CIVIL = "civil"
    ADMINISTRATIVE = "administrative"
    STATE_COMPENSATION = "state_compensation"
    ENFORCEMENT = "enforcement"
    PETITION = "petition"
    OTHER = "other"


TYPE_OF_CHARACTER = {
    "刑": CaseType.CRIMINAL,
    "民": CaseType.CIVIL,
    "行": CaseType.ADMINISTRATIVE,
    "赔": CaseType.STATE_COMPENSATION,
    "执": CaseType.ENFORCEMENT,
    "访": CaseType.PETITION,
    "他": CaseType.OTHER,
}
_CHARACTER_OF_TYPE = {kind: character for character, kind in TYPE_OF_CHARACTER.items()}


class CourtLevel(StrEnum):
    """法院层级; UNKNOWN where the abbreviation has one or three digits, or is of the old kind (筑)."""

    SUPREME = "supreme"
    HIGH = "high"
    INTERMEDIATE = "intermediate"
    BASIC = "basic"
    UNKNOWN = "unknown"


_LEVEL_OF_DIGITS = {0: CourtLevel.HIGH, 2: CourtLevel.INTERMEDIATE, 4: CourtLevel.BASIC}

_COURT = re.compile(rf"{SUPREME_COURT}|[{''.join(PROVINCE_OF_CHARACTER)}][0-9]{{0,4}}")
_BRACKETS = str.maketrans("()", "（）")
_OPEN, _CLOSE = "[（(]", "[）)]"
_ASSISTANCE = re.compile(
    rf"{_OPEN}(?P<year>[0-9]{{4}}){_CLOSE}(?P<court>最高法|[\u4e00-\u9fff][0-9]{{0,4}})"
    r"司救(?P<type>[\u4e00-\u9fff])(?P<serial>[0-9]{1,7})号(?:之(?P<sub>[0-9]{1,3}))?"
)
_ORIGINAL = re.compile(
    r"[（(〔\[](?P<year>[0-9]{4})[）)〕\]]"
    r"(?P<court>最高法|[\u4e00-\u9fff]{1,8}?[0-9]{0,4})"
    r"(?P<type>(?!司救)[刑民行执赔商知经立申监再破清财保强催特督调辖访委司][\u4e00-\u9fff]{0,8}?)"
    r"字?第?(?P<serial>[0-9]{1,7}(?:-[0-9]{1,3})?)号(?:之(?P<sub>[0-9]{1,3}|[一二三四五六七八九十]{1,3}))?"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseNumber:
    """案号. court_prefix: abbreviation as in the number (黔01); sub: the N of 之N, None without one."""

    year: int
    court_prefix: str
    case_type: CaseType
    serial: int
    sub: int | None = None

    def __post_init__(self) -> None:
        if not _COURT.fullmatch(self.court_prefix):
            raise InvalidValue("case_number_court")
        if self.year < FIRST_ASSISTANCE_YEAR:
            raise InvalidValue("case_number_year")
        if self.serial < 1 or (self.sub is not None and self.sub < 1):
            raise InvalidValue("case_number_serial")

    @property
    def text(self) -> str:
        """The one spelling that is stored: full-width brackets, no leading zeros."""
        suffix = "" if self.sub is None else f"之{self.sub}"
        return f"（{self.year}）{self.court_prefix}司救{_CHARACTER_OF_TYPE[self.case_type]}{self.serial}号{suffix}"

    @property
    def court_level(self) -> CourtLevel:
        """Level of the court that gave the number."""
        return court_level(self.court_prefix)

    @property
    def province(self) -> str | None:
        """GB/T 2260 code of the court's province; None for the Supreme People's Court."""
        return province_of_court(self.court_prefix)


@dataclass(frozen=True, kw_only=True, slots=True)
class OriginalCaseNumber:
    """原案件案号. court: abbreviation, modern (黔0102) or old (筑); kind: type words (刑初)."""

    text: str
    year: int
    court: str
    kind: str
    serial: str
    sub: str | None = None


def full_width(text: str) -> str:
    """A case number as it is kept: in full-width brackets."""
    return text.translate(_BRACKETS)


def parse_case_number(text: str, *, today: date | None = None) -> CaseNumber:
    """A case number of judicial assistance; without `today` a year to come is not noticed.

    InvalidValue: case_number_form, case_number_court, case_number_type, case_number_year, case_number_serial.
    """
    found = _ASSISTANCE.fullmatch(text)
    if found is None:
        raise InvalidValue("case_number_form")
    kind = TYPE_OF_CHARACTER.get(found["type"])
    if kind is None:
        raise InvalidValue("case_number_type")
    _not_to_come(int(found["year"]), today)
    return CaseNumber(
        year=int(found["year"]),
        court_prefix=found["court"],
        case_type=kind,
        serial=int(found["serial"]),
        sub=int(found["sub"]) if found["sub"] else None,
    )


def parse_original_case_number(text: str, *, today: date | None = None) -> OriginalCaseNumber:
    """A court's number of an original case, old or modern; InvalidValue: original_case_form, case_number_year.

    `text` of the result has full-width brackets and is otherwise as written, so it may serve in a case group.
    """
    found = _ORIGINAL.fullmatch(text)
    if found is None:
        raise InvalidValue("original_case_form")
    year = int(found["year"])
    if year < FIRST_ORIGINAL_YEAR:
        raise InvalidValue("case_number_year")
    _not_to_come(year, today)
    return OriginalCaseNumber(
        text=f"（{year}）{text[6:]}",
        year=year,
        court=found["court"],
        kind=found["type"],
        serial=found["serial"],
        sub=found["sub"],
    )


def court_level(court_prefix: str) -> CourtLevel:
    """Level by the digits of the abbreviation: 黔 high, 黔01 intermediate, 黔0102 basic."""
    if court_prefix == SUPREME_COURT:
        return CourtLevel.SUPREME
    if not _COURT.fullmatch(court_prefix):
        return CourtLevel.UNKNOWN
    return _LEVEL_OF_DIGITS.get(len(court_prefix) - 1, CourtLevel.UNKNOWN)


def province_of_court(court_prefix: str) -> str | None:
    """GB/T 2260 code of the province, or None for the Supreme People's Court and unknown characters."""
    return None if court_prefix == SUPREME_COURT else PROVINCE_OF_CHARACTER.get(court_prefix[:1])


def agrees_with_court(court_prefix: str, court_region: str) -> bool:
    """False only when the number certainly is not of the court at `court_region` (as in `cn/court/520100`).

    Certain are the province, the High Court of a province and the prefectures of `REGION_OF_COURT`. A basic court is
    compared by its prefecture only: courts kept their numbers when counties were renumbered.
    """
    province = province_of_court(court_prefix)
    if province is None:
        return True
    if court_region[:2] != province[:2]:
        return False
    level = court_level(court_prefix)
    if level is CourtLevel.HIGH:
        return court_region == province
    prefecture = REGION_OF_COURT.get(court_prefix[:3])
    if prefecture is None:
        return True
    return court_region == prefecture if level is CourtLevel.INTERMEDIATE else court_region[:4] == prefecture[:4]


def _not_to_come(year: int, today: date | None) -> None:
    if today is not None and year > today.year:
        raise InvalidValue("case_number_year")

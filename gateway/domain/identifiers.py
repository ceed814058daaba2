"""证件号码 Identity numbers: resident id GB 11643, other kinds GA/T 517, USCC GB 32100, 残疾人证 certificates.

Rules: form, real date and check digit are hard errors; an unknown or abolished region is a warning, because people born
before a boundary change keep their code. The synthetic prefix 529999 is an error wherever the profile is not a demo.
Only `Verdict.normal` is normalised (full-width, lower case, 15 → 18 digits): what is signed, stored or shown never is.
Left out on purpose: whether a real person has the number, which only the public security registers know.
"""

import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from string import ascii_lowercase

from gateway.domain.regions import Regions
from gateway.domain.values import InvalidValue

SYNTHETIC_PREFIX = "529999"
EARLIEST_BIRTH_YEAR = 1880
"""Nobody alive was born before it, so an earlier year is a misread number and no real date."""

_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_CHECK = "10X98765432"
_USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_HALF_WIDTH_UPPER = {
    **{code: chr(code - 0xFEE0).upper() for code in range(0xFF01, 0xFF5F)},
    **{ord(letter): letter.upper() for letter in ascii_lowercase},
}

_RESIDENT_18 = re.compile(r"[1-9][0-9]{16}[0-9X]")
_RESIDENT_15 = re.compile(r"[1-9][0-9]{14}")
_USCC = re.compile(rf"[{_USCC_ALPHABET}]{{2}}[0-9]{{6}}[{_USCC_ALPHABET}]{{10}}")
_CERTIFICATE = re.compile(r"(?P<holder>[0-9]{17}[0-9X])(?P<kind>[0-9])(?P<grade>[0-9])(?:B(?P<reissue>[1-9][0-9]?))?")


class IdType(StrEnum):
    """证件种类. GA/T 517 codes, except `000`, which is our own for an infant who has no paper yet.

    420 and 421 are the passports of Hong Kong and Macau, 516 their residents' permit to the mainland; courts write
    either number under either code, so all three accept both forms.
    """

    RESIDENT_ID = "111"
    HOUSEHOLD_BOOKLET = "113"
    BIRTH_CERTIFICATE = "117"
    PASSPORT = "414"
    HONG_KONG = "420"
    MACAU = "421"
    TAIWAN_PERMIT = "511"
    HONG_KONG_MACAU_PERMIT = "516"
    NONE_YET = "000"


class Sex(StrEnum):
    """性别 GB/T 2261.1."""

    UNKNOWN = "0"
    MALE = "1"
    FEMALE = "2"
    UNSTATED = "9"


_HONG_KONG_OR_MACAU = re.compile(r"[A-Z]{1,2}[0-9]{7,10}")
_FORMS = {
    IdType.HOUSEHOLD_BOOKLET: re.compile(r"[0-9A-Z]{6,18}"),
    IdType.BIRTH_CERTIFICATE: re.compile(r"[A-Z][0-9]{9}"),
    IdType.PASSPORT: re.compile(r"[0-9A-Z]{5,15}"),
    IdType.HONG_KONG: _HONG_KONG_OR_MACAU,
    IdType.MACAU: _HONG_KONG_OR_MACAU,
    IdType.TAIWAN_PERMIT: re.compile(r"[0-9A-Z]{8,11}"),
    IdType.HONG_KONG_MACAU_PERMIT: _HONG_KONG_OR_MACAU,
    IdType.NONE_YET: re.compile(r""),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What a check found. normal: the copy for matching; errors and warnings: codes of `rules/field_codes.csv`."""

    normal: str
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def is_acceptable(self) -> bool:
        """No hard error."""
        return not self.errors


def check_identity(id_type: IdType, number: str, *, regions: Regions, allow_synthetic: bool) -> Verdict:
    """Check a number of its kind; allow_synthetic is the profile's word and never true in production."""
    plain = _plain(number)
    warnings = [] if plain == number else ["normalised"]
    if id_type is IdType.RESIDENT_ID:
        return _check_resident(plain, warnings, regions=regions, allow_synthetic=allow_synthetic)
    errors = []
    if not _FORMS[id_type].fullmatch(plain):
        errors.append("number_not_expected" if id_type is IdType.NONE_YET else "identity_form")
    if is_synthetic(plain) and not allow_synthetic:
        errors.append("synthetic_identity")
    return Verdict(normal=plain, errors=tuple(errors), warnings=tuple(warnings))


def is_synthetic(number: str) -> bool:
    """Whether the number carries the prefix of invented people, which no real region has."""
    return _plain(number).startswith(SYNTHETIC_PREFIX)


def upgrade_15(number: str) -> str:
    """The 18-digit form of a 15-digit resident id (century 19); InvalidValue for any other form or an unreal date."""
    plain = _plain(number)
    if not _RESIDENT_15.fullmatch(plain):
        raise InvalidValue("identity_form")
    body = f"{plain[:6]}19{plain[6:]}"
    _real_date(body[6:14])
    return body + _check_character(body)


def resident_birth_date(number: str) -> date:
    """Birth date written in a resident id of 15 or 18 characters; InvalidValue when it has no form or no real date."""
    return _real_date(_eighteen(number)[6:14])


def resident_sex(number: str) -> Sex:
    """Sex written in a resident id: odd 17th digit male, even female; InvalidValue when the form is wrong."""
    return Sex.MALE if int(_eighteen(number)[16]) % 2 else Sex.FEMALE


def check_uscc(text: str) -> Verdict:
    """统一社会信用代码: 18 characters without I O S V Z, six-digit region, check character modulo 31 (GB 32100)."""
    plain = _plain(text)
    warnings = () if plain == text else ("normalised",)
    errors: tuple[str, ...] = ()
    if not _USCC.fullmatch(plain):
        errors = ("uscc_form",)
    elif plain[17] != _uscc_check_character(plain):
        errors = ("uscc_check_character",)
    return Verdict(normal=plain, errors=errors, warnings=warnings)


class DisabilityKind(StrEnum):
    """残疾类别 as the certificate numbers it; lists found in circulation swap 1 and 2."""

    SIGHT = "1"
    HEARING = "2"
    SPEECH = "3"
    LIMB = "4"
    INTELLECT = "5"
    MENTAL = "6"
    MULTIPLE = "7"


SEVERE_GRADES = (1, 2)
MODERATE_GRADES = (3, 4)


@dataclass(frozen=True, kw_only=True, slots=True)
class DisabilityCertificate:
    """残疾人证. number: normal form; grade 1 (heaviest) to 4; reissue: times issued again, 0 for the first."""

    number: str
    holder_id: str
    kind: DisabilityKind
    grade: int
    reissue: int = 0

    def __post_init__(self) -> None:
        if self.grade not in SEVERE_GRADES + MODERATE_GRADES:
            raise InvalidValue("certificate_grade")
        suffix = f"B{self.reissue}" if self.reissue else ""
        if self.reissue < 0 or self.number != f"{self.holder_id}{self.kind}{self.grade}{suffix}":
            raise InvalidValue("certificate_form")

    def is_severe(self, *, includes_mental_grades: bool) -> bool:
        """Grades 1 and 2; where the profile says so also intellect and mental at grades 3 and 4."""
        if self.grade in SEVERE_GRADES:
            return True
        return includes_mental_grades and self.kind in (DisabilityKind.INTELLECT, DisabilityKind.MENTAL)


def parse_disability_certificate(text: str, *, allow_synthetic: bool) -> DisabilityCertificate:
    """A certificate number taken apart: holder's id, kind, grade, optional `B` and the count of the reissue.

    InvalidValue: certificate_form, certificate_holder, certificate_kind, certificate_grade, synthetic_identity.
    """
    plain = _plain(text)
    found = _CERTIFICATE.fullmatch(plain)
    if found is None:
        raise InvalidValue("certificate_form")
    holder = found["holder"]
    if _resident_errors(holder):
        raise InvalidValue("certificate_holder")
    if is_synthetic(holder) and not allow_synthetic:
        raise InvalidValue("synthetic_identity")
    try:
        kind = DisabilityKind(found["kind"])
    except ValueError as wrong:
        raise InvalidValue("certificate_kind") from wrong
    return DisabilityCertificate(
        number=plain, holder_id=holder, kind=kind, grade=int(found["grade"]), reissue=int(found["reissue"] or 0)
    )


def _check_resident(plain: str, warnings: list[str], *, regions: Regions, allow_synthetic: bool) -> Verdict:
    normal = plain
    if _RESIDENT_15.fullmatch(plain):
        warnings = [*warnings, "legacy_15_digits"]
        try:
            normal = upgrade_15(plain)
        except InvalidValue as wrong:
            return Verdict(normal=plain, errors=(wrong.code,), warnings=tuple(warnings))
    errors = _resident_errors(normal)
    if is_synthetic(normal):
        errors += [] if allow_synthetic else ["synthetic_identity"]
    elif "identity_form" not in errors:
        warnings = warnings + _region_warnings(normal[:6], regions)
    return Verdict(normal=normal, errors=tuple(errors), warnings=tuple(warnings))


def _resident_errors(number: str) -> list[str]:
    if not _RESIDENT_18.fullmatch(number):
        return ["identity_form"]
    errors = []
    try:
        _real_date(number[6:14])
    except InvalidValue as wrong:
        errors.append(wrong.code)
    if number[17] != _check_character(number):
        errors.append("identity_check_digit")
    return errors


def _region_warnings(code: str, regions: Regions) -> list[str]:
    if regions.is_abolished(code):
        return ["region_abolished"]
    return [] if regions.get(code) else ["region_unknown"]


def _eighteen(number: str) -> str:
    plain = _plain(number)
    if _RESIDENT_15.fullmatch(plain):
        return upgrade_15(plain)
    if not _RESIDENT_18.fullmatch(plain):
        raise InvalidValue("identity_form")
    return plain


def _plain(text: str) -> str:
    """Full-width to half-width and a–z to upper case; nothing else, so ① or a space stays an error."""
    return text.translate(_HALF_WIDTH_UPPER)


def _real_date(digits: str) -> date:
    try:
        day = date(int(digits[:4]), int(digits[4:6]), int(digits[6:8]))
    except ValueError as wrong:
        raise InvalidValue("identity_date") from wrong
    if day.year < EARLIEST_BIRTH_YEAR:
        raise InvalidValue("identity_date")
    return day


def _check_character(number: str) -> str:
    return _ID_CHECK[sum(int(digit) * weight for digit, weight in zip(number, _ID_WEIGHTS, strict=False)) % 11]


def _uscc_check_character(text: str) -> str:
    total = sum(_USCC_ALPHABET.index(char) * pow(3, place, 31) for place, char in enumerate(text[:17]))
    return _USCC_ALPHABET[-total % 31]

"""归一 The copies of names, numbers and phones that are compared, and never anything that is signed, stored or shown.

Names: NFKC, format characters, spaces and separators (·•・) dropped, traditional and variant forms folded to one
(`variants.csv`), Latin letters upper case without accents. Numbers: half-width, upper case, without separators, 15
digits as 18. Nothing here refuses a text: what cannot be read is compared as it stands, or not at all.
"""

import re
import unicodedata
from datetime import date
from functools import cache, lru_cache
from importlib.resources import files
from typing import NamedTuple

from gateway.domain.identifiers import EARLIEST_BIRTH_YEAR, IdType, check_identity, parse_disability_certificate
from gateway.domain.regions import Regions
from gateway.domain.values import InvalidValue

SEPARATORS = "·•・‧∙⋅᛫･․‐‑‒–—―-'’‘`´.,、，。_/\\"
"""What people write between the parts of a name."""
_DROPPED = {**dict.fromkeys(map(ord, SEPARATORS), " "), **dict.fromkeys(map(ord, "'’‘`´"))}
_PLAIN_HAN = re.compile(r"[一-鿿]{1,20}")
_LATIN = re.compile(r"[A-Z]")
_NUMBER_NOISE = re.compile(r"[\s\-‐‑–—_·.]")
_NOT_DIGIT = re.compile(r"[^0-9]")
_MOBILE, _LEAST_PHONE = 11, 7
RESIDENT_DIGITS = 18
_SHARED_KIND = {"420": "HM", "421": "HM", "516": "HM"}
"""Courts write a Hong Kong or Macau number under any of three kinds."""
_OF_A_HOUSEHOLD = frozenset({"113"})
"""The booklet's number is its whole household's: it proves nobody."""


class ComparedNumber(NamedTuple):
    """证件号码 as it is compared. kind: GA/T 517, or `HM`; is_proven: form, date and check digit are right."""

    kind: str
    text: str
    is_proven: bool
    was_15: bool = False


def plain_name(text: str) -> str:
    """The name in its own characters: what two clerks write alike. Han names without spaces, others with single ones
    between their parts."""
    if _PLAIN_HAN.fullmatch(text):
        return text
    decomposed = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text).upper())
    kept = "".join(_shown(character) for character in decomposed)
    parts = unicodedata.normalize("NFC", kept).translate(_DROPPED).split()
    return (" " if _LATIN.search(kept) else "").join(parts)


def _shown(character: str) -> str:
    category = unicodedata.category(character)
    if category[0] == "Z":
        return " "
    return "" if category in ("Cf", "Cc", "Mn", "Me", "Co", "Cs") else character


def fold_name(plain: str) -> str:
    """A plain name with every character in its common form: 劉曉紅 and 刘晓红 are one."""
    return plain.translate(_variants())


@cache
def _variants() -> dict[int, str]:
    rows = files("gateway.matching").joinpath("variants.csv").read_text(encoding="utf-8").splitlines()[1:]
    pairs = (row.split(",") for row in rows)
    return {ord(other): plain for plain, others in pairs for other in others}


def fold_phone(text: str | None) -> str | None:
    """Digits alone, without the country's code; None for what is too short to be a telephone."""
    if not text:
        return None
    digits = _NOT_DIGIT.sub("", unicodedata.normalize("NFKC", text))
    if len(digits) > _MOBILE:
        digits = digits.removeprefix("00").removeprefix("86")
    return digits if len(digits) >= _LEAST_PHONE else None


def fold_number(id_type: str | None, number: str | None, *, regions: Regions) -> ComparedNumber | None:
    """The number as it is compared; None where there is none. One that is not proven is kept: it may be mistyped."""
    if not number:
        return None
    if id_type == IdType.RESIDENT_ID and _is_clean(number):
        return ComparedNumber("111", number, True)
    text = _NUMBER_NOISE.sub("", unicodedata.normalize("NFKC", number).upper())
    text = unicodedata.normalize("NFKC", text)
    try:
        kind = IdType(id_type or "")
    except ValueError:
        return ComparedNumber(kind=id_type or "", text=text, is_proven=False) if text else None
    verdict = check_identity(kind, text, regions=regions, allow_synthetic=True)
    if not verdict.normal:
        return None
    return ComparedNumber(
        kind=_SHARED_KIND.get(kind.value, kind.value),
        text=verdict.normal,
        is_proven=verdict.is_acceptable and kind not in _OF_A_HOUSEHOLD,
        was_15="legacy_15_digits" in verdict.warnings and verdict.is_acceptable,
    )


def _is_clean(number: str) -> bool:
    """The common case without a full check: a right resident id in half-width digits. Whatever is not waits for the
    full check."""
    if len(number) != RESIDENT_DIGITS or not number.isascii() or not number[:17].isdigit() or number[0] == "0":
        return False
    body, sums = number[:17], _CHECK_SUMS
    total = (
        sums[0][body[:3]] + sums[1][body[3:6]] + sums[2][body[6:9]]
        + sums[3][body[9:12]] + sums[4][body[12:15]] + sums[5][body[15:]]
    )  # fmt: skip
    return number[17] == "10X98765432"[total % 11] and _is_real_day(number[6:14])


def _partial_sums(place: int, digits: int) -> dict[str, int]:
    """What every text of so many digits adds to the check sum at that place (ISO 7064 MOD 11-2)."""
    texts = (f"{number:0{digits}d}" for number in range(10**digits))
    return {text: sum(int(d) * pow(2, 17 - place - n, 11) for n, d in enumerate(text)) for text in texts}


_CHECK_SUMS = tuple(_partial_sums(place, 2 if place == 15 else 3) for place in range(0, 17, 3))


@lru_cache(maxsize=50_000)
def _is_real_day(digits: str) -> bool:
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:8])).year >= EARLIEST_BIRTH_YEAR
    except ValueError:
        return False


def holder_of(certificate: str | None) -> str | None:
    """The resident id inside a disability certificate's number; None for one that cannot be read."""
    if not certificate:
        return None
    try:
        text = _NUMBER_NOISE.sub("", unicodedata.normalize("NFKC", certificate))
        return parse_disability_certificate(text, allow_synthetic=True).holder_id
    except InvalidValue:
        return None

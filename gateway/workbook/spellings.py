"""填写习惯 What a clerk may write in a cell, and the one value it means.

Days as 2024-09-01, 2024/9/1, 2024.9.1, 2024年9月1日 or 20240901; money in yuan with or without thousands separators;
yes and no as 是 and 否; several words between 、 ； commas or line breaks. What could mean two things is refused with
`InvalidValue` and a code of `field_codes.csv`. Full-width digits count as digits.
"""

import re
from datetime import date, datetime, time
from unicodedata import normalize

from gateway.domain.calendar import CHINA
from gateway.domain.values import InvalidValue

_DAY = re.compile(r"([0-9]{4})(?:-([0-9]{1,2})-|/([0-9]{1,2})/|\.([0-9]{1,2})\.|年([0-9]{1,2})月)([0-9]{1,2})日?")
_DAY_DIGITS = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})")
_MOMENT = re.compile(r"(\S+?)[ T]+([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?")
_EXACT_MOMENT = re.compile(r"[0-9-]{10}T[0-9:.]+(?:Z|[+-][0-9]{2}:[0-9]{2})")
_YUAN = re.compile(r"([0-9]+|[0-9]{1,3}(?:,[0-9]{3})+)(?:\.([0-9]{1,2})0*)?")
_YUAN_DIGITS = 11
_WHOLE_DIGITS = 15
_BETWEEN = re.compile(r"[、,，;；\n]")
_END_OF_DAY = time(23, 59, 59)
_FLAGS = {
    **dict.fromkeys(("是", "有", "yes", "y", "true"), True),
    **dict.fromkeys(("否", "无", "no", "n", "false"), False),
}


def read_day(text: str) -> date:
    """The day; InvalidValue `not_a_day`."""
    plain = _plain(text)
    found = _DAY.fullmatch(plain) or _DAY_DIGITS.fullmatch(plain)
    if found is None:
        raise InvalidValue("not_a_day")
    year, month, day = (int(part) for part in found.groups() if part)
    try:
        return date(year, month, day)
    except ValueError as wrong:
        raise InvalidValue("not_a_day") from wrong


def read_moment(text: str) -> str:
    """RFC 3339 text: one with its offset stays as it is, else it is China time; a day alone means its end."""
    plain = _plain(text)
    if _EXACT_MOMENT.fullmatch(plain):
        return plain
    found = _MOMENT.fullmatch(plain)
    try:
        day = read_day(found[1] if found else plain)
        clock = time(int(found[2]), int(found[3]), int(found[4] or 0)) if found else _END_OF_DAY
    except (InvalidValue, ValueError) as wrong:
        raise InvalidValue("not_a_moment") from wrong
    return datetime.combine(day, clock, CHINA).isoformat()


def read_yuan(text: str) -> int:
    """Fen of an amount in yuan, exact; InvalidValue `pattern` (also for more than two decimals) or `out_of_range`."""
    found = _YUAN.fullmatch(_plain(text).removeprefix("¥").removesuffix("元").strip())
    if found is None:
        raise InvalidValue("pattern")
    whole = found[1].replace(",", "").lstrip("0") or "0"
    if len(whole) > _YUAN_DIGITS:
        raise InvalidValue("out_of_range")
    return int(whole) * 100 + int((found[2] or "").ljust(2, "0"))


def read_flag(text: str) -> bool:
    """是 or 否; InvalidValue `not_boolean`."""
    found = _FLAGS.get(_plain(text).lower())
    if found is None:
        raise InvalidValue("not_boolean")
    return found


def read_whole(text: str) -> int:
    """A count; InvalidValue `not_integer` or `out_of_range`."""
    plain = _plain(text)
    if not (plain.isascii() and plain.isdigit()):
        raise InvalidValue("not_integer")
    if len(plain) > _WHOLE_DIGITS:
        raise InvalidValue("out_of_range")
    return int(plain)


def read_texts(text: str) -> list[str]:
    """The words of one cell, in order; never an empty one."""
    return [word for part in _BETWEEN.split(text) if (word := part.strip())]


def _plain(text: str) -> str:
    """Full-width digits and signs as half-width, without blanks around; used where a cell holds no free text."""
    return normalize("NFKC", text).strip()

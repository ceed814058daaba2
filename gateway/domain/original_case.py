"""原案件 Which numbers are one matter: the first-instance, final and enforcement numbers of one case.

Rules: a court may state several numbers of one matter in one field, parted by `;` or `、`; each is read by
`parse_original_case_number` and written in one spelling (full-width brackets, no 字第, no leading noughts).
What is no court's number (a procuratorate's, a case named in words) stands for itself as a whole. Numbers that one
sender states together are one matter, and so is whatever shares a number with them: `matter_of` follows that on.
Nothing is guessed from likeness: two numbers nobody stated together stay two matters.
"""

import re
from collections.abc import Iterable, Sequence

from gateway.domain.case_number import parse_original_case_number
from gateway.domain.values import InvalidValue

Statement = tuple[str, ...]
"""Numbers that one sender states to be one matter."""

MOST_NUMBERS = 20
_PARTS = re.compile(r"[;；、,，\n]+")
_SPELLINGS = str.maketrans("()〔〕[]【】０１２３４５６７８９－", "（）（）（）（）0123456789-", " \u3000\t")
_SUBS = {character: str(number) for number, character in enumerate("一二三四五六七八九十", start=1)}
_LEADING = re.compile(r"^0+(?=[0-9])")


def numbers_of(text: str | None) -> Statement:
    """The numbers a field states, each in the one spelling, in order, each once; empty for an empty field.

    Where no part is a court's number the whole text is the one number. Parts beside court numbers that are none
    (`13号`) are left out: they would join strangers.
    """
    if text is None or not text.strip():
        return ()
    plain = text.translate(_SPELLINGS)
    parts = [part for part in _PARTS.split(plain) if part]
    read = [spelled for part in parts if (spelled := _spelled(part)) is not None]
    return tuple(dict.fromkeys(read))[:MOST_NUMBERS] or (plain,)


def matter_of(own: Iterable[str], statements: Iterable[Sequence[str]]) -> frozenset[str]:
    """Every number of the matter that `own` numbers belong to, by what was stated together."""
    matter, waiting = set(own), [set(one) for one in statements]
    grew = bool(matter)
    while grew:
        joined = [one for one in waiting if one & matter]
        waiting = [one for one in waiting if not one & matter]
        grew = bool(joined)
        matter.update(*joined)
    return frozenset(matter)


def path_between(mine: Sequence[str], other: Sequence[str], statements: Iterable[Statement]) -> list[Statement]:
    """Statements by which the other's numbers are mine, fewest first found; empty where they share one, or nothing
    joins them."""
    known = list(dict.fromkeys(tuple(one) for one in statements))
    reached: dict[Statement, list[Statement]] = {}
    front: list[tuple[Statement, list[Statement]]] = [(tuple(mine), [])]
    while front:
        here, way = front.pop(0)
        if set(here) & set(other):
            return way
        for one in known:
            if one not in reached and set(one) & set(here):
                reached[one] = [*way, one]
                front.append((one, reached[one]))
    return []


def _spelled(text: str) -> str | None:
    try:
        read = parse_original_case_number(text)
    except InvalidValue:
        return None
    serial = "-".join(_LEADING.sub("", part) for part in read.serial.split("-"))
    kind = read.kind.removesuffix("第").removesuffix("字")
    sub = "" if read.sub is None else f"之{_SUBS.get(read.sub, read.sub)}"
    return f"（{read.year}）{read.court}{kind}{serial}号{sub}"

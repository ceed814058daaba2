"""行提示 What a partner's command says about one row: where, which code, what is wrong, what to do; in both languages.

Rules: nothing of the row itself is repeated, only places, codes and the texts kept for them.
"""

from collections.abc import Iterable, Mapping
from functools import cache

from gateway.cli.console import say
from gateway.client import Refused
from gateway.domain.field_codes import load_field_codes
from gateway.errors import XianjieError, every_error


def say_problem(place: str, where: str, code: str, note: str = "") -> None:
    """One field or row that cannot be taken; a heading of two lines becomes one."""
    says = explained(code)
    told = f"{says} ({note})" if says and note else says or note
    say(" ".join(part for part in (place, where.replace("\n", " "), f"[{code}]", told) if part))


def say_refused(refused: Refused) -> None:
    """A row the gateway refused, and each of its fields."""
    told = explained(refused.code) or f"{refused.title} → {refused.next_step}"
    say(f"{refused.reference} 未接收 refused [{refused.code}] {told}")
    say_fields(refused.reference, refused.errors)


def say_unusable(place: str, error: XianjieError) -> None:
    """A row or a file that was refused on this side of the wire, and each of its fields."""
    say_problem(place, "", error.code, error.note)
    say_fields(place, [{"pointer": field.pointer, "code": field.code} for field in error.problems])


def say_fields(place: str, fields: Iterable[Mapping[str, str]]) -> None:
    """Fields by their pointers, below the line that named the row."""
    for field in fields:
        say_problem(f"{place}  ", str(field.get("pointer", "")), str(field.get("code", "")))


def explained(code: str) -> str:
    """What a field's or an error's code means and what to do about it; empty for a code this version does not know."""
    field = load_field_codes().get(code)
    if field is not None:
        return f"{field.zh}；{field.fix_zh} {field.en}. {field.fix_en}"
    error = _errors().get(code)
    if error is None:
        return ""
    return f"{error.title[0]} → {error.next_step[0]} {error.title[1]} → {error.next_step[1]}"


@cache
def _errors() -> Mapping[str, type[XianjieError]]:
    return {error.code: error for error in every_error()}

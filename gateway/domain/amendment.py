"""移送更正 What an amendment changes of a referral, and which of it a court may amend.

Rules: a referral says who, what and how much; those are never amended, because every check and every agency rests on
them: such a referral is withdrawn and written anew. What only helps to reach, find or understand the person may be
amended (`rules/amendable.csv`). Two versions are compared as they were read, field by field.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict
from functools import cache
from typing import Any

from gateway.domain.referral import Referral
from gateway.domain.rules import read_table

ANY = "*"
"""In a pointer of the table: whichever place of a list."""


def changed(before: Referral, after: Referral) -> tuple[str, ...]:
    """JSON pointers of what differs, in order; a list whose length changed is named whole."""
    return tuple(_differences(asdict(before), asdict(after), ""))


def not_amendable(pointers: Iterable[str]) -> tuple[str, ...]:
    """Those of the pointers a court may not amend."""
    return tuple(pointer for pointer in pointers if row_of(pointer) is None)


def row_of(pointer: str) -> Mapping[str, str] | None:
    """The row of the table that lets the field be amended, with its names; None where none does."""
    parts = pointer.split("/")
    return next((row for row in _amendable() if _begins(parts, row["pointer"].split("/"))), None)


def overlaid(before: Mapping[str, Any], typed: Mapping[str, Any]) -> dict[str, Any]:
    """A referral's data with what may be amended as it was typed, and all else as it was. The needs are the same."""
    found: dict[str, Any] = deepcopy(dict(before))
    for row in _amendable():
        _overlay(found, typed, row["pointer"].split("/")[1:])
    return found


def _overlay(found: Any, typed: Any, parts: Sequence[str]) -> None:
    name, *rest = parts
    if name == ANY:
        for one, other in zip(found, typed, strict=True):
            _overlay(one, other, rest)
    elif rest:
        if name in found:
            _overlay(found[name], typed[name], rest)
    elif name in typed:
        found[name] = typed[name]
    else:
        found.pop(name, None)


@cache
def _amendable() -> tuple[Mapping[str, str], ...]:
    return tuple(read_table("amendable"))


def _begins(parts: list[str], allowed: list[str]) -> bool:
    return len(parts) >= len(allowed) and all(
        wanted in (ANY, part) for wanted, part in zip(allowed, parts, strict=False)
    )


def _differences(before: Any, after: Any, at: str) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in before:
            yield from _differences(before[name], after[name], f"{at}/{name}")
    elif isinstance(before, tuple) and isinstance(after, tuple) and len(before) == len(after):
        for place, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _differences(one, other, f"{at}/{place}")
    elif before != after:
        yield at

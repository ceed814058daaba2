"""字段问题 The codes strict fields say no with, and marshmallow's nested messages as RFC 6901 pointers and codes.

A name the sender made up is shown as `?` unless it looks like a field name, because it may hold personal data.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any

CODES: tuple[str, ...] = (
    "required",
    "unknown_field",
    "null_not_allowed",
    "not_text",
    "too_short",
    "too_long",
    "blank",
    "control_character",
    "lone_surrogate",
    "pattern",
    "not_integer",
    "out_of_range",
    "not_a_day",
    "not_a_moment",
    "unknown_code",
    "not_boolean",
    "not_list",
    "too_few",
    "too_many",
    "repeated",
    "not_object",
    "invalid",
)
PROBLEM_LIMIT = 200
_FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


def flatten(
    messages: Mapping[Any, Any] | Collection[Any], *, prefix: str = "", limit: int = PROBLEM_LIMIT
) -> list[tuple[str, str]]:
    """Marshmallow's nested messages as (RFC 6901 pointer, code), sorted, each pair once, at most `limit` of them."""
    found: set[tuple[str, str]] = set()

    def walk(node: Any, pointer: str) -> None:
        if isinstance(node, Mapping):
            for name, inner in node.items():
                walk(inner, pointer if name == "_schema" else f"{pointer}/{_step(name)}")
        elif isinstance(node, str):
            found.add((pointer, node if node in _KNOWN or _FIELD_NAME.fullmatch(node) else "invalid"))
        else:
            for inner in node:
                walk(inner, pointer)

    walk(messages, prefix)
    return sorted(found)[:limit]


_KNOWN = frozenset(CODES)


def _step(name: Any) -> str:
    """One pointer token; `?` for a name that is neither an index nor shaped like a field name."""
    if type(name) is int or (isinstance(name, str) and _FIELD_NAME.fullmatch(name)):
        return str(name)
    return "?"

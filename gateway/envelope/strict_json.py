"""严格 JSON The I-JSON subset (RFC 7493) every payload and header is read in, and the one way JSON is written.

Refused: more bytes than the cap, anything but UTF-8 without a byte order mark, a duplicate key, NaN and infinity, a
lone surrogate in a key or a value, an integer beyond ±(2^53-1), nesting deeper than 32, and floats unless asked for
(money is integer fen). Size and depth are checked before the parser runs. Errors name the rule, never the content.
Left out on purpose: RFC 7493's ban on noncharacters, because the domain never refuses a rare character.
"""

import json
import re
from typing import Any, Never

from gateway.errors import MalformedJson, TooLarge

MAX_DEPTH = 32
MAX_INTEGER = 2**53 - 1
MAX_DIGITS = 16
MAX_FLOAT_CHARACTERS = 32

# Possessive, and an unterminated string runs to the end: linear whatever the sender wrote.
_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_NOT_BRACKET = re.compile(r"[^\[\]{}]+")
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def loads(raw: bytes | str, *, max_bytes: int = 1_048_576, allow_floats: bool = False) -> Any:
    """One JSON value. Raises `TooLarge`, or `MalformedJson` whose note says which rule was broken."""
    text = _text(raw, max_bytes)
    if text.count("[") + text.count("{") > MAX_DEPTH:
        _refuse_depth(text)
    try:
        value = (_WITH_FLOATS if allow_floats else _WITHOUT_FLOATS).decode(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise MalformedJson("syntax") from error
    if _ESCAPED_SURROGATE.search(text):
        _refuse_lone_surrogates(value)
    return value


def dumps(value: Any) -> bytes:
    """Compact UTF-8 in the order of the keys. ValueError for NaN, infinity and lone surrogates: our own mistake."""
    return _ENCODER.encode(value).encode("utf-8")


def _text(raw: bytes | str, max_bytes: int) -> str:
    """The decoded text of at most `max_bytes` bytes."""
    if len(raw) > max_bytes:
        raise TooLarge("json")
    try:
        if isinstance(raw, bytes):
            return raw.decode("utf-8")
        if len(raw.encode("utf-8")) > max_bytes:
            raise TooLarge("json")
    except UnicodeError as error:
        raise MalformedJson("not_utf8") from error
    return raw


def _refuse_depth(text: str) -> None:
    depth = 0
    for bracket in _NOT_BRACKET.sub("", _STRING.sub("", text)):
        if bracket in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise MalformedJson("too_deep")
        else:
            depth -= 1


def _refuse_lone_surrogates(value: Any) -> None:
    """A pair of escapes has become one character by now, so any surrogate left stands alone."""
    try:
        _ENCODER.encode(value).encode("utf-8")
    except UnicodeEncodeError as error:
        raise MalformedJson("lone_surrogate") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise MalformedJson("duplicate_key")
    return found


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS + 1 or not -MAX_INTEGER <= (value := int(digits)) <= MAX_INTEGER:
        raise MalformedJson("integer_out_of_range")
    return value


def _float(digits: str) -> float:
    if len(digits) > MAX_FLOAT_CHARACTERS or (value := float(digits)) in (float("inf"), float("-inf")):
        raise MalformedJson("float_out_of_range")
    return value


def _no_float(_digits: str) -> Never:
    raise MalformedJson("float")


def _no_constant(_name: str) -> Never:
    raise MalformedJson("not_a_number")


_WITHOUT_FLOATS = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_no_float, parse_constant=_no_constant
)
_WITH_FLOATS = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_no_constant
)
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))

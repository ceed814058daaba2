"""The I-JSON subset: what is read, what is refused, and that refusing costs little."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.envelope import strict_json
from gateway.errors import MalformedJson, TooLarge

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=10,
)


def refusal(raw: bytes | str, **options: Any) -> str:
    with pytest.raises(MalformedJson) as caught:
        strict_json.loads(raw, **options)
    return caught.value.note


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"{}", {}),
        (b' {"a" : [1, -2, true, null]} \r\n', {"a": [1, -2, True, None]}),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        ('"𠮷㐂"', "𠮷㐂"),
        (b"9007199254740991", 2**53 - 1),
        (b"-9007199254740991", -(2**53) + 1),
        (b"-0", 0),
        (b'{"\\u0000":"\\u0000"}', {"\x00": "\x00"}),
        (b'"\\\\ud800"', "\\ud800"),
    ],
)
def test_what_the_subset_allows_is_read(raw: bytes | str, value: Any) -> None:
    assert value == strict_json.loads(raw)


@pytest.mark.parametrize(
    ("raw", "note"),
    [
        (b"", "syntax"),
        (b" ", "syntax"),
        (b"{", "syntax"),
        (b'{"a":1,}', "syntax"),
        (b"[1,]", "syntax"),
        (b"01", "syntax"),
        (b"+1", "syntax"),
        (b"{} x", "syntax"),
        (b'"\t"', "syntax"),
        (b'"\\x41"', "syntax"),
        (b'"\\ud8"', "syntax"),
        (b"\xef\xbb\xbf{}", "syntax"),
        ("\ufeff{}", "syntax"),
        (b"{}\x00", "syntax"),
        ("{}".encode("utf-16"), "not_utf8"),
        (b'"\xc0\xaf"', "not_utf8"),
        (b'"\xed\xbf\xbf"', "not_utf8"),
        ('"\ud800"', "not_utf8"),
        (b'{"a":1,"a":1}', "duplicate_key"),
        (b'[{"a":{"b":1,"\\u0062":2}}]', "duplicate_key"),
        (b'{"":1,"":2}', "duplicate_key"),
        (b"NaN", "not_a_number"),
        (b"[Infinity]", "not_a_number"),
        (b"-Infinity", "not_a_number"),
        (b"9007199254740992", "integer_out_of_range"),
        (b"-9007199254740992", "integer_out_of_range"),
        (b"1" + b"0" * 5000, "integer_out_of_range"),
        (b"1.0", "float"),
        (b"1e2", "float"),
        (b"-0.0", "float"),
        (b'"\\ud800"', "lone_surrogate"),
        (b'"\\udc00\\ud800"', "lone_surrogate"),
        (b'["\\ud83dx"]', "lone_surrogate"),
        (b'{"a":{"\\uDFFF":1}}', "lone_surrogate"),
    ],
)
def test_what_the_subset_excludes_is_refused(raw: bytes | str, note: str) -> None:
    assert note == refusal(raw)


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_depth_32_is_read_and_33_is_refused(opening: bytes, closing: bytes) -> None:
    assert strict_json.loads(opening * 32 + b"1" + closing * 32)
    assert "too_deep" == refusal(opening * 33 + b"1" + closing * 33)


def test_brackets_inside_strings_are_not_depth() -> None:
    value = {"a": "[" * 100, "b": '\\"{' * 50, "c": ["]"] * 40, "d": "\\"}
    assert value == strict_json.loads(json.dumps(value))


def test_many_shallow_brackets_are_not_depth() -> None:
    assert [[]] * 5000 == strict_json.loads(b"[" + b",".join([b"[]"] * 5000) + b"]")


def test_depth_is_found_after_a_string_that_ends_in_escapes() -> None:
    assert "too_deep" == refusal(b'["\\\\",' + b"[" * 40)


@pytest.mark.timeout(5)
@pytest.mark.parametrize(
    "raw",
    [
        b"[" * 1_000_000,
        b'"' + b'\\"' * 400_000 + b"[" * 100,
        b"[" * 40 + b'"' + b"\\" * 900_001,
        b'{"a":' * 150_000,
        b'"' * 900_000 + b"[" * 100,
        b"9" * 1_000_000,
        b"1." + b"9" * 1_000_000,
    ],
)
def test_a_bomb_is_refused_in_linear_time(raw: bytes) -> None:
    with pytest.raises(MalformedJson):
        strict_json.loads(raw, allow_floats=True)


@pytest.mark.parametrize("raw", [b'"' + b"x" * 30 + b'"', "é" * 12, '"' + "x" * 30 + '"'])
def test_more_bytes_than_the_cap_are_refused(raw: bytes | str) -> None:
    with pytest.raises(TooLarge):
        strict_json.loads(raw, max_bytes=20)


def test_floats_are_read_only_when_asked_for() -> None:
    assert [1.5, 100.0] == strict_json.loads(b"[1.5, 1e2]", allow_floats=True)
    for raw in (b"1e999", b"-1e999", b"0." + b"1" * 100):
        assert "float_out_of_range" == refusal(raw, allow_floats=True)


def test_an_error_never_shows_the_content() -> None:
    with pytest.raises(MalformedJson) as caught:
        strict_json.loads('{"name":"张三","name":"李四"}')
    assert "张" not in str(caught.value)


def test_json_is_written_compact_in_utf8_and_in_order() -> None:
    assert '{"b":[1,true,null],"a":"张三"}'.encode() == strict_json.dumps({"b": [1, True, None], "a": "张三"})


@pytest.mark.parametrize("value", [math.nan, [math.inf], {"a": -math.inf}, "\ud800", {"\udc00": 1}])
def test_what_could_not_be_read_back_is_not_written(value: Any) -> None:
    with pytest.raises(ValueError):
        strict_json.dumps(value)


@given(VALUES)
def test_what_is_written_is_read_back(value: Any) -> None:
    assert value == strict_json.loads(strict_json.dumps(value))


@given(VALUES)
def test_an_escaped_spelling_reads_the_same(value: Any) -> None:
    assert value == strict_json.loads(json.dumps(value, ensure_ascii=True, indent=1))


@given(st.binary(max_size=60))
def test_arbitrary_bytes_are_read_or_refused_by_our_own_error(raw: bytes) -> None:
    try:
        strict_json.loads(raw)
    except (MalformedJson, TooLarge):
        return
    json.loads(raw)

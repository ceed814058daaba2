"""The strict fields of every wire shape: what they take, the one code they answer with, and the pointers."""

from datetime import UTC, date, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError
from marshmallow import fields as base

from schemas.fields import (
    FEN_MAX,
    Code,
    Day,
    Fen,
    Flag,
    ListOf,
    MessageId,
    Moment,
    Nest,
    Open,
    OpenObject,
    PartyId,
    RegionCode,
    Sha256,
    StrictSchema,
    Text,
    Whole,
    format_moment,
)
from schemas.problems import CODES, flatten


class Colour(StrEnum):
    RED = "RED"
    BLUE = "BLUE"


class Inner(StrictSchema):
    flag = Flag(required=True)


class Outer(StrictSchema):
    name = Text(max=10, required=True)
    amounts = ListOf(Fen(), max=3)
    inners = ListOf(Nest(Inner))
    inner = Nest(Inner)


SCHEMA = Outer()


def code_of(field: base.Field[Any], value: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        field.deserialize(value)
    [code] = caught.value.messages
    return str(code)


def problems_of(value: Any) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as caught:
        SCHEMA.load(value)
    return flatten(caught.value.messages)


# --- texts ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["张三", " 张 三 ", "阿卜杜·热合曼", "𠮷", "e\u0301", "'; DROP TABLE", "👨‍👩‍👧"])
def test_a_text_is_taken_as_it_is(value: str) -> None:
    assert value == Text(max=20).deserialize(value)


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (None, "null_not_allowed"),
        (1, "not_text"),
        (True, "not_text"),
        ([], "not_text"),
        ("", "blank"),
        ("  \u3000", "blank"),
        ("\u200b\ufeff\u2060", "blank"),
        ("a\x00b", "control_character"),
        ("a\nb", "control_character"),
        ("a\tb", "control_character"),
        ("a\x7f", "control_character"),
        ("a\x85", "control_character"),
        ("a\u2028", "control_character"),
        ("a\u202eb", "control_character"),
        ("a\u2066b", "control_character"),
        ("a\ud800", "lone_surrogate"),
        ("a\udfffb", "lone_surrogate"),
        ("x", "too_short"),
        ("x" * 6, "too_long"),
    ],
)
def test_a_text_that_is_none_is_refused(value: Any, code: str) -> None:
    assert code == code_of(Text(min=2, max=5), value)


def test_length_counts_characters_not_bytes() -> None:
    assert "𠮷" * 5 == Text(max=5).deserialize("𠮷" * 5)


def test_lines_are_taken_only_where_asked_for() -> None:
    assert "一\n二" == Text(lines=True).deserialize("一\n二")
    assert "control_character" == code_of(Text(lines=True), "一\r\n二")


def test_an_empty_text_is_taken_only_where_asked_for() -> None:
    assert "" == Text(min=0).deserialize("")
    assert "blank" == code_of(Text(min=0), " ")


@pytest.mark.parametrize("value", ["ab\n", "xab", "abx", "AB"])
def test_a_pattern_covers_the_whole_text(value: str) -> None:
    field = Text(pattern="ab|cd", lines=True)
    assert "cd" == field.deserialize("cd")
    assert "pattern" == code_of(field, value)


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        (Sha256(), "0a" * 32, ["0A" * 32, "0a" * 31, "0a" * 32 + "\n", "g" * 64, ""]),
        (PartyId(), "cn/court/520100", ["cn/court", "cn//520100", "CN/court/1", "cn/court/贵阳", "cn/court/1\n"]),
        (RegionCode(), "520102", ["52010", "5201022", "52010a", "５２０１０２", "520102\n"]),
        (MessageId(), "0195f6a2-7c00:x.y_Z", ["", "a" * 65, "a b", "a/b", "a\n"]),
    ],
)
def test_a_token_is_wholly_described_by_its_pattern(field: base.Field[Any], good: str, bad: list[str]) -> None:
    assert good == field.deserialize(good)
    assert ["pattern"] * len(bad) == [code_of(field, value) for value in bad]
    assert "not_text" == code_of(field, 520102)


# --- numbers and flags ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0, 1, FEN_MAX])
def test_fen_are_taken_within_their_range(value: int) -> None:
    assert value == Fen().deserialize(value)


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (-1, "out_of_range"),
        (FEN_MAX + 1, "out_of_range"),
        (10**30, "out_of_range"),
        (True, "not_integer"),
        (1.0, "not_integer"),
        ("1", "not_integer"),
        ([1], "not_integer"),
        (None, "null_not_allowed"),
    ],
)
def test_fen_that_are_none_are_refused(value: Any, code: str) -> None:
    assert code == code_of(Fen(), value)


def test_a_whole_number_keeps_its_own_range() -> None:
    assert [-3, 3] == [Whole(min=-3, max=3).deserialize(value) for value in (-3, 3)]
    assert ["out_of_range"] * 2 == [code_of(Whole(min=-3, max=3), value) for value in (-4, 4)]


@pytest.mark.parametrize("value", [0, 1, "true", "", "yes", []])
def test_a_flag_is_true_or_false_and_nothing_like_it(value: Any) -> None:
    assert [True, False] == [Flag().deserialize(flag) for flag in (True, False)]
    assert "not_boolean" == code_of(Flag(), value)


# --- days and moments -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        "2025-02-29",
        "2025-13-01",
        "2025-00-10",
        "20250301",
        "2025-3-1",
        "2025-W09-1",
        "2025-03-01T00:00:00Z",
        "0000-01-01",
    ],
)
def test_a_day_is_one_that_exists_in_one_spelling(value: str) -> None:
    assert date(2024, 2, 29) == Day().deserialize("2024-02-29")
    assert "not_a_day" == code_of(Day(), value)


@pytest.mark.parametrize("value", [1741000000, True, [], {}])
def test_a_day_or_moment_that_is_no_text_is_refused(value: Any) -> None:
    assert ["not_text", "not_text"] == [code_of(Day(), value), code_of(Moment(), value)]


def test_a_moment_without_zone_is_not_written() -> None:
    with pytest.raises(ValueError):
        format_moment(datetime(2025, 3, 3))


def test_a_moment_is_read_into_utc() -> None:
    expected = datetime(2025, 3, 3, 1, 2, 3, 450_000, tzinfo=UTC)
    assert expected == Moment().deserialize("2025-03-03T09:02:03.45+08:00")


@pytest.mark.parametrize(
    "value",
    [
        "2025-03-03T09:00:00",
        "2025-03-03T09:00Z",
        "2025-03-03t09:00:00z",
        "2025-03-03T09:00:00,5Z",
        "2025-03-03T09:00:00.Z",
        "2025-03-03T09:00:00+0800",
        "2025-03-03T09:00:00+08",
        "2025-03-03T09:00:00+25:00",
        "20250303T090000Z",
        "2025-03-03",
        "2025-03-03T09:00:00Z ",
        "",
    ],
)
def test_a_moment_without_its_full_spelling_is_refused(value: str) -> None:
    assert "not_a_moment" == code_of(Moment(), value)


@given(st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=8)), timezone(timedelta(minutes=-570))])))
def test_a_written_moment_is_read_back_to_the_millisecond(moment: datetime) -> None:
    try:
        expected = moment.astimezone(UTC)
    except OverflowError:
        return
    expected = expected.replace(microsecond=expected.microsecond // 1000 * 1000)
    assert expected == Moment().deserialize(format_moment(moment))


def test_days_moments_and_codes_are_written_as_they_are_read() -> None:
    schema = StrictSchema.from_dict(
        {"day": Day(), "at": Moment(), "colour": Code(Colour), "n": Whole(), "none": Day(allow_none=True)}
    )()
    wire = {"day": "2025-03-03", "at": "2025-03-03T09:00:00.000Z", "colour": "RED", "n": 1, "none": None}
    assert wire == schema.dump(schema.load(wire))


# --- codes ----------------------------------------------------------------------------------------------------


def test_a_code_of_an_enum_loads_to_its_member() -> None:
    assert Colour.RED is Code(Colour).deserialize("RED")
    assert "GREEN" == Code(["GREEN"]).deserialize("GREEN")


@pytest.mark.parametrize("value", ["red", "RED ", "", "Colour.RED"])
def test_a_code_outside_its_list_is_refused(value: str) -> None:
    assert "unknown_code" == code_of(Code(Colour), value)


@pytest.mark.parametrize("value", [1, [], {}, True])
def test_a_code_that_is_no_text_is_refused(value: Any) -> None:
    assert "not_text" == code_of(Code(Colour), value)


# --- lists, objects, pointers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ({}, "not_list"),
        ("ab", "not_list"),
        ((1, 2), "not_list"),
        ([], "too_few"),
        ([1, 2, 3, 4], "too_many"),
        ([1, 2, 1], "repeated"),
    ],
)
def test_a_list_of_another_size_or_with_a_repeat_is_refused(value: Any, code: str) -> None:
    assert code == code_of(ListOf(Whole(), min=1, max=3, unique=True), value)


def test_open_fields_take_any_json() -> None:
    values: list[Any] = [{"a": [1]}, [], "x", 0, False]
    assert values == [Open().deserialize(value) for value in values]
    assert {"a": 1} == OpenObject().deserialize({"a": 1})
    assert "not_object" == code_of(OpenObject(), [])


@pytest.mark.parametrize(
    ("value", "problems"),
    [
        ({}, [("/name", "required")]),
        ({"name": None}, [("/name", "null_not_allowed")]),
        ({"name": "x", "colour": 1}, [("/colour", "unknown_field")]),
        ({"name": "x", "amounts": [1, "2", None]}, [("/amounts/1", "not_integer"), ("/amounts/2", "null_not_allowed")]),
        ({"name": "x", "inner": []}, [("/inner", "not_object")]),
        ({"name": "x", "inner": {}}, [("/inner/flag", "required")]),
        ({"name": "x", "inners": {}}, [("/inners", "not_list")]),
        ({"name": "x", "inners": [{"flag": True}, 7]}, [("/inners/1", "not_object")]),
        (
            {"name": "x", "inners": [{"flag": 1, "x": 2}]},
            [("/inners/0/flag", "not_boolean"), ("/inners/0/x", "unknown_field")],
        ),
        ([], [("", "not_object")]),
        (None, [("", "not_object")]),
        ("name", [("", "not_object")]),
    ],
)
def test_every_problem_has_its_pointer(value: Any, problems: list[tuple[str, str]]) -> None:
    assert problems == problems_of(value)


def test_pointers_stand_under_a_prefix() -> None:
    assert [("/data", "not_object"), ("/data/a/0", "blank")] == flatten(
        {"_schema": ["not_object"], "a": {0: ["blank"]}}, prefix="/data"
    )


@pytest.mark.parametrize("name", ["张三", "529999199001010019", "a/b", "a~b", "a b", "", "x" * 65, "_schema2/"])
def test_a_name_the_sender_made_up_is_not_repeated(name: str) -> None:
    assert [("/?", "unknown_field")] == problems_of({"name": "x", name: 1})


def test_a_message_that_is_no_code_is_not_repeated() -> None:
    assert [("/a", "invalid")] == flatten({"a": ["Not a valid value: 张三"]})


def test_the_number_of_problems_is_bounded() -> None:
    assert 200 == len(problems_of({f"field_{number}": 1 for number in range(5000)}))
    assert [("/a", "blank")] == flatten({"a": ["blank", "blank"], "b": ["blank"]}, limit=1)


def test_a_foreign_field_in_a_strict_schema_never_shows_a_value() -> None:
    schema = StrictSchema.from_dict({"number": base.Integer()})()
    with pytest.raises(ValidationError) as caught:
        schema.load({"number": "张三"})
    assert [("/number", "invalid")] == flatten(caught.value.messages)


def test_every_code_is_listed_once() -> None:
    assert len(CODES) == len(set(CODES))


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(("name", "amounts", "inners", "inner", "x"), JSON_VALUES)))
def test_whatever_comes_is_loaded_or_answered_with_listed_codes(value: dict[str, Any]) -> None:
    try:
        SCHEMA.load(value)
    except ValidationError as error:
        assert set() == {code for _, code in flatten(error.messages)} - set(CODES)

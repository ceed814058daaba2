"""字段 The strict fields every wire shape is made of, and the codes they answer with.

Rules: a field takes exactly the JSON type it names (no bool for a number, no number for a text), changes nothing it
accepts, and says no with one code of `CODES`, never with the value. Unknown fields, nulls and control characters are
refused. `schemas.problems.flatten` turns marshmallow's nested messages into pointers and codes.
"""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from enum import Enum
from functools import cached_property
from typing import Any, Generic, TypeVar

from marshmallow import RAISE, Schema, ValidationError, missing
from marshmallow import fields as base
from marshmallow.decorators import VALIDATES_SCHEMA

from schemas.problems import CODES

FEN_MAX = 10**13

_MESSAGES: dict[str, str | list[Any] | dict[Any, Any]] = {
    **{code: code for code in CODES},
    "null": "null_not_allowed",
    "validator_failed": "invalid",
    "type": "not_object",
    "unknown": "unknown_field",
}
_SURROGATE = re.compile("[\ud800-\udfff]")
_INVISIBLE = "\u00ad\u180e\u200b-\u200f\u2060-\u2064\ufeff"
# The bidirectional overrides are here because they make a text show other words than it holds.
_FORBIDDEN = "\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
_FORBIDDEN_IN_LINE = re.compile(f"[\x00-\x1f{_FORBIDDEN}]")
_FORBIDDEN_IN_LINES = re.compile(f"[\x00-\x09\x0b-\x1f{_FORBIDDEN}]")
_VISIBLE = re.compile(rf"[^\s{_INVISIBLE}]")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?"
    r"(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
_T = TypeVar("_T")
Reader = Callable[[Any], Any]


class StrictField(base.Field[_T], Generic[_T]):
    """Base of every field here: its messages are codes; a subclass says how to `read`, and to `write` if it differs."""

    default_error_messages = _MESSAGES

    def read(self, value: Any) -> _T:
        """The value of a JSON value that is not null, or `raise self.make_error(code)`."""
        found: _T = value
        return found

    def write(self, value: _T) -> Any:
        """The JSON value of a value."""
        return value

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> _T:  # noqa: ARG002
        return self.read(value)

    def _serialize(self, value: _T | None, attr: str | None, obj: Any, **kwargs: Any) -> Any:  # noqa: ARG002
        return None if value is None else self.write(value)


class Text(StrictField[str]):
    """A text of min…max characters (code points), optionally matching `pattern` as a whole.

    One line unless `lines`, which allows LF. Never stripped or normalised: what was signed is what is kept.
    """

    def __init__(
        self, min: int = 1, max: int = 200, pattern: str | None = None, *, lines: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.min, self.max, self.lines = min, max, lines
        self.pattern = re.compile(pattern) if pattern is not None else None
        self._forbidden = _FORBIDDEN_IN_LINES if lines else _FORBIDDEN_IN_LINE

    def read(self, value: Any) -> str:
        if type(value) is not str:
            raise self.make_error("not_text")
        if len(value) > self.max:
            raise self.make_error("too_long")
        if self._forbidden.search(value):
            raise self.make_error("lone_surrogate" if _SURROGATE.search(value) else "control_character")
        if not _VISIBLE.search(value) and (value or self.min > 0):
            raise self.make_error("blank")
        if len(value) < self.min:
            raise self.make_error("too_short")
        if self.pattern is not None and not self.pattern.fullmatch(value):
            raise self.make_error("pattern")
        return value


class Token(StrictField[str]):
    """A text that is wholly described by one ASCII pattern; subclasses name the pattern."""

    PATTERN = r"[A-Za-z0-9._:-]{1,64}"
    _compiled = re.compile(PATTERN)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._compiled = re.compile(cls.PATTERN)

    def read(self, value: Any) -> str:
        if type(value) is not str:
            raise self.make_error("not_text")
        if not self._compiled.fullmatch(value):
            raise self.make_error("pattern")
        return value


class MessageId(Token):
    """1–64 of `A-Z a-z 0-9 . _ : -`; every id on the wire."""


class Sha256(Token):
    """A SHA-256 digest in lowercase hexadecimal."""

    PATTERN = r"[0-9a-f]{64}"


class PartyId(Token):
    """`country/kind/name`, e.g. `cn/court/520100`."""

    PATTERN = r"[a-z]{2}/[a-z_]+/[A-Za-z0-9_.-]{1,64}"


class RegionCode(Token):
    """Six digits of GB/T 2260; whether the region exists is the domain's question."""

    PATTERN = r"[0-9]{6}"


class Whole(StrictField[int]):
    """An integer within min…max; `true`, `1.0` and `"1"` are not integers."""

    def __init__(self, min: int = 0, max: int = 2**53 - 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.min, self.max = min, max

    def read(self, value: Any) -> int:
        if type(value) is not int:
            raise self.make_error("not_integer")
        if not self.min <= value <= self.max:
            raise self.make_error("out_of_range")
        return value


class Fen(Whole):
    """Money in integer fen, 0 … 10¹³ unless narrowed."""

    def __init__(self, min: int = 0, max: int = FEN_MAX, **kwargs: Any) -> None:
        super().__init__(min=min, max=max, **kwargs)


class Flag(StrictField[bool]):
    """`true` or `false`, nothing that merely looks like it."""

    def read(self, value: Any) -> bool:
        if type(value) is not bool:
            raise self.make_error("not_boolean")
        return value


class Day(StrictField[date]):
    """`YYYY-MM-DD`, a day that exists; loads to `date`."""

    def read(self, value: Any) -> date:
        if type(value) is not str:
            raise self.make_error("not_text")
        if not _DAY.fullmatch(value):
            raise self.make_error("not_a_day")
        try:
            return date.fromisoformat(value)
        except ValueError as error:
            raise self.make_error("not_a_day") from error

    def write(self, value: date) -> str:
        return value.isoformat()


def format_moment(value: datetime) -> str:
    """An aware datetime as `YYYY-MM-DDTHH:MM:SS.mmmZ`; finer digits are cut, not rounded."""
    if value.tzinfo is None:
        raise ValueError("a moment needs a time zone")
    if value.tzinfo is not UTC:
        value = value.astimezone(UTC)
    return value.isoformat(timespec="milliseconds")[:-6] + "Z"


class Moment(StrictField[datetime]):
    """RFC 3339 with `Z` or an offset; loads to an aware UTC datetime. A time without a zone is refused."""

    def read(self, value: Any) -> datetime:
        if type(value) is not str:
            raise self.make_error("not_text")
        if not _MOMENT.fullmatch(value):
            raise self.make_error("not_a_moment")
        try:
            return datetime.fromisoformat(value).astimezone(UTC)
        except (ValueError, OverflowError) as error:
            raise self.make_error("not_a_moment") from error

    def write(self, value: datetime) -> str:
        return format_moment(value)


class Code(StrictField[Any]):
    """One text of a closed list. An Enum loads to the member, texts to themselves."""

    def __init__(self, choices: type[Enum] | Iterable[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        members = choices if isinstance(choices, type) else ()
        texts = () if isinstance(choices, type) else choices
        self.choices: dict[str, Any] = {member.value: member for member in members} | {text: text for text in texts}

    def read(self, value: Any) -> Any:
        if type(value) is not str:
            raise self.make_error("not_text")
        if value not in self.choices:
            raise self.make_error("unknown_code")
        return self.choices[value]

    def write(self, value: Any) -> Any:
        return value.value if isinstance(value, Enum) else value


class Open(StrictField[Any]):
    """Any JSON value, for a body another schema reads."""


class OpenObject(StrictField[dict[str, Any]]):
    """A JSON object whose content another schema reads."""

    def read(self, value: Any) -> dict[str, Any]:
        if type(value) is not dict:
            raise self.make_error("not_object")
        return value


class ListOf(base.List[Any]):
    """A JSON array of min…max items; `unique` refuses an equal item twice."""

    default_error_messages = _MESSAGES | {"invalid": "not_list"}

    def __init__(
        self, inner: base.Field[Any], *, min: int = 0, max: int = 200, unique: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(inner, **kwargs)
        self.min, self.max, self.unique = min, max, unique

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[Any]:
        if type(value) is not list:
            raise self.make_error("not_list")
        if len(value) < self.min:
            raise self.make_error("too_few")
        if len(value) > self.max:
            raise self.make_error("too_many")
        items = super()._deserialize(value, attr, data, **kwargs)
        if self.unique and any(item in items[:at] for at, item in enumerate(items)):
            raise self.make_error("repeated")
        return items


class Nest(base.Nested):
    """A JSON object of another `StrictSchema`."""

    default_error_messages = _MESSAGES


class StrictSchema(Schema):
    """Base of every wire shape: unknown fields refused, every message a code of `CODES`.

    A body that is right in every field takes a shorter way to the very result marshmallow would give (measured: a
    referral in a third of the time); anything else goes marshmallow's own way, which words every problem.
    """

    class Meta:
        unknown = RAISE

    error_messages = {"unknown": "unknown_field", "type": "not_object"}  # noqa: RUF012 - marshmallow's own contract

    def load(self, data: Any, **options: Any) -> Any:
        """As `Schema.load`."""
        if not options:
            try:
                return self.read_right(data)
            except (ValidationError, _OtherWayError):
                pass
        return super().load(data, **options)

    def read_right(self, data: Any) -> dict[str, Any]:
        """The loaded body if it is right; raises otherwise, without saying what is wrong."""
        if type(data) is not dict:
            raise _OtherWayError
        found: dict[str, Any] = {}
        used = 0
        for name, attribute, field, reader in self._readers:
            if name in data:
                found[attribute] = reader(data[name])
                used += 1
            elif field.required:
                raise _OtherWayError
            elif field.load_default is not missing:
                found[attribute] = field.load_default() if callable(field.load_default) else field.load_default
        if used != len(data):
            raise _OtherWayError
        for name in self._checks:
            getattr(self, name)(found, many=False, partial=False, unknown=RAISE)
        return found

    @cached_property
    def _readers(self) -> tuple[tuple[str, str, base.Field[Any], Reader], ...]:
        if self.many or self.partial or self.unknown != RAISE:
            raise _OtherWayError
        return tuple(
            (field.data_key or name, field.attribute or name, field, _reader_of(field))
            for name, field in self.load_fields.items()
        )

    @cached_property
    def _checks(self) -> tuple[str, ...]:
        """Names of the methods that look at several fields together; no other hook has a shorter way."""
        hooks = {tag: found for tag, found in self._hooks.items() if found}
        checks = hooks.pop(VALIDATES_SCHEMA, [])
        if hooks or any(many or options.get("pass_original") for _, many, options in checks):
            raise _OtherWayError
        return tuple(name for name, _, _ in checks)


class _OtherWayError(Exception):
    """There is no shorter way for this body or this schema."""


def _reader_of(field: base.Field[Any]) -> Reader:
    """What reads one present value of a field, without marshmallow's bookkeeping."""
    if field.validators:
        raise _OtherWayError
    if isinstance(field, StrictField):
        return _knowing_null(field, field.read)
    if isinstance(field, ListOf):
        return _knowing_null(field, _list_reader(field, _reader_of(field.inner)))
    if isinstance(field, Nest) and not field.many and isinstance(field.schema, StrictSchema):
        return _knowing_null(field, field.schema.read_right)
    raise _OtherWayError


def _knowing_null(field: base.Field[Any], read: Reader) -> Reader:
    def reader(value: Any) -> Any:
        if value is not None:
            return read(value)
        if field.allow_none:
            return None
        raise _OtherWayError

    return reader


def _list_reader(field: ListOf, inner: Reader) -> Reader:
    def reader(value: Any) -> list[Any]:
        if type(value) is not list or not field.min <= len(value) <= field.max:
            raise _OtherWayError
        items = [inner(item) for item in value]
        if field.unique and any(item in items[:at] for at, item in enumerate(items)):
            raise _OtherWayError
        return items

    return reader

"""适配器公用部分 What every agency's adapter shares, and nothing that belongs to one of them.

Code tables read both ways, exact yuan ⇄ fen, the note of losses 信息损失, the judgement on one answer (rule R09: a
denial has a reason and text), and the reply columns of the sheet 反馈表. An unknown code is never guessed: it becomes
an outcome without code. Not here: anything about a format.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import Enum
from functools import cache
from typing import Any, Generic, TypeVar

from marshmallow import EXCLUDE, Schema, ValidationError, validates_schema

from gateway.domain.calendar import CHINA
from gateway.domain.handoff import Loss, SentHandoff, SentNeed
from gateway.domain.programmes import load_programmes
from gateway.domain.replies import (
    COMMON_DENIALS,
    DenialReason,
    ReceiptCode,
    ReplyCode,
    denial_reasons_for,
    load_replies,
)
from gateway.domain.values import InvalidValue
from gateway.errors import DeniedWithoutReason, FieldProblem, SchemaInvalid
from schemas.fields import FEN_MAX, Day, MessageId, RegionCode, StrictField, StrictSchema, Text
from schemas.problems import flatten

NO_FIELD = "no_field"
TRUNCATED = "truncated"
CODE_COARSENED = "code_coarsened"

LINE_MAX = 200
TEXT_MAX = 2000
MISSING_MAX = 50

PAYEES = {"BENEFICIARY": "本人", "GUARDIAN": "监护人", "AGENT": "代理人", "OTHER": "其他"}
"""领款人: the common words and their Chinese."""

Status = ReplyCode | ReceiptCode

_T = TypeVar("_T")
_YUAN = re.compile(r"(0|[1-9][0-9]{0,11})(?:\.([0-9]{1,2}))?")
_GROUPED = re.compile(r"[1-9][0-9]{0,2}(?:,[0-9]{3})+(?:\.[0-9]{1,2})?")
_CHINA_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[ T][0-9]{2}:[0-9]{2}(?::[0-9]{2})?)?")
_BETWEEN_ITEMS = re.compile(r"[、;；,，\n]")


class CodeTable(Generic[_T]):
    """代码表: rows (theirs, ours, Chinese). Several of theirs may mean one of ours; the first is the one we write."""

    def __init__(self, rows: Iterable[tuple[str, _T, str]]) -> None:
        """ValueError when one of their codes comes twice."""
        self.rows = tuple(rows)
        self._ours = {theirs: ours for theirs, ours, _ in self.rows}
        self._theirs = {ours: theirs for theirs, ours, _ in reversed(self.rows)}
        if len(self._ours) != len(self.rows):
            raise ValueError("a code table has one row per code")

    def ours(self, theirs: str) -> _T | None:
        """The common code; None for a code that is not in the table."""
        return self._ours.get(theirs)

    def theirs(self, ours: _T) -> str:
        """The agency's code; KeyError for a common code the agency has no word for."""
        return self._theirs[ours]


def fen_of(yuan: str) -> int:
    """Yuan as text (`650`, `650.5`, `1234.56`) in fen, exactly; InvalidValue `pattern` or `out_of_range`."""
    found = _YUAN.fullmatch(yuan)
    if found is None:
        raise InvalidValue("pattern")
    fen = int(found[1]) * 100 + int((found[2] or "").ljust(2, "0"))
    if fen > FEN_MAX:
        raise InvalidValue("out_of_range")
    return fen


def yuan_of(fen: int) -> str:
    """Fen as yuan with two decimals and no separators: 123456 → `1234.56`; ValueError below zero."""
    if fen < 0:
        raise ValueError("an amount is never negative")
    return f"{fen // 100}.{fen % 100:02d}"


class LossNote:
    """信息损失: what a format could not carry, in the order noticed, each once."""

    def __init__(self) -> None:
        self._losses: dict[Loss, None] = {}

    def add(self, pointer: str, reason: str) -> None:
        """pointer: into the referral's data; `/needs/N` counts the handoff's own needs, as `domain.masking` does."""
        self._losses[Loss(pointer=pointer, reason=reason)] = None

    def no_field(self, fields: Mapping[str, object]) -> None:
        """Every field (pointer → value) that holds something the format has no place for."""
        for pointer, value in fields.items():
            if is_stated(value):
                self.add(pointer, NO_FIELD)

    @property
    def losses(self) -> tuple[Loss, ...]:
        """All of them."""
        return tuple(self._losses)


def is_stated(value: object) -> bool:
    """Whether a field holds anything: False and 0 do; None, an empty text and an empty collection do not."""
    return value is not None and value != "" and value != () and value != frozenset()


def word(member: Enum | None) -> str | None:
    """The text of an enum member that may be absent."""
    return None if member is None else str(member.value)


def load_shape(schema: Schema, value: Any) -> dict[str, Any]:
    """The value read by the shape; SchemaInvalid with every problem."""
    try:
        loaded: dict[str, Any] = schema.load(value)
    except ValidationError as error:
        raise SchemaInvalid(problems=_problems(flatten(error.messages))) from error
    return loaded


def refuse(pointer: str, code: str) -> SchemaInvalid:
    """The error for one field."""
    return SchemaInvalid(problems=_problems([(pointer, code)]))


def _problems(found: Iterable[tuple[str, str]]) -> list[FieldProblem]:
    return [FieldProblem(pointer=pointer, code=code) for pointer, code in found]


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """One answer's code, as the agency wrote it, and its reason. `code` None: a code nobody knows."""

    code: Status | None
    raw_code: str
    reason: DenialReason | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Tables:
    """An agency's own codes for answers, denial reasons and payees."""

    statuses: CodeTable[Status]
    reasons: CodeTable[DenialReason]
    payees: CodeTable[str]

    def judge(
        self, status: str, reason: str | None, text: str | None, *, at: str, need_id: str | None = None
    ) -> Judgement:
        """What one answer says. `at` and `need_id` name the answer in DeniedWithoutReason (rule R09).

        A reason the table does not know takes the whole answer's code away: `raw_code` is then `DENIED/<theirs>`,
        because a denial with a guessed reason, or with none, would be worse than one a person has to look at.
        """
        code = self.statuses.ours(status)
        if code is None:
            return Judgement(code=None, raw_code=status)
        if code is ReplyCode.DENIED and not (reason and text and text.strip()):
            ids = {} if need_id is None else {"need_id": need_id}
            raise DeniedWithoutReason(problems=_problems([(at, "required")]), ids=ids)
        if not reason:
            return Judgement(code=code, raw_code=status)
        known = self.reasons.ours(reason)
        if known is None:
            return Judgement(code=None, raw_code=f"{code.value}/{reason}")
        return Judgement(code=code, raw_code=status, reason=known)

    def payee(self, theirs: str | None, pointer: str) -> str | None:
        """The common word for who was paid; SchemaInvalid for a code that is not in the table."""
        if theirs is None:
            return None
        known = self.payees.ours(theirs)
        if known is None:
            raise refuse(pointer, "unknown_code")
        return known


def stated_fen(yuan: str | None, pointer: str) -> int | None:
    """An amount of a reply in fen; SchemaInvalid for one that is no amount."""
    if yuan is None:
        return None
    try:
        return fen_of(yuan)
    except InvalidValue as error:
        raise refuse(pointer, error.code) from error


def require_same_handoff(sent: SentHandoff, handoff_id: str, pointer: str) -> None:
    """SchemaInvalid when a reply names another handoff than the one it answers."""
    if handoff_id != sent.handoff_id:
        raise refuse(pointer, "invalid")


def answered_need(sent: SentHandoff, need_id: str | None, pointer: str) -> SentNeed | None:
    """The need an answer is about; None for the whole handoff; SchemaInvalid for a need that was not sent."""
    if need_id is None:
        return None
    for need in sent.needs:
        if need.need_id == need_id:
            return need
    raise refuse(pointer, "invalid")


# --- the reply columns of the sheet ---


@dataclass(frozen=True, kw_only=True, slots=True)
class SheetReply:
    """反馈行: one filled row in the common vocabulary. `at` is UTC; amounts in fen."""

    handoff_id: str
    code: Status
    at: datetime
    need_id: str | None = None
    amount_fen: int | None = None
    starts_on: date | None = None
    ends_on: date | None = None
    reason: DenialReason | None = None
    text: str | None = None
    next_due: date | None = None
    forwarded_to: str | None = None
    suggested_agency: str | None = None
    suggested_region: str | None = None
    missing: tuple[str, ...] = ()
    service: str | None = None
    payee: str | None = None
    officer: str | None = None


def read_sheet_reply(row: Mapping[str, str], *, agency: str | None = None) -> SheetReply:
    """A filled row; other columns are ignored, blank cells are not stated, a day alone is 00:00 in China.

    SchemaInvalid with a pointer `/<column>` per bad cell. With `agency`, only the denial reasons that agency may give
    are taken. Rule R09 is not judged here but by `interpret`, which every reply passes.
    """
    filled = {key: cell.strip() for key, cell in row.items() if cell and cell.strip()}
    cells = load_shape(_ROW, filled)
    reply = SheetReply(
        code=cells.pop("result"), amount_fen=cells.pop("amount_yuan", None), **{key: cells[key] for key in cells}
    )
    if agency is not None and reply.reason is not None and reply.reason not in denial_reasons_for(agency):
        raise refuse("/reason", "unknown_code")
    return reply


class _Word(StrictField[Any]):
    """A common code or its Chinese."""

    def __init__(self, words: Callable[[], Mapping[str, Any]], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.words = words

    def read(self, value: Any) -> Any:
        known = self.words()
        if value not in known and value.upper() not in known:
            raise self.make_error("unknown_code")
        return known[value] if value in known else known[value.upper()]


class _SheetYuan(StrictField[int]):
    """Yuan as a clerk writes it, thousands separators allowed; loads to fen."""

    def read(self, value: Any) -> int:
        try:
            return fen_of(value.replace(",", "") if _GROUPED.fullmatch(value) else value)
        except InvalidValue as error:
            raise self.make_error(error.code) from error


class _ChinaMoment(StrictField[datetime]):
    """`YYYY-MM-DD` or `YYYY-MM-DD HH:MM` in China time; loads to UTC."""

    def read(self, value: Any) -> datetime:
        if not _CHINA_MOMENT.fullmatch(value):
            raise self.make_error("not_a_moment")
        try:
            return datetime.fromisoformat(value).replace(tzinfo=CHINA).astimezone(UTC)
        except (ValueError, OverflowError) as error:
            raise self.make_error("not_a_moment") from error


class _Items(Text):
    """Several items in one cell, between `、`, `；`, commas or line breaks."""

    def read(self, value: Any) -> Any:
        items = tuple(item.strip() for item in _BETWEEN_ITEMS.split(super().read(value)) if item.strip())
        if not items:
            raise self.make_error("blank")
        if len(items) > MISSING_MAX:
            raise self.make_error("too_many")
        if any(len(item) > LINE_MAX for item in items):
            raise self.make_error("too_long")
        return items


@cache
def _result_words() -> Mapping[str, Status]:
    layers: dict[str, type[ReplyCode] | type[ReceiptCode]] = {"case": ReplyCode, "receipt": ReceiptCode}
    found: dict[str, Status] = {}
    for entry in load_replies():
        if entry.layer in layers:
            found[entry.code] = found[entry.zh] = layers[entry.layer](entry.code)
    return found


@cache
def _reason_words() -> Mapping[str, DenialReason]:
    entries = [entry for entry in load_replies() if entry.layer.startswith(COMMON_DENIALS)]
    return {word: DenialReason(entry.code) for entry in entries for word in (entry.code, entry.zh)}


def _payee_words() -> Mapping[str, str]:
    return {word: payee for payee, zh in PAYEES.items() for word in (payee, zh)}


class _RowSchema(StrictSchema):
    class Meta:
        unknown = EXCLUDE

    handoff_id = MessageId(required=True)
    need_id = MessageId()
    result = _Word(_result_words, required=True)
    at = _ChinaMoment(required=True)
    amount_yuan = _SheetYuan()
    starts_on = Day()
    ends_on = Day()
    reason = _Word(_reason_words)
    text = Text(max=TEXT_MAX, lines=True)
    next_due = Day()
    forwarded_to = Text(max=LINE_MAX)
    suggested_agency = Text(max=LINE_MAX)
    suggested_region = RegionCode()
    missing = _Items(max=TEXT_MAX, lines=True)
    service = Text(max=LINE_MAX)
    payee = _Word(_payee_words)
    officer = Text(max=LINE_MAX)

    @validates_schema
    def check_period(self, fields: dict[str, Any], **_: Any) -> None:
        """A period ends on or after the day it starts."""
        if "starts_on" in fields and "ends_on" in fields and fields["ends_on"] < fields["starts_on"]:
            raise ValidationError({"ends_on": ["out_of_range"]})


_ROW = _RowSchema()


@cache
def _programme_names() -> Mapping[str, str]:
    return {programme.code: programme.name_zh for programme in load_programmes().values()}


def programme_name(code: str) -> str:
    """A programme as a clerk reads it: Chinese name and code; the code alone when it is not in the table."""
    name = _programme_names().get(code)
    return code if name is None else f"{name} {code}"


def yes_no(flag: bool) -> str:
    """是 or 否."""
    return "是" if flag else "否"


def joined(*parts: str | None) -> str:
    """The parts that are there, with a space between them."""
    return " ".join(part for part in parts if part)

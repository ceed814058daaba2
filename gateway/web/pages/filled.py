"""填写 What stands in a form of either portal: as it was typed, as it is read, and what is wrong at which field.

Rules: what was typed stays, whatever is wrong; a field is complained about once; what cannot be read and what the
wire's shape refuses is told at once, at its field where the form has one, else on top; then what intake's rules refuse.
"""

from collections.abc import Callable, Container, Iterable, Mapping, MutableSequence
from typing import TypeVar

from flask import request
from marshmallow import Schema

from gateway.domain.values import InvalidValue
from gateway.errors import FieldProblem, SchemaInvalid, XianjieError
from gateway.web.pages.shown import problem_text
from gateway.workbook.rows import shape_problems
from gateway.workbook.spellings import read_day

T = TypeVar("T")
Typed = Mapping[str, str]
"""Text by field; several codes with 、 between."""
LONGEST = 4000
"""Of one field; whether it fits is the wire shape's to say."""


def typed_of(names: Iterable[str]) -> dict[str, str]:
    """The fields of the form that came, their lines ended as the wire has them."""
    return {name: "、".join(request.form.getlist(name)).replace("\r\n", "\n").strip()[:LONGEST] for name in names}


def read_field(read: Callable[[str], T], typed: Typed, name: str, problems: MutableSequence[FieldProblem]) -> T | None:
    """What was typed, read; None for nothing, and for what cannot be read, which is told at its field."""
    if not typed[name]:
        return None
    try:
        return read(typed[name])
    except InvalidValue as wrong:
        problems.append(FieldProblem(pointer=f"/{name}", code=wrong.code))
        return None


def iso_day(text: str) -> str:
    """A day as the wire has it. Raises InvalidValue."""
    return read_day(text).isoformat()


def require_shape(schema: Schema, data: Mapping[str, object], problems: Iterable[FieldProblem] = ()) -> None:
    """Raises SchemaInvalid with what could not be read and with everything the wire's shape refuses."""
    shape = [FieldProblem(pointer=pointer, code=code) for pointer, code in shape_problems(schema, data)]
    found = [*problems, *shape]
    if found:
        raise SchemaInvalid(problems=found)


def at_fields(
    problems: Iterable[FieldProblem], known: Container[str], said: Callable[[str, str], str] | None = None
) -> tuple[dict[str, str], list[FieldProblem]]:
    """What is wrong at each field of a form, in words, and what is at none of them; a pointer belongs to the last field
    it names. said: (field, code) → words."""
    wrong: dict[str, str] = {}
    others = []
    for one in problems:
        key = next((part for part in reversed(one.pointer.split("/")) if part in known), None)
        if key is not None:
            wrong.setdefault(key, problem_text(one) if said is None else said(key, one.code))
        else:
            others.append(one)
    return wrong, others


def plain(error: XianjieError, problems: Iterable[FieldProblem] = ()) -> XianjieError:
    """The refusal with only what stands at no field. A fault of our own goes on as it is."""
    if error.status == 500:
        raise error
    return type(error)(error.note, problems=problems, ids=error.ids, retry_after=error.retry_after)


def on_top(refused: XianjieError | None, wrong: Mapping[str, str]) -> XianjieError | None:
    """What a page tells on top of a refusal; None where all of it stands at fields, and the page says just that."""
    return refused if refused is not None and (refused.problems or not wrong) else None

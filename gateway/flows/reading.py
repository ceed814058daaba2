"""报文体的读取 A message's body through its wire shape: what fits, or every field that does not, with its pointer."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from marshmallow import Schema, ValidationError

from gateway.domain.calendar import china_day
from gateway.domain.person import Person
from gateway.envelope.message import field_problems
from gateway.envelope.signing import VerifiedMessage
from gateway.errors import FieldProblem, SchemaInvalid


def read_body(message: VerifiedMessage, schema: Schema) -> dict[str, Any]:
    """The fields of `data`. Raises SchemaInvalid."""
    body, ids = message.envelope.data, {"message_id": message.envelope.id}
    if not isinstance(body, dict):
        raise SchemaInvalid(problems=[FieldProblem(pointer="/data", code="not_object")], ids=ids)
    try:
        fields: dict[str, Any] = schema.load(body)
    except ValidationError as error:
        raise SchemaInvalid(problems=field_problems(error, prefix="/data"), ids=ids) from error
    return fields


def problem(pointer: str, code: str) -> FieldProblem:
    """One problem of a field of `data`."""
    return FieldProblem(pointer=f"/data/{pointer}", code=code)


def plain(value: Any) -> Any:
    """A field as a message carries it on: a day or moment as its text."""
    return value.isoformat() if hasattr(value, "isoformat") else value


def is_minor(person: Mapping[str, Any], now: datetime) -> bool:
    """Whether the person of these fields is a minor on that China day, as far as number or birth date tell."""
    born = Person(id_type=person.get("id_type"), id_number=person.get("id_number"), birth_date=person.get("birth_date"))
    return born.is_minor_on(china_day(now))

"""报文体的读取 A message's body through its wire shape: what fits, or every field that does not, with its pointer."""

from typing import Any

from marshmallow import Schema, ValidationError

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

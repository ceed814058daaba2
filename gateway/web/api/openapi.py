"""接口描述 OpenAPI 3.1 of the routes, its shapes taken from the very schemas that check the messages."""

from functools import cache
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow.fields import Field

import gateway
from schemas.envelope import EnvelopeSchema
from schemas.fields import Code, Day, Flag, Moment, Text, Token, Whole
from schemas.receipt import ReceiptSchema
from schemas.referral import CourtPaymentSchema, ReferralSchema, WithdrawalSchema

_JWS = {"type": "string", "description": "compact JWS (RFC 7515), see WIRE §1"}
_PROBLEM = {
    "description": "问题文档 problem document (RFC 9457)",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
_TOKEN: list[dict[str, list[str]]] = [{"token": []}]


@cache
def describe() -> dict[str, Any]:
    """The document as JSON."""
    plugin = MarshmallowPlugin()
    spec = APISpec(
        title="衔接 Xianjie",
        version=gateway.__version__,
        openapi_version="3.1.0",
        info={"description": "国家司法救助与社会救助衔接网关 The gateway between judicial and social assistance."},
        plugins=[plugin],
    )
    assert plugin.converter is not None  # noqa: S101 - APISpec made it
    plugin.converter.add_attribute_function(_shape_of)  # type: ignore[no-untyped-call]
    for name, schema in (
        ("Envelope", EnvelopeSchema),
        ("Referral", ReferralSchema),
        ("Withdrawal", WithdrawalSchema),
        ("CourtPayment", CourtPaymentSchema),
        ("Receipt", ReceiptSchema),
    ):
        spec.components.schema(name, schema=schema)
    spec.components.schema("Problem", _problem())
    spec.components.security_scheme("token", {"type": "http", "scheme": "bearer", "bearerFormat": "one-use JWT"})
    for path, operations in _paths().items():
        spec.path(path=path, operations=operations)
    found: dict[str, Any] = spec.to_dict()
    return found


def _shape_of(_: Any, field: Field[Any], **__: Any) -> dict[str, Any]:
    """What our own fields accept, in the words of JSON Schema."""
    match field:
        case Text():
            shape: dict[str, Any] = {"type": "string", "minLength": field.min, "maxLength": field.max}
            return shape | ({"pattern": f"^(?:{field.pattern.pattern})$"} if field.pattern else {})
        case Token():
            return {"type": "string", "pattern": f"^(?:{field.PATTERN})$"}
        case Whole():
            return {"type": "integer", "minimum": field.min, "maximum": field.max}
        case Flag():
            return {"type": "boolean"}
        case Day():
            return {"type": "string", "format": "date"}
        case Moment():
            return {"type": "string", "format": "date-time"}
        case Code():
            return {"type": "string", "enum": list(field.choices)}
        case _:
            return {}


def _problem() -> dict[str, Any]:
    text = {"type": "string"}
    return {
        "type": "object",
        "properties": {
            **dict.fromkeys(("type", "title", "detail", "code", "fault", "instance", "note"), text),
            "status": {"type": "integer"},
            "retryable": {"type": "boolean"},
            "errors": {
                "type": "array",
                "items": {"type": "object", "properties": {"pointer": text, "code": text, "detail": text}},
            },
        },
    }


def _paths() -> dict[str, dict[str, Any]]:
    jose = {"application/jose": {"schema": _JWS}}
    lines = {"application/x-ndjson": {"schema": {"type": "string"}}}
    return {
        "/v1/messages": {
            "post": _operation(
                "报送一个报文 One message; the answer is its signed receipt.",
                {"202": ("回执 receipt", jose), "200": ("重复报送,首次回执 a replay: the first receipt", jose)},
                body=jose,
            )
        },
        "/v1/messages/batch": {
            "post": _operation(
                "批量报送 Many messages; one receipt or problem a line, in order.", {"200": ("", lines)}, body=lines
            )
        },
        "/v1/inbox": {
            "get": _operation(
                "信箱 Messages that wait for the asking party.",
                {"200": ("one JWS a line", lines)},
                query={"after": "sequence number", "limit": "1 to 500", "wait": "seconds, at most 25"},
            )
        },
        "/v1/referrals/{referral_id}": {
            "get": _operation(
                "移送去向 Fate of one referral, for its court.", {"200": ("", _json())}, path="referral_id"
            )
        },
        "/v1/balance": {
            "get": _operation(
                "平衡表 The balance, by court and month of acceptance.",
                {"200": ("", _json())},
                query={"from": "first day, YYYY-MM-DD", "to": "last day"},
            )
        },
        "/v1/keys": {"get": _open("网关公钥 The gateway's public keys (JWKS).")},
        "/v1/openapi.json": {"get": _open("本文档 This document.")},
    }


def _json() -> dict[str, Any]:
    return {"application/json": {"schema": {"type": "object"}}}


def _open(summary: str) -> dict[str, Any]:
    return {"summary": summary, "responses": {"200": {"description": "", "content": _json()}}, "security": []}


def _operation(
    summary: str,
    answers: dict[str, tuple[str, dict[str, Any]]],
    *,
    body: dict[str, Any] | None = None,
    query: dict[str, str] | None = None,
    path: str | None = None,
) -> dict[str, Any]:
    parameters = [
        {"name": name, "in": "query", "required": False, "description": text, "schema": {"type": "string"}}
        for name, text in (query or {}).items()
    ]
    if path is not None:
        parameters.append({"name": path, "in": "path", "required": True, "schema": {"type": "string"}})
    found: dict[str, Any] = {
        "summary": summary,
        "responses": {
            **{status: {"description": text, "content": content} for status, (text, content) in answers.items()},
            "default": _PROBLEM,
        },
        # a pushed message proves itself by its own signature
        "security": [] if body is not None else _TOKEN,
    }
    if parameters:
        found["parameters"] = parameters
    if body is not None:
        found["requestBody"] = {"required": True, "content": body}
    return found

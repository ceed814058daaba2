"""接口描述 OpenAPI 3.1 of the routes, its shapes taken from the very schemas that check the messages."""

from functools import cache
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow.fields import Field

import gateway
from schemas.commitment import CommitmentSchema, RangeSchema
from schemas.envelope import EnvelopeSchema
from schemas.fields import Code, Day, Flag, Moment, Text, Token, Whole
from schemas.receipt import ReceiptSchema
from schemas.recovery import GivenBackLineSchema, HoldingSchema, OutcomeSchema, StatementSchema
from schemas.referral import CourtPaymentSchema, ReferralSchema, WithdrawalSchema
from schemas.statement import StatementLineSchema, StatementManifestSchema

_JWS = {"type": "string", "description": "compact JWS (RFC 7515), or the JWE around it (RFC 7516), see WIRE §1"}
_PROBLEM = {
    "description": "问题文档 problem document (RFC 9457)",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
_TEXT = {"text/plain": {"schema": {"type": "string"}}}
_BYTES = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
_ZIP = {"application/zip": {"schema": {"type": "string", "format": "binary"}}}
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
        ("Commitment", CommitmentSchema),
        ("StatementManifest", StatementManifestSchema),
        ("StatementLine", StatementLineSchema),
        ("Range", RangeSchema),
        ("GivenBackLine", GivenBackLineSchema),
        ("GivenBackOutcome", OutcomeSchema),
        ("GivenBackStatement", StatementSchema),
        ("Holding", HoldingSchema),
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
        "/v1/referrals/{referral_id}/evidence": {
            "get": _operation(
                "证据包 Every message, receipt, decision and proof of one referral, for its court or an auditor.",
                {"200": ("what `xianjie verify` checks offline", _ZIP)},
                query={"witnessed": "size of a checkpoint held, which the bundle then proves to be its beginning"},
                path="referral_id",
            )
        },
        **_account_paths(),
        **_statement_paths(),
        **_pair_paths(jose),
        "/v1/recovery": _recovery(),
        **_log_paths(),
        "/v1/keys": {"get": _open("网关公钥 The gateway's public keys (JWKS).")},
        "/v1/participants": {
            "get": _operation(
                "参与方名录 Parties, their public keys with validity, offices; a JWS of the gateway.",
                {"200": ("xianjie-participants+jws", jose)},
                is_open=True,
            )
        },
        "/v1/openapi.json": {"get": _open("本文档 This document.")},
    }


def _account_paths() -> dict[str, Any]:
    """What adds up, and what is late."""
    return {
        "/v1/balance": {
            "get": _operation(
                "平衡表 The balance, with the signed checkpoint it was read at.",
                {"200": ("", _json())},
                query={
                    "from": "first day of acceptance, YYYY-MM-DD",
                    "to": "last day",
                    "by": "court_and_period (default), court, period, agency; not for agencies: group, case_type",
                },
            )
        },
        "/v1/missed": {
            "get": _operation(
                "遗漏清单 Needs overdue or with nobody, minors first; a court's own, all for an auditor.",
                {"200": ("", _json())},
            )
        },
    }


def _recovery() -> dict[str, Any]:
    """Giving back after a loss: lines of GivenBackLine in, of GivenBackOutcome out."""
    held = {"application/json": {"schema": {"$ref": "#/components/schemas/Holding"}}}
    outcomes = {"application/x-ndjson": {"schema": {"$ref": "#/components/schemas/GivenBackOutcome"}}}
    given = {"application/x-ndjson": {"schema": {"$ref": "#/components/schemas/GivenBackLine"}}}
    post = _operation(
        "交还 What the party holds of its pair, one GivenBackLine a line, its statement last.",
        {"200": ("one GivenBackOutcome a line, in order", outcomes)},
        body=given,
    )
    return {
        "get": _operation(
            "恢复中 Up to which numbers the gateway holds the asking party's pair; 409 where nothing was lost.",
            {"200": ("", held)},
        ),
        "post": {**post, "security": _TOKEN},
    }


def _statement_paths() -> dict[str, dict[str, Any]]:
    state = {"200": ("state, bytes received, size", _json())}
    lines = _operation(
        "对账明细 The next bytes of the file a signed statement names, at most 4 MiB; with the last one it is proven.",
        state,
        body=_BYTES,
        query={"at": "how many bytes came before, by default none"},
        path="statement_id",
    )
    lines["security"] = _TOKEN
    return {
        "/v1/statements/{statement_id}/lines": {"put": lines, "post": lines},
        "/v1/statements/{statement_id}": {
            "get": _operation(
                "对账单处理结果 What became of a statement: counts, bad lines by number and code; no personal data.",
                {"200": ("", _json())},
                query={"limit": "of bad lines, at most 1000"},
                path="statement_id",
            )
        },
    }


def _pair_paths(jose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    ranges = {"application/json": {"schema": {"$ref": "#/components/schemas/Range"}}}
    return {
        "/v1/pairs/{direction}/commitment": {
            "get": _operation(
                "我方对账承诺 What the gateway holds of the asking party's `to_gateway` or `from_gateway`, signed.",
                {"200": ("commitment.submitted", jose)},
                query={"size": "up to this number; all without it"},
                path="direction",
            )
        },
        "/v1/pairs/{direction}/range": {
            "get": _operation(
                "承诺之下 The hash over numbers lo+1 to hi, what it is made of, and the messages where there are few.",
                {"200": ("", ranges)},
                query={"lo": "needed", "hi": "needed", "size": "of the commitment held", "root": "of the same, hex"},
                path="direction",
            )
        },
    }


def _log_paths() -> dict[str, dict[str, Any]]:
    return {
        "/v1/log/checkpoint": {
            "get": _operation(
                "存证检查点 The log's newest signed checkpoint (C2SP tlog-checkpoint) with its cosignatures.",
                {"200": ("signed note", _TEXT)},
                query={"size": "of that many leaves", "witnesses": "the newest that so many witnesses cosigned"},
                is_open=True,
            )
        },
        "/v1/log/tile/{level}/{number}": {
            "get": _operation(
                "存证哈希分块 A tile of the log (C2SP tlog-tiles); the number as x001/234, partial as 000.p/17.",
                {"200": ("up to 256 hashes of 32 bytes", _BYTES)},
                path=("level", "number"),
                is_open=True,
            )
        },
        "/v1/log/proof/inclusion": {
            "get": _operation(
                "包含证明 That a leaf is in the log (RFC 9162); hashes in base64.",
                {"200": ("", _json())},
                query={"index": "of the leaf, from 0", "size": "of the tree, by default the newest checkpoint's"},
                is_open=True,
            )
        },
        "/v1/log/proof/consistency": {
            "get": _operation(
                "一致性证明 That an older tree is the beginning of a newer one (RFC 9162); hashes in base64.",
                {"200": ("", _json())},
                query={"from": "size of the older tree", "to": "of the newer, by default the newest checkpoint's"},
                is_open=True,
            )
        },
        "/v1/log/cosignature": {
            "post": _operation(
                "见证签名 A known witness' signature lines (C2SP tlog-cosignature); answered by the note with them.",
                {"200": ("signed note", _TEXT)},
                body=_TEXT,
                query={"size": "of the checkpoint, by default the newest"},
            )
        },
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
    path: str | tuple[str, ...] = (),
    is_open: bool = False,
) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "query", "required": False, "description": text, "schema": {"type": "string"}}
        for name, text in (query or {}).items()
    ]
    for name in (path,) if isinstance(path, str) else path:
        parameters.append({"name": name, "in": "path", "required": True, "schema": {"type": "string"}})
    found: dict[str, Any] = {
        "summary": summary,
        "responses": {
            **{status: {"description": text, "content": content} for status, (text, content) in answers.items()},
            "default": _PROBLEM,
        },
        # a pushed message proves itself by its own signature
        "security": [] if body is not None or is_open else _TOKEN,
    }
    if parameters:
        found["parameters"] = parameters
    if body is not None:
        found["requestBody"] = {"required": True, "content": body}
    return found

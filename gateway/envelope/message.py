"""报文 One message or receipt as a value, its id, and the digest by which others name it.

Rules: field names are WIRE §1; a field that is absent is not written; times are UTC to the millisecond; ids are UUIDv7
so that rows arrive in order. A payload that was received is kept as the bytes that were signed: `to_payload` is for
writing our own messages, never for re-making someone else's.
"""

import os
from dataclasses import dataclass, fields
from datetime import datetime
from hashlib import sha256
from typing import Any

from marshmallow import ValidationError

from gateway.envelope import strict_json
from gateway.errors import FieldProblem, SchemaInvalid
from schemas.envelope import ENVELOPE, JSON_TYPE
from schemas.fields import format_moment
from schemas.problems import flatten

UUID_RANDOM_BYTES = 8


def uuid7(now: datetime, random: bytes) -> str:
    """RFC 9562 version 7, lowercase text: milliseconds, then the microseconds in `rand_a` (§6.2 method 3), then random.

    now: aware; random: at least 8 bytes, of which 62 bits are used.
    """
    if now.tzinfo is None or len(random) < UUID_RANDOM_BYTES:
        raise ValueError("uuid7 needs an aware time and 8 random bytes")
    microseconds = int(now.timestamp()) * 1_000_000 + now.microsecond
    milliseconds, rest = divmod(microseconds, 1000)
    fraction = rest * 4096 // 1000
    tail = int.from_bytes(random[:UUID_RANDOM_BYTES], "big") & (2**62 - 1)
    text = f"{milliseconds << 80 | 7 << 76 | fraction << 64 | 2 << 62 | tail:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def new_id(now: datetime) -> str:
    """A fresh message id. The random part of an id is the one thing taken from the operating system here (Law 10 is
    about what decides; an id decides nothing)."""
    return uuid7(now, os.urandom(UUID_RANDOM_BYTES))


@dataclass(frozen=True, kw_only=True, slots=True)
class Envelope:
    """The payload of one message (WIRE §1). Times are aware; `data` is JSON, or a text for any other content type."""

    specversion: str = "1.0"
    id: str
    source: str
    type: str
    time: datetime
    recipient: str
    subject: str | None = None
    conversation_id: str | None = None
    in_reply_to: str | None = None
    in_reply_to_digest: str | None = None
    seq: int | None = None
    expires_at: datetime | None = None
    reply_by: datetime | None = None
    purpose: str | None = None
    legal_basis: str | None = None
    mapping: dict[str, Any] | None = None
    datacontenttype: str = JSON_TYPE
    data: Any = None

    def __post_init__(self) -> None:
        if any(moment is not None and moment.tzinfo is None for moment in (self.time, self.expires_at, self.reply_by)):
            raise ValueError("an envelope's times need a time zone")
        if (self.in_reply_to is None) != (self.in_reply_to_digest is None):
            raise ValueError("an answer names both the id and the digest it answers")

    def to_payload(self) -> bytes:
        """The bytes to sign. Raises ValueError for a `data` that JSON cannot carry."""
        members: dict[str, Any] = {}
        for name in FIELDS:
            value = getattr(self, name)
            if value is not None:
                members[name] = format_moment(value) if isinstance(value, datetime) else value
        return strict_json.dumps(members)

    @classmethod
    def from_payload(cls, payload: bytes) -> "Envelope":
        """Raises `MalformedJson`, `TooLarge`, or `SchemaInvalid` whose pointers start at the payload's root."""
        members = strict_json.loads(payload)
        try:
            return cls(**ENVELOPE.load(members))
        except ValidationError as error:
            raise SchemaInvalid("envelope", problems=field_problems(error)) from error


FIELDS = tuple(field.name for field in fields(Envelope))


def field_problems(error: ValidationError, *, prefix: str = "") -> tuple[FieldProblem, ...]:
    """Marshmallow's refusal as our own field problems, pointers under `prefix`."""
    return tuple(FieldProblem(pointer=pointer, code=code) for pointer, code in flatten(error.messages, prefix=prefix))


def digest(jws: str | bytes) -> str:
    """SHA-256 of the compact JWS in lowercase hexadecimal: how receipts and the log name a message."""
    return sha256(jws.encode("ascii") if isinstance(jws, str) else jws).hexdigest()

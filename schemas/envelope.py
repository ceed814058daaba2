"""信封 The wire shape of a message's payload (WIRE §1) and of the one-use read token's claims (WIRE §4).

Field names follow CloudEvents 1.0 where it has one. Unknown fields are refused. What holds between two fields is
checked here too: an answer names both the id and the digest it answers, and a body that is not JSON is a text. What a
message of one `type` must carry in `data` is another module's shape.
"""

from typing import Any

from marshmallow import ValidationError, validates_schema

from schemas.fields import (
    Code,
    ListOf,
    MessageId,
    Moment,
    Nest,
    Open,
    PartyId,
    Sha256,
    StrictSchema,
    Text,
    Token,
    Whole,
)

JSON_TYPE = "application/json"


class MessageType(Token):
    """`noun.verb`, e.g. `referral.submitted`; which types exist is WIRE §2."""

    PATTERN = r"(?=.{3,64}\Z)[a-z_]+\.[a-z_]+"


class MediaType(Token):
    """A media type without parameters."""

    PATTERN = r"(?=.{3,100}\Z)[a-z0-9]+/[a-z0-9][a-z0-9.+-]*"


class LossSchema(StrictSchema):
    """One thing the receiver's format could not carry; the pointer may be empty (the whole body)."""

    pointer = Text(min=0, max=300, pattern=r"(/[^/]*)*", required=True)
    reason = Text(max=200, required=True)


class MappingSchema(StrictSchema):
    """Which adapter translated, and what it lost."""

    adapter = Text(max=64, required=True)
    version = Text(max=64, required=True)
    loss = ListOf(Nest(LossSchema), max=500, required=True)


class EnvelopeSchema(StrictSchema):
    """The payload of a message or a receipt."""

    specversion = Code(["1.0"], required=True)
    id = MessageId(required=True)
    source = PartyId(required=True)
    type = MessageType(required=True)
    time = Moment(required=True)
    recipient = PartyId(required=True)
    subject = MessageId()
    conversation_id = MessageId()
    in_reply_to = MessageId()
    in_reply_to_digest = Sha256()
    seq = Whole()
    expires_at = Moment()
    reply_by = Moment()
    purpose = Text(max=200)
    legal_basis = Text(max=200)
    mapping = Nest(MappingSchema)
    datacontenttype = MediaType(load_default=JSON_TYPE)
    data = Open()

    @validates_schema
    def check_fields_together(self, fields: dict[str, Any], **_: Any) -> None:
        """An answer names id and digest; a body that is not JSON is a text."""
        wrong: dict[str | int, Any] = {}
        if ("in_reply_to" in fields) != ("in_reply_to_digest" in fields):
            wrong["in_reply_to" if "in_reply_to_digest" in fields else "in_reply_to_digest"] = ["required"]
        if fields.get("datacontenttype", JSON_TYPE) != JSON_TYPE and type(fields.get("data", "")) is not str:
            wrong["data"] = ["not_text"]
        if wrong:
            raise ValidationError(wrong)


class TokenSchema(StrictSchema):
    """Claims of a read token: RFC 7523 with `htm` and `htu` of RFC 9449. Times are whole seconds since 1970."""

    iss = PartyId(required=True)
    sub = PartyId(required=True)
    aud = Text(max=200, required=True)
    iat = Whole(required=True)
    exp = Whole(required=True)
    jti = MessageId(required=True)
    htm = Token(required=True)
    htu = Text(max=2000, required=True)


ENVELOPE = EnvelopeSchema()
TOKEN = TokenSchema()

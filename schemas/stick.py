"""离线介质 The wire shape of a stick's signed list: whose it is, for whom, and each item by id and digest, in order."""

from typing import Any

from marshmallow import ValidationError, validates_schema

from schemas.fields import Code, ListOf, MessageId, Moment, Nest, PartyId, Sha256, StrictSchema, Whole

KINDS = ("mailbox", "replies", "receipts")
MAX_ITEMS = 10_000


class StickItemSchema(StrictSchema):
    """One line of the file: the message it is, or answers, and the SHA-256 of the line's bytes without its end."""

    id = MessageId(required=True)
    digest = Sha256(required=True)


class StickSchema(StrictSchema):
    """The payload of the first line. Sticks of one `series` follow each other by `made_at`; `answers` names the stick
    of replies whose receipts these are."""

    v = Whole(min=1, max=1, required=True)
    id = MessageId(required=True)
    kind = Code(KINDS, required=True)
    source = PartyId(required=True)
    recipient = PartyId(required=True)
    series = MessageId(required=True)
    made_at = Moment(required=True)
    answers = MessageId()
    count = Whole(max=MAX_ITEMS, required=True)
    items = ListOf(Nest(StickItemSchema), max=MAX_ITEMS, required=True)

    @validates_schema
    def check_fields_together(self, fields: dict[str, Any], **_: Any) -> None:
        """The count counts the items, no id comes twice, and receipts alone answer a stick."""
        ids = [item["id"] for item in fields.get("items", ())]
        wrong: dict[str | int, Any] = {}
        if "count" in fields and "items" in fields and fields["count"] != len(ids):
            wrong["count"] = ["out_of_range"]
        if len(set(ids)) != len(ids):
            wrong["items"] = ["repeated"]
        if "kind" in fields and ("answers" in fields) != (fields["kind"] == "receipts"):
            wrong["answers"] = ["invalid" if "answers" in fields else "required"]
        if wrong:
            raise ValidationError(wrong)


STICK = StickSchema()

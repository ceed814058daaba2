"""残联反馈字段 What the elements of one `Result` hold, beyond what an XSD can say: days that exist, texts fit to show.

Names are those of the XSD, so that an error's pointer leads to the element. Codes are any short text: the adapter's
tables know which of them mean something.
"""

from typing import Any

from lxml import etree
from marshmallow import ValidationError, validates_schema

from adapters.disabled_persons.document import REPEATED, local_name
from schemas.fields import Day, Flag, ListOf, MessageId, Moment, Nest, RegionCode, StrictSchema, Text

CODE_MAX = 32
LINE_MAX = 200
TEXT_MAX = 2000


class ResultSchema(StrictSchema):
    """One answer; without `need` it is about the whole handoff."""

    code = Text(max=CODE_MAX, required=True)
    need = MessageId()
    At = Moment(required=True)
    Amount = Text(max=LINE_MAX)
    Delivered = Text(max=LINE_MAX)
    From = Day()
    Until = Day()
    Reason = Text(max=CODE_MAX)
    Explanation = Text(max=TEXT_MAX, lines=True)
    JudicialAidCounted = Flag()
    NextDue = Day()
    ForwardedTo = Text(max=LINE_MAX)
    SuggestedAgency = Text(max=LINE_MAX)
    SuggestedRegion = RegionCode()
    Missing = ListOf(Text(max=LINE_MAX), max=50)
    Payee = Text(max=CODE_MAX)
    PersonNumber = Text(max=CODE_MAX)
    Officer = Text(max=LINE_MAX)

    @validates_schema
    def check_period(self, fields: dict[str, Any], **_: Any) -> None:
        """A period ends on or after the day it starts."""
        if "From" in fields and "Until" in fields and fields["Until"] < fields["From"]:
            raise ValidationError({"Until": ["out_of_range"]})


class ReplySchema(StrictSchema):
    """A reply to one handoff."""

    handoff = MessageId(required=True)
    Result = ListOf(Nest(ResultSchema), min=1, required=True)


REPLY = ReplySchema()


def reply_fields(root: etree._Element) -> dict[str, Any]:
    """A valid `HandoffReply` as `REPLY` reads it: texts, lists of texts and flags."""
    return {"handoff": root.get("handoff"), "Result": [_result_fields(result) for result in root]}


def _result_fields(result: etree._Element) -> dict[str, Any]:
    found: dict[str, Any] = {str(name): value for name, value in result.items() if name in ("code", "need")}
    for element in result:
        name, text = local_name(element), element.text or ""
        if name in REPEATED:
            found.setdefault(name, []).append(text)
        else:
            found[name] = text == "true" if name == "JudicialAidCounted" else text
    return found

"""取回 The wire shapes of a giving back (WIRE §8): what a partner holds of a pair after the gateway lost some of it.

Shape only: each line proves itself by the signatures in it, and what it is worth is not judged here.
"""

from schemas.fields import Flag, ListOf, Moment, Nest, StrictSchema, Text, Whole

GIVEN_BACK_TYPE = "recovery.given_back"
"""The type of a party's closing statement: all it holds has been given."""
MAX_COMPACT = 1_000_000
MOST_OPEN = 1_000
_COMPACT = r"[A-Za-z0-9_.-]+"


class GivenBackLineSchema(StrictSchema):
    """One line. message: compact JWS, or the JWE around it; receipt: the compact JWS that answers it, where there is
    one: the gateway's for a message of the party's, the party's for one of the gateway's."""

    message = Text(max=MAX_COMPACT, pattern=_COMPACT, required=True)
    receipt = Text(max=MAX_COMPACT, pattern=_COMPACT, allow_none=True, load_default=None)


class SentSchema(StrictSchema):
    """What the party sent: the highest number it holds our receipt for, and lower ones still without a receipt."""

    high_water = Whole(required=True)
    open = ListOf(Whole(min=1), max=MOST_OPEN)


class ReceivedSchema(StrictSchema):
    """What the party received from us: the highest number."""

    high_water = Whole(required=True)


class StatementSchema(StrictSchema):
    """`data` of `recovery.given_back`."""

    sent = Nest(SentSchema, required=True)
    received = Nest(ReceivedSchema, required=True)


class HoldingSchema(StrictSchema):
    """The answer of `GET /v1/recovery`: whether the gateway is in recovery, since when, and up to which numbers it
    holds everything; higher ones are to be given back."""

    recovering = Flag(required=True)
    since = Moment(allow_none=True, required=True)
    to_gateway = Whole(required=True)
    from_gateway = Whole(required=True)


class OutcomeSchema(StrictSchema):
    """What became of one line of a giving back."""

    outcome = Text(max=20, required=True)
    message_id = Text(max=64, allow_none=True, required=True)
    code = Text(max=64, allow_none=True, required=True)


LINE = GivenBackLineSchema()
STATEMENT = StatementSchema()
HOLDING = HoldingSchema()
OUTCOME = OutcomeSchema()

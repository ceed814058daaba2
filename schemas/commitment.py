"""对账承诺 The wire shape of `commitment.submitted` (WIRE §2): what one side holds of its pair's two streams.

Shape only. `ours` is always the sender of the commitment, `theirs` the other side as the sender was told. A number
under which one side holds several messages stands in several rows.
"""

from schemas.fields import Code, ListOf, MessageId, Moment, Nest, PartyId, Sha256, StrictSchema, Whole

KINDS = ("missing_ours", "missing_theirs", "altered", "doubled", "in_transit", "refused")
MOST_DIFFERENCES = 300


class HeldMessageSchema(StrictSchema):
    """One message as one side holds it."""

    message_id = MessageId(required=True)
    digest = Sha256(required=True)


class DifferenceSchema(StrictSchema):
    """差异: one number on which the sides differ."""

    seq = Whole(min=1, required=True)
    kind = Code(KINDS, required=True)
    ours = Nest(HeldMessageSchema)
    theirs = Nest(HeldMessageSchema)


class StreamSchema(StrictSchema):
    """One direction of a pair, up to the number `high_water`. more: differences beyond those listed."""

    source = PartyId(required=True)
    recipient = PartyId(required=True)
    high_water = Whole(required=True)
    count = Whole(required=True)
    root = Sha256(required=True)
    differences = ListOf(Nest(DifferenceSchema), max=MOST_DIFFERENCES)
    more = Whole()


class CommitmentSchema(StrictSchema):
    """`data` of `commitment.submitted`."""

    cutoff = Moment(required=True)
    streams = ListOf(Nest(StreamSchema), min=1, max=2, required=True)


COMMITMENT = CommitmentSchema()

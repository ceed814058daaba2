"""对账承诺 The wire shape of `commitment.submitted` (WIRE §2): what one side holds of its pair's two streams.

Shape only. `ours` is always the sender of the commitment, `theirs` the other side as the sender was told. A number
under which one side holds several messages stands in several rows.
"""

from schemas.fields import Code, ListOf, Moment, Nest, PartyId, Sha256, StrictSchema, Text, Whole

KINDS = ("missing_ours", "missing_theirs", "altered", "doubled", "in_transit", "refused")
MOST_DIFFERENCES = 300


class HeldMessageSchema(StrictSchema):
    """One message as one side holds it: what stands in its book, even if that is no id and no digest any more."""

    message_id = Text(max=200, pattern="[!-~]+", required=True)
    digest = Text(max=200, pattern="[!-~]+", required=True)


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


class StreamRowSchema(HeldMessageSchema):
    """One message as `range` shows it. state: what its holder knows of its way."""

    seq = Whole(min=1, required=True)
    state = Text(max=40, required=True)


class RangeSchema(StrictSchema):
    """The answer of `GET /v1/pairs/<direction>/range`: leaves [lo, hi), the hash over them and over their halves, and
    the messages themselves where there are few."""

    lo = Whole(required=True)
    hi = Whole(min=1, required=True)
    hash = Sha256(required=True)
    left = Sha256()
    right = Sha256()
    rows = ListOf(Nest(StreamRowSchema), max=10_000)


class CommitmentSchema(StrictSchema):
    """`data` of `commitment.submitted`."""

    cutoff = Moment(required=True)
    streams = ListOf(Nest(StreamSchema), min=1, max=2, required=True)


COMMITMENT = CommitmentSchema()

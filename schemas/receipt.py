"""回执 The wire shape of a receipt's `data` (WIRE §3); the envelope names what it answers."""

from schemas.fields import Code, ListOf, Moment, Nest, Sha256, StrictSchema, Text, Whole

RUNGS = ("submission", "relay", "delivery", "retrieval", "disposition", "outcome")
VERDICTS = ("accepted", "refused", "duplicate", "timeout")


class WarningSchema(StrictSchema):
    """A warning to the sender: something a person should look at; nothing was refused."""

    pointer = Text(min=0, max=300, required=True)
    code = Text(max=64, required=True)


class LogPlaceSchema(StrictSchema):
    """The message's leaf in the gateway's log, and the committed tree before it (WIRE §5)."""

    origin = Text(max=200, required=True)
    index = Whole(required=True)
    tree_size = Whole(required=True)
    root = Sha256(required=True)


class ConflictSchema(StrictSchema):
    """What a reservation conflicts with, as much as the one who asked may know. Months are `YYYY-MM`."""

    code = Text(max=64, required=True)
    rule_id = Text(max=20, required=True)
    programme = Text(max=20)
    agency = Text(max=40)
    from_month = Text(max=7)
    until_month = Text(max=7)
    state = Text(max=20)
    own = Text(max=64)


class AnswerSchema(StrictSchema):
    """What was asked is answered with the receipt itself: a reservation, until when, or in conflict with what; a match
    or a statement, and how it stands now."""

    reservation_id = Text(max=64)
    match_id = Text(max=64)
    statement_id = Text(max=64)
    state = Text(max=30, required=True)
    until = Moment()
    conflicts = ListOf(Nest(ConflictSchema), max=50)


class ReceiptSchema(StrictSchema):
    """`data` of a receipt."""

    rung = Code(RUNGS, required=True)
    verdict = Code(VERDICTS, required=True)
    reason_code = Text(max=64)
    at = Moment(required=True)
    warnings = ListOf(Nest(WarningSchema), max=200)
    holds = ListOf(Text(max=64), max=50)
    log = Nest(LogPlaceSchema)
    answer = Nest(AnswerSchema)


RECEIPT = ReceiptSchema()

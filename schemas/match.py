"""匹配复核报文 The wire shapes of a side's word about a match (WIRE §2): its disposition, or its appeal.

Both name the match, the side and that side's own referral, as the notice told them. The reason is for people: it stays
in the signed bytes. Evidence is named by reference, never carried.
"""

from schemas.fields import Code, ListOf, MessageId, StrictSchema, Text

SIDES = ("A", "B")
DISPOSITIONS = (
    "SAME_HELP_KEEP_MINE",
    "STOP_MINE",
    "LAWFUL_BOTH",
    "NOT_SAME_PERSON",
    "NOT_SAME_HELP",
    "NEED_INFORMATION",
)
STOPS_BY = ("WITHDRAWAL", "STOP", "REPAYMENT")


class MatchDispositionSchema(StrictSchema):
    """`match.disposition`. stops_by: with STOP_MINE only, how the help ends."""

    match_id = MessageId(required=True)
    side = Code(SIDES, required=True)
    referral_id = MessageId(required=True)
    disposition = Code(DISPOSITIONS, required=True)
    stops_by = Code(STOPS_BY)
    reason = Text(max=1000, lines=True, required=True)
    evidence = ListOf(Text(max=100), max=20)


class MatchAppealSchema(StrictSchema):
    """`match.appealed`."""

    match_id = MessageId(required=True)
    side = Code(SIDES, required=True)
    referral_id = MessageId(required=True)
    reason = Text(max=1000, lines=True, required=True)
    evidence = ListOf(Text(max=100), max=20)


MATCH_DISPOSITION = MatchDispositionSchema()
MATCH_APPEAL = MatchAppealSchema()

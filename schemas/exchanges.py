"""协查与线索报文 The wire shapes of inquiries (court → agencies, answered per programme) and clues (agency → court).

An inquiry and a clue name a person by as little as tells who it is. Days are `YYYY-MM-DD`, amounts integer fen.
`message.retrieved` acknowledges any notice of the gateway's that lay in a mailbox.
"""

from schemas.fields import Code, Day, Fen, ListOf, MessageId, Moment, Nest, PartyId, RegionCode, StrictSchema, Text
from schemas.referral import ID_TYPES, LEGAL_BASES, REFUSALS, SEXES, VerificationAuthorizationSchema

INQUIRY_ANSWERS = ("ACTIVE", "ENDED", "NEVER", "UNKNOWN")
CIRCUMSTANCES = (
    "CRIME_VICTIM",
    "BREADWINNER_LOST",
    "UNPAID_COMPENSATION",
    "UNPAID_SUPPORT",
    "URGENT_TREATMENT",
    "DOMESTIC_VIOLENCE",
    "OTHER",
)
CLUE_ANSWERS = ("INFORMED_PERSON", "FILED", "ASSISTED", "NOT_ASSISTED", "NOT_COURT")


class NamedPersonSchema(StrictSchema):
    """A person by as little as tells who it is."""

    name = Text(max=100, required=True)
    id_type = Code(ID_TYPES, required=True)
    id_number = Text(max=40)
    sex = Code(SEXES)
    birth_date = Day()
    phone = Text(max=40)
    household_registration_region = RegionCode(required=True)


class InquirySchema(StrictSchema):
    """`inquiry.asked`: of programmes by name, of all that an agency leads, or both."""

    inquiry_id = MessageId(required=True)
    agreement_document = Text(max=100, required=True)
    case_number = Text(max=60, required=True)
    person = Nest(NamedPersonSchema, required=True)
    programmes = ListOf(Text(max=20, pattern=r"[A-Z0-9_]+"), max=30, unique=True)
    agencies = ListOf(Text(max=40, pattern=r"[a-z_]+"), max=10, unique=True)
    legal_basis = Code(LEGAL_BASES, required=True)
    notice_given_at = Day()
    verification_authorization = Nest(VerificationAuthorizationSchema)
    reply_by = Moment()


class ProgrammeAnswerSchema(StrictSchema):
    """What one agency knows of one programme, as of a day. UNKNOWN is not NEVER."""

    programme = Text(max=20, pattern=r"[A-Z0-9_]+", required=True)
    answer = Code(INQUIRY_ANSWERS, required=True)
    as_of = Day(required=True)
    since = Day()
    until = Day()
    amount_fen = Fen()


class InquiryAnswerSchema(StrictSchema):
    """`inquiry.answered`, in reply to `inquiry.forwarded`."""

    inquiry_id = MessageId(required=True)
    answers = ListOf(Nest(ProgrammeAnswerSchema), max=30, required=True)


class ClueSchema(StrictSchema):
    """`clue.submitted`: this person may need judicial assistance."""

    clue_id = MessageId(required=True)
    person = Nest(NamedPersonSchema, required=True)
    court = PartyId()
    circumstances = ListOf(Code(CIRCUMSTANCES), max=7, unique=True, required=True)
    legal_basis = Code(LEGAL_BASES, required=True)
    note = Text(max=2000, lines=True)


class ClueAnswerSchema(StrictSchema):
    """`clue.answered`."""

    clue_id = MessageId(required=True)
    code = Code(CLUE_ANSWERS, required=True)
    case_number = Text(max=60)
    amount_fen = Fen()
    refusal_code = Code(REFUSALS)
    to = Text(max=100)
    answered_on = Day()


class RetrievalSchema(StrictSchema):
    """`message.retrieved`, in reply to a notice."""

    opened_at = Moment()


INQUIRY = InquirySchema()
INQUIRY_ANSWER = InquiryAnswerSchema()
CLUE = ClueSchema()
CLUE_ANSWER = ClueAnswerSchema()
RETRIEVAL = RetrievalSchema()

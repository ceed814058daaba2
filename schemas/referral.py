"""移送报文 The wire shapes a court sends (WIRE §2): `referral.submitted`, `referral.amended`, `referral.withdrawn`,
`judicial_assistance.paid`. Field names are DOMAIN §3; amounts are integer fen; days are `YYYY-MM-DD`.

Shape only: whether a case number, an identity or a combination of fields is right is decided by the gateway's domain.
"""

from schemas.fields import (
    Code,
    Day,
    Fen,
    Flag,
    ListOf,
    MessageId,
    Moment,
    Nest,
    RegionCode,
    Sha256,
    StrictSchema,
    Text,
    Whole,
)

DECISIONS = ("ASSIST", "NOT_ASSIST", "SUSPENDED", "TERMINATED")
ASSESSMENTS = ("REFER", "NO_NEED", "PERSON_DECLINES", "ALREADY_COVERED")
URGENCIES = ("NORMAL", "URGENT_48H", "URGENT_24H")
LEGAL_BASES = ("STATUTORY_DUTY", "CONSENT", "EMERGENCY")
SURVEY_MODES = ("ON_SITE", "DOCUMENT")
GROUNDS = ("G1", "G2", "G3", "G4", "G5", "G6", "G7", "G8", "GP")
REFUSALS = ("X1", "X2", "X3", "X4", "X5", "X6", "X7", "X8")
GROUPS = ("MINOR", "ELDERLY", "WOMAN", "DISABLED")
WOMEN_CLASSES = ("W1", "W2", "W3", "W4", "W5", "W6", "W7")
SEXES = ("0", "1", "2", "9")
PAYEES = ("BENEFICIARY", "GUARDIAN", "AGENT", "OTHER")
ID_TYPES = ("111", "113", "117", "414", "420", "421", "511", "516", "000")


class GuardianSchema(StrictSchema):
    """监护人."""

    name = Text(max=100, required=True)
    relation = Text(max=20, required=True)
    id_type = Code(ID_TYPES)
    id_number = Text(max=40)
    phone = Text(max=40)


class HouseholdMemberSchema(StrictSchema):
    """共同生活家庭成员."""

    name = Text(max=100, required=True)
    relation = Text(max=20, required=True)
    id_type = Code(ID_TYPES)
    id_number = Text(max=40)
    birth_date = Day()


class DisabilitySchema(StrictSchema):
    """残疾情况."""

    certificate = Text(max=40)
    kind = Whole(min=1, max=7)
    grade = Whole(min=1, max=4)


class PersonSchema(StrictSchema):
    """被救助人."""

    name = Text(max=100, required=True)
    id_type = Code(ID_TYPES, required=True)
    id_number = Text(max=40)
    sex = Code(SEXES)
    birth_date = Day()
    phone = Text(max=40)
    ethnic_group = Text(max=40)
    household_registration_region = RegionCode()
    residence = Text(max=300)
    guardian = Nest(GuardianSchema)
    household = ListOf(Nest(HouseholdMemberSchema), max=30)
    specific_groups = ListOf(Code(GROUPS), max=4, unique=True)
    women_class = Code(WOMEN_CLASSES)
    disability = Nest(DisabilitySchema)
    protection_order = Flag()
    safety_flag = Flag()


class NeedSchema(StrictSchema):
    """救助需求 by programme or by a plain need code."""

    programme = Text(max=20, pattern=r"[A-Z0-9_]+")
    need_code = Text(max=40, pattern=r"[A-Z0-9_]+")
    note = Text(max=1000, lines=True)


class SurveySchema(StrictSchema):
    """调查."""

    mode = Code(SURVEY_MODES, required=True)
    date = Day(required=True)
    investigators = ListOf(Text(max=100), max=20, required=True)
    summary = Text(max=4000, lines=True, required=True)


class VerificationAuthorizationSchema(StrictSchema):
    """核对授权书."""

    ref = Text(max=100, required=True)
    signed_at = Day(required=True)
    scope = Text(max=300, required=True)


class ContactSchema(StrictSchema):
    """联系人."""

    name = Text(max=100, required=True)
    phone = Text(max=40, required=True)


class AttachmentSchema(StrictSchema):
    """附件 by digest; size in bytes."""

    sha256 = Sha256(required=True)
    media_type = Text(max=100, required=True)
    size = Whole(min=0, max=2**40, required=True)


class ReferralSchema(StrictSchema):
    """`referral.submitted`: the whole referral."""

    referral_id = MessageId(required=True)
    agreement_document = Text(max=100, required=True)
    recipient_region = RegionCode()
    case_number = Text(max=60, required=True)
    case_type = Text(max=40)
    original_case_group = Text(max=120)
    concluded_on = Day(required=True)
    decision = Code(DECISIONS, required=True)
    decided_amount_fen = Fen()
    advance_fen = Fen()
    joint_id = MessageId()
    joint_decided_fen = Fen()
    cap_exceeded_reason = Text(max=1000, lines=True)
    unenforced_balance_fen = Fen()
    paid_at = Day()
    ground_code = Code(GROUNDS)
    refusal_code = Code(REFUSALS)
    inquiry_ref = MessageId()
    inquiry_waived_reason = Text(max=500, lines=True)
    assessment = Code(ASSESSMENTS)
    person = Nest(PersonSchema, required=True)
    needs = ListOf(Nest(NeedSchema), max=20)
    urgency = Code(URGENCIES)
    place_of_event = RegionCode()
    survey = Nest(SurveySchema)
    committee_signoff = Text(max=200)
    verification_authorization = Nest(VerificationAuthorizationSchema)
    legal_basis = Code(LEGAL_BASES, required=True)
    notice_given_at = Day()
    guardian_consent_ref = Text(max=100)
    no_public_notice = Flag()
    custody = Text(max=1000, lines=True)
    contact = Nest(ContactSchema)
    attachments = ListOf(Nest(AttachmentSchema), max=50)
    reply_by = Moment()


OF_AMENDMENTS = frozenset({"amends", "amendment_reason"})
"""What an amendment says beside the referral."""


class AmendmentSchema(ReferralSchema):
    """`referral.amended`: the whole referral once more, the message it amends, and why."""

    amends = MessageId(required=True)
    amendment_reason = Text(max=500, lines=True, required=True)


class WithdrawalSchema(StrictSchema):
    """`referral.withdrawn`."""

    referral_id = MessageId(required=True)
    reason = Text(max=500, lines=True, required=True)


class CourtPaymentSchema(StrictSchema):
    """`judicial_assistance.paid`: one payment of the court."""

    referral_id = MessageId(required=True)
    payment_id = MessageId(required=True)
    amount_fen = Fen(min=1, required=True)
    paid_on = Day(required=True)
    payee = Code(PAYEES, required=True)
    account = Text(max=60)


REFERRAL = ReferralSchema()
AMENDMENT = AmendmentSchema()
WITHDRAWAL = WithdrawalSchema()
COURT_PAYMENT = CourtPaymentSchema()

"""民政报文 The wire shapes of civil affairs: the handoff it receives and the reply it sends, both JSON objects.

`abax6002`, `abax9999`, `axdf0002`, `axdf0004`, `axdf0005`, `abaf0004`, `abaf0005`, `abaf0028` and `abaf0029` are field
names of that system; every `xj_` field is our own design. Money is yuan as text, months are `yyyymm`. What a code means
is said by the adapter's tables; a status or a denial reason may be any short text here, because an unknown one is a
point in doubt and not a broken message.
"""

from typing import Any

from marshmallow import ValidationError, validates_schema

from schemas.fields import (
    Code,
    Day,
    Flag,
    ListOf,
    MessageId,
    Moment,
    Nest,
    PartyId,
    RegionCode,
    Sha256,
    StrictSchema,
    Text,
    Token,
    Whole,
)

CODE_MAX = 32
LINE_MAX = 200
TEXT_MAX = 2000
LONG_TEXT_MAX = 20_000


class Yuan(Token):
    """Yuan as text, at most two decimals, no sign and no exponent: `650`, `650.5`, `1234.56`."""

    PATTERN = r"(?:0|[1-9][0-9]{0,11})(?:\.[0-9]{1,2})?"


class Month(Token):
    """`yyyymm`."""

    PATTERN = r"[12][0-9]{3}(?:0[1-9]|1[0-2])"


class BenefitCode(Token):
    """A value of `abax6002`."""

    PATTERN = r"[0-9]{3}"


class ItemSchema(StrictSchema):
    """One need. `abax6002` only where it is certain; else the codes it may be."""

    xj_need = MessageId(required=True)
    xj_programme = Text(max=CODE_MAX, required=True)
    abax6002 = BenefitCode()
    xj_candidates = ListOf(BenefitCode(), min=2, unique=True)
    abaf0005 = Text(max=LONG_TEXT_MAX, lines=True)


class PersonSchema(StrictSchema):
    """The beneficiary beyond name and number, which stand in axdf0002 and axdf0004."""

    xj_id_type = Text(max=CODE_MAX)
    xj_sex = Code(["0", "1", "2", "9"])
    xj_birth = Day()
    xj_phone = Text(max=LINE_MAX)
    xj_ethnic_group = Text(max=LINE_MAX)
    xj_registration_region = RegionCode()
    xj_residence = Text(max=TEXT_MAX, lines=True)
    xj_groups = ListOf(Text(max=CODE_MAX), unique=True)


class DisabilitySchema(StrictSchema):
    """Certificate, kind 1–7, grade 1–4."""

    xj_certificate = Text(max=LINE_MAX)
    xj_kind = Whole(1, 7)
    xj_grade = Whole(1, 4)


class RelativeSchema(StrictSchema):
    """A guardian or a household member; the relation (GB/T 4761) is to the beneficiary."""

    xj_name = Text(max=LINE_MAX, required=True)
    xj_relation = Text(max=CODE_MAX, required=True)
    xj_id_type = Text(max=CODE_MAX)
    xj_id_number = Text(max=LINE_MAX)
    xj_birth = Day()
    xj_phone = Text(max=LINE_MAX)


class CourtSurveySchema(StrictSchema):
    """The court's survey; the summary may be withheld while the rest is not."""

    xj_mode = Code(["ON_SITE", "DOCUMENT"], required=True)
    xj_date = Day(required=True)
    xj_investigators = ListOf(Text(max=LINE_MAX))
    xj_summary = Text(max=LONG_TEXT_MAX, lines=True)


class AuthorizationSchema(StrictSchema):
    """Leave to check the economic status."""

    xj_ref = Text(max=LINE_MAX, required=True)
    xj_signed = Day(required=True)
    xj_scope = Text(max=TEXT_MAX, lines=True, required=True)


class CourtContactSchema(StrictSchema):
    """Whom to ask at the court."""

    xj_name = Text(max=LINE_MAX, required=True)
    xj_phone = Text(max=LINE_MAX, required=True)


class DocumentSchema(StrictSchema):
    """A document by digest."""

    xj_sha256 = Sha256(required=True)
    xj_media_type = Text(max=LINE_MAX, required=True)
    xj_size = Whole(required=True)


class HandoffSchema(StrictSchema):
    """A handoff as civil affairs receives it."""

    xj_handoff = MessageId(required=True)
    xj_referral = MessageId(required=True)
    xj_document = Text(max=LINE_MAX, required=True)
    xj_agency = Text(max=CODE_MAX, required=True)
    xj_office = Text(max=LINE_MAX, required=True)
    abax9999 = RegionCode(required=True)
    xj_court = PartyId(required=True)
    xj_issued = Moment(required=True)
    xj_reply_by = Moment()
    xj_urgency = Code(["NORMAL", "URGENT_48H", "URGENT_24H"], required=True)
    xj_minor = Flag(required=True)
    xj_no_public_notice = Flag(required=True)
    xj_legal_basis = Code(["STATUTORY_DUTY", "CONSENT", "EMERGENCY"])
    xj_case_number = Text(max=LINE_MAX)
    xj_decision = Code(["ASSIST", "NOT_ASSIST", "SUSPENDED", "TERMINATED"])
    xj_judicial_aid = Yuan()
    xj_judicial_aid_paid = Day()
    xj_custody = Text(max=TEXT_MAX, lines=True)
    axdf0002 = Text(max=LINE_MAX)
    axdf0004 = Text(max=LINE_MAX)
    axdf0005 = Whole(1, 1000)
    abaf0004 = Text(max=LINE_MAX)
    xj_person = Nest(PersonSchema)
    xj_disability = Nest(DisabilitySchema)
    xj_guardian = Nest(RelativeSchema)
    xj_household = ListOf(Nest(RelativeSchema))
    xj_survey = Nest(CourtSurveySchema)
    xj_authorization = Nest(AuthorizationSchema)
    xj_contact = Nest(CourtContactSchema)
    xj_attachments = ListOf(Nest(DocumentSchema))
    xj_items = ListOf(Nest(ItemSchema), min=1, required=True)


class ResultSchema(StrictSchema):
    """One answer; without `xj_need` (or with null) it is about the whole handoff."""

    xj_need = MessageId(allow_none=True)
    xj_status = Text(max=CODE_MAX, required=True)
    xj_at = Moment(required=True)
    abaf0028 = Month()
    abaf0029 = Month()
    xj_amount = Yuan()
    xj_service = Text(max=LINE_MAX)
    xj_reason = Text(max=CODE_MAX)
    xj_reason_text = Text(max=TEXT_MAX, lines=True)
    xj_income_counted = Flag()
    xj_next_due = Day()
    xj_forwarded_to = Text(max=LINE_MAX)
    xj_suggest_agency = Text(max=LINE_MAX)
    xj_suggest_region = RegionCode()
    xj_missing = ListOf(Text(max=LINE_MAX), max=50)
    xj_payee = Text(max=CODE_MAX)
    axdf0004 = Text(max=CODE_MAX)
    xj_officer = Text(max=LINE_MAX)

    @validates_schema
    def check_period(self, fields: dict[str, Any], **_: Any) -> None:
        """A benefit ends in or after the month it starts."""
        if "abaf0028" in fields and "abaf0029" in fields and fields["abaf0029"] < fields["abaf0028"]:
            raise ValidationError({"abaf0029": ["out_of_range"]})


class ReplySchema(StrictSchema):
    """A reply to one handoff."""

    xj_handoff = MessageId(required=True)
    xj_results = ListOf(Nest(ResultSchema), min=1, required=True)


HANDOFF = HandoffSchema()
REPLY = ReplySchema()

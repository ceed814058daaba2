"""移送的读取 From the wire shape of a court's message to the domain's `Referral`.

Shape errors become `SchemaInvalid` with every pointer at once; nothing is normalised except the spelling of case
numbers (full-width brackets; the original case's also without blanks and with plain digits). Whether the referral keeps
the rules is `domain.intake_rules`'s question.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from marshmallow import ValidationError

from gateway.domain.case_number import full_width
from gateway.domain.person import Disability, Guardian, HouseholdMember, Person, SpecificGroup, WomenClass
from gateway.domain.referral import (
    Attachment,
    CaseContact,
    Decision,
    LegalBasis,
    Referral,
    ReferralAssessment,
    RequestedNeed,
    Survey,
    SurveyMode,
    Urgency,
    VerificationAuthorization,
)
from gateway.envelope.message import field_problems
from gateway.errors import FieldProblem, SchemaInvalid
from schemas.fields import StrictSchema
from schemas.referral import AMENDMENT, OF_AMENDMENTS, REFERRAL

_SPELLINGS = str.maketrans("()〔〕[]０１２３４５６７８９", "（）（）（）0123456789", " \u3000")
MOST_REFERRAL_ID = 60
"""A need's id is the referral's with its number behind it, and must itself be an id of at most 64 characters."""
_ENUMS = {
    "decision": Decision,
    "legal_basis": LegalBasis,
    "assessment": ReferralAssessment,
    "urgency": Urgency,
}


def read_referral(body: Any, *, court: str) -> Referral:
    """The referral in a message's `data`. Raises SchemaInvalid."""
    return _referral(_fields(body, REFERRAL), court)


@dataclass(frozen=True, kw_only=True, slots=True)
class Amended:
    """A referral as an amendment has it. amends: the message it amends; why stays in the message's bytes."""

    referral: Referral
    amends: str


def read_amendment(body: Any, *, court: str) -> Amended:
    """The whole referral in the `data` of `referral.amended`. Raises SchemaInvalid."""
    fields = _fields(body, AMENDMENT)
    said = {name: fields.pop(name) for name in OF_AMENDMENTS}
    return Amended(referral=_referral(fields, court), amends=said["amends"])


def _fields(body: Any, shape: StrictSchema) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise SchemaInvalid("referral", problems=[FieldProblem(pointer="/data", code="not_object")])
    try:
        fields: dict[str, Any] = shape.load(body)
    except ValidationError as error:
        raise SchemaInvalid("referral", problems=field_problems(error, prefix="/data")) from error
    if len(fields["referral_id"]) > MOST_REFERRAL_ID:
        raise SchemaInvalid("referral", problems=[FieldProblem(pointer="/data/referral_id", code="too_long")])
    return fields


def _referral(fields: dict[str, Any], court: str) -> Referral:
    for name, enum in _ENUMS.items():
        if name in fields:
            fields[name] = enum(fields[name])
    fields["person"] = _person(fields["person"])
    fields["case_number"] = full_width(fields["case_number"])
    if "original_case_group" in fields:
        # one matter, one spelling: rule D01 compares it, and brackets or blanks must not hide a second aid
        fields["original_case_group"] = fields["original_case_group"].translate(_SPELLINGS)
    fields["needs"] = tuple(RequestedNeed(**need) for need in fields.get("needs", ()))
    fields["attachments"] = tuple(Attachment(**item) for item in fields.get("attachments", ()))
    survey = fields.get("survey")
    if survey is not None:
        fields["survey"] = Survey(
            mode=SurveyMode(survey["mode"]),
            date=survey["date"],
            investigators=tuple(survey["investigators"]),
            summary=survey["summary"],
        )
    if "verification_authorization" in fields:
        fields["verification_authorization"] = VerificationAuthorization(**fields["verification_authorization"])
    if "contact" in fields:
        fields["contact"] = CaseContact(**fields["contact"])
    return Referral(court=court, **fields)


def _person(fields: Mapping[str, Any]) -> Person:
    known = dict(fields)
    if "guardian" in known:
        known["guardian"] = Guardian(**known["guardian"])
    known["household"] = tuple(HouseholdMember(**member) for member in known.get("household", ()))
    known["specific_groups"] = frozenset(SpecificGroup(word) for word in known.get("specific_groups", ()))
    if "women_class" in known:
        known["women_class"] = WomenClass(known["women_class"])
    if "disability" in known:
        known["disability"] = Disability(**known["disability"])
    return Person(**known)

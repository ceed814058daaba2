"""移送 A referral: one person of one concluded judicial-assistance case, the decision and what is still needed.

One referral is one beneficiary; a case with several beneficiaries sends several referrals under one case number, so
cases are counted by case number and money by referral. A referral without needs is legal: every concluded case is
reported with its assessment (rule R01). Field names are those of DOMAIN §3.
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from gateway.domain.person import Person


class Decision(StrEnum):
    """救助决定."""

    ASSIST = "ASSIST"
    NOT_ASSIST = "NOT_ASSIST"
    SUSPENDED = "SUSPENDED"
    TERMINATED = "TERMINATED"


class ReferralAssessment(StrEnum):
    """移送评估: what the court found about social assistance for a concluded case (rule R01)."""

    REFER = "REFER"
    NO_NEED = "NO_NEED"
    PERSON_DECLINES = "PERSON_DECLINES"
    ALREADY_COVERED = "ALREADY_COVERED"


class Urgency(StrEnum):
    """紧急程度."""

    NORMAL = "NORMAL"
    URGENT_48H = "URGENT_48H"
    URGENT_24H = "URGENT_24H"


class LegalBasis(StrEnum):
    """处理个人信息的依据 (rule P01)."""

    STATUTORY_DUTY = "STATUTORY_DUTY"
    CONSENT = "CONSENT"
    EMERGENCY = "EMERGENCY"


class SurveyMode(StrEnum):
    """调查方式."""

    ON_SITE = "ON_SITE"
    DOCUMENT = "DOCUMENT"


GROUND_CODES = ("G1", "G2", "G3", "G4", "G5", "G6", "G7", "G8", "GP")
REFUSAL_CODES = ("X1", "X2", "X3", "X4", "X5", "X6", "X7", "X8")


@dataclass(frozen=True, kw_only=True, slots=True)
class Survey:
    """调查: mode, date, at least two investigators, findings."""

    mode: SurveyMode
    date: date
    investigators: tuple[str, ...]
    summary: str


@dataclass(frozen=True, kw_only=True, slots=True)
class VerificationAuthorization:
    """核对授权书 for the economic-status check."""

    ref: str
    signed_at: date
    scope: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Attachment:
    """附件 by digest; the bytes travel elsewhere. size in bytes."""

    sha256: str
    media_type: str
    size: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseContact:
    """联系人 at the court."""

    name: str
    phone: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestedNeed:
    """A need as the court wrote it: a programme code or a plain need code, with a note."""

    programme: str | None = None
    need_code: str | None = None
    note: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Referral:
    """移送. Amounts in fen. `case_number` is stored with full-width brackets."""

    referral_id: str
    agreement_document: str
    court: str
    case_number: str
    concluded_on: date
    decision: Decision
    legal_basis: LegalBasis
    person: Person
    recipient_region: str | None = None
    case_type: str | None = None
    original_case_group: str | None = None
    decided_amount_fen: int = 0
    advance_fen: int = 0
    joint_id: str | None = None
    joint_decided_fen: int | None = None
    cap_exceeded_reason: str | None = None
    unenforced_balance_fen: int | None = None
    paid_at: date | None = None
    ground_code: str | None = None
    refusal_code: str | None = None
    inquiry_ref: str | None = None
    inquiry_waived_reason: str | None = None
    assessment: ReferralAssessment | None = None
    needs: tuple[RequestedNeed, ...] = ()
    urgency: Urgency = Urgency.NORMAL
    place_of_event: str | None = None
    survey: Survey | None = None
    committee_signoff: str | None = None
    verification_authorization: VerificationAuthorization | None = None
    notice_given_at: date | None = None
    guardian_consent_ref: str | None = None
    no_public_notice: bool = False
    custody: str | None = None
    contact: CaseContact | None = None
    attachments: tuple[Attachment, ...] = ()
    reply_by: datetime | None = None

    @property
    def is_minor(self) -> bool:
        """Whether the beneficiary was a minor when the case was concluded; decides priority, limits and notice."""
        return self.person.is_minor_on(self.concluded_on)

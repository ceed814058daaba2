"""转办 A handoff: what one office is asked to do for one person, cut to what that office may know.

An adapter receives a `Handoff` whose fields were already masked (`domain.masking`): it cannot leak what it never saw.
`Draft` is what an adapter makes of it; `Loss` records each thing the agency's format cannot carry (Law 5); `Outcome` is
one answer brought back into the common vocabulary of `replies.csv`.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from gateway.domain.person import Person
from gateway.domain.referral import (
    Attachment,
    CaseContact,
    Decision,
    LegalBasis,
    Survey,
    Urgency,
    VerificationAuthorization,
)
from gateway.domain.replies import DenialReason, ReceiptCode, ReplyCode


@dataclass(frozen=True, kw_only=True, slots=True)
class HandoffNeed:
    """One need within a handoff; `note` is the court's free text or None when masked."""

    need_id: str
    programme: str
    note: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Handoff:
    """转办. None means: not stated by the court, or withheld from this agency by the agreement's mask."""

    handoff_id: str
    referral_id: str
    agreement_document: str
    agency: str
    office_id: str
    office_region: str
    court: str
    needs: tuple[HandoffNeed, ...]
    person: Person
    issued_at: datetime
    is_minor: bool
    urgency: Urgency = Urgency.NORMAL
    legal_basis: LegalBasis | None = None
    reply_by: datetime | None = None
    case_number: str | None = None
    case_type: str | None = None
    decision: Decision | None = None
    decided_amount_fen: int | None = None
    paid_at: date | None = None
    ground_code: str | None = None
    survey: Survey | None = None
    verification_authorization: VerificationAuthorization | None = None
    no_public_notice: bool = False
    custody: str | None = None
    contact: CaseContact | None = None
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Loss:
    """Something the receiver's format or mask does not carry. pointer: JSON pointer into the referral's data;
    reason: `masked`, `no_field`, `truncated`, `code_coarsened`."""

    pointer: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """A handoff in the agency's own format: `body` is a JSON value, or text when `content_type` is application/xml."""

    content_type: str
    body: Any
    losses: tuple[Loss, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """办理结果: one answer about one need (`need_id`) or about the whole handoff (`need_id` None).

    code is None when the agency's own code is not in the adapter's table: the reply is recorded with `raw_code` and
    becomes a MM_UNKNOWN_CODE finding, never a guess. Amounts in fen; months as first and last day.
    """

    code: ReplyCode | ReceiptCode | None
    raw_code: str
    at: datetime
    need_id: str | None = None
    programme: str | None = None
    amount_fen: int | None = None
    service: str | None = None
    starts_on: date | None = None
    ends_on: date | None = None
    reason: DenialReason | None = None
    text: str | None = None
    judicial_aid_counted: bool | None = None
    next_due: date | None = None
    forwarded_to: str | None = None
    suggested_agency: str | None = None
    suggested_region: str | None = None
    missing: tuple[str, ...] = ()
    payee: str | None = None
    """BENEFICIARY, GUARDIAN, AGENT or OTHER."""
    person_id_number: str | None = None
    """The id number the agency acted for, where its format echoes one; compared, never stored in clear."""
    officer: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SentNeed:
    """What `interpret` may rely on about one need that was sent."""

    need_id: str
    programme: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SentHandoff:
    """The handoff a reply answers, as the gateway remembers it."""

    handoff_id: str
    referral_id: str
    agency: str
    office_id: str
    needs: tuple[SentNeed, ...] = field(default_factory=tuple)

"""反馈 The common vocabulary of answers: receipts 回执, replies, denial reasons 不予救助理由, clue answers.

Every code is an enum member here and a row of `rules/replies.csv`; a test holds the two equal. Which denial reasons an
agency may give beyond the common ones is said by the table alone (layer `denial_<agency>`). An agency's own code that
no adapter knows never becomes a member of these enums: it stays raw text and a finding.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from gateway.domain.rules import read_table

COMMON_DENIALS = "denial"


class ReceiptCode(StrEnum):
    """回执层: what became of the bytes."""

    RECEIVED = "RECEIVED"
    REJECTED_FORMAT = "REJECTED_FORMAT"
    REJECTED_SIGNATURE = "REJECTED_SIGNATURE"
    DUPLICATE_MESSAGE = "DUPLICATE_MESSAGE"


class ReplyCode(StrEnum):
    """办理层: what became of the need."""

    ACCEPTED = "ACCEPTED"
    RETURNED = "RETURNED"
    NOT_IN_SCOPE = "NOT_IN_SCOPE"
    NOT_IN_REGION = "NOT_IN_REGION"
    FORWARDED = "FORWARDED"
    ALREADY_COVERED = "ALREADY_COVERED"
    IN_VERIFICATION = "IN_VERIFICATION"
    IN_PUBLIC_NOTICE = "IN_PUBLIC_NOTICE"
    APPROVED = "APPROVED"
    DENIED = "DENIED"
    PAID = "PAID"
    PAYMENT_RETURNED = "PAYMENT_RETURNED"
    SERVICE_DELIVERED = "SERVICE_DELIVERED"
    PERSON_DECLINED = "PERSON_DECLINED"
    UNREACHABLE = "UNREACHABLE"
    DECEASED = "DECEASED"
    MOVED = "MOVED"
    STOPPED = "STOPPED"
    CLOSED = "CLOSED"


class DenialReason(StrEnum):
    """不予救助理由, of every layer; `denial_reasons_for` says which agency may give which."""

    INCOME_OVER = "INCOME_OVER"
    ASSETS_OVER = "ASSETS_OVER"
    NOT_LOCAL = "NOT_LOCAL"
    MATERIAL_MISSING = "MATERIAL_MISSING"
    AUTHORISATION_MISSING = "AUTHORISATION_MISSING"
    NOT_CONFIRMED = "NOT_CONFIRMED"
    COVERED_BY_OTHER = "COVERED_BY_OTHER"
    QUOTA_OR_FUND = "QUOTA_OR_FUND"
    OBJECTION_UPHELD = "OBJECTION_UPHELD"
    FRAUD = "FRAUD"
    OTHER = "OTHER"
    NOT_HOUSEHOLD = "NOT_HOUSEHOLD"
    REFUSED_JOB_3X = "REFUSED_JOB_3X"
    CHILD_CONDITION_NOT_MET = "CHILD_CONDITION_NOT_MET"
    NO_CERTIFICATE = "NO_CERTIFICATE"
    GRADE_INSUFFICIENT = "GRADE_INSUFFICIENT"
    CERT_EXPIRED = "CERT_EXPIRED"
    AGE_OUT_OF_RANGE = "AGE_OUT_OF_RANGE"
    NOT_TARGET_CLASS = "NOT_TARGET_CLASS"
    NOT_DIAGNOSED = "NOT_DIAGNOSED"
    ONE_TIME_USED = "ONE_TIME_USED"
    NOT_LOW_INCOME_IDENTIFIED = "NOT_LOW_INCOME_IDENTIFIED"


class ClueAnswer(StrEnum):
    """线索反馈: a court's answer to an agency's clue (rule R14)."""

    INFORMED_PERSON = "INFORMED_PERSON"
    FILED = "FILED"
    ASSISTED = "ASSISTED"
    NOT_ASSISTED = "NOT_ASSISTED"
    NOT_COURT = "NOT_COURT"


TERMINAL: frozenset[ReceiptCode | ReplyCode | ClueAnswer] = frozenset(
    {
        ReplyCode.ALREADY_COVERED,
        ReplyCode.DENIED,
        ReplyCode.PAID,
        ReplyCode.SERVICE_DELIVERED,
        ReplyCode.PERSON_DECLINED,
        ReplyCode.DECEASED,
        ReplyCode.STOPPED,
        ReplyCode.CLOSED,
        ClueAnswer.ASSISTED,
        ClueAnswer.NOT_ASSISTED,
        ClueAnswer.NOT_COURT,
    }
)
"""Answers after which nothing more is owed; every other one carries `next_due` (DOMAIN §5)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplyEntry:
    """One row of the vocabulary. carries: what a reply with this code brings along, in words."""

    layer: str
    code: str
    zh: str
    terminal: bool
    carries: str


@cache
def load_replies() -> tuple[ReplyEntry, ...]:
    """The whole vocabulary in file order; read once."""
    return tuple(
        ReplyEntry(
            layer=row["layer"],
            code=row["code"],
            zh=row["zh"],
            terminal=row["terminal"] == "yes",
            carries=row["carries"],
        )
        for row in read_table("replies")
    )


def is_terminal(code: ReceiptCode | ReplyCode | ClueAnswer) -> bool:
    """Whether the answer ends the matter; a receipt never does."""
    return code in TERMINAL


def denial_reasons_for(agency: str) -> frozenset[DenialReason]:
    """The reasons this agency may give: the common ones and its own; an agency without a layer has the common ones."""
    layers = {COMMON_DENIALS, f"{COMMON_DENIALS}_{agency}"}
    return frozenset(DenialReason(entry.code) for entry in load_replies() if entry.layer in layers)

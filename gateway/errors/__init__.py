"""错误 Every way Xianjie says "no" to a message or a command, with its code, whose fault it is and what to do.

Rules: one class per code; the code never changes once published; a class knows its HTTP status, its fault and whether a
retry helps. Texts are Chinese and English and never carry a person's data: an error may hold ids, codes, pointers and
counts only. Discrepancies between parties are not errors but findings (`domain.reconciliation`). A file for each whose
fault it is.
"""

from gateway.errors.base import (
    Fault,
    FieldProblem,
    XianjieError,
)
from gateway.errors.message import (
    AgreementUnknown,
    CheckpointInvalid,
    ClueUnknown,
    DeniedWithoutReason,
    FileUnreadable,
    IllegalMove,
    InquiryUnknown,
    InvalidQuery,
    MalformedJson,
    MalformedXml,
    MatchUnknown,
    MessageError,
    MethodNotAllowed,
    NotFound,
    NoticeUnknown,
    NotJose,
    ReferralIdTaken,
    ReferralUnknown,
    ReservationUnknown,
    RuleBlocked,
    SameIdDifferentBytes,
    SchemaInvalid,
    StaleMessage,
    StatementDiffers,
    StatementMisplaced,
    StatementUnknown,
    StickRefused,
    StillProcessing,
    TooLarge,
    UnknownMessageType,
    UnsupportedMediaType,
    WrongRecipient,
)
from gateway.errors.own import (
    Busy,
    CalendarUnpublished,
    CaseErased,
    ConfigError,
    EvidenceDamaged,
    EvidenceNotReady,
    EvidenceTooLarge,
    ExampleKeyRefused,
    InputRefused,
    InRecovery,
    LeaseLost,
    MissingExtra,
    NotInRecovery,
    RecoveryIncomplete,
    SealBroken,
    SignInsBusy,
    StillRetained,
    StoreUnavailable,
)
from gateway.errors.partner import (
    AddressRefused,
    BundleBroken,
    CommitmentContradicted,
    PartnerUnreachable,
    ReceiptMismatch,
)
from gateway.errors.trust import (
    Forbidden,
    FormExpired,
    NotConfirmed,
    NotSignedIn,
    SecondPersonNeeded,
    SignInRefused,
    TrustError,
)

__all__ = [
    "AddressRefused",
    "AgreementUnknown",
    "BundleBroken",
    "Busy",
    "CalendarUnpublished",
    "CaseErased",
    "CheckpointInvalid",
    "ClueUnknown",
    "CommitmentContradicted",
    "ConfigError",
    "DeniedWithoutReason",
    "EvidenceDamaged",
    "EvidenceNotReady",
    "EvidenceTooLarge",
    "ExampleKeyRefused",
    "Fault",
    "FieldProblem",
    "FileUnreadable",
    "Forbidden",
    "FormExpired",
    "IllegalMove",
    "InRecovery",
    "InputRefused",
    "InquiryUnknown",
    "InvalidQuery",
    "LeaseLost",
    "MalformedJson",
    "MalformedXml",
    "MatchUnknown",
    "MessageError",
    "MethodNotAllowed",
    "MissingExtra",
    "NotConfirmed",
    "NotFound",
    "NotInRecovery",
    "NotJose",
    "NotSignedIn",
    "NoticeUnknown",
    "PartnerUnreachable",
    "ReceiptMismatch",
    "RecoveryIncomplete",
    "ReferralIdTaken",
    "ReferralUnknown",
    "ReservationUnknown",
    "RuleBlocked",
    "SameIdDifferentBytes",
    "SchemaInvalid",
    "SealBroken",
    "SecondPersonNeeded",
    "SignInRefused",
    "SignInsBusy",
    "StaleMessage",
    "StatementDiffers",
    "StatementMisplaced",
    "StatementUnknown",
    "StickRefused",
    "StillProcessing",
    "StillRetained",
    "StoreUnavailable",
    "TooLarge",
    "TrustError",
    "UnknownMessageType",
    "UnsupportedMediaType",
    "WrongRecipient",
    "XianjieError",
    "every_error",
]


def every_error() -> list[type[XianjieError]]:
    """All error classes, base first, each code once; `docs/errors.md` is generated from this."""
    found: list[type[XianjieError]] = []

    def walk(cls: type[XianjieError]) -> None:
        found.append(cls)
        for sub in cls.__subclasses__():
            walk(sub)

    walk(XianjieError)
    return sorted(found, key=lambda cls: (cls.status, cls.code))
